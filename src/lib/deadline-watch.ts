/**
 * One sleeper for all calls with the same time limit: within them, the order of starting is that of the deadlines. A
 * timer for each call would cost more than most calls do otherwise.
 */
import type { Clock } from './clock.ts';
import { LinkedList, type Linked } from './linked-list.ts';

/** A call that is watched. */
export interface Watched<T> extends Linked<T> {
  /** Set by the watch. */
  deadlineMs: number;
  /** Told at the deadline, when it is watched no more. */
  expire(): void;
}

export class DeadlineWatch<T extends Watched<T>> {
  readonly timeoutMs: number;
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  readonly #calls = new LinkedList<T>();
  #watching: Promise<void> | undefined;

  /** It sleeps no more once `stop` aborts. */
  constructor(clock: Clock, timeoutMs: number, stop: AbortSignal) {
    this.#clock = clock;
    this.timeoutMs = timeoutMs;
    this.#stop = stop;
  }

  /** Resolves when nobody sleeps any more. */
  get ended(): Promise<void> {
    return this.#watching ?? Promise.resolve();
  }

  add(call: T): void {
    call.deadlineMs = this.#clock.monotonic() + this.timeoutMs;
    this.#calls.add(call);
    this.#watching ??= this.#watch();
  }

  delete(call: T): void {
    this.#calls.delete(call);
  }

  async #watch(): Promise<void> {
    for (;;) {
      const call = this.#calls.first;
      if (call === undefined || this.#stop.aborted) break;
      const ms = call.deadlineMs - this.#clock.monotonic();
      if (ms > 0) await this.#clock.sleep(Math.ceil(ms), this.#stop);
      else {
        this.#calls.delete(call);
        call.expire();
      }
    }
    this.#watching = undefined;
  }
}
