/**
 * The HTTP target: each invocation is one POST of the event in the target's format (`http/format.ts`), answered by the
 * table in `docs/reference/http-target.md` (`http/answer.ts`, `http/invoke-answer.ts`).
 *
 * Guarantees: a 2xx is a success only after its last byte was read; redirects are never followed; a call is sent at
 * most once, since only failures before the first byte are tried again, on another connection or endpoint; no more
 * than `maxAnswerBytes` of an answer are held; `invoke` never throws and ends soon after its signal aborts. Where an
 * endpoint takes one call at a time, it gets the next when the one before has really ended: a call that timed out is
 * heard out in the background.
 *
 * It does not retry answers, judge partial responses or brake: that is the engine's.
 */
import type { Clock } from '../lib/clock.ts';
import { DeadlineWatch } from '../lib/deadline-watch.ts';
import { messageOf } from '../lib/errors.ts';
import { deferred, type Deferred } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import type { Invocation, Outcome, Target } from '../poller/ports.ts';
import type { Resolver } from './address-policy.ts';
import type { HttpTargetConfig } from './http-config.ts';
import type { EndpointSource, Unready } from './http-endpoints.ts';
import { brokenOutcome, failed, needsBody, noBytes, outcomeOf } from './http/answer.ts';
import type { Connection } from './http/connection.ts';
import { dial, type DialTls } from './http/dial.ts';
import { chooseEndpoint, EndpointPool, passOverMs } from './http/endpoint-pool.ts';
import { EndpointPools, keyOf } from './http/endpoint-pools.ts';
import {
  exchange,
  type CallDeadlines,
  type CallRequest,
  type Exchange,
  type HearingOut,
} from './http/exchange.ts';
import { formats, type Format } from './http/format.ts';
import { callHeaders, checkFixedHeaders, fixedHeaders } from './http/headers.ts';
import { Occupancy } from './http/occupancy.ts';
import { tlsContext, type TlsConfig } from './http/tls.ts';
import { Turns } from './http/turns.ts';

export interface HttpTargetDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolver: Resolver;
  /** Where to connect; the target closes it. */
  readonly endpoints: EndpointSource;
  /** Of Sluice, for `user-agent`. */
  readonly version: string;
  /** 32 lower-case hexadecimal digits, random, not all zero. */
  readonly newTraceId: () => string;
  /** Endpoints at a call, shared by all targets of the process; default one of its own. */
  readonly occupancy?: Occupancy | undefined;
}

/** Time for DNS, connecting and TLS over all endpoints that one call tries; not part of the call's time-out. */
export const connectBudgetMs = 5_000;
/** Endpoints that one call tries, as long as nothing was sent. */
const maxEndpoints = 3;
/** Longest that a call which timed out is heard out: no function of Lambda runs longer. */
export const hearingMaxMs = 900_000;

/** Makes the target. Throws `InvalidSpec` or `SecretInvalid` when headers or TLS inputs cannot be used. */
export function createHttpTarget(config: HttpTargetConfig, deps: HttpTargetDeps): HttpTarget {
  return new HttpTarget(config, deps);
}

export class HttpTarget implements Target {
  readonly type = 'http';
  readonly timeoutMs: number;
  readonly #config: HttpTargetConfig;
  readonly #deps: HttpTargetDeps;
  readonly #format: Format;
  readonly #turns: Turns;
  #headers: readonly string[];
  #tls: DialTls | undefined;
  readonly #pools: EndpointPools;
  /** Calls under way, and who waits for there to be none. */
  #calls = 0;
  #idle: Deferred<void> | undefined;
  readonly #deadlines: CallDeadlines;
  readonly #ended = new AbortController();
  #turn: number;
  #isClosed = false;

  constructor(config: HttpTargetConfig, deps: HttpTargetDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#format = formats[config.format ?? 'Lambda'];
    this.#deadlines = new DeadlineWatch(deps.clock, config.timeoutMs, this.#ended.signal);
    this.#pools = new EndpointPools(deps.random);
    this.timeoutMs = config.timeoutMs + connectBudgetMs;
    this.#headers = fixedHeaders(checkFixedHeaders(config.headers), deps.version, this.#format);
    this.#tls = this.#tlsFrom(config.tls ?? {});
    this.#turn = Math.floor(deps.random() * 1024);
    const { clock, endpoints, occupancy = new Occupancy() } = deps;
    this.#turns = new Turns({ clock, endpoints, pools: this.#pools, occupancy }, this.#turn);
  }

  unready(): { readonly reason: string; readonly message: string } | undefined {
    const state = this.#deps.endpoints.current();
    return state.kind === 'unready' ? { reason: state.reason, message: state.message } : undefined;
  }

