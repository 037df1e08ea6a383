import { randomUUID } from 'node:crypto';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { CreateQueueCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AwsFault } from '../support/aws-fault-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { startMappingEndpoint } from '../support/mapping-endpoint.ts';
import { sqsClient } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { queueArn, type AwsServer } from '../support/servers/aws-server.ts';
import { lambdaWithConsumer } from '../support/servers/consumer-function.ts';
import { startLocalEmu } from '../support/servers/localemu.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { managedWorld, type ManagedWorld, type WorldOptions } from './managed-lab.ts';

/**
 * Managed mode over the wire, with everything that can go wrong on it: each call in the life of a mapping meets each
 * fault. In the end there is one mapping, as desired, or none after a deletion; no status says at any moment what the
 * server does not have; nothing is repeated faster than the pace permits.
 */
const speed = 15;

interface FaultRow {
  readonly name: string;
  readonly fault: AwsFault;
  /** So often in a row; default once. */
  readonly times?: number;
  readonly why: string;
  /** The shortest time until the call is made again. */
  readonly leastMs?: number;
}

const html = '<!DOCTYPE html><html><body><h1>It is not you, it is us</h1></body></html>';

const faults: readonly FaultRow[] = [
  {
    name: 'throttled',
    fault: { kind: 'throttle' },
    times: 3,
    why: 'fifteen calls a second are everybody’s in the account',
    leastMs: 250,
  },
  {
    name: 'throttled with Retry-After',
    fault: { kind: 'throttle', retryAfterSeconds: 3 },
    times: 2,
    why: 'what AWS asks to be waited for is waited for',
    leastMs: 3000,
  },
  {
    name: 'throttled for longer than a worker waits',
    fault: { kind: 'throttle', retryAfterSeconds: 12 },
    why: 'no worker is held up by it, and the reconciler comes back no sooner',
    leastMs: 12_000,
  },
  {
    name: 'ServiceException',
    fault: { kind: 'error', status: 500, code: 'ServiceException' },
    why: 'AWS’s own failure; nothing was done',
  },
  {
    name: '503 without a known code',
    fault: { kind: 'error', status: 503, code: 'TomorrowsException' },
    why: 'a code that nobody knows falls back on its status',
  },
  {
    name: 'ResourceConflictException',
    fault: { kind: 'error', status: 409, code: 'ResourceConflictException' },
    why: 'two changes met: a state, not an error',
  },
  {
    name: 'ResourceInUseException',
    fault: { kind: 'error', status: 400, code: 'ResourceInUseException' },
    why: 'the mapping is changing: a state, not an error',
  },
  { name: 'reset', fault: { kind: 'reset' }, why: 'the connection broke before the call was carried out' },
  {
    name: 'lost answer',
    fault: { kind: 'lostAnswer' },
    why: 'it was done, and nobody knows',
  },
  {
    name: 'silence',
    fault: { kind: 'hang' },
    why: 'a server that says nothing holds nobody up for longer than the deadline',
  },
  {
    name: 'half an answer',
    fault: { kind: 'stall' },
    why: 'it was done; the deadline covers the body of the answer, too',
  },
  {
    name: 'a slow answer',
    fault: { kind: 'delay', ms: 1000 },
    why: 'slow is not failed: nothing is done twice',
  },
  {
    name: 'a page with status 200',
    fault: { kind: 'page', status: 200, body: html },
    why: 'a captive proxy answers for AWS; nothing was done',
  },
  {
    name: 'a page with status 404',
    fault: { kind: 'page', status: 404, body: html },
    why: 'a gateway that knows no such path does not know whether the mapping exists',
  },
  {
    name: 'JSON with status 404 that is not AWS’s',
    fault: { kind: 'page', status: 404, body: '{"message":"no Route matched with those values"}' },
    why: 'the same from a gateway that speaks JSON',
  },
  {
    name: 'a page with status 502',
    fault: { kind: 'page', status: 502, body: html },
    why: 'a gateway without AWS behind it',
  },
  {
    name: 'a page instead of the answer',
    fault: { kind: 'garbled', body: html },
    why: 'it was done, and what came back cannot be read',
  },
];

