/**
 * The pools of a target's endpoints, following the list: an endpoint that is still in it keeps its connections, one that
 * is gone takes no more calls and ends with those that run.
 */
import type { Random } from '../../lib/random.ts';
import type { Endpoint } from '../http-endpoints.ts';
import { EndpointPool } from './endpoint-pool.ts';

/** Names an endpoint. */
export function keyOf({ endpoint }: { readonly endpoint: Endpoint }): string {
  return `${endpoint.host}:${endpoint.port}`;
}

export class EndpointPools {
  readonly #random: Random;
  #pools = new Map<string, EndpointPool>();
  /** The list that `#pools` follows; the same list is the same object. */
  #list: readonly unknown[] = [];
  #pooled: readonly EndpointPool[] = [];
  /** Pools whose endpoint is gone but whose calls may still run. */
  readonly #retired = new Set<EndpointPool>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Connections that are open now. */
  get connections(): number {
    let count = 0;
    for (const pool of [...this.#pools.values(), ...this.#retired]) count += pool.size;
    return count;
  }

  get(key: string): EndpointPool | undefined {
    return this.#pools.get(key);
  }

  /** The pools of `list`; those of endpoints that are no longer in it are retired. */
  follow(list: readonly Endpoint[]): readonly EndpointPool[] {
    if (list === this.#list && this.#pooled.length > 0) return this.#pooled;
    const next = new Map<string, EndpointPool>();
    for (const endpoint of list) {
      const key = keyOf({ endpoint });
      next.set(key, this.#pools.get(key) ?? next.get(key) ?? new EndpointPool(endpoint, this.#random));
    }
    for (const [key, pool] of this.#pools) if (!next.has(key)) this.#retire(pool);
    this.#pools = next;
    this.#list = list;
    this.#pooled = [...next.values()];
    return this.#pooled;
  }

  /** Later calls go over new connections. */
  renew(): void {
    for (const pool of this.#pools.values()) this.#retire(pool);
    this.#pools = new Map();
    this.#pooled = [];
  }

  /** Ends every connection, with the calls on it. */
  async destroy(): Promise<void> {
    const pools = [...this.#pools.values(), ...this.#retired];
    this.#pools.clear();
    this.#pooled = [];
    this.#retired.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #retire(pool: EndpointPool): void {
    for (const old of this.#retired) if (old.size === 0 && old.outstanding === 0) this.#retired.delete(old);
    pool.retire();
    this.#retired.add(pool);
  }
}
