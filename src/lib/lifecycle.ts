/**
 * Tasks with an owner: every started task is awaited by the group that started it, and a failure of one reaches the
 * owner instead of becoming an unhandled rejection.
 */
export class TaskGroup {
  readonly #onError: (error: unknown) => void;
  #running = 0;
  #idle: Deferred<void> | undefined;

  /** `onError` is told of each task that rejected; the group itself never rejects. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get size(): number {
    return this.#running;
  }

  /** Starts `task` at once and keeps it until it ends. */
  run(task: () => Promise<void>): void {
    this.#running++;
    // Counted, not listed, and by the same two functions for all: this runs for each call of the target.
    void begun(task).then(this.#ended, this.#failed);
  }

  /** Resolves when no task runs, including those started meanwhile. */
  async drained(): Promise<void> {
    while (this.#running > 0) await (this.#idle ??= deferred()).promise;
  }

  readonly #ended = (): void => {
    if (--this.#running > 0 || this.#idle === undefined) return;
    this.#idle.resolve();
    this.#idle = undefined;
  };

  readonly #failed = (error: unknown): void => {
    this.#ended();
    this.#onError(error);
  };
}

function begun(task: () => Promise<void>): Promise<void> {
  try {
    return task();
  } catch (error) {
    return Promise.reject(error);
  }
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
