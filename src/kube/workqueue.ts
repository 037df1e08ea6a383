/**
 * A queue of keys with the guarantees of client-go's: a key that is added many times before it is taken is given out
 * once; a key is never with two workers at once; a key that is added while it is being worked on comes again
 * afterwards; failures wait longer and longer. Keys are in one of these places:
 *
 *     delayed ──time──▸ ready ──get──▸ processing ──done──▸ gone
 *        ▴                ▴                │ added meanwhile
 *        └─ addAfter      └──── done ──────┘
 *
 * Of several delayed additions of a key the earliest wins, and an immediate one replaces them.
 */
import type { Clock } from '../lib/clock.ts';
import { deferred, type Deferred } from '../lib/lifecycle.ts';
import { DelayLine } from './delay-line.ts';
import { defaultRateLimiter, type RateLimiter } from './rate-limiter.ts';

/** What happens to keys; the `workqueue_*` metrics are made of these and of `WorkQueue.snapshot`. */
export type WorkQueueEvent =
  /** A key became ready (`workqueue_adds_total`). */
  | { readonly kind: 'added'; readonly queue: string }
  /** A worker took a key that had been ready for `queueMs` (`workqueue_queue_duration_seconds`). */
  | { readonly kind: 'started'; readonly queue: string; readonly queueMs: number }
  /** A worker was done after `workMs` (`workqueue_work_duration_seconds`). */
  | { readonly kind: 'finished'; readonly queue: string; readonly workMs: number }
  /** A key was put back for a retry (`workqueue_retries_total`). */
  | { readonly kind: 'retried'; readonly queue: string };

/** The gauges of a queue at one moment. */
export interface WorkQueueSnapshot {
  /** Keys that are ready (`workqueue_depth`). */
  readonly depth: number;
  /** Keys that wait for their time. */
  readonly delayed: number;
  /** Sum over the keys in work (`workqueue_unfinished_work_seconds`). */
  readonly unfinishedWorkMs: number;
  /** The oldest key in work (`workqueue_longest_running_processor_seconds`). */
  readonly longestRunningMs: number;
}

export interface WorkQueueOptions {
  /** The label `name` of the metrics. */
  readonly name: string;
  readonly clock: Clock;
  readonly observe?: (event: WorkQueueEvent) => void;
  /** Default: client-go's, see `defaultRateLimiter`. */
  readonly rateLimiter?: RateLimiter;
}

export class WorkQueue {
  readonly name: string;
  readonly #clock: Clock;
  readonly #observe: (event: WorkQueueEvent) => void;
  readonly #limiter: RateLimiter;
  readonly #delayed: DelayLine;
  /** Ready keys with the time they became so, in their order. */
  readonly #ready = new Map<string, number>();
  /** Keys in work with the time they were taken. */
  readonly #processing = new Map<string, number>();
  /** Keys that were added while in work. */
  readonly #again = new Map<string, number>();
  readonly #takers = new Set<Deferred<void>>();
  #drained: Deferred<void> | undefined;
  #shutDown = false;

  constructor(options: WorkQueueOptions) {
    this.name = options.name;
    this.#clock = options.clock;
    this.#observe = options.observe ?? (() => undefined);
    this.#limiter = options.rateLimiter ?? defaultRateLimiter(options.clock);
    this.#delayed = new DelayLine(options.clock, (key) => this.add(key));
  }

