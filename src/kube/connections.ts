/**
 * The connections to one API server: one pool for calls, one for watches, where each watch has a connection of its
 * own. When a certificate has been rotated new pools are made, and what runs on the old ones may finish there.
 */
import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import type { TlsMaterial } from './cluster-access.ts';
import { KubeError } from './kube-error.ts';

/** Both pools for one TLS material. */
export interface ConnectionPools {
  readonly calls: Dispatcher;
  readonly watches: Dispatcher;
}

export interface ConnectionOptions {
  /** HTTP proxy on the way. */
  readonly proxy: string | undefined;
  /** Until TCP and TLS stand. */
  readonly connectTimeoutMs: number;
}

/** The API server closes idle connections after 90 s; ours go first, so that no request meets a closing one. */
const CALLS_IDLE_MS = 30_000;
const WATCHES_IDLE_MS = 1000;

export class Connections {
  readonly #options: ConnectionOptions;
  readonly #retiring = new Set<Dispatcher>();
  #current: { readonly key: string; readonly pools: ConnectionPools } | undefined;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** The pools for this TLS material. Throws `KubeError` `Aborted` after `close`. */
  for(tls: TlsMaterial): ConnectionPools {
    if (this.#closed) throw new KubeError('The client is closed', { status: 0, reason: 'Aborted' });
    const key = JSON.stringify(tls);
    if (this.#current?.key === key) return this.#current.pools;
    if (this.#current !== undefined) this.#retire(this.#current.pools);
    const pools = { calls: this.#make(tls, CALLS_IDLE_MS), watches: this.#make(tls, WATCHES_IDLE_MS) };
    this.#current = { key, pools };
    return pools;
  }

  /** Breaks off whatever runs and closes every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    const pools = this.#current?.pools;
    this.#current = undefined;
    const all = [...this.#retiring, ...(pools === undefined ? [] : [pools.calls, pools.watches])];
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
  }

  #make(tls: TlsMaterial, keepAliveTimeout: number): Dispatcher {
    const { proxy, connectTimeoutMs } = this.#options;
    const secure = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
    const options = {
      // HTTP/2 would put calls and watches on one connection, and a stuck one would then hold up all.
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout,
      connect: { ...secure, timeout: connectTimeoutMs, keepAlive: true, keepAliveInitialDelay: 30_000 },
    };
    return proxy === undefined
      ? new Agent(options)
      : new ProxyAgent({ ...options, uri: proxy, requestTls: secure });
  }

  #retire(pools: ConnectionPools): void {
    for (const dispatcher of [pools.calls, pools.watches]) {
      this.#retiring.add(dispatcher);
      // Waits for what runs; a watch ends within its timeoutSeconds. It never rejects but when `close` comes first.
      void dispatcher
        .close()
        .catch(() => undefined)
        .finally(() => this.#retiring.delete(dispatcher));
    }
  }
}
