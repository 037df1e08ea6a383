/**
 * Everything a mapping has in its hands: the batch being gathered, the batches that wait, run, or are being deleted.
 *
 * It keeps them invisible to others by extension, gives them back, and lets them go; it holds their bytes of the
 * budget. For FIFO queues it guarantees that what goes back takes the later records of its group with it. It neither
 * receives nor invokes.
 */
import { LinkedList } from '../lib/linked-list.ts';
import { Batcher, type Batch } from './batcher.ts';
import { bytesOf, insertByAge, keepOnly, newDelivery, type Delivery } from './delivery.ts';
import type { LetGoReason } from './events.ts';
import { Extender } from './extender.ts';
import { lanesOf } from './lanes.ts';
import type { Loop } from './loop.ts';
import type { QueueRecord } from './ports.ts';
import * as visibility from './visibility.ts';

export class Hands {
  readonly #loop: Loop;
  readonly #extender: Extender;
  readonly #unreserve: (bytes: number) => void;
  readonly #batcher: Batcher<QueueRecord>;
  readonly #deliveries = new LinkedList<Delivery>();
  readonly #waiting: Delivery[] = [];
  #open: Delivery | undefined;
  #seq = 0;
  #lot = 0;

  /** `unreserve` gives bytes back to the budget. */
  constructor(loop: Loop, unreserve: (bytes: number) => void) {
    this.#loop = loop;
    this.#extender = new Extender(loop);
    this.#unreserve = unreserve;
    this.#batcher = new Batcher(loop.effective.batchLimits);
  }

  /** Batches in hand, the open one aside. */
  get size(): number {
    return this.#deliveries.size;
  }

  get isEmpty(): boolean {
    return this.#deliveries.size === 0 && this.#open === undefined;
  }

  /** Batches that may be started, oldest first. */
  get waiting(): readonly Delivery[] {
    return this.#waiting;
  }

  /** Records of the open batch. */
  get gathered(): number {
    return this.#batcher.size;
  }

  /** Batches whose groups are taken. */
  readonly busy: Iterable<Delivery> = { [Symbol.iterator]: () => this.#eachBusy() };

  *#eachBusy(): Iterator<Delivery> {
    for (const delivery of this.#deliveries) {
      if (delivery.state === 'running' || delivery.state === 'settling') yield delivery;
    }
  }

