/**
 * What Lambda does in the name of a function to read the sources of its mappings, and to hand over what it gives up: the
 * least that the execution role must allow (AWS: the permissions of each source). Logging and what the code itself does
 * are not the mapping's. Pure.
 */
import { classifySource } from '../api/effective.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import type { PolicyArns } from './arns.ts';
import type { Statement } from './policy.ts';

/** The statements for one mapping in Managed mode. */
export function functionStatements(mapping: EventSourceMapping, arns: PolicyArns): readonly Statement[] {
  return [
    ...sourceStatements(mapping, arns),
    ...accessStatements(mapping, arns),
    ...registryStatements(mapping, arns),
    ...destinationStatements(mapping, arns),
  ];
}

function sourceStatements(mapping: EventSourceMapping, arns: PolicyArns): readonly Statement[] {
  const { spec } = mapping;
  const source = spec.eventSourceARN === undefined ? '' : arns.of(spec.eventSourceARN, mapping);
  switch (classifySource(spec)) {
    case 'sqs':
    case 'sqs-fifo':
      return [
        {
          Sid: 'ReadQueues',
          Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
          Resource: [source],
        },
      ];
    case 'kinesis':
      return [{ Sid: 'ReadStreams', Action: kinesisActions, Resource: [source] }];
    case 'kinesis-consumer':
      return [
        { Sid: 'ReadStreams', Action: kinesisActions, Resource: [source.replace(/\/consumer\/.*$/, '')] },
        { Sid: 'SubscribeToShards', Action: ['kinesis:SubscribeToShard'], Resource: [source] },
      ];
    case 'dynamodb':
      return [
        {
          Sid: 'ReadTableStreams',
          Action: ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'],
          Resource: [source],
        },
        // It knows no resources.
        { Sid: 'ListTableStreams', Action: ['dynamodb:ListStreams'], Resource: ['*'] },
      ];
    case 'msk':
      return [
        {
          Sid: 'FindBrokers',
          Action: ['kafka:DescribeCluster', 'kafka:DescribeClusterV2', 'kafka:GetBootstrapBrokers'],
          Resource: [source],
        },
        network,
        ...clusterStatements(mapping, source, arns),
      ];
    case 'kafka':
      return usesVpc(mapping) ? [network] : [];
    case 'mq':
      return [{ Sid: 'FindBrokers', Action: ['mq:DescribeBroker'], Resource: [source] }, network];
    case 'docdb':
      return [
        { Sid: 'FindClusters', Action: ['rds:DescribeDBClusters'], Resource: [source] },
        {
          Sid: 'FindClusterParts',
          Action: ['rds:DescribeDBClusterParameters', 'rds:DescribeDBSubnetGroups'],
          Resource: [arns.at(mapping, 'rds', 'cluster-pg:*'), arns.at(mapping, 'rds', 'subgrp:*')],
        },
        network,
      ];
    case 'unknown':
      return [];
  }
}

const kinesisActions = [
  'kinesis:DescribeStream',
  'kinesis:DescribeStreamSummary',
  'kinesis:GetRecords',
  'kinesis:GetShardIterator',
  'kinesis:ListShards',
];

/** Lambda reaches brokers and clusters from within their VPC. */
const network: Statement = {
  Sid: 'ReachTheVpc',
  Action: [
    'ec2:CreateNetworkInterface',
    'ec2:DeleteNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeSecurityGroups',
    'ec2:DescribeSubnets',
    'ec2:DescribeVpcs',
  ],
  Resource: ['*'],
};

