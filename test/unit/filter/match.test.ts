import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyOf, compilePattern } from '../../../src/filter/compile.ts';
import { compileFilterCriteria } from '../../../src/filter/filter-criteria.ts';
import { compileCondition } from '../../../src/filter/condition.ts';
import { parsePattern } from '../../../src/filter/parse.ts';
import type { Pattern } from '../../../src/filter/pattern.ts';
import { search } from '../../../src/filter/search.ts';
import { buildTree } from '../../../src/filter/tree.ts';
import { readJson } from '../../../src/lib/json.ts';
import { naiveMatch } from './naive.ts';
import { undecidable } from '../../support/undecidable.ts';

interface Case {
  readonly why: string;
  readonly pattern: string;
  readonly event: string;
  readonly result: 'match' | 'nomatch' | 'invalid';
}

const golden = JSON.parse(
  readFileSync(new URL('../../golden/filter/event-ruler.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly Case[] };

function parsed(text: string): Pattern {
  const result = parsePattern(text);
  if (!result.ok) throw new Error(result.error.message);
  return result.pattern;
}

function answer(pattern: string, event: string): Case['result'] {
  const result = parsePattern(pattern);
  if (!result.ok) return 'invalid';
  const json = readJson(event);
  if (!json.ok) throw new Error(json.error.message);
  return compilePattern(result.pattern).matches(json.value) ? 'match' : 'nomatch';
}

function steps(pattern: string, event: unknown): number {
  return compilePattern(parsed(pattern)).measure(event).steps;
}

describe('answers as event-ruler was recorded to answer', () => {
  test.each(golden.cases)('$why', ({ pattern, event, result }) => {
    expect(answer(pattern, event)).toBe(result);
  });
});

describe('differs from event-ruler on purpose', () => {
  const differences: readonly Case[] = [
    {
      why: 'an IPv6 address never lies in an IPv4 block: event-ruler compares the first digits of both',
      pattern: '{"ip":[{"cidr":"10.0.0.0/8"}]}',
      event: '{"ip":"0a00::1"}',
      result: 'nomatch',
    },
    {
      why: 'characters beyond the basic plane match themselves: event-ruler turns their halves into question marks',
      pattern: '{"k":[{"equals-ignore-case":"😀"}]}',
      event: '{"k":"😀"}',
      result: 'match',
    },
    {
      why: 'of two objects with one name the last wins: event-ruler, reading as a stream, would keep both',
      pattern: '{"a":{"b":[1]},"a":{"c":[2]}}',
      event: '{"a":{"c":2}}',
      result: 'match',
    },
    {
      why: 'text after the pattern is refused: event-ruler stops reading at the last brace',
      pattern: '{"a":[1]} x',
      event: '{"a":1}',
      result: 'invalid',
    },
    {
      why: 'a member with an empty name counts at any depth: event-ruler finds it only at the top',
      pattern: '{"a":{"":[1]}}',
      event: '{"a":{"":1}}',
      result: 'match',
    },
    {
      why: '$or always is the keyword: event-ruler falls back to a member of that name',
      pattern: '{"$or":["x","y"]}',
      event: '{"$or":"x"}',
      result: 'invalid',
    },
    {
      why: 'EventBridge refuses this wildcard (recorded on AWS), event-ruler alone does not',
      pattern: '{"k":[{"wildcard":"*:*:*:*:*:event-bus/*"}]}',
      event: '{"k":"x"}',
      result: 'invalid',
    },
    {
      why: 'and takes the longest sample of its guide',
      pattern: '{"k":[{"wildcard":"/Users/*/dir/dir/dir/dir/dir/doc.txt"}]}',
      event: '{"k":"/Users/dir/dir/dir/dir/dir/dir/dir/doc.txt"}',
      result: 'match',
    },
  ];
  test.each(differences)('$why', ({ pattern, event, result }) => {
    expect(answer(pattern, event)).toBe(result);
  });
});

describe('properties', () => {
  const name = fc.constantFrom('a', 'b', 'c-x');
  const dottedName = fc.constantFrom('a', 'b', 'c-x', 'a.b', 'b.a', 'a.a');
  const leaf = fc.constantFrom<unknown>('x', 'xy', '', 1, 1.5, true, null);
  const value = (names: fc.Arbitrary<string>) =>
    fc.letrec<{ value: unknown; object: object }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5, withCrossShrink: true },
        leaf,
        fc.array(tie('value'), { maxLength: 3 }),
        tie('object'),
      ),
      object: fc.dictionary(names, tie('value'), { maxKeys: 3 }),
    }));
  const alternative = (absence: boolean) =>
    fc.oneof(
      leaf,
      fc.constantFrom<unknown>(
        { prefix: 'x' },
        { 'anything-but': ['x', 'y'] },
        { numeric: ['>', 1] },
        { exists: true },
      ),
      ...(absence ? [fc.constant({ exists: false })] : []),
    );
  const pattern = (names: fc.Arbitrary<string>, absence: boolean) =>
    fc.letrec<{ object: object }>((tie) => ({
      object: fc.oneof(
        { maxDepth: 3 },
        fc.dictionary(names, fc.array(alternative(absence), { minLength: 1, maxLength: 2 }), {
          minKeys: 1,
          maxKeys: 2,
        }),
        fc.dictionary(names, tie('object'), { minKeys: 1, maxKeys: 2 }),
        fc.tuple(tie('object'), tie('object')).map((both) => ({ $or: both })),
      ),
    })).object;

  test('agrees with a naive matcher that tries every choice of array elements', () => {
    fc.assert(
      fc.property(pattern(name, false), value(name).object, (source, event) => {
        const { rules } = parsed(JSON.stringify(source));
        expect(compilePattern({ rules }).matches(event)).toBe(rules.some((rule) => naiveMatch(rule, event)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('the walk and the search give one answer, absence and dotted names included', () => {
    fc.assert(
      fc.property(pattern(dottedName, true), value(dottedName).object, (source, event) => {
        const { rules } = parsed(JSON.stringify(source));
        const found = anyOf(rules, (rule) => {
          const root = buildTree(rule.map(({ path }) => path));
          return search({ conditions: rule.map(compileCondition), root }, event).decision;
        });
        fc.pre(!hasLeafAndMembers(rules));
        expect(compilePattern({ rules }).matches(event)).toBe(found);
      }),
      { numRuns: 3_000 },
    );
  });

  test('several patterns together decide as one after another, by the members that they name alone', () => {
    const patterns = fc.array(pattern(dottedName, true), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(patterns, value(dottedName).object, (sources, event) => {
        const texts = sources.map((source) => JSON.stringify(source));
        const result = compileFilterCriteria(texts);
        if (!result.ok) throw new Error('the patterns must be valid');
        const { decide } = result.criteria;
        const found = anyOf(texts, (text) => compilePattern(parsed(text)).decide(event));
        expect(decide(event)).toBe(found);
        const isNamed = ([name]: readonly [string, unknown]): boolean =>
          decide.members.has(name.split('.')[0] ?? '');
        expect(decide(Object.fromEntries(Object.entries(event).filter(isNamed)))).toBe(found);
      }),
      { numRuns: 3_000 },
    );
  });

  test('never throws on arbitrary JSON, as pattern or as event', () => {
    const json = fc.oneof(fc.json({ maxDepth: 6 }), fc.string());
    fc.assert(
      fc.property(json, json, (patternText, eventText) => {
        const result = parsePattern(patternText);
        const event = readJson(eventText);
        const value = event.ok ? event.value : {};
        const outcome = result.ok
          ? compilePattern(result.pattern).matches(value)
          : result.error.message !== '';
        expect(outcome).toBeTypeOf('boolean');
      }),
      { numRuns: 2_000 },
    );
  });

  /** A name with both a leaf and members may differ where arrays lie in arrays; the table above covers the rest. */
  function hasLeafAndMembers(rules: Pattern['rules']): boolean {
    return rules.some((rule) =>
      rule.some(({ path }) => rule.some((other) => other.path.startsWith(`${path}.`))),
    );
  }
});

describe('time grows with the event', () => {
  const event = (count: number, element: (index: number) => unknown): unknown => ({
    a: Array.from({ length: count }, (_, index) => element(index)),
    b: Array.from({ length: count }, () => ({ x: 1 })),
  });
  const growth: readonly { why: string; pattern: string; element: (index: number) => unknown }[] = [
    { why: 'an array of leaves', pattern: '{"a":["none"]}', element: (index) => index },
    {
      why: 'an array of objects that all meet the first of two keys',
      pattern: '{"a":{"k":[1],"n":["none"]}}',
      element: () => ({ k: 1, n: 2 }),
    },
    {
      why: 'two arrays, one of which all elements meet',
      pattern: '{"a":{"k":[1]},"b":{"x":["none"]}}',
      element: () => ({ k: 1 }),
    },
    {
      why: 'absence that must be looked for everywhere',
      pattern: '{"a":{"k":[{"exists":false}],"n":["none"]}}',
      element: () => ({ n: 1 }),
    },
  ];
  test.each(growth)('$why: ten times the size is about ten times the steps', ({ pattern, element }) => {
    const small = steps(pattern, event(1_000, element));
    const large = steps(pattern, event(10_000, element));
    expect(small).toBeGreaterThan(900);
    expect(large / small).toBeLessThan(11);
  });

  test('what the pattern does not name is not looked at', () => {
    const large = { k: 1, other: Array.from({ length: 10_000 }, (_, index) => index) };
    expect(steps('{"k":[1]}', large)).toBeLessThan(5);
  });
});

describe('hostile input is answered', () => {
  const depth = 100_000;
  const cases: readonly Case[] = [
    {
      why: 'an event of deeply nested arrays',
      pattern: '{"a":[1]}',
      event: `{"a":${'['.repeat(depth)}1${']'.repeat(depth)}}`,
      result: 'match',
    },
    {
      why: 'the same with objects inside and absence asked for',
      pattern: '{"a":{"b":[{"exists":false}],"c":[1]}}',
      event: `{"a":${'['.repeat(depth)}{"c":1}${']'.repeat(depth)}}`,
      result: 'match',
    },
    {
      why: 'the same reached through a dotted name',
      pattern: '{"a":{"b":{"c":[1]}}}',
      event: `{"a.b":${'['.repeat(depth)}{"c":1}${']'.repeat(depth)}}`,
      result: 'match',
    },
    {
      why: 'an event of deeply nested objects with a number that needs the exact reader',
      pattern: '{"a":{"a":[1]}}',
      event: `${'{"a":'.repeat(depth)}12345678901234567890${'}'.repeat(depth)}`,
      result: 'nomatch',
    },
    {
      why: 'a pattern nested too deep',
      pattern: `${'{"a":'.repeat(depth / 10)}[1]${'}'.repeat(depth / 10)}`,
      event: '{}',
      result: 'invalid',
    },
    {
      why: '$or in $or, too deep',
      pattern: `${'{"$or":[{"a":[1]},'.repeat(2_000)}{"a":[1]}${']}'.repeat(2_000)}`,
      event: '{}',
      result: 'invalid',
    },
    {
      why: '$or beside $or: more combinations than anyone writes',
      pattern: `{${Array.from({ length: 12 }, (_, index) => `"k${index}":{"$or":[{"a":[1]},{"b":[1]}]}`).join(',')}}`,
      event: '{}',
      result: 'invalid',
    },
    {
      why: 'a pattern longer than the limit',
      pattern: `{"a":["${'x'.repeat(70_000)}"]}`,
      event: '{}',
      result: 'invalid',
    },
    { why: 'lone surrogates', pattern: '{"a":["\\ud800"]}', event: '{"a":"\\ud800"}', result: 'match' },
    {
      why: 'a number of a million digits',
      pattern: '{"a":[{"numeric":[">",1]}]}',
      event: `{"a":${'9'.repeat(1_000_000)}}`,
      result: 'nomatch',
    },
    {
      why: 'of two members of the event with one name the last counts',
      pattern: '{"a":[1]}',
      event: '{"a":1,"a":2}',
      result: 'nomatch',
    },
  ];
  test.each(cases)('$why', ({ pattern, event, result }) => {
    expect(answer(pattern, event)).toBe(result);
  });

  test('an event made for the search is undecided, and passes, instead of taking forever', () => {
    const { event, pattern } = undecidable;
    const compiled = compilePattern(parsed(pattern));
    expect(compiled.decide(event)).toBe('undecided');
    expect(compiled.matches(event)).toBe(true);
    expect(compiled.measure(event).steps).toBeLessThan(3_000_000);
  });

  test('an undecided absence does not count as met', () => {
    // Giving up within `d` leaves none of its leaves looked at.
    const { event } = undecidable;
    const pattern = '{"a":{"b":[1],"q":[1]},"c":{"b":[1]},"d":{"b":["none",{"exists":false}]}}';
    expect(compilePattern(parsed(pattern)).decide(event)).toBe('undecided');
  });

  test('a value is looked at once, however many combinations it is in', () => {
    const looked = new Map<unknown, number>();
    const conditions = parsed(undecidable.pattern).rules.flatMap((rule) =>
      rule.map(compileCondition).map((condition) => ({
        ...condition,
        accepts: (value: unknown) => {
          looked.set(value, (looked.get(value) ?? 0) + 1);
          return condition.accepts(value);
        },
      })),
    );
    const paths = parsed(undecidable.pattern).rules.flatMap((rule) => rule.map(({ path }) => path));
    search({ conditions, root: buildTree(paths) }, undecidable.event);
    expect(looked.get(2)).toBe(1);
  });

  test('the prototype of objects stays what it was', () => {
    const json = readJson('{"__proto__":{"polluted":1},"n":12345678901234567890}');
    expect(json.ok).toBe(true);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test.each([[null], ['text'], [1], [[{ a: 1 }]], [undefined]])(
    'an event that is no object does not match: %j',
    (event) => {
      expect(compilePattern(parsed('{"a":[1,{"exists":false}]}')).matches(event)).toBe(false);
    },
  );
});
