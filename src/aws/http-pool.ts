/**
 * POSTs over kept connections to one origin, by undici's `dispatch`: no streams, no abort signals of its own, one
 * small object for a call. One connection for each call under way, so that a long poll holds nobody up; the one used
 * last goes first, and idle ones are closed after some seconds.
 *
 * Not undici's own pool: that one takes a connection for busy until the event loop has turned, so that a loop of one
 * call after another would keep two, and a long poll open a new one each time; and it searches all connections for a
 * free one, thousands with as many long polls.
 *
 * Guarantees: a call ends soon after its signal aborts, and at its deadline at the latest, the answer's last byte
 * included; not more than `maxAnswerBytes` are held. It repeats nothing and judges no status.
 */
import { buildConnector, Client, type Dispatcher } from 'undici';
import { AbortHook } from '../lib/abort-hook.ts';
import type { Clock } from '../lib/clock.ts';
import { DeadlineWatch, type Watched } from '../lib/deadline-watch.ts';
import { DeadlineError } from './deadline.ts';
import type { Proxy } from './proxy.ts';
import { tunnelConnector } from './tunnel.ts';

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface HttpPost {
  readonly path: string;
  /** Name, value, name, value. */
  readonly headers: string[];
  readonly body: Buffer;
}

/** Ten messages of 1 MiB, each byte escaped, with room for their attributes. */
const defaultMaxAnswerBytes = 64 * 1024 * 1024;
const connectTimeoutMs = 5_000;
/** Below the idle limit of the servers that we meet, so that a call rarely goes out on a connection that just closed. */
const idleMs = 10_000;

/** Clients that are kept without a call; each has at most one socket, which closes by itself. */
const idleClientsMax = 64;

/** The answer was larger than the service's own limit allows. */
export class AnswerTooLargeError extends Error {
  override readonly name = 'AnswerTooLargeError';
}

export class HttpPool {
  readonly #origin: string;
  readonly #forwardedTo: { readonly origin: string; readonly proxy: Proxy } | undefined;
  readonly #clock: Clock;
  readonly #connections: number;
  readonly #maxAnswerBytes: number;
  readonly #options: Client.Options;
  readonly #clients = new Set<Client>();
  /** The last is the one that was used last. */
  readonly #free: Client[] = [];
  /** Calls beyond the most connections. */
  readonly #waiting = new Set<Call>();
  /** Calls by their time limit: within each, the order of starting is that of the deadlines. */
  readonly #watches = new Map<number, DeadlineWatch<Call>>();
  readonly #stop = new AbortController();

