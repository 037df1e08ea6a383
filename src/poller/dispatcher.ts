/**
 * The side of the target: starts the batches that wait, judges what comes back, and holds the brake and the
 * concurrency limit.
 *
 * Guarantees: never more than `limit` calls at once; while braked no call but one probe; nothing is settled before the
 * target succeeded. A replaced target's calls end with it, and its troubles do not brake the new one.
 */
import { messageOf } from '../lib/errors.ts';
import { LinkedList, type Linked } from '../lib/linked-list.ts';
import { OPEN, probe, pullUnready, UNREADY_RECHECK_MS, type Brake, type BrakeCause } from './brake.ts';
import { rest, startConcurrency, type Concurrency } from './concurrency.ts';
import type { Delivery } from './delivery.ts';
import type { Hands } from './hands.ts';
import type { Loop } from './loop.ts';
import type { Outcome, QueueRecord, Target } from './ports.ts';
import type { Settler } from './settler.ts';
import { TargetCalls } from './target-calls.ts';
import type { Verdict } from './verdict.ts';
import { needsExtensionFirst } from './visibility.ts';

/** A process cannot make more than some 2,000 calls a second, whatever the number of those at once. */
const LEAST_CALL_MS = 0.5;
/** Calls may be as many as the batches of so many receives, however short they are. */
const RECEIVES_AT_ONCE = 4;

interface OpenCall extends Linked<OpenCall> {
  readonly abort: AbortController;
}

export class Dispatcher {
  readonly #loop: Loop;
  readonly #hands: Hands;
  readonly #settler: Settler;
  /** Calls under way, each with a signal of its own. */
  readonly #open = new LinkedList<OpenCall>();
  /** Those of calls that are over, for the next ones: a signal costs as much to make as the rest of the bookkeeping. */
  readonly #spare: OpenCall[] = [];
  readonly #calls = new TargetCalls();
  #running = 0;
  /** What calls take of late, from their start to the verdict; before the first, longer than anything. */
  #callMs = Infinity;
  #brake: Brake = OPEN;
  #probe: Delivery | undefined;
  #concurrency: Concurrency;

  constructor(loop: Loop, hands: Hands, settler: Settler) {
    this.#loop = loop;
    this.#hands = hands;
    this.#settler = settler;
    this.#concurrency = startConcurrency(loop.effective.bounds);
  }

  get running(): number {
    return this.#running;
  }

  get limit(): number {
    const { limit } = this.#concurrency;
    const capacity = this.#loop.config.target.capacity?.();
    return capacity === undefined ? limit : Math.min(limit, capacity);
  }

