import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { finalizer } from '../../../src/api/meta.ts';
import { ControlError } from '../../../src/backends/aws/client.ts';
import { backoff, never, SluiceError } from '../../../src/lib/errors.ts';
import { aClass, aDeletedMapping, aMapping, aPollerMapping, ordersARN } from '../../support/mappings.ts';
import { TestReconciler } from '../../support/reconciler.ts';

const key = 'shop/orders';

function refuse(reason: string, retry = backoff): never {
  throw new ControlError({
    kind: 'unavailable',
    error: new SluiceError(reason, `words about ${reason}`, retry),
  });
}

async function settled(mapping = aMapping()): Promise<TestReconciler> {
  const world = new TestReconciler();
  world.store.put(mapping);
  await world.settle();
  world.store.writes.length = 0;
  world.api.writes.length = 0;
  return world;
}

describe('a pass over a Managed mapping', () => {
  it('stores the finalizer before it creates anything', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    const order: string[] = [];
    world.api.before = (call) => {
      if (call === 'create')
        order.push(`create, finalizers ${String(world.store.get(key)?.metadata.finalizers)}`);
    };
    await world.settle();
    expect(order).toEqual([`create, finalizers ${finalizer}`]);
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving', Drifted: 'False InSync' });
  });

  it('creates nothing when the finalizer cannot be stored', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    world.store.setFinalizer = () => Promise.reject(new Error('the API server is away'));
    await expect(world.pass()).rejects.toThrow('the API server is away');
    expect(world.api.writes).toEqual([]);
    expect(world.events.at(-1)).toMatchObject({ kind: 'pass-failed' });
  });

  it('writes the status once, at the end of a pass', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    await world.pass();
    expect(world.store.writes).toEqual(['finalizer+', 'status']);
    expect(world.store.get(key)?.status?.mapping?.uuid).toBe(world.api.all[0]?.configuration.UUID);
  });

  it('makes one AWS mapping, however often the answer to the create is lost', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    world.api.afterCreate = () => refuse('AwsUnreachable');
    await world.pass();
    expect(world.conditions()).toMatchObject({
      Ready: 'False ProgressingWithRetry',
      Reconciling: 'True AwsUnreachable',
    });
    await world.settle();
    expect(world.api.writes).toEqual(['create']);
    expect(world.store.get(key)?.status?.mapping?.uuid).toBe(world.api.all[0]?.configuration.UUID);
  });

  it('makes one AWS mapping when the status was never written', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    const write = world.store.writeStatus.bind(world.store);
    world.store.writeStatus = () => Promise.reject(new Error('killed'));
    await expect(world.pass()).rejects.toThrow('killed');
    world.store.writeStatus = write;
    await world.settle();
    expect(world.api.writes).toEqual(['create']);
  });

  it('finds what it made for a source that was edited before the UUID could be stored', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    const write = world.store.writeStatus.bind(world.store);
    world.store.writeStatus = () => Promise.reject(new Error('killed'));
    await expect(world.pass()).rejects.toThrow('killed');
    world.store.writeStatus = write;
    world.store.edit(key, { eventSourceARN: `${ordersARN}-2` });
    await world.settle();
    expect(world.api.writes).toEqual(['create']);
    expect(world.conditions()).toMatchObject({ Stalled: 'True CreateOnlyFieldChanged' });
    world.store.delete(key);
    await world.settle();
    expect(world.api.all).toEqual([]);
  });

  it('brings an edit to AWS and is ready for its generation', async () => {
    const world = await settled();
    world.store.edit(key, { batchSize: 3 });
    await world.settle();
    expect(world.api.writes).toEqual(['update']);
    expect(world.api.all[0]?.configuration.BatchSize).toBe(3);
    expect(world.store.get(key)?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'True', observedGeneration: 2 }),
    );
    expect(world.events.map(({ kind }) => kind)).not.toContain('drift-found');
  });

  it('repairs what somebody else changed, and says so', async () => {
    const world = await settled();
    world.api.tamper(world.api.all[0]?.configuration.UUID ?? '', { BatchSize: 9 });
    await world.pass();
    expect(world.conditions()).toMatchObject({ Drifted: 'True DifferenceFound' });
    expect(world.events).toContainEqual(
      expect.objectContaining({ kind: 'drift-found', paths: ['batchSize'] }),
    );
    await world.settle();
    expect(world.api.all[0]?.configuration.BatchSize).toBe(10);
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving', Drifted: 'False InSync' });
  });

  it.each([
    { by: 'by hand', reason: 'USER_INITIATED' },
    { by: 'by AWS', reason: 'EVENT_SOURCE_AUTHN_ERROR' },
  ])('switches on what was switched off $by, and keeps AWS’s reason in the event', async ({ reason }) => {
    const world = await settled();
    world.api.tamper(world.api.all[0]?.configuration.UUID ?? '', {
      State: 'Disabled',
      StateTransitionReason: reason,
    });
    await world.settle();
    expect(world.api.all[0]?.configuration.State).toBe('Enabled');
    const found = world.events.filter(({ kind }) => kind === 'drift-found' || kind === 'drift-corrected');
    expect(found).toMatchObject([
      { kind: 'drift-found', paths: ['enabled'], stateReason: reason },
      { kind: 'drift-corrected', paths: ['enabled'] },
    ]);
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving', Drifted: 'False InSync' });
  });

  it('does not count an edit of its user as drift', async () => {
    const world = await settled();
    world.store.edit(key, { enabled: false });
    await world.settle();
    expect(world.events.filter(({ kind }) => kind.startsWith('drift'))).toEqual([]);
  });

  it('removes the tags that left the spec, and no other', async () => {
    const world = await settled(aMapping({ spec: { tags: { team: 'a', cost: '1' } } }));
    const [{ configuration, tags } = { configuration: {}, tags: {} }] = world.api.all;
    world.api.tamper(configuration.UUID ?? '', {}, { ...tags, 'added-by-policy': 'x' });
    world.store.edit(key, { tags: { cost: '1' } });
    await world.settle();
    expect(Object.keys(world.api.all[0]?.tags ?? {})).toEqual(
      expect.arrayContaining(['cost', 'added-by-policy', 'sluice.dev/name']),
    );
    expect(world.api.all[0]?.tags).not.toHaveProperty('team');
    expect(world.api.writes).toEqual(['untag']);
    expect(world.store.get(key)?.status?.mapping?.tagKeys).toEqual(['cost']);
  });

  it('creates again what somebody deleted at AWS', async () => {
    const world = await settled();
    await world.api.delete(world.api.all[0]?.configuration.UUID ?? '');
    world.api.settle();
    world.api.writes.length = 0;
    await world.settle();
    expect(world.api.writes).toEqual(['create']);
    expect(world.store.get(key)?.status?.mapping?.uuid).toBe(world.api.all[0]?.configuration.UUID);
  });

  it('does not change another source in place, nor anything else of that edit', async () => {
    const world = await settled();
    world.store.edit(key, { eventSourceARN: 'arn:aws:sqs:eu-central-1:000000000000:other', batchSize: 3 });
    await world.settle();
    expect(world.api.writes).toEqual([]);
    expect(world.conditions()).toMatchObject({
      Stalled: 'True CreateOnlyFieldChanged',
      Drifted: 'True DifferenceFound',
    });
  });

  it.each([
    { spec: {}, words: 'Messages wait in the queue' },
    {
      spec: {
        eventSourceARN: 'arn:aws:kinesis:eu-central-1:000000000000:stream/clicks',
        startingPosition: 'LATEST' as const,
      },
      words: 'records that arrive before the new one reads are not delivered',
    },
  ])(
    'replaces it where that is allowed, in order, and says what it means: $words',
    async ({ spec, words }) => {
      const world = await settled(aMapping({ spec: { ...spec, replacementPolicy: 'Recreate' } }));
      const [before] = world.api.all;
      const arn = `${aMapping({ spec }).spec.eventSourceARN ?? ''}-2`;
      world.store.edit(key, { eventSourceARN: arn, batchSize: 3 });
      await world.pass();
      expect(world.api.writes).toEqual(['delete']);
      expect(world.conditions()).toMatchObject({ Ready: 'Unknown Progressing' });
      const told = world.events.filter((event) => event.kind === 'acted').at(-1);
      expect(told).toMatchObject({ action: 'replacing', uuid: before?.configuration.UUID });
      expect(told?.kind === 'acted' ? told.detail : '').toContain(words);
      // AWS takes its time: nothing is created before NotFound.
      await world.pass();
      expect(world.api.writes).toEqual(['delete']);
      await world.settle();
      expect(world.api.writes).toEqual(['delete', 'create']);
      expect(world.api.all).toMatchObject([{ configuration: { EventSourceArn: arn, BatchSize: 3 } }]);
      expect(world.conditions()).toMatchObject({ Ready: 'True Serving', Drifted: 'False InSync' });
    },
  );

  it.each(['before the deletion', 'after the deletion', 'after the creation'])(
    'goes on with a replacement that was cut off %s',
    async (when) => {
      const world = await settled(aMapping({ spec: { replacementPolicy: 'Recreate' } }));
      const arn = `${ordersARN}-2`;
      world.store.edit(key, { eventSourceARN: arn });
      const write = world.store.writeStatus.bind(world.store);
      const cut = (): Promise<never> => Promise.reject(new Error('killed'));
      if (when === 'before the deletion') {
        world.api.before = (call) => {
          if (call === 'delete') throw new Error('killed');
        };
      } else world.store.writeStatus = cut;
      await expect(world.pass()).rejects.toThrow('killed');
      if (when === 'after the creation') {
        world.api.settle();
        await expect(world.pass()).rejects.toThrow('killed');
      }
      world.api.before = () => undefined;
      world.store.writeStatus = write;
      await world.settle();
      expect(world.api.writes).toEqual(['delete', 'create']);
      expect(world.api.all).toMatchObject([{ configuration: { EventSourceArn: arn, State: 'Enabled' } }]);
    },
  );

  it('never touches a mapping whose tags have become another owner’s', async () => {
    const world = await settled();
    world.api.tamper(
      world.api.all[0]?.configuration.UUID ?? '',
      { BatchSize: 9 },
      { 'sluice.dev/cluster': 'another', 'sluice.dev/namespace': 'shop', 'sluice.dev/name': 'orders' },
    );
    await world.settle();
    expect(world.conditions()).toMatchObject({ Stalled: 'True ForeignOwner' });
    world.store.delete(key);
    await world.settle();
    expect(world.api.writes).toEqual([]);
    expect(world.store.get(key)).toBeUndefined();
  });

  it('stalls at once on what no retry helps, and says AWS’s words', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    world.api.before = (call) => void (call === 'create' && refuse('AwsRejected', never));
    expect(await world.pass()).toEqual({ kind: 'after', ms: 600_000 });
    expect(world.conditions()).toMatchObject({ Ready: 'False AwsRejected', Stalled: 'True AwsRejected' });
  });

  it('leaves Ready alone while a look fails now and then, and not for long', async () => {
    const world = await settled();
    world.api.before = () => refuse('AwsThrottled');
    expect(await world.pass()).toEqual({ kind: 'retry', atLeastMs: 0 });
    expect(world.store.writes).toEqual([]);
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
    world.failures = 6;
    await world.pass();
    expect(world.conditions()).toMatchObject({
      Ready: 'False ProgressingWithRetry',
      Reconciling: 'True AwsThrottled',
    });
    world.api.before = () => undefined;
    await world.settle();
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
    expect(world.conditions()).not.toHaveProperty('Reconciling');
  });

  it('throws on what is no fault of the mapping, without a word in its status', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    world.api.before = () => {
      throw new TypeError('a bug');
    };
    await expect(world.pass()).rejects.toThrow('a bug');
    expect(world.store.writes).toEqual(['finalizer+']);
  });
});

