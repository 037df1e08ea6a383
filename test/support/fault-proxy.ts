/**
 * An HTTP proxy in front of a real API server that plays what networks and overloaded servers do: error answers with
 * Retry-After, 410 as an answer and as an event of a watch, resets, half-open connections, cut-off lines, latency,
 * outages. Clients speak plain HTTP or TLS to it; it speaks TLS to the server. It counts what passes.
 */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface FaultProxyOptions {
  /** The API server and its certificate authority. */
  readonly target: { readonly server: string; readonly ca?: string };
  /** Certificate and key to serve TLS with; without them it is plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A request that came by. */
export interface ProxiedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly watch: boolean;
  /** Monotonic milliseconds. */
  readonly atMs: number;
}

/** A fault for requests to come. `times` of them are hit (default 1), of those that `match`. */
export interface Fault {
  readonly match?: (request: ProxiedRequest) => boolean;
  readonly times?: number;
  readonly effect:
    /** An error answer. */
    | {
        readonly kind: 'status';
        readonly status: number;
        readonly retryAfter?: string;
        readonly body?: string;
      }
    /** A watch that opens and at once reports an error, as for a version that is too old. */
    | { readonly kind: 'watchError'; readonly code: number }
    /** The connection is reset before the answer. */
    | { readonly kind: 'reset' }
    /** The connection stands and nothing ever comes. */
    | { readonly kind: 'hang' }
    /** The request is passed on later. */
    | { readonly kind: 'latency'; readonly ms: number }
    /** The request is passed on and its answer thrown away: a write that happened, to a client that cannot know. */
    | { readonly kind: 'loseAnswer' };
}

interface Exchange {
  readonly request: ProxiedRequest;
  readonly response: http.ServerResponse;
  readonly socket: Socket;
  frozen: boolean;
  readonly end: () => void;
}

export class FaultProxy implements AsyncDisposable {
  /** Every request, in order. */
  readonly requests: ProxiedRequest[] = [];
  readonly #options: FaultProxyOptions;
  readonly #agent: https.Agent | http.Agent;
  readonly #faults: { readonly fault: Fault; left: number }[] = [];
  readonly #exchanges = new Set<Exchange>();
  readonly #sockets = new Set<Socket>();
  #server: http.Server | undefined;
  #port = 0;
  #hanging = false;

  constructor(options: FaultProxyOptions) {
    this.#options = options;
    const secure = options.target.server.startsWith('https:');
    this.#agent = secure
      ? new https.Agent({
          keepAlive: true,
          ...(options.target.ca === undefined ? {} : { ca: options.target.ca }),
        })
      : new http.Agent({ keepAlive: true });
  }

  /** Where clients connect. The same after an outage. */
  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  /** Watches that pass through now. */
  get openWatches(): number {
    return this.#watches().length;
  }

  /** Plays a fault from now on. The returned function takes it back. */
  inject(fault: Fault): () => void {
    const entry = { fault, left: fault.times ?? 1 };
    this.#faults.push(entry);
    return () => {
      entry.left = 0;
    };
  }

  /** Resets every connection, in the middle of whatever passes. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Half-open: nothing passes any more on the connections that exist, and none is closed. New ones work. */
  freeze(): void {
    for (const exchange of this.#exchanges) exchange.frozen = true;
  }

  /** The same for every connection to come, until `thaw`: the network swallows all. */
  freezeAll(): void {
    this.freeze();
    this.#hanging = true;
  }

  /** New connections work again; those that are frozen stay so. */
  thaw(): void {
    this.#hanging = false;
  }

  /** Every open watch gets this line and, if `end`, is closed. */
  sendToWatches(line: string, end: boolean): void {
    for (const exchange of this.#watches()) {
      exchange.response.write(line);
      if (end) exchange.end();
    }
  }

  /** Every open watch is told that its version is too old. */
  expireWatches(): void {
    this.sendToWatches(`${errorEvent(410)}\n`, true);
  }

  /** Every open watch gets half a line; then it is closed, or goes on as if that had been all. */
  truncateWatches(how: 'close' | 'goOn'): void {
    this.sendToWatches(`{"type":"MODIFIED","object":{"met${how === 'goOn' ? '\n' : ''}`, how === 'close');
  }

  /** Nobody is there: connections are reset and new ones refused, until `start`. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.reset();
    await closed;
  }

  /** Listens, again on the same port. */
  async start(): Promise<void> {
    const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
      this.#answer(request, response);
    };
    const { tls } = this.#options;
    const server = tls === undefined ? http.createServer(answer) : https.createServer(tls, answer);
    server.requestTimeout = 0;
    server.keepAliveTimeout = 60_000;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#agent.destroy();
  }

