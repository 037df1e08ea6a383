/** What keeps tenants apart, on a real API server with real processes: classes, identities, Services, URLs. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAwsFaultProxy, type AwsCall, type AwsFaultProxy } from '../support/aws-fault-proxy.ts';
import { bodiesOf } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import { startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { conditionOf, testNamespace, type TestNamespace } from '../support/kube.ts';
import { environmentOfNames } from '../support/names-preload.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import type { AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import { isSignedWith, startStsEndpoint, type StsEndpoint } from '../support/sts-endpoint.ts';

/** Host names of the poller alone. */
const names = {
  'imds.test': ['169.254.169.254'],
  'imds6.test': ['fd00:ec2::254'],
  'loopback.test': ['127.0.0.1'],
  'mixed.test': ['198.51.100.7', '127.0.0.1'],
  'nowhere.test': [],
};

const controlPlane = sharedControlPlane();
let aws: AwsServer;
let proxy: AwsFaultProxy;
let sts: StsEndpoint;
let sink: HttpSink;
/** The neighbour, with a Service and a Secret of its own. */
let other: TestNamespace;
let fleet: TestFleet;
const classes: string[] = [];

beforeAll(async () => {
  aws = await startFauxqs();
  proxy = await startAwsFaultProxy(aws.endpoint);
  sts = await startStsEndpoint();
  sink = await startHttpSink();
  other = await testNamespace(controlPlane);
  const env = {
    ...environmentOfNames(names),
    AWS_ENDPOINT_URL_SQS: proxy.endpoint,
    AWS_ENDPOINT_URL_STS: sts.url,
  };
  fleet = await testFleet(controlPlane, aws, { alsoWatch: [other], env });
  await fleet.serve('sink', sink);
  await fleet.start(['a']);
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  for (const name of classes) await deleteClass(name);
  for (const server of [sink, sts, proxy, aws]) await server[Symbol.asyncDispose]();
});

const esm = (name: string) => ({ resource: 'eventsourcemappings.sluice.dev', name });
const unique = (prefix: string): string => `${prefix}-${randomBytes(4).toString('hex')}`;

/** A class of the fleet's pool. */
async function applyClass(name: string, spec: Readonly<Record<string, unknown>>): Promise<string> {
  classes.push(name);
  await fleet.namespace.apply({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'MappingClass',
    metadata: { name },
    spec: { pool: fleet.className, ...spec },
  });
  return name;
}

async function deleteClass(name: string): Promise<void> {
  await controlPlane.request(`/apis/sluice.dev/v1alpha1/mappingclasses/${name}`, { method: 'DELETE' });
}

/** Calls of the poller that are about a queue. */
const callsOf = (queue: TestQueue): readonly AwsCall[] =>
  proxy.calls.filter(({ body }) => body.includes(queue.name));

/** Applies a mapping of a new queue in a namespace, with one message waiting in the queue. */
async function applyMapping(
  spec: Readonly<Record<string, unknown>> = {},
  namespace: TestNamespace = fleet.namespace,
): Promise<{ readonly name: string; readonly queue: TestQueue }> {
  const queue = await createQueue(aws);
  const name = queue.name;
  await queue.send([name]);
  await namespace.apply({
    ...fleet.mapping(name, queue, 'sink', spec),
    metadata: { name, namespace: namespace.name },
  });
  return { name, queue };
}

const http = (target: Readonly<Record<string, unknown>>) => ({ poller: { target: { http: target } } });

/** Waits until the mapping is stalled for the reason, and gives the message. */
async function stalled(
  name: string,
  reason: string,
  namespace: TestNamespace = fleet.namespace,
): Promise<string> {
  const object = await namespace.waitForCondition(esm(name), { type: 'Stalled', reason });
  expect(conditionOf(object, 'Ready')).toMatchObject({ status: 'False', reason });
  return conditionOf(object, 'Stalled')?.message ?? '';
}

/** A mapping that runs now: the poller has seen everything that was applied before it. */
async function witness(): Promise<void> {
  const { name } = await applyMapping();
  await fleet.namespace.waitForCondition(esm(name), { type: 'Ready', reason: 'Serving' });
  await delivered(name);
}

/** Waits until the message of a mapping's queue is there. */
async function delivered(name: string): Promise<void> {
  await eventually(() => bodiesOf(sink).includes(name), { timeoutMs: 20_000, what: `delivery of ${name}` });
}

