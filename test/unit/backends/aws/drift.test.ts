import { describe, expect, it } from 'vitest';
import { effective } from '../../../../src/api/effective.ts';
import type { EventSourceMappingSpec } from '../../../../src/api/mapping.ts';
import type { Configuration, UpdateInput } from '../../../../src/backends/aws/client.ts';
import { differencesOf, keysSet, tagsToRemove, tagsToSet } from '../../../../src/backends/aws/drift.ts';
import { ownershipOf, tagsOf } from '../../../../src/backends/aws/ownership.ts';
import { createInput, fields, isSameFunction, updateInput } from '../../../../src/backends/aws/translate.ts';
import { aMapping, ordersARN } from '../../../support/mappings.ts';

const functionARN = 'arn:aws:lambda:eu-central-1:000000000000:function:consumer';

/** What AWS answers for a mapping with only its defaults. */
const atAws = (changes: Partial<Configuration> = {}): Configuration => ({
  UUID: 'c0ffee00-0000-4000-8000-000000000001',
  EventSourceArn: ordersARN,
  FunctionArn: functionARN,
  State: 'Enabled',
  BatchSize: 10,
  MaximumBatchingWindowInSeconds: 0,
  FunctionResponseTypes: [],
  ...changes,
});

const drift = (spec: Partial<EventSourceMappingSpec>, configuration: Configuration) => {
  const full = aMapping({ spec }).spec;
  return differencesOf(effective(full), full, configuration, { desired: {}, observed: {}, ours: [] });
};

