/**
 * What must be true of every run, kept apart from the engine: the model watches the simulated queue and target and
 * knows nothing of how the loop works. It keeps the first broken rule.
 *
 * Receive counts: a message may be received once, and once more for each excuse, that is for each thing that happened
 * to it after which a redelivery is due (a function error, a lost answer, a kill…). A throttle is none.
 */
import type { PollerEvent } from '../../src/poller/events.ts';
import type { QueuePollerSettings } from '../../src/poller/settings.ts';
import type { Message } from './sim-queue.ts';

export interface Violation {
  readonly rule: string;
  readonly detail: string;
}

/** One life of a poller: from its start to its end or kill. */
export interface Life {
  readonly name: string;
  settings: QueuePollerSettings;
  dead: boolean;
  /** Draining or paused: what it takes now, it gives back. */
  closing: boolean;
  /** Calls under way, by their batches. */
  readonly calls: Set<Call>;
  braked: { untilMs: number } | undefined;
  /** When it was first braked. */
  firstBrakedMs: number | undefined;
  lastThrottleMs: number | undefined;
  readonly budget: { readonly limit: number; readonly used: number };
  /** Receives under way. */
  receives: number;
  slowUntilMs: number;
  /** Calls are counted to see that a probe is alone. */
  probes: number;
}

export interface Call {
  readonly id: string;
  readonly messages: readonly Message[];
  readonly startedMs: number;
}

export class Model {
  readonly messages: Message[] = [];
  readonly #now: () => number;
  readonly #steady: boolean;
  readonly #trace: ((line: string) => void) | undefined;
  readonly #idOfBatch = new Map<string, string>();
  readonly #batchOfId = new Map<string, string>();
  violation: Violation | undefined;

  /** `steady` is whether extensions never fail in this run. */
  constructor(now: () => number, steady: boolean, trace: ((line: string) => void) | undefined) {
    this.#now = now;
    this.#steady = steady;
    this.#trace = trace;
  }

  get tracing(): boolean {
    return this.#trace !== undefined;
  }

  say(text: string): void {
    this.#trace?.(`${String(this.#now()).padStart(8)} ms  ${text}`);
  }

  violate(rule: string, detail: string): void {
    this.violation ??= { rule, detail };
    this.say(`RULE BROKEN: ${rule}: ${detail}`);
  }

