/**
 * An upper bound on a whole call, answer's body included. The SDK's own time-outs end with the answer's head, so a
 * server that drips its body could hold a call for ever.
 */
import type { Clock } from '../lib/clock.ts';

/** The call took longer than it may. Nobody knows whether the service acted. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/**
 * Runs `call` with a signal that aborts after `ms` or when `signal` does. Rejects with `DeadlineError` in the first
 * case, and with what `call` threw otherwise. Leaves no timer behind.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const finished = new AbortController();
  const late = new AbortController();
  const watch = clock.sleep(ms, finished.signal).then(() => {
    if (!finished.signal.aborted) late.abort();
  });
  try {
    return await call(AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (late.signal.aborted && !signal.aborted) {
      throw new DeadlineError(`no complete answer within ${ms} ms`, { cause: error });
    }
    throw error;
  } finally {
    // A reason of our own: the default one is an exception with a stack, for nobody.
    finished.abort('finished');
    await watch;
  }
}
