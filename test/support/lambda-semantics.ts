import type { Configuration, CreateInput, UpdateInput } from '../../src/backends/aws/client.ts';

/**
 * How AWS Lambda fills in and changes a mapping, as far as its documentation and recorded answers say: defaults by
 * source, an omitted member keeps its value, an empty one clears it, and members that an update does not take.
 */
const retries = {
  DestinationConfig: { OnFailure: {} },
  MaximumRecordAgeInSeconds: -1,
  MaximumRetryAttempts: -1,
  BisectBatchOnFunctionError: false,
} as const;

const stream: Partial<Configuration> = {
  ...retries,
  BatchSize: 100,
  MaximumBatchingWindowInSeconds: 0,
  ParallelizationFactor: 1,
  TumblingWindowInSeconds: 0,
  FunctionResponseTypes: [],
};

function defaultsOf({ EventSourceArn: arn, UUID: uuid }: Configuration): Partial<Configuration> {
  switch (arn?.split(':')[2]) {
    case 'sqs':
      return { BatchSize: 10, MaximumBatchingWindowInSeconds: 0, FunctionResponseTypes: [] };
    case 'kinesis':
    case 'dynamodb':
      return stream;
    case 'kafka':
      return {
        BatchSize: 100,
        StartingPosition: 'TRIM_HORIZON',
        AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: uuid },
      };
    case undefined:
      return {
        BatchSize: 100,
        StartingPosition: 'TRIM_HORIZON',
        SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: uuid },
      };
    case 'rds':
      return { BatchSize: 100, StartingPosition: 'LATEST' };
    default:
      return { BatchSize: 100 };
  }
}

/** A new mapping with AWS's defaults. */
export function filledIn(created: Configuration): Configuration {
  return merged(defaultsOf(created), created);
}

/** The mapping after an update; `FunctionName` and `Enabled` are the caller's. */
export function changed(found: Configuration, input: UpdateInput): Configuration {
  const { FunctionName: _function, Enabled: _enabled, ...update } = input;
  const next = merged(found, update);
  const access = update.SourceAccessConfigurations;
  const host = found.SourceAccessConfigurations?.filter(({ Type }) => Type === 'VIRTUAL_HOST') ?? [];
  const filters = update.FilterCriteria;
  return {
    ...next,
    ...whole(update, 'ScalingConfig'),
    ...whole(update, 'ProvisionedPollerConfig'),
    ...whole(update, 'FilterCriteria'),
    ...whole(update, 'LoggingConfig'),
    ...(access === undefined ? {} : { SourceAccessConfigurations: [...access, ...host] }),
    // Without filters there is nothing that a key could encrypt.
    ...(filters !== undefined && (filters.Filters ?? []).length === 0 ? { KMSKeyArn: undefined } : {}),
    ...registries(update),
    ...(update.ProvisionedPollerConfig?.PollerGroupName === ''
      ? { ProvisionedPollerConfig: { ...update.ProvisionedPollerConfig, PollerGroupName: undefined } }
      : {}),
  };

  function registries(from: UpdateInput): Partial<Configuration> {
    const kinds = ['AmazonManagedKafkaEventSourceConfig', 'SelfManagedKafkaEventSourceConfig'] as const;
    return Object.fromEntries(
      kinds.flatMap((kind) => {
        const registry = from[kind]?.SchemaRegistryConfig;
        if (registry === undefined) return [];
        const kept = Object.keys(registry).length === 0 ? undefined : registry;
        return [[kind, { ...found[kind], ...from[kind], SchemaRegistryConfig: kept }]];
      }),
    );
  }
}

/** What AWS answers to members that an update does not take, also when they are unchanged. */
export function updateProblem(update: UpdateInput): string | undefined {
  const fixed = update as Partial<CreateInput>;
  const alone = ['EventSourceArn', 'StartingPosition', 'Topics', 'Queues', 'SelfManagedEventSource'] as const;
  const document = update.DocumentDBEventSourceConfig;
  const names = [
    ...alone.filter((name) => fixed[name] !== undefined),
    ...(document?.DatabaseName === undefined ? [] : ['databaseName']),
    ...(document?.CollectionName === undefined ? [] : ['collectionName']),
    ...(update.AmazonManagedKafkaEventSourceConfig?.ConsumerGroupId === undefined ? [] : ['consumerGroupId']),
    ...(update.SelfManagedKafkaEventSourceConfig?.ConsumerGroupId === undefined ? [] : ['consumerGroupId']),
    ...(update.SourceAccessConfigurations?.some(({ Type }) => Type === 'VIRTUAL_HOST') === true
      ? ['VIRTUAL_HOST']
      : []),
  ];
  return names.length === 0 ? undefined : `Invalid parameters: ${names.join(', ')}`;
}

/** Whether AWS allows one function only one of the two. */
export function readsTheSame(found: Configuration, asked: CreateInput): boolean {
  const servers = found.SelfManagedEventSource?.Endpoints?.KAFKA_BOOTSTRAP_SERVERS ?? [];
  const wanted = asked.SelfManagedEventSource?.Endpoints?.KAFKA_BOOTSTRAP_SERVERS ?? [];
  const below = ({ Topics, Queues, DocumentDBEventSourceConfig: document }: Configuration): string =>
    JSON.stringify([Topics, Queues, document?.DatabaseName, document?.CollectionName]);
  return (
    found.EventSourceArn === asked.EventSourceArn &&
    (asked.EventSourceArn !== undefined || wanted.some((server) => servers.includes(server))) &&
    below(found) === below(asked)
  );
}

function whole<K extends keyof UpdateInput>(from: UpdateInput, name: K): Partial<Pick<UpdateInput, K>> {
  return from[name] === undefined ? {} : ({ [name]: from[name] } as Partial<Pick<UpdateInput, K>>);
}

function merged(into: Partial<Configuration>, more: Partial<Configuration>): Configuration {
  const next: Record<string, unknown> = { ...into };
  for (const [name, value] of Object.entries(more)) {
    if (value === undefined) continue;
    const before = next[name];
    next[name] = isBlock(before) && isBlock(value) ? { ...before, ...value } : value;
  }
  return next;
}

function isBlock(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