describe('a namespace that no class admits', () => {
  it('gets nothing done, until the class is edited, and again when the class is gone', async () => {
    const className = await applyClass(unique('edited'), { namespaces: [other.name] });
    const { name, queue } = await applyMapping({ className });
    expect(await stalled(name, 'ClassNotPermitted')).toBe(
      `MappingClass "${className}" does not admit the namespace "${fleet.namespace.name}"`,
    );
    await witness();
    expect(callsOf(queue)).toEqual([]);

    await applyClass(className, { namespaces: [other.name, fleet.namespace.name] });
    const running = await fleet.namespace.waitForCondition(esm(name), { type: 'Ready', reason: 'Serving' });
    expect(running.metadata.generation).toBe(1);
    expect(conditionOf(running, 'Stalled')).toBeUndefined();
    await delivered(name);

    await deleteClass(className);
    await stalled(name, 'ClassNotFound');
    await witness();
    // What the last long poll brings is given back.
    await queue.send(['nobody delivers it']);
    await eventually(
      async () => (await fleet.pollers[0]?.metric('sluice_polls_total', { mapping: name })) === undefined,
      { timeoutMs: 30_000, what: 'the end of the poller of a mapping without a class' },
    );
    const before = callsOf(queue).length;
    expect(await queue.counts()).toEqual({ visible: 1, inFlight: 0 });
    await witness();
    expect(callsOf(queue)).toHaveLength(before);
    expect(bodiesOf(sink)).not.toContain('nobody delivers it');
  });

  it('runs as soon as it has the labels that the class asks for, and no longer', async () => {
    const team = unique('team');
    const className = await applyClass(unique('selecting'), { namespaceSelector: { matchLabels: { team } } });
    const { name, queue } = await applyMapping({ className });
    await stalled(name, 'ClassNotPermitted');
    await witness();
    expect(callsOf(queue)).toEqual([]);
    const label = (value: string | null) =>
      controlPlane.request(`/api/v1/namespaces/${fleet.namespace.name}`, {
        method: 'PATCH',
        body: { metadata: { labels: { team: value } } },
      });
    await label(team);
    await delivered(name);
    await fleet.namespace.waitForCondition(esm(name), { type: 'Ready', reason: 'Serving' });
    await label(null);
    await stalled(name, 'ClassNotPermitted');
  });

  it.each([
    { spec: { className: 'there-is-none' }, reason: 'ClassNotFound', why: 'a class that does not exist' },
    {
      spec: { aws: { roleARN: 'arn:aws:iam::000000000000:role/admin' } },
      reason: 'ClassNotPermitted',
      why: 'a role, where the class has the identity Installation',
    },
    {
      spec: { aws: { serviceAccountName: 'admin' } },
      reason: 'ClassNotPermitted',
      why: 'a ServiceAccount, where the class has the identity Installation',
    },
  ])('is stalled without one call of SQS: $why', async ({ spec, reason }) => {
    const { name, queue } = await applyMapping(spec);
    await stalled(name, reason);
    await witness();
    expect(callsOf(queue)).toEqual([]);
  });
});

