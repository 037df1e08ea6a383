/**
 * Secrets of HTTP targets on a real API server with real processes: they are used, followed, never shown, and what is
 * wrong with one is told by its field.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate, type TestCertificate } from '../support/certificates.ts';
import { bodiesOf, recordsOf } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import { reply, startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { conditionOf } from '../support/kube.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import { startRun } from '../support/sluice.ts';

let aws: AwsServer;
let fleet: TestFleet;

beforeAll(async () => {
  aws = await startFauxqs();
  fleet = await testFleet(sharedControlPlane(), aws);
  fleet.startController();
  const poller = fleet.startPoller('a', ['--secret-refresh-seconds', '1']);
  await poller.logged('Started', {}, 30_000);
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await aws[Symbol.asyncDispose]();
});

const esm = (name: string) => ({ resource: 'eventsourcemappings.sluice.dev', name });

function secret(name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
  return fleet.namespace.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData });
}

/** The certificate of a Service of the fleet's namespace. */
const serverCertificate = (name: string, issuer: TestCertificate): TestCertificate =>
  makeCertificate({ name, names: [`${name}.${fleet.namespace.name}.svc`], issuer });

const authority = (name: string): TestCertificate => makeCertificate({ name, isAuthority: true });

/** An HTTPS sink behind the Service `name`; with `clients` only for whom that authority has signed. */
function tlsSink(
  certificate: TestCertificate,
  more: { readonly port?: number; readonly clients?: TestCertificate } = {},
): Promise<HttpSink> {
  const { port, clients } = more;
  return startHttpSink({
    tls: {
      key: certificate.keyPem,
      cert: certificate.certPem,
      ...(clients === undefined ? {} : { ca: clients.certPem, requestCert: true }),
    },
    ...(port === undefined ? {} : { port }),
  });
}

/** A mapping of a new queue to the Service of the same name. */
async function mapping(
  name: string,
  target: Readonly<Record<string, unknown>>,
  scheme: 'http' | 'https' = 'https',
): Promise<{
  readonly queue: TestQueue;
  readonly edit: (to: Readonly<Record<string, unknown>>) => Promise<void>;
}> {
  // A call that the target cut off counts as failed: its message comes back after this time.
  const queue = await createQueue(aws, { visibilitySeconds: 2 });
  const edit = (to: Readonly<Record<string, unknown>>): Promise<void> => {
    const http = { service: { name, port: 80, scheme }, timeoutSeconds: 5, ...to };
    return fleet.namespace.apply(fleet.mapping(name, queue, name, { poller: { target: { http } } }));
  };
  await edit(target);
  return { queue, edit };
}

const healthy = (name: string, status: 'True' | 'False', reason: string) =>
  fleet.namespace.waitForCondition(esm(name), { type: 'TargetHealthy', status, reason });

const delivered = (sink: HttpSink, body: string) =>
  eventually(() => bodiesOf(sink).includes(body), { timeoutMs: 30_000, what: `delivery of ${body}` });

/** Sends messages one by one until the last one was received with what is asked for. */
async function sendUntil(queue: TestQueue, what: string, holds: () => boolean): Promise<void> {
  await eventually(
    async () => {
      await queue.send(['again']);
      return holds();
    },
    { timeoutMs: 30_000, intervalMs: 250, what },
  );
}

describe('a private authority', () => {
  it('is trusted as the Secret says, also when it is replaced', async () => {
    const [first, second] = [authority('First CA'), authority('Second CA')];
    await using sink = await tlsSink(serverCertificate('private', first));
    await fleet.serve('private', sink);
    const { queue, edit } = await mapping('private', {});
    await queue.send(['1']);
    const sick = await healthy('private', 'False', 'TargetUnreachable');
    expect(conditionOf(sick, 'TargetHealthy')?.message).toContain('TLS: ');
    expect(sink.requests).toHaveLength(0);

    await secret('private-ca', { 'ca.crt': first.certPem });
    await edit({ tls: { caSecretRef: { name: 'private-ca' } } });
    await delivered(sink, '1');
    await healthy('private', 'True', 'TargetSucceeded');
    // An outage of the target spends no receive.
    expect(
      sink.requests.flatMap(recordsOf).map(({ attributes }) => attributes['ApproximateReceiveCount']),
    ).toEqual(['1']);

    await secret('private-ca', { 'ca.crt': second.certPem });
    await sink.stop();
    await using renewed = await tlsSink(serverCertificate('private', second), { port: sink.port });
    await queue.send(['2']);
    await delivered(renewed, '2');
    await healthy('private', 'True', 'TargetSucceeded');
  });

  it('that has signed for another name is no help', async () => {
    const ca = authority('Some CA');
    await using sink = await tlsSink(serverCertificate('other-name', ca));
    await fleet.serve('misnamed', sink);
    await secret('misnamed-ca', { custom: ca.certPem });
    const tls = { caSecretRef: { name: 'misnamed-ca', key: 'custom' } };
    const { queue, edit } = await mapping('misnamed', { tls });
    await queue.send(['1']);
    const sick = await healthy('misnamed', 'False', 'TargetUnreachable');
    expect(conditionOf(sick, 'TargetHealthy')?.message).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(sink.requests).toHaveLength(0);
    await edit({ tls: { ...tls, serverName: `other-name.${fleet.namespace.name}.svc` } });
    await delivered(sink, '1');
  });
});

