/** What people read of a run: a table of medians, and the targets that the product is held to. Pure. */
import type { CandidateName } from './cases.ts';
import type { Result } from './measure.ts';

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  /** Load average of the last minute, before and after. */
  readonly loadBefore: number;
  readonly loadAfter: number;
}

const wrongs = ['lost', 'doubled', 'damaged', 'left'] as const;

type Figure = keyof { [K in keyof Result as Result[K] extends number ? K : never]: true };

/** The median of a figure over the waves of a candidate in a case; undefined if there was none. */
export function median(
  results: readonly Result[],
  name: string,
  candidate: CandidateName,
  figure: Figure,
): number | undefined {
  const values = results
    .filter((result) => result.case === name && result.candidate === candidate)
    .map((result) => result[figure])
    .toSorted((a, b) => a - b);
  return values[Math.floor(values.length / 2)];
}

export function machineLine({ date, cpu, cores, memoryGiB, node, loadBefore, loadAfter }: Machine): string {
  const load = `load average ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after`;
  return `${date}, ${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, ${load}`;
}

/** One result for each case and candidate: the medians of its waves, and all that went wrong in any. */
export function condensed(results: readonly Result[]): readonly Result[] {
  const keys = new Map(results.map((result) => [`${result.case}|${result.candidate}`, result]));
  return [...keys.values()].map((result) => {
    const figures = Object.keys(result).filter(
      (key): key is Figure => typeof result[key as Figure] === 'number',
    );
    const medians = figures.map((figure) => [
      figure,
      Number((median(results, result.case, result.candidate, figure) ?? 0).toFixed(3)),
    ]);
    const sums = wrongs.map((figure) => [figure, sum(results, result, figure)]);
    return { ...result, ...Object.fromEntries(medians), ...Object.fromEntries(sums) };
  });
}

/** A markdown table, one row for each case and candidate. */
export function table(results: readonly Result[]): string {
  const head = [
    'case',
    'client',
    'messages per CPU-second',
    'per second',
    'MiB',
    'MiB held',
    'SQS calls per message',
    'p50 ms',
    'p99 ms',
    'CPU %',
    'stub µs per message',
    'lost, doubled, damaged, left',
  ];
  const rows = condensed(results).map((result) => {
    const text = (isTold: boolean, figure: Figure, digits: number): string =>
      isTold ? result[figure].toLocaleString('en', { maximumFractionDigits: digits }) : '';
    const [isDrain, isPaced] = [result.perSecond > 0 && result.p99Ms === 0, result.p99Ms > 0];
    return [
      result.case,
      result.candidate,
      text(isDrain, 'perCpuSecond', 0),
      text(isDrain, 'perSecond', 0),
      text(true, 'rssMiB', 0),
      text(result.heldMiB > 0, 'heldMiB', 0),
      text(isDrain || isPaced, 'callsPerMessage', 3),
      text(isPaced, 'p50Ms', 2),
      text(isPaced, 'p99Ms', 2),
      text(true, 'cpuPercent', 1),
      text(isDrain || isPaced, 'stubMicrosPerMessage', 1),
      wrongs.map((figure) => result[figure]).join(', '),
    ];
  });
  return markdown([head, ...rows]);
}

function sum(
  results: readonly Result[],
  of: Result,
  figure: 'lost' | 'doubled' | 'damaged' | 'left',
): number {
  return results
    .filter((result) => result.case === of.case && result.candidate === of.candidate)
    .reduce((total, result) => total + result[figure], 0);
}

interface Goal {
  readonly what: string;
  readonly value: (results: readonly Result[]) => number | undefined;
  /** At least (`min`) or at most (`max`) this. */
  readonly min?: number;
  readonly max?: number;
  /** What it should come to one day. */
  readonly aim?: number;
  /** A run in which this is missed says nothing. */
  readonly voids?: true;
}

const ratio =
  (name: string, figure: Figure, to: CandidateName) =>
  (results: readonly Result[]): number | undefined => {
    const [ours, theirs] = [median(results, name, 'sluice', figure), median(results, name, to, figure)];
    return ours === undefined || theirs === undefined || theirs === 0 ? undefined : ours / theirs;
  };
const ours = (name: string, figure: Figure) => (results: readonly Result[]) =>
  median(results, name, 'sluice', figure);
const oursAtAll =
  (...figures: readonly ('lost' | 'doubled' | 'damaged' | 'left')[]) =>
  (results: readonly Result[]): number | undefined => {
    const own = results.filter(({ candidate }) => candidate === 'sluice');
    if (own.length === 0) return undefined;
    return own.reduce((total, result) => total + figures.reduce((all, figure) => all + result[figure], 0), 0);
  };

