/**
 * `npm run bench -- profile`: where the CPU time of the poll loop goes, by area of the code, from V8's sampling profiler.
 * Sluice runs from its sources, so that every sample names its file; the start and the warm-up are left out. The shares
 * are what counts: being sampled costs time itself.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cases } from './cases.ts';
import { begin, wave } from './measure.ts';
import { start } from './processes.ts';
import { markdown } from './report.ts';

const root = path.dirname(import.meta.dirname);
const messages = 200_000;

interface Frame {
  readonly functionName: string;
  readonly url: string;
}

/** What `--cpu-prof` writes, as far as it is read here. */
interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: Frame }[];
  readonly samples: readonly number[];
  /** Microseconds from one sample to the next. */
  readonly timeDeltas: readonly number[];
}

/** Areas by the first pattern that fits a frame's place; what fits none is V8's own. */
const areas: readonly (readonly [area: string, pattern: RegExp])[] = [
  ['writing to sockets, kernel included', /^writev|^write\w*String|^writeBuffer/],
  ['hashes: MD5 of bodies, SHA-256 of signatures', /^(oneShotDigest|hash) /],
  ['collecting garbage', /^\(garbage collector\)/],
  ['cutting and decoding answers of SQS', /src\/sources\/sqs\/signed-answer/],
  ['the rest of the source: batches of deletes, URLs', /src\/sources\//],
  ['signing, the pool of SQS', /src\/aws\//],
  ['the filter', /src\/filter\/|src\/lib\/json/],
  ['the engine: batches, slots, deadlines', /src\/(poller|lib)\//],
  ['the HTTP target', /src\/targets\//],
  ['metrics, health, narration', /src\/(telemetry|fleet|cli|api)\//],
  ['undici', /node_modules\/undici/],
  ["Node's own JavaScript", /node:/],
];

/** Runs one case under the profiler and prints a table. */
export async function runProfile([name = 'batch 10']: readonly string[]): Promise<boolean> {
  const of = cases.find((each) => each.name === name && each.kind === 'drain');
  if (of === undefined) {
    process.stderr.write(`${name}: it must be one of the cases that drain a queue\n`);
    return false;
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sluice-profile-'));
  try {
    await using stub = start([path.join(import.meta.dirname, 'stub.ts')], {}, { keepsInput: true });
    const endpoint = `http://127.0.0.1:${await stub.firstLine}`;
    const startedAtMs = performance.now();
    const release = path.join(root, 'src', 'cli', 'main.ts');
    const flags = ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=200'];
    const runner = await begin('sluice', of, { endpoint, folder, release }, flags);
    await using candidate = runner.started;
    await wave(of, of.warm, runner);
    const warmMs = performance.now() - startedAtMs;
    await wave(of, messages, runner);
    process.kill(candidate.pid, 'SIGTERM');
    while (!candidate.exited()) await sleep(50);
    const [file] = readdirSync(folder).filter((each) => each.endsWith('.cpuprofile'));
    if (file === undefined) throw new Error('no profile was written');
    const profile = JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as Profile;
    process.stdout.write(profileTable(profile, warmMs * 1000));
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Shares of the time in which the process did something, after `skipMicros`. */
export function profileTable(profile: Profile, skipMicros: number): string {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const sums = new Map<string, number>();
  let [at, total] = [0, 0];
  for (const [index, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index] ?? 0;
    at += delta;
    const { functionName = '', url = '' } = frames.get(id) ?? {};
    if (at < skipMicros || functionName === '(idle)') continue;
    const area = areas.find(([, pattern]) => pattern.test(`${functionName} ${url}`))?.[0] ?? 'V8 and C++';
    sums.set(area, (sums.get(area) ?? 0) + delta);
    total += delta;
  }
  const rows = [...sums]
    .toSorted(([, a], [, b]) => b - a)
    .map(([area, micros]) => [area, `${((100 * micros) / total).toFixed(1)} %`]);
  return markdown([['area', 'share'], ...rows]);
}
