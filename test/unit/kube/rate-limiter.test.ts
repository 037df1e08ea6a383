import { describe, expect, it } from 'vitest';
import { defaultRateLimiter, ItemBackoff, TokenBucket } from '../../../src/kube/rate-limiter.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

describe('the back-off of an item', () => {
  it('doubles from 5 ms to 1000 s, for each item alone', () => {
    const limiter = new ItemBackoff();
    expect([1, 2, 3, 4].map(() => limiter.when('a'))).toEqual([5, 10, 20, 40]);
    expect(limiter.when('b')).toBe(5);
    for (let failure = 0; failure < 2000; failure++) limiter.when('a');
    expect(limiter.when('a')).toBe(1_000_000);
  });

  it('starts anew when the item is forgotten', () => {
    const limiter = new ItemBackoff();
    limiter.when('a');
    limiter.when('a');
    expect(limiter.failures('a')).toBe(2);
    limiter.forget('a');
    expect(limiter.failures('a')).toBe(0);
    expect(limiter.when('a')).toBe(5);
  });
});

describe('a token bucket', () => {
  it('gives its burst at once and then one token a period', async () => {
    const clock = new VirtualClock();
    const bucket = new TokenBucket(clock, 10, 3);
    expect([1, 2, 3, 4, 5].map(() => bucket.reserve())).toEqual([0, 0, 0, 100, 200]);
    await clock.advance(200);
    expect(bucket.reserve()).toBe(100);
  });

  it('is never fuller than its burst', async () => {
    const clock = new VirtualClock();
    const bucket = new TokenBucket(clock, 10, 2);
    await clock.advance(3_600_000);
    expect([1, 2, 3].map(() => bucket.tryTake())).toEqual([true, true, false]);
  });
});

it('the default limits all items together to 10 a second after 100', () => {
  const limiter = defaultRateLimiter(new VirtualClock());
  const waits = Array.from({ length: 103 }, (_, index) => limiter.when(`item-${index}`));
  expect(waits.slice(0, 100).every((ms) => ms === 5)).toBe(true);
  expect(waits.slice(100)).toEqual([100, 200, 300]);
});
