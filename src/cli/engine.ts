/**
 * The data plane of a process: what `poller`, `run` and `demo` have in common. It joins the runner with AWS clients,
 * the byte budget, narration and health; where mappings come from and where reports go is the caller's.
 */
import { AwsClients, type AwsClientKind } from '../aws/clients.ts';
import type { ServiceAccounts } from '../aws/credentials.ts';
import { endpointsFromEnv, type AwsEndpoints } from '../aws/endpoints.ts';
import { proxyFromEnv, type ProxySettings } from '../aws/proxy.ts';
import type { EffectiveStatus } from '../api/mapping.ts';
import { createOpener, type Insight } from '../fleet/open.ts';
import type { SecretReader, ServiceFollower } from '../fleet/ports.ts';
import type { MappingFacts } from '../fleet/report.ts';
import { Runner, type Standing } from '../fleet/runner.ts';
import { steadyAfter, steadyAt, steadyFrom, type SteadyHealth } from '../fleet/steady-health.ts';
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
import { narrateInsight, narratePoller, type Subject } from '../telemetry/narrate-poller.ts';
import { type Options, type Values } from './config.ts';
import { hexDigits, uuids } from './hex-digits.ts';
import { choiceType, integerType } from './option-types.ts';

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
  'aws-client': {
    type: choiceType(['signed', 'sdk'], 'signed'),
    value: 'KIND',
    help: "What receives and deletes messages and invokes functions: signed (Sluice's own requests, several times cheaper) or sdk (the AWS SDK). Default signed.",
  },
} as const satisfies Options;

export function engineSettings(values: Values<typeof engineOptions>): {
  readonly bufferBytes: number;
  readonly concurrencyCeiling: number;
  readonly awsClient: AwsClientKind;
} {
  return {
    bufferBytes: values['buffer-mib'] * 1024 * 1024,
    concurrencyCeiling: values.concurrency,
    awsClient: values['aws-client'],
  };
}

/** Place, endpoints and proxies from the environment that the SDK and the AWS CLI use. */
export function awsFromEnv(env: Readonly<Record<string, string | undefined>>): {
  readonly region: string | undefined;
  readonly endpoints: AwsEndpoints;
  /** The profile that the chain of credentials is told to take. */
  readonly profile?: string | undefined;
  readonly proxy: ProxySettings | undefined;
} {
  return {
    region: env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'],
    endpoints: endpointsFromEnv(env),
    profile: env['AWS_PROFILE'] === '' ? undefined : env['AWS_PROFILE'],
    proxy: proxyFromEnv(env),
  };
}

export interface EngineOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly version: string;
  readonly clusterID: string;
  readonly aws: ReturnType<typeof awsFromEnv>;
  /** What receives and deletes messages; default `signed`. */
  readonly awsClient?: AwsClientKind;
  readonly services: ServiceFollower;
  readonly secrets: SecretReader;
  /** Where tenants' own ServiceAccounts are asked for; undefined without a cluster. */
  readonly serviceAccounts?: ServiceAccounts;
  /** How often Secrets are read again; default 60,000. */
  readonly secretRefreshMs?: number;
  readonly bufferBytes: number;
  readonly concurrencyCeiling: number;
  /** Set where endpoints of Services may be on this machine. */
  readonly addressOverride: string | undefined;
  /** What `facts` returns may have changed; some of it changes by time alone. */
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
  /** `receiveMs` bounds how long polls under way may end by themselves. */
  drain(graceMs: number, receiveMs: number): Promise<void>;
}

/** Failures that count although they change no health. */
const tellsAgain: ReadonlySet<PollerEvent['kind']> = new Set(['source-failed', 'settle-failed']);

interface Watch {
  readonly subject: Subject;
  readonly tell: Emit;
  insight: Insight;
  health: PollerHealth;
  /** What is told of `health`, apart from its flapping. */
  told: Told;
}

