/** The two limits of client-go's default controller queue, and their combination. Pure but for the clock. */
import type { Clock } from '../lib/clock.ts';

/** Says how long an item must wait before it may run again. */
export interface RateLimiter {
  /** The wait in milliseconds; counts as one more failure of the item. */
  when(key: string): number;
  /** The item succeeded: its next failure is its first. */
  forget(key: string): void;
  /** Failures of the item since it was last forgotten. */
  failures(key: string): number;
}

/** Each item's own wait: `baseMs`, doubled with each failure, up to `maxMs`. */
export class ItemBackoff implements RateLimiter {
  readonly #failures = new Map<string, number>();
  readonly #baseMs: number;
  readonly #maxMs: number;

  constructor(baseMs = 5, maxMs = 1_000_000) {
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
  }

  when(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    return Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(failures, 64));
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }
}

/** A token bucket whose tokens may be taken in advance: each taker is told how long to wait for its own. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledMs: number;

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledMs = clock.monotonic();
  }

  /** Takes a token and gives the milliseconds until it is there. */
  reserve(): number {
    this.#fill();
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / this.#perSecond;
  }

  /** Takes a token if there is one now. */
  tryTake(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Whether nothing has been taken that has not come back: the bucket is as new. */
  get full(): boolean {
    this.#fill();
    return this.#tokens >= this.#burst;
  }

  #fill(): void {
    const nowMs = this.#clock.monotonic();
    const gained = ((nowMs - this.#filledMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filledMs = nowMs;
  }
}

/** client-go's default for controllers: the longer of each item's own back-off and a bucket of 10/s, 100 at once. */
export function defaultRateLimiter(clock: Clock): RateLimiter {
  const items = new ItemBackoff();
  const bucket = new TokenBucket(clock, 10, 100);
  return {
    when: (key) => Math.max(items.when(key), bucket.reserve()),
    forget: (key) => items.forget(key),
    failures: (key) => items.failures(key),
  };
}
