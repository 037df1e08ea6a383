/**
 * The engine without a cluster, for `run` and `demo`: mappings as they stand in files, Services where the command line
 * says they are, no class, and accounts of partial ARNs as AWS tells them.
 */
import { GetQueueAttributesCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import { completeArn, parseArn } from '../api/arn.ts';
import { classifySource } from '../api/effective.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { pauseProblem, pauseScope } from '../api/meta.ts';
import type { AwsClientKind } from '../aws/clients.ts';
import { installationIdentity } from '../aws/credentials.ts';
import { classifyQueueError } from '../aws/classify.ts';
import { regionOfProfile } from '../aws/region.ts';
import type { SecretReader, ServiceFollower, ServiceState } from '../fleet/ports.ts';
import type { Work } from '../fleet/work.ts';
import { startHttpServer } from '../http/server.ts';
import { systemClock } from '../lib/clock.ts';
import { never, SluiceError } from '../lib/errors.ts';
import type { Log } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { UsageError } from './command.ts';
import { awsFromEnv, createEngine, type Engine } from './engine.ts';
import type { Manifests } from './run-files.ts';
import { sluiceVersion } from './version.ts';

/** Where Services are on this machine: `namespace/name` or `name` to address and port. */
export type LocalServices = ReadonlyMap<string, { readonly address: string; readonly port: number }>;

/** Reads `NAME=HOST:PORT` pairs. */
export function parseServices(pairs: readonly string[]): LocalServices {
  return new Map(
    pairs.map((pair) => {
      const match = /^([a-z0-9./-]+)=(?:http:\/\/)?(.+):(\d{1,5})\/?$/.exec(pair);
      const port = Number(match?.[3]);
      if (match === null || port > 65_535)
        throw new UsageError(`\`--service\` must be NAME=HOST:PORT; found ${JSON.stringify(pair)}`);
      return [match[1] ?? '', { address: (match[2] ?? '').replace(/^\[|\]$/g, ''), port }];
    }),
  );
}

export interface LocalOptions {
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly services: LocalServices;
  readonly accountID: string | undefined;
  readonly metricsAddress: string;
  readonly bufferBytes: number;
  readonly concurrencyCeiling: number;
  readonly awsClient?: AwsClientKind;
}

export interface Local extends AsyncDisposable {
  readonly engine: Engine;
  /** Of /metrics and the probes. */
  readonly url: string;
  /** Invocations of a mapping under way, by its name. */
  inFlight(mapping: string): number;
  /** Runs exactly these mappings from now on. False when AWS did not say what one of them needs: apply them again. */
  apply(manifests: Manifests, signal: AbortSignal): Promise<boolean>;
}

/** The engine without a cluster. */
export async function startLocal(options: LocalOptions): Promise<Local> {
  const { log, env } = options;
  const clock = systemClock;
  const metrics = new Metrics({ processMetrics: true });
  const version = sluiceVersion();
  metrics.set('sluice_build_info', { version, node: process.version }, 1);
  const fromEnv = awsFromEnv(env);
  const aws = { ...fromEnv, region: fromEnv.region || (await regionOfProfile()) };
  const inFlight = new Map<string, number>();
  const engine = createEngine({
    ...options,
    clock,
    random: Math.random,
    metrics,
    version,
    clusterID: 'local',
    aws,
    services: localServices(options.services),
    secrets: noSecrets,
    addressOverride: '127.0.0.1',
    onChange: () => undefined,
    onEvent: (work, event) => {
      const step = event.kind === 'invoked' ? 1 : event.kind === 'invocation-ended' ? -1 : 0;
      const { name } = work.mapping.metadata;
      if (step !== 0) inFlight.set(name, (inFlight.get(name) ?? 0) + step);
    },
  });
  let applied = false;
  const opened = (): boolean =>
    engine
      .facts()
      .every(({ standing: { state }, sourceHealthy }) =>
        state === 'Paused' ? true : state === 'Running' && sourceHealthy?.status === 'True',
      );
  const server = await startHttpServer(
    {
      metrics: () => metrics.text(),
      live: () => ({ ok: true, detail: 'ok' }),
      ready: () =>
        applied && opened() ? { ok: true, detail: 'ok' } : { ok: false, detail: 'not every source is open' },
    },
    options.metricsAddress,
  );
  log.info('Started', { version, metrics: `${server.url}/metrics` });
  const generationOf = generations();
  const findAccount = accountFinder(engine, aws.region, log);
  return {
    engine,
    url: server.url,
    inFlight: (mapping) => inFlight.get(mapping) ?? 0,
    async apply({ mappings, notes }, signal) {
      for (const note of notes) log.info('Passed a document over', { detail: note });
      const runnable = mappings.filter(({ spec }) => spec.mode === 'Poller');
      for (const mapping of mappings.filter((each) => !runnable.includes(each)))
        log.warn('Passed a mapping over: mode Managed needs the controller', {
          mapping: mappingName(mapping),
        });
      for (const mapping of runnable) {
        const detail = pauseProblem(mapping.metadata);
        if (detail !== undefined)
          log.warn('Found what is probably not meant', {
            mapping: mappingName(mapping),
            reason: 'PauseValueUnknown',
            detail,
          });
      }
      // A file that is empty may be half-saved; one whose mappings all went to AWS is meant so.
      if (runnable.length === 0 && (mappings.length === 0 || !applied))
        throw new SluiceError('InvalidSpec', 'there is no EventSourceMapping in Poller mode to run', never);
      const placed: Placed[] = [];
      for (const mapping of runnable) {
        const accountID = options.accountID ?? (await findAccount(mapping, signal));
        placed.push({ mapping, place: { region: mapping.spec.aws?.region ?? aws.region, accountID } });
      }
      engine.set(placed.map((one) => workOf(one, generationOf(one.mapping), placed)));
      applied = true;
      return placed.every(({ mapping, place }) => isQueueWithAccount(mapping, place));
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
    },
  };
}

/** Namespace and name, as `default/orders`. */
export function mappingName({ metadata }: EventSourceMapping): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`;
}

interface Placed {
  readonly mapping: EventSourceMapping;
  readonly place: Work['place'];
}

function sourceOf({ mapping, place }: Placed): string {
  const text = mapping.spec.eventSourceARN ?? '';
  const completion = completeArn(text, place);
  return completion.kind === 'complete' ? completion.text : text;
}

function workOf(one: Placed, generation: number, all: readonly Placed[]): Work {
  const { metadata, spec } = one.mapping;
  const namespace = metadata.namespace ?? 'default';
  const disabled = spec.enabled === false ? 'Disabled' : false;
  return {
    mapping: { ...one.mapping, metadata: { ...metadata, namespace, generation } },
    place: one.place,
    identity: identityOf(spec),
    allowedURLs: 'any',
    allowLoopback: true,
    sharedSource: all.some((other) => other !== one && sourceOf(other) === sourceOf(one)),
    paused: pauseScope(metadata) === 'delivery' ? 'PausedDelivery' : disabled,
  };
}

/** What the spec says, where no class says what is allowed. A ServiceAccount is refused when it is opened. */
function identityOf({ aws }: EventSourceMapping['spec']): Work['identity'] {
  if (aws?.serviceAccountName !== undefined) return { kind: 'ServiceAccount', name: aws.serviceAccountName };
  return aws?.roleARN === undefined ? { kind: 'Installation' } : { kind: 'Role', roleARN: aws.roleARN };
}

/** Numbers the texts of each mapping, so that a file which changes elsewhere leaves a mapping alone. */
function generations(): (mapping: EventSourceMapping) => number {
  const known = new Map<string, { readonly text: string; readonly generation: number }>();
  return (mapping) => {
    const text = JSON.stringify(mapping);
    const before = known.get(mappingName(mapping));
    const generation = before?.text === text ? before.generation : (before?.generation ?? 0) + 1;
    known.set(mappingName(mapping), { text, generation });
    return generation;
  };
}

function isQueueWithAccount(mapping: EventSourceMapping, place: Work['place']): boolean {
  return place.accountID !== undefined || !classifySource(mapping.spec).startsWith('sqs');
}

/** Finds the account in which a queue without one in its ARN is: the caller's own. Tells each failure once. */
function accountFinder(
  engine: Engine,
  region: string | undefined,
  log: Log,
): (mapping: EventSourceMapping, signal: AbortSignal) => Promise<string | undefined> {
  const complaints = new Map<string, string>();
  return async (mapping, signal) => {
    const { aws, eventSourceARN = '' } = mapping.spec;
    const arn = parseArn(eventSourceARN);
    const known = aws?.accountID ?? (arn?.accountID || parseArn(aws?.roleARN ?? '')?.accountID);
    if (known !== undefined && known !== '') return known;
    if (arn === undefined || !classifySource(mapping.spec).startsWith('sqs')) return undefined;
    const name = mappingName(mapping);
    try {
      const place = { region: aws?.region ?? (arn.region || region), identity: installationIdentity };
      using lease = engine.clients.sqs(place, 'control');
      const found = await lease.client.send(new GetQueueUrlCommand({ QueueName: arn.resource }), {
        abortSignal: signal,
      });
      const { Attributes } = await lease.client.send(
        new GetQueueAttributesCommand({ QueueUrl: found.QueueUrl, AttributeNames: ['QueueArn'] }),
        { abortSignal: signal },
      );
      complaints.delete(name);
      return parseArn(Attributes?.['QueueArn'] ?? '')?.accountID;
    } catch (error) {
      const { reason, message } = classifyQueueError(error, {
        action: 'sqs:GetQueueUrl',
        resource: arn.resource,
      });
      if (!signal.aborted && complaints.get(name) !== message)
        log.warn('Could not find the account of a queue, it is looked for again', {
          mapping: name,
          reason,
          detail: message,
        });
      complaints.set(name, message);
      return undefined;
    }
  };
}

function localServices(services: LocalServices): ServiceFollower {
  return {
    follow({ namespace, name }, tell) {
      const endpoint = services.get(`${namespace}/${name}`) ?? services.get(name);
      const state: ServiceState =
        endpoint === undefined
          ? {
              kind: 'refused',
              reason: 'ServiceNotFound',
              message: `\`poller.target.http.service.name\`: say where ${name} is by --service ${name}=HOST:PORT`,
            }
          : { kind: 'ready', endpoints: [endpoint] };
      let following = true;
      queueMicrotask(() => {
        if (following) tell(state);
      });
      return {
        [Symbol.dispose]() {
          following = false;
        },
      };
    },
  };
}

const noSecrets: SecretReader = {
  read: (namespace, name) =>
    Promise.reject(
      new SluiceError(
        'SecretNotFound',
        `Secret ${namespace}/${name}: there are no Secrets without a cluster`,
        never,
      ),
    ),
};
