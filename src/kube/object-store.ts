/**
 * The objects of one collection as last seen, by key. It turns what arrives, single changes or a whole list, into
 * the differences that handlers are told, and is silent about what they know already.
 */
import { keyOf, type KubeObject } from './resource.ts';

/** What has changed in the store. */
export type StoreChange<T> =
  | { readonly kind: 'added'; readonly key: string; readonly object: T }
  | { readonly kind: 'updated'; readonly key: string; readonly object: T; readonly previous: T }
  | { readonly kind: 'deleted'; readonly key: string; readonly object: T };

export class ObjectStore<T extends KubeObject> {
  readonly #changed: (change: StoreChange<T>) => void;
  #objects = new Map<string, T>();

  /** `changed` is called after the store has changed, once for each difference. It must not throw. */
  constructor(changed: (change: StoreChange<T>) => void) {
    this.#changed = changed;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** An object as it is now. An equal resourceVersion is no change; another uid is another object of the same name. */
  put(object: T): void {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    this.#objects.set(key, object);
    this.#tell(key, previous, object);
  }

  /** The object is gone; its last state is reported if given, since a watch knows it better than the store. */
  delete(object: T): void {
    const key = keyOf(object);
    if (!this.#objects.delete(key)) return;
    this.#changed({ kind: 'deleted', key, object });
  }

  /** The whole collection as it is now: reports what differs, deletions included. */
  replace(objects: readonly T[]): void {
    const before = this.#objects;
    // In the order of the list, so that memory of keys long gone is given back.
    const now = new Map(objects.map((object) => [keyOf(object), object]));
    this.#objects = now;
    for (const [key, previous] of before) {
      if (!now.has(key)) this.#changed({ kind: 'deleted', key, object: previous });
    }
    for (const [key, object] of now) this.#tell(key, before.get(key), object);
  }

  #tell(key: string, previous: T | undefined, object: T): void {
    if (previous === undefined) {
      this.#changed({ kind: 'added', key, object });
      return;
    }
    if (previous.metadata.uid !== object.metadata.uid) {
      this.#changed({ kind: 'deleted', key, object: previous });
      this.#changed({ kind: 'added', key, object });
      return;
    }
    if (previous.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#changed({ kind: 'updated', key, object, previous });
  }
}
