import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  PublishVersionCommand,
} from '@aws-sdk/client-lambda';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { HTTP } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { recordsOf } from '../support/consumer.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import {
  applyGitOpsKinds,
  applyServerSide,
  serverSideDiff,
  specManagers,
  type Manifest,
} from '../support/gitops.ts';
import { chartFolder, helm, type ChartValues } from '../support/helm.ts';
import { reply, startHttpSink } from '../support/http-sink.ts';
import { conditionOf, TestNamespace } from '../support/kube.ts';
import { blocksOf, readPages, repository } from '../support/markdown.ts';
import { TestQueue } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { startLambdaPod } from '../support/servers/lambda-rie.ts';
import { lambdaZip } from '../support/servers/lambda-zip.ts';
import { startLocalEmu } from '../support/servers/localemu.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { applyCrds } from '../support/shared-control-plane.ts';
import { startSluice, type Sluice } from '../support/sluice.ts';

/**
 * A cluster as an admin sets it up from this checkout: CRDs, the chart, the class of `examples`; and in it every
 * example, up to what it documents. Controller and pollers run with the arguments and the rights of the chart, no more.
 * The control plane is its own, since the end of the file takes Sluice away again.
 */
const region = 'eu-west-1';
const mapping = 'eventsourcemappings.sluice.dev';
const crd = `customresourcedefinition/${mapping}`;

let controlPlane: ControlPlane;
let shop: TestNamespace;
let sqsServer: AwsServer;
let lambdaServer: AwsServer | undefined;
let managedServer: AwsServer | undefined;
let sqs: SQSClient;
let controller: Sluice;
const processes: Sluice[] = [];

beforeAll(async () => {
  if (isAbsent('helm')) return;
  [controlPlane, sqsServer, lambdaServer, managedServer] = await Promise.all([
    startControlPlane(),
    startFauxqs(),
    isAbsent('ministack') ? undefined : startMiniStack(),
    isAbsent('localemu') ? undefined : startLocalEmu(),
  ]);
  sqs = new SQSClient({ endpoint: sqsServer.endpoint, region, credentials: { ...sqsServer.credentials } });
  await applyCrds(controlPlane);
  await kubectl('apply', '--validate=strict', '-f', 'examples/class/class.yaml');
  await release('install');
  await kubectl('create', 'namespace', 'shop');
  await kubectl('label', 'namespace', 'shop', 'sluice.dev/enabled=true');
  shop = new TestNamespace(controlPlane, 'shop');
  controller = await start('controller');
  await start('poller', 'poller-a');
  await start('poller', 'poller-b');
  await controller.logged('Leading');
}, 180_000);

afterAll(async () => {
  await Promise.all(processes.map(({ process }) => process.kill()));
  sqs?.destroy();
  for (const server of [controlPlane, sqsServer, lambdaServer, managedServer])
    await server?.[Symbol.asyncDispose]();
});

async function kubectl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await controlPlane.kubectl(args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** The chart, as an admin who has installed the CRDs before. */
function release(verb: 'install' | 'upgrade', values: ChartValues = {}): Promise<string> {
  const least = { clusterID: 'my-cluster', aws: { region }, crds: { install: false } };
  const where = ['--namespace', 'sluice-system', ...(verb === 'install' ? ['--create-namespace'] : [])];
  return helm([verb, 'sluice', chartFolder(), ...where, '--values', '-'], {
    kubeconfig: controlPlane.kubeconfig,
    input: JSON.stringify({ ...least, ...values }),
  });
}

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly serviceAccountName: string;
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly env?: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}

