/**
 * Where an HTTP target's calls go: one name for a URL, or the ready pods of a Service. The list of a Service is fed
 * from outside (EndpointSlices), so this room knows no Kubernetes.
 */

/** One place to connect to. `host` is a name, resolved and judged for each connection, or an address. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Why no call can be made. */
export interface Unready {
  readonly kind: 'unready';
  /** A documented reason, such as `NoReadyEndpoint` or `ServiceNotFound`. */
  readonly reason: string;
  readonly message: string;
}

export type Endpoints = { readonly kind: 'ready'; readonly list: readonly Endpoint[] } | Unready;

/** Says where to connect now. A ready list is never empty; the same list is the same object. */
export interface EndpointSource {
  current(): Endpoints;
  close(): void;
}

/** The one endpoint of a URL; always ready. */
export function urlEndpoint(url: URL): EndpointSource {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const endpoints: Endpoints = {
    kind: 'ready',
    list: [{ host: url.hostname.replace(/^\[|\]$/g, ''), port }],
  };
  return { current: () => endpoints, close: () => undefined };
}

/** A list that its owner replaces; not ready until the first `set` with an endpoint. */
export class MutableEndpoints implements EndpointSource {
  #current: Endpoints;
  readonly #onClose: () => void;

  /** `message` explains the state before the first `set`; `onClose` stops whoever feeds the list. */
  constructor(message: string, onClose: () => void = () => undefined) {
    this.#current = { kind: 'unready', reason: 'NoReadyEndpoint', message };
    this.#onClose = onClose;
  }

  current(): Endpoints {
    return this.#current;
  }

  /** The ready endpoints from now on; an empty list means that none is ready, and `message` says of what. */
  set(list: readonly Endpoint[], message = 'The Service has no ready endpoint'): void {
    this.#current =
      list.length === 0
        ? { kind: 'unready', reason: 'NoReadyEndpoint', message }
        : { kind: 'ready', list: [...list] };
  }

  /** No call can be made for another reason, such as `ServiceNotFound`. */
  setUnready(reason: string, message: string): void {
    this.#current = { kind: 'unready', reason, message };
  }

  close(): void {
    this.#onClose();
  }
}