describe('what keeps a mapping from being carried out', () => {
  it.each([
    { why: 'no class', prepare: (world: TestReconciler) => (world.classes = []), reason: 'ClassNotFound' },
    {
      why: 'a class of others',
      prepare: (world: TestReconciler) => (world.classes = [aClass({ namespaces: ['billing'] })]),
      reason: 'ClassNotPermitted',
    },
    {
      why: 'a field that is not built',
      prepare: (world: TestReconciler) =>
        world.store.put(
          aPollerMapping({
            spec: { ...aPollerMapping().spec, poller: { rateLimit: { batchesPerSecond: 1 } } },
          }),
        ),
      reason: 'NotSupported',
    },
    {
      why: 'a spec that breaks a rule',
      prepare: (world: TestReconciler) => (world.problems = ['`spec.x` must be y']),
      reason: 'InvalidSpec',
    },
  ])('stalls it without a finalizer and without a call: $why', async ({ prepare, reason }) => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    world.api.before = () => expect.unreachable('AWS was called');
    prepare(world);
    expect(await world.pass()).toEqual({ kind: 'done' });
    expect(world.conditions()).toMatchObject({ Ready: `False ${reason}`, Stalled: `True ${reason}` });
    expect(world.store.writes).toEqual(['status']);
  });
});

