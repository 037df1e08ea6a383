/** The demo's live view: a small table that is redrawn on a terminal, plain lines anywhere else. Pure text. */
import type { Totals } from './ledger.ts';

export interface Row {
  readonly mapping: string;
  readonly totals: Totals;
  readonly inFlight: number;
  /** Processed per second since the last view. */
  readonly rate: number;
}

const columns: readonly (readonly [string, (row: Row) => string])[] = [
  ['MAPPING', (row) => row.mapping],
  ['SENT', (row) => String(row.totals.produced)],
  ['FILTERED', (row) => String(row.totals.filtered)],
  ['DELIVERED', (row) => String(row.totals.delivered)],
  ['FAILED', (row) => String(row.totals.failed)],
  ['RETRIED', (row) => String(row.totals.retried)],
  ['WAITING', (row) => String(row.totals.missing)],
  ['IN FLIGHT', (row) => String(row.inFlight)],
  ['PER S', (row) => row.rate.toFixed(0)],
  ['P50', (row) => `${row.totals.p50Ms.toFixed(0)} ms`],
  ['P99', (row) => `${row.totals.p99Ms.toFixed(0)} ms`],
];

/** The table, one line per mapping. */
export function table(rows: readonly Row[]): string {
  const cells = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, text]) => text(row)))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, index) =>
          index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
        )
        .join('  '),
    )
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** A bar with the share of the time that is over. */
export function progress(elapsedMs: number, totalMs: number, phase: string): string {
  const share = Math.min(1, elapsedMs / totalMs);
  const filled = Math.round(share * 30);
  return `[${'#'.repeat(filled)}${'.'.repeat(30 - filled)}] ${phase} ${(elapsedMs / 1000).toFixed(0)}/${(totalMs / 1000).toFixed(0)} s\n`;
}

/** One plain line for all mappings. */
export function plainLine(elapsedMs: number, phase: string, rows: readonly Row[]): string {
  const parts = rows.map(
    (row) =>
      `${row.mapping} sent=${row.totals.produced} filtered=${row.totals.filtered} delivered=${row.totals.delivered} ` +
      `failed=${row.totals.failed} retried=${row.totals.retried} inFlight=${row.inFlight} rate=${row.rate.toFixed(0)}/s ` +
      `p50=${row.totals.p50Ms.toFixed(0)}ms p99=${row.totals.p99Ms.toFixed(0)}ms`,
  );
  return `${(elapsedMs / 1000).toFixed(0).padStart(4)} s ${phase}: ${parts.join(' | ')}\n`;
}
