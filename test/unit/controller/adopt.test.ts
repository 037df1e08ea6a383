import { describe, expect, it } from 'vitest';
import type { EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import type { CreateInput } from '../../../src/backends/aws/client.ts';
import { aMapping, ordersARN } from '../../support/mappings.ts';
import { TestReconciler } from '../../support/reconciler.ts';

const key = 'shop/orders';

/** A world in which AWS has a mapping of the queue `orders` and the function `consumer` that nobody owns. */
async function worldWith(input: Partial<CreateInput> = {}): Promise<TestReconciler & { uuid: string }> {
  const world = new TestReconciler();
  const { UUID: uuid = '' } = await world.api.create({
    EventSourceArn: ordersARN,
    FunctionName: 'consumer',
    ...input,
  });
  world.api.settle();
  world.api.writes.length = 0;
  return Object.assign(world, { uuid });
}

const adopting = (spec: Partial<EventSourceMappingSpec> = {}, annotations: Record<string, string> = {}) =>
  aMapping({ metadata: { annotations }, spec: { adoptionPolicy: 'IfExists', ...spec } });

const foreignTags = {
  'sluice.dev/cluster': 'another',
  'sluice.dev/namespace': 'shop',
  'sluice.dev/name': 'orders',
};

describe('a mapping that AWS has already', () => {
  it('is not touched without leave, and the message says how to take it over', async () => {
    const world = await worldWith();
    world.store.put(aMapping());
    await world.pass();
    expect(world.conditions()).toMatchObject({ Ready: 'False Conflict', Stalled: 'True Conflict' });
    const message = world.store.get(key)?.status?.conditions?.find(({ type }) => type === 'Stalled')?.message;
    expect(message).toContain(`\`sluice.dev/adopt-uuid: ${world.uuid}\``);
    expect(world.api.writes).toEqual([]);
  });

  it.each([
    { how: 'adoptionPolicy', mapping: () => adopting() },
    {
      how: 'the annotation',
      mapping: (uuid: string) =>
        adopting({ adoptionPolicy: 'Never' }, { 'sluice.dev/adopt-uuid': uuid.toUpperCase() }),
    },
  ])('is adopted by $how without one write when it is equal', async ({ mapping }) => {
    const world = await worldWith({ BatchSize: 5, Tags: { team: 'a' } });
    world.store.put(mapping(world.uuid));
    world.store.edit(key, { batchSize: 5 });
    await world.settle();
    await world.pass();
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving', Drifted: 'False InSync' });
    expect(world.api.writes).toEqual([]);
    expect(world.store.get(key)?.status?.mapping).toMatchObject({ uuid: world.uuid, adopted: true });
    expect(world.store.get(key)?.status?.effective?.values).toMatchObject({ deletionPolicy: 'Retain' });
    expect(world.events.filter((event) => event.kind === 'acted')).toMatchObject([
      { action: 'adopted', uuid: world.uuid },
    ]);
  });

  it('tells first what differs, and then tags it before it changes it', async () => {
    const world = await worldWith({ BatchSize: 5, Tags: { team: 'a' } });
    world.store.put(adopting({ batchSize: 7 }));
    await world.pass();
    expect(world.api.writes).toEqual([]);
    expect(world.conditions()).toMatchObject({ Drifted: 'True DifferenceFound' });
    expect(world.events).toContainEqual(
      expect.objectContaining({ kind: 'drift-found', paths: ['batchSize'] }),
    );
    await world.settle();
    expect(world.api.writes).toEqual(['tag', 'update']);
    expect(world.api.all).toMatchObject([
      {
        configuration: { UUID: world.uuid, BatchSize: 7 },
        tags: { team: 'a', 'sluice.dev/cluster': 'test', 'sluice.dev/adopted': 'true' },
      },
    ]);
  });

  it('is left as it is when the object is deleted, as if nothing had been', async () => {
    const world = await worldWith();
    world.store.put(adopting());
    await world.settle();
    world.store.delete(key);
    await world.settle();
    expect(world.store.get(key)).toBeUndefined();
    expect(world.api.writes).toEqual([]);
    expect(world.api.all).toMatchObject([{ configuration: { State: 'Enabled' }, tags: {} }]);
  });

  it('is left as it was found also by a rebuilt cluster, which knows it by its tags alone', async () => {
    const world = await worldWith();
    world.store.put(adopting({ batchSize: 7 }));
    await world.settle();
    world.store.put(adopting({ batchSize: 7, adoptionPolicy: 'Never' }));
    world.api.writes.length = 0;
    await world.settle();
    expect(world.store.get(key)?.status?.mapping).toMatchObject({ uuid: world.uuid, adopted: true });
    world.store.delete(key);
    await world.settle();
    expect(world.api.writes).toEqual(['untag']);
    expect(world.api.all).toMatchObject([{ configuration: { UUID: world.uuid }, tags: {} }]);
  });

  it('is not deleted by an object that goes before it could adopt it', async () => {
    const world = await worldWith();
    world.store.put(adopting());
    world.store.put({
      ...adopting(),
      metadata: { ...adopting().metadata, finalizers: ['sluice.dev/external-mapping'] },
    });
    world.store.delete(key);
    await world.settle();
    expect(world.store.get(key)).toBeUndefined();
    expect(world.api.writes).toEqual([]);
  });

  it('is deleted when its object says so', async () => {
    const world = await worldWith();
    world.store.put(adopting({ deletionPolicy: 'Delete' }));
    await world.settle();
    world.store.delete(key);
    await world.settle();
    expect(world.api.all).toEqual([]);
  });

  it('is refused when its tags name another owner, whatever the policy', async () => {
    const world = await worldWith({ Tags: foreignTags });
    world.store.put(adopting({}, { 'sluice.dev/adopt-uuid': world.uuid }));
    await world.pass();
    expect(world.conditions()).toMatchObject({ Stalled: 'True ForeignOwner' });
    expect(world.api.writes).toEqual([]);
  });

  it('is given up when another cluster tags it', async () => {
    const world = await worldWith();
    world.store.put(adopting());
    await world.settle();
    world.api.tamper(world.uuid, { BatchSize: 9 }, { ...foreignTags });
    await world.settle();
    expect(world.conditions()).toMatchObject({ Stalled: 'True ForeignOwner' });
    expect(world.api.writes).toEqual([]);
  });

  it('is one of several only by name: all are listed', async () => {
    const servers = (...hosts: string[]) => ({ Endpoints: { KAFKA_BOOTSTRAP_SERVERS: hosts } });
    const world = new TestReconciler();
    const uuids = [];
    for (const host of ['a:9092', 'b:9092']) {
      const { UUID: uuid = '' } = await world.api.create({
        FunctionName: 'consumer',
        SelfManagedEventSource: servers(host),
        Topics: ['orders'],
        SourceAccessConfigurations: [{ Type: 'IAM_AUTH' }],
      });
      uuids.push(uuid);
    }
    world.api.settle();
    world.api.writes.length = 0;
    const { eventSourceARN: _, ...spec } = aMapping().spec;
    const mapping = {
      ...adopting(),
      spec: {
        ...spec,
        adoptionPolicy: 'IfExists' as const,
        selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:9092', 'b:9092'] } },
        topics: ['orders'],
        sourceAccessConfigurations: [{ type: 'IAM_AUTH' }],
      },
    };
    world.store.put(mapping);
    await world.pass();
    expect(world.conditions()).toMatchObject({ Stalled: 'True AmbiguousMapping' });
    const message = world.store.get(key)?.status?.conditions?.[0]?.message ?? '';
    for (const uuid of uuids) expect(message).toContain(uuid);
    expect(world.api.writes).toEqual([]);
    world.store.annotate(key, { 'sluice.dev/adopt-uuid': uuids[1] ?? '' });
    await world.pass();
    expect(world.store.get(key)?.status?.mapping).toMatchObject({ uuid: uuids[1], adopted: true });
  });

  it.each([
    { why: 'no UUID', value: 'orders', reason: 'InvalidSpec' },
    { why: 'not there', value: '00000000-0000-4000-8000-000000000000', reason: 'MappingNotFound' },
  ])('is not found by an annotation that is $why', async ({ value, reason }) => {
    const world = await worldWith();
    world.store.put(adopting({}, { 'sluice.dev/adopt-uuid': value }));
    await world.pass();
    expect(world.conditions()).toMatchObject({ Stalled: `True ${reason}` });
    expect(world.api.writes).toEqual([]);
  });

  it('is not taken from another function by its UUID', async () => {
    const world = await worldWith({ FunctionName: 'somebody-elses' });
    world.store.put(adopting({}, { 'sluice.dev/adopt-uuid': world.uuid }));
    await world.pass();
    expect(world.conditions()).toMatchObject({ Stalled: 'True Conflict' });
    expect(world.api.writes).toEqual([]);
  });

  it('that only the refused create names stalls the object at once, with its UUID', async () => {
    const world = await worldWith();
    world.store.put(aMapping());
    // The list lags behind.
    world.api.list = () => Promise.resolve([]);
    await world.pass();
    expect(world.conditions()).toMatchObject({ Stalled: 'True Conflict' });
    expect(world.store.get(key)?.status?.conditions?.[0]?.message).toContain(
      `\`sluice.dev/adopt-uuid: ${world.uuid}\``,
    );
  });

  it('that only the refused create names is adopted where that is allowed', async () => {
    const world = await worldWith();
    world.store.put(adopting());
    const list = world.api.list.bind(world.api);
    world.api.list = () => Promise.resolve([]);
    await world.pass();
    world.api.list = list;
    await world.settle();
    expect(world.store.get(key)?.status?.mapping).toMatchObject({ uuid: world.uuid, adopted: true });
    expect(world.api.writes).toEqual([]);
  });
});

describe('a mapping that moves from one cluster to another', () => {
  it('is taken up by a rebuilt cluster of the same id, without a word', async () => {
    const old = new TestReconciler('blue');
    old.store.put(aMapping({ metadata: { uid: 'old' } }));
    await old.settle();
    const rebuilt = new TestReconciler('blue', old.api);
    old.api.writes.length = 0;
    rebuilt.store.put(aMapping({ metadata: { uid: 'new' } }));
    await rebuilt.settle();
    expect(rebuilt.conditions()).toMatchObject({ Ready: 'True Serving' });
    expect(rebuilt.store.get(key)?.status?.mapping?.adopted).toBeUndefined();
    // The advisory uid is brought up to date.
    expect(rebuilt.api.writes).toEqual(['tag']);
    expect(rebuilt.api.all).toMatchObject([{ tags: { 'sluice.dev/uid': 'new' } }]);
  });

  it('is refused by the other one until the first lets go with Retain, and delivers all the time', async () => {
    const blue = new TestReconciler('blue');
    blue.store.put(aMapping());
    await blue.settle();
    const green = new TestReconciler('green', blue.api);
    green.store.put(adopting());
    await green.pass();
    expect(green.conditions()).toMatchObject({ Stalled: 'True ForeignOwner' });
    const states: (string | undefined)[] = [];
    blue.api.before = () => states.push(blue.api.all[0]?.configuration.State);
    blue.store.edit(key, { deletionPolicy: 'Retain' });
    await blue.settle();
    blue.store.delete(key);
    await blue.settle();
    await green.settle();
    expect(green.conditions()).toMatchObject({ Ready: 'True Serving' });
    expect(green.store.get(key)?.status?.mapping?.adopted).toBe(true);
    expect(new Set(states)).toEqual(new Set(['Enabled']));
    expect(blue.api.all).toHaveLength(1);
  });
});

describe('a mapping that is only observed', () => {
  const observing = (spec: Partial<EventSourceMappingSpec> = {}) =>
    aMapping({ spec: { managementPolicy: 'Observe', ...spec } });

  it('is shown with what differs, without a finalizer and without one write', async () => {
    const world = await worldWith({ BatchSize: 5, Tags: foreignTags });
    world.store.put(observing({ batchSize: 7, enabled: false, tags: { team: 'a' } }));
    await world.settle();
    await world.pass();
    expect(world.conditions()).toMatchObject({
      Ready: 'False DifferenceFound',
      Stalled: 'True DifferenceFound',
      Drifted: 'True DifferenceFound',
    });
    const stored = world.store.get(key);
    expect(stored?.status?.conditions?.find(({ type }) => type === 'Drifted')?.message).toContain(
      '`enabled`, `batchSize`, `tags.team`',
    );
    expect(stored?.status?.mapping).toMatchObject({ uuid: world.uuid, state: 'Enabled' });
    expect(stored?.metadata.finalizers).toBeUndefined();
    expect(world.store.writes).toEqual(['status']);
    expect(world.events.filter(({ kind }) => kind === 'drift-found')).toHaveLength(1);
    expect(world.api.writes).toEqual([]);
  });

  it('is ready when it is as desired', async () => {
    const world = await worldWith();
    world.store.put(observing());
    await world.settle();
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving', Drifted: 'False InSync' });
    expect(world.api.writes).toEqual([]);
  });

  it('is told as not there when it is not, and creates none', async () => {
    const world = new TestReconciler();
    world.store.put(observing());
    await world.settle();
    expect(world.conditions()).toMatchObject({
      Ready: 'False MappingNotFound',
      Stalled: 'True MappingNotFound',
      Drifted: 'True MappingNotFound',
    });
    expect(world.api.writes).toEqual([]);
  });

  it('is let go untouched, also when Sluice had made it', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    await world.settle();
    world.store.edit(key, { managementPolicy: 'Observe' });
    await world.settle();
    expect(world.store.get(key)?.metadata.finalizers).toEqual([]);
    world.api.writes.length = 0;
    world.store.delete(key);
    expect(world.store.get(key)).toBeUndefined();
    await world.pass();
    expect(world.api.writes).toEqual([]);
    expect(world.api.all).toHaveLength(1);
  });

  it('has nothing that a pause could switch off', async () => {
    const world = await worldWith();
    world.store.put(observing());
    world.store.annotate(key, { 'sluice.dev/paused': 'delivery' });
    await world.settle();
    expect(world.conditions()).toMatchObject({ Paused: 'True PausedReconcile' });
    expect(world.api.writes).toEqual([]);
  });

  it('is somebody’s to manage only with leave', async () => {
    const world = await worldWith();
    world.store.put(observing());
    await world.settle();
    world.store.edit(key, { managementPolicy: 'Full' });
    await world.pass();
    expect(world.conditions()).toMatchObject({ Stalled: 'True Conflict' });
    world.store.edit(key, { adoptionPolicy: 'IfExists' });
    await world.settle();
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
    expect(world.api.writes).toEqual([]);
  });
});
