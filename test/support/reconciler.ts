import type { MappingClass } from '../../src/api/class.ts';
import type { EventSourceMapping, EventSourceMappingStatus } from '../../src/api/mapping.ts';
import { finalizer } from '../../src/api/meta.ts';
import { AwsBackend } from '../../src/backends/aws/backend.ts';
import { ClusterBackend } from '../../src/backends/cluster/backend.ts';
import { classBook } from '../../src/cli/class-book.ts';
import { DeletionHold } from '../../src/controller/deletion-hold.ts';
import type { ReconcilerEvent } from '../../src/controller/events.ts';
import type { Next, ReconcilerDeps } from '../../src/controller/pass.ts';
import { reconcile } from '../../src/controller/reconcile.ts';
import type { MappingStore } from '../../src/controller/store.ts';
import { FleetIndex } from '../../src/fleet/fleet-view.ts';
import { aClass } from './mappings.ts';
import { MemoryMappingApi } from './memory-mapping-api.ts';
import { VirtualClock } from './virtual-clock.ts';

/** The mappings of a cluster in memory, with the life of an object as the API server has it. */
export class MemoryStore implements MappingStore {
  /** Writes so far: `status`, `finalizer+`, `finalizer-`. */
  readonly writes: string[] = [];
  readonly #objects = new Map<string, EventSourceMapping>();
  #version = 1;

  put(mapping: EventSourceMapping): void {
    this.#set({ ...mapping });
  }

  /** An edit of the spec by its user. */
  edit(key: string, spec: Partial<EventSourceMapping['spec']>): void {
    const mapping = this.#demand(key);
    const generation = (mapping.metadata.generation ?? 0) + 1;
    this.#set({
      ...mapping,
      metadata: { ...mapping.metadata, generation },
      spec: { ...mapping.spec, ...spec },
    });
  }

  annotate(key: string, annotations: Readonly<Record<string, string>>): void {
    const mapping = this.#demand(key);
    this.#set({ ...mapping, metadata: { ...mapping.metadata, annotations } });
  }

  /** A deletion by its user: at once without a finalizer, else only marked. */
  delete(key: string): void {
    const mapping = this.#demand(key);
    this.#set({ ...mapping, metadata: { ...mapping.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
  }

  get(key: string): EventSourceMapping | undefined {
    return this.#objects.get(key);
  }

  list(): readonly EventSourceMapping[] {
    return [...this.#objects.values()];
  }

  async writeStatus(mapping: EventSourceMapping, status: EventSourceMappingStatus): Promise<void> {
    this.writes.push('status');
    const stored = this.get(keyOf(mapping));
    if (stored !== undefined) this.#set({ ...stored, status });
  }

  async setFinalizer(mapping: EventSourceMapping, present: boolean): Promise<EventSourceMapping> {
    this.writes.push(present ? 'finalizer+' : 'finalizer-');
    const stored = this.#demand(keyOf(mapping));
    const others = (stored.metadata.finalizers ?? []).filter((name) => name !== finalizer);
    return this.#set({
      ...stored,
      metadata: { ...stored.metadata, finalizers: present ? [...others, finalizer] : others },
    });
  }

  #demand(key: string): EventSourceMapping {
    const mapping = this.#objects.get(key);
    if (mapping === undefined) throw new Error(`no mapping ${key}`);
    return mapping;
  }

  #set(mapping: EventSourceMapping): EventSourceMapping {
    const stored = {
      ...mapping,
      metadata: { ...mapping.metadata, resourceVersion: String(this.#version++) },
    };
    const isGone =
      stored.metadata.deletionTimestamp !== undefined && (stored.metadata.finalizers ?? []).length === 0;
    if (isGone) this.#objects.delete(keyOf(stored));
    else this.#objects.set(keyOf(stored), stored);
    return stored;
  }
}

function keyOf({ metadata }: EventSourceMapping): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** A reconciler over memory, with everything that a test may turn. */
export class TestReconciler {
  readonly store = new MemoryStore();
  readonly api: MemoryMappingApi;
  readonly clock = new VirtualClock();
  readonly fleet = new FleetIndex(() => undefined);
  readonly events: ReconcilerEvent[] = [];
  classes: MappingClass[] = [aClass()];
  problems: string[] = [];
  failures = 0;

  readonly #deps: ReconcilerDeps;

  /** Several clusters may share what AWS has. */
  constructor(clusterID = 'test', api = new MemoryMappingApi()) {
    this.api = api;
    this.#deps = {
      store: this.store,
      classes: classBook({
        classes: () => this.classes,
        namespaceLabels: () => ({}),
        mappings: () => this.store.list(),
      }),
      backends: {
        Managed: new AwsBackend({ clusterID, recheckMs: 600_000, api: () => this.api }),
        Poller: new ClusterBackend(this.fleet, this.clock),
      },
      clock: this.clock,
      emit: (event) => this.events.push(event),
      failures: () => this.failures,
      problemsOf: () => this.problems,
      deletions: new DeletionHold({
        clock: this.clock,
        percent: 20,
        over: 10,
        mappings: () => this.store.list(),
      }),
    };
  }

  /** One pass. */
  pass(key = 'shop/orders', signal = new AbortController().signal): Promise<Next> {
    return reconcile(this.#deps, key, signal);
  }

  /** Passes, with time for AWS between them, until none asks for another one soon. */
  async settle(key = 'shop/orders', limit = 20): Promise<void> {
    for (let count = 0; count < limit; count++) {
      const next = await this.pass(key);
      this.api.settle();
      if (next.kind === 'done' || (next.kind === 'after' && next.ms > 10_000)) return;
    }
    throw new Error(`not settled after ${limit} passes`);
  }

  /** The mapping's conditions as `status reason`. */
  conditions(key = 'shop/orders'): Record<string, string> {
    const conditions = this.store.get(key)?.status?.conditions ?? [];
    return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
  }
}
