import type { Clock } from '../../src/lib/clock.ts';

/**
 * A clock whose time moves only when a test says so. Same calls in the same order give the same run on every machine:
 * sleepers wake one at a time, by due time and then by the order in which they fell asleep, and everything that a
 * woken sleeper sets off by promises is finished before the next one wakes.
 *
 * It does not drive real I/O or real timers: code under it must wait by this clock and by promises alone.
 */
export interface VirtualClockOptions {
  /** Wall-clock time at the start, epoch milliseconds; default 2026-01-01T00:00:00Z. */
  readonly startMs?: number;
}

export interface RunLimit {
  /** Virtual milliseconds after which `runUntil` gives up; default 30 days. */
  readonly limitMs?: number;
  /** Wake-ups after which `runUntil` gives up, against loops in which time stands still; default 10 million. */
  readonly maxSteps?: number;
}

interface Sleeper {
  readonly dueMs: number;
  readonly order: number;
  /** Undefined once woken or cancelled; the entry in the heap is then dead. */
  wake: (() => void) | undefined;
}

const START_MS = Date.UTC(2026, 0, 1);
const MAX_SLEEP_MS = 2_147_483_647;
/** So that a long run leaves the real event loop alive: test time-outs and the runner's own messages. */
const STEPS_PER_REAL_TURN = 2048;

export class VirtualClock implements Clock {
  readonly #heap: Sleeper[] = [];
  readonly #bySignal = new WeakMap<AbortSignal, Set<Sleeper>>();
  #elapsedMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  #sleepers = 0;
  #steps = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.#wallOffsetMs = options.startMs ?? START_MS;
  }

  now(): number {
    return this.#wallOffsetMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = this.#push(ms, resolve);
      if (signal !== undefined) this.#follow(signal, sleeper);
    });
  }

  /** Calls `action` after `ms` virtual milliseconds; the returned function cancels it. For simulated servers. */
  after(ms: number, action: () => void): () => void {
    const sleeper = this.#push(ms, action);
    return () => this.#cancel(sleeper);
  }

  /** How many sleeps and `after` calls are pending. */
  get sleepers(): number {
    return this.#sleepers;
  }

  /** How many sleepers have been woken by time since the clock was made. */
  get steps(): number {
    return this.#steps;
  }

  /** Milliseconds until the next sleeper is due, or undefined if nobody sleeps. */
  get nextDueInMs(): number | undefined {
    const next = this.#peek();
    return next === undefined ? undefined : next.dueMs - this.#elapsedMs;
  }

  /** Moves the wall clock alone, as a time server's correction does; durations and sleepers are untouched. */
  jumpWallClock(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** Lets everything finish that needs no time. */
  settle(): Promise<void> {
    // A tick runs when no promise callback is left, however long their chain is. Two of them, so that code which
    // itself waits for a tick (Node's streams) has had its turn too.
    return new Promise((resolve) => process.nextTick(() => process.nextTick(resolve)));
  }

  /** Moves time by `ms`, waking each sleeper that becomes due at its own moment. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    await this.settle();
    for (let next = this.#peek(); next !== undefined && next.dueMs <= endMs; next = this.#peek()) {
      await this.#step(next);
    }
    this.#elapsedMs = endMs;
  }

  /**
   * Moves time from sleeper to sleeper until the promise settles (its value is returned, its rejection thrown) or
   * the predicate holds. Throws when nobody sleeps any more, since then it can never happen, or at the limit.
   */
  runUntil(predicate: () => boolean, limit?: RunLimit): Promise<void>;
  runUntil<T>(promise: PromiseLike<T>, limit?: RunLimit): Promise<T>;
  async runUntil(goal: PromiseLike<unknown> | (() => boolean), limit: RunLimit = {}): Promise<unknown> {
    const endMs = this.#elapsedMs + (limit.limitMs ?? 30 * 86_400_000);
    const lastStep = this.#steps + (limit.maxSteps ?? 10_000_000);
    let reached: () => boolean;
    let result: PromiseLike<unknown> | undefined;
    if (typeof goal === 'function') {
      reached = goal;
    } else {
      let settled = false;
      const mark = (): void => {
        settled = true;
      };
      goal.then(mark, mark);
      reached = () => settled;
      result = goal;
    }
    await this.settle();
    while (!reached()) {
      const next = this.#peek();
      if (next === undefined) {
        throw new Error(
          `Nothing sleeps after ${this.#elapsedMs} ms, and what was waited for has not happened`,
        );
      }
      if (next.dueMs > endMs || this.#steps >= lastStep) {
        throw new Error(
          `What was waited for has not happened after ${this.#elapsedMs} ms and ${this.#steps} wake-ups`,
        );
      }
      await this.#step(next);
    }
    return result;
  }

  async #step(next: Sleeper): Promise<void> {
    this.#pop();
    this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
    const wake = next.wake;
    next.wake = undefined;
    this.#sleepers--;
    this.#steps++;
    wake?.();
    await this.settle();
    if (this.#steps % STEPS_PER_REAL_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  #follow(signal: AbortSignal, sleeper: Sleeper): void {
    // One listener for a signal, however many sleeps it ends: adding and removing one for each sleep is what would
    // dominate a simulation.
    let followers = this.#bySignal.get(signal);
    if (followers === undefined) {
      const created = new Set<Sleeper>();
      followers = created;
      this.#bySignal.set(signal, created);
      signal.addEventListener(
        'abort',
        () => {
          // A wake removes its own entry, which a Set allows within its iteration.
          for (const follower of created) {
            const wakeFollower = follower.wake;
            this.#cancel(follower);
            wakeFollower?.();
          }
          created.clear();
        },
        { once: true },
      );
    }
    const set = followers;
    set.add(sleeper);
    const wake = sleeper.wake;
    sleeper.wake = () => {
      set.delete(sleeper);
      wake?.();
    };
  }

  #cancel(sleeper: Sleeper): void {
    if (sleeper.wake === undefined) return;
    sleeper.wake = undefined;
    this.#sleepers--;
  }

  #push(ms: number, wake: () => void): Sleeper {
    const dueMs = this.#elapsedMs + Math.min(Math.max(0, ms), MAX_SLEEP_MS);
    const sleeper: Sleeper = { dueMs, order: this.#order++, wake };
    this.#sleepers++;
    const heap = this.#heap;
    let index = heap.length;
    heap.push(sleeper);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || !isBefore(sleeper, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = sleeper;
    return sleeper;
  }

  /** The next live sleeper; dead entries on the way are dropped. */
  #peek(): Sleeper | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].wake === undefined) this.#pop();
    return this.#heap[0];
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        childIndex++;
      }
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

function isBefore(a: Sleeper, b: Sleeper): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
