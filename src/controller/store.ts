/** The reconciler's port to the mappings in the cluster. Reads come from a cache, writes go to the API server. */
import type { EventSourceMapping, EventSourceMappingStatus } from '../api/mapping.ts';

export interface MappingStore {
  /** The mapping of a `namespace/name` key as last seen or last written; undefined when it is gone. */
  get(key: string): EventSourceMapping | undefined;
  /**
   * Replaces the whole status and nothing else. Resolves when it is stored, or when the mapping is gone; throws when
   * somebody else has changed it since it was read, or it is another one of the same name.
   */
  writeStatus(
    mapping: EventSourceMapping,
    status: EventSourceMappingStatus,
    signal: AbortSignal,
  ): Promise<void>;
  /** Adds or removes Sluice's finalizer and nothing else; throws when the mapping has changed since it was read. */
  setFinalizer(
    mapping: EventSourceMapping,
    present: boolean,
    signal: AbortSignal,
  ): Promise<EventSourceMapping>;
}
