import { describe, expect, test } from 'vitest';
import { effective } from '../../../src/api/effective.ts';
import type { EventSourceMappingSpec, HttpTarget } from '../../../src/api/mapping.ts';
import { AwsClients } from '../../../src/aws/clients.ts';
import { installationIdentity } from '../../../src/aws/credentials.ts';
import { openTarget, targetKey, type OpenTarget, type TargetDeps } from '../../../src/fleet/open-target.ts';
import type { ServiceFollower, ServiceRef, ServiceState } from '../../../src/fleet/ports.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { messageOf, never, SluiceError } from '../../../src/lib/errors.ts';
import type { Invocation } from '../../../src/poller/ports.ts';
import { aMapping } from '../../support/builders.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { reply, startHttpSink } from '../../support/http-sink.ts';
import { aWork } from '../../support/pollers.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** The surroundings of a target, all in the hands of the test. */
class Surroundings implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly secrets = new Map<string, Readonly<Record<string, string>>>();
  readonly secretFailures: string[] = [];
  readonly follows = new Set<ServiceRef>();
  /** What the Services say as soon as they are followed; undefined for nothing yet. */
  serviceState: ServiceState | undefined;
  tell: (state: ServiceState) => void = () => undefined;
  readonly clients: AwsClients;

  constructor(lambdaEndpoint = 'http://127.0.0.1:1') {
    this.clients = new AwsClients({
      version: '0',
      clock: systemClock,
      region: 'eu-west-1',
      endpoints: { lambda: lambdaEndpoint },
      credentials: async () => ({ accessKeyId: 'a', secretAccessKey: 'b' }),
    });
  }

  readonly services: ServiceFollower = {
    follow: (ref, tell) => {
      this.follows.add(ref);
      this.tell = tell;
      queueMicrotask(() => {
        if (this.serviceState !== undefined) tell(this.serviceState);
      });
      return { [Symbol.dispose]: () => void this.follows.delete(ref) };
    },
  };

  get deps(): TargetDeps {
    return {
      clock: this.clock,
      random: () => 0.5,
      clients: this.clients,
      services: this.services,
      secrets: {
        read: (namespace, name) => {
          const data = this.secrets.get(name);
          const missing = new SluiceError('SecretNotFound', `there is no Secret ${namespace}/${name}`, never);
          return data === undefined ? Promise.reject(missing) : Promise.resolve(data);
        },
      },
      resolver: () => Promise.resolve(['127.0.0.1']),
      version: '0',
      newTraceId: () => '0af7651916cd43dd8448eb211c80319c',
      allowLoopbackEndpoints: true,
      onSecretFailure: (work, message) =>
        this.secretFailures.push(`${work.mapping.metadata.name}: ${message}`),
    };
  }

  open(spec: Partial<EventSourceMappingSpec>, signal = new AbortController().signal): Promise<OpenTarget> {
    const mapping = aMapping(spec);
    const work = { ...aWork('orders'), mapping, allowLoopback: true };
    return openTarget(this.deps, work, effective(mapping.spec, {}), installationIdentity, signal);
  }

  openHttp(http: HttpTarget): Promise<OpenTarget> {
    return this.open({ poller: { target: { http } } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clients[Symbol.asyncDispose]();
  }
}

const invocation: Invocation = { id: 'i', event: '{"Records":[]}', records: [], attempt: 1 };
const invoke = (target: OpenTarget) => target.invoke(invocation, new AbortController().signal);
const service = { service: { name: 'consumer', port: 80 } };
const minutes = 66_000;

describe('a Service as target', () => {
  test('is opened with the endpoints that are known, so that nobody sees a false alarm', async () => {
    await using around = new Surroundings();
    await using sink = await startHttpSink();
    around.serviceState = { kind: 'ready', endpoints: [{ address: '127.0.0.1', port: sink.port }] };
    const target = await around.openHttp(service);
    expect(target.unready?.()).toBeUndefined();
    expect(await invoke(target)).toMatchObject({ kind: 'delivered' });
    await target.close();
    expect(around.follows.size).toBe(0);
  });

  test('of which nothing is heard is opened all the same after five seconds, not ready', async () => {
    await using around = new Surroundings();
    const opening = around.openHttp(service);
    const target = await around.clock.runUntil(opening);
    expect(around.clock.monotonic()).toBe(5000);
    expect(target.unready?.()).toMatchObject({ reason: 'NoReadyEndpoint' });
    around.tell({ kind: 'refused', reason: 'ServiceNotFound', message: 'there is no Service' });
    expect(target.unready?.()).toEqual({ reason: 'ServiceNotFound', message: 'there is no Service' });
    around.tell({ kind: 'ready', endpoints: [] });
    expect(target.unready?.()).toEqual({
      reason: 'NoReadyEndpoint',
      message: 'Service shop/consumer has no ready endpoint',
    });
    await target.close();
    expect(around.clock.sleepers).toBe(0);
  });

  test('is no longer followed when the target cannot be made', async () => {
    await using around = new Surroundings();
    around.secrets.set('ca', { 'ca.crt': 'no certificate' });
    const tls = { caSecretRef: { name: 'ca' } };
    const https = { service: { ...service.service, scheme: 'https' as const }, tls };
    await expect(around.openHttp(https)).rejects.toMatchObject({ reason: 'SecretInvalid' });
    expect(around.follows.size).toBe(0);
  });
});

describe('Secrets', () => {
  test('that do not exist are named together with what refers to them', async () => {
    await using around = new Surroundings();
    around.secrets.set('key', { other: 'x' });
    const headers = { 'x-key': { valueFrom: { secretKeyRef: { name: 'key', key: 'token' } } } };
    const wrongKey = around.openHttp({ url: 'http://127.0.0.1:1/', headers });
    await expect(wrongKey).rejects.toMatchObject({ reason: 'SecretNotFound' });
    await expect(wrongKey).rejects.toThrow(/poller\.target\.http\.headers\.x-key.*"token".*"key"/);
    const tls = { caSecretRef: { name: 'nowhere' } };
    await expect(around.openHttp({ url: 'https://127.0.0.1:1/', tls })).rejects.toThrow(
      /poller\.target\.http\.tls\.caSecretRef.*shop\/nowhere/,
    );
  });

  test('are followed: a new CA is trusted without a restart, and a broken one changes nothing', async () => {
    await using around = new Surroundings();
    const [former, current] = ['former', 'current'].map((name) =>
      makeCertificate({ name, names: ['127.0.0.1'], isAuthority: true }),
    );
    if (former === undefined || current === undefined) throw new Error('no certificates');
    await using sink = await startHttpSink({ tls: { key: current.keyPem, cert: current.certPem } });
    around.secrets.set('ca', { 'ca.crt': former.certPem });
    const target = await around.openHttp({ url: `${sink.url}/`, tls: { caSecretRef: { name: 'ca' } } });
    expect(await invoke(target)).toMatchObject({ kind: 'unreachable' });
    around.secrets.set('ca', { 'ca.crt': current.certPem });
    await around.clock.advance(minutes);
    expect(await invoke(target)).toMatchObject({ kind: 'delivered' });

    around.secrets.set('ca', { 'ca.crt': 'no certificate' });
    await around.clock.advance(2 * minutes);
    expect(await invoke(target)).toMatchObject({ kind: 'delivered' });
    around.secrets.delete('ca');
    await around.clock.advance(2 * minutes);
    expect(await invoke(target)).toMatchObject({ kind: 'delivered' });
    // Each trouble is told once, not each minute, and never with what the Secret holds.
    expect(around.secretFailures).toEqual([
      expect.stringMatching(/^orders: .*caSecretRef.*PEM certificate/),
      'orders: `poller.target.http.tls.caSecretRef`: there is no Secret shop/ca',
    ]);
    expect(around.secretFailures.join()).not.toContain('no certificate');
    await target.close();
    expect(around.clock.sleepers).toBe(0);
  });

  test('are followed: a new header value is sent', async () => {
    await using around = new Surroundings();
    await using sink = await startHttpSink();
    around.secrets.set('key', { token: 'first' });
    const headers = { 'x-key': { valueFrom: { secretKeyRef: { name: 'key', key: 'token' } } } };
    const target = await around.openHttp({ url: `${sink.url}/`, headers });
    await invoke(target);
    around.secrets.set('key', { token: 'second' });
    await around.clock.advance(minutes);
    await invoke(target);
    expect(sink.requests.map((request) => request.headers['x-key'])).toEqual(['first', 'second']);
    await target.close();
  });
});

describe('a function as target', () => {
  const timeout = (seconds: number) => reply(200, { Timeout: seconds });

  test('is called within its own time-out, which is followed', async () => {
    await using lambda = await startHttpSink({ answer: timeout(3) });
    await using around = new Surroundings(lambda.url);
    const target = await around.open({ functionName: 'orders', poller: {} });
    expect([target.timeoutMs, target.declaredTimeoutMs()]).toEqual([3000, 3000]);
    lambda.answer(timeout(300));
    await around.clock.advance(6 * 60_000);
    await eventually(() => target.timeoutMs === 300_000);
    lambda.answer(reply(200, 'null'));
    expect(await invoke(target)).toMatchObject({ kind: 'delivered' });
    expect(around.clients.size).toBe(1);
    await target.close();
    expect(around.clients.size).toBe(0);
  });

  test('is given the longest time while its own may not be read, and keeps what was read once', async () => {
    await using lambda = await startHttpSink({ answer: reply(403, { message: 'no' }) });
    await using around = new Surroundings(lambda.url);
    const target = await around.open({ functionName: 'orders', poller: {} });
    expect([target.timeoutMs, target.declaredTimeoutMs()]).toEqual([900_000, undefined]);
    lambda.answer(timeout(3));
    await around.clock.advance(6 * 60_000);
    await eventually(() => target.declaredTimeoutMs() === 3000);
    lambda.answer(reply(403, { message: 'no' }));
    const asked = lambda.requests.length;
    await around.clock.advance(6 * 60_000);
    await eventually(() => lambda.requests.length > asked);
    expect(target.timeoutMs).toBe(3000);
    await target.close();
  });
});

describe('the target stays over a change', () => {
  const keyOf = (spec: Partial<EventSourceMappingSpec>): string => {
    const mapping = aMapping(spec);
    return targetKey({ ...aWork('orders'), mapping }, effective(mapping.spec, {}));
  };
  const before = keyOf({});

  test.each([
    { why: 'the batch size', spec: { batchSize: 5 }, stays: true },
    { why: 'the filters', spec: { filterCriteria: { filters: [{ pattern: '{}' }] } }, stays: true },
    { why: 'whether it is enabled', spec: { enabled: false }, stays: true },
    {
      why: 'the port',
      spec: { poller: { target: { http: { service: { name: 'consumer', port: 81 } } } } },
      stays: false,
    },
    {
      why: 'the time-out',
      spec: { poller: { target: { http: { ...service, timeoutSeconds: 5 } } } },
      stays: false,
    },
    { why: 'a function instead', spec: { functionName: 'orders', poller: {} }, stays: false },
  ])('of $why: $stays', ({ spec, stays }) => {
    expect(keyOf(spec) === before).toBe(stays);
  });

  test('messages of errors name the field', async () => {
    await using around = new Surroundings();
    const error: unknown = await around
      .openHttp({ url: 'http://169.254.169.254/' })
      .catch((reason: unknown) => reason);
    expect(messageOf(error)).toContain('`poller.target.http.url`');
  });
});
