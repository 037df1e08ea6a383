import type { EventSourceMappingSpec } from '../../src/api/mapping.ts';
import type { Configuration } from '../../src/backends/aws/client.ts';

/**
 * Where each field of AWS's half is driven: created with one value, changed to another, and cleared, each compared
 * with what the server then says. `endpoint` is our own, for what no emulator can: there the request is asserted.
 */
export type FieldServer = 'LocalEmu' | 'MiniStack' | 'endpoint';
type Spec = Partial<EventSourceMappingSpec>;

export interface FieldRow {
  /** Path of the field in the table of `translate.ts`. */
  readonly path: string;
  readonly server: FieldServer;
  readonly source: keyof typeof sourceSpecs;
  /** What else the source or AWS needs for it. */
  readonly base?: Spec;
  readonly set: Spec;
  /** Absent for a field that a live mapping must keep: then `change` of the spec is refused. */
  readonly change: Spec;
  readonly createOnly?: true;
  /** The member as AWS shows it. */
  readonly member: (configuration: Configuration) => unknown;
  /** The member after each step; the last is undefined where the field cannot be left out. */
  readonly shown: readonly [set: unknown, change: unknown, clear?: unknown];
  /** What the clearing request holds, for `endpoint`. */
  readonly clears?: object;
}

const arn = (service: string, resource: string): string =>
  `arn:aws:${service}:eu-central-1:000000000000:${resource}`;
const secret = (name: string): string => arn('secretsmanager', `secret:${name}`);
const login = [{ type: 'BASIC_AUTH', uri: secret('login') }];
const broker = { eventSourceARN: arn('mq', 'broker:b:b-1'), queues: ['orders'] };

/** The least spec of each source. */
export const sourceSpecs = {
  sqs: { eventSourceARN: arn('sqs', 'orders') },
  kinesis: { eventSourceARN: arn('kinesis', 'stream/clicks'), startingPosition: 'TRIM_HORIZON' },
  dynamodb: {
    eventSourceARN: arn('dynamodb', 'table/t/stream/2026-01-01T00:00:00.000'),
    startingPosition: 'TRIM_HORIZON',
  },
  msk: {
    eventSourceARN: arn('kafka', 'cluster/c/11111111-0000-4000-8000-000000000000-1'),
    topics: ['orders'],
  },
  kafka: {
    selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['b-1.example.com:9092'] } },
    topics: ['orders'],
    sourceAccessConfigurations: login,
  },
  mq: { ...broker, sourceAccessConfigurations: login },
  docdb: {
    eventSourceARN: arn('rds', 'cluster:docs'),
    documentDBEventSourceConfig: { databaseName: 'shop' },
    sourceAccessConfigurations: login,
  },
} as const satisfies Readonly<Record<string, Spec>>;

const provisioned: Spec = { provisionedPollerConfig: { minimumPollers: 1, maximumPollers: 5 } };
const registry = (more: object): object => ({ schemaRegistryURI: arn('glue', 'registry/r'), ...more });
const filters = (...patterns: readonly string[]): Spec => ({
  filterCriteria: { filters: patterns.map((pattern) => ({ pattern })) },
});
const patternsOf = ({ FilterCriteria: found }: Configuration): unknown =>
  found?.Filters?.map(({ Pattern }) => Pattern) ?? [];

