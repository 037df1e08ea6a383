import { expect, test } from 'vitest';
import { compileFilterCriteria } from '../../../src/filter/filter-criteria.ts';
import { undecidable } from '../../support/undecidable.ts';

test('patterns are ORed', () => {
  const result = compileFilterCriteria(['{"a":[1]}', '{"b":[1]}', '{"b":[1,2]}']);
  if (!result.ok) throw new Error('must compile');
  expect(result.criteria.decide({ b: 1 })).toBe(true);
  expect(result.criteria.decide({ b: 2 })).toBe(true);
  expect(result.criteria.decide({ b: 3 })).toBe(false);
  expect(result.criteria.decide({ a: 1 })).toBe(true);
});

test('a pattern that matches outweighs one that is undecided, and that one outweighs those that do not', () => {
  const { event, pattern } = undecidable;
  const decide = (...patterns: readonly string[]) => {
    const result = compileFilterCriteria(patterns);
    return result.ok ? result.criteria.decide(event) : result;
  };
  expect(decide(pattern)).toBe('undecided');
  expect(decide(pattern, '{"x":[2]}')).toBe('undecided');
  expect(decide('{"x":[2]}', pattern)).toBe('undecided');
  expect(decide(pattern, '{"x":[1]}')).toBe(true);
});

test('without a pattern everything passes', () => {
  const result = compileFilterCriteria([]);
  if (!result.ok) throw new Error('must compile');
  expect(result.criteria.decide({ any: 'thing' })).toBe(true);
});

test('every pattern that cannot be used is named', () => {
  const result = compileFilterCriteria(['{}', '{"a":[1]}', 'plain']);
  expect(result.ok ? [] : result.problems.map(({ index }) => index)).toEqual([0, 2]);
});
