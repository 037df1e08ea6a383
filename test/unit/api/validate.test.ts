import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/api/crd.ts';
import { patternWords } from '../../../src/api/pattern-words.ts';
import { problemText, validateText } from '../../../src/api/validate.ts';
import { constraintsOf } from '../../support/schema/constraints.ts';
import { metadataCases } from '../../support/schema/metadata-cases.ts';

/** Problems of the only document, as `LINE: PATH: MESSAGE`. */
function problems(text: string, options = {}): readonly string[] {
  return validateText(text, options).flatMap((document) =>
    document.kind === 'skipped' ? [] : document.problems.map((one) => `${one.line}: ${problemText(one)}`),
  );
}

function warnings(text: string): readonly string[] {
  return validateText(text).flatMap((document) =>
    document.kind === 'checked' ? document.warnings.map((one) => `${one.line}: ${one.path}`) : [],
  );
}

const mapping = (...lines: readonly string[]) =>
  [
    'apiVersion: sluice.dev/v1alpha1',
    'kind: EventSourceMapping',
    'metadata: {name: orders}',
    'spec:',
    ...lines.map((line) => `  ${line}`),
  ].join('\n');
const base = ['mode: Managed', 'functionName: orders', 'eventSourceARN: arn:aws:sqs:::orders'];