describe('a paused mapping', () => {
  it('is not changed at all with `reconcile`, and goes on afterwards', async () => {
    const world = await settled();
    world.store.edit(key, { batchSize: 3 });
    world.store.annotate(key, { 'sluice.dev/paused': 'reconcile' });
    await world.settle();
    expect(world.api.writes).toEqual([]);
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving', Paused: 'True PausedReconcile' });
    world.store.annotate(key, {});
    await world.settle();
    expect(world.api.all[0]?.configuration.BatchSize).toBe(3);
    expect(world.conditions()).not.toHaveProperty('Paused');
  });

  it.each([
    ['delivery', 'PausedDelivery'],
    ['a slip of the pen', 'PauseValueUnknown'],
  ])(
    'is switched off at AWS with `%s`, whatever its spec says, and on again afterwards',
    async (value, reason) => {
      const world = await settled();
      world.store.annotate(key, { 'sluice.dev/paused': value });
      await world.settle();
      expect(world.api.all[0]?.configuration.State).toBe('Disabled');
      expect(world.store.get(key)?.spec.enabled).toBeUndefined();
      expect(world.conditions()['Paused']).toBe(`True ${reason}`);
      world.store.annotate(key, {});
      await world.settle();
      expect(world.api.all[0]?.configuration.State).toBe('Enabled');
      expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
      expect(world.conditions()).not.toHaveProperty('Paused');
    },
  );

  it('can be deleted', async () => {
    const world = await settled();
    world.store.annotate(key, { 'sluice.dev/paused': 'delivery' });
    world.store.delete(key);
    await world.settle();
    expect(world.api.all).toEqual([]);
    expect(world.store.get(key)).toBeUndefined();
  });
});

