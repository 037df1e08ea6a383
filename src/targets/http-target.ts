/**
 * The HTTP target, format `Lambda`: each invocation is one POST of the exact event, answered by the table in
 * `docs/reference/http-target.md` (`http/answer.ts`).
 *
 * Guarantees: a 2xx is a success only after its last byte was read; redirects are never followed; a call is sent at
 * most once, since only failures before the first byte are tried again, on another connection or endpoint; no more
 * than `maxAnswerBytes` of an answer are held; `invoke` never throws and ends soon after its signal aborts.
 *
 * It does not retry answers, judge partial responses or brake: that is the engine's.
 */
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import type { Invocation, Outcome, Target } from '../poller/ports.ts';
import type { Resolver } from './address-policy.ts';
import type { HttpTargetConfig } from './http-config.ts';
import type { EndpointSource } from './http-endpoints.ts';
import { brokenOutcome, failed, outcomeOf } from './http/answer.ts';
import { dial, type DialTls } from './http/dial.ts';
import { chooseEndpoint, EndpointPool, passOverMs } from './http/endpoint-pool.ts';
import { exchange, type CallRequest, type Exchange } from './http/exchange.ts';
import { callHeaders, checkFixedHeaders } from './http/headers.ts';
import { tlsContext, type TlsConfig } from './http/tls.ts';

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
}

/** Time for DNS, connecting and TLS over all endpoints that one call tries; not part of the call's time-out. */
export const connectBudgetMs = 5_000;
/** Endpoints that one call tries, as long as nothing was sent. */
const maxEndpoints = 3;

/** Makes the target. Throws `InvalidSpec` or `SecretInvalid` when headers or TLS inputs cannot be used. */
export function createHttpTarget(config: HttpTargetConfig, deps: HttpTargetDeps): HttpTarget {
  return new HttpTarget(config, deps);
}

export class HttpTarget implements Target {
  readonly type = 'http';
  readonly timeoutMs: number;
  readonly #config: HttpTargetConfig;
  readonly #deps: HttpTargetDeps;
  #headers: Readonly<Record<string, string>>;
  #tls: DialTls | undefined;
  /** By `host:port`; follows the endpoint source. */
  #pools = new Map<string, EndpointPool>();
  /** The list that `#pools` follows; the same list is the same object. */
  #list: readonly unknown[] = [];
  #pooled: readonly EndpointPool[] = [];
  /** Pools whose endpoint is gone but whose calls may still run. */
  readonly #retired = new Set<EndpointPool>();
  readonly #calls = new Map<AbortController, Promise<Outcome>>();
  #turn: number;
  #isClosed = false;

  constructor(config: HttpTargetConfig, deps: HttpTargetDeps) {
    this.#config = config;
    this.#deps = deps;
    this.timeoutMs = config.timeoutMs + connectBudgetMs;
    this.#headers = checkFixedHeaders(config.headers);
    this.#tls = this.#tlsFrom(config.tls ?? {});
    this.#turn = Math.floor(deps.random() * 1024);
  }

  unready(): { readonly reason: string; readonly message: string } | undefined {
    const state = this.#deps.endpoints.current();
    return state.kind === 'unready' ? { reason: state.reason, message: state.message } : undefined;
  }

