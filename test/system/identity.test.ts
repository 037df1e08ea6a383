/**
 * AWS called as tenants' own ServiceAccounts: controller and poller as the ServiceAccounts of the chart with nothing but
 * its rights, a real API server that makes the tokens and holds the chart's policy, an STS that checks them.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAwsFaultProxy, type AwsCall, type AwsFaultProxy } from '../support/aws-fault-proxy.ts';
import { bodiesOf } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import { renderChart, type RenderedObject } from '../support/helm.ts';
import { startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { conditionOf, testNamespace, type TestNamespace } from '../support/kube.ts';
import { startMappingEndpoint, type MappingEndpoint } from '../support/mapping-endpoint.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import type { AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import { isSignedWith, startStsEndpoint, type StsEndpoint } from '../support/sts-endpoint.ts';

const controlPlane = sharedControlPlane();
const release = `identity-${randomBytes(4).toString('hex')}`;
const audience = 'sts.amazonaws.com';
let aws: AwsServer;
let sqs: AwsFaultProxy;
let mappings: MappingEndpoint;
let lambda: AwsFaultProxy;
let sts: StsEndpoint;
let sink: HttpSink;
let system: TestNamespace;
/** The neighbour, with a ServiceAccount that the chart lets nobody use for the tenant. */
let other: TestNamespace;
let fleet: TestFleet;
/** Tokens of the processes, as their pods would have them. */
const tokens = { controller: '', poller: '' };

const accountNames = {
  controller: `${release}-sluice-controller`,
  poller: `${release}-sluice-poller-default`,
};
const roleOf = (name: string): string => `arn:aws:iam::000000000000:role/${release}-${name}`;
const subjectOf = (name: string, namespace = fleet.namespace.name): string =>
  `system:serviceaccount:${namespace}:${name}`;
const esm = (name: string) => ({ resource: 'eventsourcemappings.sluice.dev', name });

/** What of the chart lets its processes act; the processes themselves are started here. */
const isRight = ({ kind }: RenderedObject): boolean =>
  kind === 'ServiceAccount' || /Role|AdmissionPolicy/.test(kind);

function chart(tenant: string): Promise<readonly RenderedObject[]> {
  const names = ['orders', 'late', 'nameless', 'closed'];
  const values = {
    clusterID: 'test',
    crds: { install: false },
    rbac: { aggregateRoles: false },
    controller: { serviceAccountAccess: [{ namespace: tenant, names: ['orders'] }] },
    poller: { serviceAccountAccess: [{ namespace: tenant, names }] },
  };
  return renderChart(values, { release, namespace: system.name });
}

async function applyAccount(namespace: TestNamespace, name: string, roleARN?: string): Promise<void> {
  const annotations = roleARN === undefined ? {} : { 'eks.amazonaws.com/role-arn': roleARN };
  await namespace.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, annotations } });
  if (roleARN !== undefined) sts.trusts.set(roleARN, { subject: subjectOf(name, namespace.name), audience });
}

beforeAll(async () => {
  aws = await startFauxqs();
  sqs = await startAwsFaultProxy(aws.endpoint);
  mappings = await startMappingEndpoint();
  lambda = await startAwsFaultProxy(mappings.endpoint);
  sts = await startStsEndpoint();
  sink = await startHttpSink();
  system = await testNamespace(controlPlane);
  other = await testNamespace(controlPlane);
  const { body } = await controlPlane.request('/openid/v1/jwks', { accept: 'application/jwk-set+json' });
  sts.issuerKeys = (body as { keys: StsEndpoint['issuerKeys'] }).keys;
  if (sts.issuerKeys.length === 0) throw new Error('the API server publishes no key');
  const kubeconfigs = { controller: '', poller: '' };
  const env = {
    // Of the processes' own keys not one call may be made.
    AWS_ACCESS_KEY_ID: 'AKIAINSTALLATION',
    AWS_SECRET_ACCESS_KEY: 'installation',
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint,
    AWS_ENDPOINT_URL_STS: sts.url,
  };
  fleet = await testFleet(controlPlane, aws, { env, kubeconfigs, system, alsoWatch: [other] });
  const rights = (await chart(fleet.namespace.name)).filter(isRight);
  const applied = await controlPlane.kubectl(['apply', '-f', '-'], {
    input: rights.map((object) => JSON.stringify(object)).join('\n---\n'),
  });
  if (applied.code !== 0) throw new Error(applied.stderr);
  for (const component of ['controller', 'poller'] as const) {
    const access = await controlPlane.serviceAccountAccess(system.name, accountNames[component]);
    kubeconfigs[component] = access.kubeconfig;
    tokens[component] = access.token;
  }
  await fleet.namespace.apply({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'MappingClass',
    metadata: { name: fleet.className },
    spec: { namespaces: [fleet.namespace.name], pool: fleet.className, aws: { identity: 'ServiceAccount' } },
  });
  await fleet.serve('sink', sink);
  await applyAccount(fleet.namespace, 'orders', roleOf('orders'));
  await fleet.start(['a']);
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  const rights = (await chart('gone')).filter(isRight);
  await controlPlane.kubectl(['delete', '--ignore-not-found', '-f', '-'], {
    input: rights.map((object) => JSON.stringify(object)).join('\n---\n'),
  });
  for (const server of [sink, sts, lambda, mappings, sqs, aws]) await server[Symbol.asyncDispose]();
});

