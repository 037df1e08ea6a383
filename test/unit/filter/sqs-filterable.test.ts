import { describe, expect, test } from 'vitest';
import { compileFilterCriteria } from '../../../src/filter/filter-criteria.ts';
import { decodeSqsBody, filterableSqsRecord, sqsDataKey } from '../../../src/sources/sqs/filterable.ts';

const record = (body: unknown): Record<string, unknown> => ({
  messageId: '7c1f0a52',
  receiptHandle: 'AQEB',
  body,
  attributes: { ApproximateReceiveCount: '1', SentTimestamp: '1790000000123', MessageGroupId: 'g' },
  messageAttributes: {
    tier: { stringValue: 'gold', stringListValues: [], binaryListValues: [], dataType: 'String' },
  },
  md5OfBody: 'fedcba98',
  eventSource: 'aws:sqs',
});

function passes(pattern: object, body: unknown): boolean | 'undecided' {
  const result = compileFilterCriteria([JSON.stringify(pattern)], sqsDataKey);
  if (!result.ok) throw new Error(result.problems[0]?.error.message);
  return result.criteria.decide(filterableSqsRecord(record(body)));
}

describe('the format of the body and that of the pattern', () => {
  const jsonPattern = { body: { kind: ['order'] } };
  const plainPattern = { body: ['hello'] };
  const cases: readonly { why: string; pattern: object; body: unknown; passes: boolean }[] = [
    { why: 'plain body, plain pattern: evaluated', pattern: plainPattern, body: 'hello', passes: true },
    { why: 'plain body, plain pattern: another text', pattern: plainPattern, body: 'hello!', passes: false },
    { why: 'plain body, JSON pattern: dropped', pattern: jsonPattern, body: 'hello', passes: false },
    {
      why: 'JSON body, JSON pattern: evaluated',
      pattern: jsonPattern,
      body: '{"kind":"order"}',
      passes: true,
    },
    {
      why: 'JSON body, JSON pattern: another value',
      pattern: jsonPattern,
      body: '{"kind":"x"}',
      passes: false,
    },
    {
      why: 'JSON body, plain pattern: dropped',
      pattern: { body: [{ prefix: '{' }] },
      body: '{"kind":"order"}',
      passes: false,
    },
    {
      why: 'plain body, JSON pattern: dropped though the pattern allows that members are absent',
      pattern: { body: { kind: [{ exists: false }] } },
      body: 'hello',
      passes: false,
    },
    {
      why: 'plain body, JSON pattern with a dotted name: dropped as well',
      pattern: { 'body.kind': [{ exists: false }] },
      body: 'hello',
      passes: false,
    },
    {
      why: 'plain body, an alternative that does not name it decides',
      pattern: { $or: [{ body: { kind: [{ exists: false }] } }, { messageId: ['7c1f0a52'] }] },
      body: 'hello',
      passes: true,
    },
    {
      why: 'JSON body, JSON pattern: a member may be absent',
      pattern: { body: { kind: [{ exists: false }] } },
      body: '{"other":1}',
      passes: true,
    },
    {
      why: 'JSON body, plain pattern: dropped though the pattern allows that the text is absent',
      pattern: { body: [{ exists: false }] },
      body: '{"other":1}',
      passes: false,
    },
    {
      why: 'only the body has this rule',
      pattern: { messageId: { part: [{ exists: false }] } },
      body: 'hello',
      passes: true,
    },
    {
      why: 'plain body, anything-but is evaluated',
      pattern: { body: [{ 'anything-but': ['error'] }] },
      body: 'hello',
      passes: true,
    },
    {
      why: 'no pattern for the body: metadata alone decides',
      pattern: { messageId: ['7c1f0a52'] },
      body: 'hello',
      passes: true,
    },
    {
      why: 'blanks around JSON do not make it plain',
      pattern: jsonPattern,
      body: ' \n{"kind":"order"}\n',
      passes: true,
    },
    {
      why: 'a JSON array: one element suffices',
      pattern: jsonPattern,
      body: '[{"kind":"x"},{"kind":"order"}]',
      passes: true,
    },
    { why: 'a JSON number is a number', pattern: { body: [123] }, body: '123', passes: true },
    { why: 'and not its text', pattern: { body: ['123'] }, body: '123', passes: false },
    { why: 'a JSON string is what is in its quotes', pattern: { body: ['ok'] }, body: '"ok"', passes: true },
    { why: 'JSON null is null', pattern: { body: [null] }, body: 'null', passes: true },
    {
      why: 'text that starts like JSON stays text',
      pattern: { body: ['{oops'] },
      body: '{oops',
      passes: true,
    },
    {
      why: 'text that starts like a number stays text',
      pattern: { body: ['12 apples'] },
      body: '12 apples',
      passes: true,
    },
    { why: 'an empty body is the empty string', pattern: { body: [''] }, body: '', passes: true },
    {
      why: 'a number in the body keeps its digits',
      pattern: { body: { id: [{ exists: true }] } },
      body: '{"id":9007199254740993}',
      passes: true,
    },
    {
      why: 'a deeply nested body is an answer',
      pattern: jsonPattern,
      body: `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
      passes: false,
    },
  ];
  test.each(cases)('$why', ({ pattern, body, passes: expected }) => {
    expect(passes(pattern, body)).toBe(expected);
  });
});

test.each([
  { why: 'a system attribute', pattern: { attributes: { MessageGroupId: ['g'] } } },
  {
    why: 'a message attribute',
    pattern: { messageAttributes: { tier: { stringValue: [{ prefix: 'go' }] } } },
  },
  { why: 'the digest', pattern: { md5OfBody: ['fedcba98'] } },
])('metadata can be matched: $why', ({ pattern }) => {
  expect(passes(pattern, '{}')).toBe(true);
});

test('the record itself is left as it was', () => {
  const original = record('{"a":1}');
  const before = structuredClone(original);
  expect(filterableSqsRecord(original)).toMatchObject({ body: { a: 1 } });
  expect(original).toEqual(before);
});

test('what is no record with a text body is returned as it is', () => {
  for (const value of [null, 1, 'x', {}, { body: { already: 'decoded' } }])
    expect(filterableSqsRecord(value)).toBe(value);
});

test('two numbers that round to one double stay apart', () => {
  expect(decodeSqsBody('[9007199254740993]')).not.toEqual(decodeSqsBody('[9007199254740992]'));
});
