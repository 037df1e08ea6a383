import { describe, expect, it } from 'vitest';
import type { EventSourceMapping, EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import { policiesOf, type Policies } from '../../../src/iam/policies.ts';
import { documentOf } from '../../../src/iam/policy.ts';
import { allows } from '../../support/iam-policy.ts';

const place = 'eu-west-1:123456789012';
const mapping = (spec: Partial<EventSourceMappingSpec>, name = 'm'): EventSourceMapping => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'EventSourceMapping',
  metadata: { name, namespace: 'shop' },
  spec: { mode: 'Managed', functionName: 'f', ...spec },
});
const make = (
  mappings: readonly EventSourceMapping[],
  options: { region?: string; accountID?: string } = {},
): Policies => policiesOf(mappings, { place: options, clusterID: 'prod' });
/** `action resource` of every pair that a policy names. */
const pairs = (policies: Policies, kind: string): string[] =>
  policies.policies
    .filter(({ owner }) => owner.kind === kind)
    .flatMap(({ statements }) => statements)
    .flatMap(({ Action, Resource }) =>
      Action.flatMap((action) => Resource.map((resource) => `${action} ${resource}`)),
    )
    .toSorted();

const ec2 = [
  'ec2:CreateNetworkInterface *',
  'ec2:DeleteNetworkInterface *',
  'ec2:DescribeNetworkInterfaces *',
  'ec2:DescribeSecurityGroups *',
  'ec2:DescribeSubnets *',
  'ec2:DescribeVpcs *',
];
const secret = `arn:aws:secretsmanager:${place}:secret:s`;
const login = { sourceAccessConfigurations: [{ type: 'BASIC_AUTH', uri: secret }] };
const kinesis = (stream: string): string[] => [
  `kinesis:DescribeStream ${stream}`,
  `kinesis:DescribeStreamSummary ${stream}`,
  `kinesis:GetRecords ${stream}`,
  `kinesis:GetShardIterator ${stream}`,
  `kinesis:ListShards ${stream}`,
];
const cluster = `arn:aws:kafka:${place}:cluster/c/1`;

