import { describe, expect, test } from 'vitest';
import { classifySource, effective, summarize } from '../../../src/api/effective.ts';
import type { EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import { supported } from '../../../src/api/supported.ts';
import { aMapping } from '../../support/builders.ts';

const arn = (service: string, resource: string) => `arn:aws:${service}:eu-west-1:000000000000:${resource}`;
const kafka = { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['broker:9092'] } };
/** Without a source of its own. */
const spec = (more: Partial<EventSourceMappingSpec>): EventSourceMappingSpec => ({
  mode: 'Managed',
  functionName: 'orders',
  ...more,
});

test.each([
  { asked: { minimumPollers: 3 }, source: 'sqs', inForce: { minimumPollers: 3, maximumPollers: 200 } },
  { asked: { maximumPollers: 9 }, source: 'sqs', inForce: { minimumPollers: 2, maximumPollers: 9 } },
  { asked: { maximumPollers: 1 }, source: 'kafka', inForce: { minimumPollers: 1, maximumPollers: 1 } },
  { asked: { minimumPollers: 300 }, source: 'sqs', inForce: { minimumPollers: 300, maximumPollers: 300 } },
])('provisioned mode is filled up: $asked', ({ asked, source, inForce }) => {
  const { values, origins } = effective({
    mode: 'Managed',
    eventSourceARN: `arn:aws:${source}:eu-west-1:000000000000:x`,
    provisionedPollerConfig: asked,
  });
  expect(values.provisionedPollerConfig).toEqual(inForce);
  const origin = 'minimumPollers' in asked ? 'spec' : 'default';
  expect(origins['provisionedPollerConfig.minimumPollers']).toBe(origin);
});

describe('the kind of source', () => {
  test.each([
    [spec({ eventSourceARN: arn('sqs', 'orders') }), 'sqs'],
    [spec({ eventSourceARN: arn('sqs', 'orders.fifo') }), 'sqs-fifo'],
    [spec({ eventSourceARN: 'arn:aws-cn:sqs:::orders' }), 'sqs'],
    [spec({ eventSourceARN: arn('kinesis', 'stream/orders') }), 'kinesis'],
    [spec({ eventSourceARN: arn('kinesis', 'stream/orders/consumer/one:1') }), 'kinesis-consumer'],
    [spec({ eventSourceARN: arn('dynamodb', 'table/orders/stream/1') }), 'dynamodb'],
    [spec({ eventSourceARN: arn('kafka', 'cluster/orders/uuid') }), 'msk'],
    [spec({ selfManagedEventSource: kafka }), 'kafka'],
    [spec({ eventSourceARN: arn('mq', 'broker:orders:b-1') }), 'mq'],
    [spec({ eventSourceARN: arn('rds', 'cluster:orders') }), 'docdb'],
    [spec({ eventSourceARN: arn('s3', 'bucket') }), 'unknown'],
    [spec({}), 'unknown'],
  ])('%j is %s', (one, kind) => {
    expect(classifySource(one)).toBe(kind);
  });
});

describe('values in force', () => {
  test.each([
    [
      'sqs',
      spec({ eventSourceARN: arn('sqs', 'orders') }),
      { batchSize: 10, maximumBatchingWindowInSeconds: 0 },
    ],
    [
      'sqs-fifo',
      spec({ eventSourceARN: arn('sqs', 'orders.fifo') }),
      { batchSize: 10, functionResponseTypes: [] },
    ],
    [
      'kinesis',
      spec({ eventSourceARN: arn('kinesis', 'stream/orders'), startingPosition: 'LATEST' }),
      { batchSize: 100, parallelizationFactor: 1, maximumRetryAttempts: -1, maximumRecordAgeInSeconds: -1 },
    ],
    ['kafka', spec({ selfManagedEventSource: kafka }), { batchSize: 100, startingPosition: 'TRIM_HORIZON' }],
    [
      'docdb',
      spec({ eventSourceARN: arn('rds', 'cluster:a') }),
      { batchSize: 100, startingPosition: 'LATEST' },
    ],
  ])("are AWS's defaults for %s", (_, one, want) => {
    expect(effective(one).values).toMatchObject(want);
  });

  test('leave out what the source does not take', () => {
    const { values } = effective(spec({ eventSourceARN: arn('sqs', 'orders') }));
    expect(Object.keys(values)).not.toContain('maximumRetryAttempts');
    expect(Object.keys(values)).not.toContain('startingPosition');
  });

  test("leave Kafka's default window absent, since no explicit value restores it", () => {
    expect(
      effective(spec({ selfManagedEventSource: kafka })).values.maximumBatchingWindowInSeconds,
    ).toBeUndefined();
  });

  test('a share group retries 0 times and has no starting position', () => {
    const share = spec({
      selfManagedEventSource: kafka,
      selfManagedKafkaEventSourceConfig: { consumptionMode: 'Queue' },
    });
    expect(effective(share).values).toMatchObject({ maximumRetryAttempts: 0 });
    expect(effective(share).values.startingPosition).toBeUndefined();
  });

  test('tell of each value where it is from', () => {
    const one = spec({ eventSourceARN: 'arn:aws:sqs::000000000000:orders', batchSize: 5 });
    const { values, origins } = effective(one, { class: { aws: { region: 'eu-west-1' } } });
    expect(values.eventSourceARN).toBe(arn('sqs', 'orders'));
    expect(origins).toMatchObject({
      batchSize: 'spec',
      enabled: 'default',
      eventSourceARN: 'class',
      'aws.region': 'class',
      'aws.accountID': 'arn',
    });
  });

  test.each([
    {
      why: 'the mapping before all',
      aws: { region: 'us-east-1' },
      text: 'arn:aws:sqs:::q',
      want: ['us-east-1', 'spec'],
    },
    {
      why: 'the ARN before the class',
      aws: {},
      text: 'arn:aws:sqs:eu-west-3::q',
      want: ['eu-west-3', 'arn'],
    },
    { why: 'the class before the process', aws: {}, text: 'arn:aws:sqs:::q', want: ['eu-west-1', 'class'] },
  ])('the Region is from $why', ({ aws, text, want }) => {
    const { values, origins } = effective(spec({ eventSourceARN: text, aws }), {
      class: { aws: { region: 'eu-west-1' } },
      ambient: { region: 'sa-east-1' },
    });
    expect([values.aws.region, origins['aws.region']]).toEqual(want);
  });

  test('without class and account the ARN stays as it is written', () => {
    expect(effective(spec({ eventSourceARN: 'arn:aws:sqs:::orders' })).values.eventSourceARN).toBe(
      'arn:aws:sqs:::orders',
    );
  });

  test('of a poller hold the HTTP target with its defaults', () => {
    expect(effective(aMapping().spec).values.poller).toEqual({
      unmatched: 'Delete',
      maximumHoldSeconds: 900,
      target: {
        http: {
          timeoutSeconds: 30,
          format: 'Lambda',
          service: { name: 'consumer', port: 80, path: '/', scheme: 'http' },
        },
      },
    });
  });

  test('in Managed mode hold nothing of the poller', () => {
    expect(
      effective({ ...aMapping().spec, mode: 'Managed', functionName: 'orders' }).values.poller,
    ).toBeUndefined();
  });
});

