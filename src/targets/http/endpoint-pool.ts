/**
 * The connections to one endpoint, and how it fares: how many calls run, and until when it is passed over because a
 * connection failed. Opens nothing itself.
 */
import type { Socket } from 'node:net';
import type { Random } from '../../lib/random.ts';
import type { Endpoint } from '../http-endpoints.ts';
import { Connection } from './connection.ts';

/** A connection is used for at most this long; each a little less, so that they are not all renewed at once. */
export const maxConnectionAgeMs = 60_000;
/** How long an endpoint that refused a connection is tried last. */
export const passOverMs = 5_000;

export class EndpointPool {
  readonly endpoint: Endpoint;
  /** Calls that run on it now, connecting included. */
  outstanding = 0;
  /** Monotonic time until which other endpoints come first. */
  passedOverUntilMs = Number.NEGATIVE_INFINITY;
  /** Counts connections, so that they spread over the addresses of a name. */
  turn: number;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #random: Random;
  #isRetired = false;

  constructor(endpoint: Endpoint, random: Random) {
    this.endpoint = endpoint;
    this.#random = random;
    this.turn = Math.floor(random() * 1024);
  }

  /** Connections that are open now. */
  get size(): number {
    return this.#all.size;
  }

  /** The idle connection that was used last, or undefined; those past their age are closed on the way. */
  takeIdle(nowMs: number): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return undefined;
      if (connection.gone) continue;
      if (nowMs < connection.expiresAtMs) return connection;
      void connection.destroy();
    }
  }

  /** Takes a fresh socket in. */
  adopt(origin: string, socket: Socket, nowMs: number): Connection {
    const expiresAtMs = nowMs + maxConnectionAgeMs * (1 - 0.2 * this.#random());
    const connection = new Connection(origin, socket, expiresAtMs, (gone) => this.#all.delete(gone));
    this.#all.add(connection);
    return connection;
  }

  /** Gives a connection back after a call. */
  release(connection: Connection, nowMs: number): void {
    if (connection.gone) return;
    if (this.#isRetired || nowMs >= connection.expiresAtMs) void connection.destroy();
    else this.#idle.push(connection);
  }

  /** Takes no more calls: idle connections close now, busy ones when their call has ended. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of this.#idle.splice(0)) void connection.destroy();
  }

  /** Ends every connection, with the calls on it. */
  async destroy(): Promise<void> {
    this.#isRetired = true;
    this.#idle.length = 0;
    await Promise.all([...this.#all].map((connection) => connection.destroy()));
  }
}

/**
 * Which endpoint a call tries next: one that is not passed over before one that is, then the fewest calls, then by
 * turn from `offset`. Undefined when all were tried. Pure.
 */
export function chooseEndpoint(
  pools: readonly EndpointPool[],
  tried: ReadonlySet<EndpointPool>,
  nowMs: number,
  offset: number,
): EndpointPool | undefined {
  let best: EndpointPool | undefined;
  for (let index = 0; index < pools.length; index++) {
    const pool = pools[(offset + index) % pools.length];
    if (pool === undefined || tried.has(pool)) continue;
    if (best === undefined || isBetter(pool, best, nowMs)) best = pool;
  }
  return best;
}

function isBetter(pool: EndpointPool, best: EndpointPool, nowMs: number): boolean {
  const isPassed = nowMs < pool.passedOverUntilMs;
  const isBestPassed = nowMs < best.passedOverUntilMs;
  // Of those passed over, the one that failed longest ago.
  if (isPassed !== isBestPassed) return isBestPassed;
  if (isPassed) return pool.passedOverUntilMs < best.passedOverUntilMs;
  return pool.outstanding < best.outstanding;
}