describe('a deleted mapping', () => {
  it('goes only when AWS says that its mapping is gone', async () => {
    const world = await settled();
    world.store.delete(key);
    await world.pass();
    expect(world.conditions()).toMatchObject({ Ready: 'False Deleting', Reconciling: 'True Deleting' });
    await world.pass();
    expect(world.store.get(key)).toBeDefined();
    world.api.settle();
    await world.pass();
    expect(world.store.get(key)).toBeUndefined();
    expect(world.events).toContainEqual(expect.objectContaining({ kind: 'acted', action: 'deleted' }));
  });

  it('waits, and says why, while AWS does not let it go; and goes when it is told to give up', async () => {
    const world = await settled();
    world.store.delete(key);
    world.api.before = () => refuse('AwsAccessDenied');
    expect(await world.pass()).toMatchObject({ kind: 'retry' });
    expect(world.conditions()).toMatchObject({
      Ready: 'False Deleting',
      Reconciling: 'True AwsAccessDenied',
    });
    world.store.annotate(key, { 'sluice.dev/force-finalize': 'true' });
    await world.pass();
    expect(world.store.get(key)).toBeUndefined();
    expect(world.events).toContainEqual(
      expect.objectContaining({ kind: 'acted', action: 'force-finalized' }),
    );
    expect(world.api.all).toHaveLength(1);
  });

  it.each([
    { why: 'the credentials are gone', reason: 'AwsCredentialsMissing' },
    { why: 'the role is deleted', reason: 'AssumeRoleFailed' },
    { why: 'the Region is wrong', reason: 'WrongRegion' },
    { why: 'AWS is away', reason: 'AwsUnreachable' },
  ])('that can never be let go, since $why, tells the way out after some tries', async ({ reason }) => {
    const world = await settled();
    world.store.delete(key);
    world.api.before = () => refuse(reason, never);
    await world.pass();
    const message = (): string =>
      world.store.get(key)?.status?.conditions?.find(({ type }) => type === 'Reconciling')?.message ?? '';
    expect(world.conditions()).toMatchObject({ Reconciling: `True ${reason}` });
    expect(message()).not.toContain('force-finalize');
    world.failures = 5;
    await world.pass();
    expect(message()).toContain('`sluice.dev/force-finalize: "true"`');
    world.store.annotate(key, { 'sluice.dev/force-finalize': 'true' });
    await world.pass();
    expect(world.store.get(key)).toBeUndefined();
  });

  it('is cleaned up although its class is gone', async () => {
    const world = await settled();
    world.classes = [];
    world.store.delete(key);
    await world.settle();
    expect(world.api.all).toEqual([]);
    expect(world.store.get(key)).toBeUndefined();
  });

  it('leaves the AWS mapping without our tags under Retain', async () => {
    const world = await settled(aMapping({ spec: { deletionPolicy: 'Retain' } }));
    world.store.delete(key);
    await world.settle();
    expect(world.store.get(key)).toBeUndefined();
    expect(world.api.writes).toEqual(['untag']);
    expect(world.api.all).toMatchObject([{ configuration: { State: 'Enabled' }, tags: {} }]);
  });

  it('leaves a disabled AWS mapping under Disable', async () => {
    const world = await settled(aMapping({ spec: { deletionPolicy: 'Disable' } }));
    world.store.delete(key);
    await world.settle();
    expect(world.store.get(key)).toBeUndefined();
    expect(world.api.all).toMatchObject([{ configuration: { State: 'Disabled' }, tags: {} }]);
  });

  it('is none of ours without our finalizer', async () => {
    const world = new TestReconciler();
    world.store.put(aDeletedMapping({ metadata: { finalizers: ['somebody.else/waits'] } }));
    expect(await world.pass()).toEqual({ kind: 'done' });
    expect(world.store.writes).toEqual([]);
    expect(world.api.writes).toEqual([]);
  });
});

