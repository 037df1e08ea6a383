/**
 * Random hexadecimal digits by the thousand: ids of traces are drawn for each call, and asking the system for each would
 * cost more than the rest of the id.
 */
import { randomFillSync } from 'node:crypto';

const poolBytes = 4096;

/** A source of texts of `bytes` random bytes each, as lower-case hexadecimal digits. */
export function hexDigits(bytes: number): () => string {
  const pool = Buffer.alloc(poolBytes - (poolBytes % bytes));
  let at = pool.length;
  return () => {
    if (at >= pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    const text = pool.toString('hex', at, at + bytes);
    at += bytes;
    return text;
  };
}
