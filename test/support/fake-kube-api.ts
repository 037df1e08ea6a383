/**
 * A small API server in memory, with the methods of `ApiClient`: revisions, list in pages, watch with bookmarks,
 * compare-and-swap, patches, compaction. It runs under the virtual clock and passes the same contract suite as the
 * client against a real kube-apiserver (test/contract/kube). It knows no schemas, no RBAC and no admission, and its
 * server-side apply replaces the whole of what is applied, as if one manager owned it.
 */
import type { ApiClient } from '../../src/kube/api-client.ts';
import type { CallOptions, JsonPatchOperation, Patch } from '../../src/kube/calls.ts';
import { KubeError, type KubeReason } from '../../src/kube/kube-error.ts';
import type { KubeList, KubeObject } from '../../src/kube/resource.ts';
import type { Clock } from '../../src/lib/clock.ts';

type Json = Record<string, unknown>;

/** A request as the hook `before` sees it. */
export interface FakeRequest {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
  readonly path: string;
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body: unknown;
  readonly signal: AbortSignal;
}

interface Change {
  readonly revision: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly path: string;
  readonly object: KubeObject;
}

interface Watcher {
  readonly lines: (string | KubeError | typeof END)[];
  frozen: boolean;
  wake: () => void;
}

const BOOKMARK_MS = 60_000;
const END = Symbol('end of a watch');

export class FakeKubeApi implements Pick<
  ApiClient,
  'get' | 'list' | 'create' | 'replace' | 'patch' | 'delete' | 'watch'
