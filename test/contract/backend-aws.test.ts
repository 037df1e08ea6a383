import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsBackend } from '../../src/backends/aws/backend.ts';
import { mappingApi, type MappingApi } from '../../src/backends/aws/client.ts';
import type { EventSourceMapping } from '../../src/api/mapping.ts';
import type { Facts, Observation } from '../../src/controller/backend.ts';
import { eventually } from '../support/eventually.ts';
import { aMapping, someFacts, subjectOf } from '../support/mappings.ts';
import { MemoryMappingApi } from '../support/memory-mapping-api.ts';
import { sqsClient } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { queueArn, type AwsServer } from '../support/servers/aws-server.ts';
import { lambdaWithConsumer } from '../support/servers/consumer-function.ts';
import { startLocalEmu } from '../support/servers/localemu.ts';
import { startMiniStack } from '../support/servers/ministack.ts';

/** What a world of the suite offers: an API, a queue with a function that are nobody else's, and time that passes. */
interface World {
  readonly api: MappingApi;
  fresh(): Promise<{ readonly eventSourceARN: string; readonly functionName: string }>;
  /** Lets changing states pass where nothing else does. */
  settle(): void;
}

const { signal } = new AbortController();

const worlds: readonly {
  readonly name: string;
  readonly skip: boolean;
  readonly start: () => Promise<World & AsyncDisposable>;
}[] = [
  { name: 'in memory', skip: false, start: memoryWorld },
  { name: 'LocalEmu', skip: isAbsent('localemu'), start: () => emulatorWorld(startLocalEmu) },
  // Lax about states and duplicates, and independent of the other one.
  { name: 'MiniStack', skip: isAbsent('ministack'), start: () => emulatorWorld(startMiniStack) },
];

