/**
 * The data plane of a process: what `poller`, `run` and `demo` have in common. It joins the runner with AWS clients,
 * the byte budget, narration and health; where mappings come from and where reports go is the caller's.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { AwsClients } from '../aws/clients.ts';
import { endpointsFromEnv, type AwsEndpoints } from '../aws/endpoints.ts';
import type { EffectiveStatus } from '../api/mapping.ts';
import { createOpener, type Insight } from '../fleet/open.ts';
import type { SecretReader, ServiceFollower } from '../fleet/ports.ts';
import type { MappingFacts } from '../fleet/report.ts';
import { Runner, type Standing } from '../fleet/runner.ts';
import { workKey, type Work } from '../fleet/work.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import { createByteBudget } from '../poller/byte-budget.ts';
import type { Emit, PollerEvent } from '../poller/events.ts';
import { INITIAL_HEALTH, reduceHealth, type PollerHealth } from '../poller/health.ts';
import { systemResolver } from '../targets/http/dial.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { narrateBacklog, narratePoller, type Subject } from '../telemetry/narrate-poller.ts';
import { integerType, type Options, type Values } from './config.ts';

export const engineOptions = {
  'buffer-mib': {
    type: integerType(16, 65_536, 128),
    value: 'N',
    help: 'Message data that the process may hold, in MiB; receiving waits for room. Default 128.',
  },
  concurrency: {
    type: integerType(1, 10_000, 100),
    value: 'N',
    help: 'Most invocations at once of a mapping without `scalingConfig.maximumConcurrency`. Default 100.',
  },
} as const satisfies Options;

export function engineSettings(values: Values<typeof engineOptions>): {
  readonly bufferBytes: number;
  readonly concurrencyCeiling: number;
} {
  return { bufferBytes: values['buffer-mib'] * 1024 * 1024, concurrencyCeiling: values.concurrency };
}

/** Place and endpoints from the environment that the SDK and the AWS CLI use. */
export function awsFromEnv(env: Readonly<Record<string, string | undefined>>): {
  readonly region: string | undefined;
  readonly endpoints: AwsEndpoints;
} {
  return { region: env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'], endpoints: endpointsFromEnv(env) };
}

export interface EngineOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly version: string;
  readonly clusterID: string;
  readonly aws: { readonly region: string | undefined; readonly endpoints: AwsEndpoints };
  readonly services: ServiceFollower;
  readonly secrets: SecretReader;
  readonly bufferBytes: number;
  readonly concurrencyCeiling: number;
  readonly drainReceiveMs: number;
  /** Set where endpoints of Services may be on this machine. */
  readonly addressOverride: string | undefined;
  /** What `facts` returns may have changed. */
  readonly onChange: () => void;
  /** Sees every engine event, for the demo's view. */
  readonly onEvent?: (work: Work, event: PollerEvent) => void;
}

export interface Engine extends AsyncDisposable {
  set(works: readonly Work[]): void;
  standings(): readonly Standing[];
  /** What this process knows of each of its mappings. */
  facts(): readonly MappingFacts[];
  readonly clients: AwsClients;
  drain(graceMs: number): Promise<void>;
}

interface Watch {
  insight: Insight | undefined;
  health: PollerHealth;
  tell: Emit | undefined;
  subject: Subject | undefined;
}

/** How long a mapping that is taken away from this process may finish what it has in flight. */
const handOverGraceMs = 60_000;

export function createEngine(options: EngineOptions): Engine {
  const { clock, random, log, metrics, version } = options;
  const clients = new AwsClients({
    version,
    clock,
    region: options.aws.region,
    endpoints: options.aws.endpoints,
  });
  const budget = createByteBudget(options.bufferBytes);
  metrics.onCollect('sluice_buffer_bytes', (set) => set({}, budget.used));
  metrics.onCollect('sluice_buffer_limit_bytes', (set) => set({}, budget.limit));
  const watches = new Map<string, Watch>();
  const watchOf = (key: string): Watch => {
    let watch = watches.get(key);
    if (watch === undefined)
      watches.set(
        key,
        (watch = { insight: undefined, health: INITIAL_HEALTH, tell: undefined, subject: undefined }),
      );
    return watch;
  };
  const onError = (error: unknown): void =>
    log.error('A task ended with an error', { detail: messageOf(error) });
  const opener = createOpener({
    clock,
    random,
    clients,
    version,
    budget,
    clusterID: options.clusterID,
    services: options.services,
    secrets: options.secrets,
    resolver: systemResolver,
    newId: randomUUID,
    newTraceId: () => randomBytes(16).toString('hex'),
    concurrencyCeiling: options.concurrencyCeiling,
    drainReceiveMs: options.drainReceiveMs,
    allowLoopbackEndpoints: options.addressOverride !== undefined,
    onSecretFailure: (message) => log.warn('Could not read a Secret again', { detail: message }),
    onInsight: (work, insight) => {
      const watch = watchOf(workKey(work));
      const { namespace = 'default', name } = work.mapping.metadata;
      const subject: Subject = {
        namespace,
        name,
        sourceType: insight.sourceType,
        targetType: insight.targetType,
      };
      if (JSON.stringify(watch.subject) !== JSON.stringify(subject)) {
        watch.subject = subject;
        watch.tell = narratePoller({ metrics, log, now: () => clock.now() }, subject);
        metrics.set(
          'sluice_mapping_info',
          {
            namespace,
            mapping: name,
            uuid: '',
            function: work.mapping.spec.functionName ?? '',
            mode: 'Poller',
          },
          1,
        );
      }
      watch.insight = insight;
      if (insight.facts !== undefined) narrateBacklog(metrics, subject, insight.facts.backlog);
      options.onChange();
    },
    onError,
  });
  const runner = new Runner({
    clock,
    random,
    opener,
    drainGraceMs: handOverGraceMs,
    onError,
    emit: (work, event) => {
      const watch = watchOf(workKey(work));
      watch.tell?.(event);
      options.onEvent?.(work, event);
      const health = reduceHealth(watch.health, event);
      if (health === watch.health) return;
      watch.health = health;
      options.onChange();
    },
    onStanding: (key, standing) => {
      if (standing === undefined) {
        const subject = watches.get(key)?.subject;
        watches.delete(key);
        if (subject !== undefined) metrics.forget(subject.namespace, subject.name);
      } else if (standing.state === 'Failed') {
        const { namespace = 'default', name } = standing.work.mapping.metadata;
        log.error('Could not run a mapping', {
          mapping: `${namespace}/${name}`,
          reason: standing.reason,
          detail: standing.message,
        });
      }
      options.onChange();
    },
  });
  const factsOf = (standing: Standing): MappingFacts => {
    const watch = watches.get(workKey(standing.work));
    if (watch?.insight === undefined) return { standing };
    const { insight, health } = watch;
    return {
      standing,
      sourceHealthy: health.source,
      targetHealthy: health.target,
      warnings: insight.warnings,
      effective: {
        values: { ...insight.effective.values },
        origins: insight.effective.origins,
      } satisfies EffectiveStatus,
    };
  };
  return {
    clients,
    set: (works) => runner.set(works),
    standings: () => runner.standings(),
    facts: () => runner.standings().map(factsOf),
    drain: (graceMs) => runner.drain(graceMs),
    async [Symbol.asyncDispose]() {
      await runner.drain(0);
      await clients[Symbol.asyncDispose]();
    },
  };
}