  /** Takes records into hand that go straight to deletion or back to the queue. */
  take(records: readonly QueueRecord[], seen: visibility.Visibility, unmatched = false): Delivery {
    const delivery = newDelivery(++this.#seq, records, seen, unmatched);
    this.#deliveries.add(delivery);
    return delivery;
  }

  /** Puts records into batches; `flush` closes the open one whatever its window says. */
  gather(records: readonly QueueRecord[], seen: visibility.Visibility, flush: boolean, nowMs: number): void {
    const { fifo, batchSize, visibilityMs } = this.#loop.effective;
    // Less than half is left only when an extension fails: what may soon be lost must not take fresh records with it.
    const open = this.#open?.visibility;
    if (open !== undefined && open.untilMs - nowMs < visibilityMs * 0.4) this.flush();
    this.#lot++;
    const closed = this.#batcher.add(
      fifo ? this.#loop.rules.arrangeByLane(records, batchSize) : records,
      nowMs,
    );
    if (flush) closed.push(...this.#batcher.flush());
    this.#close(closed, seen);
  }

  /** Closes the open batch now. */
  flush(): void {
    this.#close(this.#batcher.flush(), undefined);
  }

  /** Closes the open batch if its window has ended; returns when it will. */
  closeDue(nowMs: number): number {
    const closed = this.#batcher.due(nowMs);
    if (closed.length > 0) this.#close(closed, undefined);
    return this.#batcher.dueAtMs ?? Infinity;
  }

  /** After a change of the batch limits: what waits is cut to the new size, the open batch measured again. */
  resize(nowMs: number): void {
    const limits = this.#loop.effective.batchLimits;
    this.#close(this.#batcher.reconfigure(limits), undefined);
    if (this.#open !== undefined) this.#loop.alarm.by(this.#batcher.dueAtMs ?? Infinity);
    for (const whole of this.#waiting.splice(0)) {
      for (const part of this.#cutToSize(whole, nowMs)) this.#waiting.push(part);
    }
  }

  /** Parts of a batch that fit the limits in force: the batch itself, but for a change of the spec under way. */
  #cutToSize(whole: Delivery, nowMs: number): readonly Delivery[] {
    const limits = this.#loop.effective.batchLimits;
    const fits = whole.records.length <= limits.maxRecords && whole.bytes <= limits.maxBytes;
    if (fits || whole.records.length === 1) return [whole];
    const splitter = new Batcher<QueueRecord>(limits);
    const parts = [...splitter.add(whole.records, nowMs), ...splitter.flush()].map((batch) => {
      // Parts keep the place of the whole among the others.
      const part = newDelivery(whole.seq, batch.records, whole.visibility);
      part.heldSinceMs = whole.heldSinceMs;
      part.gone = whole.gone;
      part.lot = whole.lot;
      this.#deliveries.add(part);
      this.#wait(part, batch);
      return part;
    });
    // The parts hold their bytes now; what it held beyond them, for records that are gone, ends with it.
    for (const part of parts) whole.reservedBytes -= part.reservedBytes;
    this.end(whole);
    return parts;
  }

  /** Makes deliveries of batches that closed; the first of them carries on the open one. */
  #close(closed: readonly Batch<QueueRecord>[], seen: visibility.Visibility | undefined): void {
    const before = this.#open?.visibility;
    const known = before === undefined ? seen : seen === undefined ? before : visibility.merged(before, seen);
    if (known === undefined) return;
    for (const batch of closed) {
      // Only the first holds older records than those that have just arrived.
      const its = this.#open === undefined && seen !== undefined ? seen : known;
      const delivery = this.#open ?? newDelivery(++this.#seq, batch.records, its);
      this.#open = undefined;
      delivery.visibility = its;
      delivery.lot = this.#lot;
      this.#deliveries.add(delivery);
      this.#wait(delivery, batch);
      insertByAge(this.#waiting, delivery);
      this.watch(delivery);
    }
    if (this.#batcher.size === 0) return;
    // What is left open after a batch closed came with the newest records alone.
    const left = closed.length > 0 && seen !== undefined ? seen : known;
    this.#open ??= newDelivery(++this.#seq, [], left);
    this.#open.visibility = left;
    this.#open.records = this.#batcher.open;
    this.#open.reservedBytes = bytesOf(this.#batcher.open);
    this.#loop.alarm.by(Math.min(this.#batcher.dueAtMs ?? Infinity, left.extendAtMs));
  }

  #wait(delivery: Delivery, batch: Batch<QueueRecord>): void {
    delivery.state = 'waiting';
    delivery.records = batch.records;
    delivery.bytes = batch.bytes;
    delivery.reservedBytes = bytesOf(batch.records);
    delivery.lanes = lanesOf(batch.records);
  }

  /** Puts a delivery back that its target did not take. */
  putBack(delivery: Delivery, nowMs: number): void {
    delivery.state = 'waiting';
    // Backwards, since each goes before others of the same age.
    for (const part of this.#cutToSize(delivery, nowMs).toReversed()) {
      insertByAge(this.#waiting, part);
      this.watch(part);
    }
  }

  /** Marks everything that waits as held; a window that is open ends with it. */
  holdWaiting(nowMs: number): void {
    this.flush();
    for (const delivery of this.#waiting) {
      delivery.heldSinceMs ??= nowMs;
      this.watch(delivery);
    }
  }

  /**
   * Takes `delivery` off the list to start it, without what is no longer ours: its receipt is stale, so somebody else
   * may have it by now, and delivering it would make a duplicate and break the order of its group. False when nothing
   * is left of it.
   */
  checkOut(delivery: Delivery, nowMs: number): boolean {
    if (this.#waiting[0] === delivery) this.#waiting.shift();
    else this.#waiting.splice(this.#waiting.indexOf(delivery), 1);
    const lapsed = delivery.visibility.untilMs <= nowMs;
    const gone: ReadonlySet<QueueRecord> | undefined = lapsed ? new Set(delivery.records) : delivery.gone;
    if (gone === undefined) return true;
    delivery.gone = undefined;
    const { kept, behind } = this.#loop.rules.withoutGone(delivery.records, gone);
    const lost = delivery.records.length - kept.length - behind.length;
    if (lost > 0) this.#loop.emit({ kind: 'let-go', records: lost, reason: 'VisibilityLost' });
    this.#splitOff(delivery, kept, behind);
    this.holdBehind(delivery, [...gone]);
    return kept.length > 0;
  }

  /**
   * Gives back what waits behind these records of `failed` in their groups, so that each group begins again with its
   * first record. A later receive that brought the group anew is such a beginning, and stays.
   */
  holdBehind(failed: Delivery, records: readonly QueueRecord[]): void {
    const lanes = lanesOf(records);
    if (lanes === undefined) return;
    for (const delivery of this.#waiting.slice()) {
      if (delivery.lot !== failed.lot || delivery.lanes?.isDisjointFrom(lanes) !== false) continue;
      const kept: QueueRecord[] = [];
      const behind: QueueRecord[] = [];
      for (const record of delivery.records) {
        (record.lane !== undefined && lanes.has(record.lane) ? behind : kept).push(record);
      }
      if (kept.length === 0) this.#waiting.splice(this.#waiting.indexOf(delivery), 1);
      this.#splitOff(delivery, kept, behind);
    }
  }

  #splitOff(delivery: Delivery, kept: readonly QueueRecord[], behind: readonly QueueRecord[]): void {
    if (behind.length > 0) {
      // The bytes of what goes back are held by the delivery that gives it back.
      delivery.reservedBytes -= bytesOf(behind);
      this.release(this.take(behind, delivery.visibility), 'GroupHeld');
    }
    if (kept.length === 0) this.end(delivery);
    else if (kept.length < delivery.records.length) keepOnly(delivery, kept, this.#loop.source);
  }

  /** Leaves records to the queue's visibility and redrive, after a function error. */
  leave(delivery: Delivery, records: readonly QueueRecord[]): void {
    const { facts } = this.#loop;
    const seconds = facts === undefined ? undefined : visibility.ownTimingSeconds(facts);
    if (seconds !== undefined) this.#extender.setBack(records, seconds);
    this.holdBehind(delivery, records);
  }

  /** Gives back everything that is neither in a call nor being deleted. */
  giveBack(reason: LetGoReason): void {
    const open = this.#open;
    this.#open = undefined;
    this.#batcher.flush();
    if (open !== undefined) this.release(open, reason);
    for (const delivery of this.#waiting.splice(0)) this.release(delivery, reason);
  }

  /** Makes all of a delivery visible at once and ends it; told with a reason only. */
  release(delivery: Delivery, reason: LetGoReason | undefined): void {
    const { records } = delivery;
    this.end(delivery);
    if (reason !== undefined) this.#loop.emit({ kind: 'let-go', records: records.length, reason });
    this.#extender.setBack(records, 0);
  }

  /** Extends the visibility of a delivery from now, beside its regular beat. */
  extend(delivery: Delivery, nowMs: number): void {
    this.#extender.extend(delivery, nowMs);
  }

  /** Ends a delivery and gives its bytes back. */
  end(delivery: Delivery): void {
    if (delivery.state === 'ended') return;
    delivery.state = 'ended';
    this.#deliveries.delete(delivery);
    this.#unreserve(delivery.reservedBytes);
    delivery.reservedBytes = 0;
  }

  /** Ends all that is left and returns it. */
  abandon(): readonly Delivery[] {
    const all = [...this.#deliveries].map((delivery) => ({ ...delivery }));
    for (const delivery of this.#deliveries) this.end(delivery);
    return all;
  }

  /** Looks at every deadline: extensions, holds, deletions to try again. Returns the next. */
  keep(nowMs: number, braked: boolean, retry: (delivery: Delivery, nowMs: number) => number): number {
    let nextMs = this.#open === undefined ? Infinity : this.#keepInvisible(this.#open, nowMs);
    for (const delivery of this.#deliveries) {
      if (delivery.state === 'waiting' && braked && this.#holdEndsMs(delivery) <= nowMs) {
        this.#letGo(delivery);
        continue;
      }
      if (delivery.state === 'waiting' && braked) nextMs = Math.min(nextMs, this.#holdEndsMs(delivery));
      if (delivery.state === 'settling') nextMs = Math.min(nextMs, retry(delivery, nowMs));
      if (delivery.settleUntilMs > nowMs) nextMs = Math.min(nextMs, this.#keepInvisible(delivery, nowMs));
    }
    return nextMs;
  }

  /** Makes sure that the alarm rings for the next deadline of this delivery. */
  watch(delivery: Delivery): void {
    this.#loop.alarm.by(Math.min(delivery.visibility.extendAtMs, this.#holdEndsMs(delivery)));
  }

  #holdEndsMs(delivery: Delivery): number {
    if (delivery.heldSinceMs === undefined) return Infinity;
    return delivery.heldSinceMs + this.#loop.config.settings.maximumHoldMs;
  }

  /** Held long enough: no more extension, and the queue's own rules take over. */
  #letGo(delivery: Delivery): void {
    if (delivery.state === 'ended') return;
    this.#waiting.splice(this.#waiting.indexOf(delivery), 1);
    this.#loop.emit({ kind: 'let-go', records: delivery.records.length, reason: 'HoldExpired' });
    this.end(delivery);
    this.holdBehind(delivery, delivery.records);
  }

  #keepInvisible(delivery: Delivery, nowMs: number): number {
    if (delivery.extending) return Infinity;
    if (delivery.visibility.extendAtMs <= nowMs) this.#extender.extend(delivery, nowMs);
    return delivery.extending ? Infinity : delivery.visibility.extendAtMs;
  }
}