describe('a problem', () => {
  test.each([
    {
      why: 'an unknown field, with the name that was meant',
      lines: [...base, 'batchsize: 5'],
      want: '8: spec.batchsize: `spec.batchsize` is not a known field; did you mean `batchSize`?',
    },
    {
      why: "AWS's own capitalisation",
      lines: ['mode: Managed', 'functionName: orders', 'eventSourceArn: arn:aws:sqs:::orders'],
      want: '7: spec.eventSourceArn: `spec.eventSourceArn` is not a known field; did you mean `eventSourceARN`?',
    },
    {
      why: 'a value outside its bounds',
      lines: [...base, 'batchSize: 10001'],
      want: '8: spec.batchSize: `spec.batchSize` must be a whole number between 1 and 10000 (found 10001)',
    },
    {
      why: 'a number where a text must be',
      lines: [...base, 'aws:', '  accountID: 123456789012'],
      want: '9: spec.aws.accountID: `spec.aws.accountID` must be a text; put it in quotes (found 123456789012)',
    },
    {
      why: 'a value that is nearly right',
      lines: ['mode: managed', ...base.slice(1)],
      want: '5: spec.mode: `spec.mode` must be one of Managed, Poller; did you mean Managed? (found "managed")',
    },
    {
      why: 'a rule, at the field that it is about',
      lines: [...base.slice(0, 2), 'eventSourceARN: arn:aws:sqs:::orders.fifo', 'batchSize: 11'],
      want: '8: spec.batchSize: `batchSize` must be between 1 and 10 for a FIFO queue (found 11)',
    },
    {
      why: 'something missing, at its parent',
      lines: base.slice(1),
      want: '4: spec.mode: `spec.mode` must be set',
    },
  ])('names line, path and what is allowed: $why', ({ lines, want }) => {
    expect(problems(mapping(...lines))).toEqual([want]);
  });

  test('of a filter pattern is what the given check says', () => {
    const text = mapping(
      ...base,
      'filterCriteria:',
      '  filters:',
      "    - pattern: '{}'",
      "    - pattern: '{'",
    );
    const patternProblem = (pattern: string) => (pattern === '{' ? 'it is no JSON' : undefined);
    expect(problems(text, { patternProblem })).toEqual([
      '11: spec.filterCriteria.filters[1].pattern: `spec.filterCriteria.filters[1].pattern` must be a valid filter pattern: it is no JSON (found "{")',
    ]);
  });

  test.each([
    { why: 'a password', url: 'https://user:hunter2@example.com/a' },
    { why: 'a password that holds what ends a host', url: 'https://user:hun/hunter2@x?y@example.com' },
    { why: 'a password without the scheme', url: 'user:hunter2@example.com' },
    { why: 'a token in the query of what is no URL', url: 'ftp://example.com/?token=hunter2' },
    { why: 'a password under a scheme of no use', url: 'ftp://user:hunter2@example.com' },
  ])('never shows what may be a secret in a target URL: $why', ({ url }) => {
    const found = problems(
      mapping(
        'mode: Poller',
        'eventSourceARN: arn:aws:sqs:::orders',
        `poller: {target: {http: {url: "${url}"}}}`,
      ),
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^7: spec.poller.target.http.url: .* must be an absolute /);
    expect(found[0]).not.toContain('hunter2');
  });

  test.each([
    { why: 'a value', headers: '{Authorization: {value: "hunter2\\u0007"}}' },
    { why: 'a value where an object must be', headers: '{Authorization: "Bearer hunter2"}' },
    { why: 'a text where an object must be', headers: '"Authorization: Bearer hunter2"' },
  ])('never shows a fixed header: $why', ({ headers }) => {
    const found = problems(
      mapping(
        'mode: Poller',
        'eventSourceARN: arn:aws:sqs:::orders',
        `poller: {target: {http: {url: "https://example.com", headers: ${headers}}}}`,
      ),
    );
    expect(found).toHaveLength(1);
    expect(found[0]).not.toContain('hunter2');
  });

  test('of a text says in words what it must be, for every pattern of the schemas', () => {
    for (const kind of kinds) {
      for (const { node, keyword } of constraintsOf(kind)) {
        if (keyword === 'pattern') expect(patternWords(node.pattern ?? '')).not.toMatch(/^match /);
      }
    }
    const [found] = problems(mapping(...base.slice(0, 2), 'eventSourceARN: orders'));
    expect(found).toBe(
      '7: spec.eventSourceARN: `spec.eventSourceARN` must be an ARN such as arn:aws:sqs:eu-west-1:123456789012:orders; Region and account may be left empty (found "orders")',
    );
  });

  test.each(metadataCases)('of metadata is what the API server refuses: %j', ({ metadata, field }) => {
    const text = JSON.stringify({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name: 'orders', ...metadata },
      spec: { mode: 'Managed', functionName: 'orders', eventSourceARN: 'arn:aws:sqs:::orders' },
    });
    const [document] = validateText(text);
    const paths = document?.kind === 'checked' ? document.problems.map(({ path }) => path) : [document];
    expect(paths).toEqual(field === undefined ? [] : [field]);
  });

  test('is a brake that YAML takes for a boolean, as kubectl does', () => {
    const text = mapping(...base).replace('orders}', 'orders, annotations: {sluice.dev/paused: yes}}');
    expect(problems(text)).toEqual([
      '3: metadata.annotations["sluice.dev/paused"]: `metadata.annotations["sluice.dev/paused"]` must be a text; put it in quotes (found true)',
    ]);
  });

  test.each(['a/b', 'orders.fifo.fifo', 'or.ders', 'x'.repeat(81), 'a:b'])(
    'is a queue name that SQS does not take: %s',
    (name) => {
      const [found, ...more] = problems(
        mapping(...base.slice(0, 2), `eventSourceARN: "arn:aws:sqs:::${name}"`),
      );
      expect(more).toEqual([]);
      expect(found).toContain(
        '7: spec.eventSourceARN: `spec.eventSourceARN` must end in the name of a queue',
      );
    },
  );

  test.each([
    { why: 'no number of JSON', value: '1e999', found: 'Infinity' },
    { why: 'none at all', value: '.nan', found: 'NaN' },
    { why: 'a text that turns what follows', value: '"\\u202E5"', found: '"\\u{202e}5"' },
    { why: 'a text that directs a terminal', value: '"\\u009b2J"', found: '"\\u{9b}2J"' },
  ])('shows a value as it is: $why', ({ value, found }) => {
    expect(problems(mapping(...base, `batchSize: ${value}`))[0]).toContain(`(found ${found})`);
  });

  test('is a starting time in the future, when the time is known', () => {
    const text = mapping(
      'mode: Managed',
      'functionName: orders',
      'eventSourceARN: arn:aws:kinesis:::stream/orders',
      'startingPosition: AT_TIMESTAMP',
      'startingPositionTimestamp: 2026-01-31T12:00:00Z',
    );
    expect(problems(text, { now: Date.parse('2026-01-31T12:00:01Z') })).toEqual([]);
    expect(problems(text, { now: Date.parse('2026-01-31T11:59:59Z') })).toHaveLength(1);
    expect(problems(text)).toEqual([]);
  });

  test.each([
    ['sluice.dev/v1', 'EventSourceMapping', 'apiVersion', 'another version'],
    ['sluice.dev/v1alpha1', 'EventSourceMappings', 'kind', 'a kind that is not there'],
  ])('%s %s is of %s', (apiVersion, kind, path) => {
    const [found] = validateText(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n`);
    expect(found).toMatchObject({ kind: 'checked' });
    expect(found?.kind === 'checked' && found.problems.map((one) => one.path)).toContain(path);
  });

  test.each(['Orders', '-a', 'a..b', 'a'.repeat(254)])('is the name %j', (name) => {
    const text = mapping(...base).replace('orders}', `"${name}"}`);
    expect(validateText(text)[0]).toMatchObject({ problems: [{ path: 'metadata.name', line: 3 }] });
  });
});

describe('a document', () => {
  test('of another group is passed over and named', () => {
    const text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n${mapping(...base)}`;
    expect(validateText(text)).toMatchObject([
      { kind: 'skipped', resourceKind: 'ConfigMap', name: 'a', line: 1 },
      { kind: 'checked', name: 'orders', line: 5, problems: [] },
    ]);
  });

  test('of kind List is read item by item, with the lines of the items', () => {
    const items = `apiVersion: v1\nkind: List\nitems:\n- apiVersion: sluice.dev/v1alpha1\n  kind: MappingClass\n  metadata: {name: a}\n  spec: {pool: A}\n`;
    expect(problems(items)).toEqual([expect.stringMatching(/^7: spec\.pool: /)]);
  });

  test('that is empty counts for nothing', () => {
    expect(validateText('---\n# only words\n---\n')).toEqual([]);
  });

  test('in JSON is read as well', () => {
    expect(
      problems(
        '{"apiVersion":"sluice.dev/v1alpha1","kind":"MappingClass","metadata":{"name":"a"},"spec":{}}',
      ),
    ).toEqual([]);
  });

  test.each([
    ['017', 15],
    ['0_17', 15],
    ['-017', -15],
    ['0o17', 15],
    ['0b11', 3],
    ['0x1_F', 31],
    ['1_000', 1000],
    ['089', 89],
    ['0', 0],
  ])('with %s for %i is read as kubectl does', (text, value) => {
    const [document] = validateText(mapping(...base, `batchSize: ${text}`));
    expect(document).toMatchObject({ value: { spec: { batchSize: value } } });
  });

  test('with null for a field is one without that field, as the API server stores it', () => {
    const text = mapping(...base, 'batchSize: ~', 'provisionedPollerConfig: null', 'aws: {region: ~}');
    expect(validateText(text)).toMatchObject([{ problems: [], warnings: [] }]);
    const [document] = validateText(text);
    expect(document?.kind === 'checked' && document.value).toEqual({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name: 'orders' },
      spec: { mode: 'Managed', functionName: 'orders', eventSourceARN: 'arn:aws:sqs:::orders', aws: {} },
    });
  });

  test('with `yes` for true is read as kubectl does', () => {
    expect(problems(mapping(...base, 'enabled: yes'))).toEqual([]);
  });

  test('with null for a field is as one without it', () => {
    expect(problems(mapping(...base, 'batchSize: null', 'poller: ~'))).toEqual([]);
  });

  test('may use anchors and merge keys', () => {
    const text = mapping(
      'mode: Managed',
      'functionName: &name orders',
      'eventSourceARN: arn:aws:sqs:::orders',
      'tags:',
      '  <<: {team: a}',
      '  name: *name',
    );
    expect(problems(text)).toEqual([]);
  });
});

