import { describe, expect, it } from 'vitest';
import { readCloudFormation } from '../../../src/import/cloudformation.ts';
import type { NoteKind, Reading } from '../../../src/import/model.ts';

const read = (text: string, settings: Readonly<Record<string, string>> = {}): Reading =>
  readCloudFormation(text, new Map(Object.entries(settings)));

/** A template with one mapping of these properties, in front of whatever else it has. */
const withMapping = (properties: string, rest = ''): string => `Resources:
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: ${properties}
${rest}`;

const specOf = (reading: Reading): Readonly<Record<string, unknown>> => reading.mappings[0]?.spec ?? {};
const told = (reading: Reading, kind: NoteKind): string[] =>
  reading.notes.filter((note) => note.kind === kind).map(({ subject, message }) => `${subject}: ${message}`);

describe('a mapping of CloudFormation', () => {
  it('is taken over with every property', () => {
    const reading = read(`{
      "Resources": {"Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "DeletionPolicy": "Retain", "Properties": {
        "EventSourceArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
        "FunctionName": "clicks:live", "Enabled": "false", "BatchSize": "50", "StartingPosition": "AT_TIMESTAMP",
        "StartingPositionTimestamp": 1700000000, "BisectBatchOnFunctionError": true, "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 60, "ParallelizationFactor": 2, "MaximumBatchingWindowInSeconds": 1,
        "TumblingWindowInSeconds": 0, "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "KmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1", "MetricsConfig": {"Metrics": ["EventCount"]},
        "FilterCriteria": {"Filters": [{"Pattern": "{\\"data\\": {\\"a\\": [1]}}"}]},
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sns:eu-west-1:123456789012:failed"}},
        "Tags": [{"Key": "team", "Value": "web"}]
      }}}}`);
    expect(reading.notes).toEqual([]);
    expect(specOf(reading)).toEqual({
      eventSourceARN: 'arn:aws:kinesis:eu-west-1:123456789012:stream/clicks',
      functionName: 'clicks:live',
      enabled: false,
      tags: { team: 'web' },
      batchSize: 50,
      maximumBatchingWindowInSeconds: 1,
      parallelizationFactor: 2,
      tumblingWindowInSeconds: 0,
      startingPosition: 'AT_TIMESTAMP',
      startingPositionTimestamp: '2023-11-14T22:13:20Z',
      functionResponseTypes: ['ReportBatchItemFailures'],
      maximumRetryAttempts: -1,
      maximumRecordAgeInSeconds: 60,
      bisectBatchOnFunctionError: true,
      destinationConfig: { onFailure: { destination: 'arn:aws:sns:eu-west-1:123456789012:failed' } },
      filterCriteria: { filters: [{ pattern: '{"data": {"a": [1]}}' }] },
      kmsKeyARN: 'arn:aws:kms:eu-west-1:123456789012:key/1',
      metricsConfig: { metrics: ['EventCount'] },
      deletionPolicy: 'Retain',
    });
  });

  it.each<{ properties: string; rest?: string; spec: Readonly<Record<string, unknown>>; why: string }>([
    {
      properties: '{EventSourceArn: !GetAtt Queue.Arn}',
      rest: '  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}',
      spec: { eventSourceARN: 'arn:aws:sqs:::orders' },
      why: 'a named queue is known but for its place',
    },
    {
      properties: '{EventSourceArn: !GetAtt Queue.Arn}',
      rest: '  Queue: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}',
      spec: { eventSourceARN: 'arn:aws:sqs:::PLACEHOLDER_Queue_Arn.fifo' },
      why: 'the rules of a FIFO queue apply to its placeholder',
    },
    {
      properties: '{EventSourceArn: !GetAtt [Table, StreamArn]}',
      rest: '  Table: {Type: AWS::DynamoDB::Table}',
      spec: { eventSourceARN: 'arn:aws:dynamodb:::table/PLACEHOLDER_Table_StreamArn/stream/PLACEHOLDER' },
      why: 'the label of a stream is known to AWS alone',
    },
    {
      properties: '{EventSourceArn: {"Fn::GetAtt": [Stream, Arn]}}',
      rest: '  Stream: {Type: AWS::Kinesis::Stream, Properties: {Name: clicks}}',
      spec: { eventSourceARN: 'arn:aws:kinesis:::stream/clicks' },
      why: 'the long form of a function',
    },
    {
      properties:
        "{EventSourceArn: !Sub 'arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:orders'}",
      spec: { eventSourceARN: 'arn:aws:sqs:::orders' },
      why: 'Region and account are the business of the class',
    },
    {
      properties:
        "{EventSourceArn: !Join [':', [arn, aws, sqs, !Ref 'AWS::Region', !Ref 'AWS::AccountId', orders]]}",
      spec: { eventSourceARN: 'arn:aws:sqs:::orders' },
      why: 'joined texts',
    },
    {
      properties: '{EventSourceArn: !ImportValue orders-queue, ScalingConfig: {MaximumConcurrency: 5}}',
      spec: {
        eventSourceARN: 'arn:aws:sqs:::PLACEHOLDER_ImportValue_orders-queue',
        scalingConfig: { maximumConcurrency: 5 },
      },
      why: 'what else is set tells the service',
    },
    {
      properties: '{FunctionName: !Ref Function}',
      rest: '  Function: {Type: AWS::Lambda::Function, Properties: {FunctionName: orders}}',
      spec: { functionName: 'orders' },
      why: 'a named function',
    },
    {
      properties: "{FunctionName: !Sub '${Function.Arn}:live'}",
      rest: '  Function: {Type: AWS::Lambda::Function}',
      spec: { functionName: 'PLACEHOLDER_Function:live' },
      why: 'the qualifier stays',
    },
    {
      properties: '{FunctionName: !Ref Alias}',
      rest: `  Function: {Type: AWS::Lambda::Function, Properties: {FunctionName: orders}}
  Alias: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref Function, Name: live}}`,
      spec: { functionName: 'orders:live' },
      why: 'an alias is its function with the name as qualifier',
    },
    {
      properties:
        "{FunctionName: !Sub 'arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:orders:live'}",
      spec: { functionName: 'orders:live' },
      why: 'without its place an ARN of a function is its name',
    },
    {
      properties: '{BatchSize: !FindInMap [Sizes, !Ref Stage, batch], Enabled: !If [Live, true, false]}',
      rest: `Parameters: {Stage: {Type: String, Default: prod}}
Mappings: {Sizes: {prod: {batch: 7}}}
Conditions: {Live: !And [!Equals [!Ref Stage, prod], !Not [!Equals [a, b]]]}`,
      spec: { batchSize: 7, enabled: true },
      why: 'parameters by their defaults, mappings and conditions are worked out',
    },
    {
      properties: "{FunctionName: !Ref 'AWS::NoValue', BatchSize: 1}",
      spec: { batchSize: 1 },
      why: 'AWS::NoValue is no value',
    },
    {
      properties: '{Topics: !Ref Topics}',
      rest: 'Parameters: {Topics: {Type: CommaDelimitedList, Default: "orders"}}',
      spec: { topics: ['orders'] },
      why: 'a parameter that is a list',
    },
    {
      properties: '{SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: ["a:9092"]}}}',
      spec: { selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:9092'] } } },
      why: 'CloudFormation spells the one key of endpoints its own way',
    },
    {
      properties:
        '{AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: g, SchemaRegistryConfig: {SchemaRegistryURI: u}}}',
      spec: {
        amazonManagedKafkaEventSourceConfig: {
          consumerGroupID: 'g',
          schemaRegistryConfig: { schemaRegistryURI: 'u' },
        },
      },
      why: 'nested objects',
    },
  ])('$properties: $why', ({ properties, rest, spec }) => {
    const reading = read(withMapping(properties, rest));
    expect(specOf(reading)).toEqual(spec);
    expect(told(reading, 'refused')).toEqual([]);
  });

  it.each<{ properties: string; message: RegExp; why: string }>([
    {
      properties: '{BatchSze: 1}',
      message: /`BatchSze` is not a field .*did you mean batchSize/,
      why: 'a slip',
    },
    {
      properties: '{BatchSize: !Ref Size}',
      message: /`batchSize` is \$\{Size\}.*--set Size=VALUE/,
      why: 'no number',
    },
    {
      properties: '{BatchSize: many}',
      message: /`batchSize` must be a whole number/,
      why: 'no number either',
    },
    { properties: '{Enabled: maybe}', message: /`enabled` must be true or false/, why: 'neither yes nor no' },
    { properties: '{Topics: orders}', message: /`topics` must be a list/, why: 'a list is no text' },
    { properties: '{FilterCriteria: []}', message: /^$/, why: 'nothing at all is nothing to tell' },
    {
      properties: '{StartingPosition: !Ref P}',
      message: /`startingPosition` is \$\{P\}/,
      why: 'a closed set',
    },
    {
      properties: '{Tags: [{Key: a, Value: !Ref T}]}',
      message: /`tags\["a"\]` is/,
      why: 'AWS would get the placeholder',
    },
  ])('$properties is told: $why', ({ properties, message }) => {
    const reading = read(withMapping(properties));
    expect(specOf(reading)).toEqual({});
    expect(told(reading, 'refused').join('\n').replace('Mapping: ', '')).toMatch(message);
  });

  it('takes what the user sets, for parameters and for placeholders', () => {
    const text = withMapping(
      "{EventSourceArn: !GetAtt Queue.Arn, FunctionName: !Sub '${AWS::StackName}-fn', BatchSize: !Ref Size}",
      '  Queue: {Type: AWS::SQS::Queue}\nParameters: {Size: {Type: Number, Default: 1}}',
    );
    const arn = 'arn:aws:sqs:eu-west-1:123456789012:orders';
    const reading = read(text, { 'Queue.Arn': arn, 'AWS.StackName': 'shop', Size: '9' });
    expect(specOf(reading)).toEqual({ eventSourceARN: arn, functionName: 'shop-fn', batchSize: 9 });
    expect(reading.notes).toEqual([]);
  });

  it('names each placeholder with the expression that it stands for', () => {
    const reading = read(
      withMapping('{EventSourceArn: !GetAtt Queue.Arn}', '  Queue: {Type: AWS::SQS::Queue}'),
    );
    expect(reading.notes).toEqual([
      {
        kind: 'placeholder',
        subject: 'Mapping',
        line: 2,
        message: '`eventSourceARN` holds PLACEHOLDER_Queue_Arn for ${Queue.Arn}',
      },
    ]);
  });

  it('writes no placeholder where the field would refuse it', () => {
    const reading = read(withMapping('{SourceAccessConfigurations: [{Type: !Ref Kind, URI: u}]}'));
    expect(specOf(reading)).toEqual({ sourceAccessConfigurations: [{ uri: 'u' }] });
    expect(told(reading, 'refused')).toEqual([
      expect.stringContaining('`sourceAccessConfigurations[0].type` is ${Kind}, and was left out'),
    ]);
  });

  it('takes no name for a member of every object', () => {
    const text = `{"Resources": {
      "constructor": {"Type": "constructor"},
      "A": {"Type": "toString"},
      "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
        "FunctionName": {"Ref": "toString"}, "EventSourceArn": {"Fn::GetAtt": ["constructor", "Arn"]},
        "Tags": [{"Key": "__proto__", "Value": "x"}], "valueOf": 1
      }}}}`;
    const reading = read(text);
    expect(JSON.stringify(specOf(reading))).toBe(
      '{"eventSourceARN":"arn:aws:sqs:::PLACEHOLDER_constructor_Arn","functionName":"PLACEHOLDER_toString","tags":{"__proto__":"x"}}',
    );
    expect(told(reading, 'refused')).toEqual(['M: `valueOf` is not a field of a mapping, and was left out']);
  });

  it('follows no reference in a circle', () => {
    const text = withMapping(
      '{FunctionName: !Ref F}',
      '  F: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Ref F}}',
    );
    expect(specOf(read(text))).toEqual({ functionName: 'PLACEHOLDER_Circular' });
  });
});

describe('what hides mappings', () => {
  it.each<{ text: string; kind: NoteKind; message: RegExp }>([
    {
      text: 'Resources: {"Fn::ForEach::Queues": [Id, [A], {}]}',
      kind: 'refused',
      message: /Fn::ForEach::Queues: its resources are made by a macro/,
    },
    {
      text: 'Resources: {N: {Type: AWS::CloudFormation::Stack}}',
      kind: 'info',
      message: /N: a nested stack/,
    },
    { text: 'Transform: [MyMacro]\nResources: {}', kind: 'info', message: /MyMacro may add mappings/ },
    {
      text: 'Conditions: {C: !Equals [a, b]}\nResources: {M: {Type: AWS::Lambda::EventSourceMapping, Condition: C, Properties: {}}}',
      kind: 'info',
      message: /only while the condition C holds; with these parameters it does not hold/,
    },
  ])('$text is told', ({ text, kind, message }) => {
    expect(told(read(text), kind).join('\n')).toMatch(message);
  });

  it.each<{ text: string; why: string }>([
    { text: 'a: 1', why: 'no Resources' },
    { text: 'Resources: [', why: 'no YAML' },
    { text: 'Resources: {}\n---\nResources: {}', why: 'two documents' },
    { text: '', why: 'nothing' },
  ])('a text that is no template is an error: $why', ({ text }) => {
    expect(() => read(text)).toThrow(/this is no CloudFormation template/);
  });
});