describe.each(worlds)('the AWS backend over Lambda’s API $name', ({ skip, start }) => {
  let world: World & AsyncDisposable;
  beforeAll(async () => {
    if (!skip) world = await start();
  }, 120_000);
  afterAll(() => world?.[Symbol.asyncDispose]());

  const backendOf = (clusterID = 'test'): AwsBackend =>
    new AwsBackend({
      clusterID,
      recheckMs: 1000,
      api: () => ({ ...bound(world.api), [Symbol.dispose]: () => undefined }),
    });

  /** A mapping of a queue and function of its own. */
  const freshMapping = async (spec: Partial<EventSourceMapping['spec']> = {}): Promise<EventSourceMapping> =>
    aMapping({
      metadata: { name: `m-${randomUUID().slice(0, 8)}`, uid: randomUUID() },
      spec: { ...(await world.fresh()), ...spec },
    });

  const settled = (mapping: EventSourceMapping, kind: Observation['kind']): Promise<Observation> =>
    eventually(
      async () => {
        world.settle();
        const observation = await backendOf().observe(subjectOf(mapping), signal);
        if (observation.kind !== kind) throw new Error(JSON.stringify(observation));
        return observation;
      },
      { timeoutMs: 30_000, intervalMs: 100 },
    );

  const created = async (mapping: EventSourceMapping): Promise<EventSourceMapping> => {
    const facts = await backendOf().create(subjectOf(mapping), signal);
    await settled(withUuid(mapping, facts), 'current');
    return withUuid(mapping, facts);
  };

  const released = (mapping: EventSourceMapping, policy: 'Delete' | 'Retain' | 'Disable'): Promise<unknown> =>
    eventually(
      async () => {
        world.settle();
        const release = await backendOf().release(subjectOf(mapping), () => policy, signal);
        if (release.kind !== 'gone') throw new Error(release.message);
        return release;
      },
      { timeoutMs: 30_000, intervalMs: 100 },
    );

  it.skipIf(skip)('sees nothing where there is nothing', async () => {
    expect(await backendOf().observe(subjectOf(await freshMapping()), signal)).toEqual({ kind: 'missing' });
  });

  it.skipIf(skip)('creates with tags, and finds the mapping by its UUID', async () => {
    const mapping = await created(await freshMapping({ batchSize: 7, tags: { team: 'orders' } }));
    const observation = await backendOf().observe(subjectOf(mapping), signal);
    expect(observation).toMatchObject({ kind: 'current', facts: { state: 'Enabled' } });
    const arn = observation.kind === 'current' ? (observation.facts.mapping?.arn ?? '') : '';
    expect(await world.api.tags(arn, signal)).toEqual({
      team: 'orders',
      'sluice.dev/cluster': 'test',
      'sluice.dev/namespace': 'shop',
      'sluice.dev/name': mapping.metadata.name,
      'sluice.dev/uid': mapping.metadata.uid,
    });
  });

  it.skipIf(skip)('finds what it created when the UUID was never stored, also under a new uid', async () => {
    const mapping = await freshMapping();
    const facts = await backendOf().create(subjectOf(mapping), signal);
    const rebuilt = { ...mapping, metadata: { ...mapping.metadata, uid: randomUUID() } };
    const found = await backendOf().observe(subjectOf(rebuilt), signal);
    expect(found).not.toMatchObject({ kind: 'missing' });
    expect('facts' in found ? found.facts?.mapping?.uuid : undefined).toBe(facts.mapping?.uuid);
  });

  it.skipIf(skip)('reports an edit as differences, and none after the update', async () => {
    const mapping = await created(await freshMapping());
    const edited: EventSourceMapping = {
      ...mapping,
      spec: {
        ...mapping.spec,
        batchSize: 5,
        functionResponseTypes: ['ReportBatchItemFailures'],
        scalingConfig: { maximumConcurrency: 4 },
        filterCriteria: { filters: [{ pattern: '{"body":{"kind":["order"]}}' }] },
      },
    };
    const observation = await backendOf().observe(subjectOf(edited), signal);
    expect(
      observation.kind === 'drifted' ? observation.differences.map(({ path }) => path) : observation,
    ).toEqual([
      'batchSize',
      'functionResponseTypes',
      'filterCriteria.filters',
      'scalingConfig.maximumConcurrency',
    ]);
    if (observation.kind !== 'drifted') return;
    await backendOf().update(subjectOf(edited), observation.differences, signal);
    await settled(edited, 'current');
  });

  it.skipIf(skip)('brings AWS’s defaults back when fields are removed', async () => {
    const full = await created(
      await freshMapping({
        batchSize: 5,
        functionResponseTypes: ['ReportBatchItemFailures'],
        scalingConfig: { maximumConcurrency: 4 },
        filterCriteria: { filters: [{ pattern: '{"body":{"kind":["order"]}}' }] },
      }),
    );
    const { eventSourceARN, functionName, mode } = full.spec;
    const bare: EventSourceMapping = {
      ...full,
      spec: { mode, ...(eventSourceARN && { eventSourceARN }), ...(functionName && { functionName }) },
    };
    const observation = await backendOf().observe(subjectOf(bare), signal);
    if (observation.kind !== 'drifted') throw new Error(JSON.stringify(observation));
    await backendOf().update(subjectOf(bare), observation.differences, signal);
    expect(await settled(bare, 'current')).toMatchObject({ facts: { state: 'Enabled' } });
  });

  it.skipIf(skip)('removes tags that left the spec, and leaves those of others', async () => {
    const mapping = await created(await freshMapping({ tags: { team: 'orders', cost: '1' } }));
    const before = await backendOf().observe(subjectOf(mapping), signal);
    const arn = 'facts' in before ? (before.facts?.mapping?.arn ?? '') : '';
    await world.api.tag(arn, { policy: 'x' }, signal);
    const edited = { ...mapping, spec: { ...mapping.spec, tags: { cost: '2' } } };
    const observation = await backendOf().observe(subjectOf(edited), signal);
    if (observation.kind !== 'drifted') throw new Error(JSON.stringify(observation));
    await backendOf().update(subjectOf(edited), observation.differences, signal);
    const tags = await world.api.tags(arn, signal);
    expect(tags).toMatchObject({ cost: '2', policy: 'x', 'sluice.dev/cluster': 'test' });
    expect(tags).not.toHaveProperty('team');
  });

  it.skipIf(skip)('disables and enables', async () => {
    const mapping = await created(await freshMapping());
    for (const enabled of [false, true]) {
      const edited = { ...mapping, spec: { ...mapping.spec, enabled } };
      const observation = await backendOf().observe(subjectOf(edited), signal);
      if (observation.kind !== 'drifted') throw new Error(JSON.stringify(observation));
      expect(observation.differences.map(({ path }) => path)).toEqual(['enabled']);
      await backendOf().update(subjectOf(edited), observation.differences, signal);
      await settled(edited, 'current');
    }
  });

  it.skipIf(skip)('refuses what belongs to another cluster, and does not touch it on release', async () => {
    const theirs = await freshMapping();
    await backendOf('other').create(subjectOf(theirs), signal);
    world.settle();
    expect(await backendOf().observe(subjectOf(theirs), signal)).toMatchObject({
      kind: 'refused',
      reason: 'ForeignOwner',
    });
    expect(await backendOf().release(subjectOf(theirs), () => 'Delete', signal)).toMatchObject({
      kind: 'gone',
    });
    expect(await backendOf('other').observe(subjectOf(theirs), signal)).not.toMatchObject({
      kind: 'missing',
    });
  });

  it.skipIf(skip)('refuses what nobody’s tags claim', async () => {
    const mapping = await created(await freshMapping());
    await released(mapping, 'Retain');
    const unlinked = aMapping({ metadata: mapping.metadata, spec: mapping.spec });
    expect(await backendOf().observe(subjectOf(unlinked), signal)).toMatchObject({
      kind: 'refused',
      reason: 'Conflict',
    });
  });

  it.skipIf(skip)('adopts what nobody’s tags claim, and tags it with its first change', async () => {
    const mapping = await freshMapping({ adoptionPolicy: 'IfExists' });
    const { eventSourceARN: EventSourceArn, functionName: FunctionName } = mapping.spec;
    const { UUID: uuid = '', EventSourceMappingArn: arn = '' } = await world.api.create(
      { EventSourceArn, FunctionName, Tags: { team: 'a' } },
      signal,
    );
    expect(await settled(mapping, 'current')).toMatchObject({ facts: { mapping: { uuid, adopted: true } } });
    expect(await world.api.tags(arn, signal)).toEqual({ team: 'a' });
    const facts = await backendOf().observe(subjectOf(mapping), signal);
    const adopted = withUuid(
      mapping,
      'facts' in facts && facts.facts !== undefined ? facts.facts : someFacts(),
    );
    const edited = { ...adopted, spec: { ...adopted.spec, batchSize: 3 } };
    const observation = await backendOf().observe(subjectOf(edited), signal);
    if (observation.kind !== 'drifted') throw new Error(JSON.stringify(observation));
    await backendOf().update(subjectOf(edited), observation.differences, signal);
    await settled(edited, 'current');
    expect(await world.api.tags(arn, signal)).toMatchObject({
      team: 'a',
      'sluice.dev/name': mapping.metadata.name,
      'sluice.dev/adopted': 'true',
    });
  });

  it.skipIf(skip)('looks at whatever is there under the policy Observe', async () => {
    const theirs = await freshMapping();
    await backendOf('other').create(subjectOf(theirs), signal);
    const observing = { ...theirs, spec: { ...theirs.spec, managementPolicy: 'Observe' as const } };
    await settled(observing, 'current');
    const other = { ...observing, spec: { ...observing.spec, batchSize: 3 } };
    expect(await backendOf().observe(subjectOf(other), signal)).toMatchObject({
      kind: 'drifted',
      differences: [{ path: 'batchSize' }],
    });
  });

  it.skipIf(skip)('deletes and is done only when AWS answers NotFound', async () => {
    const mapping = await created(await freshMapping());
    expect(await backendOf().release(subjectOf(mapping), () => 'Delete', signal)).toMatchObject({
      kind: 'changing',
    });
    await released(mapping, 'Delete');
    expect(await world.api.get(mapping.status?.mapping?.uuid ?? '', signal)).toBeUndefined();
  });

  it.skipIf(skip)('leaves a disabled mapping without our tags under the policy Disable', async () => {
    const mapping = await created(await freshMapping());
    await released(mapping, 'Disable');
    const left = await world.api.get(mapping.status?.mapping?.uuid ?? '', signal);
    expect(left?.State).toBe('Disabled');
    expect(await world.api.tags(left?.EventSourceMappingArn ?? '', signal)).toEqual({});
  });
});

