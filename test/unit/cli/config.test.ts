import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { UsageError } from '../../../src/cli/command.ts';
import { commands } from '../../../src/cli/commands.ts';
import {
  commonOptions,
  fileKey,
  optionsHelp,
  parseOptions,
  variable,
  type Options,
} from '../../../src/cli/config.ts';
import {
  addressType,
  choiceType,
  integerType,
  ipType,
  listType,
  objectName,
  objectNameType,
  switchType,
} from '../../../src/cli/option-types.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const options = {
  ...commonOptions,
  'cluster-id': { type: z.string().min(1).max(5).optional(), value: 'ID', help: 'Name. Default: none.' },
  count: { type: integerType(1, 10, 3), value: 'N', short: 'n', help: 'A number. Default 3.' },
  files: { type: listType, value: 'LIST', multiple: true, help: 'Names.' },
  format: { type: choiceType(['text', 'json'], 'text'), value: 'FORMAT', help: 'text or json.' },
  listen: { type: addressType(':8080'), value: 'HOST:PORT', help: 'Address.' },
  member: { type: objectNameType.optional(), value: 'NAME', help: 'Name.' },
  override: { type: ipType.optional(), value: 'IP', help: 'Address.' },
  quiet: { type: switchType, short: 'q', help: 'A switch.' },
} as const satisfies Options;