  excuse(message: Message, why: string): void {
    message.excuses++;
    if (this.#trace !== undefined) this.say(`  ${message.name} may come again: ${why}`);
  }

  /** The queue handed out a message. */
  handedOut(message: Message, life: Life): void {
    if (message.receiveCount > 1 + message.excuses) {
      this.violate(
        'receive counts are spent only on failures',
        `${message.name} was received ${message.receiveCount} times with ${message.excuses} excuses`,
      );
    }
    if (life.closing) this.excuse(message, 'received while closing');
    if (this.#now() <= life.slowUntilMs) this.excuse(message, 'received during a slow call');
  }

  /** A message is about to be handed out, again if it had a holder. */
  reappears(message: Message): void {
    const { deleteFailedMs, holder } = message;
    message.deleteFailedMs = undefined;
    // A poller that ended could not try again, nor one whose messages were hidden too shortly.
    if (!this.#steady || deleteFailedMs === undefined || holder?.closing !== false) return;
    // Tried again, and given up in the end.
    if (message.deletes > 2) return;
    const hiddenUntilMs = Math.min(this.#now(), message.visibleAtMs);
    if (hiddenUntilMs - deleteFailedMs < 6000) return;
    this.violate('a failed delete is tried again', message.name);
  }

  /** A receive begins. */
  receiving(life: Life): void {
    if (life.closing) this.violate('no receive begins while paused or draining', life.name);
    if (life.braked !== undefined && this.#now() < life.braked.untilMs - 1) {
      this.violate('no receive begins while braked', life.name);
    }
  }

  /** A call begins; `event` is the text that the target gets. */
  invoked(life: Life, id: string, messages: readonly Message[], receipts: string, event: string): Call {
    const call: Call = { id, messages, startedMs: this.#now() };
    const { settings } = life;
    if (messages.length > settings.batchSize) {
      this.violate('a batch holds at most batchSize records', `${messages.length} of ${settings.batchSize}`);
    }
    if (messages.length > 1 && event.length > (settings.maximumEventBytes ?? Infinity)) {
      this.violate('an event keeps its size limit', `${event.length} bytes`);
    }
    const limit = settings.maximumConcurrency ?? settings.concurrencyCeiling ?? Infinity;
    if (life.calls.size >= limit) {
      this.violate('concurrency keeps its limit', `${life.calls.size + 1} calls, limit ${limit}`);
    }
    const bytes = [...life.calls, call].reduce((sum, one) => sum + bytesOf(one.messages), 0);
    if (bytes > life.budget.used) {
      this.violate('bytes in hand are reserved', `${bytes} bytes in calls, ${life.budget.used} reserved`);
    }
    this.#checkBrake(life);
    this.#checkIdempotency(id, receipts);
    this.#checkGroups(life, messages);
    life.calls.add(call);
    return call;
  }

  #checkBrake(life: Life): void {
    const nowMs = this.#now();
    if (life.lastThrottleMs !== undefined && nowMs - life.lastThrottleMs < 90) {
      this.violate('a throttled target is left alone for a while', `${nowMs - life.lastThrottleMs} ms later`);
    }
    life.lastThrottleMs = undefined;
    if (life.braked === undefined) return;
    if (nowMs < life.braked.untilMs - 1) this.violate('nothing is invoked while braked', life.name);
    if (++life.probes > 1) this.violate('one batch probes alone', life.name);
  }

  #checkIdempotency(id: string, receipts: string): void {
    const known = this.#idOfBatch.get(receipts);
    if (known !== undefined && known !== id) {
      this.violate('a repeated batch keeps its idempotency key', `${known}, then ${id}`);
    }
    const batch = this.#batchOfId.get(id);
    if (batch !== undefined && batch !== receipts) {
      this.violate('an idempotency key names one batch', `${id}: ${batch}, then ${receipts}`);
    }
    this.#idOfBatch.set(receipts, id);
    this.#batchOfId.set(id, receipts);
  }

  #checkGroups(life: Life, messages: readonly Message[]): void {
    const last = new Map<string, number>();
    for (const message of messages) {
      if (message.group === undefined) continue;
      if ((last.get(message.group) ?? -1) >= message.index) {
        this.violate('a batch keeps the order of each group', message.name);
      }
      last.set(message.group, message.index);
    }
    for (const call of life.calls) {
      for (const message of call.messages) {
        if (message.group !== undefined && last.has(message.group)) {
          this.violate('a group is in one batch at a time', message.group);
        }
      }
    }
  }

  /** A call of a living poller ended: the messages that the function finished, those that it failed. */
  ended(life: Life, call: Call, done: readonly Message[], failed: readonly Message[]): void {
    life.calls.delete(call);
    if (life.dead) return;
    for (const message of done) {
      for (const earlier of this.messages) {
        if (earlier.index >= message.index) break;
        if (earlier.group === message.group && message.group !== undefined && !isPast(earlier)) {
          if (!done.includes(earlier)) {
            this.violate('order is kept in each group', `${message.name} succeeded before ${earlier.name}`);
          }
        }
      }
      message.succeeded = true;
    }
    for (const message of failed) {
      message.spent = true;
      this.excuse(message, 'the function failed');
    }
  }

  /** The target did not process the batch. */
  heldBack(life: Life, call: Call, current: boolean): void {
    life.calls.delete(call);
    // Further throttles of calls that ran beside the first one change nothing.
    if (current && !life.dead) life.lastThrottleMs ??= this.#now();
  }

  /** A delete was asked for. */
  deleting(message: Message, mayFilter: boolean): void {
    if (message.succeeded || (mayFilter && !message.matched)) return;
    this.violate('a message is deleted only after success', message.name);
  }

  /** A message was made visible at once. */
  released(message: Message, life: Life): void {
    if (life.closing || !message.matched) {
      this.excuse(message, 'given back');
      return;
    }
    // Behind a message of its group that failed or went away.
    const reason = this.messages.some(
      (other) => other !== message && other.group === message.group && other.excuses > 0,
    );
    if (message.group !== undefined && reason) this.excuse(message, 'its group begins again');
  }

  budget(life: Life, largest: number): void {
    const allowed = life.budget.limit + (life.receives + 1) * 10 * largest;
    if (life.budget.used > allowed) {
      this.violate('bytes keep within the budget', `${life.budget.used} of ${life.budget.limit}`);
    }
  }

  /** What the poller tells of itself. */
  told(life: Life, event: PollerEvent): void {
    if (this.#trace !== undefined) this.say(`  ${life.name} tells ${JSON.stringify(event)}`);
    if (life.dead) return;
    const nowMs = this.#now();
    if (event.kind === 'braked') {
      life.probes = 0;
      life.braked = { untilMs: nowMs + event.delayMs };
      life.firstBrakedMs ??= nowMs;
    } else if (event.kind === 'unbraked') {
      life.braked = undefined;
      life.lastThrottleMs = undefined;
      life.probes = 0;
    } else if (event.kind === 'let-go' && event.reason === 'HoldExpired') this.#holdExpired(life);
  }

  #holdExpired(life: Life): void {
    const heldMs = this.#now() - (life.firstBrakedMs ?? Infinity);
    if (!(heldMs >= life.settings.maximumHoldMs)) {
      this.violate('a held batch is held for maximumHoldMs', `let go after ${heldMs} ms`);
    }
    for (const message of this.messages)
      if (message.holder === life) this.excuse(message, 'its hold expired');
  }
}

/** Whether nothing is owed to a message any more. */
export function isPast(message: Message): boolean {
  return message.state !== 'queued' || message.succeeded || !message.matched;
}

function bytesOf(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + message.bytes, 0);
}
