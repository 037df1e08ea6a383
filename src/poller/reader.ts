/**
 * The side of the source: receives, filters, and hands over what is left; reads what the queue says of itself.
 *
 * A receive starts only if a delivery slot and bytes are free for what it may bring. The budget is exceeded at most by
 * one answer for each receive under way: an idle long poll reserves nothing, a draining one an estimate.
 */
import type { Calls } from './calls.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Hands } from './hands.ts';
import { Intake, type Receive } from './intake.ts';
import type { Loop } from './loop.ts';
import type { ByteBudget, Matches, QueueFacts, QueueRecord } from './ports.ts';
import type { Settler } from './settler.ts';
import * as visibility from './visibility.ts';

const WAIT_SECONDS = 20;
/** Beyond its long poll a receive may take this long to answer; then it counts as hung. */
const SLACK_MS = 10_000;
/**
 * How long a receive waits for more room while there is a backlog and calls are under way. Small batches end one by one;
 * a receive for each slot that becomes free would make ten times as many calls of the source, which are paid for.
 */
const GATHER_MS = 5;
/** One mapping takes at most this share of the byte budget, so that what it holds cannot stop all others. */
const BUDGET_SHARE = 0.5;

export interface ReaderDeps {
  readonly budget: ByteBudget;
  readonly hands: Hands;
  readonly dispatcher: Dispatcher;
  /** Receives are apart from other calls, since drain lets them end before it aborts them. */
  readonly receiveCalls: Calls;
  readonly settler: Settler;
  /** Told of each receive that brought records. */
  readonly onArrival: (nowMs: number) => void;
}

export class Reader {
  readonly #loop: Loop;
  readonly #deps: ReaderDeps;
  readonly #intake: Intake;
  #opened = false;
  /** Since when there is some room, but not for a whole receive. */
  #shortSinceMs: number | undefined;
  #reservedBytes = 0;
  #budgetWait: AbortController | undefined;
  #granted: number | undefined;

  constructor(loop: Loop, deps: ReaderDeps) {
    this.#loop = loop;
    this.#deps = deps;
    this.#intake = new Intake(loop.random);
  }

  /** Receives under way. */
  get receiving(): number {
    return this.#intake.size;
  }

  /** The queue is read, and the last receive brought nothing. */
  get bringsNothing(): boolean {
    return this.#opened && this.#intake.size > 0 && !this.#intake.draining;
  }

  /** Gives bytes of our share back. */
  unreserve(bytes: number): void {
    this.#reservedBytes -= bytes;
    this.#deps.budget.adjust(-bytes);
  }

  /** Stops waiting for the budget. */
  stop(): void {
    this.#budgetWait?.abort();
  }

