/**
 * `sluice run`: the mappings of files on this machine, with the same engine as in a cluster, and neither cluster nor
 * class. Files are watched; a change is taken over without losing a message.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GetQueueAttributesCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { parseArn } from '../api/arn.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { classifySource } from '../api/effective.ts';
import { installationIdentity } from '../aws/credentials.ts';
import type { SecretReader, ServiceFollower, ServiceState } from '../fleet/ports.ts';
import type { Work } from '../fleet/work.ts';
import { startHttpServer } from '../http/server.ts';
import { systemClock } from '../lib/clock.ts';
import { messageOf, never, SluiceError } from '../lib/errors.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { exitCodes, UsageError, type Command, type Io } from './command.ts';
import { commonOptions, integerType, listType, optionsHelp, parseOptions, type Options } from './config.ts';
import { awsFromEnv, createEngine, engineOptions, engineSettings, type Engine } from './engine.ts';
import { readManifests, type Manifests } from './run-files.ts';
import { sluiceVersion } from './version.ts';

const options = {
  file: {
    type: listType,
    value: 'PATH',
    short: 'f',
    multiple: true,
    help: 'Manifest or folder of manifests; may be repeated. Required.',
  },
  service: {
    type: listType,
    value: 'NAME=HOST:PORT',
    multiple: true,
    help: 'Where a Service that a mapping names is on this machine, as `orders=127.0.0.1:8080` or `shop/orders=127.0.0.1:8080`.',
  },
  'account-id': {
    type: z
      .string()
      .regex(/^\d{12}$/, 'must be 12 digits')
      .optional(),
    value: 'ID',
    help: 'Account of partial ARNs. Default: that in which the queue is found.',
  },
  'state-dir': {
    type: z.string().default('.sluice'),
    value: 'DIR',
    help: 'Where this process keeps what it must remember, and writes run.json with its addresses. Default `.sluice`.',
  },
  'metrics-address': {
    type: z.string().default('127.0.0.1:0'),
    value: 'HOST:PORT',
    help: 'Where /metrics, /healthz and /readyz listen. Default: a free port of this machine.',
  },
  'grace-seconds': {
    type: integerType(0, 3600, 30),
    value: 'N',
    help: 'Time to finish what is in flight after SIGTERM, in seconds. Default 30.',
  },
  'drain-receive-seconds': {
    type: integerType(0, 20, 1),
    value: 'N',
    help: 'How long outstanding long polls may end by themselves after SIGTERM, in seconds. Default 1.',
  },
  ...commonOptions,
  ...engineOptions,
} as const satisfies Options;

export const runCommand: Command = {
  name: 'run',
  summary: 'Run the mappings of files on this machine, without a cluster.',
  help: `Usage: sluice run -f FILE [options]

Runs the EventSourceMappings in Poller mode of the given manifests until SIGTERM or Ctrl-C. AWS is called with the
environment and credentials chain of the SDK (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL, …). No MappingClass is needed,
and targets on this machine are allowed. Changed files are taken over while it runs.

Examples:
  sluice run -f mapping.yaml
  sluice run -f examples/sqs-http --service orders-consumer=127.0.0.1:8080
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_REGION=eu-west-1 sluice run -f mapping.yaml

Options:
${optionsHelp(options)}`,
  run: runFiles,
};

async function runFiles(argv: readonly string[], io: Io): Promise<number> {
  const { values } = await parseOptions(options, argv, io.env);
  if (values.file.length === 0) throw new UsageError('`-f FILE` is required');
  const log = createLog(values['log-level'], (line) => void io.out(line), { component: 'run' });
  const first = await readManifests(values.file);
  await using local = await startLocal({
    log,
    env: io.env,
    services: parseServices(values.service),
    accountID: values['account-id'],
    metricsAddress: values['metrics-address'],
    drainReceiveMs: values['drain-receive-seconds'] * 1000,
    ...engineSettings(values),
  });
  await local.apply(first, io.signal);
  await writeRunFile(values['state-dir'], local, first);
  await watchFiles(values.file, first, local, log, io.signal);
  log.info('Draining', { reason: String(io.signal.reason) });
  await local.engine.drain(values['grace-seconds'] * 1000);
  log.info('Stopped');
  return exitCodes.ok;
}

/** Where Services are on this machine: `namespace/name` or `name` to address and port. */
export type LocalServices = ReadonlyMap<string, { readonly address: string; readonly port: number }>;

export function parseServices(pairs: readonly string[]): LocalServices {
  return new Map(
    pairs.map((pair) => {
      const match = /^([a-z0-9./-]+)=(?:http:\/\/)?(.+):(\d{1,5})\/?$/.exec(pair);
      if (match === null)
        throw new UsageError(`\`--service\` must be NAME=HOST:PORT, found ${JSON.stringify(pair)}`);
      return [match[1] ?? '', { address: (match[2] ?? '').replace(/^\[|\]$/g, ''), port: Number(match[3]) }];
    }),
  );
}

export interface LocalOptions {
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly services: LocalServices;
  readonly accountID: string | undefined;
  readonly metricsAddress: string;
  readonly drainReceiveMs: number;
  readonly bufferBytes: number;
  readonly concurrencyCeiling: number;
}

export interface Local extends AsyncDisposable {
  readonly engine: Engine;
  /** Of /metrics and the probes. */
  readonly url: string;
  /** Invocations of a mapping under way, by its name. */
  inFlight(mapping: string): number;
  /** Runs exactly these mappings from now on. */
  apply(manifests: Manifests, signal: AbortSignal): Promise<void>;
}

