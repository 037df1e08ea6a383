import { describe, expect, test } from 'vitest';
import { readClasses } from '../../../src/cli/classes-file.ts';
import { clusterOptions } from '../../../src/cli/cluster-options.ts';
import { UsageError } from '../../../src/cli/command.ts';
import { parseOptions } from '../../../src/cli/config.ts';
import { keptIo } from '../../support/io.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const aClass = (name: string, spec = 'namespaces: [shop]', annotations = ''): string =>
  `apiVersion: sluice.dev/v1alpha1\nkind: MappingClass\nmetadata:\n  name: ${name}\n${annotations}spec:\n  ${spec}\n`;
const isDefault = '  annotations:\n    sluice.dev/is-default-class: "true"\n';

async function read(text: string, selectors = false): Promise<readonly string[]> {
  using folder = tempFolder();
  const file = folder.write('classes.yaml', text);
  const classes = await readClasses(file, { selectors });
  return classes.map(({ metadata, spec }) => `${metadata.name} ${JSON.stringify(spec)}`);
}

async function problemOf(text: string, selectors = false): Promise<string> {
  using folder = tempFolder();
  const file = folder.write('classes.yaml', text);
  const error: unknown = await readClasses(file, { selectors }).catch((reason: unknown) => reason);
  if (!(error instanceof UsageError)) throw new Error(`it should be a UsageError: ${String(error)}`);
  return error.message.replaceAll(file, 'FILE');
}

describe('the file of classes', () => {
  test.each([
    {
      text: `${aClass('a')}---\n${aClass('b', 'modes: [Poller]', isDefault)}`,
      classes: ['a {"namespaces":["shop"]}', 'b {"modes":["Poller"]}'],
      why: 'one class to a document',
    },
    {
      text: JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [
          { apiVersion: 'sluice.dev/v1alpha1', kind: 'MappingClass', metadata: { name: 'a' }, spec: {} },
        ],
      }),
      classes: ['a {}'],
      why: 'a list, as kubectl writes it, in JSON',
    },
    { text: '', classes: [], why: 'no class: nobody is admitted' },
    { text: '---\n# later\n---\n', classes: [], why: 'nothing but comments' },
  ])('is read: $why', async ({ text, classes }) => {
    expect(await read(text)).toEqual(classes);
  });

  test('may select namespaces by labels only where labels are read', async () => {
    const text = aClass('all', 'namespaceSelector: {}');
    expect(await read(text, true)).toEqual(['all {"namespaceSelector":{}}']);
    expect(await problemOf(text)).toBe(
      '`--classes-file` must hold valid MappingClasses\n' +
        'FILE:1: document 1 (MappingClass "all"): `spec.namespaceSelector` must be left out where `--watch-namespaces` is set, since labels of namespaces are not read; list `spec.namespaces` instead',
    );
  });

  test.each([
    {
      text: `${aClass('a')}---\n${aClass('b', 'modes: [Both]')}`,
      problem: /FILE:13: document 2 \(MappingClass "b"\): spec\.modes\[0\]: .*Managed.*Poller/,
      why: 'a value that is not allowed',
    },
    {
      text: aClass('a', 'namespace: shop'),
      problem: /FILE:6: document 1 \(MappingClass "a"\): spec\.namespace: .*namespace/,
      why: 'an unknown field',
    },
    {
      text: `${aClass('a')}---\n${aClass('a')}`,
      problem: /FILE:8: document 2 \(MappingClass "a"\): `metadata\.name` must be free/,
      why: 'the second of one name, which would replace the first in silence',
    },
    {
      text: `${aClass('a', '{}', isDefault)}---\n${aClass('b', '{}', isDefault)}`,
      problem: /document 2 \(MappingClass "b"\): only one class must be marked as default/,
      why: 'a second default',
    },
    {
      text: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n',
      problem: /FILE:1: document 1 \(ConfigMap "c"\): `kind` must be MappingClass; found "ConfigMap"/,
      why: 'another kind',
    },
    {
      text: 'apiVersion: sluice.dev/v1alpha1\nkind: EventSourceMapping\nmetadata:\n  name: m\nspec: {}\n',
      problem: /document 1 \(EventSourceMapping "m"\): `kind` must be MappingClass/,
      why: 'another kind of this group',
    },
    {
      text: 'apiVersion: example.com/v1\nkind: MappingClass\nmetadata:\n  name: m\nspec: {}\n',
      problem: /document 1 \(MappingClass "m"\): `apiVersion` must be sluice\.dev\/v1alpha1/,
      why: 'another group',
    },
    {
      text: `${aClass('a')}---\nspec: [\n`,
      problem: /FILE:\d+: document 2: The text must be YAML/,
      why: 'no YAML',
    },
  ])('is refused with file, line, document and field: $why', async ({ text, problem }) => {
    expect(await problemOf(text)).toMatch(problem);
  });

  test('is named when it cannot be read', async () => {
    await expect(readClasses('/nowhere/classes.yaml', { selectors: true })).rejects.toThrow(
      /^`--classes-file` cannot be read: .*\/nowhere\/classes\.yaml/,
    );
  });
});

describe('a file that cannot serve is refused before anything is asked of the cluster', () => {
  test.each([
    {
      command: 'controller',
      load: async () => (await import('../../../src/cli/controller.ts')).controllerCommand,
    },
    { command: 'poller', load: async () => (await import('../../../src/cli/poller.ts')).pollerCommand },
  ])('by the $command', async ({ load }) => {
    using folder = tempFolder();
    const file = folder.write('classes.yaml', aClass('all', 'namespaceSelector: {}'));
    const args = [
      '--cluster-id=c',
      '--kubeconfig=/nowhere',
      `--classes-file=${file}`,
      '--watch-namespaces=shop',
    ];
    const io = keptIo();
    await expect((await load()).run(args, io)).rejects.toThrow('list `spec.namespaces` instead');
    expect(io.printed).toEqual({ out: '', err: '' });
  });
});

describe('the watched namespaces', () => {
  const parse = (value: string) =>
    parseOptions(clusterOptions, ['--cluster-id', 'c'], { SLUICE_WATCH_NAMESPACES: value });

  test('are names with commas between', async () => {
    expect((await parse(' shop, team-1,')).values['watch-namespaces']).toEqual(['shop', 'team-1']);
    expect((await parse('')).values['watch-namespaces']).toEqual([]);
  });

  test.each(['Shop', 'a/b', '*', '-a', 'a.b', 'a'.repeat(64)])('are no %s', async (value) => {
    await expect(parse(value)).rejects.toThrow('must be names of namespaces');
  });
});
