import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/cli/command.ts';
import { commands, dispatch, overview } from '../../../src/cli/commands.ts';
import { keptIo } from '../../support/io.ts';

const run = async (...argv: string[]) => {
  const io = keptIo();
  const code = await dispatch(argv, io);
  return { code, ...io.printed };
};

describe('dispatch', () => {
  test('without a command prints the overview as an error', async () => {
    expect(await run()).toEqual({ code: 2, out: '', err: overview() });
  });

  test.each([['--help'], ['-h'], ['help']])('%s prints the overview', async (flag) => {
    expect(await run(flag)).toEqual({ code: 0, out: overview(), err: '' });
  });

  test('the overview names every command', () => {
    for (const [name, { summary }] of Object.entries(commands))
      expect(overview()).toMatch(new RegExp(`^  ${name} +${summary}$`, 'm'));
  });

  test.each(Object.keys(commands))('help %s, %s --help and -h print the same', async (name) => {
    const help = (await commands[name]?.load())?.help ?? '';
    for (const argv of [
      ['help', name],
      [name, '--help'],
      [name, '--wrong', '-h'],
    ])
      expect(await run(...argv)).toEqual({ code: 0, out: help, err: '' });
  });

  test.each([['nope'], ['help', 'nope'], ['constructor'], ['help', '__proto__'], ['']])(
    '%s %s is refused with the list',
    async (...argv) => {
      const words = argv.filter((word) => word !== undefined);
      await expect(run(...words)).rejects.toBeInstanceOf(UsageError);
      await expect(run(...words)).rejects.toThrow(
        /^unknown command `.*`; allowed: controller, poller, run, demo, validate, filter, import, diff, iam, version$/,
      );
    },
  );

  test('after -- a word is not a flag', async () => {
    await expect(run('version', '--', '--help')).rejects.toThrow('unexpected argument `--help`');
  });

  test('version prints text or JSON', async () => {
    expect((await run('--version')).out).toMatch(/^sluice \d+\.\d+\.\d+\S*, Node v\d+/);
    expect(JSON.parse((await run('version', '-o', 'json')).out)).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      node: process.version,
    });
    await expect(run('version', '-o', 'xml')).rejects.toThrow(
      '`--output` must be one of text, json; found "xml"',
    );
  });
});
