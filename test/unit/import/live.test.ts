import { describe, expect, it } from 'vitest';
import { effective } from '../../../src/api/effective.ts';
import { differencesOf } from '../../../src/backends/aws/drift.ts';
import { ownerOf, readLive, type LiveMapping, type Owner } from '../../../src/import/live.ts';
import { makeManifests } from '../../../src/import/manifests.ts';

const place = 'eu-west-1:123456789012';
const uuid = '14e0db71-5b35-4eb5-b481-8945cf9d10c2';

/** A queue's mapping as AWS returns one that nobody configured. */
const sqs = {
  UUID: uuid,
  EventSourceMappingArn: `arn:aws:lambda:${place}:event-source-mapping:${uuid}`,
  EventSourceArn: `arn:aws:sqs:${place}:orders`,
  FunctionArn: `arn:aws:lambda:${place}:function:consumer`,
  BatchSize: 10,
  MaximumBatchingWindowInSeconds: 0,
  FunctionResponseTypes: [],
  LastModified: new Date(0),
  State: 'Enabled',
  StateTransitionReason: 'USER_INITIATED',
};
const kinesis = {
  ...sqs,
  EventSourceArn: `arn:aws:kinesis:${place}:stream/clicks`,
  FunctionArn: `arn:aws:lambda:${place}:function:consumer:live`,
  BatchSize: 100,
  StartingPosition: 'AT_TIMESTAMP',
  StartingPositionTimestamp: new Date('2024-01-02T03:04:05Z'),
  DestinationConfig: { OnFailure: {} },
  MaximumRecordAgeInSeconds: -1,
  MaximumRetryAttempts: -1,
  BisectBatchOnFunctionError: false,
  ParallelizationFactor: 1,
  TumblingWindowInSeconds: 0,
  LastProcessingResult: 'OK',
};
const msk = {
  ...sqs,
  EventSourceArn: `arn:aws:kafka:${place}:cluster/c/1`,
  BatchSize: 100,
  MaximumBatchingWindowInSeconds: 0,
  Topics: ['t1'],
  StartingPosition: 'TRIM_HORIZON',
  AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: uuid },
};

const live = (configuration: object, more: Partial<LiveMapping> = {}): LiveMapping => ({
  configuration: { ...configuration },
  tags: {},
  gone: [],
  ...more,
});
const names = { eventSourceARN: sqs.EventSourceArn, functionName: sqs.FunctionArn };

describe('a live mapping', () => {
  it.each<{ configuration: object; spec: Readonly<Record<string, unknown>>; why: string }>([
    { configuration: sqs, spec: names, why: 'AWS’s defaults are nobody’s choice' },
    {
      configuration: {
        ...sqs,
        State: 'Disabled',
        BatchSize: 100,
        MaximumBatchingWindowInSeconds: 5,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ScalingConfig: { MaximumConcurrency: 2 },
        FilterCriteria: { Filters: [{ Pattern: '{"body":{"a":[1]}}' }] },
        KMSKeyArn: `arn:aws:kms:${place}:key/k`,
        MetricsConfig: { Metrics: ['EventCount'] },
      },
      spec: {
        ...names,
        enabled: false,
        batchSize: 100,
        maximumBatchingWindowInSeconds: 5,
        functionResponseTypes: ['ReportBatchItemFailures'],
        filterCriteria: { filters: [{ pattern: '{"body":{"a":[1]}}' }] },
        kmsKeyARN: `arn:aws:kms:${place}:key/k`,
        scalingConfig: { maximumConcurrency: 2 },
        metricsConfig: { metrics: ['EventCount'] },
      },
      why: 'what was chosen is kept',
    },
    {
      configuration: kinesis,
      spec: {
        eventSourceARN: kinesis.EventSourceArn,
        functionName: kinesis.FunctionArn,
        startingPosition: 'AT_TIMESTAMP',
        startingPositionTimestamp: '2024-01-02T03:04:05Z',
      },
      why: 'the position of a stream is kept, its echoed defaults are not',
    },
    {
      configuration: msk,
      spec: {
        ...names,
        eventSourceARN: msk.EventSourceArn,
        maximumBatchingWindowInSeconds: 0,
        topics: ['t1'],
        startingPosition: 'TRIM_HORIZON',
      },
      why: 'a window of 0 was chosen for Kafka; the consumer group is the UUID unless one was chosen',
    },
    {
      configuration: {
        ...msk,
        EventSourceArn: undefined,
        MaximumBatchingWindowInSeconds: undefined,
        AmazonManagedKafkaEventSourceConfig: undefined,
        SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:9092'] } },
        SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'mine' },
      },
      spec: {
        functionName: names.functionName,
        selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:9092'] } },
        topics: ['t1'],
        startingPosition: 'TRIM_HORIZON',
        selfManagedKafkaEventSourceConfig: { consumerGroupID: 'mine' },
      },
      why: 'a cluster without an ARN',
    },
  ])('$why, and applying the manifest changes nothing', ({ configuration, spec }) => {
    const reading = readLive([live(configuration)]);
    expect(reading.notes).toEqual([]);
    expect(reading.mappings[0]?.spec).toEqual(spec);
    const { manifests } = makeManifests(reading, { adoption: 'IfExists' });
    expect(manifests[0]?.problems).toEqual([]);
    expect(manifests[0]?.object.metadata.annotations).toEqual({ 'sluice.dev/adopt-uuid': uuid });
    const desired = manifests[0]?.object.spec ?? { mode: 'Managed' };
    const tags = { desired: desired.tags ?? {}, observed: {}, ours: [] };
    expect(differencesOf(effective(desired), desired, configuration, tags)).toEqual([]);
  });

  it('keeps the tags of its users', () => {
    const tags = { team: 'web', 'aws:cloudformation:stack-name': 's' };
    expect(readLive([live(sqs, { tags })]).mappings[0]?.spec['tags']).toEqual({ team: 'web' });
  });

  it('is named after function and source, and grouped by function', () => {
    const other = { ...sqs, FunctionArn: `arn:aws:lambda:${place}:function:a` };
    expect(
      readLive([live(kinesis), live(sqs), live(msk), live(other)]).mappings.map(({ subject }) => subject),
    ).toEqual(['a/orders', 'consumer/c/t1', 'consumer/orders', 'consumer:live/clicks']);
  });
});

