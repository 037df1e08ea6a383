/** How long the engine waits before it tries something again. Pure but for the random source passed in. */
import { backoffMs, type BackoffPolicy } from '../lib/backoff.ts';
import { SluiceError } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';

/** A target that throttles or is away: first probe after about a second, then at most a minute apart. */
export const BRAKE_POLICY: BackoffPolicy = { initialMs: 1000, factor: 2, maxMs: 60_000, jitter: 0.3 };
/**
 * A receive that failed and may work again, throttling included: as the AWS SDK, at most 20 s. That is also how often
 * an idle queue is polled, so that trying costs no more than reading, and what was mended is noticed soon.
 */
export const SOURCE_POLICY: BackoffPolicy = { initialMs: 500, factor: 2, maxMs: 20_000, jitter: 0.5 };
/** What a person has to mend (no such queue, no permission): no haste at first, but no long wait either. */
export const MENDED_POLICY: BackoffPolicy = { initialMs: 5000, factor: 2, maxMs: 20_000, jitter: 0.25 };
/** Deletions that did not succeed. */
export const SETTLE_POLICY: BackoffPolicy = { initialMs: 200, factor: 2, maxMs: 5000, jitter: 0.5 };
/** Receives that brought nothing but unmatched records, which were made visible again. */
export const UNMATCHED_POLICY: BackoffPolicy = { initialMs: 100, factor: 2, maxMs: 5000, jitter: 0.2 };

/** Bounds for a target's `Retry-After`: a wrong header must neither make the loop spin nor stop it for a day. */
export const RETRY_AFTER_MS = { min: 100, minLater: 1000, max: 300_000 } as const;
/** A target that asks for nearly no delay and goes on throttling is probed once a second after these many probes. */
const QUICK_PROBES = 3;

/** The delay before the next probe of a braked target. What the target asked for wins over the back-off. */
export function brakeDelayMs(attempt: number, retryAfterMs: number | undefined, random: Random): number {
  if (retryAfterMs === undefined || !Number.isFinite(retryAfterMs)) {
    return backoffMs(BRAKE_POLICY, attempt, random);
  }
  const least = attempt > QUICK_PROBES ? RETRY_AFTER_MS.minLater : RETRY_AFTER_MS.min;
  const asked = Math.min(Math.max(retryAfterMs, least), RETRY_AFTER_MS.max);
  // Chance is added on top: nobody may come earlier than asked, and not all at once.
  return asked * (1 + 0.1 * random());
}

/**
 * The delay after a failed call to the source. What no retry can help (a queue that does not exist, no permission)
 * is tried again all the same: somebody may create the queue, and the loop must find it by itself.
 */
export function sourceDelayMs(error: unknown, attempt: number, random: Random): number {
  if (error instanceof SluiceError) {
    if (error.retry.kind === 'never') return backoffMs(MENDED_POLICY, attempt, random);
    if (error.retry.kind === 'after') return Math.min(Math.max(error.retry.ms, 100), 300_000);
  }
  return backoffMs(SOURCE_POLICY, attempt, random);
}