describe('a mapping in Poller mode', () => {
  it('has no finalizer, for nothing is kept outside the cluster', async () => {
    const world = await settled(aPollerMapping());
    expect(world.store.get(key)?.metadata.finalizers ?? []).toEqual([]);
    expect(world.conditions()).toMatchObject({ Ready: 'False NoMember' });
  });

  it('comes from Managed mode only after AWS has let it go', async () => {
    const world = await settled();
    const { spec } = aPollerMapping();
    world.store.edit(key, { ...spec, handoverTo: 'Poller' });
    await world.pass();
    expect(world.conditions()).toMatchObject({ HandingOver: 'True HandoverInProgress' });
    expect(world.store.get(key)?.metadata.finalizers).toEqual([finalizer]);
    await world.settle();
    expect(world.api.all).toEqual([]);
    expect(world.store.get(key)?.metadata.finalizers).toEqual([]);
    expect(world.conditions()).not.toHaveProperty('HandingOver');
  });
});

describe('a mapping that moves from the cluster to AWS', () => {
  const held = (world: TestReconciler, state: string): void => {
    const { namespace = '', name, uid = '' } = aMapping().metadata;
    world.fleet.setMembers([{ identity: 'a', pool: 'default' }]);
    const entry = { namespace, name, uid, generation: 1, state };
    world.fleet.put('a', {
      formatVersion: 1,
      member: 'a',
      pool: 'default',
      version: '0',
      mappings: state === 'gone' ? [] : [entry],
    });
  };

  it('is created at AWS only when no member has it any more', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping({ spec: { handoverTo: 'Managed' } }));
    for (const state of ['Running', 'Draining']) {
      held(world, state);
      expect(await world.pass()).toEqual({ kind: 'after', ms: 1000 });
      expect(world.conditions()).toMatchObject({
        Ready: 'Unknown HandoverInProgress',
        HandingOver: 'True HandoverInProgress',
      });
      expect(world.store.get(key)?.status?.conditions?.[0]?.message).toContain('poller a ');
      expect(world.api.writes).toEqual([]);
    }
    held(world, 'gone');
    await world.settle();
    expect(world.api.writes).toEqual(['create']);
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
    expect(world.conditions()).not.toHaveProperty('HandingOver');
  });

  it('does not wait for a member that is dead', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping({ spec: { handoverTo: 'Managed' } }));
    held(world, 'Running');
    await world.pass();
    world.fleet.setMembers([]);
    await world.settle();
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
  });

  it('takes back an adopted mapping that was only switched off for the cluster', async () => {
    const world = await settled();
    const { UUID: uuid = '' } = world.api.all[0]?.configuration ?? {};
    world.api.tamper(uuid, {}, {});
    world.store.put(aMapping({ spec: { adoptionPolicy: 'IfExists' } }));
    await world.settle();
    world.store.edit(key, { mode: 'Poller', handoverTo: 'Poller' });
    await world.settle();
    expect(world.api.all).toMatchObject([{ configuration: { UUID: uuid, State: 'Disabled' } }]);
    expect(world.store.get(key)?.metadata.finalizers).toEqual([]);
    world.store.edit(key, { mode: 'Managed', handoverTo: 'Managed' });
    await world.settle();
    expect(world.api.all).toMatchObject([{ configuration: { UUID: uuid, State: 'Enabled' } }]);
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
  });
});