describe('the identity Role', () => {
  const pattern = 'arn:aws:iam::000000000000:role/sluice-{namespace}';
  const roleOf = (namespace: TestNamespace): string => pattern.replace('{namespace}', namespace.name);

  it('reads the queues of each namespace with the keys of its own role', async () => {
    const className = await applyClass(unique('roles'), {
      namespaces: [fleet.namespace.name, other.name],
      aws: { identity: 'Role', roleARN: pattern },
    });
    await other.serve('sink', sink.port);
    const own = await applyMapping({ className });
    const foreign = await applyMapping({ className }, other);
    await Promise.all([delivered(own.name), delivered(foreign.name)]);
    await eventually(async () => (await own.queue.isEmpty()) && (await foreign.queue.isEmpty()));
    for (const [namespace, { queue }] of [
      [fleet.namespace, own],
      [other, foreign],
    ] as const) {
      const given = sts.of(roleOf(namespace));
      // One role is assumed once, whatever number of clients share it.
      expect(given).toEqual([
        {
          roleARN: roleOf(namespace),
          externalID: `test/${namespace.name}`,
          // `/` is not allowed in a session name.
          sessionName: `test@${namespace.name}`,
          caller: aws.credentials.accessKeyId,
          keys: expect.any(Object) as object,
        },
      ]);
      const operations = new Set(callsOf(queue).map(({ operation }) => operation));
      expect(operations).toContain('ReceiveMessage');
      expect(operations).toContain('DeleteMessageBatch');
      for (const call of callsOf(queue)) {
        expect(given.map(({ keys }) => isSignedWith(keys, call))).toEqual([true]);
      }
    }
  });

  it("is not the tenant's to choose", async () => {
    const className = await applyClass(unique('roles'), {
      namespaces: [fleet.namespace.name],
      aws: { identity: 'Role', roleARN: pattern },
    });
    const wanted = roleOf(other);
    const { name, queue } = await applyMapping({ className, aws: { roleARN: wanted } });
    expect(await stalled(name, 'ClassNotPermitted')).toBe(
      `\`aws.roleARN\` must be "${roleOf(fleet.namespace)}" in MappingClass "${className}"; found "${wanted}"`,
    );
    await witness();
    expect(callsOf(queue)).toEqual([]);
    const asked = sts.assumed.filter(({ externalID }) => externalID === `test/${fleet.namespace.name}`);
    expect(asked.map(({ roleARN }) => roleARN)).not.toContain(wanted);
  });

  it('that cannot be assumed is told as such, and taken up when it can', async () => {
    const roleARN = `arn:aws:iam::000000000000:role/${unique('closed')}`;
    sts.denied.add(roleARN);
    const className = await applyClass(unique('closed'), {
      namespaces: [fleet.namespace.name],
      aws: { identity: 'Role', roleARN },
    });
    const { name, queue } = await applyMapping({ className });
    const sick = await fleet.namespace.waitForCondition(esm(name), {
      type: 'SourceHealthy',
      status: 'False',
      reason: 'AssumeRoleFailed',
    });
    expect(conditionOf(sick, 'SourceHealthy')?.message).toContain(roleARN);
    expect(conditionOf(sick, 'Ready')?.status).toBe('False');
    expect(conditionOf(sick, 'Stalled')).toBeUndefined();
    expect(callsOf(queue)).toEqual([]);
    sts.denied.delete(roleARN);
    await fleet.namespace.waitForCondition(esm(name), { type: 'SourceHealthy', reason: 'ReadSucceeded' });
    await delivered(name);
  });
});

describe('tenants are apart', () => {
  beforeAll(async () => {
    await other.apply([
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'theirs' },
        spec: { selector: { app: 'theirs' }, ports: [{ port: 80 }] },
      },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'theirs' }, stringData: { token: 'x' } },
    ]);
  });

  it('a Service of another namespace is none', async () => {
    const { name } = await applyMapping(http({ service: { name: 'theirs', port: 80 } }));
    const object = await fleet.namespace.waitForCondition(esm(name), {
      type: 'TargetHealthy',
      status: 'False',
      reason: 'ServiceNotFound',
    });
    expect(conditionOf(object, 'TargetHealthy')?.message).toContain(`${fleet.namespace.name}/theirs`);
  });

  it('a Secret of another namespace is none', async () => {
    const headers = { 'X-Token': { valueFrom: { secretKeyRef: { name: 'theirs', key: 'token' } } } };
    const { name, queue } = await applyMapping(http({ service: { name: 'sink', port: 80 }, headers }));
    expect(await stalled(name, 'SecretNotFound')).toBe(
      `\`poller.target.http.headers.X-Token.valueFrom.secretKeyRef\`: there is no Secret ${fleet.namespace.name}/theirs`,
    );
    expect(callsOf(queue)).toEqual([]);
  });

  it.each([
    {
      type: 'ExternalName',
      spec: { type: 'ExternalName', externalName: 'imds.test' },
      why: 'leads elsewhere',
    },
    { type: 'selectorless', spec: { ports: [{ port: 80 }] }, why: 'its endpoints are written by hand' },
  ])('a Service is refused that is $type: $why', async ({ spec }) => {
    const service = unique('svc');
    await fleet.namespace.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: service }, spec });
    const { name } = await applyMapping(http({ service: { name: service, port: 80 } }));
    const object = await fleet.namespace.waitForCondition(esm(name), {
      type: 'TargetHealthy',
      status: 'False',
      reason: 'ServiceNotPermitted',
    });
    expect(conditionOf(object, 'TargetHealthy')?.message).toContain(`${fleet.namespace.name}/${service}`);
  });

  it.each([
    { address: '169.254.169.254', addressType: 'IPv4', why: 'metadata' },
    { address: '127.0.0.1', addressType: 'IPv4', why: 'loopback' },
    { address: 'fe80::1', addressType: 'IPv6', why: 'link-local' },
    { address: '::1', addressType: 'IPv6', why: 'loopback' },
  ])('the API server takes no EndpointSlice with $address: $why', async ({ address, addressType }) => {
    const result = await fleet.namespace.tryApply({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: unique('slice'), labels: { 'kubernetes.io/service-name': 'sink' } },
      addressType,
      endpoints: [{ addresses: [address] }],
      ports: [{ port: 80, protocol: 'TCP' }],
    });
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('endpoints[0].addresses[0]');
  });

  it('a tenant with every right in its own namespace reaches nothing of others or of Sluice', async () => {
    const user = unique('tenant');
    await fleet.namespace.apply([
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: user },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
      },
    ]);
    const kubeconfig = controlPlane.userKubeconfig({ user });
    const can = async (verb: string, resource: string, namespace?: string): Promise<boolean> => {
      const where = namespace === undefined ? [] : ['-n', namespace];
      const args = ['auth', 'can-i', verb, resource, ...where, '-q'];
      return (await controlPlane.kubectl(args, { kubeconfig })).code === 0;
    };
    expect(await can('update', 'eventsourcemappings.sluice.dev', fleet.namespace.name)).toBe(true);
    const denied = [
      ['get', 'secrets', other.name],
      ['get', 'eventsourcemappings.sluice.dev', other.name],
      ['update', 'eventsourcemappings.sluice.dev', other.name],
      ['get', 'mappingcheckpoints.sluice.dev', fleet.system.name],
      ['update', 'mappingcheckpoints.sluice.dev', fleet.system.name],
      ['get', 'pollerreports.sluice.dev', fleet.system.name],
      ['update', 'pollerreports.sluice.dev', fleet.system.name],
      ['update', 'leases.coordination.k8s.io', fleet.system.name],
      ['create', 'mappingclasses.sluice.dev'],
      ['update', 'mappingclasses.sluice.dev'],
      ['patch', 'namespaces'],
    ] as const;
    for (const [verb, resource, namespace] of denied) {
      expect({ verb, resource, can: await can(verb, resource, namespace) }).toMatchObject({ can: false });
    }
  });
});