describe('the same by meaning is no difference', () => {
  it.each<{ why: string; spec: Partial<EventSourceMappingSpec>; found: Partial<Configuration> }>([
    { why: 'AWS echoes its defaults', spec: {}, found: {} },
    {
      why: 'AWS leaves its defaults out',
      spec: { batchSize: 10 },
      found: { BatchSize: undefined, FunctionResponseTypes: undefined },
    },
    {
      why: 'empty objects and lists',
      spec: {},
      found: { FilterCriteria: { Filters: [] }, ScalingConfig: {}, MetricsConfig: { Metrics: [] } },
    },
    { why: 'a partial function name', spec: { functionName: '000000000000:function:consumer' }, found: {} },
    { why: 'a full function ARN', spec: { functionName: functionARN }, found: {} },
    {
      why: 'white space in a pattern',
      spec: { filterCriteria: { filters: [{ pattern: '{ "body": { "a": [1] } }' }] } },
      found: { FilterCriteria: { Filters: [{ Pattern: '{"body":{"a":[1]}}' }] } },
    },
    {
      why: 'filters that AWS cannot show',
      spec: { filterCriteria: { filters: [{ pattern: '{"body":{}}' }] } },
      found: { FilterCriteriaError: { ErrorCode: 'KMSAccessDeniedException', Message: 'no' } },
    },
    {
      why: 'members of a pattern in another order, a repeated filter, filters in another order',
      spec: { filterCriteria: { filters: [{ pattern: '{"a":[1],"b":[2]}' }, { pattern: '{"c":[1]}' }] } },
      found: {
        FilterCriteria: {
          Filters: [{ Pattern: '{"c":[1]}' }, { Pattern: '{"b":[2],"a":[1]}' }, { Pattern: '{"c": [1]}' }],
        },
      },
    },
    {
      why: 'encrypted filters that List leaves out',
      spec: { filterCriteria: { filters: [{ pattern: '{"body":{}}' }] }, kmsKeyARN: 'arn:k' },
      found: { KMSKeyArn: 'arn:k' },
    },
    { why: 'an empty key', spec: { kmsKeyARN: '' }, found: {} },
    { why: 'a key without filters, which AWS drops', spec: { kmsKeyARN: 'arn:k' }, found: {} },
    {
      why: 'a partial ARN of the source',
      spec: { eventSourceARN: 'arn:aws:sqs:::orders' },
      found: {},
    },
    {
      why: 'partial ARNs of a destination and of a key',
      spec: {
        destinationConfig: { onFailure: { destination: 'arn:aws:sqs:::failed' } },
        filterCriteria: { filters: [{ pattern: '{"body":{}}' }] },
        kmsKeyARN: 'arn:aws:kms:::key/k',
      },
      found: {
        DestinationConfig: { OnFailure: { Destination: 'arn:aws:sqs:eu-central-1:000000000000:failed' } },
        FilterCriteria: { Filters: [{ Pattern: '{"body":{}}' }] },
        KMSKeyArn: 'arn:aws:kms:eu-central-1:000000000000:key/k',
      },
    },
    {
      why: 'destinations that have no Region: a bucket',
      spec: { destinationConfig: { onFailure: { destination: 'arn:aws:s3:::failed' } } },
      found: { DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::failed' } } },
    },
    {
      why: 'a bound of the pollers that AWS filled in',
      spec: { provisionedPollerConfig: { minimumPollers: 3 } },
      found: { ProvisionedPollerConfig: { MinimumPollers: 3, MaximumPollers: 200 } },
    },
    { why: 'disabled, and it is', spec: { enabled: false }, found: { State: 'Disabled' } },
  ])('$why', ({ spec, found }) => {
    expect(drift(spec, atAws(found))).toEqual([]);
  });
});

describe('what differs is named and undone', () => {
  it.each<{
    why: string;
    spec: Partial<EventSourceMappingSpec>;
    found: Partial<Configuration>;
    path: string;
    send: UpdateInput;
  }>([
    { why: 'a value', spec: { batchSize: 3 }, found: {}, path: 'batchSize', send: { BatchSize: 3 } },
    {
      why: 'a removed value goes back to its default',
      spec: {},
      found: { BatchSize: 3 },
      path: 'batchSize',
      send: { BatchSize: 10 },
    },
    {
      why: 'a window',
      spec: {},
      found: { MaximumBatchingWindowInSeconds: 5 },
      path: 'maximumBatchingWindowInSeconds',
      send: { MaximumBatchingWindowInSeconds: 0 },
    },
    {
      why: 'the function',
      spec: { functionName: 'other' },
      found: {},
      path: 'functionName',
      send: { FunctionName: 'other' },
    },
    {
      why: 'a qualifier: name and name:$LATEST are two targets',
      spec: { functionName: 'consumer:$LATEST' },
      found: {},
      path: 'functionName',
      send: { FunctionName: 'consumer:$LATEST' },
    },
    { why: 'enabled', spec: {}, found: { State: 'Disabled' }, path: 'enabled', send: { Enabled: true } },
    {
      why: 'another filter',
      spec: { filterCriteria: { filters: [{ pattern: '{"body":{"a":[1]}}' }] } },
      found: { FilterCriteria: { Filters: [{ Pattern: '{"body":{"a":[2]}}' }] } },
      path: 'filterCriteria.filters',
      send: { FilterCriteria: { Filters: [{ Pattern: '{"body":{"a":[1]}}' }] } },
    },
    {
      why: 'filters are cleared by an empty object',
      spec: {},
      found: { FilterCriteria: { Filters: [{ Pattern: '{}' }] } },
      path: 'filterCriteria.filters',
      send: { FilterCriteria: {} },
    },
    {
      why: 'a key is reset by an empty text',
      spec: { filterCriteria: { filters: [{ pattern: '{"a":[1]}' }] } },
      found: { KMSKeyArn: 'arn:k', FilterCriteria: { Filters: [{ Pattern: '{"a":[1]}' }] } },
      path: 'kmsKeyARN',
      send: { KMSKeyArn: '', FilterCriteria: { Filters: [{ Pattern: '{"a":[1]}' }] } },
    },
    {
      why: 'a number of another size in a pattern, beyond what a double holds',
      spec: { filterCriteria: { filters: [{ pattern: '{"a":[9007199254740993]}' }] } },
      found: { FilterCriteria: { Filters: [{ Pattern: '{"a":[9007199254740992]}' }] } },
      path: 'filterCriteria.filters',
      send: { FilterCriteria: { Filters: [{ Pattern: '{"a":[9007199254740993]}' }] } },
    },
    {
      why: 'response types are cleared by an empty list',
      spec: {},
      found: { FunctionResponseTypes: ['ReportBatchItemFailures'] },
      path: 'functionResponseTypes',
      send: { FunctionResponseTypes: [] },
    },
    {
      why: 'concurrency is cleared by an empty object',
      spec: {},
      found: { ScalingConfig: { MaximumConcurrency: 4 } },
      path: 'scalingConfig.maximumConcurrency',
      send: { ScalingConfig: {} },
    },
    {
      why: 'provisioned mode is left by an empty object',
      spec: {},
      found: { ProvisionedPollerConfig: { MinimumPollers: 2, MaximumPollers: 4 } },
      path: 'provisionedPollerConfig',
      send: { ProvisionedPollerConfig: {} },
    },
    {
      why: 'metrics are cleared by an empty list',
      spec: {},
      found: { MetricsConfig: { Metrics: ['EventCount'] } },
      path: 'metricsConfig.metrics',
      send: { MetricsConfig: { Metrics: [] } },
    },
  ])('$path: $why', ({ spec, found, path, send }) => {
    const differences = drift(spec, atAws(found));
    expect(differences.map((difference) => difference.path)).toEqual([path]);
    expect(updateInput(differences, aMapping({ spec }).spec)).toEqual(send);
  });

  it('the half second of Kafka cannot be brought back', () => {
    const spec = {
      eventSourceARN: 'arn:aws:kafka:eu-central-1:000000000000:cluster/c/1',
      topics: ['orders'],
    };
    const found = {
      EventSourceArn: spec.eventSourceARN,
      Topics: ['orders'],
      BatchSize: 100,
      StartingPosition: 'TRIM_HORIZON' as const,
      MaximumBatchingWindowInSeconds: 0,
    };
    expect(drift(spec, atAws(found))).toMatchObject([
      { path: 'maximumBatchingWindowInSeconds', createOnly: true },
    ]);
    expect(drift({ ...spec, maximumBatchingWindowInSeconds: 5 }, atAws(found))).toMatchObject([
      { path: 'maximumBatchingWindowInSeconds', createOnly: false },
    ]);
  });

  it('the consumer group that is the UUID counts as none, unless it is asked for', () => {
    const uuid = 'c0ffee00-0000-4000-8000-000000000001';
    const base = {
      eventSourceARN: 'arn:aws:kafka:eu-central-1:000000000000:cluster/c/1',
      topics: ['orders'],
    };
    const found = {
      EventSourceArn: base.eventSourceARN,
      Topics: ['orders'],
      BatchSize: 100,
      MaximumBatchingWindowInSeconds: undefined,
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: uuid },
    };
    const named = { ...base, amazonManagedKafkaEventSourceConfig: { consumerGroupID: uuid } };
    expect([drift(base, atAws(found)), drift(named, atAws(found))]).toEqual([[], []]);
  });

  it('another source cannot be undone in place', () => {
    const [difference] = drift({ eventSourceARN: `${ordersARN}-2` }, atAws());
    expect(difference).toMatchObject({ path: 'eventSourceARN', createOnly: true });
  });

  it('our tags and the user’s are set, removed ones are removed, those of others stay', () => {
    const { spec } = aMapping();
    const tags = {
      desired: { team: 'a', cost: '1' },
      observed: { team: 'b', cost: '1', else: 'x', old: '1' },
      ours: ['team', 'old', 'gone'],
    };
    const differences = differencesOf(effective(spec), spec, atAws(), tags);
    expect(differences).toEqual([
      { path: 'tags.team', desired: 'a', observed: 'b', createOnly: false },
      { path: 'tags.old', desired: undefined, observed: '1', createOnly: false },
    ]);
    expect(tagsToRemove(differences)).toEqual(['old']);
    expect(keysSet({ team: 'a', cost: '1' }, tags)).toEqual(['cost', 'old', 'team']);
    expect(tagsToSet(differences)).toEqual({ team: 'a' });
    expect(updateInput(differences, spec)).toBeUndefined();
  });
});

