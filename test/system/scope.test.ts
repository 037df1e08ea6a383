/**
 * Installations that see some namespaces only and hold Roles, not one right in the whole cluster: real processes with
 * the tokens of ServiceAccounts, and the API server's audit log as the witness.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { auditOf, requestText } from '../support/audit.ts';
import { aMapping } from '../support/builders.ts';
import { bodiesOf } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { testNamespace, TestNamespace } from '../support/kube.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import { startSluice, type Sluice } from '../support/sluice.ts';
import { tempFolder, type TempFolder } from '../support/temp-folder.ts';

const controlPlane = sharedControlPlane();
const unique = (prefix: string): string => `${prefix}-${randomBytes(4).toString('hex')}`;
const esm = (name: string) => ({ resource: 'eventsourcemappings.sluice.dev', name });
const rbac = 'rbac.authorization.k8s.io';
const reads = ['list', 'watch'];
type Rule = readonly [group: string, resource: string, verbs: readonly string[]];

/** What either process needs, per namespace. */
const own: Readonly<Record<string, readonly Rule[]>> = {
  'sluice-controller': [
    ['coordination.k8s.io', 'leases', ['get', ...reads, 'create', 'update']],
    ['sluice.dev', 'pollerreports', reads],
  ],
  'sluice-poller': [
    ['coordination.k8s.io', 'leases', ['get', ...reads, 'create', 'update', 'delete']],
    ['sluice.dev', 'pollerreports', ['get', 'create', 'patch', 'delete']],
  ],
};
const watched: Readonly<Record<string, readonly Rule[]>> = {
  'sluice-controller': [
    ['sluice.dev', 'eventsourcemappings', [...reads, 'patch']],
    ['sluice.dev', 'eventsourcemappings/status', ['patch']],
    ['events.k8s.io', 'events', ['create', 'patch']],
  ],
  'sluice-poller': [
    ['sluice.dev', 'eventsourcemappings', reads],
    ['', 'services', reads],
    ['discovery.k8s.io', 'endpointslices', reads],
  ],
};

/** A Role for each account of the installation in `system`, and its binding. */
function roles(system: string, rules: Readonly<Record<string, readonly Rule[]>>): readonly object[] {
  return Object.entries(rules).flatMap(([account, list]) => {
    const metadata = { name: `${account}-${system}` };
    return [
      {
        apiVersion: `${rbac}/v1`,
        kind: 'Role',
        metadata,
        rules: list.map(([group, resource, verbs]) => ({ apiGroups: [group], resources: [resource], verbs })),
      },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup: rbac, kind: 'Role', name: metadata.name },
        subjects: [{ kind: 'ServiceAccount', name: account, namespace: system }],
      },
    ];
  });
}

/** An installation in a namespace of its own. */
interface Installation {
  readonly system: TestNamespace;
  readonly controller: Sluice;
  readonly poller: Sluice;
}

let aws: AwsServer;
let sink: HttpSink;
let folder: TempFolder;
const namespaces: TestNamespace[] = [];
const processes: Sluice[] = [];

beforeAll(async () => {
  folder = tempFolder();
  aws = await startFauxqs();
  sink = await startHttpSink();
});
afterAll(async () => {
  await Promise.all(processes.map((process) => process[Symbol.asyncDispose]()));
  for (const namespace of namespaces) await namespace[Symbol.asyncDispose]();
  for (const server of [sink, aws]) await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function namespace(): Promise<TestNamespace> {
  const made = await testNamespace(controlPlane);
  namespaces.push(made);
  return made;
}

/** Makes accounts and Roles and starts both processes, with one class that admits `admitted`. */
async function install(
  watch: readonly string[],
  allowed: readonly TestNamespace[],
  admitted: readonly string[] = watch,
): Promise<Installation> {
  const system = await namespace();
  await system.apply([
    ...Object.keys(own).map((name) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } })),
    ...roles(system.name, own),
  ]);
  for (const tenant of allowed) await tenant.apply(roles(system.name, watched));
  const classes = folder.write(
    `${system.name}.yaml`,
    stringify({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'MappingClass',
      metadata: { name: 'team', annotations: { 'sluice.dev/is-default-class': 'true' } },
      spec: { namespaces: admitted },
    }),
  );
  const start = async (command: 'controller' | 'poller', ...more: readonly string[]): Promise<Sluice> => {
    const account = await controlPlane.serviceAccountAccess(system.name, `sluice-${command}`);
    const flags = {
      'cluster-id': 'test',
      namespace: system.name,
      'metrics-address': '127.0.0.1:0',
      'watch-namespaces': watch.join(','),
      'classes-file': classes,
      kubeconfig: account.kubeconfig,
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const started = startSluice([command, ...args, ...more], awsEnvironment(aws));
    processes.push(started);
    return started;
  };
  return {
    system,
    controller: await start('controller'),
    // Both installations have a member of this name.
    poller: await start('poller', '--member', 'a', '--endpoint-address-override', '127.0.0.1'),
  };
}

