import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/cli/command.ts';
import { validateCommand } from '../../../src/cli/validate.ts';
import { runCommand } from '../api/run-command.ts';

const good = `apiVersion: sluice.dev/v1alpha1
kind: EventSourceMapping
metadata:
  name: orders
spec:
  mode: Managed
  eventSourceARN: arn:aws:sqs:::orders
  functionName: orders
`;
const bad = good.replace('mode: Managed', 'mode: Manged').replace('name: orders', 'name: wrong');
const other = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\n';

const polled = (url: string): string => `apiVersion: sluice.dev/v1alpha1
kind: EventSourceMapping
metadata:
  name: orders
spec:
  mode: Poller
  eventSourceARN: arn:aws:sqs:::orders
  poller: {target: {http: {url: "${url}"}}}
`;

let folder = '';
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-validate-'));
  await mkdir(path('deep'));
  await mkdir(path('empty'));
  await writeFile(path('good.yaml'), good);
  await writeFile(path('bad.yml'), `${bad}---\n${other}`);
  await writeFile(path('notes.txt'), 'not: [read');
  await writeFile(
    path('deep/more.json'),
    JSON.stringify({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'MappingClass',
      metadata: { name: 'a' },
      spec: { pools: 1 },
    }),
  );
});

afterAll(() => rm(folder, { recursive: true }));

const run = (argv: readonly string[], input = '') => runCommand(validateCommand, argv, input);