  async invoke(invocation: Invocation, signal: AbortSignal): Promise<Outcome> {
    if (this.#isClosed || signal.aborted) return interrupted;
    const own = new AbortController();
    const onAbort = (): void => own.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    const call = this.#invoke(invocation, own.signal).catch((error: unknown): Outcome => ({
      kind: 'unreachable',
      reason: 'TargetUnreachable',
      message: `The call could not be made: ${messageOf(error)}`,
    }));
    this.#calls.set(own, call);
    try {
      return await call;
    } finally {
      this.#calls.delete(own);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** New contents of the Secrets: later calls go over new connections, running ones end on theirs. Throws as the constructor. */
  updateTls(tls: TlsConfig): void {
    this.#tls = this.#tlsFrom(tls);
    this.#retireAll();
  }

  /** New fixed headers, for later calls. Throws as the constructor. */
  updateHeaders(headers: Readonly<Record<string, string>>): void {
    this.#headers = checkFixedHeaders(headers);
  }

  /** Ends running calls as `unreachable` and every connection; resolves when all sockets are closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#deps.endpoints.close();
    for (const call of this.#calls.keys()) call.abort();
    await Promise.all(this.#calls.values());
    const pools = [...this.#pools.values(), ...this.#retired];
    this.#pools.clear();
    this.#pooled = [];
    this.#retired.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  /** Connections that are open now, for tests and figures. */
  get connections(): number {
    let count = 0;
    for (const pool of [...this.#pools.values(), ...this.#retired]) count += pool.size;
    return count;
  }

  async #invoke(invocation: Invocation, signal: AbortSignal): Promise<Outcome> {
    const { clock, endpoints } = this.#deps;
    const state = endpoints.current();
    if (state.kind === 'unready') {
      return { kind: 'unreachable', reason: state.reason, message: state.message };
    }
    const pools = this.#follow(state.list);
    const request: CallRequest = {
      path: this.#config.path,
      headers: callHeaders(this.#deps, this.#headers, invocation),
      body: Buffer.from(invocation.event),
    };
    const connectByMs = clock.monotonic() + connectBudgetMs;
    const tried = new Set<EndpointPool>();
    let outcome: Outcome = interrupted;
    while (tried.size < maxEndpoints && !signal.aborted) {
      const pool = chooseEndpoint(pools, tried, clock.monotonic(), this.#turn++);
      const budgetMs = connectByMs - clock.monotonic();
      if (pool === undefined || (tried.size > 0 && budgetMs <= 0)) break;
      tried.add(pool);
      // What is left is shared with the endpoints that come after, so that one dead address does not use it all up.
      const left = Math.min(maxEndpoints, pools.length) - tried.size + 1;
      const attempt = await this.#callOn(pool, request, budgetMs / left, signal);
      if (attempt.kind === 'called') return attempt.outcome;
      outcome = attempt.outcome;
      if (!signal.aborted) pool.passedOverUntilMs = clock.monotonic() + passOverMs;
    }
    return signal.aborted ? interrupted : outcome;
  }

  /** Sends over an idle connection, else over a new one. `not-called`: certainly nothing was sent. */
  async #callOn(
    pool: EndpointPool,
    request: CallRequest,
    budgetMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly kind: 'called' | 'not-called'; readonly outcome: Outcome }> {
    const { clock } = this.#deps;
    pool.outstanding++;
    try {
      for (;;) {
        let connection = pool.takeIdle(clock.monotonic());
        if (connection === undefined) {
          const dialled = await this.#dial(pool, budgetMs, signal);
          if (dialled.kind === 'not-connected') return { kind: 'not-called', outcome: dialled.outcome };
          connection = pool.adopt(this.#config.origin, dialled.socket, clock.monotonic());
        }
        const isFirst = !connection.reused;
        const ended = await exchange(clock, connection, request, this.#config.timeoutMs, signal);
        pool.release(connection, clock.monotonic());
        if (ended.kind !== 'unsent') {
          pool.passedOverUntilMs = Number.NEGATIVE_INFINITY;
          return { kind: 'called', outcome: this.#outcomeOf(ended, isFirst) };
        }
        // A kept connection that the peer had closed: not a sign of trouble. Each turn uses one of them up.
        if (isFirst) return { kind: 'not-called', outcome: unreachable(ended.error) };
      }
    } finally {
      pool.outstanding--;
    }
  }

  #dial(pool: EndpointPool, budgetMs: number, signal: AbortSignal): ReturnType<typeof dial> {
    const { clock, resolver } = this.#deps;
    const deps = { clock, resolver, addresses: this.#config.addresses };
    return dial(deps, pool.endpoint, this.#tls, pool.turn++, budgetMs, signal);
  }

  #outcomeOf(ended: Exclude<Exchange, { kind: 'unsent' }>, isFirst: boolean): Outcome {
    const status = 'head' in ended ? ended.head?.statusCode : undefined;
    switch (ended.kind) {
      case 'answered':
        return outcomeOf(ended.head, ended.body, this.#deps.clock.now());
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

  /** The pools of `list`; those of endpoints that are no longer in it are retired. */
  #follow(list: readonly { readonly host: string; readonly port: number }[]): readonly EndpointPool[] {
    if (list === this.#list && this.#pooled.length > 0) return this.#pooled;
    const next = new Map<string, EndpointPool>();
    for (const endpoint of list) {
      const key = `${endpoint.host}:${endpoint.port}`;
      next.set(key, this.#pools.get(key) ?? next.get(key) ?? new EndpointPool(endpoint, this.#deps.random));
    }
    for (const [key, pool] of this.#pools) if (!next.has(key)) this.#retire(pool);
    this.#pools = next;
    this.#list = list;
    this.#pooled = [...next.values()];
    return this.#pooled;
  }

  #retireAll(): void {
    for (const pool of this.#pools.values()) this.#retire(pool);
    this.#pools = new Map();
    this.#pooled = [];
  }

  #retire(pool: EndpointPool): void {
    for (const old of this.#retired) if (old.size === 0 && old.outstanding === 0) this.#retired.delete(old);
    pool.retire();
    this.#retired.add(pool);
  }

  #tlsFrom(tls: TlsConfig): DialTls | undefined {
    const url = new URL(this.#config.origin);
    if (url.protocol !== 'https:') return undefined;
    return { ...tlsContext(tls), defaultServerName: url.hostname.replace(/^\[|\]$/g, '') };
  }
}

const interrupted: Outcome = {
  kind: 'unreachable',
  reason: 'TargetUnreachable',
  message: 'The call was ended before the target had answered',
};

function unreachable(error: Error): Outcome {
  return { kind: 'unreachable', reason: 'TargetUnreachable', message: error.message };
}