const parse = async (argv: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  (await parseOptions(options, argv, env)).values;

describe('where an option comes from', () => {
  test('defaults hold when nothing is said', async () => {
    expect(await parse([])).toEqual({
      config: undefined,
      'log-level': 'info',
      'cluster-id': undefined,
      count: 3,
      files: [],
      format: 'text',
      listen: ':8080',
      member: undefined,
      override: undefined,
      quiet: false,
    });
  });

  test('flags win over the environment, and that over the file', async () => {
    using folder = tempFolder();
    const file = folder.write(
      'config.yaml',
      'clusterId: file\ncount: 7\nlogLevel: debug\nquiet: true\nfiles: [a, b]\n',
    );
    const env = { SLUICE_CLUSTER_ID: 'env', SLUICE_COUNT: '8' };
    expect(await parse(['--config', file, '--cluster-id', 'flag'], env)).toMatchObject({
      'cluster-id': 'flag',
      count: 8,
      'log-level': 'debug',
      quiet: true,
      files: ['a', 'b'],
    });
  });

  test('the file can be named in the environment, and may be JSON', async () => {
    using folder = tempFolder();
    const file = folder.write('config.json', '{"count": 9}');
    expect(await parse([], { SLUICE_CONFIG: file })).toMatchObject({ count: 9 });
  });

  test('an empty file, an empty key and an empty variable say nothing', async () => {
    using folder = tempFolder();
    const file = folder.write('config.yaml', 'count:\n');
    expect(await parse(['--config', file], { SLUICE_FORMAT: '', SLUICE_CONFIG: '' })).toMatchObject({
      count: 3,
      format: 'text',
    });
    expect(await parse(['--config', folder.write('empty.yaml', '')])).toMatchObject({ count: 3 });
  });

  test('a list can be repeated, separated by commas, or both', async () => {
    expect(await parse(['--files', 'a, b', '--files', 'c,'])).toMatchObject({ files: ['a', 'b', 'c'] });
    expect(await parse([], { SLUICE_FILES: 'a,b' })).toMatchObject({ files: ['a', 'b'] });
  });

  test('short flags, switches and `=` work as everywhere', async () => {
    expect(await parse(['-qn', '4', '--format=json'])).toMatchObject({
      quiet: true,
      count: 4,
      format: 'json',
    });
    expect(await parse([], { SLUICE_QUIET: 'true' })).toMatchObject({ quiet: true });
    expect(await parse([], { SLUICE_QUIET: 'false' })).toMatchObject({ quiet: false });
  });
});

describe('what is wrong is said with its place, its value and what is allowed', () => {
  const rows: readonly {
    readonly why: string;
    readonly argv?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly file?: string;
    readonly message: string;
  }[] = [
    {
      why: 'a flag that does not exist',
      argv: ['--nope'],
      message:
        'unknown flag `--nope`; allowed: --config, --log-level, --cluster-id, --count, --files, --format, --listen, --member, --override, --quiet',
    },
    {
      why: 'a short flag that does not exist',
      argv: ['-x'],
      message: 'unknown flag `-x`; allowed: --config',
    },
    { why: 'a free word', argv: ['word'], message: 'unexpected argument `word`' },
    {
      why: 'a flag without its value',
      argv: ['--count'],
      message: "option '-n, --count <value>' argument missing",
    },
    {
      why: 'a value for a switch',
      argv: ['--quiet=yes'],
      message: "option '-q, --quiet' does not take an argument",
    },
    {
      why: 'a number that is none',
      argv: ['--count', 'many'],
      message: '`--count` must be a whole number from 1 to 10; found "many"',
    },
    {
      why: 'a number beyond its bounds',
      env: { SLUICE_COUNT: '11' },
      message: 'the environment variable `SLUICE_COUNT` must be a whole number from 1 to 10; found "11"',
    },
    {
      why: 'a fraction',
      file: 'count: 1.5',
      message: '`count` in FILE must be a whole number from 1 to 10; found 1.5',
    },
    {
      why: 'a number in other clothes',
      argv: ['--count', '0x5'],
      message: '`--count` must be a whole number from 1 to 10; found "0x5"',
    },
    {
      why: 'a word that is not of the list',
      argv: ['--format', 'xml'],
      message: '`--format` must be one of text, json; found "xml"',
    },
    {
      why: 'a level that does not exist',
      env: { SLUICE_LOG_LEVEL: 'loud' },
      message:
        'the environment variable `SLUICE_LOG_LEVEL` must be one of debug, info, warn, error; found "loud"',
    },
    {
      why: 'a switch that is neither',
      env: { SLUICE_QUIET: 'yes' },
      message: 'the environment variable `SLUICE_QUIET` must be true or false; found "yes"',
    },
    {
      why: 'a number where YAML should have text',
      file: 'clusterId: 12',
      message: '`clusterId` in FILE must be text, in quotes if it looks like a number; found 12',
    },
    {
      why: 'a text that is too long',
      argv: ['--cluster-id', 'abcdef'],
      message: '`--cluster-id` must have at most 5 characters; found "abcdef"',
    },
    {
      why: 'an empty text',
      argv: ['--cluster-id', ''],
      message: '`--cluster-id` must have at least 1 characters; found ""',
    },
    {
      why: 'a list of something else',
      file: 'files: [1]',
      message: '`files` in FILE must be text or a list of texts; found [1]',
    },
    {
      why: 'an address without a port',
      argv: ['--listen', 'localhost'],
      message: '`--listen` must be HOST:PORT or :PORT, with a port up to 65535; found "localhost"',
    },
    {
      why: 'a name that Kubernetes does not take',
      argv: ['--member', 'Pod_1'],
      message:
        '`--member` must be of lower-case letters, digits, `-` and `.`, and begin and end with a letter or digit; found "Pod_1"',
    },
    {
      why: 'a name where an address must stand',
      argv: ['--override', 'host'],
      message: '`--override` must be an IP address; found "host"',
    },
    {
      why: 'a key that does not exist',
      file: 'cluster-id: a',
      message:
        'unknown option `cluster-id` in FILE; allowed: logLevel, clusterId, count, files, format, listen, member, override, quiet',
    },
    {
      why: 'a file that names another',
      file: 'config: other.yaml',
      message: 'unknown option `config` in FILE',
    },
    {
      why: 'a file that is no map',
      file: '- a',
      message: 'the configuration file FILE must hold a map of options',
    },
    { why: 'a file that is no YAML', file: 'a: [', message: 'cannot read the configuration file FILE: ' },
    {
      why: 'a file that does not exist',
      argv: ['--config', '/nonexistent/c.yaml'],
      message: 'cannot read the configuration file /nonexistent/c.yaml: ENOENT',
    },
  ];

  test.each(rows)('$why', async ({ argv = [], env = {}, file, message }) => {
    using folder = tempFolder();
    const name = file === undefined ? '' : folder.write('config.yaml', file);
    const parsed = parse([...argv, ...(file === undefined ? [] : ['--config', name])], env);
    await expect(parsed).rejects.toBeInstanceOf(UsageError);
    const thrown: unknown = await parsed.catch((error: unknown) => error);
    expect((thrown as Error).message.slice(0, message.length + name.length)).toContain(
      message.replace('FILE', name),
    );
  });

  test('an option that must be set', async () => {
    const required = { 'cluster-id': { type: z.string(), value: 'ID', help: '' } } as const satisfies Options;
    await expect(parseOptions(required, [], {})).rejects.toThrow(
      '`--cluster-id` must be set, or `SLUICE_CLUSTER_ID`',
    );
  });
});

test('names in environment and file follow from the flag', () => {
  expect(variable('drain-receive-seconds')).toBe('SLUICE_DRAIN_RECEIVE_SECONDS');
  expect(fileKey('drain-receive-seconds')).toBe('drainReceiveSeconds');
});

test.each([
  ['Mac-Book.local', 'mac-book.local'],
  ['my_host', 'my-host'],
  ['-x-', 'x'],
  ['___', 'sluice'],
  ['a'.repeat(300), 'a'.repeat(200)],
])('the host %s can be called %s in Kubernetes', (host, name) => {
  expect(objectName(host)).toBe(name);
  expect(objectNameType.safeParse(name).success).toBe(true);
});

describe('each command', () => {
  test.each(Object.entries(commands))(
    '%s: its help shows every option, its default and an example',
    async (name, { summary, load }) => {
      const command = await load();
      expect([command.name, command.summary]).toEqual([name, summary]);
      const { options = {}, help } = command;
      expect(help).toContain(optionsHelp(options));
      expect(help).toMatch(new RegExp(`^Usage: sluice ${name}`));
      expect(help).toContain(`Examples:\n  `);
      expect(help.split('\n').filter((line) => line.startsWith(`  sluice ${name}`))).not.toEqual([]);
      const gaps = Object.entries(options).flatMap(([flag, { type, help }]) => {
        const unset = type.safeParse(undefined);
        if (!unset.success)
          return help.endsWith('Required.') ? [] : [`${flag}: says not that it is required`];
        const value =
          typeof unset.data === 'string' || typeof unset.data === 'number' ? String(unset.data) : undefined;
        const isShown = value === undefined || help.includes('Default') || value === 'text';
        return isShown && help.endsWith('.') ? [] : [`${flag}: says not what holds without it`];
      });
      expect(gaps).toEqual([]);
    },
  );
});
