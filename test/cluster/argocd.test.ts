import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { argoCdEngine, type ArgoCdEngine } from '../support/argocd-lua.ts';
import { CapturedObjects } from '../support/captured.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import {
  applyServerSide,
  liveObject,
  serverSideDiff,
  specManagers,
  type Manifest,
} from '../support/gitops.ts';
import { startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { conditionOf, type KubeObject } from '../support/kube.ts';
import { startMappingEndpoint, type MappingEndpoint } from '../support/mapping-endpoint.ts';
import { repository } from '../support/markdown.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { queueArn, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';

/**
 * The objects of `deploy/argocd` and what its actions do, on a real API server with a real controller and poller.
 * Every file of `testdata` is compared with an object that is brought into its situation here; the same files are what
 * the health script is tested with (test/contract/argocd.test.ts). `SLUICE_CAPTURE=1` writes them anew.
 */
const tree = path.join(repository, 'deploy/argocd/resource_customizations/sluice.dev/EventSourceMapping');
const script = (file: string): string => fs.readFileSync(path.join(tree, file), 'utf8');

describe.skipIf(isAbsent('argocd-lua'))('what Argo CD sees of a mapping', () => {
  const controlPlane = sharedControlPlane();
  const names = new Map<string, string>();
  const captured = new CapturedObjects(path.join(tree, 'testdata'), names);
  const manifests = new Map<string, Manifest>();
  const queues = new Map<string, TestQueue>();
  let aws: AwsServer;
  let lambda: MappingEndpoint;
  let sink: HttpSink;
  let fleet: TestFleet;
  let engine: ArgoCdEngine;

  beforeAll(async () => {
    [aws, lambda, sink, engine] = await Promise.all([
      startFauxqs(),
      startMappingEndpoint(),
      startHttpSink(),
      argoCdEngine(),
    ]);
    fleet = await testFleet(controlPlane, aws, { env: { AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint } });
    names.set(fleet.namespace.name, 'shop').set(fleet.className, 'standard');
    lambda.refuseCreate = ({ FunctionName: name }) =>
      name === 'not-there-yet'
        ? { status: 404, code: 'ResourceNotFoundException', message: 'Function not found: not-there-yet' }
        : undefined;
  }, 300_000);
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]();
    await lambda?.[Symbol.asyncDispose]();
    await sink?.[Symbol.asyncDispose]();
    await aws?.[Symbol.asyncDispose]();
  });

  const live = (name: string): Promise<KubeObject> =>
    liveObject(controlPlane, fleet.namespace.name, { ...manifestOf(name) });
  /** Where objects are not as their files say, once they have had time to be. */
  async function differences(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const found: string[] = [];
    for (const [file, name] of Object.entries(files))
      found.push(...(await captured.differences(`${file}.yaml`, () => live(name))));
    return found;
  }
  const manifestOf = (name: string): Manifest => {
    const found = manifests.get(name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  };

  /** Applies a mapping as Argo CD does; files show it, its queue and its Service as `orders`. */
  async function apply(name: string, spec: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const queue = queues.get(name) ?? (await createQueue(aws));
    queues.set(name, queue);
    names.set(name, 'orders').set(queue.name, 'orders');
    const manifest = fleet.mapping(name, queue, name, spec) as unknown as Manifest;
    manifests.set(name, manifest);
    await applyServerSide(controlPlane, fleet.namespace.name, manifest);
  }
  const applyManaged = (name: string, spec: Readonly<Record<string, unknown>> = {}): Promise<void> =>
    apply(name, { mode: 'Managed', functionName: 'consumer', poller: undefined, ...spec });

  /** What Argo CD does for a button: the script over the live object, its patch to the API server. */
  async function run(action: string, name: string): Promise<object> {
    const [answer] = await engine.ask([
      { kind: 'action', script: script(`actions/${action}/action.lua`), object: await live(name) },
    ]);
    const patch = answer?.patch ?? {};
    const place = `/apis/sluice.dev/v1alpha1/namespaces/${fleet.namespace.name}/eventsourcemappings/${name}`;
    const { status, body } = await controlPlane.request(place, { method: 'PATCH', body: patch });
    if (status !== 200) throw new Error(JSON.stringify(body));
    return patch;
  }
  const enabled = async (name: string): Promise<readonly string[]> => {
    const offered = await engine.offered(script('actions/discovery.lua'), await live(name));
    return offered.filter(({ disabled }) => disabled !== true).map((action) => action.name);
  };

  it('is a new object before the controller looks at it, and one without a member afterwards', async () => {
    await apply('orders-new');
    expect(await differences({ 'progressing-new': 'orders-new' })).toEqual([]);
    fleet.startController(['--aws-requests-per-second', '15']);
    expect(await differences({ 'progressing-no-member': 'orders-new' })).toEqual([]);
    fleet.startPoller('poller-a');
  });

  it('is what the controller refuses', async () => {
    const stranger = await createQueue(aws);
    await lambda.api.create({
      EventSourceArn: stranger.arn,
      FunctionName: 'consumer',
      Tags: { 'sluice.dev/cluster': 'another', 'sluice.dev/namespace': 'shop', 'sluice.dev/name': 'orders' },
    });
    queues.set('orders-foreign', stranger);
    const closed = `closed-${fleet.className}`;
    names.set(closed, 'closed');
    await applyServerSide(controlPlane, '', {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'MappingClass',
      metadata: { name: closed },
      spec: { namespaces: ['warehouse'] },
    });
    await Promise.all([
      apply('orders-unclassed', { className: 'no-such-class' }),
      apply('orders-denied', { className: closed }),
      apply('orders-invalid', { filterCriteria: { filters: [{ pattern: '{"body": "text"}' }] } }),
      apply('orders-provisioned', { provisionedPollerConfig: { minimumPollers: 2 } }),
      applyManaged('orders-foreign'),
      applyManaged('orders-early', { functionName: 'not-there-yet' }),
    ]);
    expect(
      await differences({
        'degraded-class-not-found': 'orders-unclassed',
        'degraded-class-not-permitted': 'orders-denied',
        'degraded-invalid-spec': 'orders-invalid',
        'degraded-not-supported': 'orders-provisioned',
        'degraded-foreign-owner': 'orders-foreign',
        'progressing-retry': 'orders-early',
      }),
    ).toEqual([]);
    await controlPlane.request(`/apis/sluice.dev/v1alpha1/mappingclasses/${closed}`, { method: 'DELETE' });
  });

  it('is a live AWS mapping that is created, changed, handed over and deleted', async () => {
    await Promise.all([applyManaged('orders-live'), applyManaged('orders-moving')]);
    expect(await differences({ 'progressing-managed-creating': 'orders-live' })).toEqual([]);
    await fleet.namespace.waitForCondition(ref('orders-moving'), { type: 'Reconciling' });
    lambda.api.settle();
    expect(await differences({ 'healthy-managed': 'orders-live' })).toEqual([]);
    await fleet.namespace.waitForCondition(ref('orders-moving'), { type: 'Ready' });

    const poller = { target: { http: { service: { name: 'orders-moving', port: 80 } } } };
    await Promise.all([
      applyManaged('orders-live', { batchSize: 5 }),
      applyManaged('orders-moving', { poller, mode: 'Poller', handoverTo: 'Poller' }),
    ]);
    expect(
      await differences({
        'progressing-managed-updating': 'orders-live',
        'progressing-handing-over': 'orders-moving',
      }),
    ).toEqual([]);
    lambda.api.settle();
    await fleet.namespace.waitForCondition(ref('orders-live'), { type: 'Ready' });

    await fleet.namespace.delete(ref('orders-live'));
    expect(await differences({ 'progressing-deleting': 'orders-live' })).toEqual([]);
    lambda.api.settle();
    await fleet.namespace.waitForAbsence(ref('orders-live'));
  });

  it('is a mapping that a poller runs, whatever its consumer does', async () => {
    await fleet.pollers[0]?.logged('Started', {}, 60_000);
    await Promise.all(['orders-serving', 'orders-edited'].map((name) => fleet.serve(name, sink)));
    await Promise.all([
      apply('orders-serving'),
      apply('orders-edited'),
      apply('orders-early-bird'),
      apply('orders-off', { enabled: false }),
      apply('orders-lost', { eventSourceARN: queueArn('orders-lost') }),
    ]);
    await queues.get('orders-serving')?.send(['1']);
    expect(
      await differences({
        'healthy-serving': 'orders-serving',
        'healthy-consumer-away': 'orders-early-bird',
        'healthy-disabled': 'orders-off',
        'progressing-queue-not-found': 'orders-lost',
      }),
    ).toEqual([]);
  });

  it('is an edit that the controller has not seen', async () => {
    await fleet.namespace.waitForCondition(ref('orders-edited'), { type: 'Ready' });
    fleet.controller?.process.signal('SIGSTOP');
    try {
      await apply('orders-edited', { batchSize: 7 });
      expect(await differences({ 'progressing-edited': 'orders-edited' })).toEqual([]);
    } finally {
      fleet.controller?.process.signal('SIGCONT');
    }
  });

  describe('with the actions', () => {
    const name = 'orders-serving';
    const annotation = (value: string | null): object => ({
      metadata: { annotations: { 'sluice.dev/paused': value } },
    });

    it('pause, which a sync does not undo', async () => {
      expect(await enabled(name)).toEqual(['pause', 'pause-delivery', 'reconcile']);
      expect(await run('pause', name)).toEqual(annotation('reconcile'));
      expect(await differences({ 'suspended-reconcile': name })).toEqual([]);
      await apply(name);
      expect((await live(name)).metadata.annotations).toEqual({ 'sluice.dev/paused': 'reconcile' });
      expect(await enabled(name)).toEqual(['pause-delivery', 'resume']);
    });

    it('pause-delivery, after which no record is taken', async () => {
      expect(await run('pause-delivery', name)).toEqual(annotation('delivery'));
      expect(await differences({ 'suspended-delivery': name })).toEqual([]);
      expect(await enabled(name)).toEqual(['resume']);
    });

    it('resume, after which records flow again', async () => {
      expect(await run('resume', name)).toEqual(annotation(null));
      const object = await eventually(
        async () => {
          const found = await live(name);
          return conditionOf(found, 'Paused') === undefined && conditionOf(found, 'Ready')?.status === 'True'
            ? found
            : undefined;
        },
        { timeoutMs: 20_000 },
      );
      expect(object.metadata.annotations ?? {}).toEqual({});
      await queues.get(name)?.send(['2']);
      await eventually(() => sink.requests.some(({ body }) => body.includes('"body":"2"')), {
        timeoutMs: 20_000,
      });
    });

    it('reconcile, which the controller echoes', async () => {
      await run('reconcile', name);
      const { annotations = {} } = (await live(name)).metadata;
      const token = annotations['sluice.dev/requestedAt'] ?? '';
      expect(token).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      await eventually(async () => (await live(name)).status?.['lastHandledReconcileAt'] === token);
    });
  });

  it('has its spec from Git alone, and shows no difference to a second manager, in every situation', async () => {
    const checked: string[] = [];
    for (const [name, manifest] of manifests) {
      if (name === 'orders-live') continue;
      const { live: before, predicted } = await serverSideDiff(
        controlPlane,
        fleet.namespace.name,
        manifest,
        'another-manager',
      );
      expect(predicted).toEqual(before);
      expect(await specManagers(controlPlane, fleet.namespace.name, manifest)).toEqual(['argocd-controller']);
      checked.push(name);
    }
    expect(checked.length).toBeGreaterThan(10);
  });

  it('is in no other file of testdata', () => {
    expect(fs.readdirSync(path.join(tree, 'testdata')).toSorted()).toEqual(captured.files.toSorted());
  });
});

function ref(name: string): { readonly resource: string; readonly name: string } {
  return { resource: 'eventsourcemappings.sluice.dev', name };
}
