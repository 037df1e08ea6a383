/**
 * How fast Lambda's control plane is called. It takes 15 requests a second of an account and Region, shared with
 * everybody else's deployments and consoles, and says so only by refusing (spec of Lambda's quotas: not raisable).
 *
 * `AdaptivePace` is one token bucket for an account and Region: it starts slowly, creeps up while there is more to do
 * than it lets through, falls back at once on a refusal, and remembers for a minute where it was refused. It never
 * lets more than the ceiling start within a second. `pacedApi` repeats what was refused, and reads that failed on the
 * way; a write that failed is the reconciler's to look into, since it may have happened.
 */
import type { Clock } from '../../lib/clock.ts';
import { deferred } from '../../lib/lifecycle.ts';
import type { Random } from '../../lib/random.ts';
import { ControlError, type AccountApi, type MappingApi } from './client.ts';

export interface PaceOptions {
  readonly clock: Clock;
  /** Calls a second that it never exceeds. */
  readonly ceiling: number;
}

const startPerSecond = 5;
const leastPerSecond = 1;
/** Gained in a second of calls that had to wait. */
const gainPerSecond = 3;
/** The same near the rate that was refused last, as a share of it: some ten seconds from one refusal to the next. */
const carefulGain = 0.008;
/** What a refusal leaves of the rate. */
const keptAfterRefusal = 0.8;
/** Of the refused rate: from here on it goes carefully. */
const carefulFrom = 0.92;
const rememberedMs = 60_000;
/** Refusals closer together are answers to calls of one rate. */
const oneRefusalMs = 300;
/** Calls that may start at once after a pause, as far as the ceiling bears them. */
const mostAtOnce = 5;

export class AdaptivePace {
  readonly #clock: Clock;
  readonly #ceiling: number;
  #perSecond: number;
  /** Calls that may start now. */
  #tokens: number;
  #filledMs: number;
  #waiting = 0;
  /** Ends when the last one that asked may go. */
  #turn: Promise<void> = Promise.resolve();
  #crept: number;
  #refused: { readonly perSecond: number; readonly atMs: number } | undefined;

  constructor({ clock, ceiling }: PaceOptions) {
    this.#clock = clock;
    this.#ceiling = ceiling;
    this.#perSecond = Math.min(startPerSecond, ceiling);
    this.#filledMs = clock.monotonic();
    this.#crept = this.#filledMs;
    this.#tokens = this.#most;
  }

  /** Calls a second that it lets through now. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** Callers that wait for their turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Resolves when the next call may start, in the order of asking, or soon after the signal aborts. */
  async take(signal: AbortSignal): Promise<void> {
    const before = this.#turn;
    const mine = deferred<void>();
    this.#turn = mine.promise;
    this.#waiting++;
    try {
      if (await endsBefore(before, signal)) await this.#next(signal);
    } finally {
      this.#waiting--;
      // One who gives up early must not let those behind pass those before.
      void before.then(mine.resolve);
    }
  }

  /** AWS refused a call for its rate. */
  refused(): void {
    const nowMs = this.#clock.monotonic();
    this.#fill();
    if (this.#refused !== undefined && nowMs - this.#refused.atMs < oneRefusalMs) return;
    this.#refused = { perSecond: this.#perSecond, atMs: nowMs };
    this.#perSecond = Math.max(Math.min(leastPerSecond, this.#ceiling), this.#perSecond * keptAfterRefusal);
    this.#crept = nowMs;
    this.#tokens = Math.min(this.#tokens, 0);
  }

  /** Waits for a token and takes it. */
  async #next(signal: AbortSignal): Promise<void> {
    this.#fill();
    while (this.#tokens < 1) {
      await this.#clock.sleep(Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond), signal);
      if (signal.aborted) return;
      this.#fill();
      this.#creep();
    }
    this.#tokens -= 1;
  }