  #watches(): Exchange[] {
    return [...this.#exchanges].filter(({ request, response }) => request.watch && response.headersSent);
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = request.url ?? '/';
    const seen: ProxiedRequest = {
      method: request.method ?? 'GET',
      url,
      watch: new URL(url, 'http://host').searchParams.get('watch') === 'true',
      atMs: performance.now(),
    };
    this.requests.push(seen);
    if (this.#hanging) return;
    const effect = this.#next(seen)?.effect;
    switch (effect?.kind) {
      case undefined:
        this.#pass(request, response, seen, false);
        return;
      case 'status':
        response.writeHead(effect.status, {
          'content-type': 'application/json',
          ...(effect.retryAfter === undefined ? {} : { 'retry-after': effect.retryAfter }),
        });
        response.end(effect.body ?? JSON.stringify(statusOf(effect.status)));
        return;
      case 'watchError':
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(`${errorEvent(effect.code)}\n`);
        return;
      case 'reset':
        request.socket.resetAndDestroy();
        return;
      case 'hang':
        return;
      case 'latency': {
        const timer = setTimeout(() => this.#pass(request, response, seen, false), effect.ms);
        response.on('close', () => clearTimeout(timer));
        return;
      }
      case 'loseAnswer':
        this.#pass(request, response, seen, true);
        return;
    }
  }

  #next(request: ProxiedRequest): Fault | undefined {
    const found = this.#faults.find(({ fault, left }) => left > 0 && fault.match?.(request) !== false);
    if (found === undefined) return undefined;
    found.left--;
    return found.fault;
  }

  #pass(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    seen: ProxiedRequest,
    loseAnswer: boolean,
  ): void {
    const target = new URL(seen.url, this.#options.target.server);
    const { host: _, connection: __, ...headers } = request.headers;
    const options = { method: seen.method, headers, agent: this.#agent };
    const upstream =
      target.protocol === 'https:' ? https.request(target, options) : http.request(target, options);
    const exchange: Exchange = {
      request: seen,
      response,
      socket: request.socket,
      frozen: false,
      end: () => {
        response.end();
        upstream.destroy();
      },
    };
    this.#exchanges.add(exchange);
    response.on('close', () => {
      this.#exchanges.delete(exchange);
      upstream.destroy();
    });
    upstream.on('error', () => request.socket.destroy());
    upstream.on('response', (answer) => {
      answer.on('error', () => request.socket.destroy());
      if (loseAnswer) {
        answer.resume();
        answer.on('end', () => request.socket.resetAndDestroy());
        return;
      }
      // A frozen exchange still reads, so that the server behind does not notice.
      if (!exchange.frozen) {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.flushHeaders();
      }
      answer.on('data', (chunk: Buffer) => {
        if (exchange.frozen || response.writableEnded) return;
        if (!response.write(chunk)) {
          answer.pause();
          response.once('drain', () => answer.resume());
        }
      });
      answer.on('end', () => {
        if (!exchange.frozen) response.end();
      });
    });
    request.pipe(upstream);
  }
}

/** Starts a proxy. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new FaultProxy(options);
  await proxy.start();
  return proxy;
}

function statusOf(code: number): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    message: 'injected',
    reason: { 410: 'Expired', 429: 'TooManyRequests', 500: 'InternalError' }[code] ?? 'ServiceUnavailable',
  };
}

function errorEvent(code: number): string {
  return JSON.stringify({ type: 'ERROR', object: statusOf(code) });
}