describe('sluice validate', () => {
  test('is silent but for the summary and ends with 0 when all is well', async () => {
    expect(await run(['-f', path('good.yaml')])).toEqual({
      code: 0,
      out: '1 checked, 0 problems, 0 warnings, 0 skipped\n',
      err: '',
    });
  });

  test('prints file, line, path and message of each problem and ends with 1', async () => {
    const { code, out } = await run(['-f', path('bad.yml')]);
    expect(code).toBe(1);
    expect(out.split('\n')).toEqual([
      `${path('bad.yml')}:6: spec.mode: \`spec.mode\` must be one of Managed, Poller; did you mean Managed? (found "Manged")`,
      `${path('bad.yml')}:10: skipped: ConfigMap words is not of sluice.dev`,
      '1 checked, 1 problems, 0 warnings, 1 skipped',
      '',
    ]);
  });

  test('reads standard input', async () => {
    const { code, out } = await run(['-f', '-'], bad);
    expect(code).toBe(1);
    expect(out).toContain('<stdin>:6: spec.mode: ');
  });

  test('reads several files, and the manifests of a folder', async () => {
    const { code, out } = await run(['-f', path('good.yaml'), '-f', path('bad.yml'), '-o', 'json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ valid: false, checked: 2, problems: 1, skipped: 1 });
    expect((await run(['-f', folder])).out).toBe(
      (await run(['-f', path('bad.yml'), '-f', path('good.yaml')])).out,
    );
  });

  test('reads the folders in a folder only when asked', async () => {
    expect((await run(['-f', folder])).out).not.toContain('more.json');
    expect((await run(['-R', '-f', folder])).out).toContain(`${path('deep/more.json')}:1: spec.pools: `);
  });

  test('gives JSON with one entry for each document', async () => {
    const { out } = await run(['-f', '-', '-o', 'json'], `${good}---\n${bad}---\n${other}---\n[`);
    const { documents } = JSON.parse(out) as { documents: readonly unknown[] };
    expect(documents).toMatchObject([
      { file: '<stdin>', line: 1, kind: 'EventSourceMapping', name: 'orders', status: 'valid', problems: [] },
      {
        line: 10,
        name: 'wrong',
        status: 'invalid',
        problems: [{ path: 'spec.mode', line: 15, found: '"Manged"' }],
      },
      { kind: 'ConfigMap', status: 'skipped' },
      { status: 'invalid', problems: [{ line: 23 }] },
    ]);
  });

  test('warns and ends with 0 where AWS or this release may say no', async () => {
    const { code, out } = await run(['-f', '-'], `${good}  scalingConfig: {maximumConcurrency: 5000}\n`);
    expect(code).toBe(0);
    expect(out).toContain('<stdin>:9: warning: spec.scalingConfig.maximumConcurrency: ');
  });

  test('checks filter patterns with the compiler of the engine', async () => {
    const filter = `${good}  filterCriteria: {filters: [{pattern: '{"body":"text"}'}]}\n`;
    const { code, out } = await run(['-f', '-'], filter);
    expect(code).toBe(1);
    expect(out).toContain('spec.filterCriteria.filters[0].pattern: ');
  });

  test.each([
    ['http://169.254.169.254/latest/meta-data', 'a link-local or metadata address'],
    ['http://2852039166/', 'a link-local or metadata address'],
    ['http://[fd00:ec2::254]/', 'a metadata address'],
    ['http://[fe80::1]:8080/', 'a link-local address'],
    ['http://0.0.0.0/', 'an unspecified address'],
  ])('refuses %s as a target, as the engine does: %s', async (url, why) => {
    const { code, out } = await run(['-f', '-'], polled(url));
    expect(code).toBe(1);
    expect(out).toContain('<stdin>:8: spec.poller.target.http.url: `poller.target.http.url` is ');
    expect(out).toContain(`which is not allowed: its host is ${why}`);
  });

  test('takes a loopback target, which is for sluice run', async () => {
    expect((await run(['-f', '-'], polled('http://127.0.0.1:8080/')))['code']).toBe(0);
  });

  test('warns of a brake with a value that is not known', async () => {
    const braked = (value: string) =>
      good.replace(
        'name: orders\nspec',
        `name: orders\n  annotations: {sluice.dev/paused: "${value}"}\nspec`,
      );
    const { code, out } = await run(['-f', '-'], braked('yes'));
    expect(code).toBe(0);
    expect(out).toContain(
      '<stdin>:5: warning: metadata.annotations["sluice.dev/paused"]: `sluice.dev/paused` must be reconcile or delivery; found "yes", which is taken as delivery',
    );
    for (const value of ['reconcile', 'delivery', 'false', ''])
      expect((await run(['-f', '-'], braked(value))).out).toContain(' 0 warnings');
  });

  test('lets no name direct the terminal', async () => {
    const { out } = await run(['-f', '-'], 'apiVersion: v1\nkind: "A\\e[2J"\nmetadata: {name: "\\u202Ea"}\n');
    expect(out.split('\n')[0]).toBe('<stdin>:1: skipped: A\\u{1b}[2J \\u{202e}a is not of sluice.dev');
  });

  test('finds two objects with one name', async () => {
    const { code, out } = await run(['-f', path('good.yaml'), '-f', '-'], good);
    expect(code).toBe(1);
    expect(out).toContain(
      `<stdin>:1: metadata.name: \`metadata.name\` must be free, but ${path('good.yaml')}:1 has the same`,
    );
  });

  test.each([
    { why: 'no file', argv: [], message: '`-f` must name a file' },
    {
      why: 'a file that is not there',
      argv: ['-f', '/nonexistent.yaml'],
      message: 'cannot read /nonexistent.yaml',
    },
    { why: 'an unknown flag', argv: ['--file', 'a'], message: '--file' },
    { why: 'an unknown format', argv: ['-f', '-', '-o', 'xml'], message: 'xml' },
    { why: 'a word too many', argv: ['-f', '-', 'more'], message: 'more' },
  ])('takes $why for a wrong command line', async ({ argv, message }) => {
    const end = run(argv);
    await expect(end).rejects.toBeInstanceOf(UsageError);
    await expect(end).rejects.toThrow(message);
  });

  test('takes a folder without manifests for a wrong command line', async () => {
    await expect(run(['-f', path('empty')])).rejects.toThrow('there is no .yaml, .yml or .json file');
  });
});
