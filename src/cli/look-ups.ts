/** Commands that look things up in AWS: how fast they call, and how they tell that they are at work. */
import { TokenBucket } from '../kube/rate-limiter.ts';
import type { Clock } from '../lib/clock.ts';
import type { Io } from './command.ts';

const progressMs = 2000;

/** Resolves when the next call may be made, at so many a second; throws when the signal aborts. */
export function paceOf(clock: Clock, perSecond: number): (signal: AbortSignal) => Promise<void> {
  const bucket = new TokenBucket(clock, perSecond, perSecond);
  return async (signal) => {
    const waitMs = bucket.reserve();
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    signal.throwIfAborted();
  };
}

/** Tells on standard error how far it is, every two seconds at most. */
export function progressOf(clock: Clock, io: Io): (text: string) => Promise<void> {
  let toldAtMs = clock.now();
  return async (text) => {
    if (clock.now() - toldAtMs < progressMs) return;
    toldAtMs = clock.now();
    await io.err(`${text}\n`);
  };
}
