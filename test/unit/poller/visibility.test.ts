import { describe, expect, test } from 'vitest';
import type { QueueFacts } from '../../../src/poller/ports.ts';
import * as visibility from '../../../src/poller/visibility.ts';

const HOLD = 43_200_000;
const facts = (visibilityTimeoutMs: number): QueueFacts => ({
  fifo: false,
  visibilityTimeoutMs,
  backlog: { visible: 0, inFlight: 0, delayed: 0 },
});

test.for([
  { why: 'the queue decides', queueMs: 30_000, workingMs: 30_000, asked: undefined, own: undefined },
  { why: '2 s is enough for a heartbeat', queueMs: 2000, workingMs: 2000, asked: undefined, own: undefined },
  {
    why: '1 s is not: received with 2 s, given back to 1 s',
    queueMs: 1000,
    workingMs: 2000,
    asked: 2,
    own: 1,
  },
  { why: '0 is legal: received with 2 s, given back at once', queueMs: 0, workingMs: 2000, asked: 2, own: 0 },
])('a visibility time-out of $queueMs ms: $why', ({ queueMs, workingMs, asked, own }) => {
  expect(visibility.workingVisibilityMs(facts(queueMs))).toBe(workingMs);
  expect(visibility.receiveVisibilitySeconds(facts(queueMs))).toBe(asked);
  expect(visibility.ownTimingSeconds(facts(queueMs))).toBe(own);
});

describe('extension', () => {
  test('is due at half of the time-out, at least after a second', () => {
    expect(visibility.received(1000, 30_000)).toMatchObject({ untilMs: 31_000, extendAtMs: 16_000 });
    expect(visibility.received(1000, 2000)).toMatchObject({ untilMs: 3000, extendAtMs: 2000 });
  });

  test('lasts the full time-out from when it was asked for', () => {
    const seen = visibility.received(0, 30_000);
    expect(visibility.extensionSeconds(seen, 15_000, 30_000, HOLD)).toBe(30);
    const next = visibility.extended(seen, 15_000, 30, 30_000);
    expect(next).toEqual({ receivedAtMs: 0, untilMs: 45_000, extendAtMs: 30_000 });
  });

  test('never goes beyond the total time that the service allows', () => {
    const seen = { receivedAtMs: 0, untilMs: HOLD - 10_000, extendAtMs: HOLD - 25_000 };
    expect(visibility.extensionSeconds(seen, HOLD - 25_000, 30_000, HOLD)).toBe(23);
    expect(visibility.extensionSeconds(seen, HOLD - 10_000, 30_000, HOLD)).toBe(8);
    expect(
      visibility.extensionSeconds({ ...seen, untilMs: HOLD - 2000 }, HOLD - 4000, 30_000, HOLD),
    ).toBeUndefined();
  });

  test('that failed is tried several times in what is left, and then to learn what is still ours', () => {
    const seen = visibility.received(0, 30_000);
    expect(visibility.notExtended(seen, 15_000).extendAtMs).toBe(18_750);
    expect(visibility.notExtended(seen, 29_900).extendAtMs).toBe(30_100);
    expect(visibility.notExtended(seen, 31_000).extendAtMs).toBe(32_000);
  });

  test.for([
    {
      why: 'fresh messages need none, though the call may last longer',
      leftMs: 30_000,
      timeoutMs: 900_000,
      needed: false,
    },
    { why: 'a call that may outlast what is left', leftMs: 16_000, timeoutMs: 20_000, needed: true },
    { why: 'a call that cannot outlast it', leftMs: 16_000, timeoutMs: 10_000, needed: false },
    { why: 'it must gain something', leftMs: 25_000, timeoutMs: 30_000, needed: false },
  ])('before a call: $why', ({ leftMs, timeoutMs, needed }) => {
    const seen = { receivedAtMs: 0, untilMs: 5000 + leftMs, extendAtMs: Infinity };
    expect(visibility.needsExtensionFirst(seen, 5000, 30_000, timeoutMs)).toBe(needed);
  });

  test('of two lots taken together follows the one that ends first', () => {
    const merged = visibility.merged(visibility.received(5000, 30_000), visibility.received(0, 30_000));
    expect(merged).toEqual(visibility.received(0, 30_000));
  });
});
