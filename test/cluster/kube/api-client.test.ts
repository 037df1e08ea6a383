import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { group, resources, version } from '../../../src/api/meta.ts';
import { ApiClient } from '../../../src/kube/api-client.ts';
import type { RequestEvent } from '../../../src/kube/calls.ts';
import { tokenAccess } from '../../../src/kube/cluster-access.ts';
import { EventRecorder, type EventRecorderEvent } from '../../../src/kube/event-recorder.ts';
import { loadAccess } from '../../../src/kube/kube-config.ts';
import { LeaderElector } from '../../../src/kube/leader-election.ts';
import { leaseAccess } from '../../../src/kube/lease.ts';
import { events, resource, type KubeList, type KubeObject } from '../../../src/kube/resource.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { kubeApiSuite } from '../../contract/kube/kube-api-suite.ts';
import { eventually } from '../../support/eventually.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { testNamespace, type TestNamespace } from '../../support/kube.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { startProcess } from '../../support/processes.ts';
import { sharedControlPlane } from '../../support/shared-control-plane.ts';

let namespace: TestNamespace;
let client: ApiClient;
const requests: RequestEvent[] = [];
const signal = new AbortController().signal;

beforeAll(async () => {
  const controlPlane = sharedControlPlane();
  namespace = await testNamespace(controlPlane);
  const access = await loadAccess({ kubeconfig: controlPlane.kubeconfig });
  client = new ApiClient({ access, clock: systemClock, observe: (event) => requests.push(event) });
});

afterAll(async () => {
  await client.close();
  await namespace[Symbol.asyncDispose]();
});

kubeApiSuite('the client with a real API server', {
  api: () => client,
  namespace: () => namespace.name,
  withStatus: {
    resource: resource({ group, version, ...resources.mapping }),
    body: {
      spec: {
        mode: 'Managed',
        eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:orders',
        functionName: 'orders',
      },
    },
  },
});

describe('access', () => {
  it('goes through kubectl proxy, which speaks plain HTTP on this machine, watches included', async () => {
    const { info, kubeconfig } = sharedControlPlane();
    await using proxy = startProcess({
      name: 'kubectl proxy',
      command: path.join(info.bin, 'kubectl'),
      args: ['proxy', '--port=0', `--kubeconfig=${kubeconfig}`],
    });
    const server = await eventually(() => {
      const address = /Starting to serve on (\S+)/.exec(proxy.stdout)?.[1];
      return address === undefined ? undefined : `http://${address}`;
    });
    using folder = tempFolder();
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'proxy',
      clusters: [{ name: 'proxy', cluster: { server } }],
      contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: '' } }],
    };
    const access = await loadAccess({ kubeconfig: folder.write('config', JSON.stringify(config)) });
    await using own = new ApiClient({ access, clock: systemClock });
    const collection = `/api/v1/namespaces/${namespace.name}/configmaps`;
    await own.create(collection, { metadata: { name: 'by-proxy' } }, { signal });
    const leave = new AbortController();
    const query = { watch: true, fieldSelector: 'metadata.name=by-proxy' };
    for await (const line of await own.watch(collection, { query, signal: leave.signal })) {
      expect(JSON.parse(line)).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'by-proxy' } } });
      break;
    }
    leave.abort();
  });

  it('is refused without rights, with `Forbidden`, and says who and what', async () => {
    const { server, ca, restrictedToken } = sharedControlPlane();
    await using own = new ApiClient({ access: tokenAccess(server, restrictedToken, ca), clock: systemClock });
    await expect(own.list('/api/v1/secrets', { signal })).rejects.toMatchObject({
      reason: 'Forbidden',
      status: 403,
      message: expect.stringMatching(/^list \/api\/v1\/secrets: 403 Forbidden: .*nobody.*cannot list/),
    });
  });

  it('is refused with an unknown token, with `Unauthorized`', async () => {
    const { server, ca } = sharedControlPlane();
    await using own = new ApiClient({ access: tokenAccess(server, 'unknown', ca), clock: systemClock });
    await expect(own.list('/api/v1/secrets', { signal })).rejects.toMatchObject({ reason: 'Unauthorized' });
  });

  it('renews a token that is refused, once', async () => {
    const { server, ca, token } = sharedControlPlane();
    const good = await tokenAccess(server, token, ca).credentials();
    const bad = await tokenAccess(server, 'old', ca).credentials();
    let renewals = 0;
    await using own = new ApiClient({
      access: {
        ...tokenAccess(server, token, ca),
        credentials: (renew) => {
          if (renew !== true) return Promise.resolve(renewals === 0 ? bad : good);
          renewals++;
          return Promise.resolve(good);
        },
      },
      clock: systemClock,
    });
    await own.get('/api/v1/namespaces/default', { signal });
    await own.get('/api/v1/namespaces/default', { signal });
    expect(renewals).toBe(1);
  });

  it('does not trust another authority', async () => {
    const { server, token } = sharedControlPlane();
    await using own = new ApiClient({ access: tokenAccess(server, token), clock: systemClock });
    await expect(own.get('/api', { signal })).rejects.toMatchObject({
      reason: 'ConnectionFailed',
      message: expect.stringContaining('certificate'),
    });
  });
});