  /** Whether it is the target, not the mapping's own limit, that takes no more: it may do so again without a word. */
  get #isFull(): boolean {
    return this.limit < this.#concurrency.limit;
  }

  get braked(): boolean {
    return this.#brake.kind !== 'open';
  }

  /**
   * Delivery slots for which messages may be received. What is being deleted holds no slot, so that deleting overlaps
   * with the next receive, but not without bound.
   */
  freeSlots(nowMs: number, receiving: boolean): number {
    const inHand = this.#running + this.#hands.waiting.length;
    switch (this.#gate(nowMs)) {
      case 'stop':
        return 0;
      case 'probe':
        // With nothing in hand, the batch that probes has to be received first: one batch, by one receive.
        return inHand > 0 || this.#hands.gathered > 0 || receiving ? 0 : 1;
      case 'go': {
        const { limit } = this;
        if (inHand >= limit && this.#isFull) this.#loop.alarm.by(nowMs + UNREADY_RECHECK_MS);
        return Math.min(limit - inHand, 2 * limit - this.#hands.size);
      }
    }
  }

  /** Starts what may start. */
  start(nowMs: number): void {
    while (this.#hands.waiting.length > 0 && this.#running < this.limit) {
      const gate = this.#gate(nowMs);
      if (gate === 'stop') return;
      const delivery = this.#loop.rules.nextStartable(this.#hands.waiting, this.#hands.busy);
      if (delivery === undefined) return;
      if (!this.#hands.checkOut(delivery, nowMs)) continue;
      if (gate === 'probe') this.#probe = delivery;
      delivery.state = 'running';
      this.#running++;
      const { target } = this.#loop.config;
      this.#loop.run(() => this.#invoke(delivery, target));
    }
  }

  /** A receive came back full: more calls at once, if all that may run do. */
  backlog(nowMs: number): void {
    if (this.#running + this.#hands.waiting.length < this.limit || this.#isFull) return;
    const { rules, effective, source } = this.#loop;
    const inReceives = Math.ceil(source.limits.receiveMax / effective.batchSize);
    // Calls this short come to more in a second than this process can make: others beside them would only wait for it.
    // But small batches must not keep the next receives waiting for room.
    const isEnough = this.limit >= RECEIVES_AT_ONCE * inReceives;
    if (isEnough && this.#callMs < this.limit * LEAST_CALL_MS) return;
    this.#setConcurrency(rules.grow(this.#concurrency, effective.bounds, nowMs), 'Backlog');
  }

  /** A receive came back empty. */
  idle(): void {
    if (this.#hands.isEmpty)
      this.#setConcurrency(rest(this.#concurrency, this.#loop.effective.bounds), 'Idle');
  }

  /** After a change of the spec. Resolves when the former target has no call under way. */
  reconfigured(former: Target, nowMs: number): Promise<void> {
    const bounded = startConcurrency(this.#loop.effective.bounds, this.#concurrency);
    this.#setConcurrency(bounded, 'Reconfigured');
    if (former === this.#loop.config.target) return Promise.resolve();
    // What was learnt of the old target says nothing about the new one.
    this.#callMs = Infinity;
    this.#unbrake(nowMs);
    return this.#calls.idle(former);
  }

  /** The grace has passed: what runs is left to the queue's visibility, though it may succeed after all. */
  abandon(nowMs: number): void {
    for (const { abort } of this.#open) abort.abort();
    for (const { state, id, records, startedAtMs } of this.#hands.abandon()) {
      if (state === 'running') {
        this.#running--;
        this.#loop.emit({
          kind: 'invocation-ended',
          batch: id,
          outcome: 'unreachable',
          reason: 'Draining',
          message: 'The grace for draining has passed',
          records: records.length,
          failedRecords: records.length,
          durationMs: nowMs - startedAtMs,
        });
      }
      this.#loop.emit({ kind: 'let-go', records: records.length, reason: 'Draining' });
    }
  }

  /** May calls be made now: all, one probe, or none? */
  #gate(nowMs: number): 'go' | 'probe' | 'stop' {
    const brake = this.#brake;
    if (brake.kind === 'probing') return this.#probe === undefined ? 'probe' : 'stop';
    if (brake.kind === 'braked' && brake.untilMs > nowMs) {
      this.#loop.alarm.by(brake.untilMs);
      return 'stop';
    }
    const unready = this.#loop.config.target.unready?.();
    if (unready !== undefined) {
      this.#brake = pullUnready(brake, unready.reason, nowMs);
      if (brake.kind === 'open' || !brake.unready) {
        this.#hands.holdWaiting(nowMs);
        const { reason, message } = unready;
        this.#loop.emit({ kind: 'braked', reason, message, delayMs: UNREADY_RECHECK_MS });
      }
      this.#loop.alarm.by(nowMs + UNREADY_RECHECK_MS);
      return 'stop';
    }
    if (brake.kind === 'open') return 'go';
    // Ready again, and no call ever failed: an idle mapping must not wait for a message to say that it is well.
    if (brake.unready && brake.attempt === 0 && this.#hands.waiting.length === 0) {
      this.#unbrake(nowMs);
      return 'go';
    }
    this.#brake = probe(brake, nowMs);
    this.#probe = undefined;
    return 'probe';
  }

  async #invoke(delivery: Delivery, target: Target): Promise<void> {
    const { source, clock, emit, newId, rules, config, effective } = this.#loop;
    const startedAtMs = clock.monotonic();
    const { records, bytes } = delivery;
    const { reportBatchItemFailures } = config.settings;
    if (delivery.id === '') delivery.id = newId();
    delivery.startedAtMs = startedAtMs;
    delivery.attempt++;
    const { id, attempt } = delivery;
    if (needsExtensionFirst(delivery.visibility, startedAtMs, effective.visibilityMs, target.timeoutMs)) {
      this.#hands.extend(delivery, startedAtMs);
    }
    let oldestMs = Infinity;
    for (const record of records) if (record.sentAtMs < oldestMs) oldestMs = record.sentAtMs;
    const oldestAgeMs = Math.max(0, clock.now() - oldestMs);
    emit({ kind: 'invoked', batch: id, records: records.length, bytes, attempt, oldestAgeMs });
    this.#calls.began(target);
    const open = this.#spare.pop() ?? newOpenCall();
    this.#open.add(open);
    let outcome: Outcome;
    try {
      const event = source.envelope(records);
      outcome = await target.invoke({ id, event, records, attempt }, open.abort.signal);
    } catch (error) {
      // A port that breaks its promise must cost no message: nothing is known of the call, so nothing is deleted.
      outcome = { kind: 'unreachable', reason: 'TargetUnreachable', message: messageOf(error) };
    }
    this.#open.delete(open);
    if (!open.abort.signal.aborted) this.#spare.push(open);
    this.#calls.ended(target);
    const endedAtMs = clock.monotonic();
    const tookMs = endedAtMs - startedAtMs;
    this.#callMs = this.#callMs === Infinity ? tookMs : this.#callMs + (tookMs - this.#callMs) / 8;
    // Abandoned meanwhile: its end was told, and its messages are the queue's.
    if (delivery.state !== 'running') return;
    this.#running--;
    const verdict = rules.judge(outcome, records, reportBatchItemFailures);
    const { reason, message, failedRecords } = toldOf(verdict, records.length);
    emit({
      kind: 'invocation-ended',
      batch: id,
      outcome: outcome.kind,
      reason,
      message,
      records: records.length,
      failedRecords,
      durationMs: tookMs,
    });
    this.#judged(delivery, verdict, target, reportBatchItemFailures, endedAtMs);
    this.#loop.pump();
  }

  #judged(
    delivery: Delivery,
    verdict: Verdict<QueueRecord>,
    target: Target,
    reporting: boolean,
    nowMs: number,
  ): void {
    const isProbe = delivery === this.#probe;
    if (isProbe) this.#probe = undefined;
    if (verdict.kind === 'held') {
      this.#hold(delivery, verdict, target, isProbe, nowMs);
      return;
    }
    // Any call that was processed shows that the target takes batches again, a function error too.
    if (isProbe) this.#unbrake(nowMs);
    switch (verdict.kind) {
      case 'acknowledged':
        this.#settler.settle(delivery, delivery.records, nowMs);
        return;
      case 'partial':
        if (verdict.acknowledged.length === 0) this.#hands.end(delivery);
        else this.#settler.settle(delivery, verdict.acknowledged, nowMs);
        this.#hands.leave(delivery, verdict.left);
        return;
      case 'left':
        // Lambda does not scale a mapping down that reports its failures.
        if (!reporting) this.#cut(delivery.startedAtMs, nowMs, 'FunctionError');
        this.#hands.end(delivery);
        this.#hands.leave(delivery, delivery.records);
        return;
    }
  }

  /** The target did not process the batch: it waits, and with it the whole mapping. */
  #hold(delivery: Delivery, cause: BrakeCause, target: Target, isProbe: boolean, nowMs: number): void {
    const { rules, random, config, emit, alarm, closing } = this.#loop;
    this.#hands.putBack(delivery, nowMs);
    // A replaced target's troubles are not the new one's.
    if (target === config.target) {
      const before = this.#brake;
      this.#brake = rules.pull(before, cause, isProbe, nowMs, random);
      if (this.#brake !== before && this.#brake.kind === 'braked') {
        const { reason, message } = cause;
        emit({ kind: 'braked', reason, message, delayMs: this.#brake.untilMs - nowMs });
        alarm.by(this.#brake.untilMs);
      }
      this.#hands.holdWaiting(nowMs);
      this.#cut(delivery.startedAtMs, nowMs, 'Throttled');
    }
    if (closing !== undefined) this.#hands.giveBack(closing);
  }

  #unbrake(nowMs: number): void {
    const brake = this.#brake;
    this.#probe = undefined;
    if (brake.kind === 'open') return;
    this.#brake = OPEN;
    this.#loop.emit({ kind: 'unbraked', heldMs: nowMs - brake.sinceMs });
  }

  #cut(startedAtMs: number, nowMs: number, reason: string): void {
    const { rules, effective } = this.#loop;
    this.#setConcurrency(rules.cut(this.#concurrency, effective.bounds, startedAtMs, nowMs), reason);
  }

  #setConcurrency(concurrency: Concurrency, reason: string): void {
    const before = this.#concurrency.limit;
    this.#concurrency = concurrency;
    const { limit } = concurrency;
    if (limit !== before) this.#loop.emit({ kind: 'concurrency-changed', limit, reason });
  }
}

function newOpenCall(): OpenCall {
  return { before: undefined, behind: undefined, list: undefined, abort: new AbortController() };
}

/** What the event says of a verdict. */
function toldOf(
  verdict: Verdict<QueueRecord>,
  records: number,
): { readonly reason: string; readonly message: string; readonly failedRecords: number } {
  switch (verdict.kind) {
    case 'acknowledged':
      return { reason: 'Succeeded', message: '', failedRecords: 0 };
    case 'partial':
      return { reason: 'PartialFailure', message: '', failedRecords: verdict.left.length };
    case 'left':
    case 'held':
      return { reason: verdict.reason, message: verdict.message, failedRecords: records };
  }
}
