/**
 * One case: candidates by turns, so that a busy minute of the machine hits all alike, each with a queue of its own. Each
 * is warmed up and then given waves of messages. After each wave it checks that every message was
 * delivered once, whole, and deleted.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { runFile, startCandidate, type Place } from './candidates.ts';
import { messagesOf, type CandidateName, type Case } from './cases.ts';
import { cpuSeconds, memoryMiB, type Started } from './processes.ts';

/** What one wave showed; of idle queues, what the measured time showed. */
export interface Result {
  readonly case: string;
  readonly candidate: CandidateName;
  readonly messages: number;
  readonly perCpuSecond: number;
  readonly perSecond: number;
  /** Most resident memory since the start; with idle queues the present one. */
  readonly rssMiB: number;
  /** The most bytes of messages that it held by its own account, in MiB; 0 where it was not asked. */
  readonly heldMiB: number;
  /** Calls of SQS for each message. */
  readonly callsPerMessage: number;
  /** From sending to delivery; of interest at a paced rate only. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of a core, over the measured time. */
  readonly cpuPercent: number;
  /** What the stub spent on each message itself. */
  readonly stubMicrosPerMessage: number;
  readonly lost: number;
  readonly doubled: number;
  /** Not as they were sent. */
  readonly damaged: number;
  /** Delivered and not deleted. */
  readonly left: number;
}

interface Stats {
  readonly sent: number;
  readonly delivered: number;
  readonly deleted: number;
  readonly doubled: number;
  readonly strange: number;
  readonly latencies: readonly number[];
  readonly polls: number;
  readonly calls: Readonly<Record<string, number>>;
  readonly cpuMs: number;
}

type Query = Readonly<Record<string, string | number>>;

/** A candidate that runs. */
export interface Runner {
  readonly name: CandidateName;
  readonly started: Started;
  readonly queues: readonly string[];
  readonly ask: (command: string, query?: Query) => Promise<Stats>;
  /** The bytes that it holds; undefined where that is not asked. */
  readonly held: (() => Promise<number>) | undefined;
}

const pacedRate = 500;
/** Faster, and most messages still come one by one. */
const warmRate = 2000;
/** Until the start is over, and what it left behind is collected. */
const idleSettleMs = 35_000;
/** Two rounds of long polls: they come in bursts, of which all must see as many. */
const idleMeasuredMs = 40_000;
/** A wave that takes longer than this is told as it stands. */
const patienceMs = 120_000;
let made = 0;

export interface Plan {
  readonly of: Case;
  readonly names: readonly CandidateName[];
  /** Waves of each candidate. */
  readonly runs: number;
  readonly where: Omit<Place, 'queues'>;
  readonly onResult: (result: Result) => void;
}

export async function measure(plan: Plan): Promise<void> {
  const { of, names, runs } = plan;
  // Processes of one program differ by a tenth for as long as they live, so that each run has its own; at a pace, where
  // warming up takes longest, the latencies of one tell enough.
  if (of.kind !== 'drain') return together(plan);
  for (let run = 0; run < runs * of.processes; run++)
    for (const name of names) await together({ ...plan, names: [name], runs: of.waves });
}

/** Measures candidates that live beside one another, by turns. */
async function together({ of, names, runs, where, onResult }: Plan): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const runners: Runner[] = [];
  for (const name of names) {
    const runner = await begin(name, of, where);
    stack.defer(async () => {
      await runner.started[Symbol.asyncDispose]();
      await runner.ask('drop');
    });
    runners.push(runner);
    if (of.kind !== 'idle') await wave(of, messagesOf(of, name).warm, runner, warmRate);
  }
  if (of.kind === 'idle') for (const result of await idle(of, runners)) onResult(result);
  else
    for (let run = 0; run < runs; run++)
      for (const runner of runners) onResult(await measureWave(of, runner));
}

