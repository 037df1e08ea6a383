/**
 * Asks the queue what it says of itself: until it answers at first, then about once a minute, since its visibility
 * time-out may be changed under way. An empty queue that brings nothing is asked every five minutes, and again as soon
 * as it brings something: long polls tell the rest, and each question is paid for. A refresh that fails keeps the old
 * facts: receives tell whether the source is well.
 */
import type { Loop } from './loop.ts';
import type { QueueFacts } from './ports.ts';

const TIMEOUT_MS = 30_000;
const EVERY_MS = 60_000;
const IDLE_EVERY_MS = 300_000;

export class Describer {
  readonly #loop: Loop;
  readonly #learnt: (facts: QueueFacts) => void;
  readonly #isIdle: () => boolean;
  #askedAtMs = -Infinity;
  #isEmpty = false;
  #nextAtMs = Infinity;
  #stopped = false;

  /** `learnt` takes over new facts; `isIdle` says that the queue is read and brings nothing. */
  constructor(loop: Loop, learnt: (facts: QueueFacts) => void, isIdle: () => boolean) {
    this.#loop = loop;
    this.#learnt = learnt;
    this.#isIdle = isIdle;
  }

  /** Asks until the queue has answered, or `stop`. `failed` gives the delay before the next try. */
  async open(failed: (error: unknown) => number): Promise<void> {
    const { clock, calls, report } = this.#loop;
    while (!this.#stopped) {
      try {
        await this.#describe();
        return;
      } catch (error) {
        if (this.#stopped) return;
        const delayMs = failed(error);
        report(error, delayMs);
        // As a call, so that what aborts the calls at shutdown ends this wait, too.
        await calls.run(Infinity, (signal) => clock.sleep(delayMs, signal));
      }
    }
  }

  /** Asks again if that is due; returns when it will be. */
  refresh(nowMs: number): number {
    if (this.#nextAtMs > nowMs) return this.#nextAtMs;
    if (this.#isEmpty && this.#isIdle() && nowMs - this.#askedAtMs < IDLE_EVERY_MS) this.#again();
    else this.#ask();
    return this.#nextAtMs;
  }

  /** The queue has brought something: what it said while it was idle may be old. */
  arrived(nowMs: number): void {
    if (this.#nextAtMs < Infinity && nowMs - this.#askedAtMs >= 1.1 * EVERY_MS) this.#ask();
  }

  #ask(): void {
    this.#nextAtMs = Infinity;
    this.#loop.run(() => this.#describe().catch(() => this.#again(EVERY_MS)));
  }

  stop(): void {
    this.#stopped = true;
    this.#nextAtMs = Infinity;
  }

  async #describe(): Promise<void> {
    const { source, calls, clock } = this.#loop;
    const facts = await calls.run(TIMEOUT_MS, (signal) => source.describe(signal));
    if (this.#stopped) return;
    const { visible, inFlight, delayed } = facts.backlog;
    this.#isEmpty = visible + inFlight + delayed === 0;
    this.#askedAtMs = clock.monotonic();
    this.#again();
    this.#learnt(facts);
  }

  /** Looks again after about a minute, or after `delayMs`. */
  #again(delayMs = EVERY_MS * (0.9 + 0.2 * this.#loop.random())): void {
    if (this.#stopped) return;
    this.#nextAtMs = this.#loop.clock.monotonic() + delayMs;
    this.#loop.alarm.by(this.#nextAtMs);
  }
}