> {
  /** Every request in its order. */
  readonly requests: FakeRequest[] = [];
  /** Called before each request is answered: may throw, or wait, to play a fault. */
  before: ((request: FakeRequest) => void | Promise<void>) | undefined;

  readonly #clock: Clock;
  readonly #objects = new Map<string, KubeObject>();
  readonly #snapshots = new Map<
    string,
    { readonly revision: number; readonly rest: readonly KubeObject[] }
  >();
  readonly #watchers = new Set<Watcher>();
  #history: Change[] = [];
  #oldest = 0;
  #revision = 100;
  #uids = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches that are open. */
  get openWatches(): number {
    return this.#watchers.size;
  }

  /** Forgets history: older versions and page tokens are answered with 410 from now on. */
  compact(): void {
    this.#oldest = this.#revision;
    this.#history = [];
    this.#snapshots.clear();
  }

  /** Counts the revision up, as writes to other collections do. */
  tick(): void {
    this.#revision++;
  }

  /** Puts a raw line into every open watch. */
  injectLine(line: string): void {
    this.#eachWatcher((watcher) => watcher.lines.push(line));
  }

  /** Breaks every open watch off. */
  breakWatches(): void {
    this.#eachWatcher((watcher) => watcher.lines.push(fail('ConnectionFailed', 0, 'reset')));
  }

  /** Ends every open watch as the server's time-out does. */
  endWatches(): void {
    this.#eachWatcher((watcher) => watcher.lines.push(END));
  }

  /** Every open watch says nothing any more and does not end: a half-open connection. */
  freezeWatches(): void {
    this.#eachWatcher((watcher) => {
      watcher.frozen = true;
    });
  }

  async get<T>(path: string, options: CallOptions): Promise<T> {
    await this.#enter('get', path, options, undefined);
    return copy(this.#must(path)) as T;
  }

  async list<T>(path: string, options: CallOptions): Promise<T> {
    const query = await this.#enter('list', path, options, undefined);
    const token = query['continue'];
    let revision = this.#revision;
    let rest: readonly KubeObject[];
    if (token === undefined) {
      rest = this.#collection(path).filter((object) => selected(object, query));
    } else {
      const snapshot = this.#snapshots.get(String(token));
      if (snapshot === undefined) throw fail('Expired', 410, 'The provided continue parameter is too old');
      ({ revision, rest } = snapshot);
    }
    const limit = Number(query['limit'] ?? rest.length);
    const items = rest.slice(0, limit);
    let next: string | undefined;
    if (items.length < rest.length) {
      next = `token-${this.#snapshots.size + 1}-${revision}-${rest.length}`;
      this.#snapshots.set(next, { revision, rest: rest.slice(limit) });
    }
    const list: KubeList<KubeObject> = {
      metadata: { resourceVersion: String(revision), ...(next === undefined ? {} : { continue: next }) },
      items,
    };
    return copy(list) as T;
  }

  async create<T>(path: string, body: object, options: CallOptions): Promise<T> {
    await this.#enter('create', path, options, body);
    const object = copy(body) as KubeObject;
    const target = `${path}/${object.metadata.name}`;
    if (this.#objects.has(target))
      throw fail('AlreadyExists', 409, `"${object.metadata.name}" already exists`);
    const namespace = /\/namespaces\/([^/]+)\/[^/]+$/.exec(path)?.[1];
    return this.#store('ADDED', target, {
      ...object,
      metadata: {
        ...object.metadata,
        ...(namespace === undefined ? {} : { namespace }),
        uid: `uid-${++this.#uids}`,
        generation: 1,
        creationTimestamp: new Date(this.#clock.now()).toISOString(),
      },
    }) as T;
  }

  async replace<T>(path: string, body: object, options: CallOptions): Promise<T> {
    await this.#enter('update', path, options, body);
    return this.#write(path, (current) => ({ ...current, ...(copy(body) as KubeObject) })) as T;
  }

  async patch<T>(path: string, patch: Patch, options: CallOptions): Promise<T> {
    await this.#enter('patch', path, options, patch.body);
    const target = path.replace(/\/status$/, '');
    return this.#write(target, (current) => {
      switch (patch.kind) {
        case 'json':
          return applyJsonPatch(current, patch.body);
        case 'merge':
          return merge(current as unknown as Json, patch.body as Json) as unknown as KubeObject;
        case 'apply': {
          const { metadata, ...rest } = patch.body as KubeObject;
          const { resourceVersion = current.metadata.resourceVersion } = metadata;
          return {
            ...current,
            ...rest,
            metadata: {
              ...current.metadata,
              ...(resourceVersion === undefined ? {} : { resourceVersion }),
            },
          };
        }
      }
    }) as T;
  }

  async delete(path: string, options: Parameters<ApiClient['delete']>[1]): Promise<unknown> {
    await this.#enter('delete', path, options, options.preconditions);
    const current = this.#must(path);
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (uid !== undefined && uid !== current.metadata.uid) throw fail('Conflict', 409, 'UID');
    if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
      throw fail('Conflict', 409, 'resourceVersion');
    }
    if ((current.metadata.finalizers ?? []).length > 0) {
      const deletionTimestamp = new Date(this.#clock.now()).toISOString();
      return this.#store('MODIFIED', path, {
        ...current,
        metadata: { ...current.metadata, deletionTimestamp },
      });
    }
    return this.#store('DELETED', path, current);
  }

  async watch(path: string, options: CallOptions): Promise<AsyncIterable<string>> {
    const query = await this.#enter('watch', path, options, undefined);
    const from = Number(query['resourceVersion'] ?? this.#revision);
    const watcher: Watcher = { lines: [], frozen: false, wake: () => undefined };
    const wanted = (change: Change): boolean =>
      change.path.startsWith(path.slice(0, path.lastIndexOf('/'))) &&
      inCollection(path, change.path) &&
      selected(change.object, query);
    // From this moment on, whenever the reader begins to read.
    const listener = (change: Change): void => {
      if (wanted(change)) watcher.lines.push(line(change.type, change.object));
      watcher.wake();
    };
    if (from < this.#oldest) watcher.lines.push(line('ERROR', expired), END);
    for (const change of this.#history) {
      if (change.revision > from && wanted(change)) watcher.lines.push(line(change.type, change.object));
    }
    this.#listeners.add(listener);
    return this.#read(watcher, query, options.signal, listener);
  }

  async *#read(
    watcher: Watcher,
    query: FakeRequest['query'],
    signal: AbortSignal,
    listener: (change: Change) => void,
  ): AsyncGenerator<string> {
    const done = new AbortController();
    const stop = (): void => watcher.wake();
    this.#watchers.add(watcher);
    signal.addEventListener('abort', stop, { once: true });
    const seconds = query['timeoutSeconds'];
    const timing = this.#time(
      watcher,
      seconds === undefined ? 1800_000 : Number(seconds) * 1000,
      done.signal,
    );
    try {
      for (;;) {
        if (signal.aborted) throw fail('Aborted', 0, 'aborted');
        const next = watcher.frozen ? undefined : watcher.lines.shift();
        if (next === END) return;
        if (next instanceof KubeError) throw next;
        if (next !== undefined) yield next;
        else {
          await new Promise<void>((resolve) => {
            watcher.wake = resolve;
          });
        }
      }
    } finally {
      this.#watchers.delete(watcher);
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', stop);
      done.abort();
      await timing;
    }
  }

  readonly #listeners = new Set<(change: Change) => void>();

  async #time(watcher: Watcher, timeoutMs: number, done: AbortSignal): Promise<void> {
    const endMs = this.#clock.monotonic() + timeoutMs;
    const opened = this.#revision;
    for (;;) {
      const leftMs = endMs - this.#clock.monotonic();
      if (leftMs <= 0) break;
      // As kube-apiserver: about every minute, and 2 s before the end.
      const toBookmarkMs = leftMs > 2000 ? Math.min(BOOKMARK_MS, leftMs - 2000) : leftMs;
      await this.#clock.sleep(toBookmarkMs, done);
      if (done.aborted) return;
      if (leftMs > 2000 && this.#revision > opened) {
        watcher.lines.push(
          line('BOOKMARK', { metadata: { name: '', resourceVersion: String(this.#revision) } }),
        );
        watcher.wake();
      }
    }
    watcher.lines.push(END);
    watcher.wake();
  }

  async #enter(
    verb: FakeRequest['verb'],
    path: string,
    options: CallOptions,
    body: unknown,
  ): Promise<FakeRequest['query']> {
    const request = { verb, path, query: options.query ?? {}, body, signal: options.signal };
    this.requests.push(request);
    await this.before?.(request);
    if (options.signal.aborted) throw fail('Aborted', 0, `${verb} ${path}: aborted`);
    return request.query;
  }

  #write(path: string, change: (current: KubeObject) => KubeObject): KubeObject {
    const current = this.#must(path);
    const next = change(current);
    const { resourceVersion } = next.metadata;
    if (resourceVersion !== undefined && resourceVersion !== current.metadata.resourceVersion) {
      throw fail('Conflict', 409, 'the object has been modified');
    }
    if (JSON.stringify(next) === JSON.stringify(current)) return copy(current);
    const gone =
      next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0;
    return this.#store(gone ? 'DELETED' : 'MODIFIED', path, next);
  }

  #store(type: Change['type'], path: string, object: KubeObject): KubeObject {
    const revision = ++this.#revision;
    const stored = copy({
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(revision) },
    });
    if (type === 'DELETED') this.#objects.delete(path);
    else this.#objects.set(path, stored);
    const change: Change = { revision, type, path, object: stored };
    this.#history.push(change);
    for (const listener of this.#listeners) listener(change);
    return copy(stored);
  }

  #must(path: string): KubeObject {
    const object = this.#objects.get(path);
    if (object === undefined) throw fail('NotFound', 404, `${path} not found`);
    return object;
  }

  #collection(path: string): KubeObject[] {
    return [...this.#objects]
      .filter(([key]) => inCollection(path, key))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  #eachWatcher(action: (watcher: Watcher) => void): void {
    for (const watcher of this.#watchers) {
      action(watcher);
      watcher.wake();
    }
  }
}

