import { expect, test } from 'vitest';
import { commands } from '../../../src/cli/commands.ts';
import { startProcess } from '../../support/processes.ts';
import { sluice } from '../../support/sluice.ts';

/** The real process: what a shell and a supervisor see. */
test.concurrent.each([
  { argv: ['--help'], code: 0, out: /^Usage: sluice COMMAND/, err: /^$/ },
  { argv: [], code: 2, out: /^$/, err: /^Usage: sluice COMMAND/ },
  {
    argv: ['nope'],
    code: 2,
    out: /^$/,
    err: /^sluice: unknown command `nope`; allowed: .*\nTry: sluice --help\n$/,
  },
  {
    argv: ['run', '--nope'],
    code: 2,
    out: /^$/,
    err: /^sluice: unknown flag `--nope`; allowed: .*\nTry: sluice run --help\n$/,
  },
  { argv: ['run', '-f', 'no/such/file.yaml'], code: 1, out: /^$/, err: /^sluice: .*no\/such\/file\.yaml/ },
  { argv: ['validate', '-f', 'examples/sqs-http'], code: 0, out: /./, err: /^$/ },
  { argv: ['version', '-o', 'json'], code: 0, out: /^\{"version":/, err: /^$/ },
])('sluice $argv ends with $code', async ({ argv, code, out, err }) => {
  const ended = await sluice(argv);
  expect(ended.stdout).toMatch(out);
  expect(ended.stderr).toMatch(err);
  expect(ended.code).toBe(code);
});

test.concurrent.each(Object.keys(commands))('sluice %s --help ends with 0', async (name) => {
  const { code, stdout, stderr } = await sluice([name, '--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(new RegExp(`^Usage: sluice ${name}`));
});

test('a reader that goes away ends the command without a word', async () => {
  const shell = `"${process.execPath}" src/cli/main.ts controller --help | head -c 1; echo " \${PIPESTATUS[0]}"`;
  await using piped = startProcess({ name: 'pipe', command: '/bin/bash', args: ['-c', shell] });
  await piped.ended;
  expect({ out: piped.stdout, err: piped.stderr }).toEqual({ out: 'U 0\n', err: '' });
});