/** The engine without a cluster. */
export async function startLocal(options: LocalOptions): Promise<Local> {
  const { log, env } = options;
  const clock = systemClock;
  const metrics = new Metrics({ processMetrics: true });
  const version = sluiceVersion();
  metrics.set('sluice_build_info', { version, node: process.version }, 1);
  const aws = awsFromEnv(env);
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
  const opened = (): boolean =>
    engine
      .facts()
      .every(
        ({ standing, sourceHealthy }) => standing.state !== 'Failed' && sourceHealthy?.status === 'True',
      );
  const server = await startHttpServer(
    {
      metrics: () => metrics.text(),
      live: () => ({ ok: true, detail: 'ok' }),
      ready: () =>
        opened() ? { ok: true, detail: 'ok' } : { ok: false, detail: 'not every source is open' },
    },
    options.metricsAddress,
  );
  log.info('Started', { version, metrics: `${server.url}/metrics` });
  let generation = 0;
  const generations = new Map<string, { readonly text: string; readonly generation: number }>();
  return {
    engine,
    url: server.url,
    inFlight: (mapping) => inFlight.get(mapping) ?? 0,
    async apply(manifests, stop) {
      for (const note of manifests.notes) log.info('Passed a document over', { detail: note });
      generation++;
      const works: Work[] = [];
      for (const mapping of manifests.mappings) {
        if (mapping.spec.mode !== 'Poller') {
          log.warn('Passed a mapping over: mode Managed needs the controller', { mapping: nameOf(mapping) });
          continue;
        }
        // Equal text keeps its generation, so that a file which changes elsewhere leaves this mapping alone.
        const text = JSON.stringify(mapping);
        const known = generations.get(nameOf(mapping));
        const own = known?.text === text ? known.generation : generation;
        generations.set(nameOf(mapping), { text, generation: own });
        const place = {
          region: aws.region,
          accountID: options.accountID ?? (await accountOf(engine, mapping, aws.region, log, stop)),
        };
        works.push(workOf(mapping, own, place, manifests.mappings));
      }
      if (works.length === 0)
        throw new SluiceError('InvalidSpec', 'there is no EventSourceMapping in Poller mode to run', never);
      engine.set(works);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
    },
  };
}

function nameOf({ metadata }: EventSourceMapping): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`;
}

function workOf(
  mapping: EventSourceMapping,
  generation: number,
  place: Work['place'],
  all: readonly EventSourceMapping[],
): Work {
  const readers = all.filter((other) => other.spec.eventSourceARN === mapping.spec.eventSourceARN);
  return {
    mapping: {
      ...mapping,
      metadata: { ...mapping.metadata, namespace: mapping.metadata.namespace ?? 'default', generation },
    },
    place,
    identity:
      mapping.spec.aws?.roleARN === undefined
        ? { kind: 'Installation' }
        : { kind: 'Role', roleARN: mapping.spec.aws.roleARN },
    allowedURLs: 'any',
    allowLoopback: true,
    sharedSource: readers.length > 1,
    paused:
      mapping.metadata.annotations?.['sluice.dev/paused'] === 'delivery'
        ? 'PausedDelivery'
        : mapping.spec.enabled === false
          ? 'Disabled'
          : false,
  };
}

/** The account in which a queue without one in its ARN is found: the caller's own. */
async function accountOf(
  engine: Engine,
  mapping: EventSourceMapping,
  region: string | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<string | undefined> {
  const arn = parseArn(mapping.spec.eventSourceARN ?? '');
  const known = mapping.spec.aws?.accountID ?? arn?.accountID;
  if (known !== undefined && known !== '') return known;
  if (arn === undefined || !classifySource(mapping.spec).startsWith('sqs')) return undefined;
  try {
    using lease = engine.clients.sqs(
      {
        region: mapping.spec.aws?.region ?? (arn.region === '' ? region : arn.region),
        identity: installationIdentity,
      },
      'control',
    );
    const { QueueUrl } = await lease.client.send(new GetQueueUrlCommand({ QueueName: arn.resource }), {
      abortSignal: signal,
    });
    const { Attributes } = await lease.client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
      { abortSignal: signal },
    );
    return parseArn(Attributes?.['QueueArn'] ?? '')?.accountID;
  } catch (error) {
    log.warn('Could not find the account of a queue, set --account-id', {
      mapping: nameOf(mapping),
      queue: arn.resource,
      detail: messageOf(error),
    });
    return undefined;
  }
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

async function watchFiles(
  paths: readonly string[],
  first: Manifests,
  local: Local,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let { content } = first;
  let complaint = '';
  while (!signal.aborted) {
    await systemClock.sleep(1000, signal);
    if (signal.aborted) return;
    try {
      const manifests = await readManifests(paths);
      complaint = '';
      if (manifests.content === content) continue;
      await local.apply(manifests, signal);
      content = manifests.content;
      log.info('Took changed manifests over', { mappings: manifests.mappings.map(nameOf) });
    } catch (error) {
      // What runs goes on: a half-saved file must not stop delivery.
      if (messageOf(error) !== complaint)
        log.error('Changed manifests cannot be used, the former ones stay in force', {
          detail: messageOf(error),
        });
      complaint = messageOf(error);
    }
  }
}

/** SQS keeps all positions itself, so the only thing to remember is where this process can be asked. */
async function writeRunFile(folder: string, local: Local, manifests: Manifests): Promise<void> {
  await mkdir(folder, { recursive: true });
  const facts = {
    pid: process.pid,
    metrics: `${local.url}/metrics`,
    mappings: manifests.mappings.map(nameOf),
  };
  await writeFile(join(folder, 'run.json'), `${JSON.stringify(facts, null, 2)}\n`);
}
