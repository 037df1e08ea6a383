/**
 * The bytes of message data that this process may hold, shared by all its mappings; there is one in a process. First
 * come, first served: a large reservation at the head of the line is not overtaken by small ones, so it cannot starve.
 * `adjust` corrects a reservation to what really arrived and may exceed the limit for a moment; then nobody is served
 * until enough was given back.
 */
import type { ByteBudget } from './ports.ts';

interface Waiter {
  readonly bytes: number;
  readonly grant: () => void;
}

/** Makes a budget of `limit` bytes. */
export function createByteBudget(limit: number): ByteBudget {
  let used = 0;
  const line = new Set<Waiter>();

  // A reservation of nothing asks only whether there is any room at all.
  const fits = (bytes: number): boolean => used === 0 || (used < limit && used + bytes <= limit);
  const serve = (): void => {
    for (const waiter of line) {
      if (!fits(waiter.bytes)) return;
      line.delete(waiter);
      used += waiter.bytes;
      waiter.grant();
    }
  };

  return {
    limit,
    get used() {
      return used;
    },
    tryReserve(bytes) {
      if (line.size > 0 || !fits(bytes)) return false;
      used += bytes;
      return true;
    },
    reserve(bytes, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason);
          return;
        }
        if (line.size === 0 && fits(bytes)) {
          used += bytes;
          resolve();
          return;
        }
        const leave = (): void => {
          line.delete(waiter);
          reject(signal.reason);
          // Who waited behind may fit where this one did not.
          serve();
        };
        const waiter: Waiter = {
          bytes,
          grant: () => {
            signal.removeEventListener('abort', leave);
            resolve();
          },
        };
        line.add(waiter);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
    adjust(delta) {
      used = Math.max(0, used + delta);
      if (delta < 0) serve();
    },
  };
}
