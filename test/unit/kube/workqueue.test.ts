import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { WorkQueue, type WorkQueueEvent } from '../../../src/kube/workqueue.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

let clock: VirtualClock;
let queue: WorkQueue;
let events: WorkQueueEvent[];

beforeEach(() => {
  clock = new VirtualClock();
  events = [];
  queue = new WorkQueue({ name: 'mappings', clock, observe: (event) => events.push(event) });
});

/** Takes what is ready, without waiting for more. */
async function ready(): Promise<string[]> {
  const keys: string[] = [];
  while (queue.snapshot().depth > 0) keys.push((await queue.get()) ?? '');
  return keys;
}

describe('adding', () => {
  it('gives a key out once, however often it was added, and keys in their order', async () => {
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(await ready()).toEqual(['a', 'b', 'c']);
  });

  it('gives a key that is added in work out again, but only when the work is done', async () => {
    queue.add('a');
    await ready();
    queue.add('a');
    queue.add('a');
    expect(await ready()).toEqual([]);
    queue.done('a');
    expect(await ready()).toEqual(['a']);
    queue.done('a');
    expect(await ready()).toEqual([]);
  });

  it('wakes a worker that waits', async () => {
    const got = queue.get();
    queue.add('a');
    expect(await got).toBe('a');
  });

  it('wakes as many workers as there are keys', async () => {
    const workers = [queue.get(), queue.get(), queue.get()];
    queue.add('a');
    queue.add('b');
    queue.add('c');
    expect(new Set(await Promise.all(workers))).toEqual(new Set(['a', 'b', 'c']));
  });

  it('does not lose a key when the worker it woke leaves', async () => {
    const leaving = new AbortController();
    const first = queue.get(leaving.signal);
    const second = queue.get();
    queue.add('a');
    leaving.abort();
    expect(await Promise.race([first.then((key) => key ?? second), second])).toBe('a');
    expect(queue.snapshot().depth).toBe(0);
  });
});

describe('delaying', () => {
  it('gives a key out at its time and not before', async () => {
    queue.addAfter('a', 1000);
    await clock.advance(999);
    expect(await ready()).toEqual([]);
    await clock.advance(1);
    expect(await ready()).toEqual(['a']);
  });

  it.each([
    { first: 5000, second: 1000, atMs: 1000, why: 'the later addition is earlier' },
    { first: 1000, second: 5000, atMs: 1000, why: 'the earlier addition stays' },
    { first: 1000, second: 0, atMs: 0, why: 'no delay is now' },
    { first: 1000, second: Number.NaN, atMs: 0, why: 'a delay that is none must not lose the key' },
  ])('the earliest wins: $first then $second ($why)', async ({ first, second, atMs }) => {
    queue.addAfter('a', first);
    queue.addAfter('a', second);
    await clock.advance(atMs);
    expect(await ready()).toEqual(['a']);
    queue.done('a');
    await clock.advance(20_000);
    expect(await ready(), 'once only').toEqual([]);
  });

  it('an immediate addition replaces the delayed one', async () => {
    queue.addAfter('a', 1000);
    queue.add('a');
    await ready();
    queue.done('a');
    await clock.advance(2000);
    expect(await ready()).toEqual([]);
  });

  it('keeps many keys in the order of their times', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 40 }),
        async (delays) => {
          const clock = new VirtualClock();
          const queue = new WorkQueue({ name: 'mappings', clock });
          for (const delay of delays) queue.addAfter(String(delay), delay);
          const order: string[] = [];
          for (const _ of delays) order.push((await clock.runUntil(queue.get())) ?? '');
          expect(order).toEqual(delays.sort((a, b) => a - b).map(String));
        },
      ),
    );
  });

  it('does not grow when a far time is replaced again and again', async () => {
    // Each pass sets a resync of 10 h and is overtaken by an event: only one sleep may be left over.
    for (let pass = 0; pass < 1000; pass++) {
      queue.addAfter('a', 36_000_000);
      queue.add('a');
      await ready();
      queue.done('a');
    }
    queue.addAfter('a', 36_000_000);
    expect(queue.snapshot().delayed).toBe(1);
    expect(clock.sleepers).toBe(1);
  });
});

