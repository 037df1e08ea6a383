import { describe, expect, test } from 'vitest';
import { OPEN, probe, pull, pullUnready, UNREADY_RECHECK_MS } from '../../../src/poller/brake.ts';

const least = () => 0;
const cause = { reason: 'TargetThrottled', message: '' };

describe('the brake', () => {
  test('is pulled by a throttle, and probes when the delay has passed', () => {
    const braked = pull(OPEN, cause, false, 1000, least);
    expect(braked).toMatchObject({ kind: 'braked', sinceMs: 1000, untilMs: 2000, attempt: 1 });
    expect(probe(braked, 1999)).toBe(braked);
    expect(probe(braked, 2000)).toMatchObject({ kind: 'probing', sinceMs: 1000, attempt: 1 });
  });

  test('is pulled for longer by each probe that fails, up to a minute', () => {
    let brake = pull(OPEN, cause, false, 0, least);
    const delays: number[] = [];
    for (let round = 0; round < 8; round++) {
      if (brake.kind !== 'braked') throw new Error('not braked');
      const nowMs = brake.untilMs;
      brake = pull(probe(brake, nowMs), cause, true, nowMs, least);
      if (brake.kind === 'braked') delays.push(brake.untilMs - nowMs);
    }
    expect(delays).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    expect(brake).toMatchObject({ sinceMs: 0, attempt: 9 });
  });

  test('is not made longer by calls that began before it', () => {
    const braked = pull(OPEN, cause, false, 0, least);
    expect(pull(braked, cause, false, 500, least)).toBe(braked);
    const probing = probe(braked, 1000);
    expect(pull(probing, cause, false, 1100, least)).toBe(probing);
  });

  test('honours a later Retry-After of such a call, but no earlier one', () => {
    const braked = pull(OPEN, { ...cause, retryAfterMs: 4000 }, false, 0, least);
    expect(pull(braked, { ...cause, retryAfterMs: 1000 }, false, 100, least)).toBe(braked);
    expect(pull(braked, { ...cause, retryAfterMs: 9000 }, false, 100, least)).toMatchObject({
      untilMs: 9100,
    });
  });

  test('of a target that is not ready is looked at each second and counts no attempt', () => {
    const braked = pullUnready(OPEN, 'NoReadyEndpoint', 0);
    expect(braked).toMatchObject({ unready: true, attempt: 0, untilMs: UNREADY_RECHECK_MS });
    expect(pullUnready(braked, 'NoReadyEndpoint', 1000)).toMatchObject({
      sinceMs: 0,
      untilMs: 2000,
      attempt: 0,
    });
  });
});