describe('a warning, and no problem,', () => {
  test.each([
    [
      'scalingConfig: {maximumConcurrency: 1001}',
      '8: spec.scalingConfig.maximumConcurrency',
      "AWS's ceiling of today",
    ],
    [
      `filterCriteria: {filters: [${Array(11).fill('{pattern: "{}"}').join(', ')}]}`,
      '8: spec.filterCriteria.filters',
      'a quota',
    ],
    [
      'metricsConfig: {metrics: [LaterCount]}',
      '8: spec.metricsConfig.metrics[0]',
      'a value that AWS may add',
    ],
  ])('is %s', (line, want) => {
    const text = mapping(...base, line);
    expect(problems(text)).toEqual([]);
    expect(warnings(text)).toContain(want);
  });

  test("is a setting of AWS's service in Poller mode", () => {
    expect(warnings(mapping('mode: Poller', ...base.slice(1), 'tags: {a: b}'))).toEqual(['8: spec.tags']);
  });
});

describe('hostile text is refused with a line and in time:', () => {
  const bomb = ['a', 'b', 'c', 'd', 'e', 'f'].reduce(
    (text, name, index, names) =>
      `${text}${name}: &${name} [${Array(10)
        .fill(index === 0 ? 'x' : `*${names[index - 1] ?? ''}`)
        .join(', ')}]\n`,
    '',
  );
  test.each([
    ['an expansion of aliases', bomb, /expand aliases/],
    ['brackets without end', '['.repeat(1_000_000), /nested deeper/],
    ['brackets over many lines', '[\n'.repeat(100_000), /nested deeper/],
    ['dashes without end', '- '.repeat(100_000), /nested deeper/],
    [
      'indentation without end',
      Array.from({ length: 2500 }, (_, index) => `${' '.repeat(index)}a:`).join('\n'),
      /nested deeper|must be YAML/,
    ],
    [
      'a key that appears twice',
      `${mapping(...base)}\n  mode: Poller\n`,
      /The key `mode` must not appear twice/,
    ],
    ['a text that is too long', 'a'.repeat(4 * 1024 * 1024 + 1), /at most 4194304 characters/],
    ['an unknown alias', 'a: *b', /must be YAML/],
    ['a tab for indentation', 'a:\n\t- b', /must be YAML/],
    ['a bare word', 'hello', /must be an object/],
    ['control characters', '\u0000\u0001: [', /must be YAML/],
  ])('%s', (_, text, message) => {
    const [found] = validateText(text);
    expect(found).toMatchObject({ kind: 'unreadable' });
    expect(problems(text)[0]).toMatch(message);
    expect(problems(text)[0]).toMatch(/^\d+: /);
  });

  test('many keys take no more than linear time', () => {
    const text = Array.from({ length: 100_000 }, (_, index) => `k${index}: 1`).join('\n');
    expect(problems(text)).toHaveLength(2);
  });

  test('a key named __proto__ is an unknown field like any other', () => {
    expect(problems(mapping(...base, '__proto__: {mode: Poller}'))).toEqual([
      expect.stringContaining('`spec.__proto__` is not a known field'),
    ]);
  });
});