describe('the role of a function needs', () => {
  it.each<{ why: string; spec: Partial<EventSourceMappingSpec>; wanted: readonly string[] }>([
    {
      why: 'a queue',
      spec: { eventSourceARN: `arn:aws:sqs:${place}:q` },
      wanted: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'].map(
        (one) => `${one} arn:aws:sqs:${place}:q`,
      ),
    },
    {
      why: 'a stream with a destination',
      spec: {
        eventSourceARN: `arn:aws:kinesis:${place}:stream/s`,
        destinationConfig: { onFailure: { destination: `arn:aws:sns:${place}:t` } },
      },
      wanted: [...kinesis(`arn:aws:kinesis:${place}:stream/s`), `sns:Publish arn:aws:sns:${place}:t`],
    },
    {
      why: 'a consumer of a stream',
      spec: { eventSourceARN: `arn:aws:kinesis:${place}:stream/s/consumer/c:1` },
      wanted: [
        ...kinesis(`arn:aws:kinesis:${place}:stream/s`),
        `kinesis:SubscribeToShard arn:aws:kinesis:${place}:stream/s/consumer/c:1`,
      ],
    },
    {
      why: 'a stream of a table',
      spec: {
        eventSourceARN: `arn:aws:dynamodb:${place}:table/t/stream/2024`,
        destinationConfig: { onFailure: { destination: 'arn:aws:s3:::b' } },
      },
      wanted: [
        ...['DescribeStream', 'GetRecords', 'GetShardIterator'].map(
          (one) => `dynamodb:${one} arn:aws:dynamodb:${place}:table/t/stream/2024`,
        ),
        'dynamodb:ListStreams *',
        's3:PutObject arn:aws:s3:::b/*',
        's3:ListBucket arn:aws:s3:::b',
      ],
    },
    {
      why: 'MSK by IAM, with a topic as destination',
      spec: {
        eventSourceARN: cluster,
        topics: ['t1'],
        amazonManagedKafkaEventSourceConfig: { consumerGroupID: 'g' },
        destinationConfig: { onFailure: { destination: 'kafka://dead' } },
      },
      wanted: [
        ...['DescribeCluster', 'DescribeClusterV2', 'GetBootstrapBrokers'].map(
          (one) => `kafka:${one} ${cluster}`,
        ),
        ...ec2,
        `kafka-cluster:Connect ${cluster}`,
        `kafka-cluster:DescribeClusterDynamicConfiguration ${cluster}`,
        `kafka-cluster:DescribeTopic arn:aws:kafka:${place}:topic/c/1/t1`,
        `kafka-cluster:ReadData arn:aws:kafka:${place}:topic/c/1/t1`,
        `kafka-cluster:AlterGroup arn:aws:kafka:${place}:group/c/1/g`,
        `kafka-cluster:DescribeGroup arn:aws:kafka:${place}:group/c/1/g`,
        `kafka-cluster:DescribeTopic arn:aws:kafka:${place}:topic/c/1/dead`,
        `kafka-cluster:WriteData arn:aws:kafka:${place}:topic/c/1/dead`,
      ],
    },
    {
      why: 'MSK by a secret, with a registry of Glue',
      spec: {
        eventSourceARN: cluster,
        topics: ['t1'],
        ...login,
        amazonManagedKafkaEventSourceConfig: {
          schemaRegistryConfig: { schemaRegistryURI: `arn:aws:glue:${place}:registry/r` },
        },
      },
      wanted: [
        ...['DescribeCluster', 'DescribeClusterV2', 'GetBootstrapBrokers'].map(
          (one) => `kafka:${one} ${cluster}`,
        ),
        ...ec2,
        `secretsmanager:GetSecretValue ${secret}`,
        `glue:GetRegistry arn:aws:glue:${place}:registry/r`,
        `glue:GetSchemaVersion arn:aws:glue:${place}:registry/r`,
        `glue:GetSchemaVersion arn:aws:glue:${place}:schema/r/*`,
      ],
    },
    {
      why: 'Kafka on the Internet',
      spec: {
        selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:9092'] } },
        topics: ['t1'],
        ...login,
      },
      wanted: [`secretsmanager:GetSecretValue ${secret}`],
    },
    {
      why: 'Kafka in a VPC',
      spec: {
        selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:9092'] } },
        topics: ['t1'],
        sourceAccessConfigurations: [
          { type: 'VPC_SUBNET', uri: 'subnet:s' },
          { type: 'VPC_SECURITY_GROUP', uri: 'security_group:g' },
        ],
      },
      wanted: ec2,
    },
    {
      why: 'a broker of MQ',
      spec: { eventSourceARN: `arn:aws:mq:${place}:broker:b:1`, queues: ['q'], ...login },
      wanted: [
        `mq:DescribeBroker arn:aws:mq:${place}:broker:b:1`,
        ...ec2,
        `secretsmanager:GetSecretValue ${secret}`,
      ],
    },
    {
      why: 'a cluster of DocumentDB',
      spec: {
        eventSourceARN: `arn:aws:rds:${place}:cluster:c`,
        documentDBEventSourceConfig: { databaseName: 'd' },
        ...login,
      },
      wanted: [
        `rds:DescribeDBClusters arn:aws:rds:${place}:cluster:c`,
        ...['cluster-pg:*', 'subgrp:*'].flatMap((one) => [
          `rds:DescribeDBClusterParameters arn:aws:rds:${place}:${one}`,
          `rds:DescribeDBSubnetGroups arn:aws:rds:${place}:${one}`,
        ]),
        ...ec2,
        `secretsmanager:GetSecretValue ${secret}`,
      ],
    },
  ])('for $why', ({ spec, wanted }) => {
    expect(
      pairs(make([mapping(spec)], { region: 'eu-west-1', accountID: '123456789012' }), 'function'),
    ).toEqual([...wanted].toSorted());
  });

  it('one policy for all mappings of a function, whatever the alias, with one statement for each kind', () => {
    const queues = ['b', 'a'].map((name) =>
      mapping({ eventSourceARN: `arn:aws:sqs:${place}:${name}`, functionName: `f:${name}` }, name),
    );
    const { policies } = make([
      ...queues,
      mapping({ eventSourceARN: `arn:aws:sqs:${place}:c`, functionName: 'g' }),
    ]);
    const own = policies.filter(({ owner }) => owner.kind === 'function');
    expect(own.map(({ owner, statements }) => [owner, statements.length, statements[0]?.Resource])).toEqual([
      [{ kind: 'function', name: 'f' }, 1, [`arn:aws:sqs:${place}:a`, `arn:aws:sqs:${place}:b`]],
      [{ kind: 'function', name: 'g' }, 1, [`arn:aws:sqs:${place}:c`]],
    ]);
  });
});

