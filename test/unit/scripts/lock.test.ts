import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type ManagedProcess, startProcess } from '../../support/processes.ts';

const lockModule = pathToFileURL(
  path.resolve(import.meta.dirname, '..', '..', '..', 'scripts', 'lock.mjs'),
).href;

/** A process that notes when it has the lock and when it is about to give it back. */
function holder(dir: string, name: string, holdMs: number): ManagedProcess {
  const script = `
    import fs from 'node:fs';
    const { withLock } = await import(${JSON.stringify(lockModule)});
    const note = (word) => fs.appendFileSync(${JSON.stringify(path.join(dir, 'notes'))}, word + ' ${name}\\n');
    await withLock(${JSON.stringify(path.join(dir, 'lock'))}, async () => {
      note('in');
      await new Promise((resolve) => setTimeout(resolve, ${holdMs}));
      note('out');
    });`;
  return startProcess({ name, command: process.execPath, args: ['--input-type=module', '--eval', script] });
}

function notes(dir: string): string[] {
  const file = path.join(dir, 'notes');
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n') : [];
}

const folder = (): { readonly dir: string } & Disposable => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-lock-'));
  return { dir, [Symbol.dispose]: () => fs.rmSync(dir, { recursive: true, force: true }) };
};

describe('withLock', () => {
  test('lets one process in at a time, and each of them once', async () => {
    using home = folder();
    const holders = ['a', 'b', 'c'].map((name) => holder(home.dir, name, 100));
    const ends = await Promise.all(holders.map((process) => process.ended));
    expect(ends.map((end) => end.code)).toEqual([0, 0, 0]);
    const words = notes(home.dir);
    expect(words.filter((word) => word.startsWith('in')).toSorted()).toEqual(['in a', 'in b', 'in c']);
    for (let i = 0; i < words.length; i += 2) expect(words[i + 1]).toBe(words[i]?.replace('in', 'out'));
    expect(fs.existsSync(path.join(home.dir, 'lock'))).toBe(false);
  });

  test('takes the lock over from a holder that was killed', async () => {
    using home = folder();
    await using killed = holder(home.dir, 'killed', 60_000);
    await eventually(() => notes(home.dir).length === 1);
    await killed.kill();
    await using next = holder(home.dir, 'next', 0);
    expect((await next.ended).code).toBe(0);
    expect(notes(home.dir)).toEqual(['in killed', 'in next', 'out next']);
  });
});
