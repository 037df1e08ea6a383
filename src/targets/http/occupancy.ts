/**
 * Which endpoints are at a call, for targets that take one at a time, over all mappings of the process: two mappings
 * may have the same pods. Who waits is served first come, first served, by the first endpoint of theirs that gets free.
 *
 * It knows nothing of other processes; a mapping has one owner in the fleet.
 */
import type { Clock } from '../../lib/clock.ts';
import { deferred, type Deferred } from '../../lib/lifecycle.ts';

interface Waiter {
  readonly wanted: () => readonly string[];
  readonly granted: Deferred<string | undefined>;
}

/** How often those who wait look at what they want again, since it changes: pods come and go. */
const tickMs = 1_000;

export class Occupancy {
  readonly #busy = new Set<string>();
  readonly #waiters = new Set<Waiter>();

  /** Takes `key` if it is free and nobody has waited longer for it. */
  take(key: string): boolean {
    if (this.#busy.has(key)) return false;
    for (const { wanted } of this.#waiters) if (wanted().includes(key)) return false;
    this.#busy.add(key);
    return true;
  }

  /**
   * Resolves with a key of `wanted`, which is then taken, in the order in which they are wanted; or with undefined
   * after `forMs`, when nothing is wanted any more, or when `signal` aborts.
   */
  async wait(
    clock: Clock,
    wanted: () => readonly string[],
    forMs: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (signal.aborted) return undefined;
    const byMs = clock.monotonic() + forMs;
    const over = new AbortController();
    const waiter: Waiter = { wanted, granted: deferred() };
    const stop = (): void => {
      this.#waiters.delete(waiter);
      waiter.granted.resolve(undefined);
      over.abort('over');
    };
    signal.addEventListener('abort', stop, { once: true });
    this.#waiters.add(waiter);
    this.#serve();
    const looking = this.#look(clock, waiter, byMs, over.signal, stop);
    const key = await waiter.granted.promise;
    signal.removeEventListener('abort', stop);
    stop();
    await looking;
    return key;
  }

  free(key: string): void {
    this.#busy.delete(key);
    this.#serve();
  }

  async #look(
    clock: Clock,
    { wanted }: Waiter,
    byMs: number,
    over: AbortSignal,
    stop: () => void,
  ): Promise<void> {
    while (!over.aborted) {
      await clock.sleep(Math.min(tickMs, byMs - clock.monotonic()), over);
      if (over.aborted) return;
      if (clock.monotonic() >= byMs || wanted().length === 0) stop();
      else this.#serve();
    }
  }

  #serve(): void {
    for (const waiter of this.#waiters) {
      const key = waiter.wanted().find((each) => !this.#busy.has(each));
      if (key === undefined) continue;
      this.#waiters.delete(waiter);
      this.#busy.add(key);
      waiter.granted.resolve(key);
    }
  }
}