describe('URLs', () => {
  let className: string;
  beforeAll(async () => {
    className = await applyClass(unique('urls'), {
      namespaces: [fleet.namespace.name],
      targets: { allowedURLs: [`http://*.test:${sink.port}/{namespace}/*`, 'http://169.254.169.254'] },
    });
  });
  const urlOf = (host: string, namespace = fleet.namespace): string =>
    `http://${host}:${sink.port}/${namespace.name}/events`;

  it.each([
    { url: () => urlOf('imds.example.com'), why: 'a host that no pattern admits' },
    { url: () => urlOf('loopback.test', other), why: "another tenant's path" },
    { url: () => `${urlOf('loopback.test')}/..%2f..%2fadmin`, why: 'an escaped way out of the own path' },
    { url: () => 'http://169.254.169.254/latest/meta-data', why: 'metadata, whatever the class says' },
  ])('that are not allowed stall the mapping without one call of SQS: $why', async ({ url }) => {
    const { name, queue } = await applyMapping({ className, ...http({ url: url() }) });
    expect(await stalled(name, 'UrlNotPermitted')).toContain('`poller.target.http.url`');
    await witness();
    expect(callsOf(queue)).toEqual([]);
  });

  it.each([
    { host: 'imds.test', shown: 'a link-local or metadata address (169.254.169.254)', why: 'metadata' },
    { host: 'imds6.test', shown: 'a metadata address', why: 'metadata over IPv6' },
    { host: 'loopback.test', shown: 'a loopback address', why: 'the poller itself' },
    { host: 'mixed.test', shown: 'a loopback address (127.0.0.1)', why: 'one bad address among good ones' },
  ])(
    'that are allowed but resolve to what must not be reached are not connected to: $why',
    async ({ host, shown }) => {
      const before = sink.connections;
      const { name, queue } = await applyMapping({ className, ...http({ url: urlOf(host) }) });
      const object = await fleet.namespace.waitForCondition(esm(name), {
        type: 'TargetHealthy',
        status: 'False',
        reason: 'UrlNotPermitted',
      });
      expect(conditionOf(object, 'TargetHealthy')?.message).toContain(
        `${host} must not be reached: it is ${shown}`,
      );
      expect(sink.connections).toBe(before);
      const { visible, inFlight } = await queue.counts();
      expect(visible + inFlight).toBe(1);
    },
  );

  it('that are allowed and only cannot be resolved may pass', async () => {
    const { name } = await applyMapping({ className, ...http({ url: urlOf('nowhere.test') }) });
    const object = await fleet.namespace.waitForCondition(esm(name), {
      type: 'TargetHealthy',
      status: 'False',
      reason: 'TargetUnreachable',
    });
    expect(conditionOf(object, 'Ready')?.status).toBe('True');
  });
});
