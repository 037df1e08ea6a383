/**
 * A batch's whole life in our hands. States and moves:
 *
 *   open → waiting → running → settling → ended
 *            ↑          │ held back by the target
 *            └──────────┘
 *   any → ended: given back, let go, or nothing left of it
 *
 * `open` is the batch that is still being gathered. Only hands, dispatcher and settler change a delivery.
 */
import type { Linked } from '../lib/linked-list.ts';
import { lanesOf } from './lanes.ts';
import type { QueueRecord, QueueSource } from './ports.ts';
import type { Visibility } from './visibility.ts';

export interface Delivery extends Linked<Delivery> {
  /** Age order of batches; a batch that was held back keeps its place. */
  readonly seq: number;
  state: 'open' | 'waiting' | 'running' | 'settling' | 'ended';
  /** The receive that brought its records, where the queue keeps an order: a later one is a new beginning of a group. */
  lot: number;
  /** What is still in our hands of it: after success, what is to be deleted. */
  records: readonly QueueRecord[];
  /** Size of the encoded event. */
  bytes: number;
  /** What it holds of the byte budget. */
  reservedBytes: number;
  /** Idempotency key: the same for every call with the same records; empty before the first. */
  id: string;
  /** Calls so far with these records. */
  attempt: number;
  startedAtMs: number;
  /** When its target first held it back. */
  heldSinceMs: number | undefined;
  visibility: Visibility;
  extending: boolean;
  /** Records whose receipt has gone stale: they are not ours any more. */
  gone: Set<QueueRecord> | undefined;
  /** Its message groups; undefined where the queue keeps no order. */
  lanes: ReadonlySet<string> | undefined;
  /** While settling: what could not be deleted. */
  undeleted: readonly QueueRecord[];
  /** Whether its records are deleted because no filter matches them, not after success. */
  readonly unmatched: boolean;
  /** While settling: tries so far, when the next is due (Infinity = one is under way), and when to give up. */
  settleAttempt: number;
  settleAtMs: number;
  settleUntilMs: number;
}

const NONE: readonly QueueRecord[] = [];

/** A delivery of records that have just come into our hands, or come from another delivery. */
export function newDelivery(
  seq: number,
  records: readonly QueueRecord[],
  visibility: Visibility,
  unmatched = false,
): Delivery {
  return {
    before: undefined,
    behind: undefined,
    list: undefined,
    seq,
    state: 'open',
    lot: 0,
    records,
    bytes: 0,
    reservedBytes: bytesOf(records),
    id: '',
    attempt: 0,
    startedAtMs: 0,
    heldSinceMs: undefined,
    visibility,
    extending: false,
    gone: undefined,
    lanes: undefined,
    undeleted: NONE,
    unmatched,
    settleAttempt: 0,
    settleAtMs: Infinity,
    settleUntilMs: Infinity,
  };
}

/** Makes it another batch: fewer records, so another event and another idempotency key. */
export function keepOnly(delivery: Delivery, records: readonly QueueRecord[], source: QueueSource): void {
  delivery.records = records;
  delivery.bytes = bytesOf(records) + source.envelopeBytes(records.length);
  delivery.lanes = lanesOf(records);
  delivery.id = '';
  delivery.attempt = 0;
}

/** Sum of the records' bytes. */
export function bytesOf(records: readonly QueueRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += record.bytes;
  return bytes;
}

/** Puts a delivery into a list that is sorted by age; mostly that is its end. */
export function insertByAge(waiting: Delivery[], delivery: Delivery): void {
  const last = waiting.at(-1);
  if (last === undefined || last.seq < delivery.seq) {
    waiting.push(delivery);
    return;
  }
  let index = waiting.length - 1;
  for (; index > 0; index--) {
    const before = waiting[index - 1];
    if (before === undefined || before.seq < delivery.seq) break;
  }
  waiting.splice(index, 0, delivery);
}
