/**
 * A thin REST client for the Kubernetes API server: plain paths in, parsed JSON out, over undici.
 *
 * It guarantees that every call ends: by its answer, by its own time-out, or by the caller's signal; that whatever
 * goes wrong is a `KubeError`; that an answer and a line of a watch have a bounded size; and that each attempt is
 * reported to the observer once. Watches have connections of their own, one each, so that a stuck one holds up
 * nobody. It does not retry (but for a token that was refused once), cache or interpret objects.
 */
import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import type { Clock } from '../lib/clock.ts';
import { anySignal } from '../lib/lifecycle.ts';
import type { ClusterAccess, Credentials, TlsMaterial } from './cluster-access.ts';
import { answerError, connectionError, isKubeError, KubeError } from './kube-error.ts';
import { readLines } from './lines.ts';

/** One attempt has ended: what `rest_client_requests_total` and `rest_client_request_duration_seconds` are made of. */
export interface RequestEvent {
  readonly kind: 'request';
  /** Kubernetes' verb: get, list, watch, create, update, patch, delete. */
  readonly verb: Verb;
  /** HTTP method. */
  readonly method: Method;
  readonly host: string;
  /** HTTP status of the answer, or `<error>` if there was none, as client-go has it. */
  readonly code: string;
  /** Until the whole answer was read; for a watch until its headers came. */
  readonly durationMs: number;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What every call takes besides its own arguments. */
export interface CallOptions {
  readonly signal: AbortSignal;
  readonly query?: Query;
  /** Default 30,000; for a watch the time until its headers come, default 15,000. */
  readonly timeoutMs?: number;
}

/** A patch and its language. `apply` is server-side apply and creates what is missing, except on a subresource. */
export type Patch =
  | { readonly kind: 'apply'; readonly fieldManager: string; readonly force: boolean; readonly body: object }
  | { readonly kind: 'merge'; readonly fieldManager?: string; readonly body: object }
  | { readonly kind: 'json'; readonly fieldManager?: string; readonly body: readonly JsonPatchOperation[] };

/** An operation of a JSON Patch (RFC 6902), as far as Sluice uses them. */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** Options of a DELETE: only if the object still is the one that was meant. */
export interface DeletePreconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export interface ApiClientOptions {
  readonly access: ClusterAccess;
  readonly clock: Clock;
  readonly observe?: (event: RequestEvent) => void;
  /** Also the default field manager of writes, up to the first slash. */
  readonly userAgent?: string;
  /** Until TCP and TLS stand; default 5,000. */
  readonly connectTimeoutMs?: number;
}

const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
/** etcd takes objects up to 1.5 MB; as JSON, with managedFields, they are seldom twice that. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const CALL_TIMEOUT_MS = 30_000;
const WATCH_HEADERS_TIMEOUT_MS = 15_000;

interface Request {
  readonly verb: Verb;
  readonly method: Method;
  readonly path: string;
  readonly options: CallOptions;
  readonly contentType?: string;
  readonly body?: unknown;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array> & { destroy(): unknown };
}

export class ApiClient {
  readonly host: string;
  readonly #origin: string;
  readonly #prefix: string;
  readonly #options: ApiClientOptions;
  readonly #retired = new Set<Promise<void>>();
  #connections:
    | { readonly tls: string; readonly calls: Dispatcher; readonly watches: Dispatcher }
    | undefined;
  #closed = false;

  constructor(options: ApiClientOptions) {
    const url = new URL(options.access.server);
    this.#options = options;
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.host = url.host;
  }

  get<T>(path: string, options: CallOptions): Promise<T> {
    return this.#call<T>({ verb: 'get', method: 'GET', path, options });
  }

  list<T>(path: string, options: CallOptions): Promise<T> {
    return this.#call<T>({ verb: 'list', method: 'GET', path, options });
  }

  create<T>(path: string, body: object, options: CallOptions): Promise<T> {
    return this.#call<T>({ verb: 'create', method: 'POST', path, options, body });
  }

  /** PUT: with a resourceVersion in the body it replaces only what has not changed since. */
  replace<T>(path: string, body: object, options: CallOptions): Promise<T> {
    return this.#call<T>({ verb: 'update', method: 'PUT', path, options, body });
  }

