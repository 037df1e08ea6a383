import { describe, expect, test } from 'vitest';
import { explainPattern, explanationLines } from '../../../src/filter/explain.ts';
import { parsePattern } from '../../../src/filter/parse.ts';
import { undecidable } from '../../support/undecidable.ts';

function explain(pattern: string, event: unknown): ReturnType<typeof explainPattern> {
  const result = parsePattern(pattern);
  if (!result.ok) throw new Error(result.error.message);
  return explainPattern(result.pattern, event);
}

describe('each key says what was found and what is allowed', () => {
  const cases: readonly { why: string; pattern: string; event: unknown; met: boolean; reason: string }[] = [
    {
      why: 'a value that matches',
      pattern: '{"a":["x"]}',
      event: { a: 'x' },
      met: true,
      reason: 'found "x"',
    },
    {
      why: 'the element that matches',
      pattern: '{"a":["x"]}',
      event: { a: ['y', 'x'] },
      met: true,
      reason: 'found "x"',
    },
    {
      why: 'all values that do not',
      pattern: '{"a":["x"]}',
      event: { a: ['y', 1] },
      met: false,
      reason: 'found "y", 1',
    },
    {
      why: 'a missing member',
      pattern: '{"a":{"b":["x"]}}',
      event: { a: {} },
      met: false,
      reason: '`a` has no `b`',
    },
    {
      why: 'a missing member at the top',
      pattern: '{"a":["x"]}',
      event: {},
      met: false,
      reason: 'the event has no `a`',
    },
    {
      why: 'a string where members were looked for: a plain body under a JSON pattern',
      pattern: '{"body":{"b":["x"]}}',
      event: { body: 'hello' },
      met: false,
      reason: '`body` is "hello" and has no members',
    },
    {
      why: 'an object where a value was looked for: a JSON body under a plain pattern',
      pattern: '{"body":["x"]}',
      event: { body: { a: 1 } },
      met: false,
      reason: 'found an object, and only its leaves can be matched',
    },
    {
      why: 'an empty array',
      pattern: '{"a":["x"]}',
      event: { a: [] },
      met: false,
      reason: 'found an array without values',
    },
    {
      why: 'an array none of whose elements has it',
      pattern: '{"a":{"b":["x"]}}',
      event: { a: [{ c: 1 }] },
      met: false,
      reason: 'no element of the array `a` has it',
    },
    {
      why: 'absence that was asked for',
      pattern: '{"a":[{"exists":false}]}',
      event: {},
      met: true,
      reason: 'found nothing',
    },
  ];
  test.each(cases)('$why', ({ pattern, event, met, reason }) => {
    const explanation = explain(pattern, event);
    expect(explanation.matched).toBe(met);
    expect(explanation.rules[0]?.keys[0]?.met).toBe(met);
    expect(explanation.rules[0]?.keys[0]?.reason).toContain(reason);
  });
});

test('says when keys are met only by different elements of an array', () => {
  const explanation = explain('{"a":{"b":[1],"c":[2]}}', { a: [{ b: 1 }, { c: 2 }] });
  expect(explanation.matched).toBe(false);
  expect(explanation.rules[0]?.keys.map(({ met }) => met)).toEqual([true, true]);
  expect(explanation.rules[0]?.note).toContain('one and the same element');
});

test('shows at most ten of many values, and how many more there are', () => {
  const explanation = explain('{"a":["x"]}', { a: Array.from({ length: 25 }, (_, index) => index) });
  expect(explanation.rules[0]?.keys[0]?.found).toHaveLength(10);
  expect(explanation.rules[0]?.keys[0]?.reason).toContain('and 15 more');
});

test('every operator is shown as a pattern writes it', () => {
  const alternatives = [
    'x',
    1,
    true,
    null,
    '10.0.0.1',
    { prefix: 'a' },
    { suffix: { 'equals-ignore-case': 'b' } },
    { 'equals-ignore-case': 'c' },
    { wildcard: 'd*' },
    { cidr: '10.0.0.0/8' },
    { exists: false },
    { numeric: ['=', 5] },
    { numeric: ['>', 0, '<=', 5] },
    { numeric: ['<', 5] },
    { 'anything-but': 'e' },
    { 'anything-but': [1, 2] },
    { 'anything-but': { prefix: ['f', 'g'] } },
  ];
  const allowed = explain(JSON.stringify({ a: alternatives }), {}).rules[0]?.keys[0]?.allowed ?? '';
  expect(JSON.parse(allowed)).toEqual(alternatives);
});

test('as text: a line for each key, under its alternative when there are several', () => {
  const lines = explanationLines(
    explain('{"$or":[{"kind":["x"]},{"n":[1],"long":["y"]}]}', { kind: 'x', n: 1 }),
  );
  expect(lines).toEqual([
    '  alternative 1: match',
    '    yes  kind  found "x"; allowed ["x"]',
    '  alternative 2: no match',
    '    no   long  found nothing: the event has no `long`; allowed ["y"]',
    '    yes  n     found 1; allowed [1]',
  ]);
});

test('says that text is no object, where the pattern would allow every key to be absent', () => {
  const result = parsePattern('{"body":{"kind":[{"exists":false}]}}');
  if (!result.ok) throw new Error(result.error.message);
  const explanation = explainPattern(result.pattern, { body: 'text' }, 'body');
  expect(explanation.matched).toBe(false);
  expect(explanation.rules[0]?.note).toBe('The pattern is for members, and `body` is no JSON object.');
  expect(explainPattern(result.pattern, { body: 'text' }).matched).toBe(true);
});

test('what cannot be decided passes, and says why', () => {
  const { matched, rules } = explain(undecidable.pattern, undecidable.event);
  expect(matched).toBe(true);
  expect(rules[0]?.note).toContain('not decided within 2000000 steps');
});
