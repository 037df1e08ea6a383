/**
 * AWS's half of `spec`: the members of CreateEventSourceMapping in camelCase with ACK's capitalisation, described.
 * It holds structure and the bounds that do not move; rules between fields are in `sources/`, ceilings that AWS
 * raises are `ceiling` and `known` facts that only warn. No field here has a CRD default: a default that depends on
 * the source is applied by the engine or by AWS and shown in `status.effective`.
 */
import { boolean, integer, list, map, object, oneOf, string, time } from './schema.ts';

const streams = 'Kinesis, DynamoDB';
const kafka = 'MSK, self-managed Kafka';

/** Form of every ARN: partition, service, Region and account (both may be left out), resource. */
export const arnPattern = '^arn:[a-z][a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12})?:[!-~]+$';

/** Form of a function name, a partial or a full function ARN, each with an optional version or alias. */
export const functionNamePattern =
  '^(arn:[a-z][a-z0-9-]*:lambda:[a-z0-9-]*:([0-9]{12})?:function:|([0-9]{12}:)?function:|[0-9]{12}:)?[a-zA-Z0-9_.-]{1,140}(:([$]LATEST([.]PUBLISHED)?|[a-zA-Z0-9_-]{1,128}))?$';

const accessTypes = [
  'BASIC_AUTH',
  'VPC_SUBNET',
  'VPC_SECURITY_GROUP',
  'SASL_SCRAM_256_AUTH',
  'SASL_SCRAM_512_AUTH',
  'VIRTUAL_HOST',
  'CLIENT_CERTIFICATE_TLS_AUTH',
  'SERVER_ROOT_CA_CERTIFICATE',
  'OAUTHBEARER_AUTH',
  'OAUTHBEARER_SCOPE',
  'OAUTHBEARER_AUDIENCE',
  'OAUTHBEARER_LOGICAL_CLUSTER',
  'OAUTHBEARER_IDENTITY_POOL',
  'IAM_AUTH',
  'IAM_OAUTHBEARER_AUTH',
] as const;

const registryAccessTypes = [
  'BASIC_AUTH',
  'CLIENT_CERTIFICATE_TLS_AUTH',
  'SERVER_ROOT_CA_CERTIFICATE',
  'OAUTHBEARER_AUTH',
] as const;

const openEnum = { minLength: 1, maxLength: 64, pattern: '^[A-Z][A-Z0-9_]*$' } as const;

const schemaRegistry = object('How record schemas are resolved and checked; provisioned mode only.', {
  schemaRegistryURI: string('ARN of an AWS Glue registry, or URL of a Confluent one.', {
    minLength: 1,
    maxLength: 1024,
    member: 'SchemaRegistryURI',
  }),
  eventRecordFormat: oneOf('JSON decodes records; SOURCE keeps them as they are.', ['JSON', 'SOURCE']),
  accessConfigs: list(
    'How to sign in to the registry.',
    object('One way to sign in.', {
      type: string('Kind of credential.', { ...openEnum, known: registryAccessTypes }),
      uri: string('ARN of the secret that holds it.', { minLength: 1, maxLength: 512, member: 'URI' }),
    }),
    { maxItems: 20 },
  ),
  schemaValidationConfigs: list(
    'Which parts of a record are checked.',
    object('One part.', { attribute: oneOf('Part of the record.', ['KEY', 'VALUE']) }),
    { maxItems: 10 },
  ),
});

const consumerGroupID = string('Kafka consumer group; unique among all mappings.', {
  minLength: 1,
  maxLength: 200,
  pattern: '^[ a-zA-Z0-9/*:_+=.@-]+$',
  defaults: 'the UUID of the mapping',
  createOnly: true,
  member: 'ConsumerGroupId',
});

