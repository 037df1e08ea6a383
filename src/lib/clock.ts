/**
 * Time as an argument. Everything that waits or asks for the time takes a `Clock`, so that the engine runs
 * unchanged under the virtual clock of the tests (`test/support/virtual-clock.ts`). Only `cli` makes a real one.
 */
export interface Clock {
  /** Wall-clock time in epoch milliseconds. May jump; never use it to measure a duration. */
  now(): number;
  /** Milliseconds on a clock that never goes back; only differences have a meaning. */
  monotonic(): number;
  /**
   * Resolves after `ms` milliseconds, or as soon as `signal` aborts, whichever is first. It never rejects: every
   * loop looks at its signal anyway, so a wait that ends early needs no second way out.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `action` after `ms` milliseconds; the returned function cancels that. For deadlines that are moved all the
   * time, since it makes neither a promise nor a signal. `action` must not throw.
   */
  after(ms: number, action: () => void): () => void;
}

/** `setTimeout` takes at most 2^31-1 ms and would fire at once above it. */
const longestMs = 2_147_483_647;

function within(ms: number): number {
  return Math.min(Math.max(0, ms), longestMs);
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, within(ms));
      signal?.addEventListener('abort', done, { once: true });
    }),
  after: (ms, action) => {
    const timer = setTimeout(action, within(ms));
    return () => clearTimeout(timer);
  },
};