  /** Makes the key ready now; nothing happens if it is already, or after `shutDown`. */
  add(key: string): void {
    if (this.#shutDown) return;
    this.#delayed.remove(key);
    if (this.#ready.has(key) || this.#again.has(key)) return;
    this.#observe({ kind: 'added', queue: this.name });
    const nowMs = this.#clock.monotonic();
    if (this.#processing.has(key)) {
      this.#again.set(key, nowMs);
      return;
    }
    this.#ready.set(key, nowMs);
    this.#wakeOne();
  }

  /** Makes the key ready after `delayMs`, unless it is ready before. */
  addAfter(key: string, delayMs: number): void {
    if (this.#shutDown) return;
    if (!(delayMs > 0)) {
      this.add(key);
      return;
    }
    // A key that is ready already is looked at sooner than any delay.
    if (this.#ready.has(key) || this.#again.has(key)) return;
    this.#delayed.put(key, delayMs);
  }

  /** Puts a failed key back, after the wait that the rate limiter gives. */
  addRateLimited(key: string): void {
    if (this.#shutDown) return;
    this.#observe({ kind: 'retried', queue: this.name });
    this.addAfter(key, this.#limiter.when(key));
  }

  /** The key succeeded, or is given up: its failures are forgotten. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  /** Failures of the key since it was last forgotten. */
  failures(key: string): number {
    return this.#limiter.failures(key);
  }

  /**
   * The next key; waits for one. Undefined when the queue is shut down and empty, or the signal aborts. Each key that
   * was got must be given back with `done`.
   */
  async get(signal?: AbortSignal): Promise<string | undefined> {
    for (;;) {
      if (signal?.aborted === true) return undefined;
      const key = this.#take();
      if (key !== undefined) return key;
      if (this.#shutDown) return undefined;
      await this.#wait(signal);
    }
  }

  /** Work on the key has ended. Not the same as `forget`: a failed key is done too. */
  done(key: string): void {
    const startedMs = this.#processing.get(key);
    if (startedMs === undefined) return;
    this.#processing.delete(key);
    this.#observe({ kind: 'finished', queue: this.name, workMs: this.#clock.monotonic() - startedMs });
    const addedMs = this.#again.get(key);
    if (addedMs !== undefined) {
      this.#again.delete(key);
      this.#ready.set(key, addedMs);
      this.#wakeOne();
    }
    this.#checkDrained();
  }

  /**
   * Takes nothing new and drops what is delayed. Ready keys are still given out; the promise resolves when they and
   * those in work are done.
   */
  shutDown(): Promise<void> {
    this.#shutDown = true;
    this.#delayed.clear();
    for (const taker of this.#takers) taker.resolve();
    this.#drained ??= deferred<void>();
    this.#checkDrained();
    return this.#drained.promise;
  }

  snapshot(): WorkQueueSnapshot {
    const nowMs = this.#clock.monotonic();
    let unfinishedWorkMs = 0;
    let longestRunningMs = 0;
    for (const startedMs of this.#processing.values()) {
      unfinishedWorkMs += nowMs - startedMs;
      longestRunningMs = Math.max(longestRunningMs, nowMs - startedMs);
    }
    return {
      depth: this.#ready.size,
      delayed: this.#delayed.size,
      unfinishedWorkMs,
      longestRunningMs,
    };
  }

  #take(): string | undefined {
    for (const [key, readyMs] of this.#ready) {
      const nowMs = this.#clock.monotonic();
      this.#ready.delete(key);
      this.#processing.set(key, nowMs);
      this.#observe({ kind: 'started', queue: this.name, queueMs: nowMs - readyMs });
      return key;
    }
    return undefined;
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const taker = deferred<void>();
    const wake = (): void => taker.resolve();
    this.#takers.add(taker);
    signal?.addEventListener('abort', wake, { once: true });
    await taker.promise;
    signal?.removeEventListener('abort', wake);
    this.#takers.delete(taker);
    // Woken for a key, but aborted too: the key is for somebody else.
    if (signal?.aborted === true && this.#ready.size > 0) this.#wakeOne();
  }

  #wakeOne(): void {
    for (const taker of this.#takers) {
      this.#takers.delete(taker);
      taker.resolve();
      return;
    }
  }

  #checkDrained(): void {
    if (this.#shutDown && this.#ready.size === 0 && this.#processing.size === 0 && this.#again.size === 0) {
      this.#drained?.resolve();
    }
  }
}