/** SQS against the strict emulator. */
const queueRows: readonly FieldRow[] = (
  [
    {
      path: 'batchSize',
      set: { batchSize: 3 },
      change: { batchSize: 4 },
      member: (one) => one.BatchSize,
      shown: [3, 4, 10],
    },
    {
      path: 'maximumBatchingWindowInSeconds',
      set: { maximumBatchingWindowInSeconds: 2 },
      change: { maximumBatchingWindowInSeconds: 5 },
      member: (one) => one.MaximumBatchingWindowInSeconds,
      shown: [2, 5, 0],
    },
    {
      path: 'functionName',
      set: { functionName: 'consumer' },
      change: { functionName: 'consumer:$LATEST' },
      member: (one) => one.FunctionArn?.split(':function:')[1],
      shown: ['consumer', 'consumer:$LATEST'],
    },
    {
      path: 'enabled',
      set: { enabled: false },
      change: { enabled: true },
      member: (one) => one.State,
      shown: ['Disabled', 'Enabled', 'Enabled'],
    },
    {
      path: 'functionResponseTypes',
      set: { functionResponseTypes: ['ReportBatchItemFailures'] },
      change: { functionResponseTypes: [] },
      member: (one) => one.FunctionResponseTypes,
      shown: [['ReportBatchItemFailures'], [], []],
    },
    {
      path: 'filterCriteria.filters',
      set: filters('{"body":{"a":[1]}}'),
      change: filters('{"body":{"a":[2]}}', '{"body":{"b":[1]}}'),
      member: patternsOf,
      shown: [['{"body":{"a":[1]}}'], ['{"body":{"a":[2]}}', '{"body":{"b":[1]}}'], []],
    },
    {
      path: 'kmsKeyARN',
      base: filters('{"body":{"a":[1]}}'),
      set: { kmsKeyARN: arn('kms', 'key/one') },
      change: { kmsKeyARN: arn('kms', 'key/two') },
      member: (one) => one.KMSKeyArn,
      shown: [arn('kms', 'key/one'), arn('kms', 'key/two'), ''],
    },
    {
      path: 'scalingConfig.maximumConcurrency',
      set: { scalingConfig: { maximumConcurrency: 4 } },
      change: { scalingConfig: { maximumConcurrency: 7 } },
      member: (one) => one.ScalingConfig,
      shown: [{ MaximumConcurrency: 4 }, { MaximumConcurrency: 7 }, {}],
    },
    {
      path: 'provisionedPollerConfig',
      set: { provisionedPollerConfig: { minimumPollers: 3 } },
      change: { provisionedPollerConfig: { minimumPollers: 3, maximumPollers: 9 } },
      member: (one) => one.ProvisionedPollerConfig,
      shown: [{ MinimumPollers: 3, MaximumPollers: 200 }, { MinimumPollers: 3, MaximumPollers: 9 }, {}],
    },
    {
      path: 'metricsConfig.metrics',
      set: { metricsConfig: { metrics: ['EventCount'] } },
      change: { metricsConfig: { metrics: [] } },
      member: (one) => one.MetricsConfig?.Metrics ?? [],
      shown: [['EventCount'], [], []],
    },
    {
      path: 'eventSourceARN',
      createOnly: true,
      set: {},
      change: { eventSourceARN: arn('sqs', 'another') },
      member: (one) => one.EventSourceArn?.split(':').slice(0, 5).join(':'),
      shown: ['arn:aws:sqs:eu-central-1:000000000000', undefined],
    },
  ] satisfies readonly Omit<FieldRow, 'server' | 'source'>[]
).map((row) => ({ ...row, server: 'LocalEmu', source: 'sqs' }) as const);

const stream = (source: 'kinesis' | 'dynamodb'): readonly FieldRow[] =>
  (
    [
      {
        path: 'batchSize',
        set: { batchSize: 3 },
        change: { batchSize: 500 },
        member: (one) => one.BatchSize,
        shown: [3, 500, 100],
      },
      {
        path: 'parallelizationFactor',
        set: { parallelizationFactor: 3 },
        change: { parallelizationFactor: 2 },
        member: (one) => one.ParallelizationFactor,
        shown: [3, 2, 1],
      },
      {
        path: 'maximumRetryAttempts',
        set: { maximumRetryAttempts: 5 },
        change: { maximumRetryAttempts: 0 },
        member: (one) => one.MaximumRetryAttempts,
        shown: [5, 0, -1],
      },
      {
        path: 'maximumRecordAgeInSeconds',
        set: { maximumRecordAgeInSeconds: 60 },
        change: { maximumRecordAgeInSeconds: 3600 },
        member: (one) => one.MaximumRecordAgeInSeconds,
        shown: [60, 3600, -1],
      },
      {
        path: 'bisectBatchOnFunctionError',
        set: { bisectBatchOnFunctionError: true },
        change: { bisectBatchOnFunctionError: false },
        member: (one) => one.BisectBatchOnFunctionError ?? false,
        shown: [true, false, false],
      },
      {
        path: 'destinationConfig.onFailure.destination',
        set: { destinationConfig: { onFailure: { destination: arn('sqs', 'failed') } } },
        change: { destinationConfig: { onFailure: { destination: arn('sns', 'failed') } } },
        member: (one) => one.DestinationConfig?.OnFailure?.Destination,
        shown: [arn('sqs', 'failed'), arn('sns', 'failed'), ''],
      },
    ] satisfies readonly Omit<FieldRow, 'server' | 'source'>[]
  ).map((row) => ({ ...row, server: 'MiniStack', source }) as const);

