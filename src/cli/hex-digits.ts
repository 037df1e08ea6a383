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

/** A source of random UUIDs (version 4). */
export function uuids(): () => string {
  const digits = hexDigits(16);
  return () => {
    const text = digits();
    const variant = '89ab'[Number.parseInt(text.charAt(16), 16) % 4] ?? '8';
    return `${text.slice(0, 8)}-${text.slice(8, 12)}-4${text.slice(13, 16)}-${variant}${text.slice(17, 20)}-${text.slice(20)}`;
  };
}
