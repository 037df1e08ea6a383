/**
 * Deletes what was delivered. Deliveries whose records do not fill a call wait a moment for others that will end soon,
 * and are deleted together, so that small batches still fill delete calls, which are paid for. What could not be
 * deleted is tried again with back-off while the messages are still invisible; then it is reported, and the messages
 * come again.
 *
 * It deletes only what it is given; that the target succeeded first is the caller's duty.
 */
import { backoffMs } from '../lib/backoff.ts';
import { messageOf, SluiceError } from '../lib/errors.ts';
import type { Delivery } from './delivery.ts';
import type { Hands } from './hands.ts';
import { lanesOf } from './lanes.ts';
import type { Loop } from './loop.ts';
import type { QueueRecord, Unsettled } from './ports.ts';
import { SETTLE_POLICY } from './retry.ts';

/** Deletions under way at once; beyond it they are gathered. */
const CALLS_AT_ONCE = 16;
/** Records that fill a call. */
const WHOLE_CALL = 10;
/**
 * How long a delivery waits for others to be deleted with it. A process that dies in this time makes duplicates of
 * what waited, as it does of what runs.
 */
const FILL_MS = 20;
const TIMEOUT_MS = 30_000;
const NONE: readonly QueueRecord[] = [];
const ALL_SETTLED: ReadonlyMap<QueueRecord, Unsettled<QueueRecord>> = new Map();

export class Settler {
  readonly #loop: Loop;
  readonly #hands: Hands;
  readonly #running: () => number;
  #pending: Delivery[] = [];
  #pendingRecords = 0;
  #pendingSinceMs = 0;
  #calls = 0;

  /** `running` tells how many calls of the target are under way. */
  constructor(loop: Loop, hands: Hands, running: () => number) {
    this.#loop = loop;
    this.#hands = hands;
    this.#running = running;
  }

  /** Takes `records`, which are those of `delivery` that are done, for deletion; the next `start` may begin it. */
  settle(delivery: Delivery, records: readonly QueueRecord[], nowMs: number): void {
    const { config, effective } = this.#loop;
    delivery.state = 'settling';
    delivery.records = records;
    delivery.lanes = lanesOf(records);
    delivery.heldSinceMs = undefined;
    delivery.settleUntilMs = nowMs + Math.max(config.settings.maximumHoldMs, effective.visibilityMs);
    this.#hands.watch(delivery);
    this.#queue(delivery, nowMs);
  }

  /** Tries a delivery in state settling again if that is due. Returns when to call next. */
  retry(delivery: Delivery, nowMs: number): number {
    if (delivery.settleAtMs <= nowMs) this.#queue(delivery, nowMs);
    return delivery.settleAtMs;
  }

  #queue(delivery: Delivery, nowMs: number): void {
    delivery.settleAtMs = Infinity;
    if (this.#pending.length === 0) this.#pendingSinceMs = nowMs;
    this.#pending.push(delivery);
    this.#pendingRecords += delivery.records.length;
  }

  /** Starts the calls that may start. */
  start(nowMs: number): void {
    while (this.#calls < CALLS_AT_ONCE && this.#pending.length > 0 && !this.#mayFill(nowMs)) {
      const deliveries = this.#take();
      this.#calls++;
      this.#loop.run(() => this.#call(deliveries));
    }
  }

  /** Whether more may come in a moment to fill the next call. */
  #mayFill(nowMs: number): boolean {
    if (this.#pendingRecords >= WHOLE_CALL) return false;
    // The next message of a group is not given out before this one is deleted.
    const isAwaited = this.#pending.some(({ lanes }) => lanes !== undefined);
    if (this.#calls === 0 && (isAwaited || this.#running() === 0)) return false;
    const untilMs = this.#pendingSinceMs + FILL_MS;
    if (untilMs <= nowMs) return false;
    this.#loop.alarm.by(untilMs);
    return true;
  }

  /** The first of those that wait whose records fill calls, or all of them. */
  #take(): readonly Delivery[] {
    let records = 0;
    for (const [at, delivery] of this.#pending.entries()) {
      records += delivery.records.length;
      if (records % WHOLE_CALL > 0) continue;
      this.#pendingRecords -= records;
      return this.#pending.splice(0, at + 1);
    }
    const all = this.#pending;
    this.#pending = [];
    this.#pendingRecords = 0;
    return all;
  }

