import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/**
 * A scriptable HTTP target on loopback that keeps a ledger of what reached it. Each request is answered by the first
 * of: the answers queued with `answerNext`, the standing answer. `stop` and `restart` keep the port and the ledger.
 */
export type SinkAnswer =
  | {
      readonly kind: 'reply';
      /** Default 200. */
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** Strings and bytes as they are, anything else as JSON; default `{}`. */
      readonly body?: unknown;
      /** Milliseconds from the end of the request to the answer. */
      readonly delayMs?: number;
    }
  /** The connection is reset after the request was read whole, so the sender cannot know whether it was handled. */
  | { readonly kind: 'reset' }
  /** The head of an answer, then a reset within its body. */
  | { readonly kind: 'truncated' }
  /** No answer, ever. */
  | { readonly kind: 'hang' }
  /** The head of an answer at once, a byte of its body each `everyMs`, never an end. */
  | { readonly kind: 'drip'; readonly everyMs: number }
  /** Bytes that are no HTTP. */
  | { readonly kind: 'garbage' }
  /** A body of `bytes` bytes, streamed without a declared length. */
  | { readonly kind: 'huge'; readonly bytes: number };

/** One request, in the order of arrival. */
export interface SinkRequest {
  readonly number: number;
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  /** Epoch milliseconds at which the request had been read whole. */
  readonly receivedAtMs: number;
  /** Which connection it came by, counted from 1. */
  readonly connection: number;
  /** The body as JSON; throws if it is none. */
  readonly json: () => unknown;
}

/** What answers a request: a fixed answer, or a function of the request. */
export type SinkScript = SinkAnswer | ((request: SinkRequest) => SinkAnswer | Promise<SinkAnswer>);

export interface HttpSinkOptions {
  /** The standing answer; default: 200 with `{}`. */
  readonly answer?: SinkScript;
  /** Serve HTTPS with this key and certificate (PEM); with `requestCert` only to clients whom `ca` has signed. */
  readonly tls?: {
    readonly key: string;
    readonly cert: string;
    readonly ca?: string;
    readonly requestCert?: boolean;
  };
  /** Default: a free one. */
  readonly port?: number;
}

/** Shorthand for `{ kind: 'reply', … }`. */
export function reply(
  status: number,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
): SinkAnswer {
  return {
    kind: 'reply',
    status,
    ...(body === undefined ? {} : { body }),
    ...(headers === undefined ? {} : { headers }),
  };
}

export class HttpSink implements AsyncDisposable {
  /** Every request that was read whole, over all restarts. */
  readonly requests: SinkRequest[] = [];
  /** Requests being answered now, and the most there have been at once. */
  inFlight = 0;
  maxInFlight = 0;
  /** Connections accepted so far, over all restarts. */
  connections = 0;
  readonly #sockets = new Map<Socket, number>();
  readonly #queued: SinkScript[] = [];
  readonly #tls: HttpSinkOptions['tls'];
  #standing: SinkScript;
  #server: http.Server | undefined;
  #port: number;

  constructor(options: HttpSinkOptions) {
    this.#standing = options.answer ?? { kind: 'reply' };
    this.#tls = options.tls;
    this.#port = options.port ?? 0;
  }

  get port(): number {
    return this.#port;
  }

  /** Base address without a trailing slash. */
  get url(): string {
    return `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  /** Replaces the standing answer. */
  answer(script: SinkScript): void {
    this.#standing = script;
  }

  /** Queues answers for the next requests, before the standing one. */
  answerNext(...scripts: readonly SinkScript[]): void {
    this.#queued.push(...scripts);
  }

  /** Listens, on the same port as before if there was one. */
  async restart(): Promise<void> {
    await this.stop();
    const handle: http.RequestListener = (request, response) => void this.#serve(request, response);
    const server =
      this.#tls === undefined ? http.createServer(handle) : https.createServer({ ...this.#tls }, handle);
    server.keepAliveTimeout = 60_000;
    server.on(this.#tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      this.#sockets.set(socket, ++this.connections);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', () => resolve());
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Refuses connections and resets those that are open, as a killed process does. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets.keys()) socket.destroy();
    server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The sender went away within its request: it never reached the target.
    }
    const body = Buffer.concat(chunks).toString('utf8');
    const entry: SinkRequest = {
      number: this.requests.length + 1,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body,
      receivedAtMs: Date.now(),
      connection: this.#sockets.get(request.socket) ?? 0,
      json: () => JSON.parse(body) as unknown,
    };
    this.requests.push(entry);
    this.inFlight++;
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight);
    response.once('close', () => this.inFlight--);
    const script = this.#queued.shift() ?? this.#standing;
    try {
      await carryOut(typeof script === 'function' ? await script(entry) : script, response);
    } catch (error) {
      response.writeHead(599, { 'content-type': 'text/plain' });
      response.end(`the script of the sink threw: ${String(error)}`);
    }
  }
}

/** Starts a sink; `await using` stops it. */
export async function startHttpSink(options: HttpSinkOptions = {}): Promise<HttpSink> {
  const sink = new HttpSink(options);
  await sink.restart();
  return sink;
}

async function carryOut(answer: SinkAnswer, response: http.ServerResponse): Promise<void> {
  const socket = response.socket;
  switch (answer.kind) {
    case 'reply': {
      if (answer.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
      const body = answer.body ?? {};
      const isRaw = typeof body === 'string' || body instanceof Uint8Array;
      response.writeHead(answer.status ?? 200, {
        ...(isRaw ? {} : { 'content-type': 'application/json' }),
        ...answer.headers,
      });
      response.end(isRaw ? body : JSON.stringify(body));
      return;
    }
    case 'reset':
      socket?.resetAndDestroy();
      return;
    case 'truncated':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"batchItemFailures":', () => socket?.resetAndDestroy());
      return;
    case 'hang':
      return;
    case 'drip': {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), answer.everyMs);
      response.once('close', () => clearInterval(timer));
      return;
    }
    case 'garbage':
      socket?.end('\u0000\u0001\u0002 this is no HTTP \u00ff\r\n\r\n');
      return;
    case 'huge':
      await stream(response, answer.bytes);
      return;
  }
}

async function stream(response: http.ServerResponse, bytes: number): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('"');
  const chunk = Buffer.alloc(65_536, 'x');
  for (let left = bytes - 2; left > 0 && !response.destroyed; left -= chunk.length) {
    if (!response.write(left < chunk.length ? chunk.subarray(0, left) : chunk)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          response.off('drain', go);
          response.off('close', go);
          resolve();
        };
        response.once('drain', go);
        response.once('close', go);
      });
    }
  }
  response.end('"');
}
