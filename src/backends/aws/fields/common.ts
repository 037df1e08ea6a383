/**
 * The fields that more than one kind of source has: what is read and who gets it, batching, failures, filters. Pure.
 * Clearing values are those of Lambda's UpdateEventSourceMapping, where an omitted member means "keep".
 */
import { completeArn, parseArn } from '../../../api/arn.ts';
import type { Effective } from '../../../api/effective.ts';
import type { Configuration, CreateInput } from '../client.ts';
import { isSameFunction, isSamePatterns } from '../same.ts';
import { groups, hidden, number, numberField, setOf, text, texts, type Field } from './field.ts';

const { all, queues, streams, kafka } = groups;

/** Fields of several sources, in the order in which differences are told. */
export const commonFields: readonly Field[] = [
  {
    path: 'eventSourceARN',
    createOnly: true,
    sources: all,
    desired: ({ values }) => values.eventSourceARN,
    observed: (found) => found.EventSourceArn,
    same: isSameSource,
    input: (value) => ({ EventSourceArn: text(value) }),
  },
  {
    path: 'functionName',
    createOnly: false,
    sources: all,
    desired: ({ values }) => values.functionName,
    observed: (found) => found.FunctionArn,
    same: (desired, observed) => isSameFunction(text(desired) ?? '', text(observed) ?? ''),
    input: (value) => ({ FunctionName: text(value) }),
  },
  {
    path: 'enabled',
    createOnly: false,
    sources: all,
    desired: ({ values }) => values.enabled,
    observed: (found) => found.State === 'Enabled',
    input: (value) => ({ Enabled: value === true }),
  },
  numberField('batchSize', 'BatchSize', all, (_, { source }) => (queues.includes(source) ? 10 : 100)),
  {
    path: 'maximumBatchingWindowInSeconds',
    // Lambda's half second is an absent value, and no request brings it back.
    createOnly: (desired) => desired === undefined,
    sources: all,
    desired: ({ values }) => values.maximumBatchingWindowInSeconds,
    observed: (found, { source }) =>
      found.MaximumBatchingWindowInSeconds ?? ([...queues, ...streams].includes(source) ? 0 : undefined),
    input: (value) => ({ MaximumBatchingWindowInSeconds: number(value) }),
  },
  numberField('parallelizationFactor', 'ParallelizationFactor', streams, () => 1),
  numberField('tumblingWindowInSeconds', 'TumblingWindowInSeconds', streams, () => 0),
  {
    path: 'startingPosition',
    createOnly: true,
    sources: [...streams, ...kafka, 'docdb'],
    desired: ({ values }) => values.startingPosition,
    // A share group has none, whatever AWS shows.
    observed: (found, _, desired) => (desired === undefined ? hidden : (found.StartingPosition ?? hidden)),
    input: (value) => ({ StartingPosition: text(value) as CreateInput['StartingPosition'] }),
  },
  {
    path: 'startingPositionTimestamp',
    createOnly: true,
    sources: [...streams, ...kafka, 'docdb'],
    desired: (_, spec) => spec.startingPositionTimestamp,
    observed: (found) => found.StartingPositionTimestamp?.toISOString(),
    // Unix seconds on the wire; one instant has many spellings.
    same: (desired, observed) => seconds(desired) === seconds(observed),
    input: (value) => ({ StartingPositionTimestamp: new Date(text(value) ?? '') }),
  },
  {
    path: 'functionResponseTypes',
    createOnly: false,
    sources: [...queues, ...streams, ...kafka],
    desired: ({ values }) => setOf(values.functionResponseTypes),
    observed: (found) => setOf(found.FunctionResponseTypes),
    input: (value) => ({
      FunctionResponseTypes: texts(value) as NonNullable<CreateInput['FunctionResponseTypes']>,
    }),
  },
  numberField('maximumRetryAttempts', 'MaximumRetryAttempts', [...streams, ...kafka], (found) =>
    found.SelfManagedKafkaEventSourceConfig?.ConsumptionMode === 'Queue' ? 0 : -1,
  ),
  numberField('maximumRecordAgeInSeconds', 'MaximumRecordAgeInSeconds', [...streams, ...kafka], () => -1),
  {
    path: 'bisectBatchOnFunctionError',
    createOnly: false,
    sources: [...streams, ...kafka],
    desired: ({ values }) => values.bisectBatchOnFunctionError,
    observed: (found) => found.BisectBatchOnFunctionError ?? false,
    input: (value) => ({ BisectBatchOnFunctionError: value === true }),
  },
  {
    path: 'destinationConfig.onFailure.destination',
    createOnly: false,
    sources: [...streams, ...kafka],
    desired: (effective, spec) => completed(spec.destinationConfig?.onFailure?.destination, effective),
    observed: (found) => found.DestinationConfig?.OnFailure?.Destination || undefined,
    input: (value) => ({ DestinationConfig: { OnFailure: { Destination: text(value) ?? '' } } }),
  },
  {
    path: 'filterCriteria.filters',
    createOnly: false,
    sources: all,
    desired: (_, spec) => some(spec.filterCriteria?.filters?.map(({ pattern }) => pattern)),
    observed: (found) =>
      areFiltersHidden(found)
        ? hidden
        : some(found.FilterCriteria?.Filters?.map(({ Pattern }) => Pattern ?? '')),
    same: (desired, observed) => isSamePatterns(texts(desired), texts(observed)),
    input: (value) => ({
      FilterCriteria: value === undefined ? {} : { Filters: texts(value).map((Pattern) => ({ Pattern })) },
    }),
  },
  {
    path: 'kmsKeyARN',
    createOnly: false,
    sources: all,
    // The key is that of the filters: without them AWS drops it, and asking for it again would never end.
    desired: (effective, spec) =>
      (spec.filterCriteria?.filters ?? []).length === 0 ? undefined : completed(spec.kmsKeyARN, effective),
    observed: (found) => found.KMSKeyArn || undefined,
    input: (value) => ({ KMSKeyArn: text(value) ?? '' }),
  },
  {
    path: 'metricsConfig.metrics',
    createOnly: false,
    sources: [...queues, ...streams, ...kafka],
    desired: (_, spec) => setOf(spec.metricsConfig?.metrics),
    observed: (found) => setOf(found.MetricsConfig?.Metrics),
    input: (value) => ({
      MetricsConfig: { Metrics: texts(value) as NonNullable<CreateInput['MetricsConfig']>['Metrics'] },
    }),
  },
];

