/** A log whose lines a test can look at, and the series of a registry as text. */
import { createLog, type Level, type Log } from '../../src/telemetry/log.ts';
import type { Metrics } from '../../src/telemetry/metrics.ts';

export interface LogLines {
  readonly log: Log;
  readonly lines: Readonly<Record<string, unknown>>[];
}

/** A log that keeps its lines. */
export function keptLog(level: Level = 'debug'): LogLines {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const log = createLog(level, (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  return { log, lines };
}

/** The series of /metrics as `name{labels} value`, but for those of 0 unless `zeros` is set, sorted. */
export async function seriesOf(metrics: Metrics, zeros = false): Promise<string[]> {
  const text = await metrics.text();
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && (zeros || !line.endsWith(' 0')))
    .toSorted();
}
