/** Counts the calls of each target, so that one that was replaced can be closed once they have ended. */
import { deferred, type Deferred } from '../lib/lifecycle.ts';
import type { Target } from './ports.ts';

export class TargetCalls {
  readonly #calls = new Map<Target, { count: number; idle: Deferred<void> | undefined }>();

  began(target: Target): void {
    const calls = this.#calls.get(target);
    if (calls === undefined) this.#calls.set(target, { count: 1, idle: undefined });
    else calls.count++;
  }

  ended(target: Target): void {
    const calls = this.#calls.get(target);
    // One whose end is not awaited stays known: it will have the next call too.
    if (calls === undefined || --calls.count > 0 || calls.idle === undefined) return;
    this.#calls.delete(target);
    calls.idle.resolve();
  }

  /** Resolves when no call of the target is under way; to be asked when it has its last calls. */
  idle(target: Target): Promise<void> {
    const calls = this.#calls.get(target);
    if (calls === undefined || calls.count === 0) {
      this.#calls.delete(target);
      return Promise.resolve();
    }
    calls.idle ??= deferred();
    return calls.idle.promise;
  }
}