/** What the product is held to, as ratios of the run where they are ratios. */
export const goals: readonly Goal[] = [
  {
    what: 'the bare loop, of sqs-consumer; below it the run is void',
    min: 7,
    voids: true,
    value: (results) => {
      const bare = median(results, 'batch 10', 'bare', 'perCpuSecond');
      const theirs = median(results, 'batch 10', 'sqs-consumer', 'perCpuSecond');
      return bare === undefined || theirs === undefined ? undefined : bare / theirs;
    },
  },
  {
    what: 'batch 10, of the bare loop',
    min: 0.65,
    aim: 1,
    value: ratio('batch 10', 'perCpuSecond', 'bare'),
  },
  {
    what: 'batch 10, of sqs-consumer',
    min: 5,
    aim: 8,
    value: ratio('batch 10', 'perCpuSecond', 'sqs-consumer'),
  },
  { what: 'batch 1, of the bare loop', min: 0.65, aim: 0.9, value: ratio('batch 1', 'perCpuSecond', 'bare') },
  { what: '32 KiB, of the bare loop', min: 0.9, aim: 1.5, value: ratio('32 KiB', 'perCpuSecond', 'bare') },
  {
    what: 'Lambda Invoke, of the bare loop',
    min: 0.65,
    aim: 0.9,
    value: ratio('Lambda Invoke', 'perCpuSecond', 'bare'),
  },
  {
    what: 'five filters, of none',
    min: 0.75,
    aim: 0.85,
    value: ratio('five filters', 'perCpuSecond', 'unfiltered'),
  },
  { what: 'MiB under load, batch 10', max: 200, aim: 140, value: ours('batch 10', 'rssMiB') },
  {
    what: 'MiB of messages held with 6 MB batches, of a budget of 128',
    max: 128,
    value: ours('6 MB batches', 'heldMiB'),
  },
  { what: 'SQS calls per message, batch 10', max: 0.21, value: ours('batch 10', 'callsPerMessage') },
  {
    what: 'p99 at 500 a second, of the bare loop',
    max: 2,
    value: ratio('500 messages a second', 'p99Ms', 'bare'),
  },
  { what: 'MiB with 1,000 idle queues', max: 200, aim: 140, value: ours('1,000 idle queues', 'rssMiB') },
  {
    what: '% of a core with 1,000 idle queues',
    max: 2.5,
    aim: 1.5,
    value: ours('1,000 idle queues', 'cpuPercent'),
  },
  { what: 'messages lost or left in the queue', max: 0, value: oursAtAll('lost', 'left') },
  { what: 'messages doubled or damaged', max: 0, value: oursAtAll('doubled', 'damaged') },
];

export interface GoalVerdict {
  readonly what: string;
  readonly target: string;
  readonly aim: string;
  readonly found: number;
  readonly verdict: 'pass' | 'miss' | 'void';
}

/** One for each goal of which the run says something. */
export function verdicts(results: readonly Result[]): readonly GoalVerdict[] {
  return goals.flatMap(({ what, value, min, max, aim, voids }) => {
    const found = value(results);
    if (found === undefined) return [];
    const isMet = (min === undefined || found >= min) && (max === undefined || found <= max);
    const sign = min === undefined ? '≤' : '≥';
    return {
      what,
      target: `${sign} ${min ?? max}`,
      aim: aim === undefined ? '' : `${sign} ${aim}`,
      found,
      verdict: isMet ? ('pass' as const) : voids === true ? ('void' as const) : ('miss' as const),
    };
  });
}

/** A markdown table, one row for each target, with what each of some runs found. */
export function verdictTable(runs: readonly (readonly GoalVerdict[])[]): string {
  const rows = (runs[0] ?? []).map(({ what, target, aim }) => {
    const all = runs.flatMap((run) => run.find((each) => each.what === what) ?? []);
    const found = all.map((each) => each.found.toLocaleString('en', { maximumFractionDigits: 3 }));
    const verdict = all.find((each) => each.verdict !== 'pass')?.verdict ?? 'pass';
    return [what, target, aim, ...found, verdict];
  });
  return markdown([['target', 'must', 'aim', ...runs.map(() => 'found'), 'verdict'], ...rows]);
}

/** Whether every target that was measured is met, and no candidate lost or doubled anything. */
export function isHeld(results: readonly Result[], found: readonly GoalVerdict[]): boolean {
  const isClean = results.every(({ lost, doubled, damaged, left }) => lost + doubled + damaged + left === 0);
  return isClean && found.every(({ verdict }) => verdict === 'pass');
}

/** A table of markdown; the first row is its head. */
export function markdown([head = [], ...rows]: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}
