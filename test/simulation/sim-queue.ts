/**
 * A queue as SQS is one, in memory and on a virtual clock: visibility, receipts that go stale, receive counts, redrive,
 * group locks, long polls. `connect` gives it to a poller as a `QueueSource` with the scenario's faults.
 */
import { backoff, never, SluiceError } from '../../src/lib/errors.ts';
import type { Random } from '../../src/lib/random.ts';
import type {
  QueueFacts,
  QueueRecord,
  QueueSource,
  ReceiveRequest,
  Unsettled,
} from '../../src/poller/ports.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';
import type { Life, Model } from './model.ts';
import type { Scenario } from './scenario.ts';

export interface Message {
  readonly index: number;
  readonly name: string;
  readonly group: string | undefined;
  readonly bytes: number;
  readonly json: string;
  readonly matched: boolean;
  readonly poison: boolean;
  readonly sentAtMs: number;
  state: 'queued' | 'deleted' | 'dead';
  visibleAtMs: number;
  receivedAtMs: number;
  receiveCount: number;
  receipt: string;
  /** Whose hands it was given into last. */
  holder: Life | undefined;
  // The model's notes.
  /** When a delete of it failed that may be tried again and was not. */
  deleteFailedMs: number | undefined;
  /** Deletes asked for since its last receive. */
  deletes: number;
  excuses: number;
  succeeded: boolean;
  /** Left by a function error since its last receive. */
  spent: boolean;
}

/** A record keeps its message, so that target and model need not look it up. */
export interface SimRecord extends QueueRecord {
  readonly message: Message;
}

const ENVELOPE = { open: '{"Records":[', close: ']}' };

export class SimQueue {
  readonly #clock: VirtualClock;
  readonly #model: Model;
  readonly #scenario: Scenario;
  readonly #random: Random;
  #waiters = new Set<() => void>();
  /** From here on no call fails. */
  quiet = false;

  constructor(clock: VirtualClock, model: Model, scenario: Scenario, random: Random) {
    this.#clock = clock;
    this.#model = model;
    this.#scenario = scenario;
    this.#random = random;
  }