interface CallRow {
  readonly operation: string;
  readonly why: string;
}

const calls: readonly CallRow[] = [
  { operation: 'CreateEventSourceMapping', why: 'never two' },
  { operation: 'GetEventSourceMapping', why: 'what cannot be seen is neither missing nor ready' },
  { operation: 'ListEventSourceMappings', why: 'what is not listed is not missing' },
  {
    operation: 'UpdateEventSourceMapping',
    why: 'the spec is in force in the end, and not said to be before',
  },
  { operation: 'DeleteEventSourceMapping', why: 'the object goes when the mapping is gone, and not later' },
  { operation: 'TagResource', why: 'tags say whose it is' },
  { operation: 'UntagResource', why: 'a tag that left the spec goes' },
  { operation: 'ListTags', why: 'nothing is changed whose owner is not known' },
];

/** Faults after which a gateway's JSON is final: until the next look for drift there is nothing to try. */
const finalFor = (fault: FaultRow): readonly string[] =>
  fault.fault.kind === 'page' && fault.fault.body.startsWith('{') ? ['AwsRejected'] : [];

/** Faults that left the call undone or in doubt, so that a person hears of the write that failed. */
const isTold = ({ fault }: FaultRow): boolean =>
  !['throttle', 'delay'].includes(fault.kind) &&
  !(fault.kind === 'error' && fault.code.startsWith('Resource'));

const isRead = (operation: string): boolean => /^(Get|List)/.test(operation);

/** Whether a read was carried out, or met another change, is all the same. */
const meets = ({ operation }: CallRow, { fault }: FaultRow): boolean =>
  !isRead(operation) ||
  !(
    ['lostAnswer', 'garbled'].includes(fault.kind) ||
    (fault.kind === 'error' && fault.code.startsWith('Resource'))
  );

/** The life of a mapping, in which every call of `calls` is made, under rules that the caller has injected. */
async function live(world: ManagedWorld): Promise<void> {
  world.create({ batchSize: 5, tags: { team: 'a', cost: '1' } });
  await world.ready();
  expect(await world.wrong()).toEqual([]);

  world.edit({ batchSize: 7, tags: { team: 'b' } });
  await world.ready();
  expect(await world.wrong()).toEqual([]);

  world.delete();
  await world.gone();
  expect(await world.live()).toEqual([]);
  expect(world.lies).toEqual([]);
}

/** A server that a file of tests shares. */
interface Lab {
  readonly world: (more?: Partial<WorldOptions>) => Promise<ManagedWorld>;
}

function lab(start: () => Promise<AwsServer>, skip: boolean): Lab {
  let server: AwsServer;
  let lambda: LambdaClient;
  let sqs: SQSClient;
  beforeAll(async () => {
    if (skip) return;
    server = await start();
    lambda = await lambdaWithConsumer(server);
    sqs = sqsClient(server);
  }, 120_000);
  afterAll(async () => {
    lambda?.destroy();
    sqs?.destroy();
    await server?.[Symbol.asyncDispose]();
  });
  return {
    world: async (more = {}) => {
      const name = `m-${randomUUID().slice(0, 8)}`;
      await sqs.send(new CreateQueueCommand({ QueueName: name }));
      const { endpoint } = server;
      return managedWorld({
        endpoint,
        speed,
        expected: 100,
        name,
        eventSourceARN: queueArn(name),
        driftIntervalMs: 20_000,
        ...more,
      });
    },
  };
}

