/**
 * The tables of `docs/explanation/managed-cost.md`, made from the runs in `bench/recorded/managed` as those of
 * `docs/performance.md` are from theirs. Record anew with
 * `npm run bench -- managed --record bench/recorded/managed/run-N.json`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { managedTable, managedVerdicts, type RecordedManagedRun } from '../../bench/managed-report.ts';
import { machineLine } from '../../bench/report.ts';
import type { GeneratedFile } from './generated.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const page = 'docs/explanation/managed-cost.md';

/** The recorded runs, in the order of their names. */
export function recordedManagedRuns(): readonly RecordedManagedRun[] {
  const folder = path.join(root, 'bench', 'recorded', 'managed');
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return files
    .toSorted()
    .map((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as RecordedManagedRun);
}

export function managedCostPage(): GeneratedFile {
  const runs = recordedManagedRuns();
  if (runs.length === 0) throw new Error('bench/recorded/managed holds no run');
  const blocks: Readonly<Record<string, string>> = {
    machines: runs.map(({ machine }, index) => `${index + 1}. ${machineLine(machine)}\n`).join(''),
    figures: managedTable(runs.map(({ rows }) => rows)),
    missed: missesOf(runs),
  };
  const text = readFileSync(path.join(root, page), 'utf8').replaceAll(
    /(<!-- table: (\w+) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (_whole, open: string, name: string, close: string) => `${open}\n${blocks[name] ?? ''}${close}`,
  );
  return { path: page, text };
}

function missesOf(runs: readonly RecordedManagedRun[]): string {
  const missed = runs.flatMap(({ rows }, index) =>
    managedVerdicts(rows).flatMap(({ isMet, line }) => (isMet ? [] : [`- Run ${index + 1}: ${line}`])),
  );
  return missed.length === 0 ? 'Nothing is missed.\n' : missed.join('');
}