  /** `connections` is a guard against leaks, not a throttle; `proxy` is what the origin is reached by, if not directly. */
  constructor(
    origin: string,
    clock: Clock,
    connections: number,
    proxy?: Proxy,
    maxAnswerBytes = defaultMaxAnswerBytes,
  ) {
    this.#maxAnswerBytes = maxAnswerBytes;
    // A proxy for plain HTTP is sent the whole URL; to all else there is a tunnel.
    this.#forwardedTo = proxy !== undefined && origin.startsWith('http:') ? { origin, proxy } : undefined;
    this.#origin = this.#forwardedTo?.proxy.origin ?? origin;
    this.#clock = clock;
    this.#connections = connections;
    // One for all, since it keeps the TLS sessions.
    const connect = buildConnector({ timeout: connectTimeoutMs, allowH2: false });
    const isTunnelled = proxy !== undefined && this.#forwardedTo === undefined;
    this.#options = {
      connect: isTunnelled ? tunnelConnector(proxy, connect, connectTimeoutMs) : connect,
      pipelining: 1,
      // The deadline covers both, and costs no timer for each call.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      allowH2: false,
    };
  }

  /** Sends a POST; rejects with the signal's reason, `DeadlineError`, or what the network said. */
  post(request: HttpPost, timeoutMs: number, signal: AbortSignal): Promise<HttpAnswer> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    let watch = this.#watches.get(timeoutMs);
    if (watch === undefined) {
      watch = new DeadlineWatch<Call>(this.#clock, timeoutMs, this.#stop.signal);
      this.#watches.set(timeoutMs, watch);
    }
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    this.#start(
      new Call(
        this.#forwardedTo === undefined ? request : forwarded(request, this.#forwardedTo),
        watch,
        signal,
        { resolve, reject, release: this.#release, maxAnswerBytes: this.#maxAnswerBytes },
      ),
    );
    return promise;
  }

  #start(call: Call): void {
    let client = this.#free.pop();
    if (client === undefined) {
      if (this.#clients.size >= this.#connections) {
        this.#waiting.add(call);
        return;
      }
      client = new Client(this.#origin, this.#options);
      this.#clients.add(client);
    }
    call.startOn(client);
  }

  /** `isWhole` says that the connection may be used again: its call ended with a whole answer. */
  readonly #release = (call: Call, isWhole: boolean): void => {
    const { client } = call;
    if (client === undefined) {
      this.#waiting.delete(call);
      return;
    }
    if (isWhole && (this.#free.length < idleClientsMax || this.#waiting.size > 0)) this.#free.push(client);
    else {
      this.#clients.delete(client);
      void client.destroy();
    }
    if (this.#waiting.size === 0) return;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#start(next);
  };

  /** Ends every call and connection. */
  async destroy(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#clients].map((client) => client.destroy()));
    for (const call of this.#waiting) call.fail(new Error('The connections were closed'));
    await Promise.all([...this.#watches.values()].map((watch) => watch.ended));
  }
}

/** The request as a proxy for plain HTTP takes it. */
function forwarded(
  { path, headers, body }: HttpPost,
  { origin, proxy }: { readonly origin: string; readonly proxy: Proxy },
): HttpPost {
  const own = proxy.authorization === undefined ? [] : ['proxy-authorization', proxy.authorization];
  return { path: origin + path, headers: [...headers, ...own], body };
}

/** Who waits for a call, and who lent it its connection. */
interface CallOwner {
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: unknown) => void;
  readonly release: (call: Call, isWhole: boolean) => void;
  readonly maxAnswerBytes: number;
}

/**
 * undici's handler of one call; the first end counts. It lets go of everything at its end: what still knows it then,
 * such as an old table of a Set that has grown, would keep requests and answers until the next full collection.
 */
class Call implements Dispatcher.DispatchHandler, Watched<Call> {
  before: Call | undefined;
  behind: Call | undefined;
  list: object | undefined;
  /** Set by the watch. */
  deadlineMs = 0;
  /** What it runs on; undefined while it waits for one. */
  client: Client | undefined;
  readonly #watch: DeadlineWatch<Call>;
  readonly #signal: AbortSignal;
  readonly #hook: AbortHook;
  #request: HttpPost | undefined;
  #owner: CallOwner | undefined;
  #status = 0;
  #headers: HttpAnswer['headers'] = {};
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(request: HttpPost, watch: DeadlineWatch<Call>, signal: AbortSignal, owner: CallOwner) {
    this.#request = request;
    this.#owner = owner;
    this.#watch = watch;
    this.#signal = signal;
    this.#hook = AbortHook.of(signal);
    this.#hook.add(this);
    watch.add(this);
  }

  startOn(client: Client): void {
    this.client = client;
    if (this.#request === undefined) return;
    const { path, headers, body } = this.#request;
    this.#request = undefined;
    client.dispatch({ method: 'POST', path, headers, body }, this);
  }

  onAbort(): void {
    this.fail(this.#signal.reason);
  }

  expire(): void {
    this.fail(new DeadlineError(`no complete answer within ${this.#watch.timeoutMs} ms`));
  }

  /** Ends the call without an answer, and its connection with it. */
  fail(error: unknown): void {
    this.#end(false)?.reject(error);
  }

  onRequestStart(): void {
    // Nothing to do: who ends a call ends its connection.
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    const most = this.#owner?.maxAnswerBytes ?? 0;
    if (this.#bytes > most) this.fail(new AnswerTooLargeError(`the answer is larger than ${most} bytes`));
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [only = noBytes] = this.#chunks;
    const body = this.#chunks.length <= 1 ? only : Buffer.concat(this.#chunks, this.#bytes);
    const answer = { status: this.#status, headers: this.#headers, body };
    this.#end(true)?.resolve(answer);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.fail(error);
  }

  /** Ends the call, and gives its owner at the first end. */
  #end(isWhole: boolean): CallOwner | undefined {
    const owner = this.#owner;
    if (owner === undefined) return undefined;
    this.#owner = undefined;
    this.#request = undefined;
    this.#chunks = [];
    this.#headers = {};
    this.#watch.delete(this);
    this.#hook.delete(this);
    owner.release(this, isWhole);
    return owner;
  }
}

const noBytes = Buffer.alloc(0);
