import { describe, expect, it } from 'vitest';
import type { EventSourceMapping, EventSourceMappingStatus } from '../../../../src/api/mapping.ts';
import { finalizer } from '../../../../src/api/meta.ts';
import { AwsBackend } from '../../../../src/backends/aws/backend.ts';
import { ControlError } from '../../../../src/backends/aws/client.ts';
import { ownershipTags } from '../../../../src/backends/aws/ownership.ts';
import { AdaptivePace, pacedApi } from '../../../../src/backends/aws/pace.ts';
import { AccountView } from '../../../../src/backends/aws/sweep.ts';
import { ClusterBackend } from '../../../../src/backends/cluster/backend.ts';
import { classBook } from '../../../../src/cli/class-book.ts';
import { ReconcileLoop } from '../../../../src/cli/reconcile-loop.ts';
import { DeletionHold } from '../../../../src/controller/deletion-hold.ts';
import { FleetIndex } from '../../../../src/fleet/fleet-view.ts';
import { backoff, SluiceError } from '../../../../src/lib/errors.ts';
import { seededRandom, type Random } from '../../../../src/lib/random.ts';
import { CountedAccount } from '../../../support/counted-account.ts';
import { aClass, aMapping } from '../../../support/mappings.ts';
import { MemoryStore } from '../../../support/reconciler.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

/**
 * The whole of Managed mode on a virtual clock: workers, reconciler, backend, sweeps and pace, over an account that is
 * slow, refuses, fails, loses answers and lists what was a moment ago, while the controller is killed, objects are
 * edited, deleted and made anew, and somebody changes mappings by hand. A seed names a run.
 */
const driftIntervalMs = 60_000;
const objects = 8;

class World {
  readonly clock = new VirtualClock();
  readonly account = new CountedAccount();
  readonly store = new MemoryStore();
  readonly lies: string[] = [];
  readonly random: Random;
  /** Probabilities of what may happen to a call. */
  faults = { refused: 0, failed: 0, lost: 0 };
  /** When somebody last changed a mapping by hand. */
  #touchedMs = -Infinity;
  #controller: { readonly stop: AbortController; readonly loop: ReconcileLoop } | undefined;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.account.pageSize = 3;
    this.account.before = async () => {
      await this.clock.sleep(20 + 60 * this.random());
      if (this.random() < this.faults.refused) throw failure('throttled', 'AwsThrottled');
      if (this.random() < this.faults.failed) throw failure('unavailable', 'AwsFailed');
    };
    this.account.after = async () => {
      await this.clock.sleep(20 + 60 * this.random());
      if (this.random() < this.faults.lost) throw failure('unavailable', 'AwsUnreachable');
    };
    const settle = (): void => {
      this.account.memory.settle();
      this.account.thawList();
      if (this.random() < 0.3) this.account.freezeList();
      this.clock.after(2000, settle);
    };
    settle();
  }

  start(): void {
    const { clock, random, store } = this;
    const stop = new AbortController();
    const pace = new AdaptivePace({ clock, ceiling: 15 });
    const api = pacedApi(wrapped(this.account.api, pace), { clock, random, onRefused: () => pace.refused() });
    const keys = (uuids: readonly string[]): readonly EventSourceMapping[] =>
      store.list().filter(({ status }) => uuids.includes(status?.mapping?.uuid ?? ''));
    const view = new AccountView({
      clock,
      random,
      pace,
      intervalMs: driftIntervalMs,
      expected: () => store.list().length,
      onChanged: (uuids) => keys(uuids).forEach((mapping) => loop.queue.add(keyOf(mapping))),
    });
    // What a killed controller still has in hand reaches nobody.
    const alive = <T>(work: () => T): T => {
      if (stop.signal.aborted) throw new Error('killed');
      return work();
    };
    const loop = new ReconcileLoop({
      deps: {
        clock,
        store: {
          get: (key) => store.get(key),
          writeStatus: (mapping, status) => alive(() => this.#writeStatus(mapping, status)),
          setFinalizer: (mapping, present) => alive(() => store.setFinalizer(mapping, present)),
        },
        classes: classBook({
          classes: () => [aClass()],
          namespaceLabels: () => ({}),
          mappings: () => store.list(),
        }),
        backends: {
          Managed: new AwsBackend({
            clusterID: 'test',
            recheckMs: driftIntervalMs * 0.83,
            api: () => ({ ...view.apiFor(api, 'own'), [Symbol.dispose]: () => undefined }),
          }),
          Poller: new ClusterBackend(new FleetIndex(() => undefined), clock),
        },
        emit: () => undefined,
        problemsOf: () => [],
        deletions: new DeletionHold({ clock, percent: 100, over: 0, mappings: () => store.list() }),
      },
      random,
      workers: 4,
      observe: () => undefined,
      onError: () => undefined,
    });
    this.#controller = { stop, loop };
    void loop.run(stop.signal);
    for (const mapping of store.list()) loop.queue.add(keyOf(mapping));
  }

  kill(): void {
    this.#controller?.stop.abort();
  }

  changed(key: string): void {
    this.#controller?.loop.queue.add(key);
  }

  tamper(): void {
    const settled = this.account.memory.all.filter(
      ({ configuration: { State: state } }) => state === 'Enabled',
    );
    const { UUID: uuid } = settled[Math.floor(this.random() * settled.length)]?.configuration ?? {};
    if (uuid === undefined) return;
    this.#touchedMs = this.clock.monotonic();
    this.account.memory.tamper(uuid, { BatchSize: 1 + Math.floor(9 * this.random()) });
  }

  /** The live mappings of an object, by their tags. */
  live(name: string): ReturnType<World['ofName']> {
    return this.ofName(name).filter(({ configuration }) => configuration.State !== 'Deleting');
  }

  ofName(name: string): CountedAccount['memory']['all'] {
    return this.account.memory.all.filter(({ tags }) => tags[ownershipTags.name] === name);
  }

  /** A status that says Ready must be true when it is written, unless somebody has just changed AWS by hand. */
  #writeStatus(mapping: EventSourceMapping, status: EventSourceMappingStatus): Promise<void> {
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    const isClaimed = ready?.status === 'True' && ready.observedGeneration === mapping.metadata.generation;
    if (isClaimed && this.clock.monotonic() - this.#touchedMs > 2 * driftIntervalMs) {
      const [one] = this.live(mapping.metadata.name);
      const { State: state, BatchSize: batchSize } = one?.configuration ?? {};
      if (state !== 'Enabled' || batchSize !== mapping.spec.batchSize)
        this.lies.push(`${mapping.metadata.name}: Ready, but ${state} with ${batchSize}`);
    }
    return this.store.writeStatus(mapping, status);
  }
}