/** Fields of AWS's API, by their name in `spec`. */
export const awsFields = {
  eventSourceARN: string(
    'ARN of the event source: a queue, a Kinesis stream or stream consumer, a DynamoDB stream, an MSK cluster, an MQ broker or a DocumentDB cluster. Region and account may be left out (`arn:aws:sqs:::orders`) and are completed from `aws` or the class.',
    {
      minLength: 1,
      maxLength: 512,
      pattern: arnPattern,
      sources: 'all but self-managed Kafka',
      createOnly: true,
      member: 'EventSourceArn',
    },
  ),
  selfManagedEventSource: object(
    'A Kafka cluster that AWS does not manage.',
    {
      endpoints: object(
        'Its bootstrap servers.',
        {
          KAFKA_BOOTSTRAP_SERVERS: list(
            'Servers as `host:port`.',
            string('One server.', {
              minLength: 1,
              maxLength: 300,
              pattern: '^[A-Za-z0-9._:\\[\\]-]+:[0-9]{1,5}$',
            }),
            { minItems: 1, maxItems: 10 },
          ),
        },
        { required: ['KAFKA_BOOTSTRAP_SERVERS'] },
      ),
    },
    { required: ['endpoints'], sources: 'self-managed Kafka', createOnly: true },
  ),
  functionName: string(
    'The Lambda function: a name, a partial or full ARN, each with an optional `:version` or `:alias`. Required unless `poller.target.http` is set in Poller mode.',
    { minLength: 1, maxLength: 256, pattern: functionNamePattern },
  ),
  enabled: boolean(
    'Whether records are read. This is desired state; the hand-brake is the annotation sluice.dev/paused.',
    {
      defaults: 'true',
    },
  ),
  tags: map(
    'Tags of the AWS mapping. Keys that begin with `aws:` or `sluice.dev/` are reserved.',
    string('Value of the tag.', { maxLength: 256, pattern: '^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]*$' }),
    { maxProperties: 50, ceiling: 50 },
  ),

  batchSize: integer('Most records of one batch.', {
    minimum: 1,
    maximum: 10000,
    unit: 'records',
    defaults: '10 for SQS, otherwise 100',
  }),
  maximumBatchingWindowInSeconds: integer('How long a batch may wait for more records.', {
    minimum: 0,
    maximum: 300,
    unit: 'seconds',
    defaults: '0 for SQS, Kinesis and DynamoDB; half a second for Kafka, MQ and DocumentDB',
    sources: 'all but SQS FIFO',
  }),
  parallelizationFactor: integer('Batches of one shard that run at once; order is kept per key.', {
    unit: 'batches',
    minimum: 1,
    maximum: 10,
    defaults: '1',
    sources: streams,
  }),
  tumblingWindowInSeconds: integer('Length of an aggregation window; 0 is off.', {
    minimum: 0,
    maximum: 900,
    unit: 'seconds',
    defaults: '0',
    sources: streams,
  }),

  startingPosition: oneOf(
    'Where reading begins when there is no stored position.',
    ['TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'],
    {
      defaults:
        'none for Kinesis and DynamoDB, where it is required; TRIM_HORIZON for Kafka; LATEST for DocumentDB',
      sources: `${streams}, ${kafka}, DocumentDB`,
      createOnly: true,
    },
  ),
  startingPositionTimestamp: time('The time of AT_TIMESTAMP; not in the future.', {
    sources: `Kinesis, ${kafka}, DocumentDB`,
    createOnly: true,
  }),
  topics: list(
    'The Kafka topic.',
    string('Name of a topic.', { minLength: 2, maxLength: 249, pattern: '^[^.]([a-zA-Z0-9_.-]+)$' }),
    { minItems: 1, maxItems: 1, sources: kafka, createOnly: true },
  ),
  queues: list('The queue of the MQ broker.', string('Name of a queue.', { minLength: 1, maxLength: 1000 }), {
    minItems: 1,
    maxItems: 1,
    sources: 'MQ',
    createOnly: true,
  }),

  functionResponseTypes: list(
    'ReportBatchItemFailures lets the target name the records that failed.',
    oneOf('A response type.', ['ReportBatchItemFailures']),
    { maxItems: 1, type: 'set', defaults: 'none', sources: `SQS, ${streams}, ${kafka} in provisioned mode` },
  ),
  maximumRetryAttempts: integer(
    'Retries of a batch after a function error, not counting the first try; -1 is without end.',
    {
      minimum: -1,
      maximum: 10000,
      unit: 'retries',
      defaults: '-1; 0 for self-managed Kafka in Queue mode',
      sources: `${streams}, ${kafka} in provisioned mode`,
    },
  ),
  maximumRecordAgeInSeconds: integer(
    'Age at which a record is given up; -1 is without end, otherwise at least 60.',
    {
      minimum: -1,
      maximum: 604800,
      unit: 'seconds',
      defaults: '-1',
      sources: `${streams}, ${kafka} in provisioned mode`,
    },
  ),
  bisectBatchOnFunctionError: boolean('Split a failing batch in two.', {
    defaults: 'false',
    sources: `${streams}, ${kafka} in provisioned mode`,
  }),
  destinationConfig: object(
    'Where records go that are given up.',
    {
      onFailure: object('Destination of discarded records.', {
        destination: string(
          'ARN of a standard SQS queue, an SNS topic or an S3 bucket, or `kafka://TOPIC`. Region and account may be left out as in `eventSourceARN`. Empty means none.',
          {
            maxLength: 350,
            pattern:
              '^(arn:[a-z][a-z0-9-]*:(sqs|sns|s3):[a-z0-9-]*:([0-9]{12})?:[!-~]+|kafka://[a-zA-Z0-9_-][a-zA-Z0-9_.-]+)?$',
          },
        ),
      }),
    },
    { defaults: 'none', sources: `${streams}, ${kafka}` },
  ),
  filterCriteria: object(
    'Which records reach the target: those that match any of the filters.',
    {
      filters: list(
        'Filters, joined by or.',
        object(
          'One filter.',
          {
            pattern: string('A pattern as JSON text.', { minLength: 1, maxLength: 4096 }),
          },
          { required: ['pattern'] },
        ),
        { maxItems: 50, ceiling: 10 },
      ),
    },
    { defaults: 'none, everything passes', sources: 'all but DocumentDB' },
  ),
  kmsKeyARN: string(
    'ARN of the KMS key that encrypts the filters. Region and account may be left out as in `eventSourceARN`. Empty means the key that AWS owns.',
    {
      maxLength: 512,
      pattern: '^(arn:[a-z][a-z0-9-]*:kms:[a-z0-9-]*:([0-9]{12})?:[!-~]+)?$',
      member: 'KMSKeyArn',
    },
  ),

  scalingConfig: object(
    'Scaling of a queue.',
    {
      maximumConcurrency: integer('Most invocations of this mapping that run at once.', {
        minimum: 2,
        unit: 'invocations',
        ceiling: 1000,
        defaults: 'none; follows the backlog',
      }),
    },
    { sources: 'SQS' },
  ),
  provisionedPollerConfig: object(
    'Provisioned mode: pollers that are always there.',
    {
      minimumPollers: integer('Pollers that always run.', {
        minimum: 1,
        unit: 'pollers',
        ceiling: 200,
        defaults: '2 for SQS, 1 for Kafka',
      }),
      maximumPollers: integer('Most pollers.', {
        minimum: 1,
        unit: 'pollers',
        ceiling: 10000,
        defaults: '200',
      }),
      pollerGroupName: string('Group of mappings in one VPC that share pollers. Empty means none.', {
        maxLength: 128,
        pattern: '^[a-zA-Z0-9_-]*$',
        sources: kafka,
      }),
    },
    { minProperties: 1, sources: `SQS, ${kafka}` },
  ),

  sourceAccessConfigurations: list(
    'How to reach and sign in to the source.',
    object(
      'One setting.',
      {
        type: string('Kind of setting.', { ...openEnum, known: accessTypes }),
        uri: string('ARN of a secret, or the value itself, as the type says.', {
          minLength: 1,
          maxLength: 200,
          member: 'URI',
        }),
      },
      { required: ['type'] },
    ),
    { maxItems: 64, ceiling: 23, sources: `${kafka}, MQ, DocumentDB` },
  ),
  amazonManagedKafkaEventSourceConfig: object(
    'Settings of an MSK source.',
    {
      consumerGroupID,
      schemaRegistryConfig: schemaRegistry,
    },
    { sources: 'MSK' },
  ),
  selfManagedKafkaEventSourceConfig: object(
    'Settings of a self-managed Kafka source.',
    {
      consumerGroupID,
      schemaRegistryConfig: schemaRegistry,
      consumptionMode: oneOf(
        'Stream reads partitions in order; Queue is a share group (brokers from 4.2 on).',
        ['Stream', 'Queue'],
        {
          defaults: 'Stream',
          createOnly: true,
        },
      ),
    },
    { sources: 'self-managed Kafka' },
  ),
  documentDBEventSourceConfig: object(
    'Settings of a DocumentDB source.',
    {
      databaseName: string('Name of the database.', {
        minLength: 1,
        maxLength: 63,
        pattern: '^[^ /\\\\.$"]+$',
        createOnly: true,
      }),
      collectionName: string('Name of the collection.', {
        minLength: 1,
        maxLength: 57,
        pattern: '^[_a-zA-Z0-9][^$]*$',
        defaults: 'the whole database',
        createOnly: true,
      }),
      fullDocument: oneOf('UpdateLookup adds the whole document to an update.', ['UpdateLookup', 'Default'], {
        defaults: 'Default',
      }),
    },
    { required: ['databaseName'], sources: 'DocumentDB', member: 'DocumentDBEventSourceConfig' },
  ),
  metricsConfig: object(
    'Metrics that AWS publishes for the mapping.',
    {
      metrics: list(
        'Groups of metrics.',
        string('A group.', {
          minLength: 1,
          maxLength: 64,
          pattern: '^[A-Za-z]+$',
          known: ['EventCount', 'ErrorCount', 'KafkaMetrics'],
        }),
        {
          maxItems: 16,
          type: 'set',
          ceiling: 3,
        },
      ),
    },
    { defaults: 'none', sources: `SQS, ${streams}, ${kafka}` },
  ),
  loggingConfig: object(
    'What AWS logs about the mapping.',
    {
      systemLogLevel: oneOf('Least important level that is logged.', ['DEBUG', 'INFO', 'WARN']),
    },
    { defaults: 'none', sources: `${kafka} in provisioned mode` },
  ),
} as const;