const expired = {
  kind: 'Status',
  status: 'Failure',
  reason: 'Expired',
  code: 410,
  message: 'too old resource version',
};

function line(type: string, object: object): string {
  return JSON.stringify({ type, object });
}

/** Whether the object at `key` belongs to the collection, of one namespace or of all. */
function inCollection(collection: string, key: string): boolean {
  const slash = key.lastIndexOf('/');
  const own = key.slice(0, slash);
  return own === collection || own.replace(/\/namespaces\/[^/]+\//, '/') === collection;
}

function selected(object: KubeObject, query: FakeRequest['query']): boolean {
  const labels = String(query['labelSelector'] ?? '');
  const fields = String(query['fieldSelector'] ?? '');
  const terms = (text: string): string[][] =>
    text === '' ? [] : text.split(',').map((term) => term.split('='));
  return (
    terms(labels).every(([key = '', value]) => object.metadata.labels?.[key] === value) &&
    terms(fields).every(([key, value]) =>
      key === 'metadata.name' ? object.metadata.name === value : object.metadata.namespace === value,
    )
  );
}

function applyJsonPatch(current: KubeObject, operations: readonly JsonPatchOperation[]): KubeObject {
  const root = copy(current) as unknown as Json;
  for (const operation of operations) {
    const steps = operation.path.split('/').slice(1);
    const last = steps.pop() ?? '';
    let holder: unknown = root;
    for (const step of steps) holder = (holder as Json | undefined)?.[step];
    if (typeof holder !== 'object' || holder === null) throw refused();
    const target = holder as Json;
    switch (operation.op) {
      case 'test':
        if (JSON.stringify(target[last]) !== JSON.stringify(operation.value)) throw refused();
        break;
      case 'add':
      case 'replace':
        if (Array.isArray(holder))
          holder.splice(last === '-' ? holder.length : Number(last), 0, operation.value);
        else target[last] = operation.value;
        break;
      case 'remove':
        if (Array.isArray(holder)) holder.splice(Number(last), 1);
        else delete target[last];
        break;
    }
  }
  return root as unknown as KubeObject;
}

function refused(): KubeError {
  return fail('Invalid', 422, 'the server rejected our request due to an error in our request');
}

function merge(target: Json, patch: Json): Json {
  const result: Json = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (typeof value === 'object' && !Array.isArray(value)) {
      result[key] = merge((result[key] ?? {}) as Json, value as Json);
    } else result[key] = value;
  }
  return result;
}

function copy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** An error as the client would throw it, for tests that play a fault. */
export function fail(reason: KubeReason, status: number, message: string, retryAfterMs?: number): KubeError {
  return new KubeError(message, { status, reason, retryAfterMs });
}