function wrapped(api: CountedAccount['api'], pace: AdaptivePace): CountedAccount['api'] {
  const slow = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    await pace.take(signal);
    signal.throwIfAborted();
    return work();
  };
  return {
    page: (marker, signal) => slow(signal, () => api.page(marker, signal)),
    get: (uuid, signal) => slow(signal, () => api.get(uuid, signal)),
    list: (source, signal) => slow(signal, () => api.list(source, signal)),
    listByFunction: (name, signal) => slow(signal, () => api.listByFunction(name, signal)),
    create: (input, signal) => slow(signal, () => api.create(input, signal)),
    update: (uuid, input, signal) => slow(signal, () => api.update(uuid, input, signal)),
    delete: (uuid, signal) => slow(signal, () => api.delete(uuid, signal)),
    tags: (arn, signal) => slow(signal, () => api.tags(arn, signal)),
    tag: (arn, tags, signal) => slow(signal, () => api.tag(arn, tags, signal)),
    untag: (arn, keys, signal) => slow(signal, () => api.untag(arn, keys, signal)),
  };
}

function failure(kind: 'throttled' | 'unavailable', reason: string): ControlError {
  return new ControlError({ kind, error: new SluiceError(reason, 'injected', backoff) });
}

function keyOf({ metadata }: EventSourceMapping): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function anObject(name: string): EventSourceMapping {
  const base = aMapping();
  return {
    ...base,
    metadata: { ...base.metadata, name, uid: `uid-${name}`, generation: 1 },
    spec: {
      ...base.spec,
      eventSourceARN: `arn:aws:sqs:eu-central-1:000000000000:${name}`,
      functionName: 'consumer',
      batchSize: 5,
    },
  };
}

describe.each([1, 2, 3, 4, 5, 6])('Managed mode under faults, seed %i', (seed) => {
  it('ends with one mapping for each object and none without, and never says Ready untruly', async () => {
    const world = new World(seed);
    const { clock, random, store } = world;
    const names = Array.from({ length: objects }, (_, index) => `m${index}`);
    for (const name of names) store.put(anObject(name));
    world.start();
    const twins: string[] = [];
    for (let second = 0; second < 180; second++) {
      await clock.advance(1000);
      for (const name of names) if (world.live(name).length > 1) twins.push(`${name} after ${second} s`);
      const dice = random();
      const key = `shop/${names[Math.floor(random() * objects)] ?? ''}`;
      if (dice < 0.06) {
        world.kill();
        await clock.advance(500 * random());
        world.start();
      } else if (dice < 0.16)
        world.faults = { refused: 0.3 * random(), failed: 0.2 * random(), lost: 0.2 * random() };
      else if (dice < 0.3 && store.get(key) !== undefined) {
        store.edit(key, {
          batchSize: 1 + Math.floor(9 * random()),
          functionName: random() < 0.3 ? 'other' : 'consumer',
        });
        world.changed(key);
      } else if (dice < 0.36) world.tamper();
      else if (dice < 0.42) {
        if (store.get(key) === undefined) store.put(anObject(key.slice(5)));
        else store.delete(key);
        world.changed(key);
      }
    }
    world.faults = { refused: 0, failed: 0, lost: 0 };
    for (const name of names.slice(0, 2)) if (store.get(`shop/${name}`)) store.delete(`shop/${name}`);
    world.kill();
    world.start();
    await clock.advance(15 * 60_000);

    expect(twins).toEqual([]);
    expect(world.lies).toEqual([]);
    for (const name of names) {
      const object = store.get(`shop/${name}`);
      const found = world.ofName(name).map(({ configuration }) => configuration);
      if (object === undefined) expect(found).toEqual([]);
      else {
        expect(found).toMatchObject([{ State: 'Enabled', BatchSize: object.spec.batchSize }]);
        expect(object.status?.mapping?.uuid).toBe(found[0]?.UUID);
        expect(object.metadata).toMatchObject({ finalizers: [finalizer] });
        expect(object.metadata.deletionTimestamp).toBeUndefined();
        expect(object.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
      }
    }
    world.kill();
  });
});