/** Starts a candidate on a queue of its own; `flags` are more flags of Node. */
export async function begin(
  name: CandidateName,
  of: Case,
  where: Omit<Place, 'queues'>,
  flags: readonly string[] = [],
): Promise<Runner> {
  const queue = `bench${++made}`;
  const ask = async (command: string, query: Query = {}): Promise<Stats> => {
    const search = new URLSearchParams({
      queue,
      ...Object.fromEntries(Object.entries(query).map(([key, value]) => [key, String(value)])),
    });
    return (await (await fetch(`${where.endpoint}/_/${command}?${search.toString()}`)).json()) as Stats;
  };
  const count = of.queues;
  await ask('create', { count });
  const queues = count === 0 ? [queue] : Array.from({ length: count }, (_, index) => `${queue}-${index}`);
  const started = startCandidate(name, of, { ...where, queues }, flags);
  const held = of.asksBuffer && name === 'sluice' ? () => heldBytes({ ...where, queues }) : undefined;
  const runner = { name, queues, ask, started, held };
  await until(async () => (await ask('stats')).polls >= queues.length, runner.started);
  return runner;
}

async function measureWave(of: Case, runner: Runner): Promise<Result> {
  const { ask, name, started } = runner;
  const { measured } = messagesOf(of, name);
  // Whoever begins with an idle loop begins alike.
  await sleep(200);
  const before = await ask('begin');
  const cpuBefore = cpuSeconds(started.pid);
  const startedAtMs = performance.now();
  const heldBytesMax = await wave(of, measured, runner);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const cpu = Math.max(0.01, cpuSeconds(started.pid) - cpuBefore);
  const after = await ask('stats', of.kind === 'paced' ? { latencies: 1 } : {});
  const latencies = after.latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  const calls = Object.values(after.calls).reduce((sum, each) => sum + each, 0);
  return {
    case: of.name,
    candidate: name,
    messages: measured,
    perCpuSecond: measured / cpu,
    perSecond: measured / seconds,
    rssMiB: memoryMiB(started.pid).most,
    heldMiB: heldBytesMax / 2 ** 20,
    callsPerMessage: calls / measured,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuPercent: (cpu / seconds) * 100,
    stubMicrosPerMessage: ((after.cpuMs - before.cpuMs) * 1000) / measured,
    lost: after.sent - after.delivered,
    doubled: after.doubled - before.doubled,
    damaged: after.strange - before.strange,
    left: after.sent - after.deleted,
  };
}

/** All at once: they hardly do anything. */
async function idle(of: Case, runners: readonly Runner[]): Promise<readonly Result[]> {
  await sleep(idleSettleMs);
  const before = runners.map(({ started }) => cpuSeconds(started.pid));
  await sleep(idleMeasuredMs);
  return runners.map(({ name, started }, at) => ({
    case: of.name,
    candidate: name,
    messages: 0,
    perCpuSecond: 0,
    perSecond: 0,
    heldMiB: 0,
    callsPerMessage: 0,
    p50Ms: 0,
    p99Ms: 0,
    stubMicrosPerMessage: 0,
    rssMiB: memoryMiB(started.pid).now,
    cpuPercent: ((cpuSeconds(started.pid) - (before[at] ?? 0)) / idleMeasuredMs) * 100_000,
    lost: 0,
    doubled: 0,
    damaged: 0,
    left: 0,
  }));
}

/** Sends messages and waits until all of them were delivered and deleted; returns the most bytes held meanwhile. */
export async function wave(
  of: Case,
  count: number,
  { ask, started, held }: Runner,
  rate = pacedRate,
): Promise<number> {
  let most = 0;
  const { sent } = await ask('stats');
  if (of.kind === 'paced') {
    await ask('pace', { rate, count, bytes: of.bytes });
    await sleep((count / rate) * 1000);
  } else await ask('send', { count, bytes: of.bytes });
  await until(async () => {
    if (held !== undefined) most = Math.max(most, await held());
    return (await ask('stats')).deleted >= sent + count;
  }, started);
  return most;
}

/** What a Sluice says that it holds, by its metrics. */
async function heldBytes(place: Pick<Place, 'folder' | 'queues'>): Promise<number> {
  const { metrics } = JSON.parse(readFileSync(runFile(place), 'utf8')) as { metrics: string };
  const text = await (await fetch(metrics)).text();
  return Number(/^sluice_buffer_bytes(?:\{\})? (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
}

async function until(check: () => Promise<boolean>, candidate: Started): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await check())) {
    if (candidate.exited()) throw new Error(`the candidate has ended: ${candidate.errors()}`);
    if (performance.now() > endMs) return;
    await sleep(20);
  }
}
