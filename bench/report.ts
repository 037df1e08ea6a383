/** What people read of a run: a table of medians, and the ratios that the product is held to. */
import type { CandidateName } from './cases.ts';
import type { Result } from './measure.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly loadAverage: readonly number[];
}

type Figure = keyof { [K in keyof Result as Result[K] extends number ? K : never]: true };

/** The median of a figure over the runs of a candidate in a case; undefined if there was none. */
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

/** A markdown table, one row for each case and candidate. */
export function table(results: readonly Result[], machine: Machine): string {
  const head = [
    'case',
    'client',
    'messages per CPU-second',
    'per second',
    'MiB',
    'SQS calls per message',
    'p50 ms',
    'p99 ms',
    'CPU %',
    'stub µs',
    'lost, doubled, left',
  ];
  const keys = new Map(results.map((result) => [`${result.case}|${result.candidate}`, result]));
  const rows = [...keys.values()].map((result) => {
    const value = (figure: Figure): number => median(results, result.case, result.candidate, figure) ?? 0;
    const isDrain = result.perCpuSecond > 0;
    const isPaced = result.case.includes('a second');
    const text = (isTold: boolean, figure: Figure, digits: number): string =>
      isTold ? value(figure).toLocaleString('en', { maximumFractionDigits: digits }) : '';
    return [
      result.case,
      result.candidate,
      text(isDrain && !isPaced, 'perCpuSecond', 0),
      text(isDrain && !isPaced, 'perSecond', 0),
      text(true, 'rssMiB', 0),
      text(isDrain, 'callsPerMessage', 3),
      text(isPaced, 'p50Ms', 2),
      text(isPaced, 'p99Ms', 2),
      text(true, 'cpuPercent', 1),
      text(isDrain, 'stubMicrosPerMessage', 1),
      `${sum(results, result, 'lost')}, ${sum(results, result, 'doubled')}, ${sum(results, result, 'left')}`,
    ];
  });
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  const { cpu, cores, memoryGiB, node, loadAverage } = machine;
  const load = loadAverage.map((value) => value.toFixed(1)).join(', ');
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, load ${load}\n\n${lines.join('\n')}\n`;
}

function sum(results: readonly Result[], of: Result, figure: 'lost' | 'doubled' | 'left'): number {
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
}

const ratio =
  (name: string, figure: Figure, to: CandidateName, other = name) =>
  (results: readonly Result[]): number | undefined => {
    const [ours, theirs] = [median(results, name, 'sluice', figure), median(results, other, to, figure)];
    return ours === undefined || theirs === undefined || theirs === 0 ? undefined : ours / theirs;
  };
const ours = (name: string, figure: Figure) => (results: readonly Result[]) =>
  median(results, name, 'sluice', figure);

/** The ratios of the run that the product is held to. */
export const goals: readonly Goal[] = [
  {
    what: 'the bare loop itself, of sqs-consumer (else the run is void)',
    min: 7,
    value: (results) => {
      const bare = median(results, 'batch 10', 'bare', 'perCpuSecond');
      const theirs = median(results, 'batch 10', 'sqs-consumer', 'perCpuSecond');
      return bare === undefined || theirs === undefined ? undefined : bare / theirs;
    },
  },
  { what: 'batch 10, of the bare loop', min: 0.65, value: ratio('batch 10', 'perCpuSecond', 'bare') },
  { what: 'batch 10, of sqs-consumer', min: 5, value: ratio('batch 10', 'perCpuSecond', 'sqs-consumer') },
  { what: 'batch 1, of the bare loop', min: 0.65, value: ratio('batch 1', 'perCpuSecond', 'bare') },
  { what: 'batch 100, of the bare loop', min: 0.65, value: ratio('batch 100', 'perCpuSecond', 'bare') },
  { what: '32 KiB, of the bare loop', min: 0.9, value: ratio('32 KiB, batch 10', 'perCpuSecond', 'bare') },
  {
    what: 'Lambda Invoke, of the bare loop',
    min: 0.65,
    value: ratio('Lambda Invoke, batch 10', 'perCpuSecond', 'bare'),
  },
  {
    what: 'five filters, of none',
    min: 0.75,
    value: ratio('five filters, batch 10', 'perCpuSecond', 'sluice', 'batch 10'),
  },
  { what: 'MiB under load, batch 10', max: 200, value: ours('batch 10', 'rssMiB') },
  { what: 'calls per message, batch 10', max: 0.21, value: ours('batch 10', 'callsPerMessage') },
  { what: 'p99 at 500/s, of the bare loop', max: 2, value: ratio('500 messages a second', 'p99Ms', 'bare') },
  { what: 'MiB with 1,000 idle queues', max: 200, value: ours('1,000 idle queues', 'rssMiB') },
  { what: '% of a core with 1,000 idle queues', max: 2.5, value: ours('1,000 idle queues', 'cpuPercent') },
];

/** One line for each goal of which the run says something. */
export function verdicts(results: readonly Result[]): string {
  return goals
    .flatMap(({ what, value, min, max }) => {
      const found = value(results);
      if (found === undefined) return [];
      const isMet = (min === undefined || found >= min) && (max === undefined || found <= max);
      const limit = min === undefined ? `at most ${max}` : `at least ${min}`;
      return [`${isMet ? 'met   ' : 'MISSED'} ${what}: ${found.toFixed(2)} (${limit})\n`];
    })
    .join('');
}