  /** Starts the receives that may start. */
  start(facts: QueueFacts, nowMs: number): void {
    if (this.#intake.waitUntilMs > nowMs) {
      this.#loop.alarm.by(this.#intake.waitUntilMs);
      return;
    }
    const { batchSize, windowMs } = this.#loop.effective;
    while (this.#intake.wants) {
      const slots = this.#deps.dispatcher.freeSlots(nowMs, this.#intake.size > 0);
      const room = { slots, batchSize, merging: windowMs > 0, open: this.#deps.hands.gathered };
      const most = this.#intake.room(room, this.#loop.source.limits.receiveMax);
      const max = this.#intake.fitting(most, this.#deps.budget.limit * BUDGET_SHARE);
      if (most <= 0 || this.#gathersRoom(most, nowMs)) return;
      if (!this.#reserve(this.#intake.expectedBytes(max))) return;
      this.#shortSinceMs = undefined;
      const reservedBytes = this.#granted ?? 0;
      this.#granted = undefined;
      this.#reservedBytes += reservedBytes;
      const slotsTaken = Math.ceil(max / batchSize);
      const receive: Receive = {
        before: undefined,
        behind: undefined,
        list: undefined,
        max,
        slots: slotsTaken,
        reservedBytes,
        startedAtMs: nowMs,
      };
      this.#intake.started(receive);
      this.#loop.run(() => this.#receive(receive, facts));
    }
  }

  /** Whether room for more records may come in a moment. */
  #gathersRoom(records: number, nowMs: number): boolean {
    const { source, effective, alarm } = this.#loop;
    const { dispatcher } = this.#deps;
    const whole = Math.min(source.limits.receiveMax, dispatcher.limit * effective.batchSize);
    // Also of a receive under way: what it brings will run and end before long.
    const isBusy = dispatcher.running > 0 || this.#intake.size > 0;
    const mayCome = isBusy && !dispatcher.braked && effective.windowMs === 0;
    if (records >= whole || !mayCome || !this.#intake.backlogged) return false;
    this.#shortSinceMs ??= nowMs;
    const untilMs = this.#shortSinceMs + GATHER_MS;
    if (untilMs <= nowMs) return false;
    alarm.by(untilMs);
    return true;
  }

  /** A grant of the budget that could not be used at once goes back: others wait for it. */
  returnGrant(): void {
    if (this.#granted === undefined) return;
    const bytes = this.#granted;
    this.#granted = undefined;
    this.#deps.budget.adjust(-bytes);
  }

  /** Counts a failed call and returns the delay before the next. */
  failed(error: unknown, receive?: Receive): number {
    return this.#intake.failed(receive, error, this.#loop.clock.monotonic());
  }

  /** Has bytes granted at once, or queues up for them and returns false. */
  #reserve(bytes: number): boolean {
    if (this.#granted !== undefined) return true;
    if (this.#budgetWait !== undefined) return false;
    const { budget } = this.#deps;
    // Our own share comes back with our own batches, and each of them ends in a pump.
    if (this.#reservedBytes > 0 && this.#reservedBytes + bytes > budget.limit * BUDGET_SHARE) return false;
    if (budget.tryReserve(bytes)) {
      this.#granted = bytes;
      return true;
    }
    const wait = new AbortController();
    this.#budgetWait = wait;
    this.#loop.run(async () => {
      try {
        await budget.reserve(bytes, wait.signal);
        this.#granted = bytes;
      } catch {
        // Stopped: nobody wants the bytes any more.
      }
      this.#budgetWait = undefined;
      this.#loop.pump();
    });
    return false;
  }

  async #receive(receive: Receive, facts: QueueFacts): Promise<void> {
    const { source } = this.#loop;
    const request = {
      max: receive.max,
      // Always the full long poll, also while a window is open: the window's end closes the batch by itself, and what
      // the poll brings later begins the next one. Nothing waits for a poll, so none has to be cut short.
      // The first one does not wait: it shows at once whether the source can be read.
      waitSeconds: this.#opened ? WAIT_SECONDS : 0,
      visibilitySeconds: visibility.receiveVisibilitySeconds(facts),
      filteredBy: this.#loop.config.matches?.members,
    };
    let records: readonly QueueRecord[];
    try {
      records = await this.#deps.receiveCalls.run(WAIT_SECONDS * 1000 + SLACK_MS, (signal) =>
        source.receive(request, signal),
      );
    } catch (error) {
      this.unreserve(receive.reservedBytes);
      const delayMs = this.failed(error, receive);
      if (this.#loop.closing !== 'Draining') this.#loop.report(error, delayMs);
      this.#loop.pump();
      return;
    }
    this.#arrived(receive, records, visibility.workingVisibilityMs(facts));
    this.#loop.pump();
  }

  #arrived(receive: Receive, records: readonly QueueRecord[], visibilityMs: number): void {
    const { clock, emit, closing } = this.#loop;
    const { hands, dispatcher } = this.#deps;
    const nowMs = clock.monotonic();
    let bytes = 0;
    let largest = 0;
    for (const record of records) {
      bytes += record.bytes;
      if (record.bytes > largest) largest = record.bytes;
    }
    this.#intake.answered(receive, records.length, largest);
    this.unreserve(receive.reservedBytes - bytes);
    emit({ kind: 'polled', records: records.length, bytes, durationMs: nowMs - receive.startedAtMs });
    if (!this.#opened) {
      this.#opened = true;
      emit({ kind: 'source-opened' });
    }
    if (records.length === 0) {
      this.#intake.useful();
      dispatcher.idle();
      return;
    }
    this.#deps.onArrival(nowMs);
    const seen = visibility.received(nowMs, visibilityMs);
    if (closing !== undefined) {
      hands.release(hands.take(records, seen), closing);
      return;
    }
    const { matches } = this.#loop.config;
    const matched = matches === undefined ? records : this.#filter(records, matches, seen);
    if (matched.length === 0) return;
    this.#intake.useful();
    // Without a window a batch is what one receive brought; nor does a probe wait for a fuller batch.
    hands.gather(matched, seen, this.#loop.effective.windowMs === 0 || dispatcher.braked, nowMs);
    if (dispatcher.braked) hands.holdWaiting(nowMs);
    if (records.length >= receive.max) dispatcher.backlog(nowMs);
  }

  /** Disposes of the records that no pattern matches, and returns the others. */
  #filter(
    records: readonly QueueRecord[],
    matches: Matches,
    seen: visibility.Visibility,
  ): readonly QueueRecord[] {
    const matched: QueueRecord[] = [];
    const unmatched: QueueRecord[] = [];
    let undecided = 0;
    for (const record of records) {
      const decision = decide(record, matches);
      if (decision === 'undecided') undecided++;
      (decision === false ? unmatched : matched).push(record);
    }
    if (undecided > 0) this.#loop.emit({ kind: 'filter-undecided', records: undecided });
    if (unmatched.length === 0) return records;
    const { hands, settler } = this.#deps;
    const { clock, emit, config } = this.#loop;
    const delivery = hands.take(unmatched, seen, true);
    if (config.settings.unmatched === 'Delete') {
      emit({ kind: 'filtered-out', records: unmatched.length, disposal: 'deleted' });
      settler.settle(delivery, unmatched, clock.monotonic());
    } else {
      emit({ kind: 'filtered-out', records: unmatched.length, disposal: 'released' });
      hands.release(delivery, undefined);
      if (matched.length === 0) this.#intake.allReleased(clock.monotonic());
    }
    return matched;
  }
}

/** A filter that throws is a defect; delivering the record can be repaired, deleting it cannot. */
function decide(record: QueueRecord, matches: Matches): ReturnType<Matches> {
  try {
    return matches(record.filterable());
  } catch {
    return 'undecided';
  }
}
