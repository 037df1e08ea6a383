/**
 * `npm run bench`: Sluice beside its alternatives, in one run on one machine, against one stub. What counts is messages
 * per CPU-second of the client, user and system, since that depends least on what else the machine does; the wall
 * clock is printed for information. Each wave checks that nothing was lost, doubled, damaged or left in the queue.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { measure, type Result } from './measure.ts';
import { runManaged } from './managed.ts';
import { help, readOptions, type Options } from './options.ts';
import { start } from './processes.ts';
import { buildRelease } from './release.ts';
import { runProfile } from './profile.ts';
import { condensed, isHeld, machineLine, table, verdicts, verdictTable, type Machine } from './report.ts';

const args = process.argv.slice(2);
const options = readOptions(args);
if (args[0] === 'managed') process.exitCode = (await runManaged(args.slice(1))) ? 0 : 1;
else if (args[0] === 'profile') process.exitCode = (await runProfile(args.slice(1))) ? 0 : 1;
else if (options === 'help') process.stdout.write(help);
else if ('wrong' in options) {
  process.stderr.write(`${options.wrong}\nSee npm run bench -- --help\n`);
  process.exitCode = 2;
} else await run(options);

async function run({ json, record, runs, cases, candidates, release }: Options): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sluice-bench-'));
  const results: Result[] = [];
  const loadBefore = os.loadavg()[0] ?? 0;
  const startedAt = new Date().toISOString().slice(0, 10);
  try {
    await using stub = start([path.join(import.meta.dirname, 'stub.ts')], {}, { keepsInput: true });
    const endpoint = `http://127.0.0.1:${await stub.firstLine}`;
    const where = { endpoint, folder, release: release ?? buildRelease(folder) };
    for (const of of cases) {
      const names = of.candidates.filter((name) => candidates.includes(name));
      await measure({ of, names, runs, where, onResult: tell });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const machine: Machine = {
    date: startedAt,
    cpu: os.cpus()[0]?.model.trim() ?? '',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    node: process.version,
    loadBefore,
    loadAfter: os.loadavg()[0] ?? 0,
  };
  const found = verdicts(results);
  if (json) process.stdout.write(`${JSON.stringify({ machine, runs, results, verdicts: found }, null, 1)}\n`);
  else process.stdout.write(`${machineLine(machine)}\n\n${table(results)}\n${verdictTable([found])}`);
  if (record !== undefined)
    writeFileSync(record, `${JSON.stringify({ machine, runs, results: condensed(results) }, null, 2)}\n`);
  if (!isHeld(results, found)) process.exitCode = 1;

  function tell(result: Result): void {
    results.push(result);
    const { perCpuSecond, perSecond, cpuPercent, p99Ms, rssMiB } = result;
    const figures =
      p99Ms > 0
        ? `p99 ${p99Ms.toFixed(2)} ms`
        : perSecond > 0
          ? `${Math.round(perCpuSecond)} per CPU-second, ${Math.round(perSecond)} per second`
          : `${cpuPercent.toFixed(2)} % of a core`;
    process.stderr.write(`${result.case}: ${result.candidate}: ${figures}, ${rssMiB} MiB\n`);
  }
}