describe('retrying', () => {
  it('waits longer with each failure, until the key is forgotten', async () => {
    const waits: number[] = [];
    for (let failure = 0; failure < 4; failure++) {
      queue.addRateLimited('a');
      const before = clock.monotonic();
      expect(await clock.runUntil(queue.get())).toBe('a');
      waits.push(clock.monotonic() - before);
      queue.done('a');
    }
    expect(waits).toEqual([5, 10, 20, 40]);
    expect(queue.failures('a')).toBe(4);
    queue.forget('a');
    queue.addRateLimited('a');
    await clock.advance(5);
    expect(await ready()).toEqual(['a']);
  });
});

describe('shutting down', () => {
  it('takes nothing new, drops what is delayed, gives out what is ready, and drains', async () => {
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    const working = await queue.get();
    let drained = false;
    const drain = queue.shutDown().then(() => {
      drained = true;
    });
    expect(queue.snapshot().delayed).toBe(0);
    queue.add('d');
    queue.addAfter('e', 1);
    queue.addRateLimited('f');
    await clock.advance(1000);
    expect(await queue.get()).toBe('b');
    expect(await queue.get()).toBeUndefined();
    queue.done('b');
    await clock.settle();
    expect(drained).toBe(false);
    queue.done(working ?? '');
    await drain;
    expect(clock.sleepers).toBe(0);
  });

  it('ends the wait of every worker', async () => {
    const workers = [queue.get(), queue.get()];
    await queue.shutDown();
    expect(await Promise.all(workers)).toEqual([undefined, undefined]);
  });
});

it('a worker that is told to stop gets no key', async () => {
  const stop = new AbortController();
  const got = queue.get(stop.signal);
  stop.abort();
  expect(await got).toBeUndefined();
});

it('tells what the workqueue metrics need', async () => {
  queue.add('a');
  await clock.advance(300);
  await queue.get();
  queue.add('b');
  await clock.advance(50);
  await queue.get();
  queue.add('c');
  await clock.advance(100);
  expect(queue.snapshot()).toEqual({ depth: 1, delayed: 0, unfinishedWorkMs: 250, longestRunningMs: 150 });
  queue.done('a');
  queue.addRateLimited('a');
  expect(events).toEqual([
    { kind: 'added', queue: 'mappings' },
    { kind: 'started', queue: 'mappings', queueMs: 300 },
    { kind: 'added', queue: 'mappings' },
    { kind: 'started', queue: 'mappings', queueMs: 50 },
    { kind: 'added', queue: 'mappings' },
    { kind: 'finished', queue: 'mappings', workMs: 150 },
    { kind: 'retried', queue: 'mappings' },
  ]);
});

it('never gives a key to two workers, and never loses one, whatever the order of calls', async () => {
  const action = fc.record({
    act: fc.constantFrom('add', 'after', 'limited', 'get', 'done', 'advance'),
    key: fc.constantFrom('a', 'b', 'c'),
    ms: fc.integer({ min: 1, max: 50 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      const clock = new VirtualClock();
      const queue = new WorkQueue({ name: 'mappings', clock });
      const working = new Set<string>();
      /** Keys whose last addition has not been given out yet. */
      const owed = new Set<string>();
      const take = async (): Promise<void> => {
        const key = (await queue.get()) ?? '';
        expect(working.has(key)).toBe(false);
        working.add(key);
        owed.delete(key);
      };
      for (const { act, key, ms } of actions) {
        switch (act) {
          case 'add':
            queue.add(key);
            owed.add(key);
            break;
          case 'after':
            queue.addAfter(key, ms);
            owed.add(key);
            break;
          case 'limited':
            queue.addRateLimited(key);
            owed.add(key);
            break;
          case 'get':
            if (queue.snapshot().depth > 0) await take();
            break;
          case 'done':
            queue.done(key);
            working.delete(key);
            break;
          case 'advance':
            await clock.advance(ms);
            break;
        }
      }
      // Whatever was added comes out in the end.
      for (const key of working) queue.done(key);
      working.clear();
      await clock.advance(1_000_000);
      while (queue.snapshot().depth > 0) await take();
      expect([...owed]).toEqual([]);
    }),
  );
});
