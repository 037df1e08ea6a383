/**
 * Which metrics of AWS/Lambda there are for a mapping. Pure. Each one that is asked for is paid for, so nothing is asked
 * for that AWS does not give: not for this source, not without its group in `metricsConfig`, not without what it counts.
 *
 * Names, groups and the dimension `EventSourceMappingUUID` are those of AWS's page on metrics of event source mappings
 * (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics); IteratorAge
 * and OffsetLag are metrics of the function. That AWS gives a metric under exactly these dimensions could be tried on no
 * emulator.
 */
import { parseFunctionName } from '../../../api/arn.ts';
import { classifySource, type SourceKind } from '../../../api/effective.ts';
import type { EventSourceMappingSpec } from '../../../api/mapping.ts';

/** Adds up, or the greatest value counts. */
export type Statistic = 'Sum' | 'Maximum';

interface Rule {
  readonly name: string;
  readonly statistic: Statistic;
  /** Of the mapping itself, or of its function: mappings of one function share it. */
  readonly of: 'mapping' | 'function';
  readonly isGiven: (spec: EventSourceMappingSpec, kind: SourceKind) => boolean;
}

const isQueue = (kind: SourceKind): boolean => kind === 'sqs' || kind === 'sqs-fifo';
const isKafka = (kind: SourceKind): boolean => kind === 'msk' || kind === 'kafka';
const isStream = (kind: SourceKind): boolean =>
  kind === 'kinesis' || kind === 'kinesis-consumer' || kind === 'dynamodb';

const has = (spec: EventSourceMappingSpec, group: string): boolean =>
  spec.metricsConfig?.metrics?.some((metric) => metric === group) === true;
const counts = (spec: EventSourceMappingSpec): boolean => has(spec, 'EventCount');
const countsErrors = (spec: EventSourceMappingSpec, kind: SourceKind): boolean =>
  isKafka(kind) && has(spec, 'ErrorCount');
const hasDestination = ({ destinationConfig }: EventSourceMappingSpec): boolean =>
  (destinationConfig?.onFailure?.destination ?? '') !== '';
const hasFilter = ({ filterCriteria }: EventSourceMappingSpec): boolean =>
  (filterCriteria?.filters ?? []).length > 0;
const hasSchemas = (spec: EventSourceMappingSpec): boolean =>
  spec.amazonManagedKafkaEventSourceConfig?.schemaRegistryConfig !== undefined ||
  spec.selfManagedKafkaEventSourceConfig?.schemaRegistryConfig !== undefined;
const isProvisioned = (spec: EventSourceMappingSpec): boolean => spec.provisionedPollerConfig !== undefined;

const sum = { statistic: 'Sum', of: 'mapping' } as const;
const maximum = { statistic: 'Maximum', of: 'mapping' } as const;