describe('the request that creates', () => {
  it('holds what the spec says: no clearing values, and defaults are AWS’s to fill in', () => {
    const { spec } = aMapping({ spec: { scalingConfig: { maximumConcurrency: 5 } } });
    expect(createInput(effective(spec), spec, { team: 'a' })).toEqual({
      EventSourceArn: ordersARN,
      FunctionName: 'consumer',
      ScalingConfig: { MaximumConcurrency: 5 },
      Tags: { team: 'a' },
    });
  });

  it('makes what no difference is found in', () => {
    const { spec } = aMapping({
      spec: {
        enabled: false,
        batchSize: 4,
        maximumBatchingWindowInSeconds: 2,
        functionResponseTypes: ['ReportBatchItemFailures'],
        filterCriteria: { filters: [{ pattern: '{"body":{}}' }, { pattern: '{"body":{"a":[1]}}' }] },
      },
    });
    const { FunctionName: _, Enabled: __, Tags: ___, ...members } = createInput(effective(spec), spec, {});
    const made = { ...members, FunctionArn: functionARN, State: 'Disabled' } as Configuration;
    expect(differencesOf(effective(spec), spec, made, { desired: {}, observed: {}, ours: [] })).toEqual([]);
  });

  it('knows each field by one path', () => {
    const paths = fields.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
  });
});

describe('the same function', () => {
  it.each([
    ['consumer', functionARN, true],
    ['consumer', `${functionARN}:live`, false],
    ['consumer:live', `${functionARN}:live`, true],
    ['consumer:live', `${functionARN}:other`, false],
    ['consumer', `${functionARN}-2`, false],
    ['111111111111:function:consumer', functionARN, false],
    ['arn:aws:lambda:us-east-1:000000000000:function:consumer', functionARN, false],
    [functionARN, functionARN, true],
    ['consumer', '', false],
    ['', functionARN, false],
  ])('%j and %j: %j', (name, arn, same) => {
    expect(isSameFunction(name, arn)).toBe(same);
  });
});

describe('the owner of a mapping', () => {
  const { metadata } = aMapping();
  const ours = tagsOf('prod', metadata);

  it.each([
    { why: 'its own tags', tags: ours, kind: 'ours' },
    {
      why: 'the uid is advisory, so that a rebuilt cluster finds what it made',
      tags: { ...ours, 'sluice.dev/uid': 'old' },
      kind: 'ours',
    },
    { why: 'another cluster', tags: { ...ours, 'sluice.dev/cluster': 'dev' }, kind: 'foreign' },
    { why: 'another namespace', tags: { ...ours, 'sluice.dev/namespace': 'billing' }, kind: 'foreign' },
    { why: 'another name', tags: { ...ours, 'sluice.dev/name': 'invoices' }, kind: 'foreign' },
    { why: 'some of the tags are not enough', tags: { 'sluice.dev/cluster': 'prod' }, kind: 'foreign' },
    {
      why: 'tags of other things',
      tags: { team: 'a', 'sluice.dev/uid': metadata.uid ?? '' },
      kind: 'nobody',
    },
    { why: 'no tags', tags: {}, kind: 'nobody' },
  ])('$kind: $why', ({ tags, kind }) => {
    expect(ownershipOf(tags, 'prod', metadata).kind).toBe(kind);
  });
});
