import { describe, expect, it } from 'vitest';
import type { EventSourceMappingSpec } from '../../../../../src/api/mapping.ts';
import {
  destinationTypeOf,
  sourceTypeOf,
  wantedMetrics,
} from '../../../../../src/backends/aws/cloudwatch/wanted.ts';

const spec = (more: Partial<EventSourceMappingSpec>): EventSourceMappingSpec => ({
  mode: 'Managed',
  functionName: 'consumer',
  ...more,
});
const of = (service: string, resource: string): string =>
  `arn:aws:${service}:eu-west-1:000000000000:${resource}`;
const queue = of('sqs', 'orders');
const stream = of('kinesis', 'stream/orders');
const table = of('dynamodb', 'table/orders/stream/2026-01-01T00:00:00.000');
const cluster = of('kafka', 'cluster/orders/1-2');
const eventCount = { metricsConfig: { metrics: ['EventCount'] } };
const everyGroup = { metricsConfig: { metrics: ['EventCount', 'ErrorCount', 'KafkaMetrics'] } };
const destinationConfig = { onFailure: { destination: of('sqs', 'failed') } };
const provisionedPollerConfig = { minimumPollers: 1, maximumPollers: 2 };
const polled = ['PolledEventCount', 'InvokedEventCount', 'FailedInvokeEventCount'];

describe('what is asked for, since AWS gives it', () => {
  it.each<{ why: string; spec: Partial<EventSourceMappingSpec>; names: readonly string[] }>([
    { why: 'a queue without metrics has none', spec: { eventSourceARN: queue }, names: [] },
    {
      why: 'a queue counts what it deletes',
      spec: { eventSourceARN: queue, ...eventCount },
      names: [...polled, 'DeletedEventCount'],
    },
    {
      why: 'where there is no filter there is nothing to count of it',
      spec: {
        eventSourceARN: queue,
        ...eventCount,
        filterCriteria: { filters: [{ pattern: '{"body":{"a":[1]}}' }] },
      },
      names: [
        'PolledEventCount',
        'FilteredOutEventCount',
        'InvokedEventCount',
        'FailedInvokeEventCount',
        'DeletedEventCount',
      ],
    },
    {
      why: 'the groups of Kafka say nothing of a queue, which has pollers all the same',
      spec: { eventSourceARN: `${queue}.fifo`, ...everyGroup, provisionedPollerConfig },
      names: [...polled, 'DeletedEventCount', 'ProvisionedPollers'],
    },
    {
      why: 'a stream has its age without any group',
      spec: { eventSourceARN: stream },
      names: ['IteratorAge'],
    },
    {
      why: 'a stream drops records, and has no destination here',
      spec: { eventSourceARN: table, ...eventCount },
      names: [...polled, 'DroppedEventCount', 'IteratorAge'],
    },
    {
      why: 'a stream delivers to its destination',
      spec: { eventSourceARN: `${stream}/consumer/c:1`, ...eventCount, destinationConfig },
      names: [...polled, 'DroppedEventCount', 'OnFailureDestinationDeliveredEventCount', 'IteratorAge'],
    },
    {
      why: 'Kafka on demand has the lag of the function alone',
      spec: { eventSourceARN: cluster },
      names: ['OffsetLag'],
    },
    {
      why: 'Kafka with all there is',
      spec: {
        eventSourceARN: cluster,
        ...everyGroup,
        destinationConfig,
        provisionedPollerConfig,
        amazonManagedKafkaEventSourceConfig: { schemaRegistryConfig: { schemaRegistryURI: 'https://r' } },
      },
      names: [
        ...polled,
        'DroppedEventCount',
        'OnFailureDestinationDeliveredEventCount',
        'CommittedEventCount',
        'PollingErrorCount',
        'InvokeErrorCount',
        'OnFailureDestinationDeliveryErrorCount',
        'SchemaRegistryErrorCount',
        'CommitErrorCount',
        'EventPollerThroughputInBytes',
        'ProvisionedPollers',
        'MaxOffsetLag',
        'SumOffsetLag',
      ],
    },
    {
      why: 'errors are a group of their own',
      spec: {
        selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['k:9092'] } },
        metricsConfig: { metrics: ['ErrorCount'] },
      },
      names: ['PollingErrorCount', 'InvokeErrorCount', 'CommitErrorCount', 'OffsetLag'],
    },
    { why: 'a broker has none', spec: { eventSourceARN: of('mq', 'broker:b:1') }, names: [] },
    {
      why: 'DocumentDB has its age',
      spec: { eventSourceARN: of('rds', 'cluster:c') },
      names: ['IteratorAge'],
    },
  ])('$why', ({ spec: more, names }) => {
    expect(wantedMetrics(spec(more), 'u').map(({ name }) => name)).toEqual(names);
  });

  it('is named by the mapping, and by the function where it is the function’s', () => {
    const [first, ...others] = wantedMetrics(spec({ eventSourceARN: stream, ...eventCount }), 'u-1');
    expect(first?.dimensions).toEqual([{ Name: 'EventSourceMappingUUID', Value: 'u-1' }]);
    expect(others.at(-1)).toMatchObject({
      name: 'IteratorAge',
      statistic: 'Maximum',
      dimensions: [{ Name: 'FunctionName', Value: 'consumer' }],
    });
  });

  it.each([
    { functionName: 'consumer:live', why: 'an alias by name' },
    { functionName: of('lambda', 'function:consumer:live'), why: 'an alias by ARN' },
  ])('names $why as the function’s resource', ({ functionName }) => {
    expect(wantedMetrics(spec({ eventSourceARN: stream, functionName }), 'u')[0]?.dimensions).toEqual([
      { Name: 'FunctionName', Value: 'consumer' },
      { Name: 'Resource', Value: 'consumer:live' },
    ]);
  });
});

describe('labels', () => {
  it.each([
    { eventSourceARN: queue, type: 'sqs' },
    { eventSourceARN: `${queue}.fifo`, type: 'sqs' },
    { eventSourceARN: `${stream}/consumer/c:1`, type: 'kinesis' },
    { eventSourceARN: cluster, type: 'msk' },
  ])('the source $eventSourceARN is $type, as pollers call it', ({ eventSourceARN, type }) => {
    expect(sourceTypeOf(spec({ eventSourceARN }))).toBe(type);
  });

  it.each([
    { destination: of('sqs', 'failed'), type: 'sqs' },
    { destination: 'arn:aws-cn:sns:cn-north-1:000000000000:failed', type: 'sns' },
    { destination: 'arn:aws:s3:::failed', type: 's3' },
    { destination: 'kafka://failed', type: 'kafka' },
    { destination: '', type: '' },
  ])('the destination $destination is "$type"', ({ destination, type }) => {
    expect(destinationTypeOf(spec({ destinationConfig: { onFailure: { destination } } }))).toBe(type);
  });
});
