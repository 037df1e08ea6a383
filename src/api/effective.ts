/**
 * The values in force: what `spec` says, filled up with AWS's defaults per source, the class's place and what the
 * ARN itself tells, each with its origin. Pure. Long values without a default (filters, tags, headers) stay in `spec`
 * alone, so that status stays small.
 */
import { completeArn, parseArn, parseFunctionName, type Place } from './arn.ts';
import type { MappingClassSpec } from './class.ts';
import type { EventSourceMappingSpec, HttpTarget, Origin } from './mapping.ts';

/** Kinds of event source that a spec can name. */
export type SourceKind =
  | 'sqs'
  | 'sqs-fifo'
  | 'kinesis'
  | 'kinesis-consumer'
  | 'dynamodb'
  | 'msk'
  | 'kafka'
  | 'mq'
  | 'docdb'
  | 'unknown';

/** The kind of source, by the form of the spec alone. */
export function classifySource(
  spec: Pick<EventSourceMappingSpec, 'eventSourceARN' | 'selfManagedEventSource'>,
): SourceKind {
  if (spec.eventSourceARN === undefined)
    return spec.selfManagedEventSource === undefined ? 'unknown' : 'kafka';
  const arn = parseArn(spec.eventSourceARN);
  if (arn === undefined) return 'unknown';
  switch (arn.service) {
    case 'sqs':
      return arn.resource.endsWith('.fifo') ? 'sqs-fifo' : 'sqs';
    case 'kinesis':
      return arn.resource.includes('/consumer/') ? 'kinesis-consumer' : 'kinesis';
    case 'dynamodb':
      return 'dynamodb';
    case 'kafka':
      return 'msk';
    case 'mq':
      return 'mq';
    case 'rds':
      return 'docdb';
    default:
      return 'unknown';
  }
}

const streams: ReadonlySet<SourceKind> = new Set(['kinesis', 'kinesis-consumer', 'dynamodb']);
const kafkas: ReadonlySet<SourceKind> = new Set(['msk', 'kafka']);
const queues: ReadonlySet<SourceKind> = new Set(['sqs', 'sqs-fifo']);

/** What the values in force depend on beside the spec. */
export interface EffectiveContext {
  readonly class?: MappingClassSpec | undefined;
  /** Place of the process itself, where there is no class (`sluice run`). */
  readonly ambient?: Place | undefined;
}

/** The HTTP target with its defaults; present in Poller mode with an HTTP target only. */
export interface EffectiveHttpTarget {
  readonly timeoutSeconds: number;
  readonly format: NonNullable<HttpTarget['format']>;
  readonly service?: {
    readonly name: string;
    readonly port: number | string;
    readonly path: string;
    readonly scheme: 'http' | 'https';
  };
  readonly url?: string;
}

/** Values in force, in the shape of `spec`; a member that the source does not take is absent. */
export interface EffectiveValues {
  readonly mode: EventSourceMappingSpec['mode'];
  readonly enabled: boolean;
  /** Complete, or as written while Region or account is unknown. */
  readonly eventSourceARN?: string;
  readonly functionName?: string;
  readonly aws: { readonly region?: string; readonly accountID?: string };
  readonly batchSize: number;
  /** Absent: AWS's half second, which no explicit value restores. */
  readonly maximumBatchingWindowInSeconds?: number;
  readonly parallelizationFactor?: number;
  readonly tumblingWindowInSeconds?: number;
  readonly startingPosition?: NonNullable<EventSourceMappingSpec['startingPosition']>;
  readonly functionResponseTypes?: readonly 'ReportBatchItemFailures'[];
  readonly maximumRetryAttempts?: number;
  readonly maximumRecordAgeInSeconds?: number;
  readonly bisectBatchOnFunctionError?: boolean;
  /** Present in provisioned mode only. */
  readonly provisionedPollerConfig?: {
    readonly minimumPollers: number;
    readonly maximumPollers: number;
    readonly pollerGroupName?: string;
  };
  /** Absent in it: concurrency follows the backlog. */
  readonly scalingConfig?: { readonly maximumConcurrency?: number };
  readonly poller?: {
    readonly unmatched?: 'Delete' | 'Release';
    readonly maximumHoldSeconds?: number;
    readonly target?: { readonly http: EffectiveHttpTarget };
  };
  readonly managementPolicy: 'Full' | 'Observe';
  readonly adoptionPolicy: 'Never' | 'IfExists';
  readonly deletionPolicy: 'Delete' | 'Retain' | 'Disable';
  readonly replacementPolicy: 'Never' | 'Recreate';
}

/** Values in force and, by dotted field path, where each comes from. */
export interface Effective {
  readonly source: SourceKind;
  readonly values: EffectiveValues;
  readonly origins: Readonly<Record<string, Origin>>;
}

