/** What runs of `npm run bench -- managed` found, as tables: for the terminal and for docs. Pure. */
import type { Machine } from './report.ts';

/** One phase of one run. */
export interface ManagedRow {
  readonly objects: number;
  /** Calls a second that the server takes; null takes all. */
  readonly limit: number | null;
  readonly phase: string;
  readonly seconds: number;
  readonly awsPerObject: number;
  readonly refusedPercent: number;
  readonly apiPerObject: number;
  readonly cpuMsPerObject: number;
  /** The most so far. */
  readonly mib: number;
}

/** What `--record` writes. */
export interface RecordedManagedRun {
  readonly machine: Machine;
  readonly rows: readonly ManagedRow[];
}

export const isSmall = (phase: string): boolean => phase === 'restart' || phase.startsWith('idle');

/** Of the time that the limit alone would take for one call an object; undefined where nothing limits. */
export function ofLimit({ limit, seconds, objects, phase }: ManagedRow): number | undefined {
  return limit === null || isSmall(phase) ? undefined : (seconds * limit) / objects;
}

export interface ManagedVerdict {
  readonly isMet: boolean;
  readonly line: string;
}

/** Whether each phase cost no more than it may. */
export function managedVerdicts(rows: readonly ManagedRow[]): readonly ManagedVerdict[] {
  return rows.flatMap((row) => {
    const time = ofLimit(row);
    const facts: readonly (readonly [string, number, number])[] = [
      ['AWS calls an object', row.awsPerObject, isSmall(row.phase) ? 0.05 : 1.3],
      ['% refused', row.refusedPercent, 2],
      ['MiB', row.mib, 150],
      ...(time === undefined ? [] : [['of the time of the limit', time, 1.3] as const]),
    ];
    return facts.map(([what, value, most]) => ({
      isMet: value <= most,
      line: `${value <= most ? 'pass' : 'MISS'}: ${row.objects} objects, limit ${row.limit ?? 'none'}, ${row.phase}: ${what} ${value.toFixed(3)}, at most ${most}\n`,
    }));
  });
}

/** All phases of each run, in the order of the runs. */
export function managedTable(runs: readonly (readonly ManagedRow[])[]): string {
  const head = [
    'run',
    'objects',
    'limit',
    'phase',
    'seconds',
    'of the time of the limit',
    'AWS calls an object',
    'refused',
    'API-server calls an object',
    'CPU ms an object',
    'MiB at most',
  ];
  const all = runs.flatMap((rows, index) => rows.map((row) => [index + 1, row] as const));
  const cells = all.map(([run, row]) => [
    run,
    row.objects,
    row.limit === null ? 'none' : `${row.limit}/s`,
    row.phase,
    row.seconds.toFixed(1),
    ofLimit(row)?.toFixed(2) ?? '',
    row.awsPerObject.toFixed(3),
    `${row.refusedPercent.toFixed(1)} %`,
    row.apiPerObject.toFixed(2),
    row.cpuMsPerObject.toFixed(1),
    row.mib,
  ]);
  return [head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |\n`).join('');
}
