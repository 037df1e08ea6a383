/**
 * One timer for many deadlines. `by` makes sure that `ring` is called at or soon after a time; an earlier time
 * replaces a later one, and whoever handles the ring looks at all its deadlines and names the next. So a loop with
 * hundreds of deadlines keeps one sleeper, and asking for a later time than the present one costs a comparison.
 */
import type { Clock } from '../lib/clock.ts';

/** A reason of our own: making the default one, an exception with a stack, would cost more than the sleep. */
const REPLACED = 'replaced by an earlier alarm';

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #atMs = Infinity;
  #sleep: AbortController | undefined;
  #stopped = false;

  /** `ring` must not throw. Times are those of `clock.monotonic()`. */
  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  by(atMs: number): void {
    if (this.#stopped || atMs >= this.#atMs) return;
    this.#atMs = atMs;
    this.#sleep?.abort(REPLACED);
    const sleep = new AbortController();
    this.#sleep = sleep;
    // Whole milliseconds, so that rounding can never make it ring before the time, again and again.
    const ms = Math.max(1, Math.ceil(atMs - this.#clock.monotonic()));
    void this.#clock.sleep(ms, sleep.signal).then(() => {
      if (this.#sleep !== sleep || sleep.signal.aborted) return;
      this.#sleep = undefined;
      this.#atMs = Infinity;
      this.#ring();
    });
  }

  /** No ring comes after this. */
  stop(): void {
    this.#stopped = true;
    this.#sleep?.abort(REPLACED);
    this.#sleep = undefined;
  }
}
