import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  matchesWildcard,
  parseWildcard,
  wildcardComplexity,
  type Wildcard,
} from '../../../src/filter/wildcard.ts';

function wildcard(text: string): Wildcard {
  const parsed = parseWildcard(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed;
}

/** The definition: the first star takes every possible number of characters in turn. */
function naive(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*')) {
    for (let taken = 0; taken <= text.length; taken += 1)
      if (naive(pattern.slice(1), text.slice(taken))) return true;
    return false;
  }
  return text.startsWith(pattern.charAt(0)) && naive(pattern.slice(1), text.slice(1));
}

test('agrees with the definition', () => {
  const pattern = fc
    .string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
    .filter((text) => !text.includes('**'));
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 });
  fc.assert(
    fc.property(pattern, text, (source, subject) => {
      expect(matchesWildcard(wildcard(source), subject)).toBe(naive(source, subject));
    }),
    { numRuns: 5_000 },
  );
});

test('a long piece is found where a short one would be', () => {
  const piece = 'ab'.repeat(30);
  expect(matchesWildcard(wildcard(`*${piece}c*`), `${'ab'.repeat(100)}c`)).toBe(true);
  expect(matchesWildcard(wildcard(`*${piece}d*`), `${'ab'.repeat(100)}c`)).toBe(false);
});

test.each([
  { why: 'short pieces that almost match', pattern: '*ab*ab*ac*', unit: 'ab' },
  { why: 'a long piece that almost matches everywhere', pattern: `*${'a'.repeat(200)}b*`, unit: 'a' },
])('time grows with the text: $why', ({ pattern, unit }) => {
  const stepsFor = (length: number): number => {
    const meter = { steps: 0 };
    expect(matchesWildcard(wildcard(pattern), unit.repeat(length), meter)).toBe(false);
    return meter.steps;
  };
  const small = stepsFor(1_000);
  expect(small).toBeGreaterThanOrEqual(1_000);
  expect(stepsFor(10_000) / small).toBeLessThan(11);
});

describe('complexity counts the prefixes that one text can match at once', () => {
  const counts: readonly { why: string; pattern: string; count: number }[] = [
    { why: 'no star: one', pattern: 'abc', count: 1 },
    { why: 'a star and what stands before it', pattern: '*', count: 2 },
    { why: 'repeated characters after a star add up', pattern: '*aaa', count: 4 },
    { why: 'the longest sample of the guide', pattern: '/Users/*/dir/dir/dir/dir/dir/doc.txt', count: 7 },
    { why: 'what EventBridge was recorded to refuse', pattern: '*:*:*:*:*:event-bus/*', count: 11 },
  ];
  test.each(counts)('$why', ({ pattern, count }) => {
    expect(wildcardComplexity(wildcard(pattern), 1_000)).toBe(count);
  });

  test('and stops at the limit', () => {
    expect(wildcardComplexity(wildcard(`*${'a'.repeat(4_000)}`), 11)).toBe(11);
  });
});