const rules = [
  { name: 'PolledEventCount', ...sum, isGiven: counts },
  { name: 'FilteredOutEventCount', ...sum, isGiven: (spec) => counts(spec) && hasFilter(spec) },
  { name: 'InvokedEventCount', ...sum, isGiven: counts },
  { name: 'FailedInvokeEventCount', ...sum, isGiven: counts },
  {
    name: 'DroppedEventCount',
    ...sum,
    isGiven: (spec, kind) => counts(spec) && (isStream(kind) || isKafka(kind)),
  },
  {
    name: 'OnFailureDestinationDeliveredEventCount',
    ...sum,
    isGiven: (spec, kind) => counts(spec) && hasDestination(spec) && (isStream(kind) || isKafka(kind)),
  },
  { name: 'DeletedEventCount', ...sum, isGiven: (spec, kind) => counts(spec) && isQueue(kind) },
  { name: 'CommittedEventCount', ...sum, isGiven: (spec, kind) => counts(spec) && isKafka(kind) },
  { name: 'PollingErrorCount', ...sum, isGiven: countsErrors },
  { name: 'InvokeErrorCount', ...sum, isGiven: countsErrors },
  {
    name: 'OnFailureDestinationDeliveryErrorCount',
    ...sum,
    isGiven: (spec, kind) => countsErrors(spec, kind) && hasDestination(spec),
  },
  {
    name: 'SchemaRegistryErrorCount',
    ...sum,
    isGiven: (spec, kind) => countsErrors(spec, kind) && hasSchemas(spec),
  },
  { name: 'CommitErrorCount', ...sum, isGiven: countsErrors },
  {
    name: 'EventPollerThroughputInBytes',
    ...sum,
    isGiven: (spec, kind) => isProvisioned(spec) && isKafka(kind),
  },
  {
    name: 'ProvisionedPollers',
    ...maximum,
    isGiven: (spec, kind) => isProvisioned(spec) && (isKafka(kind) || isQueue(kind)),
  },
  { name: 'MaxOffsetLag', ...maximum, isGiven: (spec, kind) => isKafka(kind) && has(spec, 'KafkaMetrics') },
  { name: 'SumOffsetLag', ...maximum, isGiven: (spec, kind) => isKafka(kind) && has(spec, 'KafkaMetrics') },
  {
    // What there is of the lag without the group `KafkaMetrics`.
    name: 'OffsetLag',
    statistic: 'Maximum',
    of: 'function',
    isGiven: (spec, kind) => isKafka(kind) && !has(spec, 'KafkaMetrics'),
  },
  {
    name: 'IteratorAge',
    statistic: 'Maximum',
    of: 'function',
    isGiven: (_, kind) => isStream(kind) || kind === 'docdb',
  },
] as const satisfies readonly Rule[];

/** The metrics that can be followed, by AWS's names. */
export type MetricName = (typeof rules)[number]['name'];

/** A metric that is to be asked for. */
export interface WantedMetric {
  readonly name: MetricName;
  readonly statistic: Statistic;
  readonly dimensions: readonly Dimension[];
}

export interface Dimension {
  readonly Name: string;
  readonly Value: string;
}

/** What AWS gives of the live mapping `uuid` that the spec describes. */
export function wantedMetrics(spec: EventSourceMappingSpec, uuid: string): readonly WantedMetric[] {
  const kind = classifySource(spec);
  const byFunction = functionDimensions(spec.functionName);
  const byMapping = [{ Name: 'EventSourceMappingUUID', Value: uuid }];
  return rules.flatMap(({ name, statistic, of, isGiven }) => {
    const dimensions = of === 'mapping' ? byMapping : byFunction;
    return dimensions !== undefined && isGiven(spec, kind) ? [{ name, statistic, dimensions }] : [];
  });
}

/** A function's own metrics; those of a version or alias have a dimension more. */
function functionDimensions(functionName: string | undefined): readonly Dimension[] | undefined {
  const { name, qualifier } = parseFunctionName(functionName ?? '') ?? {};
  if (name === undefined) return undefined;
  const all = [{ Name: 'FunctionName', Value: name }];
  return qualifier === undefined ? all : [...all, { Name: 'Resource', Value: `${name}:${qualifier}` }];
}

const sourceTypes: Readonly<Record<SourceKind, string>> = {
  sqs: 'sqs',
  'sqs-fifo': 'sqs',
  kinesis: 'kinesis',
  'kinesis-consumer': 'kinesis',
  dynamodb: 'dynamodb',
  msk: 'msk',
  kafka: 'kafka',
  mq: 'mq',
  docdb: 'docdb',
  unknown: 'unknown',
};

/** The label `source_type`: that of the pollers, where they read such a source. */
export function sourceTypeOf(spec: EventSourceMappingSpec): string {
  return sourceTypes[classifySource(spec)];
}

/** The label `destination_type`: the service of the destination on failure. */
export function destinationTypeOf({ destinationConfig }: EventSourceMappingSpec): string {
  const destination = destinationConfig?.onFailure?.destination ?? '';
  if (destination === '') return '';
  const service = /^arn:[^:]*:(sqs|sns|s3):/.exec(destination)?.[1];
  return service ?? (destination.startsWith('kafka://') ? 'kafka' : 'unknown');
}