describe('a client certificate', () => {
  it('is shown to a target that asks for one, and followed when it is replaced', async () => {
    const [servers, first, second] = [
      authority('Servers'),
      authority('First clients'),
      authority('Second clients'),
    ];
    const certificate = serverCertificate('mutual', servers);
    const client = (issuer: TestCertificate) => {
      const { certPem, keyPem } = makeCertificate({ name: 'sluice', issuer });
      return { 'tls.crt': certPem, 'tls.key': keyPem };
    };
    await using sink = await tlsSink(certificate, { clients: first });
    await fleet.serve('mutual', sink);
    await secret('mutual-ca', { 'ca.crt': servers.certPem });
    await secret('mutual-client', client(second));
    const tls = { caSecretRef: { name: 'mutual-ca' }, clientCertSecretRef: { name: 'mutual-client' } };
    const { queue } = await mapping('mutual', { tls });
    await queue.send(['1']);
    await fleet.namespace.waitForCondition(esm('mutual'), { type: 'TargetHealthy', status: 'False' });
    expect(sink.requests).toHaveLength(0);

    await secret('mutual-client', client(first));
    await delivered(sink, '1');
    await healthy('mutual', 'True', 'TargetSucceeded');

    await secret('mutual-client', client(second));
    await sink.stop();
    await using renewed = await tlsSink(certificate, { clients: second, port: sink.port });
    await queue.send(['2']);
    await delivered(renewed, '2');
  });

  it('whose key belongs to another is found before anything is taken from the queue', async () => {
    const [one, two] = [authority('One'), authority('Two')];
    await using sink = await startHttpSink();
    await fleet.serve('mismatch', sink);
    await secret('mismatch', { 'tls.crt': one.certPem, 'tls.key': two.keyPem });
    const { queue } = await mapping('mismatch', { tls: { clientCertSecretRef: { name: 'mismatch' } } });
    await queue.send(['1']);
    const object = await fleet.namespace.waitForCondition(esm('mismatch'), {
      type: 'Stalled',
      reason: 'SecretInvalid',
    });
    const message = conditionOf(object, 'Stalled')?.message ?? '';
    expect(message).toContain('`poller.target.http.tls.clientCertSecretRef`');
    expect(message).not.toContain('BEGIN');
    expect(await queue.counts()).toEqual({ visible: 1, inFlight: 0 });
  });
});

describe('a header from a Secret', () => {
  it('arrives, is followed when it changes, and is never shown', async () => {
    const [former, current] = ['canary-former-5e1f', 'canary-current-9a2b'];
    // A consumer that fails and gives back what it was sent makes it no easier to find.
    await using sink = await startHttpSink({
      answer: ({ number, headers }) =>
        number % 2 === 1 ? reply(500, { errorMessage: headers['x-token'] }) : reply(200, {}),
    });
    await fleet.serve('header', sink);
    await secret('header', { token: former });
    const headers = { 'X-Token': { valueFrom: { secretKeyRef: { name: 'header', key: 'token' } } } };
    const { queue } = await mapping('header', { headers }, 'http');
    const tokens = (): readonly unknown[] => sink.requests.map((request) => request.headers['x-token']);
    await queue.send(['1']);
    await eventually(() => tokens().includes(former));
    await secret('header', { token: current });
    await sendUntil(queue, 'the new value', () => tokens().includes(current));
    // From then on the former is gone.
    const since = tokens().indexOf(current);
    expect(tokens().slice(since)).not.toContain(former);

    // A value that no header can carry leaves the former in use, and only its place is told.
    const poller = fleet.pollers[0];
    await secret('header', { token: `${current}-broken\n` });
    const warning = await poller?.logged(
      'Could not take a Secret over again, the former content stays in use',
      {
        mapping: `${fleet.namespace.name}/header`,
      },
    );
    expect(warning?.['detail']).toContain(
      '`poller.target.http.headers.X-Token`: the key "token" of the Secret "header"',
    );
    await sendUntil(queue, 'one more delivery', () => sink.requests.length > since + 3);
    expect(new Set(tokens().slice(since))).toEqual(new Set([current]));

    const object = await fleet.namespace.get(esm('header'));
    const { controlPlane, namespace, system } = fleet;
    const reports = await controlPlane.request(
      `/apis/sluice.dev/v1alpha1/namespaces/${system.name}/pollerreports`,
    );
    const events = await controlPlane.request(`/apis/events.k8s.io/v1/namespaces/${namespace.name}/events`);
    const metrics = await Promise.all(
      fleet.processes.map(async (process) => (await fetch(await process.metricsUrl())).text()),
    );
    const logs = fleet.processes.map(({ process }) => process.stdout + process.stderr);
    expect(JSON.stringify(reports.body)).toContain('header');
    expect(JSON.stringify(events.body)).toContain('header');
    const everything = [object, reports.body, events.body, metrics, logs];
    for (const place of everything) expect(JSON.stringify(place)).not.toMatch(/canary-(former|current)/);
  });

  it('that is missing stalls the mapping, which starts by itself when the Secret and its key are there', async () => {
    await using sink = await startHttpSink();
    await fleet.serve('late', sink);
    const headers = { 'X-Token': { valueFrom: { secretKeyRef: { name: 'late', key: 'token' } } } };
    const { queue } = await mapping('late', { headers }, 'http');
    await queue.send(['1']);
    const field = '`poller.target.http.headers.X-Token';
    const without = await fleet.namespace.waitForCondition(esm('late'), {
      type: 'Stalled',
      reason: 'SecretNotFound',
    });
    expect(conditionOf(without, 'Stalled')?.message).toContain(field);
    await secret('late', { other: 'x' });
    await eventually(async () => {
      const object = await fleet.namespace.get(esm('late'));
      const message = object === undefined ? undefined : conditionOf(object, 'Stalled')?.message;
      return message?.includes('the key "token" of the Secret "late", which must exist');
    });
    expect(await queue.counts()).toEqual({ visible: 1, inFlight: 0 });
    await secret('late', { token: 'here' });
    await delivered(sink, '1');
    expect(sink.requests[0]?.headers['x-token']).toBe('here');
    const running = await fleet.namespace.waitForCondition(esm('late'), { type: 'Ready', reason: 'Serving' });
    expect(conditionOf(running, 'Stalled')).toBeUndefined();
  });
});