/** What no emulator here does. */
const endpointRows: readonly FieldRow[] = (
  [
    {
      path: 'tumblingWindowInSeconds',
      source: 'kinesis',
      set: { tumblingWindowInSeconds: 30 },
      change: { tumblingWindowInSeconds: 60 },
      member: (one) => one.TumblingWindowInSeconds,
      shown: [30, 60, 0],
      clears: { TumblingWindowInSeconds: 0 },
    },
    {
      path: 'startingPosition',
      source: 'kinesis',
      createOnly: true,
      set: { startingPosition: 'LATEST' },
      change: { startingPosition: 'TRIM_HORIZON' },
      member: (one) => one.StartingPosition,
      shown: ['LATEST', undefined],
    },
    {
      path: 'startingPositionTimestamp',
      source: 'kinesis',
      createOnly: true,
      set: { startingPosition: 'AT_TIMESTAMP', startingPositionTimestamp: '2026-01-02T04:04:05+01:00' },
      change: { startingPosition: 'AT_TIMESTAMP', startingPositionTimestamp: '2026-01-02T03:04:06Z' },
      member: (one) => one.StartingPositionTimestamp?.toISOString(),
      shown: ['2026-01-02T03:04:05.000Z', undefined],
    },
    {
      path: 'topics',
      source: 'msk',
      createOnly: true,
      set: { topics: ['orders'] },
      change: { topics: ['invoices'] },
      member: (one) => one.Topics,
      shown: [['orders'], undefined],
    },
    {
      path: 'queues',
      source: 'mq',
      createOnly: true,
      set: { queues: ['orders'] },
      change: { queues: ['invoices'] },
      member: (one) => one.Queues,
      shown: [['orders'], undefined],
    },
    {
      path: 'selfManagedEventSource',
      source: 'kafka',
      createOnly: true,
      set: { selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['b:9092', 'a:9092'] } } },
      change: { selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:9092'] } } },
      member: (one) => one.SelfManagedEventSource?.Endpoints?.KAFKA_BOOTSTRAP_SERVERS,
      shown: [['a:9092', 'b:9092'], undefined],
    },
    {
      path: 'provisionedPollerConfig',
      source: 'msk',
      set: { provisionedPollerConfig: { minimumPollers: 1, maximumPollers: 5, pollerGroupName: 'group' } },
      change: { provisionedPollerConfig: { maximumPollers: 6 } },
      member: (one) => one.ProvisionedPollerConfig,
      shown: [
        { MinimumPollers: 1, MaximumPollers: 5, PollerGroupName: 'group' },
        { MinimumPollers: 1, MaximumPollers: 6 },
        {},
      ],
      clears: { ProvisionedPollerConfig: {} },
    },
    {
      path: 'sourceAccessConfigurations',
      source: 'msk',
      set: { sourceAccessConfigurations: [{ type: 'SASL_SCRAM_512_AUTH', uri: secret('a') }] },
      change: { sourceAccessConfigurations: [{ type: 'CLIENT_CERTIFICATE_TLS_AUTH', uri: secret('b') }] },
      member: (one) => one.SourceAccessConfigurations,
      shown: [
        [{ Type: 'SASL_SCRAM_512_AUTH', URI: secret('a') }],
        [{ Type: 'CLIENT_CERTIFICATE_TLS_AUTH', URI: secret('b') }],
        [],
      ],
      clears: { SourceAccessConfigurations: [] },
    },
    {
      path: 'sourceAccessConfigurations',
      source: 'kafka',
      set: {
        sourceAccessConfigurations: [{ type: 'IAM_AUTH' }, { type: 'VPC_SUBNET', uri: 'subnet:subnet-1' }],
      },
      change: { sourceAccessConfigurations: [{ type: 'IAM_AUTH' }] },
      member: (one) => one.SourceAccessConfigurations,
      shown: [[{ Type: 'IAM_AUTH' }, { Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' }], [{ Type: 'IAM_AUTH' }]],
    },
    {
      path: 'sourceAccessConfigurations',
      source: 'mq',
      set: {
        sourceAccessConfigurations: [
          { type: 'BASIC_AUTH', uri: secret('a') },
          { type: 'VIRTUAL_HOST', uri: '/shop' },
        ],
      },
      // The virtual host stays as it is: AWS refuses it in an update.
      change: {
        sourceAccessConfigurations: [
          { type: 'VIRTUAL_HOST', uri: '/shop' },
          { type: 'BASIC_AUTH', uri: secret('b') },
        ],
      },
      member: (one) => one.SourceAccessConfigurations,
      shown: [
        [
          { Type: 'BASIC_AUTH', URI: secret('a') },
          { Type: 'VIRTUAL_HOST', URI: '/shop' },
        ],
        [
          { Type: 'BASIC_AUTH', URI: secret('b') },
          { Type: 'VIRTUAL_HOST', URI: '/shop' },
        ],
      ],
    },
    {
      path: 'sourceAccessConfigurations',
      source: 'mq',
      createOnly: true,
      set: { sourceAccessConfigurations: [...login, { type: 'VIRTUAL_HOST', uri: '/shop' }] },
      change: { sourceAccessConfigurations: [...login, { type: 'VIRTUAL_HOST', uri: '/other' }] },
      member: (one) => one.SourceAccessConfigurations?.length,
      shown: [2, undefined],
    },
    ...(['msk', 'kafka'] as const).flatMap((source): Omit<FieldRow, 'server'>[] => {
      const [block, member] =
        source === 'msk'
          ? (['amazonManagedKafkaEventSourceConfig', 'AmazonManagedKafkaEventSourceConfig'] as const)
          : (['selfManagedKafkaEventSourceConfig', 'SelfManagedKafkaEventSourceConfig'] as const);
      return [
        {
          path: `${block}.consumerGroupID`,
          source,
          createOnly: true,
          set: { [block]: { consumerGroupID: 'group' } },
          change: { [block]: { consumerGroupID: 'other' } },
          member: (one) => one[member]?.ConsumerGroupId,
          shown: ['group', undefined],
        },
        {
          path: `${block}.schemaRegistryConfig`,
          source,
          base: provisioned,
          set: {
            [block]: {
              schemaRegistryConfig: registry({
                eventRecordFormat: 'JSON',
                accessConfigs: [{ type: 'BASIC_AUTH', uri: secret('r') }],
                schemaValidationConfigs: [{ attribute: 'VALUE' }, { attribute: 'KEY' }],
              }),
            },
          },
          change: { [block]: { schemaRegistryConfig: registry({ eventRecordFormat: 'SOURCE' }) } },
          member: (one) => one[member]?.SchemaRegistryConfig,
          shown: [
            {
              SchemaRegistryURI: arn('glue', 'registry/r'),
              EventRecordFormat: 'JSON',
              AccessConfigs: [{ Type: 'BASIC_AUTH', URI: secret('r') }],
              SchemaValidationConfigs: [{ Attribute: 'KEY' }, { Attribute: 'VALUE' }],
            },
            {
              SchemaRegistryURI: arn('glue', 'registry/r'),
              EventRecordFormat: 'SOURCE',
              AccessConfigs: [],
              SchemaValidationConfigs: [],
            },
            undefined,
          ],
          clears: { [member]: { SchemaRegistryConfig: {} } },
        },
      ];
    }),
    {
      path: 'selfManagedKafkaEventSourceConfig.consumptionMode',
      source: 'kafka',
      createOnly: true,
      set: { selfManagedKafkaEventSourceConfig: { consumptionMode: 'Queue' } },
      change: {},
      member: (one) => one.SelfManagedKafkaEventSourceConfig?.ConsumptionMode,
      shown: ['Queue', undefined],
    },
    ...(['databaseName', 'collectionName'] as const).map((name): Omit<FieldRow, 'server'> => ({
      path: `documentDBEventSourceConfig.${name}`,
      source: 'docdb',
      createOnly: true,
      set: { documentDBEventSourceConfig: { databaseName: 'shop', collectionName: 'orders' } },
      change: {
        documentDBEventSourceConfig: { databaseName: 'shop', collectionName: 'orders', [name]: 'other' },
      },
      member: (one) => one.DocumentDBEventSourceConfig,
      shown: [{ DatabaseName: 'shop', CollectionName: 'orders' }, undefined],
    })),
    {
      path: 'documentDBEventSourceConfig.fullDocument',
      source: 'docdb',
      set: { documentDBEventSourceConfig: { databaseName: 'shop', fullDocument: 'UpdateLookup' } },
      change: { documentDBEventSourceConfig: { databaseName: 'shop', fullDocument: 'Default' } },
      member: (one) => one.DocumentDBEventSourceConfig,
      shown: [
        { DatabaseName: 'shop', FullDocument: 'UpdateLookup' },
        { DatabaseName: 'shop', FullDocument: 'Default' },
        { DatabaseName: 'shop', FullDocument: 'Default' },
      ],
    },
    {
      path: 'metricsConfig.metrics',
      source: 'msk',
      base: provisioned,
      set: { metricsConfig: { metrics: ['KafkaMetrics', 'EventCount'] } },
      change: { metricsConfig: { metrics: ['ErrorCount'] } },
      member: (one) => one.MetricsConfig?.Metrics,
      shown: [['EventCount', 'KafkaMetrics'], ['ErrorCount'], []],
      clears: { MetricsConfig: { Metrics: [] } },
    },
    {
      path: 'loggingConfig.systemLogLevel',
      source: 'kafka',
      base: provisioned,
      set: { loggingConfig: { systemLogLevel: 'DEBUG' } },
      change: { loggingConfig: { systemLogLevel: 'WARN' } },
      member: (one) => one.LoggingConfig ?? {},
      shown: [{ SystemLogLevel: 'DEBUG' }, { SystemLogLevel: 'WARN' }, {}],
      clears: { LoggingConfig: {} },
    },
    {
      path: 'maximumRetryAttempts',
      source: 'msk',
      base: provisioned,
      set: { maximumRetryAttempts: 3 },
      change: { maximumRetryAttempts: 4 },
      member: (one) => one.MaximumRetryAttempts,
      shown: [3, 4, -1],
      clears: { MaximumRetryAttempts: -1 },
    },
    {
      path: 'destinationConfig.onFailure.destination',
      source: 'kafka',
      base: provisioned,
      set: { destinationConfig: { onFailure: { destination: 'kafka://failed' } } },
      change: {
        destinationConfig: { onFailure: { destination: arn('s3', '').replace(/:eu.*/, ':::bucket') } },
      },
      member: (one) => one.DestinationConfig?.OnFailure?.Destination,
      shown: ['kafka://failed', 'arn:aws:s3:::bucket', ''],
      clears: { DestinationConfig: { OnFailure: { Destination: '' } } },
    },
  ] satisfies readonly Omit<FieldRow, 'server'>[]
).map((row) => ({ ...row, server: 'endpoint' }) as const);

/** Every row. */
export const fieldRows: readonly FieldRow[] = [
  ...queueRows,
  ...stream('kinesis'),
  ...stream('dynamodb'),
  ...endpointRows,
];

/** `path of source`, as test names and the page show it. */
export function rowName({ path, source }: FieldRow): string {
  return `${path} of ${source}`;
}
