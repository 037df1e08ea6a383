import { describe, expect, test } from 'vitest';
import { Occupancy } from '../../../src/targets/http/occupancy.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const forMs = 10_000;
const never = new AbortController().signal;

describe('endpoints that take one call at a time', () => {
  test('a free one is taken once, until it is given back', () => {
    const occupancy = new Occupancy();
    expect(occupancy.take('a')).toBe(true);
    expect(occupancy.take('a')).toBe(false);
    expect(occupancy.take('b')).toBe(true);
    occupancy.free('a');
    expect(occupancy.take('a')).toBe(true);
  });

  test('who waits is served in the order of coming, and nobody overtakes', async () => {
    const occupancy = new Occupancy();
    const clock = new VirtualClock();
    occupancy.take('a');
    const served: string[] = [];
    const wait = async (name: string): Promise<void> => {
      await occupancy.wait(clock, () => ['a'], forMs, never);
      served.push(name);
    };
    const first = wait('first');
    const second = wait('second');
    occupancy.free('a');
    expect(occupancy.take('a')).toBe(false);
    await first;
    expect(served).toEqual(['first']);
    occupancy.free('a');
    await second;
    expect(served).toEqual(['first', 'second']);
    expect(clock.sleepers).toBe(0);
  });

  test('the first of the wanted ones that gets free is taken, in the order of wanting', async () => {
    const occupancy = new Occupancy();
    const clock = new VirtualClock();
    for (const key of ['a', 'b', 'c']) occupancy.take(key);
    const key = occupancy.wait(clock, () => ['b', 'c'], forMs, never);
    occupancy.free('a');
    occupancy.free('c');
    expect(await key).toBe('c');
    expect(occupancy.take('a')).toBe(true);
  });

  test('one that comes while somebody waits is found within a second', async () => {
    const occupancy = new Occupancy();
    const clock = new VirtualClock();
    occupancy.take('a');
    let wanted = ['a'];
    const key = occupancy.wait(clock, () => wanted, forMs, never);
    wanted = ['a', 'new'];
    await clock.advance(1000);
    expect(await key).toBe('new');
  });

  test.each([
    {
      end: async (clock: VirtualClock) => clock.advance(forMs),
      wanted: () => ['a'],
      why: 'the time is over',
    },
    {
      end: async (clock: VirtualClock) => clock.advance(1000),
      wanted: () => [],
      why: 'nothing is left to want',
    },
  ])('waiting ends with nothing when $why', async ({ end, wanted }) => {
    const occupancy = new Occupancy();
    const clock = new VirtualClock();
    occupancy.take('a');
    const key = occupancy.wait(clock, wanted, forMs, never);
    await end(clock);
    expect(await key).toBeUndefined();
    occupancy.free('a');
    expect(occupancy.take('a')).toBe(true);
    expect(clock.sleepers).toBe(0);
  });

  test('waiting ends with nothing on abort, and leaves nothing behind', async () => {
    const occupancy = new Occupancy();
    const clock = new VirtualClock();
    occupancy.take('a');
    const stop = new AbortController();
    const key = occupancy.wait(clock, () => ['a'], forMs, stop.signal);
    stop.abort();
    expect(await key).toBeUndefined();
    expect(await occupancy.wait(clock, () => ['b'], forMs, stop.signal)).toBeUndefined();
    occupancy.free('a');
    expect(occupancy.take('a')).toBe(true);
    expect(clock.sleepers).toBe(0);
  });
});
