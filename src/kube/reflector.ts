/**
 * Keeps a copy of a collection of the API server up to date: lists it in pages, then watches from there. Each scope
 * (all namespaces, or each of the given ones) goes through
 *
 *     listing ──▸ watching ──▸ watching again from the last version (the server's time-out, silence, any failure)
 *        ▴            │
 *        └────────────┘ 410, or a line that cannot be read
 *
 * It guarantees that no change is lost (one that happened meanwhile is found by the new list, deletions included),
 * that each difference is told once, that it never gives up before its signal aborts, and that its memory is the
 * objects and no more.
 *
 * **Silence.** A half-open connection looks like a quiet collection. API servers send bookmarks about once a minute,
 * too seldom to tell the two apart within 45 s; a probe on another connection tells nothing about this one. So a watch
 * that says nothing for 40 s is replaced by one from the last version, which loses nothing. The replacement asks for
 * a `timeoutSeconds` below the silence limit: the server then sends its bookmark 2 s before that end and closes, so
 * a quiet collection moves its version on and never needs a new list, and silence beyond it means a dead line.
 * The first line of an object brings back the usual 240 to 480 s. Cost: under two requests a minute when quiet.
 */
import { backoffMs, type BackoffPolicy } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { anySignal } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import type { ApiClient } from './api-client.ts';
import { isKubeError, KubeError, type KubeReason } from './kube-error.ts';
import { listAll } from './list-all.ts';
import { ObjectStore, type StoreChange } from './object-store.ts';
import { objectKey, type KubeObject, type Resource } from './resource.ts';
import { parseWatchEvent } from './watch-event.ts';

/** What a reflector did; for the log and for `sluice_*` metrics. */
export type ReflectorEvent = { readonly resource: string; readonly namespace: string | undefined } & (
  | {
      readonly kind: 'listed';
      readonly cause: ListCause;
      readonly objects: number;
      readonly durationMs: number;
    }
  /** A list or watch did not succeed; the next try comes after `delayMs`. */
  | {
      readonly kind: 'failed';
      readonly reason: KubeReason;
      readonly message: string;
      readonly delayMs: number;
    }
  /** A watch said nothing for too long and is opened again. */
  | { readonly kind: 'silent'; readonly afterMs: number }
  /** A namespace may not be read (`skipForbidden`); told once, while it is asked again and again. */
  | { readonly kind: 'forbidden'; readonly message: string }
  /** It may be read after all. */
  | { readonly kind: 'permitted' }
  /** A handler threw; the store is right all the same. */
  | { readonly kind: 'handlerFailed'; readonly message: string }
);

/** Why everything was listed. */
export type ListCause = 'start' | 'expired' | 'malformed';

export interface ReflectorOptions<T extends KubeObject> {
  readonly api: Pick<ApiClient, 'list' | 'watch'>;
  readonly resource: Resource;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: all namespaces. Each has its own list and watch. */
  readonly namespaces?: readonly string[];
  /**
   * A namespace that may not be read holds up nobody: `synced` does without it, and it is asked again, in the end about
   * twice a minute, until a Role lets this process in. When none may be read, nothing is synced. Default false.
   */
  readonly skipForbidden?: boolean;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What is kept of an object; default: all but `metadata.managedFields`. It must keep the rest of the metadata. */
  readonly transform?: (object: T) => T;
  /** Silence after which a watch is replaced; default 40,000. Shorter costs more requests, see above. */
  readonly silenceMs?: number;
  readonly onChange?: (change: StoreChange<T>) => void;
  readonly observe?: (event: ReflectorEvent) => void;
}

const SILENCE_MS = 40_000;
const MAX_RETRY_AFTER_MS = 120_000;
/** Small enough that an event is here within 5 s after an outage of any length. */
const BACKOFF: BackoffPolicy = { initialMs: 400, factor: 2, maxMs: 4000, jitter: 0.5 };
/** Rights are given by people: one namespace of a hundred without a Role must not cost a hundred requests a minute. */
const FORBIDDEN_BACKOFF: BackoffPolicy = { ...BACKOFF, maxMs: 30_000 };
/** A watch that ends sooner without a word is counted as a failure, or a broken server would be asked in a loop. */
const SHORTEST_WATCH_MS = 1000;