/** Access that MSK itself controls, where no secret and no certificate is given. */
function clusterStatements(
  mapping: EventSourceMapping,
  cluster: string,
  arns: PolicyArns,
): readonly Statement[] {
  const { sourceAccessConfigurations: access = [], topics = [], destinationConfig } = mapping.spec;
  if (access.length > 0) return [];
  const group = mapping.spec.amazonManagedKafkaEventSourceConfig?.consumerGroupID ?? '*';
  const within = (kind: string, name: string): string =>
    `${cluster.replace(':cluster/', `:${kind}/`)}/${name}`;
  const target = destinationConfig?.onFailure?.destination ?? '';
  const failed = target.startsWith('kafka://') ? [within('topic', target.slice('kafka://'.length))] : [];
  return [
    {
      Sid: 'Connect',
      Action: ['kafka-cluster:Connect', 'kafka-cluster:DescribeClusterDynamicConfiguration'],
      Resource: [cluster],
    },
    {
      Sid: 'ReadTopics',
      Action: ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
      Resource: topics.map((topic) => within('topic', topic)),
    },
    {
      Sid: 'UseTheConsumerGroup',
      Action: ['kafka-cluster:AlterGroup', 'kafka-cluster:DescribeGroup'],
      Resource: [within('group', group)],
    },
    ...(failed.length === 0
      ? []
      : [
          {
            Sid: 'WriteToTopics',
            Action: ['kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData'],
            Resource: failed,
          },
        ]),
  ].map((statement) => ({
    ...statement,
    Resource: statement.Resource.map((text) => arns.of(text, mapping)),
  }));
}

function usesVpc({ spec }: EventSourceMapping): boolean {
  return (spec.sourceAccessConfigurations ?? []).some(({ type }) => type.startsWith('VPC_'));
}

/** Secrets of the logins. */
function accessStatements(mapping: EventSourceMapping, arns: PolicyArns): readonly Statement[] {
  const { spec } = mapping;
  const registries = [
    ...(spec.amazonManagedKafkaEventSourceConfig?.schemaRegistryConfig?.accessConfigs ?? []),
    ...(spec.selfManagedKafkaEventSourceConfig?.schemaRegistryConfig?.accessConfigs ?? []),
  ];
  const secrets = [...(spec.sourceAccessConfigurations ?? []), ...registries].flatMap(({ uri = '' }) =>
    uri.startsWith('arn:') ? [arns.of(uri, mapping)] : [],
  );
  if (secrets.length === 0) return [];
  return [{ Sid: 'ReadSecrets', Action: ['secretsmanager:GetSecretValue'], Resource: secrets }];
}

/** Registries of AWS Glue. */
function registryStatements(mapping: EventSourceMapping, arns: PolicyArns): readonly Statement[] {
  const { spec } = mapping;
  const uris = [
    spec.amazonManagedKafkaEventSourceConfig?.schemaRegistryConfig?.schemaRegistryURI,
    spec.selfManagedKafkaEventSourceConfig?.schemaRegistryConfig?.schemaRegistryURI,
  ].filter((uri) => uri?.startsWith('arn:') === true);
  return uris.flatMap((uri = '') => {
    const registry = arns.of(uri, mapping);
    const schemas = registry.replace(':registry/', ':schema/');
    return [
      { Sid: 'ReadSchemaRegistry', Action: ['glue:GetRegistry'], Resource: [registry] },
      { Sid: 'ReadSchemas', Action: ['glue:GetSchemaVersion'], Resource: [registry, `${schemas}/*`] },
    ];
  });
}

/** Where records go that are given up. */
function destinationStatements(mapping: EventSourceMapping, arns: PolicyArns): readonly Statement[] {
  const text = mapping.spec.destinationConfig?.onFailure?.destination ?? '';
  if (!text.startsWith('arn:')) return [];
  const destination = arns.of(text, mapping);
  switch (text.split(':')[2]) {
    case 'sqs':
      return [{ Sid: 'SendFailures', Action: ['sqs:SendMessage'], Resource: [destination] }];
    case 'sns':
      return [{ Sid: 'PublishFailures', Action: ['sns:Publish'], Resource: [destination] }];
    case 's3':
      return [
        { Sid: 'StoreFailures', Action: ['s3:PutObject'], Resource: [`${destination}/*`] },
        { Sid: 'FindBuckets', Action: ['s3:ListBucket'], Resource: [destination] },
      ];
    case undefined:
    default:
      return [];
  }
}