describe.each([
  { format: 'LambdaInvoke', path: '/2015-03-31/functions/function/invocations', type: 'application/json' },
  { format: 'CloudEvents', path: '/', type: 'application/cloudevents-batch+json' },
])('the format $format', ({ format, path, type }) => {
  it('has client certificates and headers from Secrets, and follows them', async () => {
    const name = format.toLowerCase();
    const [servers, clients, others] = [authority('Servers'), authority('Clients'), authority('Others')];
    const client = (issuer: TestCertificate) => {
      const { certPem, keyPem } = makeCertificate({ name: 'sluice', issuer });
      return { 'tls.crt': certPem, 'tls.key': keyPem };
    };
    await using sink = await tlsSink(serverCertificate(name, servers), { clients });
    await fleet.serve(name, sink);
    await secret(`${name}-ca`, { 'ca.crt': servers.certPem });
    await secret(`${name}-client`, client(others));
    await secret(`${name}-token`, { token: 'former' });
    const { queue } = await mapping(name, {
      format,
      headers: { 'X-Token': { valueFrom: { secretKeyRef: { name: `${name}-token`, key: 'token' } } } },
      tls: { caSecretRef: { name: `${name}-ca` }, clientCertSecretRef: { name: `${name}-client` } },
    });
    await queue.send(['{"n":1}']);
    await fleet.namespace.waitForCondition(esm(name), { type: 'TargetHealthy', status: 'False' });
    expect(sink.requests).toHaveLength(0);

    await secret(`${name}-client`, client(clients));
    const first = await eventually(() => sink.requests[0], { timeoutMs: 30_000, what: 'a delivery' });
    expect(first).toMatchObject({ path, headers: { 'content-type': type, 'x-token': 'former' } });
    await secret(`${name}-token`, { token: 'current' });
    await sendUntil(queue, 'the new value', () => sink.requests.at(-1)?.headers['x-token'] === 'current');
  });
});

describe('without a cluster', () => {
  it.each([
    {
      http: { headers: { 'X-Token': { valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } } } },
      field: 'poller.target.http.headers.X-Token.valueFrom.secretKeyRef',
    },
    { http: { tls: { caSecretRef: { name: 'keys' } } }, field: 'poller.target.http.tls.caSecretRef' },
    {
      http: { tls: { clientCertSecretRef: { name: 'keys' } } },
      field: 'poller.target.http.tls.clientCertSecretRef',
    },
  ])('there are no Secrets, and $field is named', async ({ http, field }) => {
    const queue = await createQueue(aws);
    await queue.send(['1']);
    const manifest = {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name: 'orders' },
      spec: {
        mode: 'Poller',
        eventSourceARN: queue.arn,
        poller: { target: { http: { url: 'https://127.0.0.1:1/', ...http } } },
      },
    };
    await using run = startRun(JSON.stringify(manifest), { env: awsEnvironment(aws) });
    const line = await run.sluice.logged('Could not run a mapping', { reason: 'SecretNotFound' });
    expect(line['detail']).toBe(`\`${field}\`: Secret default/keys: there are no Secrets without a cluster`);
    expect(await queue.counts()).toEqual({ visible: 1, inFlight: 0 });
  });
});