  /** What may start at once: with what follows within the second it must stay below the ceiling. */
  get #most(): number {
    return Math.max(1, Math.min(mostAtOnce, Math.floor(this.#ceiling - this.#perSecond - gainPerSecond)));
  }

  #fill(): void {
    const nowMs = this.#clock.monotonic();
    const gained = ((nowMs - this.#filledMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#most, this.#tokens + gained);
    this.#filledMs = nowMs;
  }

  #creep(): void {
    const nowMs = this.#clock.monotonic();
    // Of a pause nothing is learned.
    const seconds = Math.min(1000, nowMs - this.#crept) / 1000;
    this.#crept = nowMs;
    if (this.#refused !== undefined && nowMs - this.#refused.atMs > rememberedMs) this.#refused = undefined;
    const edge = (this.#refused?.perSecond ?? Infinity) * carefulFrom;
    const next =
      this.#perSecond < edge
        ? Math.min(edge, this.#perSecond + gainPerSecond * seconds)
        : this.#perSecond + edge * carefulGain * seconds;
    this.#perSecond = Math.min(this.#ceiling, next);
  }
}

/** Whether a promise that never rejects ended before the signal aborted. */
async function endsBefore(work: Promise<void>, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  const aborted = deferred<void>();
  const stop = (): void => aborted.resolve();
  signal.addEventListener('abort', stop, { once: true });
  await Promise.race([work, aborted.promise]);
  signal.removeEventListener('abort', stop);
  return !signal.aborted;
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Told of each refusal. */
  readonly onRefused: () => void;
}

/** Refusals of one call after which it is left to the reconciler, which waits longer. */
const mostRefusals = 6;
/** Attempts of a read that failed on the way. */
const mostReads = 3;
const firstWaitMs = 250;
const longestWaitMs = 8000;

/** The same API, patient: what is refused for the rate is asked again later, and so is a read that failed. */
export function pacedApi(api: MappingApi & AccountApi, options: RetryOptions): MappingApi & AccountApi {
  const patient = async <T>(isRead: boolean, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const refused = isRefusal(error);
        if (refused) options.onRefused();
        const most = refused ? mostRefusals : isRead && isUnavailable(error) ? mostReads : 1;
        const leastMs = leastWaitOf(error);
        // A worker does not wait so long: the reconciler comes back.
        if (attempt >= most || signal.aborted || leastMs > longestWaitMs) throw error;
        const longestMs = Math.min(longestWaitMs, firstWaitMs * 2 ** attempt);
        await options.clock.sleep(Math.max(leastMs, longestMs * (0.5 + 0.5 * options.random())), signal);
        if (signal.aborted) throw error;
      }
    }
  };
  return {
    // Another service, with a rate of its own.
    ...(api.tagged === undefined ? {} : { tagged: api.tagged }),
    page: (marker, signal) => patient(true, signal, () => api.page(marker, signal)),
    get: (uuid, signal) => patient(true, signal, () => api.get(uuid, signal)),
    list: (source, signal) => patient(true, signal, () => api.list(source, signal)),
    listByFunction: (name, signal) => patient(true, signal, () => api.listByFunction(name, signal)),
    create: (input, signal) => patient(false, signal, () => api.create(input, signal)),
    update: (uuid, input, signal) => patient(false, signal, () => api.update(uuid, input, signal)),
    delete: (uuid, signal) => patient(false, signal, () => api.delete(uuid, signal)),
    tags: (arn, signal) => patient(true, signal, () => api.tags(arn, signal)),
    tag: (arn, tags, signal) => patient(false, signal, () => api.tag(arn, tags, signal)),
    untag: (arn, keys, signal) => patient(false, signal, () => api.untag(arn, keys, signal)),
  };
}

/** Refused for the rate of calls: a quota of something else, or of KMS, is not mended by calling more slowly. */
function isRefusal(error: unknown): boolean {
  return error instanceof ControlError && error.failure.error.reason === 'AwsThrottled';
}

/** What AWS asks to be waited for, by `Retry-After`. */
function leastWaitOf(error: unknown): number {
  const retry = error instanceof ControlError ? error.failure.error.retry : undefined;
  return retry?.kind === 'after' ? retry.ms : 0;
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ControlError && error.failure.kind === 'unavailable';
}
