/**
 * One timer for many deadlines. `by` makes sure that `ring` is called at or soon after a time; an earlier time
 * replaces a later one, and whoever handles the ring looks at all its deadlines and names the next. So a loop with
 * hundreds of deadlines keeps one sleeper, and asking for a later time than the present one costs a comparison.
 */
import type { Clock } from '../lib/clock.ts';

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #atMs = Infinity;
  #cancel: (() => void) | undefined;
  #stopped = false;

  /** `ring` must not throw. Times are those of `clock.monotonic()`. */
  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  by(atMs: number): void {
    if (this.#stopped || atMs >= this.#atMs) return;
    this.#atMs = atMs;
    this.#cancel?.();
    // Whole milliseconds, so that rounding can never make it ring before the time, again and again.
    const ms = Math.max(1, Math.ceil(atMs - this.#clock.monotonic()));
    this.#cancel = this.#clock.after(ms, this.#onTime);
  }

  readonly #onTime = (): void => {
    this.#cancel = undefined;
    this.#atMs = Infinity;
    this.#ring();
  };

  /** No ring comes after this. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
