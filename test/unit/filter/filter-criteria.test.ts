import { expect, test } from 'vitest';
import { compileFilterCriteria } from '../../../src/filter/filter-criteria.ts';

test('patterns are ORed, and the first that matches is told', () => {
  const result = compileFilterCriteria(['{"a":[1]}', '{"b":[1]}', '{"b":[1,2]}']);
  if (!result.ok) throw new Error('must compile');
  expect(result.criteria.firstMatch({ b: 1 })).toBe(1);
  expect(result.criteria.firstMatch({ b: 2 })).toBe(2);
  expect(result.criteria.firstMatch({ b: 3 })).toBe(-1);
  expect(result.criteria.passes({ b: 3 })).toBe(false);
  expect(result.criteria.passes({ a: 1 })).toBe(true);
});

test('without a pattern everything passes', () => {
  const result = compileFilterCriteria([]);
  if (!result.ok) throw new Error('must compile');
  expect(result.criteria.passes({ any: 'thing' })).toBe(true);
  expect(result.criteria.firstMatch({})).toBe(-1);
});

test('every pattern that cannot be used is named', () => {
  const result = compileFilterCriteria(['{}', '{"a":[1]}', 'plain']);
  expect(result.ok ? [] : result.problems.map(({ index }) => index)).toEqual([0, 2]);
});
