import { describe, expect, it } from 'vitest';
import type { EventSourceMapping } from '../../src/api/mapping.ts';
import { AwsBackend } from '../../src/backends/aws/backend.ts';
import { ClusterBackend } from '../../src/backends/cluster/backend.ts';
import type { Backend } from '../../src/controller/backend.ts';
import { plan } from '../../src/controller/plan.ts';
import { FleetIndex } from '../../src/fleet/fleet-view.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { aMapping, aPollerMapping, subjectOf } from '../support/mappings.ts';
import { MemoryMappingApi } from '../support/memory-mapping-api.ts';

/** What a world of the suite offers: the backend, and what makes it real: AWS that settles, members that follow. */
interface World {
  readonly backend: Backend;
  readonly mapping: EventSourceMapping;
  /** Brings the world to what the mapping asks for, as controller and members together do. */
  follow(mapping: EventSourceMapping): Promise<void>;
  /** Everything that was changed so far. */
  changes(): number;
}

const { signal } = new AbortController();

const worlds: readonly { readonly name: string; readonly make: () => World }[] = [
  { name: 'AWS', make: awsWorld },
  { name: 'the cluster', make: clusterWorld },
];

describe.each(worlds)('a mapping run by $name', ({ make }) => {
  const observe = (world: World, mapping: EventSourceMapping) =>
    world.backend.observe(subjectOf(mapping), signal);

  it('is not as desired before anybody has done anything', async () => {
    const world = make();
    expect((await observe(world, world.mapping)).kind).not.toBe('current');
  });

  it('is as desired once the world has followed, and nothing is left to do', async () => {
    const world = make();
    await world.follow(world.mapping);
    const observation = await observe(world, world.mapping);
    expect(observation.kind).toBe('current');
    expect(plan(observation)).toEqual({ kind: 'none' });
  });

  it('is looked at without being changed, and twice gives the same', async () => {
    const world = make();
    for (const prepare of [() => Promise.resolve(), () => world.follow(world.mapping)]) {
      await prepare();
      const before = world.changes();
      const first = await observe(world, world.mapping);
      expect(await observe(world, world.mapping)).toEqual(first);
      expect(world.changes()).toBe(before);
    }
  });

  it('is not as desired after an edit until the world has followed', async () => {
    const world = make();
    await world.follow(world.mapping);
    const edited = edit(world.mapping, { batchSize: 3 });
    expect((await observe(world, edited)).kind).not.toBe('current');
    await world.follow(edited);
    expect((await observe(world, edited)).kind).toBe('current');
  });

  it('counts as disabled only when nobody reads any more', async () => {
    const world = make();
    await world.follow(world.mapping);
    const disabled = edit(world.mapping, { enabled: false });
    expect((await observe(world, disabled)).kind).not.toBe('current');
    await world.follow(disabled);
    expect(await observe(world, disabled)).toMatchObject({ kind: 'current', facts: { state: 'Disabled' } });
  });

  it('has no health that anybody has made up', async () => {
    const world = make();
    await world.follow(world.mapping);
    const observation = await observe(world, world.mapping);
    expect('facts' in observation ? observation.facts?.targetHealthy.status : undefined).toBe('Unknown');
  });
});

function edit(mapping: EventSourceMapping, spec: Partial<EventSourceMapping['spec']>): EventSourceMapping {
  const generation = (mapping.metadata.generation ?? 0) + 1;
  return { ...mapping, metadata: { ...mapping.metadata, generation }, spec: { ...mapping.spec, ...spec } };
}

function awsWorld(): World {
  const api = new MemoryMappingApi();
  const backend = new AwsBackend({ clusterID: 'test', recheckMs: 1000, api: () => api });
  return {
    backend,
    mapping: aMapping(),
    changes: () => api.writes.length,
    async follow(mapping) {
      const subject = subjectOf(mapping);
      const action = plan(await backend.observe(subject, signal));
      if (action.kind === 'create') await backend.create(subject, signal);
      if (action.kind === 'update') await backend.update(subject, action.differences, signal);
      api.settle();
    },
  };
}

function clusterWorld(): World {
  let changes = 0;
  const fleet = new FleetIndex(() => changes++);
  fleet.setMembers([{ identity: 'poller-0', pool: 'default' }]);
  return {
    backend: new ClusterBackend(fleet, new VirtualClock()),
    mapping: aPollerMapping(),
    changes: () => changes,
    follow({ metadata, spec }) {
      const entry = {
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid,
        generation: metadata.generation,
        ...(spec.enabled === false
          ? { state: 'Paused', reason: 'Disabled' }
          : { state: 'Running', reason: 'Serving' }),
        sourceHealthy: { status: 'True', reason: 'ReadSucceeded' },
      };
      fleet.put('poller-0', {
        formatVersion: 1,
        member: 'poller-0',
        pool: 'default',
        version: '0',
        mappings: [entry],
      });
      return Promise.resolve();
    },
  };
}