  send(index: number): void {
    const plan = this.#scenario.messages[index];
    if (plan === undefined) return;
    const json = `{"messageId":"m${index}","body":"${'x'.repeat(plan.bytes)}"}`;
    const nowMs = this.#clock.monotonic();
    this.#model.messages.push({
      index,
      name: `m${index}${plan.group === undefined ? '' : `/${plan.group}`}`,
      group: plan.group,
      bytes: json.length,
      json,
      matched: plan.matched,
      poison: plan.poison,
      sentAtMs: nowMs,
      state: 'queued',
      visibleAtMs: nowMs,
      receivedAtMs: 0,
      receiveCount: 0,
      receipt: '',
      holder: undefined,
      deleteFailedMs: undefined,
      deletes: 0,
      excuses: 0,
      succeeded: false,
      spent: false,
    });
    this.#wake();
  }

  /** The queue as one poller sees it. */
  connect(life: Life): QueueSource {
    return {
      type: 'sim',
      limits: { receiveMax: 10, holdMaxMs: this.#scenario.holdMaxMs },
      describe: (signal) => this.#call(life, signal, 'describe', () => this.#facts()),
      receive: (request, signal) => this.#receive(life, request, signal),
      settle: (records, signal) => this.#settle(life, records as readonly SimRecord[], signal),
      extend: (records, seconds, signal) =>
        this.#extend(life, records as readonly SimRecord[], seconds, signal),
      envelope: (records) => ENVELOPE.open + records.map((record) => record.json).join(',') + ENVELOPE.close,
      envelopeBytes: (count) => ENVELOPE.open.length + ENVELOPE.close.length + Math.max(0, count - 1),
      close: async () => {},
    };
  }

  #happens(probability: number): boolean {
    return !this.quiet && probability > 0 && this.#random() < probability;
  }

  /** The time that a call takes on its way; a slow one may outlast a visibility. */
  async #latency(life: Life, touched: () => readonly Message[]): Promise<void> {
    let ms = 1 + Math.floor(this.#random() * 20);
    if (this.#happens(this.#scenario.faults.slow)) {
      ms = 500 + Math.floor(this.#random() * 4000);
      this.#disturbed(life, touched(), 'a slow call');
      // What joins a batch meanwhile waits for the call, too.
      life.slowUntilMs = this.#clock.monotonic() + ms;
    }
    await this.#clock.sleep(ms);
    await alive(life);
  }

  /** Trouble with the visibility of messages is trouble for all in the same hands: they may share a batch. */
  #disturbed(life: Life, messages: readonly Message[], why: string): void {
    if (messages.length === 0) return;
    for (const message of this.#model.messages) {
      if (message.state === 'queued' && (message.holder === life || messages.includes(message))) {
        this.#model.excuse(message, why);
      }
    }
  }

  async #call<T>(life: Life, signal: AbortSignal, kind: 'describe', act: () => T): Promise<T> {
    await this.#latency(life, () => []);
    if (signal.aborted) throw new Error('aborted');
    if (this.#happens(this.#scenario.faults[kind])) throw refused();
    return act();
  }

  #facts(): QueueFacts {
    const { fifo, visibilityMs, maxReceiveCount } = this.#scenario;
    return {
      fifo,
      visibilityTimeoutMs: visibilityMs,
      maxReceiveCount,
      backlog: { visible: 0, inFlight: 0, delayed: 0 },
    };
  }

  async #receive(life: Life, request: ReceiveRequest, signal: AbortSignal): Promise<SimRecord[]> {
    const { faults } = this.#scenario;
    this.#model.receiving(life);
    life.receives++;
    try {
      await this.#latency(life, () => []);
      if (this.#happens(faults.receiveRefused)) throw refused(this.#random());
      if (this.#happens(faults.receiveHung)) {
        this.#model.say(`${life.name} receive hangs`);
        await this.#clock.sleep(3_600_000, signal);
        await alive(life);
        throw new Error('aborted');
      }
      const records = await this.#poll(life, request, signal);
      const lost = signal.aborted || this.#happens(faults.receiveLost);
      if (lost) for (const { message } of records) this.#model.excuse(message, 'the answer was lost');
      await this.#latency(life, () => records.map(({ message }) => message));
      if (lost) throw refused();
      return records;
    } finally {
      life.receives--;
    }
  }

  async #poll(life: Life, request: ReceiveRequest, signal: AbortSignal): Promise<SimRecord[]> {
    const untilMs = this.#clock.monotonic() + request.waitSeconds * 1000;
    for (;;) {
      if (signal.aborted) throw new Error('aborted');
      const records = this.#take(life, request);
      if (records.length > 0 || this.#clock.monotonic() >= untilMs) return records;
      await this.#change(untilMs, signal);
      await alive(life);
    }
  }

  #take(life: Life, request: ReceiveRequest): SimRecord[] {
    const nowMs = this.#clock.monotonic();
    const { fifo, maxReceiveCount, visibilityMs, faults } = this.#scenario;
    const locked = new Set<string>();
    const visible: Message[] = [];
    for (const message of this.#model.messages) {
      if (message.state !== 'queued') continue;
      if (message.visibleAtMs > nowMs) {
        if (message.group !== undefined) locked.add(message.group);
        // A standard queue may hand out what is in flight.
        if (!fifo && message.receiveCount > 0 && this.#happens(faults.duplicate)) {
          this.#model.excuse(message, 'handed out twice');
          message.excuses++;
          visible.push(message);
        }
      } else visible.push(message);
    }
    const records: SimRecord[] = [];
    if (!fifo)
      visible.sort((a, b) => hash(a.index + this.#scenario.seed) - hash(b.index + this.#scenario.seed));
    // Standard queues keep no order, so that no message starves behind others for ever.
    const from = fifo || visible.length === 0 ? 0 : Math.floor(this.#random() * visible.length);
    for (let step = 0; step < visible.length && records.length < request.max; step++) {
      const message = visible[(from + step) % visible.length];
      if (message === undefined || (message.group !== undefined && locked.has(message.group))) continue;
      if (maxReceiveCount !== undefined && message.receiveCount >= maxReceiveCount) {
        message.state = 'dead';
        if (this.#model.tracing) this.#model.say(`${message.name} moves to the dead-letter queue`);
        continue;
      }
      this.#model.reappears(message);
      message.receiveCount++;
      message.receipt = `${message.name}#${message.receiveCount}`;
      message.receivedAtMs = nowMs;
      message.visibleAtMs = nowMs + (request.visibilitySeconds ?? visibilityMs / 1000) * 1000;
      message.holder = life;
      message.spent = false;
      message.deletes = 0;
      records.push(recordOf(message));
      this.#model.handedOut(message, life);
    }
    if (this.#model.tracing) {
      this.#model.say(
        `${life.name} receives ${records.map(({ receipt }) => receipt).join(' ') || 'nothing'}`,
      );
    }
    return records;
  }

  async #settle(
    life: Life,
    records: readonly SimRecord[],
    signal: AbortSignal,
  ): Promise<Unsettled<QueueRecord>[]> {
    const { faults, fifo } = this.#scenario;
    if (this.#model.tracing) this.#model.say(`${life.name} deletes ${receiptsOf(records)}`);
    for (const { message } of records) {
      message.deletes++;
      message.deleteFailedMs = undefined;
    }
    for (const { message } of records) this.#model.deleting(message, life.settings.unmatched === 'Delete');
    await this.#latency(life, () => records.map(({ message }) => message));
    if (signal.aborted) throw new Error('aborted');
    if (this.#happens(faults.settleRefused)) {
      for (const { message } of records) this.#model.excuse(message, 'the delete was refused');
      throw refused();
    }
    const failed: Unsettled<QueueRecord>[] = [];
    for (const record of records) {
      const { message } = record;
      const current = message.receipt === record.receipt;
      const expired = message.visibleAtMs <= this.#clock.monotonic();
      if (message.state !== 'queued') continue;
      if (this.#happens(faults.settlePartly)) {
        this.#model.excuse(message, 'its delete failed');
        message.deleteFailedMs ??= this.#clock.monotonic();
        failed.push({ record, code: 'InternalError', retryable: true });
      } else if (fifo && (!current || expired)) {
        this.#model.excuse(message, 'its receipt was stale');
        failed.push({ record, code: 'ReceiptHandleInvalid', retryable: false });
      } else if (current || this.#random() < 0.5) {
        message.state = 'deleted';
        message.holder = undefined;
      }
    }
    this.#wake();
    const lost = this.#happens(faults.settleLost);
    if (lost)
      for (const { message } of records) this.#model.excuse(message, 'the answer to its delete was lost');
    await this.#latency(life, () => []);
    if (lost) throw refused();
    return failed;
  }

  async #extend(
    life: Life,
    records: readonly SimRecord[],
    seconds: number,
    signal: AbortSignal,
  ): Promise<Unsettled<QueueRecord>[]> {
    const { faults, holdMaxMs } = this.#scenario;
    if (this.#model.tracing) this.#model.say(`${life.name} extends ${receiptsOf(records)} to ${seconds} s`);
    await this.#latency(life, () => records.map(({ message }) => message));
    if (signal.aborted) throw new Error('aborted');
    if (this.#happens(faults.extendRefused)) {
      this.#disturbed(life, messagesOf(records), 'the extension was refused');
      throw refused();
    }
    const nowMs = this.#clock.monotonic();
    const failed: Unsettled<QueueRecord>[] = [];
    for (const record of records) {
      const { message } = record;
      if (this.#happens(faults.extendPartly)) {
        this.#disturbed(life, [message], 'its extension failed');
        failed.push({ record, code: 'InternalError', retryable: true });
      } else if (
        message.state !== 'queued' ||
        message.receipt !== record.receipt ||
        message.visibleAtMs <= nowMs ||
        this.#happens(faults.receiptStale)
      ) {
        this.#disturbed(life, [message], 'its receipt was stale');
        failed.push({ record, code: 'ReceiptHandleInvalid', retryable: false });
      } else if (nowMs + seconds * 1000 > message.receivedAtMs + holdMaxMs) {
        if (faults.slow === 0) this.#model.violate('visibility keeps its total limit', message.name);
        this.#disturbed(life, [message], 'it reached the total limit of visibility');
        failed.push({ record, code: 'InvalidParameterValue', retryable: false });
      } else {
        if (seconds === 0) this.#model.released(message, life);
        message.visibleAtMs = nowMs + seconds * 1000;
        const beatsMs = 3000 + 2 * Math.max(2000, this.#scenario.visibilityMs);
        if (nowMs + beatsMs > message.receivedAtMs + holdMaxMs) {
          this.#disturbed(life, [message], 'it reached the total limit of visibility');
        }
      }
    }
    this.#wake();
    await this.#latency(life, () => records.map(({ message }) => message));
    return failed;
  }

  /** Resolves when something may have become visible, at `untilMs`, or on abort. */
  async #change(untilMs: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonic();
    let nextMs = untilMs;
    for (const message of this.#model.messages) {
      if (message.state === 'queued' && message.visibleAtMs > nowMs) {
        nextMs = Math.min(nextMs, message.visibleAtMs);
      }
    }
    const woken = new AbortController();
    const wake = (): void => woken.abort('woken');
    this.#waiters.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    await this.#clock.sleep(Math.max(1, nextMs - nowMs), woken.signal);
    signal.removeEventListener('abort', wake);
    this.#waiters.delete(wake);
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const wake of waiters) wake();
  }
}

function recordOf(message: Message): SimRecord {
  return {
    message,
    id: `m${message.index}`,
    json: message.json,
    bytes: message.bytes,
    filterable: () => message.matched,
    receipt: message.receipt,
    lane: message.group,
    receiveCount: message.receiveCount,
    sentAtMs: message.sentAtMs,
  };
}

function messagesOf(records: readonly SimRecord[]): readonly Message[] {
  return records.map(({ message }) => message);
}

function receiptsOf(records: readonly SimRecord[]): string {
  return records.map(({ receipt }) => receipt).join(' ');
}

function refused(chance = 0): SluiceError {
  return chance > 0.9
    ? new SluiceError('SourceAccessDenied', 'simulated', never)
    : new SluiceError('SourceUnreachable', 'simulated', backoff);
}

function hash(value: number): number {
  return Math.imul(value ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
}

/** Never resolves for a poller that was killed: nothing reaches it any more. */
export async function alive(life: Life): Promise<void> {
  if (life.dead) await new Promise<never>(() => {});
}
