import { randomBytes, randomUUID } from 'node:crypto';
import {
  CreateEventSourceMappingCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  ListTagsCommand,
  UpdateEventSourceMappingCommand,
  type EventSourceMappingConfiguration,
} from '@aws-sdk/client-lambda';
import { CreateQueueCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAwsFaultProxy, type AwsFaultProxy } from '../support/aws-fault-proxy.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { conditionOf, testNamespace, type KubeObject, type TestNamespace } from '../support/kube.ts';
import { sqsClient } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { awsEnvironment, queueArn, type AwsServer } from '../support/servers/aws-server.ts';
import { lambdaWithConsumer } from '../support/servers/consumer-function.ts';
import { startLocalEmu } from '../support/servers/localemu.ts';
import { applyCrds } from '../support/shared-control-plane.ts';
import { startSluice, type Sluice } from '../support/sluice.ts';

const resource = 'eventsourcemappings.sluice.dev';
/** A new leader within seconds of a killed one. */
const quickElection = [
  '--lease-duration-seconds=4',
  '--renew-deadline-seconds=3',
  '--retry-period-seconds=1',
];
const ref = { resource, name: 'orders' };

describe.skipIf(isAbsent('localemu'))('the controller on a real API server, with a Lambda emulator', () => {
  // Its controller serves every namespace, so it has a control plane of its own.
  let controlPlane: ControlPlane;
  const className = `standard-${randomBytes(4).toString('hex')}`;
  let aws: AwsServer;
  let lambda: LambdaClient;
  let sqs: SQSClient;
  let system: TestNamespace;
  let controller: Sluice;
  /** Before the emulator, to see what the controller asks it for. */
  let seen: AwsFaultProxy;

  const start = (endpoint = seen.endpoint): Sluice =>
    startSluice(
      [
        'controller',
        `--cluster-id=${className}`,
        `--namespace=${system.name}`,
        `--kubeconfig=${controlPlane.info.kubeconfig}`,
        '--metrics-address=127.0.0.1:0',
        '--drift-interval-seconds=3',
        '--aws-requests-per-second=15',
        '--log-level=debug',
        ...quickElection,
      ],
      { ...awsEnvironment(aws), AWS_ENDPOINT_URL: endpoint },
    );

  beforeAll(async () => {
    controlPlane = await startControlPlane({ controllerManager: true });
    await applyCrds(controlPlane);
    aws = await startLocalEmu();
    seen = await startAwsFaultProxy(aws.endpoint);
    lambda = await lambdaWithConsumer(aws);
    sqs = sqsClient(aws);
    system = await testNamespace(controlPlane);
    await system.apply({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'MappingClass',
      metadata: { name: className },
      spec: { namespaceSelector: { matchLabels: { team: className } } },
    });
    controller = start();
    await controller.logged('Leading');
  }, 180_000);

  afterAll(async () => {
    await controller?.[Symbol.asyncDispose]();
    lambda?.destroy();
    sqs?.destroy();
    await seen?.[Symbol.asyncDispose]();
    await aws?.[Symbol.asyncDispose]();
    await controlPlane?.[Symbol.asyncDispose]();
  });

  const tenant = (): Promise<TestNamespace> => testNamespace(controlPlane, { team: className });

  const queue = async (): Promise<string> => {
    const name = `q-${randomUUID().slice(0, 8)}`;
    await sqs.send(new CreateQueueCommand({ QueueName: name }));
    return queueArn(name);
  };

  const manifest = (spec: object, metadata: object = {}): object => ({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name: 'orders', ...metadata },
    spec: { mode: 'Managed', className, functionName: 'consumer', ...spec },
  });

  const atAws = async (eventSourceARN: string): Promise<readonly EventSourceMappingConfiguration[]> =>
    (await lambda.send(new ListEventSourceMappingsCommand({ EventSourceArn: eventSourceARN })))
      .EventSourceMappings ?? [];

  const ready = (namespace: TestNamespace): Promise<KubeObject> =>
    namespace.waitForCondition(ref, { type: 'Ready' });

  it('creates, updates and deletes the AWS mapping of an object, and kubectl wait sees it', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    await namespace.apply(manifest({ eventSourceARN }));
    const waited = await controlPlane.kubectl([
      '-n',
      namespace.name,
      'wait',
      '--for=condition=Ready',
      `${resource}/orders`,
      '--timeout=30s',
    ]);
    expect(waited.stdout).toContain('condition met');
    const [mapping] = await atAws(eventSourceARN);
    expect(mapping).toMatchObject({ State: 'Enabled', BatchSize: 10 });
    const { Tags } = await lambda.send(new ListTagsCommand({ Resource: mapping?.EventSourceMappingArn }));
    expect(Tags).toMatchObject({ 'sluice.dev/namespace': namespace.name, 'sluice.dev/name': 'orders' });

    await namespace.apply(
      manifest({ eventSourceARN, batchSize: 3, functionResponseTypes: ['ReportBatchItemFailures'] }),
    );
    await ready(namespace);
    expect(await atAws(eventSourceARN)).toMatchObject([
      { UUID: mapping?.UUID, BatchSize: 3, FunctionResponseTypes: ['ReportBatchItemFailures'] },
    ]);

    await namespace.delete(ref);
    await namespace.waitForAbsence(ref);
    expect(await atAws(eventSourceARN)).toEqual([]);
  });

  it('writes nothing once all is settled, and never the spec', async () => {
    await using namespace = await tenant();
    await namespace.apply(manifest({ eventSourceARN: await queue() }));
    const before = await ready(namespace);
    await eventually(
      async () => {
        await expectPasses(namespace, 3);
        return true;
      },
      { timeoutMs: 60_000, intervalMs: 500 },
    );
    const after = await namespace.get(ref);
    expect(after?.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    const { body } = await controlPlane.request(
      `/apis/sluice.dev/v1alpha1/namespaces/${namespace.name}/eventsourcemappings/orders`,
    );
    const managers = (body as ManagedObject).metadata.managedFields;
    expect(managers.filter(({ fieldsV1 }) => 'f:spec' in fieldsV1).map(({ manager }) => manager)).toEqual([
      'test',
    ]);
    expect(managers.map(({ manager }) => manager)).toContain('sluice-status');
  });

  const events = async (
    namespace: TestNamespace,
  ): Promise<readonly { readonly reason: string; readonly note: string }[]> => {
    const path = `/apis/events.k8s.io/v1/namespaces/${namespace.name}/events`;
    const { body } = await controlPlane.request(path);
    return (body as { items: { reason: string; note: string }[] }).items;
  };

  /** Settled mappings are looked at again for drift; each look is a pass. */
  async function expectPasses(namespace: TestNamespace, count: number): Promise<void> {
    const written = controller.lines.filter(
      (line) => line['message'] === 'The mapping is ready' && line['mapping'] === `${namespace.name}/orders`,
    );
    expect(written).toHaveLength(1);
    const passes = await controller.metric('controller_runtime_reconcile_total', { result: 'requeue_after' });
    baseline ??= passes ?? 0;
    expect((passes ?? 0) - baseline).toBeGreaterThanOrEqual(count);
  }
  let baseline: number | undefined;

  it('repairs what somebody changed at AWS', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    await namespace.apply(manifest({ eventSourceARN, batchSize: 4 }));
    await ready(namespace);
    const [mapping] = await atAws(eventSourceARN);
    await lambda.send(new UpdateEventSourceMappingCommand({ UUID: mapping?.UUID, BatchSize: 9 }));
    await eventually(async () => (await atAws(eventSourceARN))[0]?.BatchSize === 4, {
      timeoutMs: 40_000,
      intervalMs: 500,
    });
    await controller.logged('The AWS mapping differs', { mapping: `${namespace.name}/orders` });
    expect(conditionOf(await ready(namespace), 'Drifted')?.status).toBe('False');
  });

  it('switches on what somebody switched off, counts it, and keeps AWS’s reason in an Event', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    await namespace.apply(manifest({ eventSourceARN }));
    await ready(namespace);
    const [mapping] = await atAws(eventSourceARN);
    await lambda.send(new UpdateEventSourceMappingCommand({ UUID: mapping?.UUID, Enabled: false }));
    await eventually(async () => (await events(namespace)).some(({ note }) => note.includes('`enabled`')), {
      timeoutMs: 30_000,
    });
    const told = (await events(namespace)).find(({ reason }) => reason === 'DifferenceFound');
    expect(told?.note).toContain('USER_INITIATED');
    await eventually(async () => (await atAws(eventSourceARN))[0]?.State === 'Enabled', {
      timeoutMs: 30_000,
    });
    await ready(namespace);
    const corrected = await controller.metric('sluice_drift_corrected_total', { field: 'enabled' });
    expect(corrected).toBeGreaterThanOrEqual(1);
  });

  it('replaces the AWS mapping where that is allowed, and refuses it where it is not', async () => {
    await using namespace = await tenant();
    const [first, second] = [await queue(), await queue()];
    await namespace.apply(manifest({ eventSourceARN: first }));
    await ready(namespace);
    await namespace.apply(manifest({ eventSourceARN: second }));
    const refused = await namespace.waitForCondition(ref, {
      type: 'Stalled',
      reason: 'CreateOnlyFieldChanged',
    });
    expect(conditionOf(refused, 'Stalled')?.message).toContain('`replacementPolicy: Recreate`');
    expect(await atAws(second)).toEqual([]);
    await namespace.apply(manifest({ eventSourceARN: second, replacementPolicy: 'Recreate' }));
    await ready(namespace);
    expect((await atAws(first)).filter(({ State }) => State !== 'Deleting')).toEqual([]);
    expect(await atAws(second)).toMatchObject([{ State: 'Enabled' }]);
    await eventually(async () => {
      const told = (await events(namespace)).find(({ reason }) => reason === 'Replacing');
      return told?.note.includes('Messages wait in the queue') === true;
    });
  });

  it('finds again what it created when it was killed before it could store the UUID', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    await using proxy = await startAwsFaultProxy(aws.endpoint);
    // The mapping is made, and nobody ever hears of it.
    proxy.inject({ operation: 'CreateEventSourceMapping', fault: { kind: 'lostAnswer' }, times: 1 });
    proxy.inject({
      when: () => proxy.calls.some(({ fault }) => fault === 'lostAnswer'),
      fault: { kind: 'hang' },
    });
    await controller[Symbol.asyncDispose]();
    try {
      await using first = start(proxy.endpoint);
      await first.logged('Leading', {}, 30_000);
      await namespace.apply(manifest({ eventSourceARN }));
      await eventually(async () => (await atAws(eventSourceARN)).length === 1, { timeoutMs: 30_000 });
      await first.process.kill();
    } finally {
      controller = start();
    }
    const [created] = await atAws(eventSourceARN);
    const before = await namespace.get(ref);
    expect(before?.metadata.finalizers).toEqual(['sluice.dev/external-mapping']);
    expect(before?.status?.['mapping']).toBeUndefined();
    const object = await ready(namespace);
    expect(object.status?.['mapping']).toMatchObject({ uuid: created?.UUID });
    expect(await atAws(eventSourceARN)).toHaveLength(1);
  });

  /** What the controller wrote to AWS about a mapping, by the names of the calls. */
  const writesAbout = (uuid: string): readonly string[] =>
    seen.calls
      .filter(({ path, operation }) => path.includes(uuid) && !/^(Get|List)/.test(operation))
      .map(({ operation }) => operation);

  const existing = async (eventSourceARN: string, members: object = {}): Promise<string> => {
    const { UUID: uuid = '' } = await lambda.send(
      new CreateEventSourceMappingCommand({
        EventSourceArn: eventSourceARN,
        FunctionName: 'consumer',
        ...members,
      }),
    );
    await eventually(async () => (await atAws(eventSourceARN))[0]?.State === 'Enabled', {
      timeoutMs: 30_000,
    });
    return uuid;
  };

  it('shows a mapping that it only observes, with drift, and writes nothing to AWS', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    const uuid = await existing(eventSourceARN, { BatchSize: 5 });
    await namespace.apply(manifest({ eventSourceARN, managementPolicy: 'Observe', batchSize: 7 }));
    const object = await namespace.waitForCondition(ref, { type: 'Drifted', reason: 'DifferenceFound' });
    expect(conditionOf(object, 'Drifted')?.message).toContain('`batchSize`');
    expect(conditionOf(object, 'Ready')?.status).toBe('False');
    expect(object.status?.['mapping']).toMatchObject({ uuid, state: 'Enabled' });
    expect(object.metadata.finalizers).toBeUndefined();
    await namespace.apply(manifest({ eventSourceARN, managementPolicy: 'Observe', batchSize: 5 }));
    await ready(namespace);
    await namespace.delete(ref);
    await namespace.waitForAbsence(ref);
    expect(writesAbout(uuid)).toEqual([]);
    expect(seen.calls.some(({ path }) => path.includes(uuid))).toBe(true);
    expect(await atAws(eventSourceARN)).toMatchObject([{ UUID: uuid, State: 'Enabled' }]);
  });

  it('adopts a live mapping without a write, and lets it go as it was', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    const uuid = await existing(eventSourceARN, { BatchSize: 5, Tags: { team: 'a' } });
    await namespace.apply(manifest({ eventSourceARN, batchSize: 5 }));
    const refused = await namespace.waitForCondition(ref, { type: 'Stalled', reason: 'Conflict' });
    expect(conditionOf(refused, 'Stalled')?.message).toContain(`sluice.dev/adopt-uuid: ${uuid}`);
    await namespace.apply(manifest({ eventSourceARN, batchSize: 5, adoptionPolicy: 'IfExists' }));
    expect((await ready(namespace)).status?.['mapping']).toMatchObject({ uuid, adopted: true });
    await namespace.delete(ref);
    await namespace.waitForAbsence(ref);
    expect(writesAbout(uuid)).toEqual([]);
    expect(await atAws(eventSourceARN)).toMatchObject([{ UUID: uuid, State: 'Enabled', BatchSize: 5 }]);
  });

  it('denies what no class admits', async () => {
    await using stranger = await testNamespace(controlPlane, { team: 'another' });
    const eventSourceARN = await queue();
    await stranger.apply(manifest({ eventSourceARN }));
    const object = await stranger.waitForCondition(ref, { type: 'Stalled', reason: 'ClassNotPermitted' });
    expect(conditionOf(object, 'Ready')).toMatchObject({ status: 'False', reason: 'ClassNotPermitted' });
    expect(conditionOf(object, 'Stalled')?.message).toContain(stranger.name);
    expect(object.metadata.finalizers).toBeUndefined();
    expect(await atAws(eventSourceARN)).toEqual([]);

    await stranger.apply(manifest({ eventSourceARN, className: 'no-such-class' }));
    await stranger.waitForCondition(ref, { type: 'Stalled', reason: 'ClassNotFound' });
  });

  it('names the field of what this release does not do', async () => {
    await using namespace = await tenant();
    await namespace.apply(
      manifest({
        mode: 'Poller',
        eventSourceARN: await queue(),
        provisionedPollerConfig: { minimumPollers: 2 },
      }),
    );
    const object = await namespace.waitForCondition(ref, { type: 'Stalled', reason: 'NotSupported' });
    expect(conditionOf(object, 'Stalled')?.message).toContain('`provisionedPollerConfig`');
  });

  it('changes nothing while paused, goes on afterwards, and echoes a request', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    await namespace.apply(manifest({ eventSourceARN }));
    await ready(namespace);
    const annotate = (...pairs: readonly string[]) =>
      controlPlane.kubectl(['-n', namespace.name, 'annotate', `${resource}/orders`, '--overwrite', ...pairs]);
    await annotate('sluice.dev/paused=reconcile');
    await namespace.waitForCondition(ref, { type: 'Paused', reason: 'PausedReconcile' });
    await namespace.apply(
      manifest({ eventSourceARN, batchSize: 2 }, { annotations: { 'sluice.dev/paused': 'reconcile' } }),
    );
    await eventually(async () => {
      const object = await namespace.get(ref);
      expect(object?.status?.['observedGeneration']).toBe(2);
      expect(conditionOf(object as KubeObject, 'Ready')).toMatchObject({
        status: 'True',
        observedGeneration: 1,
      });
      return true;
    });
    expect(await atAws(eventSourceARN)).toMatchObject([{ BatchSize: 10 }]);

    await annotate('sluice.dev/paused-', 'sluice.dev/requestedAt=now-1');
    await ready(namespace);
    await eventually(async () => (await namespace.get(ref))?.status?.['lastHandledReconcileAt'] === 'now-1');
    expect(await atAws(eventSourceARN)).toMatchObject([{ BatchSize: 2 }]);

    await annotate('sluice.dev/paused=delivery');
    await namespace.waitForCondition(ref, { type: 'Paused', reason: 'PausedDelivery' });
    await eventually(async () => (await atAws(eventSourceARN))[0]?.State === 'Disabled');
    await namespace.delete(ref);
    await namespace.waitForAbsence(ref);
    // The emulator's List goes on showing a deleted mapping that was switched off; its Get says NotFound.
    const left = (await atAws(eventSourceARN)).filter(({ State }) => State !== 'Deleting');
    expect(left).toEqual([]);
  });

  it('stalls on a queue that does not exist with AWS’s own words, and lets the object go', async () => {
    await using namespace = await tenant();
    await namespace.apply(manifest({ eventSourceARN: queueArn('there-is-no-such-queue') }));
    const object = await namespace.waitForCondition(ref, { type: 'Ready', status: 'False' });
    expect(conditionOf(object, 'Ready')?.message).toMatch(/exist/i);
    await namespace.delete(ref);
    await namespace.waitForAbsence(ref);
  });

  it('leaves the AWS mapping under deletionPolicy Retain, and says so in an Event', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    await namespace.apply(manifest({ eventSourceARN, deletionPolicy: 'Retain' }));
    await ready(namespace);
    await namespace.delete(ref);
    await namespace.waitForAbsence(ref);
    expect(await atAws(eventSourceARN)).toHaveLength(1);
    await eventually(async () => {
      const { stdout } = await controlPlane.kubectl(['-n', namespace.name, 'get', 'events', '-o', 'json']);
      const reasons = (JSON.parse(stdout) as { items: { reason: string }[] }).items.map(
        ({ reason }) => reason,
      );
      expect(reasons).toEqual(expect.arrayContaining(['Created', 'Serving', 'Retained']));
      return true;
    });
  });

  it('tells in Poller mode that no poller is there, without a finalizer', async () => {
    await using namespace = await tenant();
    const poller = { target: { http: { service: { name: 'consumer', port: 80 } } } };
    await namespace.apply(manifest({ mode: 'Poller', eventSourceARN: await queue(), poller }));
    const object = await namespace.waitForCondition(ref, { type: 'Reconciling', reason: 'NoMember' });
    expect(conditionOf(object, 'Ready')).toMatchObject({ status: 'False', reason: 'NoMember' });
    expect(object.metadata.finalizers).toBeUndefined();
    await namespace.delete(ref);
    await namespace.waitForAbsence(ref);
  });

  it('lets the AWS mapping go before the cluster takes over', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    const poller = { target: { http: { service: { name: 'consumer', port: 80 } } } };
    await namespace.apply(manifest({ eventSourceARN, poller }));
    await ready(namespace);
    await namespace.apply(manifest({ eventSourceARN, poller, mode: 'Poller', handoverTo: 'Poller' }));
    const object = await namespace.waitForCondition(ref, {
      type: 'Ready',
      status: 'False',
      reason: 'NoMember',
    });
    expect(await atAws(eventSourceARN)).toEqual([]);
    expect(object.metadata.finalizers).toBeUndefined();
    expect(object.status?.['mapping']).toBeUndefined();
  });

  it('gives up the AWS mapping on request', async () => {
    await using namespace = await tenant();
    const eventSourceARN = await queue();
    await namespace.apply(manifest({ eventSourceARN }));
    await ready(namespace);
    await controlPlane.kubectl([
      '-n',
      namespace.name,
      'annotate',
      `${resource}/orders`,
      'sluice.dev/force-finalize=true',
    ]);
    await namespace.delete(ref);
    await namespace.waitForAbsence(ref);
    expect(await atAws(eventSourceARN)).toHaveLength(1);
  });
});

interface ManagedObject {
  readonly metadata: {
    readonly managedFields: readonly { readonly manager: string; readonly fieldsV1: object }[];
  };
}
