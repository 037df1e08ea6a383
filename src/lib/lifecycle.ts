/**
 * Tasks with an owner: every started task is awaited by the group that started it, and a failure of one reaches the
 * owner instead of becoming an unhandled rejection.
 */
import { LinkedList, unlinked, type Linked } from './linked-list.ts';

export class TaskGroup {
  readonly #running = new LinkedList<Running>();
  readonly #onError: (error: unknown) => void;

  /** `onError` is told of each task that rejected; the group itself never rejects. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get size(): number {
    return this.#running.size;
  }

  /** Starts `task` at once and keeps it until it ends. */
  run(task: () => Promise<void>): void {
    const running: Running = { ...unlinked(), ended: undefined };
    this.#running.add(running);
    const done = (): void => this.#running.delete(running);
    const failed = (error: unknown): void => {
      done();
      this.#onError(error);
    };
    // Not an async function around the task: this runs for each call of the target.
    running.ended = begun(task).then(done, failed);
  }

  /** Resolves when no task runs, including those started meanwhile. */
  async drained(): Promise<void> {
    while (this.#running.size > 0) {
      const tasks = [...this.#running];
      await Promise.all(tasks.flatMap(({ ended }) => ended ?? []));
    }
  }
}

function begun(task: () => Promise<void>): Promise<void> {
  try {
    return task();
  } catch (error) {
    return Promise.reject(error);
  }
}

interface Running extends Linked<Running> {
  ended: Promise<void> | undefined;
}

/** A signal that aborts when any of the given ones does; undefined entries are left out. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}

/** A promise together with the functions that settle it, for waits that end from elsewhere. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function deferred<T>(): Deferred<T> {
  return Promise.withResolvers<T>();
}
