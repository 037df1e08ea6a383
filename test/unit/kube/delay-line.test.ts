import { expect, it } from 'vitest';
import { DelayLine } from '../../../src/kube/delay-line.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

it('does not grow when far times are taken back again and again', async () => {
  // A resync in 10 h that every event overtakes would leave an entry behind each time.
  const clock = new VirtualClock();
  const out: string[] = [];
  const line = new DelayLine(clock, (key) => out.push(key));
  for (let pass = 0; pass < 1000; pass++) {
    line.put(`key-${pass % 10}`, 36_000_000);
    line.remove(`key-${pass % 10}`);
    line.put(`key-${pass % 10}`, 36_000_000 + pass);
  }
  expect(line.size).toBe(10);
  expect(line.footprint).toBeLessThan(50);
  expect(clock.sleepers).toBe(1);
  await clock.advance(40_000_000);
  expect(out).toEqual(Array.from({ length: 10 }, (_, index) => `key-${index}`));
});

it('lets nothing out after it was cleared', async () => {
  const clock = new VirtualClock();
  const out: string[] = [];
  const line = new DelayLine(clock, (key) => out.push(key));
  line.put('a', 10);
  line.put('b', 20);
  line.clear();
  expect(clock.sleepers).toBe(0);
  await clock.advance(100);
  expect(out).toEqual([]);
});
