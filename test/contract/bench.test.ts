import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Result } from '../../bench/measure.ts';
import { goals, verdicts } from '../../bench/report.ts';
import { recordedRuns } from '../../scripts/lib/performance-page.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const run = promisify(execFile);

/** A bench of some hundred messages: too short to say how fast anything is, and long enough to say whether it is right. */
async function bench(...args: readonly string[]): Promise<readonly Result[]> {
  const all = ['bench/main.ts', '--json', '--runs', '1', '--messages', '1000', ...args];
  const { stdout } = await run(process.execPath, [...all, '--release', 'src/cli/main.ts'], {
    cwd: root,
  }).catch(
    // It ends with 1 when a target of speed is missed, which is not what is asked here.
    (error: { code: unknown; stdout: string }) => {
      expect(error.code).toBe(1);
      return error;
    },
  );
  return (JSON.parse(stdout) as { results: readonly Result[] }).results;
}

describe('the bench', () => {
  test('delivers every message once and deletes it, by every client that it compares', async () => {
    const results = await bench('--case', 'batch 10', '--case', 'five filters');
    expect(results.map(({ case: name, candidate }) => `${name}: ${candidate}`)).toEqual([
      ...['sluice', 'bare', 'sqs-consumer', 'sdk', 'sluice-sdk'].map((name) => `batch 10: ${name}`),
      ...['sluice', 'unfiltered'].map((name) => `five filters: ${name}`),
    ]);
    for (const { messages, lost, doubled, damaged, left } of results) {
      expect({ lost, doubled, damaged, left }).toEqual({ lost: 0, doubled: 0, damaged: 0, left: 0 });
      expect(messages).toBeGreaterThanOrEqual(200);
    }
  });

  test('counts no more calls of SQS than full receives and deletes need, at batch 1 too', async () => {
    const results = await bench('--case', 'batch 1', '--candidate', 'sluice');
    expect(results).toHaveLength(1);
    // 0.2 once the limit of concurrency has grown to a whole receive.
    expect(results[0]?.callsPerMessage).toBeLessThan(0.45);
  });

  test('the runs that the documentation shows measured every target', () => {
    const runs = recordedRuns();
    expect(runs.length).toBeGreaterThanOrEqual(1);
    for (const { runs: waves, results } of runs) {
      expect(waves).toBeGreaterThanOrEqual(5);
      expect(verdicts(results).map(({ what }) => what)).toEqual(goals.map(({ what }) => what));
    }
  });
});
