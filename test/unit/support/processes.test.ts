import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ready, startProcess } from '../../support/processes.ts';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const module = path.resolve(import.meta.dirname, '..', '..', 'support', 'processes.ts');

describe('ManagedProcess', () => {
  test('keeps both streams and tells how the process ended', async () => {
    await using run = startProcess({
      name: 'shell',
      command: '/bin/sh',
      args: ['-c', 'cat; echo oops >&2; exit 3'],
      input: 'hello\n',
    });
    expect(await run.ended).toEqual({ code: 3, signal: null });
    expect([run.stdout, run.stderr]).toEqual(['hello\n', 'oops\n']);
  });

  test('stop ends the whole group, by force when SIGTERM is ignored', async () => {
    const lines: string[] = [];
    await using run = startProcess({
      name: 'stubborn',
      command: '/bin/sh',
      args: ['-c', 'trap "" TERM; sleep 1000 & echo $!; while :; do wait; done'],
      onLine: (line) => lines.push(line),
    });
    const grandchild = await eventually(() => (lines[0] === undefined ? undefined : Number(lines[0])));
    expect(isAlive(grandchild)).toBe(true);
    expect((await run.stop(100)).signal).toBe('SIGKILL');
    await eventually(() => !isAlive(grandchild));
  });

  test('leaves nothing behind when the process that started it is killed', async () => {
    const script = `
      const { startProcess } = await import(${JSON.stringify(module)});
      const run = startProcess({ name: 'sleeper', command: 'sleep', args: ['1000'] });
      console.log(run.pid);
      await run.ended;`;
    const lines: string[] = [];
    await using starter = startProcess({
      name: 'starter',
      command: process.execPath,
      args: ['--input-type=module', '--eval', script],
      onLine: (line) => lines.push(line),
    });
    const sleeper = await eventually(() => (lines[0] === undefined ? undefined : Number(lines[0])));
    expect(isAlive(sleeper)).toBe(true);
    starter.signal('SIGKILL');
    await eventually(() => !isAlive(sleeper));
  });

  test('ready throws at once, with the log, when the process ends before', async () => {
    await using run = startProcess({
      name: 'broken',
      command: '/bin/sh',
      args: ['-c', 'echo no port >&2; exit 1'],
    });
    await expect(ready(run, () => Promise.resolve(false))).rejects.toThrow(/broken ended with 1:\nno port/);
  });

  test('a command that does not exist ends with 127', async () => {
    await using run = startProcess({ name: 'nothing', command: 'no-such-command-here', args: [] });
    expect((await run.ended).code).toBe(127);
    expect(run.tail()).toContain('ENOENT');
  });
});
