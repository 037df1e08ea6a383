import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError, type Io } from '../../../src/cli/command.ts';
import { answerLine, patternCache } from '../../../src/cli/filter-batch.ts';
import { filterCommand } from '../../../src/cli/filter.ts';
import { readLines } from '../../../src/cli/lines.ts';

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  argv: readonly string[],
  stdin: readonly (string | Uint8Array)[] = [],
  overrides: Partial<Io> = {},
): Promise<Run> {
  let out = '';
  let err = '';
  const io: Io = {
    stdin: chunksOf(stdin),
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: {},
    isTTY: false,
    signal: new AbortController().signal,
    ...overrides,
  };
  const code = await filterCommand.run(argv, io);
  return { code, out, err };
}

async function* chunksOf<T>(chunks: Iterable<T>): AsyncGenerator<T> {
  for (const chunk of chunks) yield chunk;
}

let folder = '';
const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-filter-'));
  await writeFile(file('pattern.json'), '{"body":{"kind":["order"],"total":[{"numeric":[">",10]}]}}');
  await writeFile(
    file('record.json'),
    JSON.stringify({ messageId: 'm', body: '{"kind":"order","total":12}' }),
  );
  await writeFile(file('small.json'), JSON.stringify({ messageId: 'm', body: '{"kind":"order","total":5}' }));
  const mapping = (name: string, filters: string): string =>
    `apiVersion: sluice.dev/v1alpha1\nkind: EventSourceMapping\nmetadata: {name: ${name}}\nspec:\n  eventSourceARN: arn:aws:sqs:eu-west-1:111122223333:jobs\n${filters}`;
  const filters =
    '  filterCriteria:\n    filters:\n      - pattern: \'{"body":{"kind":["refund"]}}\'\n      - pattern: \'{"body":{"kind":["order"]}}\'\n';
  await writeFile(file('mapping.yaml'), `kind: Secret\n---\n${mapping('a', filters)}`);
  await writeFile(file('open.yaml'), mapping('a', ''));
  await writeFile(file('two.yaml'), `${mapping('a', filters)}---\n${mapping('b', filters)}`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('explains a match', () => {
  test('a match: exit status 0, each key with what was found', async () => {
    const { code, out } = await run([
      '--pattern',
      file('pattern.json'),
      '--source',
      'sqs',
      '--event',
      file('record.json'),
    ]);
    expect(out).toBe(
      'match\npattern 1: match\n  yes  body.kind   found "order"; allowed ["order"]\n  yes  body.total  found 12; allowed [{"numeric": [">", 10]}]\n',
    );
    expect(code).toBe(0);
  });

  test('no match: exit status 1, the key that is not met', async () => {
    const { code, out } = await run([
      '--pattern',
      file('pattern.json'),
      '--source',
      'sqs',
      '--event',
      file('small.json'),
    ]);
    expect(out).toContain('no   body.total  found 5');
    expect(code).toBe(1);
  });

  test('the body is decoded for sqs and left alone for raw', async () => {
    const { code, out } = await run(['--pattern', file('pattern.json'), '--event', file('record.json')]);
    expect(out).toContain('has no members');
    expect(code).toBe(1);
  });

  test('pattern and event from the command line and standard input, in pieces', async () => {
    const { code } = await run(
      ['--pattern', '{"a":["é"]}', '--event', '-'],
      [Buffer.from('{"a":"é"}').subarray(0, 7), Buffer.from('{"a":"é"}').subarray(7)],
    );
    expect(code).toBe(0);
  });

  test('several patterns are ORed', async () => {
    const { code, out } = await run([
      '--pattern',
      '{"a":[1]}',
      '--pattern',
      '{"b":[1]}',
      '--event',
      '{"b":1}',
    ]);
    expect(out).toMatch(/^match\npattern 1: no match\n[^]*pattern 2: match\n/);
    expect(code).toBe(0);
  });

  test('as JSON', async () => {
    const { code, out } = await run(['--pattern', '{"a":[1]}', '--event', '{"a":2}', '-o', 'json']);
    expect(JSON.parse(out)).toEqual({
      result: 'nomatch',
      source: 'raw',
      filters: [
        {
          pattern: '{"a":[1]}',
          matched: false,
          rules: [
            {
              matched: false,
              keys: [{ key: 'a', met: false, allowed: '[1]', found: ['2'], reason: 'found 2' }],
            },
          ],
        },
      ],
    });
    expect(code).toBe(1);
  });

  test('a mapping gives patterns and source', async () => {
    const { code, out } = await run(['-f', file('mapping.yaml'), '--event', file('record.json')]);
    expect(out).toMatch(/^match\npattern 1: no match\n[^]*pattern 2: match\n/);
    expect(code).toBe(0);
  });

  test('a mapping without filters lets everything pass', async () => {
    const { code, out } = await run(['-f', file('open.yaml'), '--event', '{}']);
    expect(out).toBe('match: there are no filters, so every event passes\n');
    expect(code).toBe(0);
  });
});

describe('refuses with exit status 2', () => {
  test('a pattern that cannot be used, said on standard error', async () => {
    const { code, out, err } = await run(['--pattern', '{"a":1}', '--event', '{}']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toBe('pattern 1: `a` must be an array of alternatives or an object, found 1\n');
  });

  test('the same as JSON', async () => {
    const { code, out } = await run(['--pattern', '{"a":1}', '--event', '{}', '-o', 'json']);
    expect(JSON.parse(out)).toMatchObject({ result: 'invalid' });
    expect(code).toBe(2);
  });

  test.each([['plain text'], ['[1]']])('an event that is no JSON object: %s', async (event) => {
    const { code, err } = await run(['--pattern', '{"a":[1]}', '--event', '-'], [event]);
    expect(err).toContain('`event` must be');
    expect(code).toBe(2);
  });

  const usage: readonly { why: string; argv: readonly string[]; message: RegExp }[] = [
    { why: 'an unknown flag', argv: ['--patern', 'x'], message: /--patern/ },
    { why: 'no event', argv: ['--pattern', '{"a":[1]}'], message: /`--event` is required/ },
    { why: 'no pattern', argv: ['--event', '{}'], message: /`--pattern` or from `--filename`/ },
    {
      why: 'pattern and mapping',
      argv: ['--pattern', '{}', '-f', 'x', '--event', '{}'],
      message: /`--pattern` or from `--filename`/,
    },
    {
      why: 'an unknown source',
      argv: ['--pattern', '{}', '--event', '{}', '--source', 'x'],
      message: /`--source` must be raw or sqs, found "x"/,
    },
    {
      why: 'a source of later',
      argv: ['--pattern', '{}', '--event', '{}', '--source', 'kafka'],
      message: /kafka is not supported yet/,
    },
    {
      why: 'a file that is not there',
      argv: ['--pattern', '/nowhere', '--event', '{}'],
      message: /cannot read \/nowhere/,
    },
    { why: 'standard input twice', argv: ['--pattern', '-', '--event', '-'], message: /only once/ },
    { why: 'an unknown format', argv: ['--pattern', '{}', '--event', '{}', '-o', 'yaml'], message: /output/ },
    {
      why: 'batch with an event',
      argv: ['--batch', '--event', '{}'],
      message: /`--batch` must stand without/,
    },
  ];
  test.each(usage)('$why', async ({ argv, message }) => {
    await expect(run(argv)).rejects.toThrow(message);
    await expect(run(argv)).rejects.toBeInstanceOf(UsageError);
  });

  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (const [name, former] of [
    ['b', 'a'],
    ['c', 'b'],
    ['d', 'c'],
  ] as const)
    bomb.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${former}`).join(', ')}]`);
  test.each([
    { why: 'aliases that expand without end', text: bomb.join('\n'), says: 'must not expand aliases' },
    { why: 'nesting without end', text: '['.repeat(100_000), says: 'must not be nested deeper' },
    { why: 'a key twice', text: 'a: 1\na: 2', says: ':2: The key `a` must not appear twice' },
  ])('a file of $why is no answer about a match', async ({ text, says }) => {
    await writeFile(file('hostile.yaml'), text);
    const end = run(['-f', file('hostile.yaml'), '--event', '{}']);
    await expect(end).rejects.toBeInstanceOf(UsageError);
    await expect(end).rejects.toThrow(says);
  });

  test('a file with two mappings', async () => {
    await expect(run(['-f', file('two.yaml'), '--event', '{}'])).rejects.toThrow(
      /exactly one EventSourceMapping, found 2/,
    );
  });
});

const question = (id: unknown, source: string, patterns: unknown, event: unknown): string =>
  JSON.stringify({ id, source, patterns, event });

describe('batch', () => {
  async function answers(...stdin: readonly (string | Uint8Array)[]): Promise<readonly unknown[]> {
    const { code, out } = await run(['--batch'], stdin);
    expect(code).toBe(0);
    return out
      .split('\n')
      .slice(0, -1)
      .map((line): unknown => JSON.parse(line));
  }

  test('answers each line, in order, with its id', async () => {
    const lines = [
      question(1, 'raw', ['{"a":[1]}'], '{"a":1.0}'),
      question('two', 'raw', ['{"a":[1]}'], '{"a":2}'),
      question({ three: 3 }, 'sqs', ['{"body":{"k":["x"]}}'], '{"body":"{\\"k\\":\\"x\\"}"}'),
      question(4, 'raw', [], '{"any":1}'),
    ];
    expect(await answers(`${lines.join('\n')}\n`)).toEqual([
      { id: 1, result: 'match' },
      { id: 'two', result: 'nomatch' },
      { id: { three: 3 }, result: 'match' },
      { id: 4, result: 'match' },
    ]);
  });

  const invalid: readonly { why: string; line: string; id: unknown; error: RegExp }[] = [
    { why: 'a line that is no JSON', line: 'nonsense', id: null, error: /^Line 1 must be JSON text/ },
    { why: 'a line that is no object', line: '[1]', id: null, error: /^Line 1 must be a JSON object/ },
    { why: 'no id', line: '{"source":"raw"}', id: null, error: /`patterns` must be an array/ },
    {
      why: 'a pattern that cannot be used',
      line: question(1, 'raw', ['{"a":[1]}', '{}'], '{}'),
      id: 1,
      error: /^`patterns\[1\]`: The pattern must not be an empty object/,
    },
    {
      why: 'a pattern that is no text',
      line: question(1, 'raw', [{ a: [1] }], '{}'),
      id: 1,
      error: /array of strings/,
    },
    {
      why: 'an event that is no text',
      line: question(1, 'raw', ['{"a":[1]}'], { a: 1 }),
      id: 1,
      error: /`event` must be a string/,
    },
    {
      why: 'an event that is no JSON',
      line: question(1, 'raw', ['{"a":[1]}'], '{"a":'),
      id: 1,
      error: /`event` must be JSON text: line 1, column 6/,
    },
    {
      why: 'an event that is no object',
      line: question(1, 'raw', ['{"a":[1]}'], '"a"'),
      id: 1,
      error: /text of an object/,
    },
    {
      why: 'a source of later',
      line: question(1, 'kinesis', ['{"a":[1]}'], '{}'),
      id: 1,
      error: /kinesis is not supported yet/,
    },
    {
      why: 'an unknown source',
      line: question(1, 'ftp', ['{"a":[1]}'], '{}'),
      id: 1,
      error: /`source` must be raw or sqs, found "ftp"/,
    },
  ];
  test.each(invalid)('invalid: $why', async ({ line, id, error }) => {
    const [answer] = await answers(line);
    expect(answer).toEqual({ id, result: 'invalid', error: expect.stringMatching(error) as unknown });
  });

  test('a bad line stops nothing; blank lines and line ends of both kinds are fine; the last line may lack one', async () => {
    const good = question(1, 'raw', ['{"a":[1]}'], '{"a":1}');
    const found = await answers(`${good}\r\n\r\n  \nbroken\n${good}`);
    expect(found).toEqual([
      { id: 1, result: 'match' },
      { id: null, result: 'invalid', error: 'Line 4 must be JSON text' },
      { id: 1, result: 'match' },
    ]);
  });

  test('lines and characters may be cut anywhere between chunks', async () => {
    const bytes = Buffer.from(`${question('é😀', 'raw', ['{"a":["é😀"]}'], '{"a":"é😀"}')}\n`);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(await answers(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual([
        { id: 'é😀', result: 'match' },
      ]);
    }
  });

  test('a line of some megabytes', async () => {
    const line = question(
      1,
      'raw',
      ['{"a":[{"suffix":"end"}]}'],
      JSON.stringify({ a: `${'x'.repeat(4_000_000)}end` }),
    );
    const chunks = Array.from({ length: Math.ceil(line.length / 65_536) }, (_, index) =>
      line.slice(index * 65_536, (index + 1) * 65_536),
    );
    expect(await answers(...chunks)).toEqual([{ id: 1, result: 'match' }]);
  });

  test('no line, no answer', async () => {
    expect(await answers()).toEqual([]);
  });

  test('waits for a slow reader before it reads on', async () => {
    const log: string[] = [];
    const line = `${question(1, 'raw', ['{"a":[1]}'], '{"a":1}')}\n`;
    async function* stdin(): AsyncGenerator<string> {
      for (let index = 0; index < 3; index += 1) {
        log.push('read');
        yield line;
      }
    }
    await run(['--batch'], [], {
      stdin: stdin(),
      out: async () => {
        await Promise.resolve();
        log.push('written');
      },
    });
    expect(log).toEqual(['read', 'written', 'read', 'written', 'read', 'written']);
  });

  test('a large chunk is answered in pieces', async () => {
    const sizes: number[] = [];
    const line = `${question('x'.repeat(1_000), 'raw', ['{"a":[1]}'], '{"a":1}')}\n`;
    await run(['--batch'], [line.repeat(500)], { out: (text) => void sizes.push(text.length) });
    expect(sizes.length).toBeGreaterThan(5);
    expect(Math.max(...sizes)).toBeLessThan(70_000);
  });

  test('ends when the process is told to', async () => {
    const stop = new AbortController();
    stop.abort();
    expect((await run(['--batch'], ['{}\n'], { signal: stop.signal })).code).toBe(1);
  });
});

test('a line over the limit is dropped, and the next one is read', async () => {
  const lines: (string | undefined)[] = [];
  for await (const some of readLines(chunksOf(['12345', '678', '9\nab\n', '12345678901']), 8))
    lines.push(...some);
  expect(lines).toEqual([undefined, 'ab', undefined]);
  expect(answerLine(undefined, 7, patternCache(1, 1))).toMatchObject({
    id: null,
    result: 'invalid',
    error: expect.stringContaining('Line 7') as unknown,
  });
});

test('the cache keeps what was used last, within its bounds', () => {
  const cache = patternCache(2, 1_000);
  const [a, b, c] = ['{"a":[1]}', '{"b":[1]}', '{"c":[1]}'].map((text) => [text, cache(text)] as const);
  if (a === undefined || b === undefined || c === undefined) throw new Error('three patterns');
  // `a` had to make room for `c`; `b` stays because it is used before the next one comes.
  expect(cache(b[0])).toBe(b[1]);
  expect(cache(a[0])).not.toBe(a[1]);
  expect(cache(b[0])).toBe(b[1]);
  expect(cache(c[0])).not.toBe(c[1]);
});

test('the cache keeps a pattern for each way in which records are read apart', () => {
  const cache = patternCache(10, 1_000);
  const answer = (source: string) =>
    answerLine(
      JSON.stringify({
        source,
        patterns: ['{"body":{"k":[{"exists":false}]}}'],
        event: '{"body":"text"}',
      }),
      1,
      cache,
    ).result;
  expect([answer('raw'), answer('sqs'), answer('raw')]).toEqual(['match', 'nomatch', 'match']);
});
