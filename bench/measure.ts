/** One candidate in one case: starts it, warms it up, measures a wave, and checks that every message arrived once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startCandidate, type Place } from './candidates.ts';
import type { CandidateName, Case } from './cases.ts';
import { cpuSeconds, memoryMiB, type Started } from './processes.ts';

export interface Result {
  readonly case: string;
  readonly candidate: CandidateName;
  readonly messages: number;
  readonly perCpuSecond: number;
  readonly perSecond: number;
  /** Most resident memory of the whole run; for idle queues the present one. */
  readonly rssMiB: number;
  /** Calls of SQS for each message. */
  readonly callsPerMessage: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of a core, over the measured time. */
  readonly cpuPercent: number;
  /** What the stub spent on each message itself. */
  readonly stubMicrosPerMessage: number;
  readonly lost: number;
  readonly doubled: number;
  /** Delivered and not deleted. */
  readonly left: number;
}

interface Stats {
  readonly sent: number;
  readonly delivered: number;
  readonly deleted: number;
  readonly doubled: number;
  readonly latencies: readonly number[];
  readonly polls: number;
  readonly calls: Readonly<Record<string, number>>;
  readonly cpuMs: number;
}

const idleQueues = 1000;
const idleMeasuredMs = 20_000;
/** A wave that takes longer than this is told as it stands. */
const patienceMs = 180_000;
const isIdle = {
  perCpuSecond: 0,
  perSecond: 0,
  callsPerMessage: 0,
  p50Ms: 0,
  p99Ms: 0,
  stubMicrosPerMessage: 0,
};
let made = 0;

export async function measure(name: CandidateName, of: Case, where: Omit<Place, 'queues'>): Promise<Result> {
  const queue = `bench${++made}`;
  const ask = async (
    command: string,
    query: Readonly<Record<string, string | number>> = {},
  ): Promise<Stats> => {
    const search = new URLSearchParams({ queue, ...mapValues(query) });
    return (await (await fetch(`${where.endpoint}/_/${command}?${search.toString()}`)).json()) as Stats;
  };
  const count = of.kind === 'idle' ? idleQueues : 0;
  await ask('create', { count });
  const queues = count === 0 ? [queue] : Array.from({ length: count }, (_, index) => `${queue}-${index}`);
  try {
    await using candidate = startCandidate(name, of, { ...where, queues });
    await until(async () => (await ask('stats')).polls >= queues.length, candidate);
    if (of.kind === 'idle') return await measureIdle(name, of, candidate);
    await wave(of, of.warm, ask, candidate);
    await ask('forget');
    if (of.kind === 'drain') await prepare(of, of.measured, ask);
    // Whoever begins with an idle loop begins alike.
    await sleep(300);
    const before = await ask('stats');
    const cpuBefore = cpuSeconds(candidate.pid);
    const startedAtMs = performance.now();
    await wave(of, of.measured, ask, candidate, true);
    const seconds = (performance.now() - startedAtMs) / 1000;
    const cpu = Math.max(0.01, cpuSeconds(candidate.pid) - cpuBefore);
    const after = await ask('stats', { latencies: 1 });
    const latencies = after.latencies.toSorted((a, b) => a - b);
    const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
    const calls = Object.values(after.calls).reduce((sum, each) => sum + each, 0);
    return {
      case: of.name,
      candidate: name,
      messages: of.measured,
      perCpuSecond: of.measured / cpu,
      perSecond: of.measured / seconds,
      rssMiB: memoryMiB(candidate.pid).most,
      callsPerMessage: calls / of.measured,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      cpuPercent: (cpu / seconds) * 100,
      stubMicrosPerMessage: ((after.cpuMs - before.cpuMs) * 1000) / of.measured,
      lost: after.sent - after.delivered,
      doubled: after.doubled,
      left: after.sent - after.deleted,
    };
  } finally {
    await ask('drop');
  }
}

async function measureIdle(name: CandidateName, of: Case, candidate: Started): Promise<Result> {
  // Until the start is over, with what it left behind.
  await sleep(10_000);
  const cpuBefore = cpuSeconds(candidate.pid);
  await sleep(idleMeasuredMs);
  const cpuPercent = ((cpuSeconds(candidate.pid) - cpuBefore) / idleMeasuredMs) * 100_000;
  const rssMiB = memoryMiB(candidate.pid).now;
  return {
    ...isIdle,
    case: of.name,
    candidate: name,
    messages: 0,
    rssMiB,
    cpuPercent,
    lost: 0,
    doubled: 0,
    left: 0,
  };
}

type Ask = (command: string, query?: Readonly<Record<string, string | number>>) => Promise<Stats>;

/** In parts, so that the stub answers polls meanwhile. */
async function prepare(of: Case, messages: number, ask: Ask): Promise<void> {
  const part = Math.ceil(1_000_000 / of.bytes);
  for (let made = 0; made < messages; made += part)
    await ask('prepare', { count: Math.min(part, messages - made), bytes: of.bytes });
}

/** Sends messages and waits until all of them were delivered and deleted. */
async function wave(
  of: Case,
  messages: number,
  ask: Ask,
  candidate: Started,
  isPrepared = false,
): Promise<void> {
  if (messages === 0) return;
  if (of.kind === 'paced') {
    await ask('release');
    await ask('pace', { rate: 500, count: messages, bytes: of.bytes });
    await sleep((messages / 500) * 1000);
  } else {
    if (!isPrepared) await prepare(of, messages, ask);
    await ask('release');
  }
  await until(async () => {
    const { sent, deleted } = await ask('stats');
    return deleted >= sent;
  }, candidate);
}

async function until(check: () => Promise<boolean>, candidate: Started): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await check())) {
    if (candidate.exited()) throw new Error(`the candidate has ended: ${candidate.errors()}`);
    if (performance.now() > endMs) return;
    await sleep(20);
  }
}

function mapValues(query: Readonly<Record<string, string | number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
}
