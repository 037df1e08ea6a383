/**
 * Calls with a watch-dog: a call that has not answered in its time is aborted and fails as `SourceUnreachable`, so
 * that no hung connection can stop a loop. Deadlines are looked at when the owner's alarm rings.
 */
import { backoff, SluiceError } from '../lib/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { LinkedList, type Linked } from '../lib/linked-list.ts';
import type { Alarm } from './alarm.ts';

interface Call extends Linked<Call> {
  deadlineMs: number;
  readonly abort: AbortController;
  expired: boolean;
}

export class Calls {
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #open = new LinkedList<Call>();
  /** Of calls that are over, for the next ones, with signals that never aborted. */
  readonly #spare: Call[] = [];

  constructor(clock: Clock, alarm: Alarm) {
    this.#clock = clock;
    this.#alarm = alarm;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Makes one call that must end within `timeoutMs`. */
  async run<T>(timeoutMs: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadlineMs = this.#clock.monotonic() + timeoutMs;
    const open = this.#spare.pop() ?? {
      before: undefined,
      behind: undefined,
      list: undefined,
      deadlineMs,
      abort: new AbortController(),
      expired: false,
    };
    open.deadlineMs = deadlineMs;
    this.#open.add(open);
    this.#alarm.by(deadlineMs);
    try {
      return await call(open.abort.signal);
    } catch (error) {
      if (!open.expired) throw error;
      const message = `The source did not answer within ${timeoutMs} ms`;
      throw new SluiceError('SourceUnreachable', message, backoff, { cause: error });
    } finally {
      this.#open.delete(open);
      if (!open.abort.signal.aborted) this.#spare.push(open);
    }
  }

  /** Aborts the calls whose time is up and returns the next deadline. */
  expire(nowMs: number): number {
    let nextMs = Infinity;
    for (const call of this.#open) {
      if (call.deadlineMs > nowMs) nextMs = Math.min(nextMs, call.deadlineMs);
      else if (!call.expired) {
        call.expired = true;
        call.abort.abort();
      }
    }
    return nextMs;
  }

  /** Aborts all calls. */
  abort(): void {
    for (const call of this.#open) call.abort.abort();
  }
}
