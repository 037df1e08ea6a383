import { describe, expect, test } from 'vitest';
import { createByteBudget } from '../../../src/poller/byte-budget.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const clock = new VirtualClock();
const signal = new AbortController().signal;

/** Which of the reservations have been granted so far. */
function line(budget: ReturnType<typeof createByteBudget>, bytes: readonly number[]): number[] {
  const granted: number[] = [];
  for (const [index, size] of bytes.entries())
    void budget.reserve(size, signal).then(() => granted.push(index));
  return granted;
}

describe('the byte budget', () => {
  test('grants what fits and counts it', async () => {
    const budget = createByteBudget(100);
    await budget.reserve(60, signal);
    expect(budget.tryReserve(41)).toBe(false);
    expect(budget.tryReserve(40)).toBe(true);
    expect(budget.used).toBe(100);
  });

  test('serves first come, first served: a large one is not overtaken by small ones', async () => {
    const budget = createByteBudget(100);
    budget.tryReserve(80);
    const granted = line(budget, [50, 10, 10]);
    await clock.settle();
    expect(granted).toEqual([]);
    expect(budget.tryReserve(5)).toBe(false);
    budget.adjust(-30);
    await clock.settle();
    expect(granted).toEqual([0]);
    budget.adjust(-50);
    await clock.settle();
    expect(granted).toEqual([0, 1, 2]);
    expect(budget.used).toBe(70);
  });

  test('grants more than the limit when nothing else is held', async () => {
    const budget = createByteBudget(100);
    budget.tryReserve(10);
    const granted = line(budget, [500, 1]);
    budget.adjust(-10);
    await clock.settle();
    expect(granted).toEqual([0]);
    expect(budget.used).toBe(500);
  });

  test('a reservation of nothing waits until there is any room', async () => {
    const budget = createByteBudget(100);
    budget.tryReserve(100);
    const granted = line(budget, [0]);
    await clock.settle();
    expect(granted).toEqual([]);
    budget.adjust(-1);
    await clock.settle();
    expect(granted).toEqual([0]);
  });

  test('may be exceeded by what really arrived, and then serves nobody until enough is back', async () => {
    const budget = createByteBudget(100);
    budget.tryReserve(50);
    budget.adjust(100);
    const granted = line(budget, [0]);
    budget.adjust(-20);
    await clock.settle();
    expect(granted).toEqual([]);
    budget.adjust(-60);
    await clock.settle();
    expect(granted).toEqual([0]);
  });

  test('who gives up leaves the line, and the next is served', async () => {
    const budget = createByteBudget(100);
    budget.tryReserve(60);
    const abort = new AbortController();
    const large = budget.reserve(90, abort.signal);
    const granted = line(budget, [40]);
    abort.abort(new Error('given up'));
    await expect(large).rejects.toThrow('given up');
    await clock.settle();
    expect(granted).toEqual([0]);
    await expect(budget.reserve(1, abort.signal)).rejects.toThrow('given up');
  });
});