describe('a mapping that moves between members', () => {
  const report = (member: string, world: TestReconciler, generation = 1): void => {
    world.fleet.setMembers([{ identity: member, pool: 'default' }]);
    const { namespace = '', name, uid = '' } = aPollerMapping().metadata;
    const sourceHealthy = { status: 'True', reason: 'ReadSucceeded' };
    const entry = { namespace, name, uid, generation, state: 'Running', sourceHealthy };
    world.fleet.put(member, { formatVersion: 1, member, pool: 'default', version: '0', mappings: [entry] });
  };

  async function served(): Promise<TestReconciler> {
    const world = new TestReconciler();
    world.store.put(aPollerMapping());
    report('a', world);
    await world.settle();
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
    world.store.writes.length = 0;
    // Its member has left, another is there and has not begun.
    world.fleet.setMembers([{ identity: 'b', pool: 'default' }]);
    return world;
  }

  it('is as ready as before for a while, and then told from its new member', async () => {
    const world = await served();
    expect(await world.pass()).toEqual({ kind: 'after', ms: 15_000 });
    await world.clock.advance(5000);
    expect(await world.pass()).toEqual({ kind: 'after', ms: 10_000 });
    expect(world.store.writes).toEqual([]);
    report('b', world);
    await world.settle();
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
    expect(world.store.get(key)?.status?.poller?.members).toEqual([{ name: 'b', state: 'Running' }]);
    expect(world.store.writes).toHaveLength(1);
  });

  it('is not ready when nobody takes it up in time', async () => {
    const world = await served();
    await world.pass();
    await world.clock.advance(15_000);
    expect(await world.pass()).toEqual({ kind: 'done' });
    expect(world.conditions()).toMatchObject({ Ready: 'Unknown Progressing' });
  });

  it('is not ready for an edit that no member runs yet', async () => {
    const world = await served();
    world.store.put(
      aPollerMapping({
        metadata: { generation: 2 },
        ...(world.store.get(key)?.status === undefined ? {} : { status: world.store.get(key)?.status }),
      }),
    );
    await world.pass();
    expect(world.conditions()).toMatchObject({ Ready: 'Unknown Progressing' });
  });
});

describe('any pass', () => {
  it('repeated without a change writes nothing, neither to Kubernetes nor to AWS', async () => {
    const starts = [
      aMapping(),
      aMapping({ spec: { enabled: false } }),
      aMapping({ spec: { provisionedPollerConfig: { minimumPollers: 2 } } }),
      aMapping({ spec: { className: 'missing' } }),
      aMapping({ metadata: { annotations: { 'sluice.dev/paused': 'delivery' } } }),
      aMapping({
        spec: { filterCriteria: { filters: [{ pattern: '{ "body": {} }' }] }, tags: { team: 'a' } },
      }),
      aPollerMapping(),
      aPollerMapping({ spec: { enabled: false } }),
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...starts), fc.integer({ min: 1, max: 5 }), async (start, times) => {
        const world = await settled(start);
        for (let count = 0; count < times; count++) {
          await world.clock.advance(600_000);
          await world.pass();
        }
        expect(world.store.writes).toEqual([]);
        expect(world.api.writes).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('of a mapping that is gone does nothing', async () => {
    const world = new TestReconciler();
    expect(await world.pass('shop/nothing')).toEqual({ kind: 'done' });
    expect(world.events).toEqual([]);
  });

  it('tells each change of a condition once', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    await world.settle();
    await world.pass();
    const told = world.events.flatMap((event) =>
      event.kind === 'condition-changed' && event.condition.type === 'Ready' ? [event.condition.reason] : [],
    );
    expect(told).toEqual(['Progressing', 'Serving']);
    expect(world.events).toContainEqual(
      expect.objectContaining({ kind: 'condition-removed', type: 'Reconciling' }),
    );
  });
});
