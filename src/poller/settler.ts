/**
 * Deletes what was delivered. Deliveries that end while the allowed calls are under way are deleted together by the
 * next one, so that small batches still fill delete calls. What could not be deleted is tried again with back-off
 * while the messages are still invisible; then it is reported, and the messages come again.
 *
 * It deletes only what it is given; that the target succeeded first is the caller's duty.
 */
import type { Clock } from '../lib/clock.ts';
import { messageOf, SluiceError } from '../lib/errors.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Random } from '../lib/random.ts';
import type { Calls } from './calls.ts';
import type { Delivery } from './delivery.ts';
import type { Emit } from './events.ts';
import type { QueueRecord, QueueSource, Unsettled } from './ports.ts';
import { SETTLE_POLICY } from './retry.ts';

/** Delete calls under way at once; beyond it deletions are gathered. */
const CALLS_AT_ONCE = 4;
const TIMEOUT_MS = 30_000;

export interface SettlerDeps {
  readonly source: QueueSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly calls: Calls;
  readonly emit: Emit;
  /** Starts a task that the owner waits for. */
  readonly run: (task: () => Promise<void>) => void;
  /** Makes the owner call `retry` at that time. */
  readonly wakeBy: (atMs: number) => void;
  /** All of the delivery was tried; `remaining` could not be deleted. */
  readonly settled: (delivery: Delivery, remaining: readonly QueueRecord[]) => void;
}

export class Settler {
  readonly #deps: SettlerDeps;
  #pending: Delivery[] = [];
  #calls = 0;

  constructor(deps: SettlerDeps) {
    this.#deps = deps;
  }

  /** Deletes `delivery.records`. */
  settle(delivery: Delivery): void {
    delivery.settleAtMs = Infinity;
    this.#pending.push(delivery);
    this.#send();
  }

  /** Tries again what is due; `deliveries` are those in state settling. Returns when to call next. */
  retry(delivery: Delivery, nowMs: number): number {
    if (delivery.settleAtMs <= nowMs) this.settle(delivery);
    return delivery.settleAtMs;
  }

  #send(): void {
    if (this.#calls >= CALLS_AT_ONCE || this.#pending.length === 0) return;
    const deliveries = this.#pending;
    this.#pending = [];
    this.#calls++;
    this.#deps.run(() => this.#call(deliveries));
  }

  async #call(deliveries: readonly Delivery[]): Promise<void> {
    const { source, calls, emit } = this.#deps;
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
      emit({ kind: 'source-failed', reason: code, message: messageOf(error), delayMs: 0 });
    }
    this.#calls--;
    const unsettled = new Map<QueueRecord, Unsettled<QueueRecord>>();
    for (const item of remaining) unsettled.set(item.record, item);
    let deleted = 0;
    for (const delivery of deliveries) {
      if (!delivery.unmatched) deleted += delivery.records.length;
      for (const record of delivery.records) if (!delivery.unmatched && unsettled.has(record)) deleted--;
    }
    if (deleted > 0) emit({ kind: 'deleted', records: deleted });
    for (const delivery of deliveries) this.#judge(delivery, unsettled);
    this.#send();
  }

  #judge(
    delivery: Delivery,
    unsettled: ReadonlyMap<QueueRecord, Unsettled<QueueRecord>>,
  ): void {
    if (delivery.state === 'ended') return;
    const { clock, random, wakeBy, settled } = this.#deps;
    const failed = unsettled.size === 0 ? [] : delivery.records.filter((record) => unsettled.has(record));
    if (failed.length === 0) {
      settled(delivery, []);
      return;
    }
    const again = failed.filter((record) => unsettled.get(record)?.retryable === true);
    const nowMs = clock.monotonic();
    delivery.settleAttempt++;
    const atMs = nowMs + backoffMs(SETTLE_POLICY, delivery.settleAttempt, random);
    const mayRetry = again.length > 0 && atMs < Math.min(delivery.settleUntilMs, delivery.visibility.untilMs);
    const lost = mayRetry ? failed.filter((record) => !again.includes(record)) : failed;
    this.#report(lost, unsettled);
    if (!mayRetry) {
      settled(delivery, failed);
      return;
    }
    if (lost.length > 0) (delivery.gone ??= new Set()).add(lost[0] as QueueRecord);
    for (const record of lost) delivery.gone?.add(record);
    delivery.records = again;
    delivery.settleAtMs = atMs;
    wakeBy(atMs);
  }

  #report(lost: readonly QueueRecord[], unsettled: ReadonlyMap<QueueRecord, Unsettled<QueueRecord>>): void {
    const byCode = new Map<string, number>();
    for (const record of lost) {
      const code = unsettled.get(record)?.code ?? 'SourceFailed';
      byCode.set(code, (byCode.get(code) ?? 0) + 1);
    }
    for (const [reason, records] of byCode) {
      const message = 'The messages were delivered but could not be deleted; they will be delivered again';
      this.#deps.emit({ kind: 'delete-failed', records, reason, message });
    }
  }
}