/** A Service of the sink and a mapping to it, named after its queue, with one message waiting. */
async function tenantIn(tenant: TestNamespace): Promise<TestQueue> {
  const queue = await createQueue(aws);
  await queue.send([queue.name]);
  await tenant.serve('sink', sink.port);
  const poller = { target: { http: { service: { name: 'sink', port: 80 } } } };
  await tenant.apply(aMapping({ eventSourceARN: queue.arn, poller }, { namespace: tenant.name }));
  return queue;
}

async function delivered({ name }: TestQueue): Promise<void> {
  await eventually(() => bodiesOf(sink).includes(name), { timeoutMs: 60_000, what: `delivery of ${name}` });
}

const isReady = async (process: Sluice): Promise<boolean> =>
  (await fetch((await process.metricsUrl()).replace('/metrics', '/readyz'))).ok;

describe('two installations of some namespaces each, with Roles alone', () => {
  it('serve their own, do not meet, leave everybody else alone, and take in who gets a Role later', async () => {
    const [first, second, outside, closed] = await Promise.all([
      namespace(),
      namespace(),
      namespace(),
      namespace(),
    ]);
    const later = unique('later');
    const queues = {
      first: await tenantIn(first),
      second: await tenantIn(second),
      outside: await tenantIn(outside),
      closed: await tenantIn(closed),
    };
    // The class admits the one outside as well: that nobody serves it is the scope's doing.
    const everybody = [first.name, second.name, outside.name, closed.name, later];
    const [left, right] = await Promise.all([
      install([first.name, closed.name, later], [first], everybody),
      install([second.name], [second], everybody),
    ]);
    await Promise.all([delivered(queues.first), delivered(queues.second)]);
    const ready = { type: 'Ready', reason: 'Serving' };
    await Promise.all([first, second].map((tenant) => tenant.waitForCondition(esm('orders'), ready)));

    // A namespace without a Role and one that does not exist are told, and hold up nobody.
    for (const process of [left.controller, left.poller]) {
      for (const name of [closed.name, later]) {
        await process.logged('May not read a watched namespace: a Role must allow list and watch', {
          namespace: name,
        });
        expect(await process.metric('sluice_reflector_forbidden', { namespace: name })).toBe(1);
      }
      expect(await isReady(process)).toBe(true);
    }

    await closed.apply(roles(left.system.name, watched));
    const created = await controlPlane.request('/api/v1/namespaces', {
      method: 'POST',
      body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: later } },
    });
    expect(created.status).toBe(201);
    const joined = new TestNamespace(controlPlane, later);
    namespaces.push(joined);
    await joined.apply(roles(left.system.name, watched));
    await Promise.all([delivered(queues.closed), delivered(await tenantIn(joined))]);
    await Promise.all([closed, joined].map((tenant) => tenant.waitForCondition(esm('orders'), ready)));
    for (const process of [left.controller, left.poller])
      expect(await process.metric('sluice_reflector_forbidden')).toBeUndefined();

    // Each has its own leader, member and report.
    for (const { system, controller } of [left, right]) {
      await controller.logged('Leading');
      for (const lease of ['sluice-controller', 'sluice-poller-a'])
        expect(await system.get({ resource: 'leases.coordination.k8s.io', name: lease })).toBeDefined();
    }

    // Outside of both scopes: not counted, not marked, not read.
    const untouched = await outside.get(esm('orders'));
    expect(untouched?.status?.['conditions']).toBeUndefined();
    expect(untouched?.metadata.finalizers).toBeUndefined();
    expect(await queues.outside.counts()).toEqual({ visible: 1, inFlight: 0 });
    for (const process of processes) {
      const text = await (await fetch(await process.metricsUrl())).text();
      expect(text).not.toContain(outside.name);
    }

    for (const { system } of [left, right]) {
      const requests = auditOf(controlPlane, system.name);
      expect(requests.filter((request) => request.namespace === '').map(requestText)).toEqual([]);
      const refused = requests.filter(({ code }) => code === 403);
      // Refused was only what is watched without a Role, and only its mappings.
      const expected = system === left.system ? [closed.name, later] : [];
      expect(new Set(refused.map(({ verb, resource }) => `${verb} ${resource}`)).size).toBe(
        expected.length === 0 ? 0 : 1,
      );
      expect([...new Set(refused.map((request) => request.namespace))].toSorted()).toEqual(
        expected.toSorted(),
      );
      // So the log was looked at, and there was something in it.
      expect(new Set(requests.map(({ account }) => account)).size).toBe(2);
    }
    const writes = auditOf(controlPlane, left.system.name).filter(
      ({ verb }) => verb === 'patch' || verb === 'create',
    );
    expect(writes.map((request) => request.namespace)).not.toContain(second.name);
  });
});
