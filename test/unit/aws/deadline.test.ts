import { expect, test } from 'vitest';
import { DeadlineError, withDeadline } from '../../../src/aws/deadline.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** A call that ends only when it is cut off. */
const endless = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('cut off')));
  });

test('a call that does not end is cut off at its deadline', async () => {
  const clock = new VirtualClock();
  const call = withDeadline(clock, 1000, new AbortController().signal, endless).catch(
    (error: unknown) => error,
  );
  await clock.advance(999);
  expect(clock.sleepers).toBe(1);
  await clock.advance(1);
  expect(await call).toBeInstanceOf(DeadlineError);
});

test('a call that ends in time gives its value and leaves no timer', async () => {
  const clock = new VirtualClock();
  expect(await withDeadline(clock, 1000, new AbortController().signal, async () => 'value')).toBe('value');
  expect(clock.sleepers).toBe(0);
});

test("the caller's abort is not a deadline", async () => {
  const clock = new VirtualClock();
  const controller = new AbortController();
  const call = withDeadline(clock, 1000, controller.signal, endless).catch((error: unknown) => error);
  await clock.settle();
  controller.abort();
  const error = await call;
  expect(error).not.toBeInstanceOf(DeadlineError);
  expect(error).toMatchObject({ message: 'cut off' });
  expect(clock.sleepers).toBe(0);
});

test('an error of the call before the deadline is thrown as it is', async () => {
  const clock = new VirtualClock();
  const failure = new Error('own');
  const call = withDeadline(clock, 1000, new AbortController().signal, () => Promise.reject(failure));
  await expect(call).rejects.toBe(failure);
});