describe('a mapping in a few words', () => {
  test.each([
    [aMapping().spec, { source: 'sqs:orders', target: 'service:consumer:80' }],
    [
      aMapping({ poller: { target: { http: { url: 'https://example.com/a?token=secret' } } } }).spec,
      { source: 'sqs:orders', target: 'https://example.com/a' },
    ],
    [
      spec({ selfManagedEventSource: kafka, topics: ['orders'] }),
      { source: 'kafka:orders', target: 'lambda:orders' },
    ],
    [
      spec({ eventSourceARN: arn('sqs', 'q'), functionName: arn('lambda', 'function:orders:live') }),
      { source: 'sqs:q', target: 'lambda:orders:live' },
    ],
  ])('%j', (one, want) => {
    expect(summarize(one)).toEqual(want);
  });
});

describe('what is not built yet', () => {
  const http = { service: { name: 'consumer', port: 80 } };

  test.each([
    ['a Poller mapping with a Service', aMapping().spec],
    [
      'a header and certificates from Secrets',
      aMapping({
        poller: {
          target: {
            http: {
              service: { ...http.service, scheme: 'https' },
              headers: { 'X-Key': { valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } } },
              tls: { caSecretRef: { name: 'a' }, clientCertSecretRef: { name: 'b' } },
            },
          },
        },
      }).spec,
    ],
    [
      'a Poller mapping of a FIFO queue to a function',
      spec({ mode: 'Poller', eventSourceARN: arn('sqs', 'a.fifo') }),
    ],
    [
      'a Managed mapping of a queue',
      spec({ eventSourceARN: arn('sqs', 'a'), batchSize: 5, tags: { a: 'b' } }),
    ],
    ['a Managed mapping of Kinesis', spec({ eventSourceARN: arn('kinesis', 'stream/a') })],
    ['a Managed mapping of DynamoDB', spec({ eventSourceARN: arn('dynamodb', 'table/t/stream/s') })],
    ['a Managed mapping of MSK', spec({ eventSourceARN: arn('kafka', 'cluster/c/1') })],
    ['a Managed mapping of MQ', spec({ eventSourceARN: arn('mq', 'broker:b:1') })],
    ['a Managed mapping of DocumentDB', spec({ eventSourceARN: arn('rds', 'cluster:c') })],
    ['a Managed mapping of self-managed Kafka', spec({ selfManagedEventSource: kafka })],
    [
      'what only AWS does, in Managed mode',
      spec({
        eventSourceARN: arn('sqs', 'a'),
        kmsKeyARN: arn('kms', 'key/a'),
        metricsConfig: { metrics: ['EventCount'] },
        provisionedPollerConfig: { minimumPollers: 2 },
      }),
    ],
    [
      'an inert poller part',
      spec({ eventSourceARN: arn('sqs', 'a'), poller: { rateLimit: { batchesPerSecond: 1 } } }),
    ],
  ])('is nothing for %s', (_, one) => {
    expect(supported(one)).toEqual([]);
  });

  test.each([
    ['eventSourceARN', spec({ mode: 'Poller', eventSourceARN: arn('kinesis', 'stream/a') })],
    ['selfManagedEventSource', spec({ mode: 'Poller', selfManagedEventSource: kafka })],
    ['provisionedPollerConfig', aMapping({ provisionedPollerConfig: { minimumPollers: 2 } }).spec],
    ['poller.rateLimit', aMapping({ poller: { target: { http }, rateLimit: { batchesPerSecond: 1 } } }).spec],
    ['managementPolicy', aMapping({ managementPolicy: 'Observe' }).spec],
  ])('names %s', (path, one) => {
    const found = supported(one);
    expect(found.map((gap) => gap.path)).toEqual([path]);
    expect(found[0]?.message).toContain(`\`${path}\``);
  });
});
