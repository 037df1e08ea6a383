import { describe, expect, test } from 'vitest';
import { parsePattern, patternLimits } from '../../../src/filter/parse.ts';

describe('a refusal says where and why', () => {
  const refusals: readonly { why: string; pattern: string; path: string; message: string }[] = [
    {
      why: 'malformed JSON has a line and a column',
      pattern: '{"a": [1],\n "b": [1}',
      path: '',
      message: 'The pattern must be JSON text: line 2, column 9 has `}` where `,` or `]` must stand',
    },
    {
      why: 'plain text',
      pattern: 'order',
      path: '',
      message: 'line 1, column 1 has `order` where a JSON value must stand',
    },
    {
      why: 'another JSON value',
      pattern: '[1]',
      path: '',
      message: 'The pattern must be a JSON object, found an array',
    },
    {
      why: 'the leaf that is no array',
      pattern: '{"body":{"kind":"order"}}',
      path: 'body.kind',
      message: '`body.kind` must be an array of alternatives or an object, found "order"',
    },
    {
      why: 'the empty array',
      pattern: '{"body":{"kind":[]}}',
      path: 'body.kind',
      message: '`body.kind` must not be an empty array',
    },
    {
      why: 'the alternative by its number',
      pattern: '{"a":["x",{"prefix":1}]}',
      path: 'a[1].prefix',
      message: '`a[1].prefix` must be a string or an `equals-ignore-case` object, found 1',
    },
    {
      why: 'the operator that is unknown, with those that are known',
      pattern: '{"a":[{"matches":"x"}]}',
      path: 'a[0]',
      message: '`a[0]` has the unknown operator `matches`: it must be one of anything-but, cidr,',
    },
    {
      why: 'the term of a range',
      pattern: '{"a":[{"numeric":[">",0,"=",5]}]}',
      path: 'a[0].numeric[2]',
      message: '`a[0].numeric[2]` must be < or <=, found "="',
    },
    {
      why: 'the alternative of $or',
      pattern: '{"d":{"$or":[{"a":[1]},"b"]}}',
      path: 'd.$or[1]',
      message: '`d.$or[1]` must be an object, found "b"',
    },
    {
      why: 'the bounds that leave nothing',
      pattern: '{"a":[{"numeric":[">",5,"<",1]}]}',
      path: 'a[0].numeric',
      message: 'must have a lower bound below the upper one, found 5 and 1',
    },
    {
      why: 'a mask that is too long',
      pattern: '{"a":[{"cidr":"10.0.0.0/33"}]}',
      path: 'a[0].cidr',
      message: '`a[0].cidr` must have a mask of 0 to 31 bits, found "10.0.0.0/33"',
    },
  ];
  test.each(refusals)('$why', ({ pattern, path, message }) => {
    const result = parsePattern(pattern);
    expect(result).toMatchObject({ ok: false, error: { path } });
    expect(result.ok ? '' : result.error.message).toContain(message);
  });
});

describe('conditions', () => {
  const pathsOf = (text: string): readonly (readonly string[])[] => {
    const result = parsePattern(text);
    if (!result.ok) throw new Error(result.error.message);
    return result.pattern.rules.map((rule) => rule.map(({ path }) => path));
  };

  test('stand under their dotted path, sorted as event-ruler tests them', () => {
    expect(pathsOf('{"b":{"y":[1],"x":[1]},"b-c":[1],"a":[1]}')).toEqual([['a', 'b-c', 'b.x', 'b.y']]);
  });

  test('each combination of $or alternatives is a rule', () => {
    expect(pathsOf('{"k":[1],"$or":[{"a":[1]},{"b":[1]}],"d":{"$or":[{"x":[1]},{"y":[1]}]}}')).toEqual([
      ['a', 'd.x', 'k'],
      ['b', 'd.x', 'k'],
      ['a', 'd.y', 'k'],
      ['b', 'd.y', 'k'],
    ]);
  });

  test('integer-like names keep their place, so the one further down wins', () => {
    const result = parsePattern('{"a":{"1":["first"]},"a.1":["second"]}');
    expect(result).toMatchObject({
      pattern: { rules: [[{ path: 'a.1', alternatives: [{ kind: 'equals', value: 'second' }] }]] },
    });
  });
});

test('the limit of depth is what it says', () => {
  const nested = (depth: number): string => `${'{"a":'.repeat(depth)}[1]${'}'.repeat(depth)}`;
  expect(parsePattern(nested(patternLimits.depth)).ok).toBe(true);
  expect(parsePattern(nested(patternLimits.depth + 1)).ok).toBe(false);
});

test('a pattern of the length that AWS allows is within the limits, whatever fills it', () => {
  const leaves = `{${Array.from({ length: 370 }, (_, index) => `"k${index}":[1]`).join(',')}}`;
  const alternatives = `{"k":[${Array.from({ length: 2_000 }, () => 1).join(',')}]}`;
  for (const pattern of [leaves, alternatives]) {
    expect(pattern.length).toBeLessThanOrEqual(4_096);
    expect(parsePattern(pattern).ok).toBe(true);
  }
});
