/**
 * A queue of the bench: real visibility timeouts, receipts that name one delivery, long polls. It counts what a run must
 * show: how often each message was delivered to the target, and that every one was deleted. Messages are numbers in
 * tables, so that it costs little and collects no garbage that would show in the latencies of others.
 */
import { numberAt, type Library, type Messages } from './messages.ts';
import type { Reply } from './http-server.ts';

interface Poll {
  readonly max: number;
  readonly untilMs: number;
  readonly reply: Reply;
}

const opening = '{"Messages":[';
const closing = ']}';
const idName = Buffer.from('"messageId":"');
const bodyName = Buffer.from('"body":"');
/** Of the last wave; older ones have been looked through. */
const latenciesMax = 1_000_000;

export class Queue {
  readonly #visibilityMs: number;
  readonly #library: Library;
  #messages: Messages;
  /** By the number of the message. */
  #sentAtMs = new Float64Array(0);
  #visibleAtMs = new Float64Array(0);
  #receives = new Uint8Array(0);
  #deliveries = new Uint8Array(0);
  #isDeleted = new Uint8Array(0);
  /** Numbers that were taken, in the order of their deadlines; what comes back early goes to `#again`. */
  readonly #taken: number[] = [];
  #oldest = 0;
  #again: number[] = [];
  #next = 0;
  readonly #polls = new Set<Poll>();
  sent = 0;
  deleted = 0;
  redelivered = 0;
  doubled = 0;
  delivered = 0;
  /** Records of the target that are none of ours, or not as they were sent. */
  strange = 0;
  /** Milliseconds from sending to the first delivery, since `forget`. */
  latencies: number[] = [];

  constructor(visibilityMs: number, library: Library) {
    this.#library = library;
    this.#messages = library.of(1024);
    this.#visibilityMs = visibilityMs;
  }

  get polls(): number {
    return this.#polls.size;
  }

  /** Sends `count` messages. */
  send(count: number, bytes: number): void {
    this.#messages = this.#library.of(bytes);
    this.#messages.stamp(Date.now());
    this.#grow(this.sent + count);
    this.#sentAtMs.fill(performance.now(), this.sent, this.sent + count);
    this.sent += count;
    this.#serve();
  }

  receive(max: number, waitMs: number, reply: Reply): void {
    if (this.#next < this.sent || this.#again.length > 0) this.#give(max, reply);
    else if (waitMs <= 0) reply.text(200, '{}');
    else this.#polls.add({ max, untilMs: performance.now() + waitMs, reply });
  }

  /** True if the receipt names a message of this queue: also one that was deleted before. */
  delete(receipt: string): boolean {
    const index = Number.parseInt(receipt.slice(0, 8), 16);
    if (!(index < this.sent)) return false;
    if (this.#isDeleted[index] === 0) this.deleted++;
    this.#isDeleted[index] = 1;
    return true;
  }

  /** Sets the visibility of a message that is in flight. */
  change(receipt: string, ms: number): boolean {
    const index = Number.parseInt(receipt.slice(0, 8), 16);
    if (!(index < this.#next) || this.#isDeleted[index] !== 0) return false;
    if (ms <= 0) this.#again.push(index);
    else {
      this.#visibleAtMs[index] = performance.now() + ms;
      this.#taken.push(index);
    }
    return true;
  }

  /** The target has processed the records of an event. Every body is compared with what was sent. */
  tick(event: Buffer): void {
    const nowMs = performance.now();
    for (let at = event.indexOf(idName); at >= 0;) {
      const index = numberAt(event, at + idName.length);
      const body = event.indexOf(bodyName, at) + bodyName.length;
      if (!(index < this.sent) || !this.#messages.isBody(event, body, index)) {
        this.strange++;
        return;
      }
      const deliveries = (this.#deliveries[index] ?? 0) + 1;
      this.#deliveries[index] = deliveries;
      if (deliveries > 1) this.doubled++;
      else {
        this.delivered++;
        if (this.latencies.length < latenciesMax) this.latencies.push(nowMs - (this.#sentAtMs[index] ?? 0));
      }
      at = event.indexOf(idName, body + this.#messages.bodyBytes(index));
    }
  }

  /** Begins a new count of latencies. */
  forget(): void {
    this.latencies = [];
  }

  /** Looks at the deadlines; to be called some times a second. */
  look(): void {
    const nowMs = performance.now();
    for (; this.#oldest < this.#taken.length; this.#oldest++) {
      const index = this.#taken[this.#oldest] ?? 0;
      // What was extended stands here once more, further on.
      if ((this.#visibleAtMs[index] ?? 0) > nowMs && this.#isDeleted[index] === 0) break;
      if (this.#isDeleted[index] === 0) {
        this.#again.push(index);
        this.redelivered++;
      }
    }
    if (this.#oldest > 100_000) {
      this.#taken.splice(0, this.#oldest);
      this.#oldest = 0;
    }
    for (const poll of this.#polls) {
      if (!poll.reply.gone && poll.untilMs > nowMs) continue;
      this.#polls.delete(poll);
      if (!poll.reply.gone) poll.reply.text(200, '{}');
    }
    this.#serve();
  }

  #serve(): void {
    for (const poll of this.#polls) {
      if (this.#next >= this.sent && this.#again.length === 0) return;
      this.#polls.delete(poll);
      if (!poll.reply.gone) this.#give(poll.max, poll.reply);
    }
  }

  #give(max: number, reply: Reply): void {
    const indexes: number[] = [];
    while (indexes.length < max) {
      const index = this.#again.pop() ?? (this.#next < this.sent ? this.#next++ : undefined);
      if (index === undefined) break;
      if (this.#isDeleted[index] === 0) indexes.push(index);
    }
    const count = indexes.length;
    if (count === 0) {
      reply.text(200, '{}');
      return;
    }
    const untilMs = performance.now() + this.#visibilityMs;
    const length = opening.length + count * this.#messages.bytes + count - 1 + closing.length;
    reply.bytes(length, (into, start) => {
      let at = start + into.write(opening, start, 'latin1');
      for (const index of indexes) {
        if (at > start + opening.length) at += into.write(',', at, 'latin1');
        const receives = Math.min(9, (this.#receives[index] ?? 0) + 1);
        this.#receives[index] = receives;
        this.#visibleAtMs[index] = untilMs;
        this.#taken.push(index);
        at = this.#messages.write(into, at, index, receives);
      }
      into.write(closing, at, 'latin1');
    });
  }

  #grow(size: number): void {
    if (size <= this.#sentAtMs.length) return;
    const length = Math.max(size, this.#sentAtMs.length * 2);
    const grown = <T extends Float64Array | Uint8Array>(made: T, old: T): T => {
      made.set(old);
      return made;
    };
    this.#sentAtMs = grown(new Float64Array(length), this.#sentAtMs);
    this.#visibleAtMs = grown(new Float64Array(length), this.#visibleAtMs);
    this.#receives = grown(new Uint8Array(length), this.#receives);
    this.#deliveries = grown(new Uint8Array(length), this.#deliveries);
    this.#isDeleted = grown(new Uint8Array(length), this.#isDeleted);
  }
}
