import { symlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { patternProblem, readManifests } from '../../../src/cli/run-files.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const manifest = (
  name: string,
  spec = 'mode: Poller\n  eventSourceARN: arn:aws:sqs:eu-west-1:000000000000:q\n  functionName: f',
) =>
  `apiVersion: sluice.dev/v1alpha1\nkind: EventSourceMapping\nmetadata:\n  name: ${name}\nspec:\n  ${spec}\n`;

describe('the manifests of `sluice run`', () => {
  test('are those of files and folders, in order, JSON and several documents to a file included', async () => {
    using folder = tempFolder();
    folder.write('maps/b.yaml', `${manifest('b1')}---\n${manifest('b2')}`);
    folder.write('maps/a.yml', manifest('a'));
    folder.write(
      'maps/c.json',
      JSON.stringify({
        apiVersion: 'sluice.dev/v1alpha1',
        kind: 'EventSourceMapping',
        metadata: { name: 'c' },
        spec: { mode: 'Poller', eventSourceARN: 'arn:aws:sqs:::q', functionName: 'f' },
      }),
    );
    folder.write('maps/readme.md', 'not a manifest');
    folder.write('maps/deep/d.yaml', manifest('d'));
    const single = folder.write('single.yaml', manifest('single'));
    const { mappings } = await readManifests([single, `${folder.path}/maps`]);
    expect(mappings.map(({ metadata }) => metadata.name)).toEqual(['single', 'a', 'b1', 'b2', 'c']);
  });

  test('of other kinds are passed over and told', async () => {
    using folder = tempFolder();
    const file = folder.write(
      'all.yaml',
      `apiVersion: v1\nkind: Service\nmetadata:\n  name: orders\n---\n${manifest('a')}`,
    );
    const { mappings, notes } = await readManifests([file]);
    expect(mappings).toHaveLength(1);
    expect(notes).toEqual([`${file}:1: Service orders is not run`]);
  });

  test('have changed when any text of any file has, and else not', async () => {
    using folder = tempFolder();
    const file = folder.write('a.yaml', manifest('a'));
    const before = await readManifests([folder.path]);
    expect((await readManifests([folder.path])).content).toBe(before.content);
    // Written just now, so that times may hide another change; a minute later they may not.
    expect(before.stamp).toBeUndefined();
    const laterMs = Date.now() + 60_000;
    expect(await readManifests([folder.path], before, laterMs)).toBe(before);
    expect(before.stamp).toBeDefined();
    expect(await readManifests([folder.path], before, laterMs)).toBe(before);
    folder.write('a.yaml', `${manifest('a')}# a word\n`);
    expect((await readManifests([folder.path], before, laterMs)).content).not.toBe(before.content);
    expect((await readManifests([file])).content).not.toBe(before.content);
  });

  test.each([
    { why: 'no YAML', text: 'a: [\n', message: /a\.yaml:\d+: / },
    {
      why: 'an unknown field',
      text: manifest('a', 'mode: Poller\n  eventSourceArn: x\n  functionName: f'),
      message: /a\.yaml:7: spec\.eventSourceArn: /,
    },
    {
      why: 'a wrong value',
      text: manifest(
        'a',
        'mode: Poller\n  eventSourceARN: arn:aws:sqs:::q\n  functionName: f\n  batchSize: 0',
      ),
      message: /a\.yaml:9: spec\.batchSize: /,
    },
    {
      why: 'a pattern that is none',
      text: manifest(
        'a',
        'mode: Poller\n  eventSourceARN: arn:aws:sqs:::q\n  functionName: f\n  filterCriteria: { filters: [{ pattern: "[" }] }',
      ),
      message: /spec\.filterCriteria\.filters\[0\]\.pattern: /,
    },
    {
      why: 'the same mapping twice',
      text: `${manifest('a')}---\n${manifest('a')}`,
      message: /default\/a is defined twice, in .*a\.yaml and in .*a\.yaml/,
    },
    {
      why: 'no YAML at all',
      text: 'a: [',
      message: /a\.yaml:\d+: The text must be YAML/,
    },
    {
      why: 'thousands of problems, of which the first are told',
      text: `${manifest('a')}${Array.from({ length: 3000 }, (_, index) => `  f${index}: 1\n`).join('')}`,
      message: /f19` is not a known field\nand 2980 more; `sluice validate` lists them all$/,
    },
  ])('that cannot be run are refused with file, line and path: $why', async ({ text, message }) => {
    using folder = tempFolder();
    folder.write('a.yaml', text);
    const reading = readManifests([folder.path]);
    await expect(reading).rejects.toMatchObject({ reason: 'InvalidSpec' });
    await expect(reading).rejects.toThrow(message);
  });

  test('all problems of all files are told at once', async () => {
    using folder = tempFolder();
    const wrong = (name: string) =>
      manifest(name, 'mode: Poller\n  eventSourceARN: arn:aws:sqs:::q\n  functionName: f\n  batchSize: 0');
    folder.write('a.yaml', wrong('a'));
    folder.write('b.yaml', wrong('b'));
    const error: unknown = await readManifests([folder.path]).catch((reason: unknown) => reason);
    expect((error as Error).message.split('\n').map((line) => /(\w\.yaml):/.exec(line)?.[1])).toEqual([
      'a.yaml',
      'b.yaml',
    ]);
  });

  test('are not taken from hidden files, which editors leave half-written or as links to nothing', async () => {
    using folder = tempFolder();
    folder.write('a.yaml', manifest('a'));
    folder.write('.a.yaml', 'a: [');
    symlinkSync('nobody@nowhere.1', `${folder.path}/.#a.yaml`);
    const { mappings } = await readManifests([folder.path]);
    expect(mappings.map(({ metadata }) => metadata.name)).toEqual(['a']);
  });

  test('cannot come from standard input, which cannot be watched', async () => {
    await expect(readManifests(['-'])).rejects.toThrow('`-f` must name a file or a folder, found -');
  });

  test('that do not exist are named', async () => {
    using folder = tempFolder();
    await expect(readManifests([`${folder.path}/none.yaml`])).rejects.toThrow('none.yaml');
    await expect(readManifests([folder.path])).rejects.toThrow('there is no .yaml, .yml or .json file');
  });
});

test('a pattern’s problem is told, or that there is none', () => {
  expect(patternProblem('{"body":["a"]}')).toBeUndefined();
  expect(patternProblem('{"body":1}')).toContain('body');
});