// Lax about duplicates: that there are never two mappings is the controller's own doing there.
describe('each call of a life under each fault, on MiniStack', { concurrent: true }, () => {
  const skip = isAbsent('ministack');
  const { world: make } = lab(startMiniStack, skip);
  const rows = calls.flatMap((call) =>
    faults.filter((fault) => meets(call, fault)).map((fault) => ({ ...call, fault, because: fault.why })),
  );

  it.skipIf(skip).each(rows)('$operation: $fault.name ($why; $because)', async ({ operation, fault }) => {
    await using world = await make({ mayStall: finalFor(fault) });
    world.proxy.inject({ operation, times: fault.times ?? 1, fault: fault.fault });
    await live(world);
    expect(world.proxy.calls.filter((call) => call.fault === fault.fault.kind)).toHaveLength(
      fault.times ?? 1,
    );
    expect(world.hurried(fault.leastMs ?? 0)).toEqual([]);
    // What was done is told once; a create whose answer was lost is told when its mapping is found.
    const acted = world.told('acted');
    expect(acted.filter((action) => action === 'created' || action === 'adopted')).toHaveLength(1);
    expect(acted.filter((action) => action === 'deleted')).toHaveLength(1);
    const isWrite = !/^(Get|List)/.test(operation);
    if (isWrite && isTold(fault)) expect(world.told('step-failed')).not.toEqual([]);
    else if (isWrite) expect(acted).toContain('updated');
  });
});

// Strict about states and duplicates. One life for each fault, in which every call meets it.
describe('a life in which each call meets the fault, on LocalEmu', { concurrent: true }, () => {
  const skip = isAbsent('localemu');
  const { world: make } = lab(startLocalEmu, skip);

  it.skipIf(skip).each(faults)('$name ($why)', async (fault) => {
    await using world = await make({ expected: 1, mayStall: finalFor(fault) });
    for (const { operation } of calls) world.proxy.inject({ operation, times: 1, fault: fault.fault });
    await live(world);
    const met = world.proxy.calls.filter(({ fault: kind }) => kind === fault.fault.kind);
    expect(new Set(met.map(({ operation }) => operation))).toEqual(
      new Set(calls.map(({ operation }) => operation)),
    );
    expect(world.hurried(fault.leastMs ?? 0)).toEqual([]);
  });
});