describe('what is told of a live mapping', () => {
  it.each<{ tags: Readonly<Record<string, string>>; owner: Owner }>([
    { tags: {}, owner: { kind: 'nobody' } },
    { tags: { team: 'web' }, owner: { kind: 'nobody' } },
    {
      tags: { 'aws:cloudformation:stack-name': 'shop', 'aws:cloudformation:logical-id': 'M' },
      owner: { kind: 'other', tool: 'CloudFormation', name: 'M of stack shop' },
    },
    {
      tags: { 'services.k8s.aws/controller-version': 'lambda-1', 'services.k8s.aws/namespace': 'shop' },
      owner: { kind: 'other', tool: 'ACK', name: 'an object of namespace shop' },
    },
    { tags: { 'crossplane-name': 'm' }, owner: { kind: 'other', tool: 'Crossplane', name: 'm' } },
    {
      tags: { ManagedBy: 'Terraform' },
      owner: { kind: 'other', tool: 'Terraform', name: 'the tag ManagedBy=Terraform' },
    },
    {
      tags: { 'sluice.dev/cluster': 'c', 'sluice.dev/namespace': 'n', 'sluice.dev/name': 'm' },
      owner: { kind: 'sluice', name: 'n/m of cluster c' },
    },
  ])('the owner by $tags', ({ tags, owner }) => {
    expect(ownerOf(tags)).toEqual(owner);
  });

  it.each<{ one: LiveMapping; notes: readonly string[]; mappings: number; why: string }>([
    {
      one: live(sqs, { tags: { 'aws:cloudformation:stack-name': 'shop' } }),
      notes: [
        `owned: ${uuid} belongs to CloudFormation: a resource of stack shop; take it out of its hands before you apply`,
      ],
      mappings: 1,
      why: 'another tool’s is written all the same, for the time after',
    },
    {
      one: live(sqs, { tags: { 'sluice.dev/cluster': 'c' } }),
      notes: [`info: ${uuid} is Sluice's already: ?/? of cluster c`],
      mappings: 0,
      why: 'one of ours needs no manifest',
    },
    {
      one: live({ ...sqs, State: 'Deleting' }),
      notes: [`info: ${uuid} is being deleted`],
      mappings: 0,
      why: 'on its way',
    },
    {
      one: live({ ...sqs, State: 'Disabled', StateTransitionReason: 'EVENT_SOURCE_AUTHZ_ERROR' }),
      notes: [`info: ${uuid} was switched off by AWS: EVENT_SOURCE_AUTHZ_ERROR`],
      mappings: 1,
      why: 'nobody chose that it is off',
    },
    {
      one: live({ ...sqs, LastProcessingResult: 'PROBLEM: Function call failed' }),
      notes: [`info: ${uuid} does not work: PROBLEM: Function call failed`],
      mappings: 1,
      why: 'a mapping that fails',
    },
    {
      one: live({
        ...sqs,
        KMSKeyArn: `arn:aws:kms:${place}:key/k`,
        FilterCriteriaError: { Message: 'no access' },
      }),
      notes: [`refused: ${uuid} has filters that may not be read: no access`],
      mappings: 1,
      why: 'without its filters the manifest would change it',
    },
    {
      one: live({ ...sqs, NewThing: 1 }),
      notes: ['refused: `NewThing` is not a field of a mapping, and was left out'],
      mappings: 1,
      why: 'newer than us',
    },
  ])('$why', ({ one, notes, mappings }) => {
    const reading = readLive([one]);
    expect(reading.notes.map(({ kind, message }) => `${kind}: ${message}`)).toEqual(notes);
    expect(reading.mappings).toHaveLength(mappings);
  });

  it('an orphan is written as a comment', () => {
    const reading = readLive([live(sqs, { gone: ['function', 'source'] })]);
    expect(reading.notes.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
      `orphan: ${uuid} is an orphan: the function does not exist`,
      `orphan: ${uuid} is an orphan: the source does not exist`,
    ]);
    expect(makeManifests(reading, { adoption: 'IfExists' }).manifests[0]?.problems).toEqual([
      'the function does not exist',
      'the source does not exist',
    ]);
  });
});