describe('the pollers need', () => {
  const polled: Partial<EventSourceMappingSpec> = {
    mode: 'Poller',
    eventSourceARN: `arn:aws:sqs:${place}:q`,
  };

  it('the queue, and the function where that is the target', () => {
    const [document] = make([mapping(polled)]).policies.map(documentOf);
    if (document === undefined) throw new Error('no policy');
    const arn = `arn:aws:lambda:${place}:function:f`;
    expect(allows(document, { action: 'lambda:InvokeFunction', resource: arn })).toBe(true);
    expect(allows(document, { action: 'lambda:InvokeFunction', resource: `${arn}:live` })).toBe(false);
    expect(allows(document, { action: 'sqs:DeleteMessage', resource: `arn:aws:sqs:${place}:q` })).toBe(true);
    expect(allows(document, { action: 'sqs:SendMessage', resource: `arn:aws:sqs:${place}:q` })).toBe(false);
  });

  it('no function where the target is an HTTP service', () => {
    const http = { ...polled, poller: { target: { http: { service: { name: 's', port: 80 } } } } };
    expect(pairs(make([mapping(http)]), 'poller').filter((pair) => pair.startsWith('lambda:'))).toEqual([
      'lambda:ListEventSourceMappings *',
    ]);
  });

  it('nothing for a source that this version does not poll, which is told', () => {
    const { policies, notes } = make([
      mapping({ mode: 'Poller', eventSourceARN: `arn:aws:kinesis:${place}:stream/s` }),
    ]);
    expect(policies).toEqual([]);
    expect(notes).toEqual([
      'shop/m: Poller mode of this version reads queues only, so there is no policy for its source',
    ]);
  });
});

describe('what a manifest leaves open', () => {
  const partial = mapping({ eventSourceARN: 'arn:aws:sqs:::q' });

  it('is a wildcard, and told', () => {
    const policies = make([partial]);
    expect(pairs(policies, 'function')[0]).toBe('sqs:DeleteMessage arn:aws:sqs:*:*:q');
    expect(policies.notes.at(-1)).toMatch(
      /^wildcards stand for .*arn:aws:sqs:\*:\*:q.*--region and --account-id$/,
    );
  });

  it('is what the options say, and the mapping itself before them', () => {
    const options = { region: 'eu-west-1', accountID: '123456789012' };
    const { notes } = make([partial], options);
    expect(notes.join()).not.toMatch(/wildcards/);
    const placed = mapping({
      eventSourceARN: 'arn:aws:sqs:::q',
      aws: { region: 'us-east-1', accountID: '210987654321' },
    });
    expect(pairs(make([placed], options), 'function')[0]).toBe(
      'sqs:DeleteMessage arn:aws:sqs:us-east-1:210987654321:q',
    );
  });

  it('follows the function into another account than the queue’s', () => {
    const spec = {
      eventSourceARN: `arn:aws:sqs:${place}:q`,
      functionName: 'arn:aws:lambda:eu-west-1:210987654321:function:f',
    };
    expect(pairs(make([mapping(spec)]), 'controller')).toContain(
      'lambda:GetEventSourceMapping arn:aws:lambda:eu-west-1:210987654321:event-source-mapping:*',
    );
  });
});

describe('notes tell', () => {
  it.each<{ spec: Partial<EventSourceMappingSpec>; note: RegExp }>([
    { spec: { eventSourceARN: `arn:aws:sqs:${place}:q` }, note: /customer managed key.*kms:Decrypt/ },
    {
      spec: { eventSourceARN: `arn:aws:sqs:${place}:q`, kmsKeyARN: `arn:aws:kms:${place}:key/k` },
      note: /service principal of Lambda/,
    },
    {
      spec: { eventSourceARN: `arn:aws:mq:${place}:broker:b:1`, ...login },
      note: /secrets with a customer managed key/,
    },
    { spec: { eventSourceARN: `arn:aws:new:${place}:x` }, note: /source is not known/ },
    {
      spec: {
        eventSourceARN: `arn:aws:sqs:${place}:q`,
        aws: { roleARN: 'arn:aws:iam::123456789012:role/tenant' },
      },
      note: /used as arn:aws:iam::123456789012:role\/tenant: .*sts:AssumeRole/,
    },
  ])('$note', ({ spec, note }) => {
    expect(make([mapping(spec)]).notes.join('\n')).toMatch(note);
  });

  it('when a policy is longer than IAM takes', () => {
    const many = Array.from({ length: 200 }, (_, index) =>
      mapping({ eventSourceARN: `arn:aws:sqs:${place}:queue-${index}` }),
    );
    expect(make(many).notes.join('\n')).toMatch(/f-sources has \d+ characters, and IAM takes 6144/);
  });
});