/** Encrypted: Get says that it could not decrypt them, List leaves them out and shows the key alone. */
export function areFiltersHidden(found: Configuration): boolean {
  return (
    found.FilterCriteriaError !== undefined ||
    (Boolean(found.KMSKeyArn) && found.FilterCriteria === undefined)
  );
}

const some = <T>(list: readonly T[] | undefined): readonly T[] | undefined =>
  list === undefined || list.length === 0 ? undefined : list;

function seconds(value: unknown): number | undefined {
  return value === undefined ? undefined : Math.floor(Date.parse(text(value) ?? '') / 1000);
}

/** A partial ARN in the mapping's place; whatever else it is, as it is: a Kafka topic, a bucket. */
function completed(value: string | undefined, { values }: Effective): string | undefined {
  if (value === undefined || value === '') return undefined;
  const completion = completeArn(value, values.aws);
  return completion.kind === 'complete' ? completion.text : value;
}

/** What a partial ARN leaves out is AWS's to know. */
function isSameSource(desired: unknown, observed: unknown): boolean {
  const [wanted, found] = [parseArn(text(desired) ?? ''), parseArn(text(observed) ?? '')];
  if (wanted === undefined || found === undefined) return false;
  return (
    wanted.service === found.service &&
    wanted.resource === found.resource &&
    (wanted.region === '' || wanted.region === found.region) &&
    (wanted.accountID === '' || wanted.accountID === found.accountID)
  );
}
