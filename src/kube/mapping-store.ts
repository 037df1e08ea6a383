/**
 * The reconciler's store: reads from the reflector, writes to the API server. What was just written is read back from
 * memory until the watch has brought it, so that the next pass does not act on a state that it has changed itself.
 */
import { finalizer, group, resources, version } from '../api/meta.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import type { MappingStore } from '../controller/store.ts';
import type { ApiClient } from './api-client.ts';
import { isKubeError } from './kube-error.ts';
import { addFinalizer, applyStatus, removeFinalizer } from './object-writes.ts';
import { withoutManagedFields } from './reflector.ts';
import { keyOf, resource, splitKey } from './resource.ts';

/** Where mappings are. */
export const eventSourceMappings = resource({ group, version, ...resources.mapping });

/** What the store reads from. */
export interface MappingCache {
  get(namespace: string | undefined, name: string): EventSourceMapping | undefined;
}

export class KubeMappingStore implements MappingStore {
  readonly #api: Pick<ApiClient, 'patch'>;
  readonly #cache: MappingCache;
  readonly #written = new Map<string, EventSourceMapping>();

  constructor(api: Pick<ApiClient, 'patch'>, cache: MappingCache) {
    this.#api = api;
    this.#cache = cache;
  }

  get(key: string): EventSourceMapping | undefined {
    const { namespace, name } = splitKey(key);
    const cached = this.#cache.get(namespace, name);
    const written = this.#written.get(key);
    if (written === undefined || cached === undefined) {
      this.#written.delete(key);
      return cached;
    }
    if (isNewer(written, cached)) return written;
    this.#written.delete(key);
    return cached;
  }

  async writeStatus(
    mapping: EventSourceMapping,
    status: NonNullable<EventSourceMapping['status']>,
    signal: AbortSignal,
  ): Promise<void> {
    // A finalizer that this pass has stored makes a newer version of what the pass has read, and no other change.
    const written = this.#written.get(keyOf(mapping));
    const current = written !== undefined && isNewer(written, mapping) ? written : mapping;
    try {
      this.#remember(await applyStatus(this.#api, eventSourceMappings, current, status, signal));
    } catch (error) {
      if (!isKubeError(error, 'NotFound')) throw error;
    }
  }

  async setFinalizer(
    mapping: EventSourceMapping,
    present: boolean,
    signal: AbortSignal,
  ): Promise<EventSourceMapping> {
    const change = present ? addFinalizer : removeFinalizer;
    const stored = await change(this.#api, eventSourceMappings, mapping, finalizer, signal);
    this.#remember(stored);
    return stored ?? mapping;
  }

  #remember(stored: EventSourceMapping | undefined): void {
    if (stored !== undefined) this.#written.set(keyOf(stored), withoutManagedFields(stored));
  }
}

/** Versions of one object are numbers that grow; of another object of the same name nothing is kept. */
function isNewer(written: EventSourceMapping, cached: EventSourceMapping): boolean {
  if (written.metadata.uid !== cached.metadata.uid) return false;
  const [ours, theirs] = [written.metadata.resourceVersion ?? '0', cached.metadata.resourceVersion ?? '0'];
  return ours.length === theirs.length ? ours > theirs : ours.length > theirs.length;
}