interface Scope<T extends KubeObject> {
  readonly namespace: string | undefined;
  readonly store: ObjectStore<T>;
  /** Where to watch from; undefined when a list is due. */
  resourceVersion: string | undefined;
  listCause: ListCause;
  listed: boolean;
  /** The last answer was that it may not be read. */
  forbidden: boolean;
  /** The last watch was silent: see the opening comment. */
  quiet: boolean;
  /** Failures since the last sign of life. */
  failures: number;
  /** Monotonic time of the last sign of life. */
  contactMs: number;
}

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #scopes: readonly Scope<T>[];
  readonly #synced = Promise.withResolvers<boolean>();
  /**
   * True when the first list of every scope is in the store, but for those that `skipForbidden` passes over; false when
   * the reflector was stopped before.
   */
  readonly synced: Promise<boolean> = this.#synced.promise;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    const namespaces = options.namespaces === undefined ? [undefined] : [...new Set(options.namespaces)];
    this.#scopes = namespaces.map((namespace) => ({
      namespace,
      store: new ObjectStore<T>((change) => this.#tell(namespace, change)),
      resourceVersion: undefined,
      listCause: 'start',
      listed: false,
      forbidden: false,
      quiet: false,
      failures: 0,
      contactMs: options.clock.monotonic(),
    }));
  }

  /** Runs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#scopes.length === 0) this.#synced.resolve(true);
    await Promise.all(this.#scopes.map((scope) => this.#follow(scope, signal)));
    this.#synced.resolve(false);
  }

  /** The object of this name as last seen. */
  get(namespace: string | undefined, name: string): T | undefined {
    const key = objectKey(namespace, name);
    for (const scope of this.#scopes) {
      if (scope.namespace === undefined || scope.namespace === namespace) return scope.store.get(key);
    }
    return undefined;
  }

  /** All objects as last seen. */
  list(): T[] {
    return this.#scopes.flatMap((scope) => [...scope.store.values()]);
  }

  get size(): number {
    return this.#scopes.reduce((sum, scope) => sum + scope.store.size, 0);
  }

  /** Monotonic time at which the scope that has been without word for longest last heard from the API server. */
  get lastContactMs(): number {
    // Of a namespace that was never let in there is no copy that could be old.
    const known = this.#scopes.filter((scope) => scope.listed || !scope.forbidden);
    return Math.min(this.#options.clock.monotonic(), ...known.map((scope) => scope.contactMs));
  }

  /** Namespaces that may not be read now; only with `skipForbidden`. */
  get forbidden(): readonly string[] {
    return this.#scopes.flatMap(({ forbidden, namespace }) =>
      forbidden && namespace !== undefined ? [namespace] : [],
    );
  }

  /** How old the copy may be, in milliseconds: 0 to 40,000 when all is well. */
  get stalenessMs(): number {
    return this.#options.clock.monotonic() - this.lastContactMs;
  }

  async #follow(scope: Scope<T>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (scope.resourceVersion === undefined) await this.#list(scope, signal);
        else await this.#watch(scope, scope.resourceVersion, signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(scope, error, signal);
      }
    }
  }

  async #recover(scope: Scope<T>, error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const expired = isKubeError(error, 'Expired');
    if (expired || isKubeError(error, 'MalformedAnswer')) {
      scope.resourceVersion = undefined;
      scope.listCause = expired ? 'expired' : 'malformed';
    }
    scope.failures++;
    const forbidden = this.#options.skipForbidden === true && isKubeError(error, 'Forbidden');
    const askedMs = isKubeError(error) ? Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS) : 0;
    // An old version is no failure of the server: the first time, the list follows at once.
    const policy = forbidden ? FORBIDDEN_BACKOFF : BACKOFF;
    const ownMs = expired && scope.failures === 1 ? 0 : backoffMs(policy, scope.failures, random);
    // Those who were sent away together must not come back together.
    const delayMs = askedMs > ownMs ? askedMs + random() * 500 : ownMs;
    if (forbidden) this.#forbid(scope, messageOf(error));
    else
      this.#options.observe?.({
        kind: 'failed',
        resource: this.#options.resource.plural,
        namespace: scope.namespace,
        reason: isKubeError(error) ? error.reason : 'InternalError',
        message: messageOf(error),
        delayMs,
      });
    if (delayMs > 0) await clock.sleep(delayMs, signal);
  }

  async #list(scope: Scope<T>, signal: AbortSignal): Promise<void> {
    const { api, clock, resource } = this.#options;
    const startedMs = clock.monotonic();
    const { objects, resourceVersion } = await listAll<T>(api, resource.collection(scope.namespace), {
      signal,
      query: this.#selectors(),
      keep: (object) => this.#keep(object),
      onPage: () => this.#contact(scope),
    });
    scope.resourceVersion = resourceVersion;
    this.#permit(scope);
    scope.store.replace(objects);
    this.#options.observe?.({
      kind: 'listed',
      resource: resource.plural,
      namespace: scope.namespace,
      cause: scope.listCause,
      objects: objects.length,
      durationMs: clock.monotonic() - startedMs,
    });
    scope.listed = true;
    this.#settle();
  }

  /** What is known of it is kept, as while the API server is away. */
  #forbid(scope: Scope<T>, message: string): void {
    if (scope.forbidden) return;
    scope.forbidden = true;
    const { plural } = this.#options.resource;
    this.#options.observe?.({ kind: 'forbidden', resource: plural, namespace: scope.namespace, message });
    this.#settle();
  }

  #permit(scope: Scope<T>): void {
    if (!scope.forbidden) return;
    scope.forbidden = false;
    scope.failures = 0;
    const { plural } = this.#options.resource;
    this.#options.observe?.({ kind: 'permitted', resource: plural, namespace: scope.namespace });
  }

  #settle(): void {
    const settled = this.#scopes.every(({ listed, forbidden }) => listed || forbidden);
    if (settled && this.#scopes.some(({ listed }) => listed)) this.#synced.resolve(true);
  }

  async #watch(scope: Scope<T>, resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { api, clock, random, resource } = this.#options;
    const openedMs = clock.monotonic();
    const silence = new AbortController();
    const ended = new AbortController();
    let heardMs = openedMs;
    let heard = false;
    const silenceMs = this.#options.silenceMs ?? SILENCE_MS;
    const timeoutSeconds = Math.round(
      scope.quiet ? (silenceMs / 1000) * (0.75 + 0.15 * random()) : 240 + 240 * random(),
    );
    const watchdog = (async () => {
      while (!ended.signal.aborted && !silence.signal.aborted) {
        const leftMs = heardMs + silenceMs - clock.monotonic();
        if (leftMs <= 0) silence.abort();
        else await clock.sleep(leftMs, ended.signal);
      }
    })();
    try {
      const lines = await api.watch(resource.collection(scope.namespace), {
        signal: anySignal(signal, silence.signal),
        query: { ...this.#selectors(), resourceVersion, allowWatchBookmarks: true, timeoutSeconds },
      });
      heardMs = clock.monotonic();
      this.#contact(scope);
      this.#permit(scope);
      for await (const line of lines) {
        this.#take(scope, line);
        heardMs = clock.monotonic();
        heard = true;
        scope.failures = 0;
      }
    } catch (error) {
      if (!silence.signal.aborted || signal.aborted) throw error;
      scope.quiet = true;
      this.#options.observe?.({
        kind: 'silent',
        resource: resource.plural,
        namespace: scope.namespace,
        afterMs: clock.monotonic() - heardMs,
      });
      return;
    } finally {
      ended.abort();
      await watchdog;
    }
    if (signal.aborted) return;
    if (!heard && clock.monotonic() - openedMs < SHORTEST_WATCH_MS) {
      throw new KubeError(`watch ${resource.plural}: closed at once without an event`, {
        status: 0,
        reason: 'ConnectionFailed',
      });
    }
    this.#contact(scope);
    scope.failures = 0;
  }

  #take(scope: Scope<T>, line: string): void {
    const event = parseWatchEvent<T>(line, this.#options.clock.now());
    this.#contact(scope);
    switch (event.kind) {
      case 'changed':
        scope.quiet = false;
        scope.store.put(this.#keep(event.object));
        break;
      case 'deleted':
        scope.quiet = false;
        scope.store.delete(this.#keep(event.object));
        break;
      case 'bookmark':
        break;
      case 'unknown':
        return;
    }
    // Last: had the line been lost on the way to the store, the next watch would bring it again.
    scope.resourceVersion = event.resourceVersion;
  }

  #keep(object: T): T {
    return this.#options.transform === undefined
      ? withoutManagedFields(object)
      : this.#options.transform(object);
  }

  #contact(scope: Scope<T>): void {
    scope.contactMs = this.#options.clock.monotonic();
  }

  #selectors(): Record<string, string | undefined> {
    return { labelSelector: this.#options.labelSelector, fieldSelector: this.#options.fieldSelector };
  }

  #tell(namespace: string | undefined, change: StoreChange<T>): void {
    try {
      this.#options.onChange?.(change);
    } catch (error) {
      this.#options.observe?.({
        kind: 'handlerFailed',
        resource: this.#options.resource.plural,
        namespace,
        message: messageOf(error),
      });
    }
  }
}

/** The object without `metadata.managedFields`, which often is half of it and which nobody here reads. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (!('managedFields' in object.metadata)) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