  async #call(deliveries: readonly Delivery[]): Promise<void> {
    const { source, calls, emit } = this.#loop;
    const first = deliveries[0];
    const records =
      first !== undefined && deliveries.length === 1 ? first.records : deliveries.flatMap((d) => d.records);
    let remaining: readonly Unsettled<QueueRecord>[];
    try {
      remaining = await calls.run(TIMEOUT_MS, (signal) => source.settle(records, signal));
    } catch (error) {
      // Nothing is known of any of them; deleting twice is harmless.
      const code = error instanceof SluiceError ? error.reason : 'SourceFailed';
      remaining = records.map((record) => ({ record, code, retryable: true }));
      emit({ kind: 'settle-failed', records: records.length, reason: code, message: messageOf(error) });
    }
    this.#calls--;
    const unsettled =
      remaining.length === 0 ? ALL_SETTLED : new Map(remaining.map((item) => [item.record, item]));
    let deleted = 0;
    for (const delivery of deliveries) {
      if (!delivery.unmatched) deleted += delivery.records.length;
      if (unsettled.size === 0 || delivery.unmatched) continue;
      for (const record of delivery.records) if (unsettled.has(record)) deleted--;
    }
    if (deleted > 0) emit({ kind: 'deleted', records: deleted });
    for (const delivery of deliveries) this.#judge(delivery, unsettled);
    this.#loop.pump();
  }

  #judge(delivery: Delivery, unsettled: ReadonlyMap<QueueRecord, Unsettled<QueueRecord>>): void {
    if (delivery.state === 'ended') return;
    const { clock, random, alarm } = this.#loop;
    const failed = unsettled.size === 0 ? [] : delivery.records.filter((record) => unsettled.has(record));
    if (failed.length === 0) {
      this.#settled(delivery, delivery.undeleted);
      return;
    }
    const again = failed.filter((record) => unsettled.get(record)?.retryable === true);
    const nowMs = clock.monotonic();
    delivery.settleAttempt++;
    const atMs = nowMs + backoffMs(SETTLE_POLICY, delivery.settleAttempt, random);
    // Its visibility is still being extended; once it has lapsed, another reader may have the messages.
    const mayRetry =
      again.length > 0 && nowMs < Math.min(delivery.settleUntilMs, delivery.visibility.untilMs);
    const lost = mayRetry ? failed.filter((record) => !again.includes(record)) : failed;
    this.#report(lost, unsettled);
    if (!mayRetry) {
      this.#settled(delivery, [...delivery.undeleted, ...failed]);
      return;
    }
    if (lost.length > 0) delivery.undeleted = [...delivery.undeleted, ...lost];
    delivery.records = again;
    delivery.settleAtMs = atMs;
    alarm.by(atMs);
  }

  #settled(delivery: Delivery, remaining: readonly QueueRecord[]): void {
    this.#hands.end(delivery);
    // What comes again must not be overtaken by its own group.
    if (!delivery.unmatched) this.#hands.holdBehind(delivery, remaining);
    // What still knows the delivery must not keep its records.
    delivery.records = NONE;
  }

  #report(lost: readonly QueueRecord[], unsettled: ReadonlyMap<QueueRecord, Unsettled<QueueRecord>>): void {
    const byCode = new Map<string, number>();
    for (const record of lost) {
      const code = unsettled.get(record)?.code ?? 'SourceFailed';
      byCode.set(code, (byCode.get(code) ?? 0) + 1);
    }
    for (const [reason, records] of byCode) {
      const message = 'The messages were delivered but could not be deleted; they will be delivered again';
      this.#loop.emit({ kind: 'delete-failed', records, reason, message });
    }
  }
}
