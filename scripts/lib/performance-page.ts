/**
 * The tables of `docs/performance.md`: the text around them is written by hand and kept; what stands between
 * `<!-- table: NAME -->` and `<!-- end -->` is made from the recorded runs, so that no figure can be told that no run
 * found. Record anew with `npm run bench -- --record bench/recorded/run-N.json`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Result } from '../../bench/measure.ts';
import { machineLine, table, verdicts, verdictTable, type Machine } from '../../bench/report.ts';
import type { GeneratedFile } from './generated.ts';

/** What `--record` writes. */
export interface RecordedRun {
  readonly machine: Machine;
  readonly runs: number;
  readonly results: readonly Result[];
}

const root = path.resolve(import.meta.dirname, '..', '..');
const page = 'docs/performance.md';

/** The recorded runs, in the order of their names. */
export function recordedRuns(): readonly RecordedRun[] {
  const folder = path.join(root, 'bench', 'recorded');
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return files
    .toSorted()
    .map((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as RecordedRun);
}

export function performancePage(): GeneratedFile {
  const runs = recordedRuns();
  const last = runs.at(-1);
  if (last === undefined) throw new Error('bench/recorded holds no run');
  const blocks: Readonly<Record<string, string>> = {
    machines: runs.map(({ machine }, index) => `${index + 1}. ${machineLine(machine)}\n`).join(''),
    figures: table(last.results),
    targets: verdictTable(runs.map(({ results }) => verdicts(results))),
  };
  const text = readFileSync(path.join(root, page), 'utf8').replaceAll(
    /(<!-- table: (\w+) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (_whole, open: string, name: string, close: string) => `${open}\n${blocks[name] ?? ''}${close}`,
  );
  return { path: page, text };
}