/** The values in force of a spec that the schema accepts. */
export function effective(spec: EventSourceMappingSpec, context: EffectiveContext = {}): Effective {
  const source = classifySource(spec);
  const origins: Record<string, Origin> = {};
  const said = <T>(path: string, value: T | undefined): T | undefined => {
    if (value !== undefined) origins[path] = 'spec';
    return value;
  };
  const or = <T>(path: string, value: T | undefined, fallback: T): T => {
    origins[path] = value === undefined ? 'default' : 'spec';
    return value ?? fallback;
  };

  const place = placeOf(spec, context, origins);
  const eventSourceARN = sourceArn(spec, place, origins);
  const isStream = streams.has(source);
  const retries = isStream || kafkas.has(source);
  const responses = retries || queues.has(source);
  const concurrency = said('scalingConfig.maximumConcurrency', spec.scalingConfig?.maximumConcurrency);
  const functionName = said('functionName', spec.functionName);
  const window =
    said('maximumBatchingWindowInSeconds', spec.maximumBatchingWindowInSeconds) ??
    windowDefault(source, origins);
  const startingPosition =
    said('startingPosition', spec.startingPosition) ?? positionDefault(source, spec, origins);

  const values: EffectiveValues = {
    mode: spec.mode,
    enabled: or('enabled', spec.enabled, true),
    ...(eventSourceARN === undefined ? {} : { eventSourceARN }),
    ...(functionName === undefined ? {} : { functionName }),
    aws: place,
    batchSize: or('batchSize', spec.batchSize, queues.has(source) ? 10 : 100),
    ...(window === undefined ? {} : { maximumBatchingWindowInSeconds: window }),
    ...(isStream
      ? {
          parallelizationFactor: or('parallelizationFactor', spec.parallelizationFactor, 1),
          tumblingWindowInSeconds: or('tumblingWindowInSeconds', spec.tumblingWindowInSeconds, 0),
        }
      : {}),
    ...(startingPosition === undefined ? {} : { startingPosition }),
    ...(responses
      ? { functionResponseTypes: or('functionResponseTypes', spec.functionResponseTypes, []) }
      : {}),
    ...(retries
      ? {
          maximumRetryAttempts: or(
            'maximumRetryAttempts',
            spec.maximumRetryAttempts,
            isShareGroup(spec) ? 0 : -1,
          ),
          maximumRecordAgeInSeconds: or('maximumRecordAgeInSeconds', spec.maximumRecordAgeInSeconds, -1),
          bisectBatchOnFunctionError: or(
            'bisectBatchOnFunctionError',
            spec.bisectBatchOnFunctionError,
            false,
          ),
        }
      : {}),
    ...(spec.provisionedPollerConfig === undefined
      ? {}
      : { provisionedPollerConfig: pollersOf(spec.provisionedPollerConfig, source, or) }),
    ...(concurrency === undefined ? {} : { scalingConfig: { maximumConcurrency: concurrency } }),
    ...(spec.mode === 'Poller' ? { poller: pollerOf(spec, source, or) } : {}),
    managementPolicy: or('managementPolicy', spec.managementPolicy, 'Full'),
    adoptionPolicy: or('adoptionPolicy', spec.adoptionPolicy, 'Never'),
    deletionPolicy: or('deletionPolicy', spec.deletionPolicy, 'Delete'),
    replacementPolicy: or('replacementPolicy', spec.replacementPolicy, 'Never'),
  };
  return { source, values, origins };
}

/** The source and target of a spec in a few words, for printer columns and logs. */
export function summarize(spec: EventSourceMappingSpec): {
  readonly source: string;
  readonly target: string;
} {
  const arn = spec.eventSourceARN === undefined ? undefined : parseArn(spec.eventSourceARN);
  const self = spec.topics?.[0] ?? spec.selfManagedEventSource?.endpoints.KAFKA_BOOTSTRAP_SERVERS[0] ?? '';
  const source = arn === undefined ? `kafka:${self}` : `${arn.service}:${arn.resource}`;
  return { source: source.slice(0, 256), target: targetText(spec).slice(0, 256) };
}

type Default = <T>(path: string, value: T | undefined, fallback: T) => T;

function targetText(spec: EventSourceMappingSpec): string {
  const http = spec.mode === 'Poller' ? spec.poller?.target?.http : undefined;
  if (http?.service !== undefined) return `service:${http.service.name}:${http.service.port}`;
  if (http?.url !== undefined) return http.url.replace(/[?].*$/s, '');
  const reference = spec.functionName === undefined ? undefined : parseFunctionName(spec.functionName);
  if (reference === undefined) return `lambda:${spec.functionName ?? ''}`;
  return `lambda:${reference.name}${reference.qualifier === undefined ? '' : `:${reference.qualifier}`}`;
}