describe('states that last, and hands that meddle', { concurrent: true }, () => {
  /** An endpoint whose states pass when the test says so, a hundred times faster. */
  const slow = async (more: Partial<WorldOptions> = {}) => {
    const server = await startMappingEndpoint();
    const world = await managedWorld({
      endpoint: server.endpoint,
      speed: 100,
      expected: 1,
      name: 'orders',
      eventSourceARN: queueArn('orders'),
      driftIntervalMs: 60_000,
      ...more,
    });
    const wait = (ms: number): Promise<void> => world.clock.sleep(ms);
    const uuid = (): string => server.api.all[0]?.configuration.UUID ?? '';
    const settled = async (): Promise<void> => {
      world.create({ batchSize: 5, tags: { team: 'a' } });
      await eventually(() => server.api.all.length === 1);
      server.api.settle();
      await world.ready();
    };
    return {
      api: server.api,
      world,
      wait,
      uuid,
      settled,
      [Symbol.asyncDispose]: async () => {
        await world[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  };
  /** Calls that have taken effect, or met their fault: what has only arrived, the next step would come before. */
  const count = (world: ManagedWorld, operation: string): number =>
    world.proxy.calls.filter(
      ({ operation: its, status, fault }) => its === operation && (status ?? fault) !== undefined,
    ).length;

  it('waits for a mapping that is Creating for minutes, seldom enough, and is not Ready before', async () => {
    await using lab = await slow();
    const { world, api, wait } = lab;
    world.create();
    await eventually(() => api.all.length === 1);
    await wait(300_000);
    expect(world.condition('Ready')).toBe('Unknown Progressing');
    // Each look a second would be 300.
    expect(world.proxy.calls.length).toBeLessThan(60);
    api.settle();
    await world.ready();
    expect(count(world, 'CreateEventSourceMapping')).toBe(1);
    expect(world.lies).toEqual([]);
  });

  it('brings the last of several edits into force by one more request, when the mapping has settled', async () => {
    await using lab = await slow();
    const { world, api, wait, settled } = lab;
    await settled();
    world.edit({ batchSize: 6 });
    await eventually(() => count(world, 'UpdateEventSourceMapping') === 1);
    for (const batchSize of [7, 8, 9]) {
      world.edit({ batchSize });
      await wait(5000);
    }
    expect(count(world, 'UpdateEventSourceMapping')).toBe(1);
    expect(world.condition('Ready')).toBe('Unknown Progressing');
    api.settle();
    await eventually(() => count(world, 'UpdateEventSourceMapping') === 2);
    api.settle();
    await world.ready();
    expect(api.all).toMatchObject([{ configuration: { BatchSize: 9 } }]);
    expect(count(world, 'UpdateEventSourceMapping')).toBe(2);
    expect(world.lies).toEqual([]);
  });

  it('keeps the object for as long as its mapping is Deleting', async () => {
    await using lab = await slow();
    const { world, api, wait, settled } = lab;
    await settled();
    world.delete();
    await eventually(() => count(world, 'DeleteEventSourceMapping') === 1);
    await wait(300_000);
    expect(world.object?.status?.state).toBe('Deleting');
    expect(count(world, 'DeleteEventSourceMapping')).toBe(1);
    api.settle();
    await world.gone();
    expect(world.told('acted')).toEqual(['created', 'deleted']);
    expect(world.lies).toEqual([]);
  });

  it('deletes a mapping that is still Updating when the object goes', async () => {
    await using lab = await slow();
    const { world, api, wait, settled } = lab;
    await settled();
    world.edit({ batchSize: 6 });
    await eventually(() => count(world, 'UpdateEventSourceMapping') === 1);
    world.delete();
    await wait(20_000);
    expect(count(world, 'DeleteEventSourceMapping')).toBe(0);
    api.settle();
    await eventually(() => count(world, 'DeleteEventSourceMapping') === 1);
    api.settle();
    await world.gone();
    expect(api.all).toEqual([]);
  });

  it('switches on again what was switched off by hand, and tells why it was off', async () => {
    await using lab = await slow();
    const { world, api, uuid, settled } = lab;
    await settled();
    api.tamper(uuid(), { State: 'Disabled', StateTransitionReason: 'USER_INITIATED' });
    await eventually(() => count(world, 'UpdateEventSourceMapping') === 1);
    expect(world.told('drift-found')).toEqual(['enabled']);
    expect(world.events).toContainEqual(expect.objectContaining({ stateReason: 'USER_INITIATED' }));
    api.settle();
    await eventually(async () => (await world.wrong()).length === 0);
    await world.ready();
  });

  it('makes a new mapping for one that was deleted by hand while it was updated', async () => {
    await using lab = await slow();
    const { world, api, uuid, settled } = lab;
    await settled();
    const first = uuid();
    // It goes after its tags were read, and before the update.
    world.proxy.inject({
      operation: 'UpdateEventSourceMapping',
      when: () => {
        if (uuid() === first) api.vanish(first);
        return false;
      },
      fault: { kind: 'reset' },
    });
    world.edit({ batchSize: 6 });
    await eventually(() => uuid() !== '' && uuid() !== first);
    api.settle();
    await world.ready();
    expect(api.all).toMatchObject([{ configuration: { BatchSize: 6 } }]);
    expect(world.told('acted')).toEqual(['created', 'created']);
    expect(world.lies).toEqual([]);
  });

  it('waits out a deletion by hand, then makes a new mapping', async () => {
    await using lab = await slow();
    const { world, api, uuid, wait, settled } = lab;
    await settled();
    const first = uuid();
    await api.delete(first);
    await wait(120_000);
    expect(world.condition('Ready')).toBe('Unknown Progressing');
    expect(count(world, 'CreateEventSourceMapping')).toBe(1);
    api.settle();
    await eventually(() => uuid() !== '' && uuid() !== first);
    api.settle();
    await world.ready();
    expect(world.lies).toEqual([]);
  });

  it('waits for another mapping of the source and function that is on its way out', async () => {
    await using lab = await slow();
    const { world, api, wait } = lab;
    const { UUID: old = '' } = await api.create({
      EventSourceArn: queueArn('orders'),
      FunctionName: 'consumer',
    });
    api.settle();
    await api.delete(old);
    world.create();
    await wait(20_000);
    // AWS refuses a second one until the first is gone: that passes, and is nobody's to solve.
    expect(world.condition('Ready')).toBe('Unknown Progressing');
    api.settle();
    await eventually(() => api.all.length === 1);
    api.settle();
    await world.ready();
    expect(world.lies).toEqual([]);
  });

  const theirs = {
    'sluice.dev/cluster': 'another',
    'sluice.dev/namespace': 'shop',
    'sluice.dev/name': 'orders',
  };

  it('changes nothing any more once another owner’s tags are there, and says whose it is', async () => {
    await using lab = await slow({ mayStall: ['ForeignOwner'] });
    const { world, api, uuid, wait, settled } = lab;
    await settled();
    api.tamper(uuid(), {}, theirs);
    // What this process has just read of the tags is good for three seconds.
    await wait(5000);
    world.edit({ batchSize: 6 });
    await world.stalled('ForeignOwner');
    expect(api.writes).toEqual(['create']);
    expect(api.all).toMatchObject([{ configuration: { BatchSize: 5 } }]);
  });

  it('lets go of what has become another owner’s without touching it', async () => {
    await using lab = await slow({ mayStall: ['ForeignOwner'] });
    const { world, api, uuid, wait, settled } = lab;
    await settled();
    api.tamper(uuid(), {}, theirs);
    // What it wrote itself it relies on for ten minutes.
    await wait(620_000);
    world.delete();
    await world.gone();
    expect(api.writes).toEqual(['create']);
    expect(api.all).toMatchObject([{ configuration: { State: 'Enabled' }, tags: theirs }]);
  });

  /** Longer than the deadline of a call, at this speed. */
  const late = { kind: 'delay', ms: 1500 } as const;

  it('has one mapping when a create arrives after it was given up', async () => {
    await using lab = await slow();
    const { world, api } = lab;
    world.proxy.inject({ operation: 'CreateEventSourceMapping', times: 1, fault: late });
    world.create({ batchSize: 5 });
    await eventually(() => api.all.length === 1);
    api.settle();
    await world.ready();
    // AWS refuses the late one: it takes one mapping of a source and function.
    await eventually(() => world.proxy.calls.some(({ status }) => status === 409));
    expect(api.all).toHaveLength(1);
    expect(await world.wrong()).toEqual([]);
    expect(world.lies).toEqual([]);
  });

  it('undoes an update that arrives after it was given up, as it undoes the change of a hand', async () => {
    await using lab = await slow();
    const { world, api, settled } = lab;
    await settled();
    world.proxy.inject({ operation: 'UpdateEventSourceMapping', times: 1, fault: late });
    world.edit({ batchSize: 6 });
    await eventually(() => count(world, 'UpdateEventSourceMapping') === 1);
    world.edit({ batchSize: 7 });
    await eventually(() => {
      api.settle();
      return world.condition('Ready') === 'True Serving';
    });
    expect(api.all).toMatchObject([{ configuration: { BatchSize: 7 } }]);
    await eventually(() => api.all[0]?.configuration.BatchSize === 6);
    await eventually(() => {
      api.settle();
      return api.all[0]?.configuration.BatchSize === 7 && world.condition('Ready') === 'True Serving';
    });
    expect(world.told('drift-found')).toContain('batchSize');
    expect(world.lies).toEqual([]);
  });

  it.each([
    { kind: 'reset', why: 'nothing was done' },
    { kind: 'lostAnswer', why: 'the old one is on its way out' },
  ] as const)('replaces through a deletion that ends by $kind: $why', async ({ kind }) => {
    await using lab = await slow();
    const { world, api, uuid, settled } = lab;
    await settled();
    const first = uuid();
    world.proxy.inject({ operation: 'DeleteEventSourceMapping', times: 2, fault: { kind } });
    world.proxy.inject({ operation: 'CreateEventSourceMapping', times: 2, fault: { kind } });
    world.edit({ eventSourceARN: queueArn('orders-2'), replacementPolicy: 'Recreate' });
    await eventually(() => {
      api.settle();
      return uuid() !== '' && uuid() !== first && world.condition('Ready') === 'True Serving';
    });
    expect(api.all).toMatchObject([
      { configuration: { EventSourceArn: queueArn('orders-2'), BatchSize: 5 } },
    ]);
    expect(api.writes.filter((call) => call === 'create')).toHaveLength(2);
    expect(world.told('acted')).toContain('replacing');
  });
});
