/**
 * The workers of the controller: keys from the queue to the reconciler, and back into the queue when it says so. One
 * key is never with two workers, which is the queue's doing.
 */
import { reconcile } from '../controller/reconcile.ts';
import type { Next, ReconcilerDeps } from '../controller/pass.ts';
import { ItemBackoff } from '../kube/rate-limiter.ts';
import { WorkQueue, type WorkQueueEvent } from '../kube/workqueue.ts';
import { messageOf } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';

/**
 * AWS's control plane shares 15 requests a second with everybody in the account, so a failed step waits longer than
 * client-go's 5 ms.
 */
const firstRetryMs = 500;
const longestRetryMs = 300_000;
/**
 * With hundreds of mappings on their way, one look a second at each would say nothing that the backend does not tell
 * by itself, and be most of the work: all of them together are looked at so often. None waits for longer than three
 * seconds, since a look is also what starts the next List, and the last ones would wait for theirs.
 */
const soonLooksPerSecond = 100;
const soonMs = 3000;

export interface ReconcileLoopOptions {
  readonly deps: Omit<ReconcilerDeps, 'failures'>;
  readonly random: Random;
  readonly workers: number;
  readonly observe: (event: WorkQueueEvent) => void;
  /** A pass threw: what is no `SluiceError` is a fault of Sluice. */
  readonly onError: (key: string, message: string) => void;
}

export class ReconcileLoop {
  readonly queue: WorkQueue;
  readonly #options: ReconcileLoopOptions;
  readonly #limiter = new ItemBackoff(firstRetryMs, longestRetryMs);
  /** Keys that are to be looked at again within `soonMs`. */
  readonly #soon = new Set<string>();

  constructor(options: ReconcileLoopOptions) {
    this.#options = options;
    const { deps, observe } = options;
    this.queue = new WorkQueue({
      name: 'eventsourcemapping',
      clock: deps.clock,
      observe,
      rateLimiter: this.#limiter,
    });
  }

  /** Works until the signal aborts and every worker has ended. Passes under way are cut off by the signal. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.workers }, () => this.#work(signal)));
    // What waits is for the next leader, who looks at everything: with no worker left it would wait here for ever, and
    // the process would go on holding its Lease.
    void this.queue.shutDown();
  }

  async #work(signal: AbortSignal): Promise<void> {
    const deps = { ...this.#options.deps, failures: (key: string) => this.queue.failures(key) };
    for (let key = await this.queue.get(signal); key !== undefined; key = await this.queue.get(signal)) {
      try {
        this.#again(key, await reconcile(deps, key, signal));
      } catch (error) {
        if (!signal.aborted) {
          this.#options.onError(key, messageOf(error));
          this.queue.addRateLimited(key);
        }
      } finally {
        this.queue.done(key);
      }
    }
  }

  #again(key: string, next: Next): void {
    if (next.kind === 'after' && next.ms < soonMs) this.#soon.add(key);
    else this.#soon.delete(key);
    switch (next.kind) {
      case 'done':
        this.queue.forget(key);
        return;
      case 'after':
        this.queue.forget(key);
        // Those that were started together must not all come back together.
        this.queue.addAfter(key, this.#stretched(next.ms) * (1 + 0.2 * this.#options.random()));
        return;
      case 'retry':
        if (next.atLeastMs === 0) this.queue.addRateLimited(key);
        else this.queue.addAfter(key, Math.max(next.atLeastMs, this.#limiter.when(key)));
    }
  }

  #stretched(ms: number): number {
    return Math.max(ms, Math.min(soonMs, (1000 * this.#soon.size) / soonLooksPerSecond));
  }
}