function placeOf(
  spec: EventSourceMappingSpec,
  context: EffectiveContext,
  origins: Record<string, Origin>,
): { readonly region?: string; readonly accountID?: string } {
  const arn = spec.eventSourceARN === undefined ? undefined : parseArn(spec.eventSourceARN);
  const choose = (field: 'region' | 'accountID'): string | undefined => {
    const candidates: readonly (readonly [Origin, string | undefined])[] = [
      ['spec', spec.aws?.[field]],
      ['arn', arn?.[field]],
      ['class', context.class?.aws?.[field]],
      ['default', context.ambient?.[field]],
    ];
    const found = candidates.find(([, value]) => value !== undefined && value !== '');
    if (found === undefined) return undefined;
    origins[`aws.${field}`] = found[0];
    return found[1];
  };
  const region = choose('region');
  const accountID = choose('accountID');
  return { ...(region === undefined ? {} : { region }), ...(accountID === undefined ? {} : { accountID }) };
}

/** The complete ARN; its origin is `spec` when nothing was missing, else that of the part that filled it. */
function sourceArn(
  spec: EventSourceMappingSpec,
  place: Place,
  origins: Record<string, Origin>,
): string | undefined {
  if (spec.eventSourceARN === undefined) return undefined;
  const completion = completeArn(spec.eventSourceARN, place);
  origins['eventSourceARN'] = 'spec';
  if (completion.kind !== 'complete') return spec.eventSourceARN;
  if (completion.completed) {
    const sources = [origins['aws.region'], origins['aws.accountID']];
    origins['eventSourceARN'] = sources.includes('class')
      ? 'class'
      : sources.includes('default')
        ? 'default'
        : 'spec';
  }
  return completion.text;
}

function windowDefault(source: SourceKind, origins: Record<string, Origin>): number | undefined {
  if (!queues.has(source) && !streams.has(source)) return undefined;
  origins['maximumBatchingWindowInSeconds'] = 'default';
  return 0;
}

function isShareGroup(spec: EventSourceMappingSpec): boolean {
  return spec.selfManagedKafkaEventSourceConfig?.consumptionMode === 'Queue';
}

function positionDefault(
  source: SourceKind,
  spec: EventSourceMappingSpec,
  origins: Record<string, Origin>,
): 'TRIM_HORIZON' | 'LATEST' | undefined {
  if ((!kafkas.has(source) && source !== 'docdb') || isShareGroup(spec)) return undefined;
  origins['startingPosition'] = 'default';
  return source === 'docdb' ? 'LATEST' : 'TRIM_HORIZON';
}

/** AWS's defaults of provisioned mode, kept apart by the bound that is said. */
function pollersOf(
  asked: NonNullable<EventSourceMappingSpec['provisionedPollerConfig']>,
  source: SourceKind,
  or: Default,
): NonNullable<EffectiveValues['provisionedPollerConfig']> {
  const at = 'provisionedPollerConfig';
  const least = Math.min(queues.has(source) ? 2 : 1, asked.maximumPollers ?? 2);
  const minimumPollers = or(`${at}.minimumPollers`, asked.minimumPollers, least);
  return {
    minimumPollers,
    maximumPollers: or(`${at}.maximumPollers`, asked.maximumPollers, Math.max(200, minimumPollers)),
    ...(asked.pollerGroupName ? { pollerGroupName: asked.pollerGroupName } : {}),
  };
}

function pollerOf(
  spec: EventSourceMappingSpec,
  source: SourceKind,
  or: Default,
): NonNullable<EffectiveValues['poller']> {
  const http = spec.poller?.target?.http;
  return {
    ...(queues.has(source)
      ? {
          unmatched: or('poller.unmatched', spec.poller?.unmatched, 'Delete'),
          maximumHoldSeconds: or('poller.maximumHoldSeconds', spec.poller?.maximumHoldSeconds, 900),
        }
      : {}),
    ...(http === undefined ? {} : { target: { http: httpOf(http, or) } }),
  };
}

function httpOf(http: HttpTarget, or: Default): EffectiveHttpTarget {
  const { service, url } = http;
  const at = 'poller.target.http';
  return {
    timeoutSeconds: or(`${at}.timeoutSeconds`, http.timeoutSeconds, 30),
    format: or(`${at}.format`, http.format, 'Lambda'),
    ...(service === undefined
      ? {}
      : {
          service: {
            name: service.name,
            port: service.port,
            path: or(
              `${at}.service.path`,
              service.path,
              http.format === 'LambdaInvoke' ? lambdaInvokePath : '/',
            ),
            scheme: or(`${at}.service.scheme`, service.scheme, 'http'),
          },
        }),
    ...(url === undefined ? {} : { url }),
  };
}

/** Default path of `format: LambdaInvoke`, where the runtime interface emulator listens. */
export const lambdaInvokePath = '/2015-03-31/functions/function/invocations';