/** Calls of SQS that are about a queue. */
const callsOf = (queue: TestQueue): readonly AwsCall[] =>
  sqs.calls.filter(({ body }) => body.includes(queue.name));

async function applyMapping(
  serviceAccountName: string | undefined,
): Promise<{ readonly name: string; readonly queue: TestQueue }> {
  const queue = await createQueue(aws);
  await queue.send([queue.name]);
  const own = serviceAccountName === undefined ? {} : { aws: { serviceAccountName } };
  await fleet.namespace.apply(fleet.mapping(queue.name, queue, 'sink', own));
  return { name: queue.name, queue };
}

async function delivered(name: string): Promise<void> {
  await eventually(() => bodiesOf(sink).includes(name), { timeoutMs: 20_000, what: `delivery of ${name}` });
}

/** Waits until the source cannot be read for the reason, and gives the message. */
async function unread(name: string, reason: string): Promise<string> {
  const object = await fleet.namespace.waitForCondition(esm(name), {
    type: 'SourceHealthy',
    status: 'False',
    reason,
  });
  expect(conditionOf(object, 'Ready')?.status).toBe('False');
  // Its cause is outside the spec and may pass.
  expect(conditionOf(object, 'Stalled')).toBeUndefined();
  return conditionOf(object, 'SourceHealthy')?.message ?? '';
}

describe('AWS is called as the ServiceAccount that a mapping names', () => {
  it('in Poller mode: its token is shown to STS, and its role reads the queue', async () => {
    const { name, queue } = await applyMapping('orders');
    await delivered(name);
    await eventually(() => queue.isEmpty());
    const given = sts.webIdentities.filter(({ roleARN }) => roleARN === roleOf('orders'));
    // One role is assumed once, whatever number of clients share it.
    expect(given).toMatchObject([{ sessionName: `test@${fleet.namespace.name}`, tokenSeconds: 600 }]);
    const calls = callsOf(queue);
    expect(calls.map(({ operation }) => operation)).toContain('DeleteMessageBatch');
    for (const call of calls) expect(given.map(({ keys }) => isSignedWith(keys, call))).toEqual([true]);
  });

  it('in Managed mode: the mapping is made and deleted by its role', async () => {
    const name = 'managed-orders';
    await fleet.namespace.apply({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name },
      spec: {
        mode: 'Managed',
        className: fleet.className,
        eventSourceARN: `arn:aws:sqs:${aws.region}:000000000000:${name}`,
        functionName: `arn:aws:lambda:${aws.region}:000000000000:function:orders`,
        aws: { serviceAccountName: 'orders' },
      },
    });
    await fleet.namespace.waitForCondition(esm(name), { type: 'Reconciling', status: 'True' });
    await eventually(() => lambda.count('CreateEventSourceMapping') === 1);
    mappings.api.settle();
    const ready = await fleet.namespace.waitForCondition(esm(name), { type: 'Ready', status: 'True' });
    expect(ready['status']).toMatchObject({
      callerARN: `arn:aws:sts::000000000000:assumed-role/${roleOf('orders').split('/')[1]}/test@${fleet.namespace.name}`,
    });
    await fleet.namespace.delete(esm(name));
    await eventually(() => lambda.count('DeleteEventSourceMapping') > 0, { timeoutMs: 20_000 });
    mappings.api.settle();
    await eventually(async () => (await fleet.namespace.get(esm(name))) === undefined, { timeoutMs: 20_000 });
    const sessions = new Set(sts.webIdentities.map(({ keys }) => keys.sessionToken));
    const asked = lambda.calls.map(({ headers }) => String(headers['x-amz-security-token']));
    expect(asked.filter((session) => !sessions.has(session))).toEqual([]);
  });

  it('without a word of its token or keys in what the processes write', () => {
    const written = fleet.processes.map(({ process }) => process.stdout + process.stderr).join('');
    expect(written).toContain('orders');
    for (const { token, keys } of sts.webIdentities)
      for (const secret of [token, keys.secretAccessKey, keys.sessionToken])
        expect(written.includes(secret)).toBe(false);
  });
});