/** A process with the arguments, environment and rights of its Deployment, as far as a machine without pods allows. */
async function start(component: 'controller' | 'poller', member = ''): Promise<Sluice> {
  const name = component === 'poller' ? 'sluice-poller-default' : 'sluice-controller';
  const place = `/apis/apps/v1/namespaces/sluice-system/deployments/${name}`;
  const pod = ((await controlPlane.request(place)).body as Deployment).spec.template.spec;
  const [container] = pod.containers;
  if (container === undefined) throw new Error(`${name} has no container`);
  const { kubeconfig } = await controlPlane.serviceAccountAccess('sluice-system', pod.serviceAccountName);
  const surroundings = [
    '--kubeconfig',
    kubeconfig,
    '--namespace',
    'sluice-system',
    '--metrics-address',
    '127.0.0.1:0',
  ];
  const lambda = component === 'poller' ? lambdaServer : managedServer;
  const own =
    component === 'poller'
      ? ['--endpoint-address-override', '127.0.0.1', '--drain-receive-seconds', '1']
      : [];
  const process = startSluice([...container.args, ...surroundings, ...own], {
    ...awsEnvironment(sqsServer),
    // Without a server for it, calls of Lambda end at one that does not know it.
    ...(lambda === undefined ? {} : { AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint }),
    ...(component === 'poller' ? { SLUICE_MEMBER: member, SLUICE_POD_UID: randomUUID() } : {}),
    ...Object.fromEntries(
      (container.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
    ),
  });
  processes.push(process);
  await process.logged('Started', {}, 30_000);
  return process;
}

async function queue(name: string, attributes: Record<string, string> = {}): Promise<TestQueue> {
  const { QueueUrl = '' } = await sqs.send(
    new CreateQueueCommand({ QueueName: name, Attributes: attributes }),
  );
  return new TestQueue(sqs, name, `arn:aws:sqs:${region}:${sqsServer.accountId}:${name}`, QueueUrl);
}

/** A ready endpoint of the Service `service` for its port `portName`, at `port` of this machine. */
async function endpoint(service: string, portName: string, port: number): Promise<void> {
  await shop.apply({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-test`, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.1'], conditions: { ready: true } }],
    ports: [{ name: portName, port, protocol: 'TCP' }],
  });
}

const apply = (file: string): Promise<string> =>
  kubectl('-n', 'shop', 'apply', '--validate=strict', '-f', path.join(repository, 'examples', file));
const ready = (name: string): ReturnType<TestNamespace['waitForCondition']> =>
  shop.waitForCondition({ resource: mapping, name }, { type: 'Ready' });

describe.skipIf(isAbsent('helm'))('every manifest', () => {
  const files = ['examples', 'deploy'].flatMap((folder) =>
    fs
      .readdirSync(path.join(repository, folder), { recursive: true })
      .filter((name) => typeof name === 'string')
      .filter((name) => name.endsWith('.yaml'))
      // Objects that were captured, and tests for Argo CD.
      .filter((name) => !name.includes('resource_customizations'))
      // For kubectl and Helm themselves.
      .filter((name) => !/(kustomization|values)\.yaml$/.test(name))
      .map((name) => ({
        name: path.join(folder, name),
        text: fs.readFileSync(path.join(repository, folder, name), 'utf8'),
      })),
  );
  const shown = readPages()
    .flatMap(blocksOf)
    .filter(({ language, text }) => language === 'yaml' && text.includes('apiVersion:'))
    // A block within a list is indented as a whole.
    .map(({ page, line, text }) => ({ name: `${page}:${line}`, text: outdent(text) }));

  it('passes the strict validation of a real API server, which knows Applications and Kustomizations', async () => {
    const refused: string[] = [];
    await applyGitOpsKinds(controlPlane);
    for (const name of ['argocd', 'flux-system', 'billing']) await kubectl('create', 'namespace', name);
    const dryRun = async (texts: readonly string[], namespaced: boolean): Promise<string | undefined> => {
      const where = namespaced ? [] : ['-n', 'shop'];
      const args = [...where, 'apply', '--dry-run=server', '--validate=strict', '-f', '-'];
      const { code, stderr } = await controlPlane.kubectl(args, { input: texts.join('\n---\n') });
      return code === 0 ? undefined : stderr;
    };
    // All at once, since kubectl asks for all schemas each time it is called; one by one to name what is refused.
    for (const namespaced of [true, false]) {
      const manifests = [...files, ...shown].filter(({ text }) => /^ +namespace:/m.test(text) === namespaced);
      const texts = manifests.map(({ text }) => text);
      if ((await dryRun(texts, namespaced)) === undefined) continue;
      for (const { name, text } of manifests) {
        const problem = await dryRun([text], namespaced);
        if (problem !== undefined) refused.push(`${name}: ${problem}`);
      }
    }
    expect(files.length).toBeGreaterThan(7);
    expect(shown.length).toBeGreaterThan(5);
    expect(refused).toEqual([]);
  });
});

function outdent(text: string): string {
  const indent = /^ */.exec(text)?.[0] ?? '';
  return text.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
}

describe.skipIf(isAbsent('helm'))('every example', () => {
  it('may be applied before its consumer', async () => {
    await queue('orders', { VisibilityTimeout: '2' });
    await apply('sqs-http/mapping.yaml');
    const object = await ready('orders');
    const target = { type: 'TargetHealthy', status: 'False', reason: 'ServiceNotFound' };
    expect(conditionOf(object, 'TargetHealthy')).toMatchObject(target);
  });

  it('sqs-http delivers what its filter lets through, and again only what the consumer names as failed', async () => {
    const orders = await queue('orders', { VisibilityTimeout: '2' });
    await using sink = await startHttpSink({
      answer: (request) => {
        const failed = recordsOf(request).filter(
          ({ body, attributes }) => body.includes('unlucky') && attributes['ApproximateReceiveCount'] === '1',
        );
        return reply(200, {
          batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })),
        });
      },
    });
    await shop.serve('orders-consumer', sink.port);
    await apply('sqs-http/mapping.yaml');
    await ready('orders');
    await orders.send([
      '{"status":"placed","total":25,"id":"lucky"}',
      '{"status":"placed","total":25,"id":"unlucky"}',
      '{"status":"placed","total":5}',
      '{"status":"draft","total":25}',
    ]);
    await eventually(() => orders.isEmpty(), { timeoutMs: 20_000 });
    const ids = sink.requests.flatMap(recordsOf).map(({ body }) => (JSON.parse(body) as { id: string }).id);
    expect(ids.toSorted()).toEqual(['lucky', 'unlucky', 'unlucky']);
    expect(sink.requests[0]?.path).toBe('/orders');
  });

  it('sqs-fifo-http keeps the order of each group', async () => {
    const payments = await queue('payments.fifo', { FifoQueue: 'true' });
    await using sink = await startHttpSink();
    await shop.serve('payments-consumer', sink.port);
    await apply('sqs-fifo-http/mapping.yaml');
    await ready('payments');
    const bodies = Array.from({ length: 30 }, (_, index) => String(index));
    await payments.send(bodies, { group: (index) => `account-${index % 3}` });
    await eventually(() => payments.isEmpty(), { timeoutMs: 20_000 });
    const groups = Map.groupBy(
      sink.requests.flatMap(recordsOf),
      ({ attributes }) => attributes['MessageGroupId'] ?? '',
    );
    expect(groups.size).toBe(3);
    for (const records of groups.values()) {
      const numbers = records.map(({ body }) => Number(body));
      expect(numbers).toHaveLength(10);
      expect(numbers).toEqual(numbers.toSorted((left, right) => left - right));
    }
  });

  it.skipIf(isAbsent('ministack'))('sqs-lambda invokes the function by its alias', async () => {
    const invoices = await queue('invoices');
    await using sink = await startHttpSink();
    await withLambda(lambdaServer, async (lambda) => {
      await createFunction(
        lambda,
        'invoice-printer',
        `export const handler = async (event) => {
          await fetch('${sink.url}/', { method: 'POST', body: JSON.stringify(event) });
          return {};
        };`,
      );
      const { Version } = await lambda.send(new PublishVersionCommand({ FunctionName: 'invoice-printer' }));
      await lambda.send(
        new CreateAliasCommand({ FunctionName: 'invoice-printer', Name: 'live', FunctionVersion: Version }),
      );
    });
    await apply('sqs-lambda/mapping.yaml');
    await ready('invoices');
    await invoices.send(['1', '2']);
    await eventually(() => invoices.isEmpty(), { timeoutMs: 30_000 });
    expect(
      sink.requests
        .flatMap(recordsOf)
        .map(({ body }) => body)
        .toSorted(),
    ).toEqual(['1', '2']);
  });

  it.skipIf(isAbsent('aws-lambda-rie'))('sqs-lambda-container runs the function of an image', async () => {
    const thumbnails = await queue('thumbnails', { VisibilityTimeout: '2' });
    await using ledger = await startHttpSink();
    await using pod = await startLambdaPod({ ledgerUrl: ledger.url });
    await apply('sqs-lambda-container/function.yaml');
    await endpoint('thumbnailer', 'invoke', pod.port);
    await apply('sqs-lambda-container/mapping.yaml');
    await ready('thumbnails');
    await thumbnails.send(['{"n":1}', '{"fail":true}']);
    await eventually(() => thumbnails.isEmpty(), { timeoutMs: 20_000 });
    const begun = ledger.requests
      .map((request) => request.json() as { phase: string; event: { Records: { body: string }[] } })
      .filter(({ phase }) => phase === 'begin')
      .flatMap(({ event }) => event.Records.map(({ body }) => body));
    expect(begun.toSorted((one, other) => one.localeCompare(other))).toEqual([
      '{"fail":true}',
      '{"fail":true}',
      '{"n":1}',
    ]);
    expect(pod.process.end).toBeUndefined();
  });

  it('sqs-cloudevents delivers a batch of events', async () => {
    const signups = await queue('signups');
    await using sink = await startHttpSink();
    await shop.serve('signups-consumer', sink.port);
    await apply('sqs-cloudevents/mapping.yaml');
    await ready('signups');
    const [id] = await signups.send(['{"user":"a"}']);
    await eventually(() => signups.isEmpty(), { timeoutMs: 20_000 });
    const [request] = sink.requests;
    expect(request?.path).toBe('/events');
    const events = HTTP.toEvent({ headers: request?.headers ?? {}, body: request?.body });
    expect(events).toMatchObject([{ id, source: signups.arn, data: { user: 'a' } }]);
  });

  it.skipIf(isAbsent('localemu'))('sqs-managed has a live mapping at AWS', async () => {
    const server = managedServer ?? sqsServer;
    const aws = new SQSClient({ endpoint: server.endpoint, region, credentials: { ...server.credentials } });
    await aws.send(new CreateQueueCommand({ QueueName: 'shipments' }));
    aws.destroy();
    await withLambda(managedServer, (lambda) =>
      createFunction(lambda, 'shipment-tracker', 'export const handler = async () => ({});'),
    );
    await apply('sqs-managed/mapping.yaml');
    await ready('shipments');
    expect(await atAws()).toMatchObject([
      { State: 'Enabled', BatchSize: 10, FunctionResponseTypes: ['ReportBatchItemFailures'] },
    ]);
  });
});

describe.skipIf(isAbsent('helm'))('every example under GitOps', () => {
  const examples = fs
    .readdirSync(path.join(repository, 'examples'))
    .map((name) => path.join('examples', name, 'mapping.yaml'))
    .filter((file) => fs.existsSync(path.join(repository, file)))
    .concat('examples/class/class.yaml');

  it.each(examples)('%s shows no difference, whoever applies it and however, after a pass', async (file) => {
    const manifest = parse(fs.readFileSync(path.join(repository, file), 'utf8')) as Manifest;
    await kubectl('-n', 'shop', 'apply', '-f', file);
    const clientSide = await serverSideDiff(controlPlane, 'shop', manifest);
    expect(clientSide.predicted).toEqual(clientSide.live);

    await applyServerSide(controlPlane, 'shop', manifest);
    if (manifest.kind === 'EventSourceMapping') await expectPass(manifest.metadata.name);
    const serverSide = await serverSideDiff(controlPlane, 'shop', manifest, 'another-manager');
    expect(serverSide.predicted).toEqual(serverSide.live);
    expect(await kubectl('-n', 'shop', 'diff', '-f', file)).toBe('');
    // What the spec holds is from Git, and the controller has been over it.
    const managers = await specManagers(controlPlane, 'shop', manifest);
    expect(managers).toEqual(['argocd-controller', 'kubectl-client-side-apply']);
  });

  async function expectPass(name: string): Promise<void> {
    const token = randomUUID();
    const pair = `sluice.dev/requestedAt=${token}`;
    await kubectl('-n', 'shop', 'annotate', '--overwrite', `${mapping}/${name}`, pair);
    await eventually(
      async () => (await shop.get({ resource: mapping, name }))?.status?.['lastHandledReconcileAt'] === token,
      { timeoutMs: 20_000, what: `a pass over ${name}` },
    );
  }
});

describe.skipIf(isAbsent('helm'))('the rights of the chart', () => {
  it('suffice: no process was ever refused anything', async () => {
    for (const process of processes) {
      expect(await process.metric('rest_client_requests_total', { code: '200' })).toBeGreaterThan(0);
      expect(await process.metric('rest_client_requests_total', { code: '403' })).toBeUndefined();
    }
    const events = (outcome: string) => controller.metric('sluice_kubernetes_events_total', { outcome });
    expect(await events('written')).toBeGreaterThan(0);
    expect(await events('failed')).toBeUndefined();
  });

  it.each([
    { who: 'poller', verb: 'patch', group: 'sluice.dev', resource: 'eventsourcemappings/status' },
    { who: 'poller', verb: 'patch', group: 'sluice.dev', resource: 'eventsourcemappings' },
    { who: 'poller', verb: 'create', group: 'events.k8s.io', resource: 'events' },
    { who: 'poller', verb: 'get', group: '', resource: 'secrets' },
    { who: 'poller', verb: 'list', group: '', resource: 'secrets' },
    { who: 'poller', verb: 'create', group: 'coordination.k8s.io', resource: 'leases' },
    { who: 'controller', verb: 'get', group: '', resource: 'secrets' },
    { who: 'controller', verb: 'create', group: 'sluice.dev', resource: 'eventsourcemappings' },
    { who: 'controller', verb: 'delete', group: 'sluice.dev', resource: 'eventsourcemappings' },
    { who: 'controller', verb: 'patch', group: 'sluice.dev', resource: 'mappingclasses' },
  ])('do not let the $who $verb $resource of a tenant', async ({ who, resource: named, ...rest }) => {
    const [resource, subresource] = named.split('/');
    const attributes = { ...rest, resource, subresource };
    const { body } = await controlPlane.request('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      method: 'POST',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: {
          user: `system:serviceaccount:sluice-system:${who === 'poller' ? 'sluice-poller-default' : 'sluice-controller'}`,
          resourceAttributes: { namespace: 'shop', ...attributes },
        },
      },
    });
    expect(body).toMatchObject({ status: { allowed: false } });
  });

  it('let a poller take its Lease and report away when it ends', async () => {
    const places = [
      '/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases/sluice-poller-poller-b',
      '/apis/sluice.dev/v1alpha1/namespaces/sluice-system/pollerreports/poller-b',
    ];
    const statuses = async (): Promise<readonly number[]> =>
      Promise.all(places.map(async (place) => (await controlPlane.request(place)).status));
    expect(await statuses()).toEqual([200, 200]);
    await processes.find(({ lines }) => lines[0]?.['member'] === 'poller-b')?.[Symbol.asyncDispose]();
    expect(await statuses()).toEqual([404, 404]);
  });

  it('give one Secret of one namespace by a value, and what names it starts by itself', async () => {
    const secured = { resource: mapping, name: 'secured' };
    await sqs.send(new CreateQueueCommand({ QueueName: 'secured' }));
    const token = { valueFrom: { secretKeyRef: { name: 'orders-ca', key: 'ca.crt' } } };
    await shop.apply([
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'orders-ca' }, stringData: { 'ca.crt': 'x' } },
      {
        apiVersion: 'sluice.dev/v1alpha1',
        kind: 'EventSourceMapping',
        metadata: { name: 'secured' },
        spec: {
          mode: 'Poller',
          eventSourceARN: 'arn:aws:sqs:::secured',
          poller: {
            target: { http: { service: { name: 'orders-consumer', port: 80 }, headers: { 'X-T': token } } },
          },
        },
      },
    ]);
    const without = await shop.waitForCondition(secured, { type: 'Stalled', reason: 'SecretNotPermitted' });
    expect(conditionOf(without, 'Stalled')?.message).toContain(
      'shop/orders-ca may not be read: system:serviceaccount:sluice-system:sluice-poller-default must have a Role in shop',
    );
    await release('upgrade', { poller: { secretAccess: [{ namespace: 'shop', names: ['orders-ca'] }] } });
    const as = '--as=system:serviceaccount:sluice-system:sluice-poller-default';
    expect(
      (await controlPlane.kubectl(['-n', 'shop', 'auth', 'can-i', 'get', 'secret/orders-ca', as])).code,
    ).toBe(0);
    expect(
      (await controlPlane.kubectl(['-n', 'shop', 'auth', 'can-i', 'get', 'secret/other', as])).code,
    ).not.toBe(0);
    const allowed = await shop.waitForCondition(secured, { type: 'Ready', reason: 'Serving' });
    expect(conditionOf(allowed, 'Stalled')).toBeUndefined();
    await shop.delete(secured);
  });
});

describe.skipIf(isAbsent('helm') || isAbsent('localemu'))('uninstalling strands nothing', () => {
  const object = { resource: mapping, name: 'shipments' };
  const gone = (): Promise<boolean> =>
    eventually(async () => (await controlPlane.kubectl(['get', crd])).code !== 0, {
      timeoutMs: 30_000,
      intervalMs: 250,
      what: 'the end of the CRD',
    });
  const install = async (): Promise<void> => {
    await applyCrds(controlPlane);
    await apply('sqs-managed/mapping.yaml');
    await ready('shipments');
  };

  it('when the CRDs go first, while the controller runs', async () => {
    expect(await atAws()).toHaveLength(1);
    await kubectl('delete', crd, '--wait=false');
    await gone();
    expect(await atAws()).toEqual([]);
  });

  it('when they come back: controller and pollers go on with what is new', async () => {
    await install();
    expect(await atAws()).toHaveLength(1);
  });

  it('when the controller goes first, and comes again to finish', async () => {
    await apply('sqs-http/mapping.yaml');
    await controller[Symbol.asyncDispose]();
    await kubectl('delete', crd, '--wait=false');
    await shop.waitForAbsence({ resource: mapping, name: 'orders' });
    const left = await shop.get(object);
    expect(left?.metadata.finalizers).toContain('sluice.dev/external-mapping');
    expect(left?.metadata.deletionTimestamp).toBeDefined();
    controller = await start('controller');
    await gone();
    expect(await atAws()).toEqual([]);
  });

  it('when the controller never comes again, by giving the live mapping up; installed anew it is found', async () => {
    await install();
    const [live] = await atAws();
    await controller[Symbol.asyncDispose]();
    await kubectl('delete', crd, '--wait=false');
    await eventually(async () => (await shop.get(object))?.metadata.deletionTimestamp !== undefined);
    const escape = '[{"op": "remove", "path": "/metadata/finalizers"}]';
    expect(fs.readFileSync(path.join(repository, 'docs/how-to/uninstall.md'), 'utf8')).toContain(escape);
    await kubectl('-n', 'shop', 'patch', 'esm', 'shipments', '--type=json', '-p', escape);
    await gone();
    expect(await atAws()).toMatchObject([{ UUID: live?.UUID }]);
    await applyCrds(controlPlane);
    controller = await start('controller');
    await apply('sqs-managed/mapping.yaml');
    const again = await ready('shipments');
    expect(again.status?.['mapping']).toMatchObject({ uuid: live?.UUID });
    expect(conditionOf(again, 'Stalled')).toBeUndefined();
  });
});

async function withLambda<T>(
  server: AwsServer | undefined,
  work: (lambda: LambdaClient) => Promise<T>,
): Promise<T> {
  if (server === undefined) throw new Error('there is no server for Lambda');
  const lambda = new LambdaClient({
    endpoint: server.endpoint,
    region,
    credentials: { ...server.credentials },
  });
  try {
    return await work(lambda);
  } finally {
    lambda.destroy();
  }
}

async function createFunction(lambda: LambdaClient, name: string, source: string): Promise<void> {
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: `arn:aws:iam::${sqsServer.accountId}:role/test`,
      Code: { ZipFile: lambdaZip(source) },
    }),
  );
}

/** The live mappings of the queue `shipments`. */
function atAws() {
  return withLambda(managedServer, async (lambda) => {
    const answer = await lambda.send(
      new ListEventSourceMappingsCommand({
        EventSourceArn: `arn:aws:sqs:${region}:${sqsServer.accountId}:shipments`,
      }),
    );
    return answer.EventSourceMappings ?? [];
  });
}