  patch<T>(path: string, patch: Patch, options: CallOptions): Promise<T> {
    const contentType = {
      apply: 'application/apply-patch+yaml',
      merge: 'application/merge-patch+json',
      json: 'application/json-patch+json',
    }[patch.kind];
    const query: Query = {
      ...options.query,
      ...(patch.fieldManager === undefined ? {} : { fieldManager: patch.fieldManager }),
      ...(patch.kind === 'apply' ? { force: patch.force } : {}),
    };
    return this.#call<T>({
      verb: 'patch',
      method: 'PATCH',
      path,
      options: { ...options, query },
      contentType,
      body: patch.body,
    });
  }

  delete(
    path: string,
    options: CallOptions & { readonly preconditions?: DeletePreconditions },
  ): Promise<unknown> {
    const body =
      options.preconditions === undefined
        ? undefined
        : { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: options.preconditions };
    return this.#call({ verb: 'delete', method: 'DELETE', path, options, body });
  }

  /**
   * Opens a watch and gives its lines as they come; resolves when the server has answered. The stream ends when the
   * server closes it, throws `KubeError` when it breaks, and frees its connection when the reader leaves.
   */
  async watch(path: string, options: CallOptions): Promise<AsyncIterable<string>> {
    const stop = new AbortController();
    const signal = anySignal(options.signal, stop.signal);
    const query = { ...options.query, watch: true };
    const answer = await this.#bounded(
      { ...options, signal, query, timeoutMs: options.timeoutMs ?? WATCH_HEADERS_TIMEOUT_MS },
      `watch ${path}`,
      (options) => this.#send({ verb: 'watch', method: 'GET', path, options }),
    );
    return this.#lines(`watch ${path}`, answer, options.signal, stop);
  }

  async *#lines(
    what: string,
    answer: Answer,
    signal: AbortSignal,
    stop: AbortController,
  ): AsyncGenerator<string> {
    try {
      yield* readLines(answer.body, MAX_LINE_BYTES);
    } catch (error) {
      throw classify(what, error, signal);
    } finally {
      stop.abort();
    }
  }

  async #call<T>(request: Request): Promise<T> {
    const what = `${request.verb} ${request.path}`;
    return this.#bounded(request.options, what, async (options) => {
      const answer = await this.#send({ ...request, options });
      const value = parse(await readAll(answer.body));
      if (value === undefined) {
        throw new KubeError(`${what}: the answer is not JSON`, {
          status: answer.status,
          reason: 'MalformedAnswer',
        });
      }
      return value as T;
    });
  }

  /** Runs one call under its time-out and classes whatever it throws. */
  async #bounded<T>(
    options: CallOptions,
    what: string,
    run: (options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS;
    const over = new AbortController();
    const finished = new AbortController();
    const timer = this.#options.clock.sleep(timeoutMs, finished.signal).then(() => {
      if (!finished.signal.aborted) over.abort();
    });
    try {
      return await run({ ...options, signal: anySignal(options.signal, over.signal) });
    } catch (error) {
      if (over.signal.aborted && !options.signal.aborted) {
        throw new KubeError(`${what}: no answer within ${timeoutMs} ms`, {
          status: 0,
          reason: 'Timeout',
          cause: error,
        });
      }
      throw classify(what, error, options.signal);
    } finally {
      finished.abort();
      await timer;
    }
  }

  /** Sends the request; a refused token is renewed once, since tokens are rotated under us. */
  async #send(request: Request): Promise<Answer> {
    const credentials = await this.#options.access.credentials();
    try {
      return await this.#attempt(request, credentials);
    } catch (error) {
      if (!isKubeError(error, 'Unauthorized')) throw error;
      const renewed = await this.#options.access.credentials(true);
      if (renewed.headers['authorization'] === credentials.headers['authorization']) throw error;
      return this.#attempt(request, renewed);
    }
  }

  async #attempt(request: Request, credentials: Credentials): Promise<Answer> {
    const { clock, userAgent = 'sluice' } = this.#options;
    const startedMs = clock.monotonic();
    let code = '<error>';
    try {
      const connections = this.#connect(credentials.tls);
      const dispatcher = request.verb === 'watch' ? connections.watches : connections.calls;
      const answer = await dispatcher.request({
        origin: this.#origin,
        path: this.#prefix + request.path + queryString(request.options.query),
        method: request.method,
        headers: {
          ...credentials.headers,
          accept: 'application/json',
          'user-agent': userAgent,
          ...(request.body === undefined
            ? {}
            : { 'content-type': request.contentType ?? 'application/json' }),
        },
        body: request.body === undefined ? null : JSON.stringify(request.body),
        signal: request.options.signal,
        // The call's own time-out bounds both; a watch is silent for as long as it likes.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      code = String(answer.statusCode);
      if (answer.statusCode < 300) {
        return { status: answer.statusCode, headers: answer.headers, body: answer.body };
      }
      const text = await readAll(answer.body);
      const retryAfter = answer.headers['retry-after'];
      throw answerError(
        `${request.verb} ${request.path}`,
        // A redirect is never followed: it is no answer of an API server.
        answer.statusCode < 400 ? 502 : answer.statusCode,
        parse(text) ?? text,
        typeof retryAfter === 'string' ? retryAfter : undefined,
        clock.now(),
      );
    } finally {
      this.#options.observe?.({
        kind: 'request',
        verb: request.verb,
        method: request.method,
        host: this.host,
        code,
        durationMs: clock.monotonic() - startedMs,
      });
    }
  }

  /** The connections for this TLS material: made anew when a certificate has been rotated. */
  #connect(tls: TlsMaterial): { readonly calls: Dispatcher; readonly watches: Dispatcher } {
    if (this.#closed) throw new KubeError('The client is closed', { status: 0, reason: 'Aborted' });
    const key = JSON.stringify(tls);
    if (this.#connections?.tls === key) return this.#connections;
    if (this.#connections !== undefined) this.#retire(this.#connections);
    const { access, connectTimeoutMs = 5000 } = this.#options;
    const secure = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
    const common = {
      // HTTP/2 would put calls and watches on one connection, and a stuck one would then hold up all.
      allowH2: false,
      pipelining: 1,
      maxResponseSize: -1,
      connect: { ...secure, timeout: connectTimeoutMs, keepAlive: true, keepAliveInitialDelay: 30_000 },
    };
    const make = (keepAliveTimeout: number): Dispatcher =>
      access.proxy === undefined
        ? new Agent({ ...common, keepAliveTimeout })
        : new ProxyAgent({ ...common, keepAliveTimeout, uri: access.proxy, requestTls: secure });
    // The API server closes idle connections after 90 s; ours go first, so that no request meets a closing one.
    this.#connections = { tls: key, calls: make(30_000), watches: make(1000) };
    return this.#connections;
  }

  #retire(connections: { readonly calls: Dispatcher; readonly watches: Dispatcher }): void {
    for (const dispatcher of [connections.calls, connections.watches]) {
      // Lets what runs on them finish; a watch ends within its timeoutSeconds.
      const closing: Promise<void> = dispatcher
        .close()
        .catch(() => undefined)
        .finally(() => this.#retired.delete(closing));
      this.#retired.add(closing);
    }
  }

  /** Breaks off whatever runs and closes every connection. Calls made afterwards fail with `Aborted`. */
  async close(): Promise<void> {
    this.#closed = true;
    const connections = this.#connections;
    this.#connections = undefined;
    if (connections === undefined) return;
    await Promise.all([connections.calls.destroy(), connections.watches.destroy()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function classify(what: string, error: unknown, signal: AbortSignal): KubeError {
  if (signal.aborted)
    return new KubeError(`${what}: aborted`, { status: 0, reason: 'Aborted', cause: error });
  return error instanceof KubeError ? error : connectionError(what, error);
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      throw new KubeError(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`, {
        status: 0,
        reason: 'MalformedAnswer',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function queryString(query: Query | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