function withUuid(mapping: EventSourceMapping, facts: Facts): EventSourceMapping {
  return { ...mapping, status: { observedGeneration: 1, mapping: facts.mapping ?? {} } };
}

/** The methods of a class, bound, so that they survive a spread. */
function bound(api: MappingApi): MappingApi {
  return {
    get: (...args) => api.get(...args),
    list: (...args) => api.list(...args),
    listByFunction: (...args) => api.listByFunction(...args),
    create: (...args) => api.create(...args),
    update: (...args) => api.update(...args),
    delete: (...args) => api.delete(...args),
    tags: (...args) => api.tags(...args),
    tag: (...args) => api.tag(...args),
    untag: (...args) => api.untag(...args),
  };
}

async function memoryWorld(): Promise<World & AsyncDisposable> {
  const api = new MemoryMappingApi();
  return {
    api,
    fresh: async () => ({ eventSourceARN: queueArn(randomUUID()), functionName: 'consumer' }),
    settle: () => api.settle(),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function emulatorWorld(start: () => Promise<AwsServer>): Promise<World & AsyncDisposable> {
  const server = await start();
  const lambda = await lambdaWithConsumer(server);
  const sqs = sqsClient(server);
  return {
    api: mappingApi(lambda, () => Promise.resolve()),
    fresh: async () => {
      const name = `q-${randomUUID().slice(0, 8)}`;
      await sqs.send(new CreateQueueCommand({ QueueName: name }));
      return { eventSourceARN: queueArn(name), functionName: 'consumer' };
    },
    settle: () => undefined,
    [Symbol.asyncDispose]: async () => {
      lambda.destroy();
      sqs.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}
