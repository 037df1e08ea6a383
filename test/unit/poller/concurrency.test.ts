import { describe, expect, test } from 'vitest';
import { cut, grow, rest, startConcurrency } from '../../../src/poller/concurrency.ts';

const adaptive = { maximumConcurrency: undefined, ceiling: 100 };

describe('without maximumConcurrency', () => {
  test('begins at 5, or at the ceiling if that is lower', () => {
    expect(startConcurrency(adaptive).limit).toBe(5);
    expect(startConcurrency({ ...adaptive, ceiling: 3 }).limit).toBe(3);
  });

  test('grows by at most 5 a second, up to the ceiling', () => {
    let now = startConcurrency(adaptive);
    const limits: number[] = [];
    for (let ms = 0; ms <= 3000; ms += 250) {
      now = grow(now, { ...adaptive, ceiling: 18 }, ms);
      limits.push(now.limit);
    }
    expect(limits).toEqual([10, 10, 10, 10, 15, 15, 15, 15, 18, 18, 18, 18, 18]);
  });

  test('is halved by a failed call, once for all that ran at the time', () => {
    const full = { limit: 20, grownAtMs: 0, cutAtMs: -Infinity };
    const once = cut(full, adaptive, 900, 1000);
    expect(once.limit).toBe(10);
    expect(cut(once, adaptive, 950, 1010).limit).toBe(10);
    expect(cut(once, adaptive, 1005, 1100).limit).toBe(5);
  });

  test('never falls below 1, and doubles back from there', () => {
    const low = cut({ limit: 1, grownAtMs: 0, cutAtMs: 0 }, adaptive, 10, 20);
    expect(low.limit).toBe(1);
    expect(grow(low, adaptive, 500).limit).toBe(1);
    expect(grow(low, adaptive, 1020).limit).toBe(2);
  });

  test('rests at 5 when idle', () => {
    expect(rest({ limit: 60, grownAtMs: 0, cutAtMs: 0 }, adaptive).limit).toBe(5);
    expect(rest({ limit: 1, grownAtMs: 0, cutAtMs: 0 }, adaptive).limit).toBe(5);
  });

  test('keeps what it learnt over a change of the spec, within the new ceiling', () => {
    expect(
      startConcurrency({ ...adaptive, ceiling: 10 }, { limit: 40, grownAtMs: 0, cutAtMs: 0 }).limit,
    ).toBe(10);
  });
});

test('with maximumConcurrency it is exactly that, whatever happens', () => {
  const bounds = { maximumConcurrency: 7, ceiling: 3 };
  const fixed = startConcurrency(bounds);
  expect(fixed.limit).toBe(7);
  expect(grow(fixed, bounds, 5000)).toBe(fixed);
  expect(cut(fixed, bounds, 0, 5000)).toBe(fixed);
  expect(rest(fixed, bounds)).toBe(fixed);
});