interface Told {
  readonly source: SteadyHealth;
  readonly target: SteadyHealth;
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
    profile: options.aws.profile,
    proxy: options.aws.proxy,
    pollClient: options.awsClient,
    serviceAccounts: options.serviceAccounts,
    observe: (call) => metrics.inc('sluice_aws_requests_total', { ...call }),
  });
  const budget = createByteBudget(options.bufferBytes);
  metrics.onCollect('sluice_buffer_bytes', (set) => set({}, budget.used));
  metrics.onCollect('sluice_buffer_limit_bytes', (set) => set({}, budget.limit));
  const watches = new Map<string, Watch>();
  const toldOf = ({ source, target }: PollerHealth): Told => ({
    source: steadyFrom(source, clock.monotonic()),
    target: steadyFrom(target, clock.monotonic()),
  });
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
    secretRefreshMs: options.secretRefreshMs,
    resolver: systemResolver,
    newId: uuids(),
    newTraceId: hexDigits(16),
    concurrencyCeiling: options.concurrencyCeiling,
    allowLoopbackEndpoints: options.addressOverride !== undefined,
    onSecretFailure: (work, message) =>
      log.warn('Could not take a Secret over again, the former content stays in use', {
        mapping: nameOf(work),
        detail: message,
      }),
    onInsight: (work, insight) => {
      const key = workKey(work);
      let watch = watches.get(key);
      const fresh = watch === undefined;
      if (watch === undefined || !isAbout(watch.subject, work, insight)) {
        const { namespace = 'default', name } = work.mapping.metadata;
        const subject: Subject = {
          namespace,
          name,
          sourceType: insight.sourceType,
          targetType: insight.targetType,
        };
        const tell = narratePoller({ metrics, log, now: () => clock.now() }, subject);
        watch = {
          subject,
          tell,
          insight,
          health: watch?.health ?? INITIAL_HEALTH,
          told: watch?.told ?? toldOf(INITIAL_HEALTH),
        };
        watches.set(key, watch);
      }
      const known = new Set(watch.insight.warnings.map(({ reason }) => reason));
      // What was known of a former target says nothing about the new one.
      if (watch.insight.targetKey !== insight.targetKey) {
        watch.health = { ...watch.health, target: INITIAL_HEALTH.target };
        watch.told = { ...watch.told, target: toldOf(INITIAL_HEALTH).target };
      }
      watch.insight = insight;
      for (const { reason, message } of insight.warnings) {
        if (!fresh && known.has(reason)) continue;
        log.warn('Found what is probably not meant', { mapping: nameOf(work), reason, detail: message });
      }
      narrateInsight(metrics, watch.subject, work, insight);
      options.onChange();
    },
    onError,
  });
  const runner = new Runner({
    clock,
    random,
    opener: {
      sourceKey: (work) => opener.sourceKey(work),
      sourceID: (work) => opener.sourceID(work),
      open: (work, emit, signal) => {
        // What was known of a former poller says nothing about the new one.
        const watch = watches.get(workKey(work));
        if (watch !== undefined) {
          watch.health = INITIAL_HEALTH;
          watch.told = toldOf(INITIAL_HEALTH);
        }
        return opener.open(work, emit, signal);
      },
    },
    drainGraceMs: handOverGraceMs,
    onError,
    emit: (work, event, former) => {
      options.onEvent?.(work, event);
      const watch = watches.get(workKey(work));
      if (watch === undefined) return;
      if (former) {
        // How the mapping stands is its new poller's to say.
        if (event.kind !== 'state-changed' && event.kind !== 'concurrency-changed') watch.tell(event);
        return;
      }
      watch.tell(event);
      const health = reduceHealth(watch.health, event);
      // A read or delete that fails as the one before is no other health, but it counts.
      if (health === watch.health && !tellsAgain.has(event.kind)) return;
      watch.health = health;
      const { source, target } = watch.told;
      const nowMs = clock.monotonic();
      watch.told = {
        source: steadyAfter(source, health.source, nowMs),
        target: health.target === target.now ? target : steadyAfter(target, health.target, nowMs),
      };
      if (watch.told.source.told !== source.told || watch.told.target.told !== target.told)
        options.onChange();
    },
    onStanding: (key, standing) => {
      if (standing === undefined) {
        const subject = watches.get(key)?.subject;
        watches.delete(key);
        if (subject !== undefined && !isNamed(watches.values(), subject))
          metrics.forget(subject.namespace, subject.name);
      } else if (standing.state === 'Failed') {
        log.error('Could not run a mapping', {
          mapping: nameOf(standing.work),
          reason: standing.reason,
          detail: standing.message,
        });
      }
      options.onChange();
    },
  });
  const factsOf = (standing: Standing): MappingFacts => {
    const watch = watches.get(workKey(standing.work));
    // What fails to open is not read: what was known of its former spec would mislead.
    if (watch === undefined || standing.state === 'Failed') return { standing };
    const { insight } = watch;
    const nowMs = clock.monotonic();
    watch.told = {
      source: steadyAt(watch.told.source, nowMs),
      target: steadyAt(watch.told.target, nowMs),
    };
    return {
      standing,
      sourceHealthy: watch.told.source.told,
      targetHealthy: watch.told.target.told,
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
    drain: (graceMs, receiveMs) => runner.drain(graceMs, receiveMs),
    async [Symbol.asyncDispose]() {
      await runner.drain(0, 0);
      await clients[Symbol.asyncDispose]();
    },
  };
}

function nameOf({ mapping: { metadata } }: Work): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`;
}

function isAbout(subject: Subject, work: Work, insight: Insight): boolean {
  const { namespace = 'default', name } = work.mapping.metadata;
  const sameName = subject.namespace === namespace && subject.name === name;
  return sameName && subject.sourceType === insight.sourceType && subject.targetType === insight.targetType;
}

/** A mapping that was deleted and made again shares its series with the one that still drains. */
function isNamed(watches: Iterable<Watch>, { namespace, name }: Subject): boolean {
  for (const { subject } of watches)
    if (subject.namespace === namespace && subject.name === name) return true;
  return false;
}
