import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../support/virtual-clock.ts';

describe('VirtualClock', () => {
  test('wakes by due time, then by the order of falling asleep', async () => {
    const clock = new VirtualClock();
    const woken: string[] = [];
    for (const [name, ms] of [
      ['c', 20],
      ['a', 10],
      ['d', 20],
      ['b', 10],
    ] as const) {
      void clock.sleep(ms).then(() => woken.push(`${name}@${clock.monotonic()}`));
    }
    await clock.advance(19);
    expect(woken).toEqual(['a@10', 'b@10']);
    expect(clock.sleepers).toBe(2);
    await clock.advance(1);
    expect(woken).toEqual(['a@10', 'b@10', 'c@20', 'd@20']);
  });

  test('keeps the heap in order for any mix of sleeps', async () => {
    const clock = new VirtualClock();
    const due: number[] = [];
    let value = 7;
    for (let i = 0; i < 500; i++) {
      value = (value * 7919) % 1009;
      const ms = value;
      void clock.sleep(ms).then(() => due.push(ms));
    }
    await clock.advance(2000);
    expect(due).toHaveLength(500);
    expect(due).toEqual(due.toSorted((a, b) => a - b));
  });

  test('finishes a long chain of promises before the next sleeper wakes', async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const chain = async (): Promise<void> => {
      await clock.sleep(5);
      for (let i = 0; i < 1000; i++) await Promise.resolve();
      seen.push(`chain@${clock.monotonic()}`);
    };
    void chain();
    void clock.sleep(6).then(() => seen.push('next'));
    await clock.advance(10);
    expect(seen).toEqual(['chain@5', 'next']);
  });

  test('a sleep that begins during an advance ends within it', async () => {
    const clock = new VirtualClock();
    let rounds = 0;
    const loop = async (): Promise<void> => {
      for (;;) {
        await clock.sleep(10);
        rounds++;
      }
    };
    void loop();
    await clock.advance(100);
    expect(rounds).toBe(10);
  });

  test('an abort ends the sleep at once and leaves no sleeper', async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    const woken: number[] = [];
    void clock.sleep(10, abort.signal).then(() => woken.push(clock.monotonic()));
    void clock.sleep(1000, abort.signal).then(() => woken.push(clock.monotonic()));
    await clock.advance(20);
    abort.abort();
    await clock.settle();
    expect(woken).toEqual([10, 20]);
    expect(clock.sleepers).toBe(0);
    await clock.sleep(1000, abort.signal);
    expect(clock.monotonic()).toBe(20);
  });

  test('runUntil moves time until the promise settles and gives its value or its rejection', async () => {
    const clock = new VirtualClock({ startMs: 1000 });
    const work = clock.sleep(500).then(() => 'done');
    expect(await clock.runUntil(work)).toBe('done');
    expect(clock.now()).toBe(1500);
    const failing = clock.sleep(5).then(() => Promise.reject(new Error('no')));
    await expect(clock.runUntil(failing)).rejects.toThrow('no');
  });

  test('runUntil throws when nobody sleeps any more, at the limit, and when time stands still', async () => {
    const clock = new VirtualClock();
    await expect(clock.runUntil(() => false)).rejects.toThrow('Nothing sleeps');
    void clock.sleep(5000);
    await expect(clock.runUntil(() => false, { limitMs: 100 })).rejects.toThrow('has not happened');
    const spin = async (): Promise<void> => {
      for (;;) await clock.sleep(0);
    };
    void spin();
    await expect(clock.runUntil(() => false, { maxSteps: 1000 })).rejects.toThrow('wake-ups');
  });

  test('a jump of the wall clock changes no duration', async () => {
    const clock = new VirtualClock({ startMs: 0 });
    const woken = clock.sleep(100);
    clock.jumpWallClock(-3_600_000);
    await clock.runUntil(woken);
    expect(clock.monotonic()).toBe(100);
    expect(clock.now()).toBe(100 - 3_600_000);
  });

  test('a cancelled action is not called', async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const cancel = clock.after(10, () => seen.push('cancelled'));
    clock.after(11, () => seen.push('kept'));
    cancel();
    expect(clock.sleepers).toBe(1);
    await clock.advance(20);
    expect(seen).toEqual(['kept']);
  });
});
