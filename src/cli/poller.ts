/**
 * `sluice poller`: one member of the fleet. It announces itself, runs the mappings that fall to it, and reports; it
 * goes on delivering from queues with what it knows while the API server is away.
 */
import { hostname } from 'node:os';
import { z } from 'zod';
import type { EventSourceMapping } from '../api/mapping.ts';
import { labels, type OwnerReference } from '../api/meta.ts';
import { workOf } from '../fleet/admission.ts';
import { buildReport } from '../fleet/report.ts';
import { Reporter } from '../fleet/reporter.ts';
import { workKey, type Work } from '../fleet/work.ts';
import { startHttpServer } from '../http/server.ts';
import { ApiClient } from '../kube/api-client.ts';
import { loadAccess } from '../kube/kube-config.ts';
import { leaseAccess, type Lease } from '../kube/lease.ts';
import { LiveMembers } from '../kube/live-members.ts';
import { MemberLease } from '../kube/member-lease.ts';
import { Reflector } from '../kube/reflector.ts';
import { kubeReportStore } from '../kube/report-store.ts';
import { leases } from '../kube/resource.ts';
import { kubeSecretReader } from '../kube/secret-reader.ts';
import { kubeServiceAccounts } from '../kube/service-accounts.ts';
import { KubeServiceFollower } from '../kube/service-follower.ts';
import { systemClock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { TaskGroup } from '../lib/lifecycle.ts';
import { createLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { exportReflectors, narrateKube } from '../telemetry/narrate-kube.ts';
import { clusterOptions } from './cluster-options.ts';
import { exitCodes, type Command, type Io } from './command.ts';
import { commonOptions, optionsHelp, parseOptions, type Options } from './config.ts';
import { integerType, ipType, objectName, objectNameType } from './option-types.ts';
import { awsFromEnv, createEngine, engineOptions, engineSettings } from './engine.ts';
import { admissionObjects, mappingReflector, readScope, type Running } from './scope.ts';
import { sluiceVersion } from './version.ts';

const options = {
  ...commonOptions,
  ...clusterOptions,
  pool: {
    type: objectNameType.optional().transform((name) => name ?? 'default'),
    value: 'NAME',
    help: 'Pool of MappingClasses that this member serves. Default `default`.',
  },
  member: {
    type: objectNameType.optional(),
    value: 'NAME',
    help: "This member's identity, unique in the namespace. Default: the host's name, which in a pod is the pod's.",
  },
  'pod-uid': {
    type: z.string().optional(),
    value: 'UID',
    help: 'UID of the pod `--member`: its Lease and report are then removed with it.',
  },
  'grace-seconds': {
    type: integerType(0, 3600, 110),
    value: 'N',
    help: 'Time to finish what is in flight after SIGTERM, in seconds. Default 110.',
  },
  'drain-receive-seconds': {
    type: integerType(0, 20, 20),
    value: 'N',
    help: 'How long outstanding long polls may end by themselves after SIGTERM: one that is cut off can hide a message until its visibility ends. Default 20.',
  },
  'secret-refresh-seconds': {
    type: integerType(1, 3600, 60),
    value: 'N',
    help: 'How often the Secrets of HTTP targets are read again, in seconds, so that rotated ones are used. Default 60.',
  },
  'endpoint-address-override': {
    type: ipType.optional(),
    value: 'IP',
    help: 'Reach the endpoints of all Services at this address: for test clusters without a pod network.',
  },
  ...engineOptions,
} as const satisfies Options;

export const pollerCommand: Command = {
  name: 'poller',
  summary: 'Run the mappings in Poller mode, as one member of the fleet.',
  help: `Usage: sluice poller --cluster-id ID [options]

Runs the mappings in Poller mode whose MappingClass names this pool. Members share the mappings among themselves;
start as many as you like. AWS is called with the usual environment and credentials chain of the SDK.

Examples:
  sluice poller --cluster-id prod-eu
  sluice poller --cluster-id dev --kubeconfig ~/.kube/config --namespace sluice-system --pool canary

Options:
${optionsHelp(options)}`,
  options,
  run: runPoller,
};

async function runPoller(argv: readonly string[], io: Io): Promise<number> {
  const { values } = await parseOptions(options, argv, io.env);
  const scope = await readScope(values);
  const version = sluiceVersion();
  const clock = systemClock;
  const random = Math.random;
  const member = values.member ?? objectName(hostname());
  const { pool } = values;
  const log = createLog(values['log-level'], (line) => void io.out(line), { component: 'poller', member });
  const metrics = new Metrics({ processMetrics: true });
  metrics.set('sluice_build_info', { version, node: process.version }, 1);
  const kube = narrateKube({ metrics, log });

  const access = await loadAccess({ kubeconfig: values.kubeconfig });
  const namespace = values.namespace ?? access.namespace;
  const api = new ApiClient({ access, clock, observe: kube.request, userAgent: `sluice-poller/${version}` });
  const owner: OwnerReference | undefined =
    values['pod-uid'] === undefined
      ? undefined
      : { apiVersion: 'v1', kind: 'Pod', name: member, uid: values['pod-uid'] };

  // Reading and announcing end at once on SIGTERM; what delivery needs goes on until everything is drained.
  const background = new AbortController();
  const tasks = new TaskGroup((error) =>
    log.error('A task ended with an error', { detail: messageOf(error) }),
  );
  const services = new KubeServiceFollower({
    api,
    clock,
    random,
    observe: kube.reflector,
    onError: (error) => log.error('A watch ended with an error', { detail: messageOf(error) }),
    addressOverride: values['endpoint-address-override'],
  });

  let reporter: Reporter | undefined;
  await using engine = createEngine({
    ...engineSettings(values),
    clock,
    random,
    log,
    metrics,
    version,
    clusterID: values['cluster-id'],
    aws: awsFromEnv(io.env),
    services,
    secrets: kubeSecretReader(api),
    serviceAccounts: kubeServiceAccounts(api),
    secretRefreshMs: values['secret-refresh-seconds'] * 1000,
    addressOverride: values['endpoint-address-override'],
    onChange: () => reporter?.touch(),
  });

  const common = { api, clock, random, observe: kube.reflector };
  let recompute = (): void => undefined;
  const mappings = mappingReflector(scope, common, {
    transform: withoutStatus,
    onChange: () => recompute(),
  });
  const admission = admissionObjects(scope, common, {
    classChange: () => recompute(),
    namespaceChange: () => recompute(),
  });
  const members: Reflector<Lease> = new Reflector<Lease>({
    ...common,
    resource: leases,
    namespaces: [namespace],
    labelSelector: `${labels.pool}=${pool}`,
    onChange: (change) => live.take(change),
  });
  const live = new LiveMembers({
    clock,
    lastContactMs: () => members.lastContactMs,
    onChange: () => recompute(),
  });
  const reflectors: Readonly<Record<string, Running>> = {
    eventsourcemappings: mappings,
    ...admission.reflectors,
    leases: members,
  };
  for (const reflector of Object.values(reflectors)) tasks.run(() => reflector.run(background.signal));
  tasks.run(() => live.run(background.signal));
  exportReflectors(metrics, reflectors);

  const lease = new MemberLease({
    lease: leaseAccess(api, namespace, `sluice-poller-${member}`.slice(0, 253), 4000),
    clock,
    identity: member,
    pool,
    version,
    observe: kube.member,
    ...(owner === undefined ? {} : { owner }),
  });
  let synced = false;
  let announced = false;
  await using server = await startHttpServer(
    {
      metrics: () => metrics.text(),
      live: () => ({ ok: true, detail: 'ok' }),
      ready: () => ({
        ok: synced && announced && !io.signal.aborted,
        detail: io.signal.aborted
          ? 'draining'
          : !synced
            ? 'waiting for the first list of objects'
            : !announced
              ? 'waiting to announce this member'
              : 'ok',
      }),
    },
    values['metrics-address'],
  );
  log.info('Started', {
    version,
    pool,
    namespace,
    metrics: `${server.url}/metrics`,
    cluster: values['cluster-id'],
  });

  const announcing = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    else io.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const allSynced = Promise.all(Object.values(reflectors).map((reflector) => reflector.synced)).then((done) =>
    done.every(Boolean),
  );
  if (await Promise.race([allSynced, stopped.then(() => false)])) {
    synced = true;
    // Announced only now: others hand over to a member that is ready to take.
    tasks.run(() => lease.run(announcing.signal));
    tasks.run(async () => {
      announced = await lease.announced;
      recompute();
    });
    const works = (): readonly Work[] =>
      workOf({
        member,
        pool,
        liveMembers: [...new Set([member, ...live.list().map(({ identity }) => identity)])],
        mappings: mappings.list(),
        classes: admission.classes(),
        namespaceLabels: admission.namespaceLabels,
        running: new Map(engine.standings().map(({ work }) => [workKey(work), work])),
      });
    let pending = false;
    recompute = () => {
      if (pending || io.signal.aborted || !announced) return;
      pending = true;
      tasks.run(async () => {
        // A list of a thousand objects is one change.
        await clock.sleep(20, io.signal);
        pending = false;
        if (!io.signal.aborted) engine.set(works());
      });
    };
    reporter = new Reporter({
      clock,
      random,
      store: kubeReportStore({ api, namespace, name: member, ...(owner === undefined ? {} : { owner }) }),
      build: () => buildReport({ member, pool, version }, engine.facts()),
      onFailure: (message, delayMs) => log.warn('Could not write the report', { detail: message, delayMs }),
      intervalMs: 1000,
    });
    const reporting = reporter;
    tasks.run(() => reporting.run(announcing.signal));
    metrics.onCollect('sluice_members', (set) => set({ pool }, live.list().length));
    recompute();
  }

  await stopped;
  log.info('Draining', { reason: String(io.signal.reason) });
  // The Lease goes first, so that the others take over while this member finishes.
  announcing.abort();
  await engine.drain(values['grace-seconds'] * 1000, values['drain-receive-seconds'] * 1000);
  background.abort();
  await services[Symbol.asyncDispose]();
  await tasks.drained();
  await api.close();
  log.info('Stopped');
  return exitCodes.ok;
}

/** Status is the largest part of an object and no business of a poller. */
function withoutStatus(mapping: EventSourceMapping): EventSourceMapping {
  const { status: _, ...rest } = mapping;
  const { managedFields: __, ...metadata } = mapping.metadata as EventSourceMapping['metadata'] & {
    managedFields?: unknown;
  };
  return { ...rest, metadata };
}
