/**
 * A thin REST client for the Kubernetes API server: plain paths in, parsed JSON out, over undici.
 *
 * It guarantees that every call ends: by its answer, by its own time-out, or by the caller's signal; that whatever
 * goes wrong is a `KubeError`; that an answer and a line of a watch have a bounded size; and that each attempt is
 * reported to the observer once. Watches have connections of their own, one each, so that a stuck one holds up
 * nobody. It does not retry (but for a token that was refused once), cache or interpret objects.
 */
import type { Clock } from '../lib/clock.ts';
import { anySignal } from '../lib/lifecycle.ts';
import type { CallOptions, DeletePreconditions, Method, Patch, Query, RequestEvent, Verb } from './calls.ts';
import type { ClusterAccess, Credentials } from './cluster-access.ts';
import { Connections } from './connections.ts';
import { answerError, connectionError, isKubeError, KubeError } from './kube-error.ts';
import { readLines } from './lines.ts';

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
  readonly #connections: Connections;

  constructor(options: ApiClientOptions) {
    const url = new URL(options.access.server);
    this.#options = options;
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.host = url.host;
    this.#connections = new Connections({
      proxy: options.access.proxy,
      connectTimeoutMs: options.connectTimeoutMs ?? 5000,
    });
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
    const { signal } = request.options;
    const credentials = await untilAborted(this.#options.access.credentials(), signal);
    try {
      return await this.#attempt(request, credentials);
    } catch (error) {
      if (!isKubeError(error, 'Unauthorized')) throw error;
      const renewed = await untilAborted(this.#options.access.credentials(true), signal);
      if (renewed.headers['authorization'] === credentials.headers['authorization']) throw error;
      return this.#attempt(request, renewed);
    }
  }

  async #attempt(request: Request, credentials: Credentials): Promise<Answer> {
    const { clock, userAgent = 'sluice' } = this.#options;
    const startedMs = clock.monotonic();
    let code = '<error>';
    try {
      const connections = this.#connections.for(credentials.tls);
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

  /** Breaks off whatever runs and closes every connection. Calls made afterwards fail with `Aborted`. */
  close(): Promise<void> {
    return this.#connections.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The promise, or a rejection as soon as the signal aborts: an exec plugin that hangs must not hold the call. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
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
