/**
 * `npm run bench`: Sluice beside its alternatives, in one run on one machine, against one stub. What counts is messages
 * per CPU-second of the client, user and system, since that does not depend on what else the machine does; the wall
 * clock is printed for information. Each run checks that nothing was lost, doubled or left in the queue.
 *
 *   npm run bench -- [--quick] [--json] [--runs N] [--case TEXT]… [--candidate NAME]… [--messages N]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { cases, type CandidateName, type Case } from './cases.ts';
import { measure, type Result } from './measure.ts';
import { start } from './processes.ts';
import { table, verdicts } from './report.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    runs: { type: 'string' },
    case: { type: 'string', multiple: true, default: [] },
    candidate: { type: 'string', multiple: true, default: [] },
    messages: { type: 'string' },
    release: { type: 'string' },
  },
});

const root = path.dirname(import.meta.dirname);
const folder = mkdtempSync(path.join(os.tmpdir(), 'sluice-bench-'));
const release = values.release ?? path.join(root, 'dist', 'cli', 'sluice.mjs');
if (values.release === undefined) {
  execFileSync(process.execPath, [path.join(root, 'scripts', 'build.mjs')], { stdio: 'ignore' });
}

/** Of a quick run: what shows that all is well, in less than a minute. */
const quickCases = ['batch 10', 'five filters, batch 10'];
const runs = Number(values.runs ?? (values.quick ? 1 : 3));

function scaled(of: Case): Case {
  const measured = Number(values.messages ?? (values.quick ? of.measured / 5 : of.measured));
  return { ...of, measured, warm: Math.min(of.warm, measured) };
}

function isWanted(of: Case): boolean {
  if (values.case.length > 0) return values.case.some((text) => of.name.includes(text));
  return !values.quick || quickCases.includes(of.name);
}

const results: Result[] = [];
await using stub = start([path.join(import.meta.dirname, 'stub.ts')], {}, { keepsInput: true });
try {
  const endpoint = `http://127.0.0.1:${await stub.firstLine}`;
  for (const of of cases.filter(isWanted).map(scaled)) {
    const names = of.candidates.filter(
      (name) => values.candidate.length === 0 || values.candidate.includes(name),
    );
    // Interleaved, so that a busy minute of the machine hits all alike.
    for (let run = 1; run <= runs; run++) {
      for (const name of names) results.push(await once(name, of, endpoint));
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const machine = {
  cpu: os.cpus()[0]?.model ?? '',
  cores: os.cpus().length,
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  node: process.version,
  loadAverage: os.loadavg(),
};
if (values.json) console.log(JSON.stringify({ machine, results }, null, 2));
else console.log(`${table(results, machine)}\n${verdicts(results)}`);
if (results.some(({ lost, doubled, left }) => lost + doubled + left > 0)) process.exitCode = 1;

async function once(name: CandidateName, of: Case, endpoint: string): Promise<Result> {
  const result = await measure(name, of, { endpoint, folder, release });
  if (!values.json) {
    const { perCpuSecond, perSecond, cpuPercent, p99Ms } = result;
    const told =
      of.kind === 'drain'
        ? `${Math.round(perCpuSecond)} per CPU-second, ${Math.round(perSecond)} per second`
        : of.kind === 'idle'
          ? `${cpuPercent.toFixed(2)} % of a core`
          : `p99 ${p99Ms.toFixed(2)} ms`;
    console.error(`${of.name}: ${name}: ${told}, ${result.rssMiB} MiB`);
  }
  return result;
}
