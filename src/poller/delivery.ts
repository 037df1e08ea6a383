/**
 * A batch's whole life in our hands. States and moves:
 *
 *   open → waiting → running → settling → ended
 *            ↑          │ held back by the target
 *            └──────────┘
 *   any → ended: given back, let go, or nothing left of it
 *
 * `open` is the batch that is still being gathered. Only `queue-poller.ts` and `settler.ts` change a delivery.
 */
import type { QueueRecord } from './ports.ts';
import type { Visibility } from './visibility.ts';

export interface Delivery {
  /** Age order of batches; a batch that was held back keeps its place. */
  readonly seq: number;
  state: 'open' | 'waiting' | 'running' | 'settling' | 'ended';
  /** What is still in our hands of it: after success, what is to be deleted. */
  records: readonly QueueRecord[];
  /** Size of the encoded event. */
  bytes: number;
  /** What it holds of the byte budget. */
  reservedBytes: number;
  /** Idempotency key: the same for every call with the same records. */
  id: string;
  /** Calls so far. */
  attempt: number;
  startedAtMs: number;
  /** When its target first held it back. */
  heldSinceMs: number | undefined;
  visibility: Visibility;
  extending: boolean;
  /** Records whose receipt has gone stale: they are not ours any more. */
  gone: Set<QueueRecord> | undefined;
  lanes: ReadonlySet<string> | undefined;
  /** Whether its records are deleted because no filter matches them, not after success. */
  readonly unmatched: boolean;
  /** While settling: tries so far, when the next is due (Infinity = one is under way), and when to give up. */
  settleAttempt: number;
  settleAtMs: number;
  settleUntilMs: number;
}

/** Sum of the records' bytes. */
export function bytesOf(records: readonly QueueRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += record.bytes;
  return bytes;
}

/** Puts a delivery into a list that is sorted by age; mostly that is its end. */
export function insertByAge(waiting: Delivery[], delivery: Delivery): void {
  let index = waiting.length;
  for (; index > 0; index--) {
    const before = waiting[index - 1];
    if (before === undefined || before.seq < delivery.seq) break;
  }
  waiting.splice(index, 0, delivery);
}
