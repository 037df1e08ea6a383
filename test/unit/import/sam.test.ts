import { describe, expect, it } from 'vitest';
import { readCloudFormation } from '../../../src/import/cloudformation.ts';
import type { Reading } from '../../../src/import/model.ts';

/** A template with one function that has one event. */
function read(type: string, properties: string, ofFunction = ''): Reading {
  return readCloudFormation(
    `Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: orders
      ${ofFunction}
      Events:
        Event:
          Type: ${type}
          Properties: ${properties}
`,
    new Map(),
  );
}

const login = '{Type: BASIC_AUTH, URI: secret}';

describe('an event of SAM', () => {
  it.each<{ type: string; properties: string; spec: Readonly<Record<string, unknown>>; why: string }>([
    {
      type: 'SQS',
      properties:
        '{Queue: "arn:aws:sqs:::q", BatchSize: 5, Enabled: false, ScalingConfig: {MaximumConcurrency: 2}}',
      spec: {
        eventSourceARN: 'arn:aws:sqs:::q',
        batchSize: 5,
        enabled: false,
        scalingConfig: { maximumConcurrency: 2 },
      },
      why: 'a queue',
    },
    {
      type: 'Kinesis',
      properties:
        '{Stream: "arn:aws:kinesis:::stream/s", StartingPosition: LATEST, DestinationConfig: {OnFailure: {Type: SNS, Destination: !Ref Topic}}}',
      spec: {
        eventSourceARN: 'arn:aws:kinesis:::stream/s',
        startingPosition: 'LATEST',
        destinationConfig: { onFailure: { destination: 'arn:aws:sns:::PLACEHOLDER_Topic' } },
      },
      why: "the destination's type is SAM's own, and tells the service",
    },
    {
      type: 'DynamoDB',
      properties: '{Stream: !GetAtt Table.StreamArn, StartingPosition: TRIM_HORIZON, DestinationConfig: }',
      spec: {
        eventSourceARN: 'arn:aws:dynamodb:::table/PLACEHOLDER_Table_StreamArn/stream/PLACEHOLDER',
        startingPosition: 'TRIM_HORIZON',
      },
      why: 'an empty property is absent',
    },
    {
      type: 'MSK',
      properties:
        '{Stream: "arn:aws:kafka:::cluster/c/1", StartingPosition: LATEST, Topics: [t1], ConsumerGroupId: g}',
      spec: {
        eventSourceARN: 'arn:aws:kafka:::cluster/c/1',
        startingPosition: 'LATEST',
        topics: ['t1'],
        amazonManagedKafkaEventSourceConfig: { consumerGroupID: 'g' },
      },
      why: 'the consumer group has a place of its own',
    },
    {
      type: 'SelfManagedKafka',
      properties: `{KafkaBootstrapServers: ["a:9092"], Topics: [t1], ConsumerGroupId: g, SourceAccessConfigurations: [${login}]}`,
      spec: {
        selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:9092'] } },
        topics: ['t1'],
        sourceAccessConfigurations: [{ type: 'BASIC_AUTH', uri: 'secret' }],
        selfManagedKafkaEventSourceConfig: { consumerGroupID: 'g' },
      },
      why: 'a cluster without an ARN',
    },
    {
      type: 'MQ',
      properties: `{Broker: "arn:aws:mq:::broker:b:1", Queues: [q], DynamicPolicyName: true, SecretsManagerKmsKeyId: k, SourceAccessConfigurations: [${login}]}`,
      spec: {
        eventSourceARN: 'arn:aws:mq:::broker:b:1',
        queues: ['q'],
        sourceAccessConfigurations: [{ type: 'BASIC_AUTH', uri: 'secret' }],
      },
      why: "what is about the function's role is not about the mapping",
    },
    {
      type: 'DocumentDB',
      properties: `{Cluster: "arn:aws:rds:::cluster:c", DatabaseName: d, FullDocument: Default, SourceAccessConfigurations: [${login}]}`,
      spec: {
        eventSourceARN: 'arn:aws:rds:::cluster:c',
        sourceAccessConfigurations: [{ type: 'BASIC_AUTH', uri: 'secret' }],
        documentDBEventSourceConfig: { databaseName: 'd', fullDocument: 'Default' },
      },
      why: 'database and collection have a place of their own',
    },
    {
      type: 'SNS',
      properties: '{Topic: t, SqsSubscription: true}',
      spec: {
        eventSourceARN: 'arn:aws:sqs:::PLACEHOLDER_OrdersEventQueue_Arn',
        batchSize: 10,
        enabled: true,
      },
      why: 'Lambda polls the queue that SAM puts in between',
    },
    {
      type: 'SNS',
      properties:
        '{Topic: t, SqsSubscription: {QueueArn: "arn:aws:sqs:::q", QueueUrl: u, BatchSize: 3, Enabled: false}}',
      spec: { eventSourceARN: 'arn:aws:sqs:::q', batchSize: 3, enabled: false },
      why: "or the user's own",
    },
  ])('$type: $why', ({ type, properties, spec }) => {
    const reading = read(type, properties);
    expect(reading.mappings.map((mapping) => mapping.spec)).toEqual([{ functionName: 'orders', ...spec }]);
    expect(reading.notes.filter(({ kind }) => kind === 'refused')).toEqual([]);
  });

  it.each<{ ofFunction: string; functionName: string; why: string }>([
    {
      ofFunction: 'AutoPublishAlias: live',
      functionName: 'orders:live',
      why: 'events are joined to the alias',
    },
    { ofFunction: 'MemorySize: 128', functionName: 'orders', why: 'and without one to the function' },
  ])('$ofFunction: $why', ({ ofFunction, functionName }) => {
    const reading = read('SQS', '{Queue: "arn:aws:sqs:::q"}', ofFunction);
    expect(reading.mappings[0]?.spec['functionName']).toBe(functionName);
  });

  it('takes the alias from Globals', () => {
    const reading = readCloudFormation(
      `Globals: {Function: {AutoPublishAlias: live}}
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties: {Events: {Event: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}}
`,
      new Map(),
    );
    expect(reading.mappings[0]?.spec['functionName']).toBe('PLACEHOLDER_Orders:live');
  });

  it.each(['Api', 'HttpApi', 'SNS', 'S3', 'Schedule', 'EventBridgeRule', 'CloudWatchLogs', 'Cognito'])(
    '%s is named as not polled',
    (type) => {
      const reading = read(type, '{}');
      expect(reading.mappings).toEqual([]);
      expect(reading.notes).toMatchObject([{ kind: 'not-polled', subject: 'Orders.Event', line: 9 }]);
    },
  );

  const kafka = 'KafkaBootstrapServers: ["a:9092"], Topics: [t1]';
  it.each<{ type: string; properties: string; message: RegExp; ofFunction?: string }>([
    { type: 'SQS', properties: '{}', message: /`Queue` must be set/ },
    {
      type: 'SQS',
      properties: '{Queue: q, Strem: s}',
      message: /`Strem` is not defined for an event of type SQS/,
    },
    { type: 'SQS', properties: '{Queue: q, BatchSize: ten}', message: /`BatchSize` must be a whole number/ },
    { type: 'SQS', properties: '{Queue: q, Enabled: 1}', message: /`Enabled` must be true or false/ },
    { type: 'SQS', properties: '{Queue: q, Topics: t}', message: /`Topics` must be a list/ },
    {
      type: 'SQS',
      properties: '{Queue: q, ConsumerGroupId: g}',
      message: /`ConsumerGroupId` is not defined/,
    },
    {
      type: 'SQS',
      properties: '{Queue: q, FilterCriteria: {Fltrs: []}}',
      message: /must hold `Filters` and nothing/,
    },
    { type: 'SQS', properties: '{Queue: q}', ofFunction: 'TenancyConfig: {a: b}', message: /TenancyConfig/ },
    { type: 'Kinesis', properties: '{Stream: s}', message: /`StartingPosition` must be set/ },
    { type: 'DynamoDB', properties: '{StartingPosition: LATEST}', message: /`Stream` must be set/ },
    {
      type: 'Kinesis',
      properties: '{Stream: s, StartingPosition: LATEST, DestinationConfig: {OnFailure: x}}',
      message: /`DestinationConfig.OnFailure` must be an object/,
    },
    {
      type: 'Kinesis',
      properties: '{Stream: s, StartingPosition: LATEST, DestinationConfig: {OnFailure: {Type: SES}}}',
      message: /`DestinationConfig.OnFailure.Type` must be SQS, SNS, S3 or Kafka/,
    },
    { type: 'MQ', properties: '{Queues: [q]}', message: /`Broker` must be set/ },
    { type: 'MQ', properties: '{Broker: b}', message: /`SourceAccessConfigurations` must be set/ },
    {
      type: 'MQ',
      properties: `{Broker: b, SourceAccessConfigurations: [${login}, ${login}]}`,
      message: /exactly one entry of type BASIC_AUTH/,
    },
    {
      type: 'MQ',
      properties: '{Broker: b, SourceAccessConfigurations: [{Type: VIRTUAL_HOST, URI: v}]}',
      message: /must have an entry of type BASIC_AUTH/,
    },
    {
      type: 'MQ',
      properties: '{Broker: b, SourceAccessConfigurations: [{Type: BASIC_AUTH}]}',
      message: /`URI` of BASIC_AUTH/,
    },
    {
      type: 'MQ',
      properties: `{Broker: b, SecretsManagerKmsKeyId: !Ref K, SourceAccessConfigurations: [${login}]}`,
      message: /`SecretsManagerKmsKeyId` must be text/,
    },
    {
      type: 'DocumentDB',
      properties: '{Cluster: c, DatabaseName: d, SourceAccessConfigurations: [{Type: VIRTUAL_HOST, URI: v}]}',
      message: /must be BASIC_AUTH/,
    },
    {
      type: 'SelfManagedKafka',
      properties: '{Topics: [t1]}',
      message: /`KafkaBootstrapServers` must be set/,
    },
    { type: 'SelfManagedKafka', properties: '{KafkaBootstrapServers: [a]}', message: /`Topics` must be set/ },
    {
      type: 'SelfManagedKafka',
      properties: '{KafkaBootstrapServers: [a], Topics: [t1, t2]}',
      message: /`Topics` must have exactly one entry/,
    },
    {
      type: 'SelfManagedKafka',
      properties: `{${kafka}}`,
      message: /`SourceAccessConfigurations` must be set/,
    },
    {
      type: 'SelfManagedKafka',
      properties: `{${kafka}, SourceAccessConfigurations: [${login}, {Type: SASL_SCRAM_512_AUTH, URI: s}]}`,
      message: /at most one way to sign in/,
    },
    {
      type: 'SelfManagedKafka',
      properties: `{${kafka}, SourceAccessConfigurations: [{Type: VPC_SUBNET, URI: s}]}`,
      message: /both VPC_SUBNET and VPC_SECURITY_GROUP/,
    },
    {
      type: 'SelfManagedKafka',
      properties: `{${kafka}, SourceAccessConfigurations: [{Type: MAGIC, URI: s}]}`,
      message: /none that SAM knows/,
    },
    {
      type: 'MSK',
      properties: '{Stream: s, StartingPosition: LATEST, SchemaRegistryConfig: {SchemaRegistryURI: u}}',
      message: /`SchemaRegistryConfig.EventRecordFormat` must be set/,
    },
    {
      type: 'SNS',
      properties: '{Topic: t, SqsSubscription: {QueueUrl: u}}',
      message: /`QueueArn` and `QueueUrl`/,
    },
  ])('$type $properties is refused with the reason of SAM', ({ type, properties, message, ofFunction }) => {
    const reading = read(type, properties, ofFunction);
    expect(reading.mappings).toEqual([]);
    expect(reading.notes).toMatchObject([{ kind: 'refused', subject: 'Orders.Event' }]);
    expect(reading.notes[0]?.message).toMatch(/^SAM refuses it: /);
    expect(reading.notes[0]?.message).toMatch(message);
  });

  it('looks at the login only where SAM writes the role of the function, as SAM does', () => {
    const reading = read(
      'MQ',
      '{Broker: "arn:aws:mq:::broker:b:1"}',
      'Role: arn:aws:iam::123456789012:role/own',
    );
    expect(reading.mappings).toHaveLength(1);
  });
});