describe('a ServiceAccount that cannot be used', () => {
  it('is told and taken up as soon as it is there', async () => {
    const { name, queue } = await applyMapping('late');
    expect(await unread(name, 'ServiceAccountNotFound')).toBe(
      `there is no ServiceAccount ${fleet.namespace.name}/late`,
    );
    expect(callsOf(queue)).toEqual([]);
    await applyAccount(fleet.namespace, 'late', roleOf('late'));
    await delivered(name);
  });

  it('names no role', async () => {
    await applyAccount(fleet.namespace, 'nameless');
    const { name, queue } = await applyMapping('nameless');
    expect(await unread(name, 'ServiceAccountNotFound')).toContain('eks.amazonaws.com/role-arn');
    expect(callsOf(queue)).toEqual([]);
  });

  it('is not listed by the chart', async () => {
    await applyAccount(fleet.namespace, 'unlisted', roleOf('unlisted'));
    const { name, queue } = await applyMapping('unlisted');
    expect(await unread(name, 'ServiceAccountNotPermitted')).toBe(
      `system:serviceaccount:${system.name}:${accountNames.poller} must have the right to get serviceaccounts for ${fleet.namespace.name}/unlisted: list it in \`serviceAccountAccess\` of the chart`,
    );
    expect(callsOf(queue)).toEqual([]);
  });

  it('is the default one, where the mapping names none: it is listed no more than others', async () => {
    const { name } = await applyMapping(undefined);
    expect(await unread(name, 'ServiceAccountNotPermitted')).toContain(`${fleet.namespace.name}/default`);
  });

  it('is not trusted by the role that it names: another tenant’s', async () => {
    await applyAccount(other, 'theirs', roleOf('theirs'));
    await fleet.namespace.apply({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'closed', annotations: { 'eks.amazonaws.com/role-arn': roleOf('theirs') } },
    });
    const { name, queue } = await applyMapping('closed');
    const message = await unread(name, 'AssumeRoleFailed');
    expect(message).toContain(`sts:AssumeRoleWithWebIdentity on ${roleOf('theirs')}`);
    expect(message).toContain(`${fleet.namespace.name}/closed`);
    expect(sts.refusals).toContain(roleOf('theirs'));
    expect(callsOf(queue)).toEqual([]);
  });

  it('is of another namespace: there is no way to name it', async () => {
    await applyAccount(other, 'orders', roleOf('neighbour'));
    const crossing = { aws: { serviceAccountName: `${other.name}/orders` } };
    const result = await fleet.namespace.tryApply(
      fleet.mapping('crossing', await createQueue(aws), 'sink', crossing),
    );
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('serviceAccountName');
    expect(sts.webIdentities.filter(({ roleARN }) => roleARN === roleOf('neighbour'))).toEqual([]);
  });
});

describe('what the rights of the chart allow', () => {
  const ask = (token: string, name: string, spec: object, namespace = fleet.namespace.name) =>
    controlPlane.request(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
      method: 'POST',
      token,
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
    });

  it.each([
    {
      of: 'poller',
      spec: { audiences: [audience], expirationSeconds: 600 },
      status: 201,
      says: 'TokenRequest',
    },
    {
      of: 'poller',
      spec: { audiences: ['vault'], expirationSeconds: 600 },
      status: 422,
      says: "AWS's STS alone",
    },
    {
      of: 'controller',
      spec: { audiences: [audience, 'vault'], expirationSeconds: 600 },
      status: 422,
      says: "AWS's STS alone",
    },
    { of: 'controller', spec: { expirationSeconds: 600 }, status: 422, says: "AWS's STS alone" },
    { of: 'poller', spec: { audiences: [audience] }, status: 422, says: 'at most 600 seconds' },
    {
      of: 'poller',
      spec: { audiences: [audience], expirationSeconds: 3600 },
      status: 422,
      says: 'at most 600',
    },
  ] as const)('a token of $of for $spec: $status', async ({ of, spec, status, says }) => {
    const answer = await ask(tokens[of], 'orders', spec);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).toContain(says);
  });

  it('no token of an account that is not listed, nor in another namespace', async () => {
    const spec = { audiences: [audience], expirationSeconds: 600 };
    expect((await ask(tokens.poller, 'unlisted', spec)).status).toBe(403);
    expect((await ask(tokens.controller, 'late', spec)).status).toBe(403);
    expect((await ask(tokens.poller, 'late', spec, other.name)).status).toBe(403);
    // The admin is none of the policy's business.
    const free = await ask(controlPlane.token, 'orders', { audiences: ['vault'] });
    expect(free.status).toBe(201);
  });
});