it('reports every attempt for the rest_client metrics', async () => {
  requests.length = 0;
  await client.get('/api/v1/namespaces/default', { signal });
  await client.get('/api/v1/namespaces/missing', { signal }).catch(() => undefined);
  const host = new URL(sharedControlPlane().server).host;
  const common = { kind: 'request', verb: 'get', method: 'GET', host, durationMs: expect.any(Number) };
  expect(requests).toEqual([
    { ...common, code: '200' },
    { ...common, code: '404' },
  ]);
});

it('Events are taken by the API server: first, repeated, long, and about objects without a namespace', async () => {
  const seen: EventRecorderEvent[] = [];
  const recorder = new EventRecorder({
    api: client,
    clock: systemClock,
    random: Math.random,
    reportingController: 'sluice.dev/controller',
    reportingInstance: 'pod-1',
    observe: (event) => seen.push(event),
  });
  const stop = new AbortController();
  const run = recorder.run(stop.signal);
  const regarding = { apiVersion: 'v1', kind: 'ConfigMap', namespace: namespace.name, name: 'a', uid: 'u' };
  const common = { type: 'Normal', reason: 'Tested', action: 'Test' } as const;
  for (let repeat = 0; repeat < 3; repeat++)
    recorder.record({ ...common, regarding, note: '🚰'.repeat(500) });
  recorder.record({
    ...common,
    regarding: { apiVersion: 'v1', kind: 'Namespace', name: namespace.name, uid: 'u' },
    note: 'x',
  });
  await eventually(() => seen.length === 4);
  stop.abort();
  await run;
  // Those about one object are written one after another, others beside them.
  const written = (repeated: boolean) => ({ kind: 'written', reason: 'Tested', repeated });
  expect(
    seen.toSorted((a, b) => Number('repeated' in a && a.repeated) - Number('repeated' in b && b.repeated)),
  ).toEqual([false, false, true, true].map(written));
  const list = await client.list<KubeList<KubeObject & { series?: { count: number } }>>(
    events.collection(namespace.name),
    { signal },
  );
  expect(list.items.map(({ series }) => series?.count)).toEqual([3]);
});

it('a write whose answer was lost neither loses leadership nor makes a second leader', async () => {
  const { server, ca, token } = sharedControlPlane();
  await using proxy = await startFaultProxy({ target: { server, ca } });
  await using through = new ApiClient({ access: tokenAccess(proxy.url, token), clock: systemClock });
  const lease = leaseAccess(through, namespace.name, 'election', 2000);
  const times = { leaseDurationMs: 3000, renewDeadlineMs: 2000, retryPeriodMs: 200 };
  const stop = new AbortController();
  const starts: string[] = [];
  const failed: string[] = [];
  const run = ['a', 'b'].map((identity) =>
    new LeaderElector({
      lease,
      name: 'election',
      identity,
      clock: systemClock,
      random: Math.random,
      times,
      observe: ({ kind }) => failed.push(kind),
    }).run(async (leading) => {
      starts.push(identity);
      await new Promise<void>((resolve) =>
        leading.addEventListener('abort', () => resolve(), { once: true }),
      );
    }, stop.signal),
  );
  await eventually(() => starts.length === 1);
  proxy.inject({ match: ({ method }) => method === 'PUT', times: 2, effect: { kind: 'loseAnswer' } });
  const puts = (): number => proxy.requests.filter(({ method }) => method === 'PUT').length;
  const before = puts();
  await eventually(() => puts() - before > 5);
  expect(failed).toContain('attemptFailed');
  expect(starts).toHaveLength(1);
  stop.abort();
  await Promise.all(run);
});
