/**
 * A queue of the bench: real visibility timeouts, receipts that name one delivery, right MD5s, long polls. It counts
 * what a run must show: how often each message was delivered to the target, and that every one was deleted.
 */
import { createHash, randomUUID } from 'node:crypto';

interface Message {
  readonly index: number;
  /** JSON of the message up to where the receive count stands, and from there to the receipt handle's digits. */
  readonly json: string;
  sentAtMs: number;
  receives: number;
  visibleAtMs: number;
  deleted: boolean;
  delivered: number;
}

interface Poll {
  readonly max: number;
  readonly untilMs: number;
  readonly answer: (messages: string) => void;
  readonly isGone: () => boolean;
}

const receiptPadding = 'AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a+'.repeat(8).slice(0, 240);

export class Queue {
  readonly #visibilityMs: number;
  readonly #messages = new Map<number, Message>();
  readonly #byId = new Map<string, Message>();
  #visible: Message[] = [];
  #head = 0;
  readonly #inFlight = new Set<Message>();
  readonly #polls = new Set<Poll>();
  #prepared: Message[] = [];
  #next = 0;
  deleted = 0;
  redelivered = 0;
  doubled = 0;
  delivered = 0;
  unknown = 0;
  /** Milliseconds from sending to the first delivery, since `forget`. */
  latencies: number[] = [];

  constructor(visibilityMs: number) {
    this.#visibilityMs = visibilityMs;
  }

  get sent(): number {
    return this.#next;
  }

  get polls(): number {
    return this.#polls.size;
  }

  /** Makes messages that `release` sends. */
  prepare(count: number, bytes: number): void {
    for (let made = 0; made < count; made++) this.#prepared.push(this.#make(bytes));
  }

  release(): void {
    const nowMs = performance.now();
    for (const message of this.#prepared) message.sentAtMs = nowMs;
    this.#visible.push(...(this.#prepared.length > 50_000 ? [] : this.#prepared));
    if (this.#prepared.length > 50_000) for (const message of this.#prepared) this.#visible.push(message);
    this.#prepared = [];
    this.#serve();
  }

  receive(max: number, waitMs: number, answer: (messages: string) => void, isGone: () => boolean): void {
    const taken = this.#take(max);
    if (taken !== '' || waitMs <= 0) answer(taken);
    else this.#polls.add({ max, untilMs: performance.now() + waitMs, answer, isGone });
  }

  /** True if the receipt names a message of this queue: also one that was deleted before. */
  delete(receipt: string): boolean {
    const message = this.#messages.get(Number.parseInt(receipt, 36));
    if (message === undefined) return false;
    if (!message.deleted) {
      message.deleted = true;
      this.deleted++;
      this.#inFlight.delete(message);
    }
    return true;
  }

  change(receipt: string, ms: number): boolean {
    const message = this.#messages.get(Number.parseInt(receipt, 36));
    if (message === undefined || !this.#inFlight.has(message)) return false;
    message.visibleAtMs = performance.now() + ms;
    return true;
  }

  /** The target has processed a message. */
  tick(id: string, nowMs: number): void {
    const message = this.#byId.get(id);
    if (message === undefined) this.unknown++;
    else if (++message.delivered > 1) this.doubled++;
    else {
      this.delivered++;
      this.latencies.push(nowMs - message.sentAtMs);
    }
  }

  /** Forgets what is done, so that waves do not pile up. */
  forget(): void {
    for (const [id, message] of this.#byId) {
      if (!message.deleted || message.delivered === 0) continue;
      this.#byId.delete(id);
      this.#messages.delete(message.index);
    }
    this.#visible = this.#visible.slice(this.#head);
    this.#head = 0;
    this.latencies = [];
  }

  /** Looks at the deadlines; to be called some times a second. */
  look(): void {
    const nowMs = performance.now();
    for (const message of this.#inFlight) {
      if (message.visibleAtMs > nowMs) continue;
      this.#inFlight.delete(message);
      this.#visible.push(message);
      this.redelivered++;
    }
    for (const poll of this.#polls) {
      if (poll.isGone()) this.#polls.delete(poll);
      else if (poll.untilMs <= nowMs) {
        this.#polls.delete(poll);
        poll.answer('');
      }
    }
    this.#serve();
  }

  #serve(): void {
    for (const poll of this.#polls) {
      if (this.#head >= this.#visible.length) return;
      this.#polls.delete(poll);
      if (!poll.isGone()) poll.answer(this.#take(poll.max));
    }
  }

  #take(max: number): string {
    let json = '';
    const untilMs = performance.now() + this.#visibilityMs;
    for (let count = 0; count < max && this.#head < this.#visible.length; this.#head++) {
      const message = this.#visible[this.#head];
      if (message === undefined || message.deleted) continue;
      message.visibleAtMs = untilMs;
      message.receives++;
      this.#inFlight.add(message);
      const handle = `${message.index.toString(36)}.${message.receives}/${receiptPadding}`;
      json += `${count === 0 ? '' : ','}{"Attributes":{"ApproximateReceiveCount":"${message.receives}"${message.json},"ReceiptHandle":"${handle}"}`;
      count++;
    }
    if (this.#head > 100_000) {
      this.#visible = this.#visible.slice(this.#head);
      this.#head = 0;
    }
    return json;
  }

  #make(bytes: number): Message {
    const index = this.#next++;
    const id = randomUUID();
    const body = bodyOf(index, bytes);
    const md5 = createHash('md5').update(body).digest('hex');
    const json = `,"SentTimestamp":"${Date.now()}","SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"${Date.now()}"},"Body":${JSON.stringify(body)},"MD5OfBody":"${md5}","MessageId":"${id}"`;
    const message = {
      index,
      json,
      sentAtMs: 0,
      receives: 0,
      visibleAtMs: 0,
      deleted: false,
      delivered: 0,
    };
    this.#messages.set(index, message);
    this.#byId.set(id, message);
    return message;
  }
}

/** An order as applications send them: some nesting, some numbers, text up to the wanted size. */
function bodyOf(index: number, bytes: number): string {
  const order = {
    orderId: `ord-${index}`,
    customer: { id: index % 977, tier: ['gold', 'silver', 'bronze'][index % 3], country: 'DE' },
    total: (index % 10_000) / 100,
    items: itemsOf(bytes),
    note: '',
  };
  const missing = bytes - JSON.stringify(order).length;
  return JSON.stringify({ ...order, note: 'x'.repeat(Math.max(0, missing)) });
}

/** Items for about two thirds of the size; the same for all messages, which costs the server less. */
function itemsOf(bytes: number): readonly object[] {
  const item = { sku: 'sku-17-0042', quantity: 3, price: 9.5, text: 'as described' };
  const count = Math.floor(((bytes - 200) * 0.66) / JSON.stringify(item).length);
  return Array.from({ length: Math.max(0, count) }, () => item);
}
