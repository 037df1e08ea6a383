/**
 * `sluice controller`: keeps AWS mappings in step and sums up the status of all mappings. Any number may run; the
 * leader works, the others keep their caches warm. On losing leadership the process ends with an error, so that
 * nothing of what it had in hand can go on.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { checkSpec } from '../api/check.ts';
import { apiVersion, group, resources } from '../api/meta.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { AwsClients } from '../aws/clients.ts';
import type { CloudWatchFollower } from '../backends/aws/cloudwatch/follower.ts';
import { ClusterBackend } from '../backends/cluster/backend.ts';
import { DeletionHold } from '../controller/deletion-hold.ts';
import { kubernetesEvent, type Emit } from '../controller/events.ts';
import { refOf } from '../controller/pass.ts';
import { startHttpServer } from '../http/server.ts';
import { ApiClient } from '../kube/api-client.ts';
import { EventRecorder } from '../kube/event-recorder.ts';
import { loadAccess } from '../kube/kube-config.ts';
import { LeaderElector } from '../kube/leader-election.ts';
import { leaseAccess } from '../kube/lease.ts';
import { KubeMappingStore } from '../kube/mapping-store.ts';
import { keyOf } from '../kube/resource.ts';
import { kubeServiceAccounts } from '../kube/service-accounts.ts';
import { systemClock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { anySignal, TaskGroup } from '../lib/lifecycle.ts';
import { createLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { narrateCloudWatch } from '../telemetry/narrate-cloudwatch.ts';
import { narrateController } from '../telemetry/narrate-controller.ts';
import { exportReflectors, exportWorkQueue, narrateKube } from '../telemetry/narrate-kube.ts';
import { classBook } from './class-book.ts';
import { clusterCache } from './cluster-cache.ts';
import { exitCodes, UsageError, type Command, type Io } from './command.ts';
import { optionsHelp, parseOptions } from './config.ts';
import { controllerOptions } from './controller-options.ts';
import { awsFromEnv } from './engine.ts';
import { managedBackend } from './managed.ts';
import { managedMetrics } from './managed-metrics.ts';
import { ReconcileLoop } from './reconcile-loop.ts';
import { patternProblem } from './run-files.ts';
import { readScope } from './scope.ts';
import { keepHeapSmall } from './small-heap.ts';
import { sluiceVersion } from './version.ts';

export const controllerCommand: Command = {
  name: 'controller',
  summary: 'Keep AWS mappings in step and sum up the status of all mappings.',
  help: `Usage: sluice controller --cluster-id ID [options]

Reconciles EventSourceMappings: creates, updates and deletes live AWS mappings (\`mode: Managed\`), and sums up what
pollers report (\`mode: Poller\`). Run two for availability; the leader works. AWS is called with the usual environment
and credentials chain of the SDK.

Examples:
  sluice controller --cluster-id prod-eu
  sluice controller --cluster-id dev --kubeconfig ~/.kube/config --namespace sluice-system --leader-elect false

Options:
${optionsHelp(controllerOptions)}
Exit status: 0 after SIGTERM, 1 when leadership was lost or the cluster cannot be reached at the start.
`,
  options: controllerOptions,
  run: runController,
};

async function runController(argv: readonly string[], io: Io): Promise<number> {
  keepHeapSmall();
  const { values } = await parseOptions(controllerOptions, argv, io.env);
  const times = {
    leaseDurationMs: values['lease-duration-seconds'] * 1000,
    renewDeadlineMs: values['renew-deadline-seconds'] * 1000,
    retryPeriodMs: values['retry-period-seconds'] * 1000,
  };
  const scope = await readScope(values);
  const version = sluiceVersion();
  const clock = systemClock;
  const random = Math.random;
  const identity = values.identity ?? `${hostname()}_${randomBytes(4).toString('hex')}`;
  const log = createLog(values['log-level'], (line) => void io.out(line), {
    component: 'controller',
    identity,
  });
  const metrics = new Metrics({ processMetrics: true });
  metrics.set('sluice_build_info', { version, node: process.version }, 1);
  metrics.set(
    'controller_runtime_max_concurrent_reconciles',
    { controller: 'eventsourcemapping' },
    values.workers,
  );
  const kube = narrateKube({ metrics, log });

  const access = await loadAccess({ kubeconfig: values.kubeconfig });
  const namespace = values.namespace ?? access.namespace;
  const api = new ApiClient({
    access,
    clock,
    observe: kube.request,
    userAgent: `sluice-controller/${version}`,
  });
  const elector = electorOf(() => ({
    lease: leaseAccess(api, namespace, 'sluice-controller', Math.max(1000, times.renewDeadlineMs / 2)),
    name: 'sluice-controller',
    identity,
    clock,
    random,
    times,
    observe: kube.election,
  }));

  // Reading and recording go on while the workers wind up.
  const background = new AbortController();
  const tasks = new TaskGroup((error) =>
    log.error('A task ended with an error', { detail: messageOf(error) }),
  );
  const recorder = new EventRecorder({
    api,
    clock,
    random,
    reportingController: `${group}/controller`,
    reportingInstance: identity.slice(0, 128),
    observe: kube.recorder,
  });
  const tell = narrateController({ metrics, log });
  const emit: Emit = (event) => {
    tell(event);
    const content = kubernetesEvent(event);
    if (content === undefined) return;
    const { namespace: of, name, uid } = event.mapping;
    recorder.record({
      regarding: { apiVersion, kind: resources.mapping.kind, namespace: of, name, uid },
      ...content,
    });
  };

  /** Keys go here; nowhere while this process does not lead, since a new leader looks at everything anyway. */
  let loop: ReconcileLoop | undefined;
  /** Of CloudWatch's metrics, where they are wanted. */
  let follower: CloudWatchFollower | undefined;
  const enqueue = (keys: Iterable<string>): void => {
    for (const key of keys) loop?.queue.add(key);
  };
  const cache = clusterCache({
    api,
    clock,
    random,
    observe: kube.reflector,
    namespace,
    scope,
    enqueue,
    onUnreadable: (name, message) => log.warn('Could not read a report', { report: name, detail: message }),
    onGone: (mapping) => {
      loop?.queue.forget(keyOf(mapping));
      emit({ kind: 'forgotten', mapping: refOf(mapping) });
      follower?.forget(mapping.status?.mapping?.uuid ?? '');
    },
  });
  for (const reflector of Object.values(cache.reflectors)) tasks.run(() => reflector.run(background.signal));
  tasks.run(() => cache.live.run(background.signal));
  tasks.run(() => recorder.run(background.signal));
  metrics.onCollect('sluice_members', (set) => {
    for (const [pool, members] of Map.groupBy(cache.live.list(), (member) => member.pool))
      set({ pool }, members.length);
  });
  exportReflectors(metrics, cache.reflectors);

  await using clients = new AwsClients({
    version,
    clock,
    ...awsFromEnv(io.env),
    serviceAccounts: kubeServiceAccounts(api),
    observe: (call) => metrics.inc('sluice_aws_requests_total', { ...call }),
  });
  const lead = async (leading: AbortSignal): Promise<void> => {
    const current = new ReconcileLoop({
      deps: {
        store: new KubeMappingStore(api, cache.stored),
        classes: classBook(cache),
        backends: {
          Managed: managedBackend({
            clusterID: values['cluster-id'],
            clients,
            clock,
            random,
            driftIntervalMs: values['drift-interval-seconds'] * 1000,
            requestsPerSecond: values['aws-requests-per-second'],
            expected: () => cache.mappings().filter(({ spec }) => spec.mode === 'Managed').length,
            onChanged: (uuids) => enqueue(keysOfUuids(cache.mappings(), uuids)),
            onRefused: () => metrics.inc('sluice_aws_throttles_total', { service: 'lambda' }),
          }),
          Poller: new ClusterBackend(cache.fleet, clock),
        },
        clock,
        emit,
        problemsOf,
        deletions: new DeletionHold({
          clock,
          percent: values['deletion-hold-percent'],
          over: values['deletion-hold-over'],
          mappings: cache.mappings,
        }),
      },
      random,
      workers: values.workers,
      observe: kube.queue,
      onError: (key, message) => log.debug('Will try the mapping again', { mapping: key, detail: message }),
    });
    exportWorkQueue(metrics, current.queue.name, () => current.queue.snapshot());
    loop = current;
    enqueue(cache.mappings().map(keyOf));
    if (values['cloudwatch-metrics'] === 'true') {
      const following = managedMetrics({
        clusterID: values['cluster-id'],
        clients,
        clock,
        intervalMs: values['cloudwatch-metrics-interval-seconds'] * 1000,
        mappings: cache.mappings,
        classes: classBook(cache),
        emit: narrateCloudWatch({ metrics, log }),
      });
      follower = following;
      // Beside the loop: whatever becomes of it, mappings are kept in step.
      tasks.run(() => following.run(leading));
    }
    try {
      await current.run(leading);
    } finally {
      loop = undefined;
    }
  };

  let synced = false;
  await using server = await startHttpServer(
    {
      metrics: () => metrics.text(),
      live: () => ({ ok: true, detail: 'ok' }),
      ready: () => ({
        ok: synced && !io.signal.aborted,
        detail: synced ? 'ok' : 'waiting for the first list of objects',
      }),
    },
    values['metrics-address'],
  );
  log.info('Started', {
    version,
    namespace,
    metrics: `${server.url}/metrics`,
    cluster: values['cluster-id'],
  });

  let lost = false;
  const stopped = Promise.withResolvers<boolean>();
  if (io.signal.aborted) stopped.resolve(false);
  else io.signal.addEventListener('abort', () => stopped.resolve(false), { once: true });
  if (await Promise.race([cache.synced(), stopped.promise])) {
    synced = true;
    if (values['leader-elect'] === 'false') await lead(io.signal);
    else {
      const stop = new AbortController();
      await elector.run(
        async (leading) => {
          await lead(leading);
          lost = !io.signal.aborted;
          stop.abort();
        },
        anySignal(io.signal, stop.signal),
      );
    }
  }

  if (lost) log.error('Leadership was lost: ending, so that nothing that was in hand can go on');
  background.abort();
  await tasks.drained();
  await api.close();
  log.info('Stopped');
  return lost ? exitCodes.failed : exitCodes.ok;
}

function electorOf(make: () => ConstructorParameters<typeof LeaderElector>[0]): LeaderElector {
  try {
    return new LeaderElector(make());
  } catch (error) {
    // Times that cannot work are the command line's fault.
    throw error instanceof RangeError ? new UsageError(error.message) : error;
  }
}

/** The objects of AWS mappings. */
function keysOfUuids(mappings: readonly EventSourceMapping[], uuids: readonly string[]): readonly string[] {
  const wanted = new Set<string | undefined>(uuids);
  return mappings.filter(({ status }) => wanted.has(status?.mapping?.uuid)).map(keyOf);
}

/** Patterns are AWS's to judge in Managed mode: it may know operators that this release does not. */
function problemsOf(spec: EventSourceMapping['spec']): readonly string[] {
  return checkSpec(spec, {
    now: systemClock.now(),
    ...(spec.mode === 'Poller' ? { patternProblem } : {}),
  }).map(({ message }) => message);
}