  capacity(): number | undefined {
    if (!this.#format.oneAtATime) return undefined;
    const state = this.#deps.endpoints.current();
    return state.kind === 'ready' ? state.list.length : undefined;
  }

  async invoke(invocation: Invocation, signal: AbortSignal): Promise<Outcome> {
    if (this.#isClosed || signal.aborted) return interrupted;
    this.#calls++;
    try {
      const state = this.#deps.endpoints.current();
      if (state.kind === 'unready') return notReady(state);
      const { needsBody, maxEventBytes = Infinity, oneAtATime } = this.#format;
      const body = Buffer.from(invocation.event);
      if (body.length > maxEventBytes) {
        const text = `The event is ${body.length} bytes long: the target takes at most ${maxEventBytes}`;
        return failed('PayloadTooLarge', text);
      }
      const headers = callHeaders(this.#deps.newTraceId, this.#headers, invocation, this.#format);
      const request: CallRequest = { path: this.#config.path, headers, body, needsBody };
      if (oneAtATime) return await this.#callAlone(request, signal);
      // Calls the endpoint with the fewest calls, or the next ones as long as nothing was sent. Here and not in a
      // function of its own: each step that is waited for costs a call as much as its clock does.
      const pools = this.#pools.follow(state.list);
      const { clock } = this.#deps;
      let nowMs = clock.monotonic();
      const connectByMs = nowMs + connectBudgetMs;
      let tried = noPools;
      let outcome: Outcome = interrupted;
      while (tried.size < maxEndpoints && !this.#isOver(signal)) {
        const pool = chooseEndpoint(pools, tried, nowMs, this.#turn++);
        const budgetMs = connectByMs - nowMs;
        if (pool === undefined || (tried.size > 0 && budgetMs <= 0)) break;
        // What is left is shared with the endpoints that come after, so that one dead address does not use it all up.
        const left = Math.min(maxEndpoints, pools.length) - tried.size;
        const attempt = await this.#callOn(pool, request, budgetMs / left, signal, nowMs);
        if (attempt.kind === 'called') return attempt.outcome;
        nowMs = clock.monotonic();
        if (attempt.kind === 'stale') continue;
        outcome = attempt.outcome;
        tried = new Set([...tried, pool]);
        if (!this.#isOver(signal)) pool.passedOverUntilMs = nowMs + passOverMs;
      }
      return this.#isOver(signal) ? interrupted : outcome;
    } catch (error) {
      const message = `The call could not be made: ${messageOf(error)}`;
      return { kind: 'unreachable', reason: 'TargetUnreachable', message };
    } finally {
      if (--this.#calls === 0) this.#idle?.resolve();
    }
  }

  /** New contents of the Secrets: later calls go over new connections, running ones end on theirs. Throws as the constructor. */
  updateTls(tls: TlsConfig): void {
    this.#tls = this.#tlsFrom(tls);
    this.#pools.renew();
  }

  /** New fixed headers, for later calls. Throws as the constructor. */
  updateHeaders(headers: Readonly<Record<string, string>>): void {
    this.#headers = fixedHeaders(checkFixedHeaders(headers), this.#deps.version, this.#format);
  }

  /** Ends running calls as `unreachable` and every connection; resolves when all sockets are closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#deps.endpoints.close();
    // Ends what waits for an endpoint or a connection; the calls end with their connections.
    this.#ended.abort('closed');
    await this.#pools.destroy();
    if (this.#calls > 0) await (this.#idle ??= deferred()).promise;
    await this.#deadlines.ended;
  }

  /** Connections that are open now, for tests and figures. */
  get connections(): number {
    return this.#pools.connections;
  }

  #isOver(signal: AbortSignal): boolean {
    return signal.aborted || this.#isClosed;
  }

  /** For what waits without a connection. A signal for each call would cost more than the rest of the call. */
  #orClosed(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#ended.signal]);
  }

  /** Waits for an endpoint that is at no call, and calls that; or the next one as long as nothing was sent. */
  async #callAlone(request: CallRequest, signal: AbortSignal): Promise<Outcome> {
    const { clock } = this.#deps;
    const byMs = clock.monotonic() + this.#config.timeoutMs;
    const tried = new Set<string>();
    let outcome: Outcome = busy;
    const waiting = this.#orClosed(signal);
    while (tried.size < maxEndpoints && !waiting.aborted) {
      const pool = await this.#turns.begin(tried, byMs, waiting);
      if (pool === undefined) break;
      const attempt = await this.#callOn(
        pool,
        request,
        connectBudgetMs / maxEndpoints,
        signal,
        clock.monotonic(),
      );
      if (attempt.kind === 'called') return attempt.outcome;
      if (attempt.kind === 'stale') continue;
      tried.add(keyOf(pool));
      outcome = attempt.outcome;
      if (!waiting.aborted) pool.passedOverUntilMs = clock.monotonic() + passOverMs;
    }
    if (waiting.aborted) return interrupted;
    const state = this.#deps.endpoints.current();
    return state.kind === 'unready' ? notReady(state) : outcome;
  }

  /** Sends over an idle connection, else over a new one. */
  #callOn(
    pool: EndpointPool,
    request: CallRequest,
    budgetMs: number,
    signal: AbortSignal,
    nowMs: number,
  ): Promise<Attempt> {
    pool.outstanding++;
    const connection = pool.takeIdle(nowMs);
    return connection === undefined
      ? this.#callNew(pool, request, budgetMs, signal)
      : this.#send(pool, connection, request, signal);
  }

  async #callNew(
    pool: EndpointPool,
    request: CallRequest,
    budgetMs: number,
    signal: AbortSignal,
  ): Promise<Attempt> {
    let connection: Connection | undefined;
    try {
      const dialled = await this.#dial(pool, budgetMs, signal);
      if (dialled.kind === 'not-connected') return { kind: 'not-called', outcome: dialled.outcome };
      if (this.#isOver(signal)) {
        // It was opened in the moment of the end: nothing may go out on it.
        dialled.socket.destroy();
        return { kind: 'not-called', outcome: interrupted };
      }
      connection = pool.adopt(this.#config.origin, dialled.socket, this.#deps.clock.monotonic());
    } finally {
      if (connection === undefined) this.#left(pool);
    }
    return await this.#send(pool, connection, request, signal);
  }

  #send(
    pool: EndpointPool,
    connection: Connection,
    request: CallRequest,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const isFirst = !connection.reused;
    const onEnd = (ended: Exchange, isHeardOut: boolean): Attempt => {
      if (!isHeardOut) {
        pool.release(connection, this.#deps.clock.monotonic());
        this.#left(pool);
      }
      if (ended.kind === 'unsent') {
        // A kept connection that the peer had closed: not a sign of trouble. Each time uses one of them up.
        if (!isFirst && !this.#isClosed) return stale;
        return { kind: 'not-called', outcome: unreachable(ended.error) };
      }
      pool.passedOverUntilMs = Number.NEGATIVE_INFINITY;
      return { kind: 'called', outcome: this.#outcomeOf(ended, isFirst) };
    };
    return exchange(this.#deadlines, connection, request, signal, onEnd, this.#hearingOut(pool));
  }

  #hearingOut(pool: EndpointPool): HearingOut | undefined {
    if (!this.#format.oneAtATime) return undefined;
    return { clock: this.#deps.clock, maxMs: hearingMaxMs, onEnd: () => this.#left(pool) };
  }

  /** A call of the endpoint has ended. */
  #left(pool: EndpointPool): void {
    pool.outstanding--;
    if (this.#format.oneAtATime) this.#turns.end(pool);
  }

  #dial(pool: EndpointPool, budgetMs: number, signal: AbortSignal): ReturnType<typeof dial> {
    const { clock, resolver } = this.#deps;
    const deps = { clock, resolver, addresses: this.#config.addresses };
    return dial(deps, pool.endpoint, this.#tls, pool.turn++, budgetMs, this.#orClosed(signal));
  }

  #outcomeOf(ended: Exclude<Exchange, { kind: 'unsent' }>, isFirst: boolean): Outcome {
    const head = 'head' in ended ? ended.head : undefined;
    const status = head?.statusCode;
    const nowMs = this.#deps.clock.now();
    if (ended.kind === 'answered') return this.#format.outcomeOf(ended.head, ended.body, nowMs);
    // Its connection was cut by us.
    if (this.#isClosed) return interrupted;
    // An answer other than 2xx stands by its status, whatever became of a body that might have said more.
    if (head !== undefined && !needsBody(head)) return outcomeOf(head, noBytes, nowMs);
    switch (ended.kind) {
      case 'timed-out': {
        const seconds = this.#config.timeoutMs / 1000;
        return failed('Timeout', `The target did not answer within ${seconds} s`, status);
      }
      case 'oversize':
        return failed('ResponseInvalid', 'The answer of the target is larger than 6 MB', status);
      case 'broken':
        return brokenOutcome(ended.error, status, isFirst);
      case 'aborted':
        break;
    }
    return interrupted;
  }

  #tlsFrom(tls: TlsConfig): DialTls | undefined {
    const url = new URL(this.#config.origin);
    if (url.protocol !== 'https:') return undefined;
    return { ...tlsContext(tls), defaultServerName: url.hostname.replace(/^\[|\]$/g, '') };
  }
}

/** `not-called` and `stale`: certainly nothing was sent; after `stale` the same endpoint may be tried again at once. */
type Attempt =
  | { readonly kind: 'called' | 'not-called'; readonly outcome: Outcome }
  | { readonly kind: 'stale' };

const stale: Attempt = { kind: 'stale' };

const interrupted: Outcome = {
  kind: 'unreachable',
  reason: 'TargetUnreachable',
  message: 'The call was ended before the target had answered',
};

const busy: Outcome = {
  kind: 'throttled',
  reason: 'TargetThrottled',
  message: 'Every endpoint of the target is at an invocation, and takes one at a time',
};

const noPools: ReadonlySet<EndpointPool> = new Set();

function notReady({ reason, message }: Unready): Outcome {
  return { kind: 'unreachable', reason, message };
}

function unreachable(error: Error): Outcome {
  return { kind: 'unreachable', reason: 'TargetUnreachable', message: error.message };
}
