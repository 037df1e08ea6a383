/**
 * Cases of every rule between fields, by the rule's name: edits of a base that keep the rule and edits that break it.
 */
import { kinds } from '../../../src/api/crd.ts';
import type { Rule } from '../../../src/api/rule.ts';
import { reservedHeaders } from '../../../src/api/rules.ts';
import { bases, type BaseName, type Json } from './bases.ts';
import { concretePath, put } from './edit.ts';
import type { SchemaCase } from './structure-cases.ts';

/** Values by dotted path; undefined removes. */
type Edits = Readonly<Record<string, unknown>>;
type Edited = readonly [BaseName, Edits];

interface RuleCase {
  readonly accept: readonly Edited[];
  readonly reject: readonly Edited[];
  /** The stored object of a transition rule. */
  readonly old?: Edited;
}

const http = 'spec.poller.target.http';
const destination = { onFailure: { destination: 'arn:aws:sqs:eu-west-1:000000000000:failures' } };
const login = { type: 'BASIC_AUTH', uri: 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:login' };
const docdb = { databaseName: 'shop' };
const registry = { consumerGroupID: 'orders' };
const queueMode = { 'spec.selfManagedKafkaEventSourceConfig.consumptionMode': 'Queue' };
const pollers = (minimumPollers?: number, maximumPollers?: number) => ({ minimumPollers, maximumPollers });

/** A field that is fine on some bases and forbidden on others. */
const only = (
  field: string,
  value: unknown,
  fine: readonly BaseName[],
  forbidden: readonly BaseName[],
): RuleCase => ({
  accept: fine.map((base) => [base, { [`spec.${field}`]: value }]),
  reject: forbidden.map((base) => [base, { [`spec.${field}`]: value }]),
});

const needed = (field: string, base: BaseName): RuleCase => ({
  accept: [[base, {}]],
  reject: [[base, { [`spec.${field}`]: undefined }]],
});

export const ruleCases: Readonly<Record<string, RuleCase>> = {
  // EventSourceMapping
  'one source': {
    accept: [
      ['url', {}],
      ['kafka', {}],
    ],
    reject: [
      ['url', { 'spec.eventSourceARN': undefined }],
      ['msk', { 'spec.selfManagedEventSource': { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['a:1'] } } }],
    ],
  },
  'a target': {
    accept: [
      ['url', {}],
      ['url', { 'spec.poller': undefined, 'spec.functionName': 'orders' }],
    ],
    reject: [
      ['url', { 'spec.mode': 'Managed' }],
      ['url', { 'spec.poller': undefined }],
      ['url', { 'spec.poller': {} }],
      ['url', { 'spec.poller.target': {} }],
    ],
  },
  'a change of mode is meant': {
    old: ['fifo', { 'spec.mode': 'Managed' }],
    accept: [
      ['fifo', { 'spec.batchSize': 5 }],
      ['fifo', { 'spec.mode': 'Poller', 'spec.handoverTo': 'Poller' }],
    ],
    reject: [
      ['fifo', { 'spec.mode': 'Poller' }],
      ['fifo', { 'spec.mode': 'Poller', 'spec.handoverTo': 'Managed' }],
    ],
  },
  'one Region': {
    accept: [
      ['url', { 'spec.aws': { region: 'eu-west-1' } }],
      ['url', { 'spec.aws': { region: 'us-east-1' }, 'spec.eventSourceARN': 'arn:aws:sqs:::orders' }],
    ],
    reject: [['url', { 'spec.aws': { region: 'us-east-1' } }]],
  },
  'free tag keys': {
    accept: [['url', { 'spec.tags': { [`a${'b'.repeat(127)}`]: '' } }]],
    reject: [
      ['url', { 'spec.tags': { 'aws:name': 'x' } }],
      ['url', { 'spec.tags': { 'sluice.dev/owner': 'x' } }],
      ['url', { 'spec.tags': { ['a'.repeat(129)]: 'x' } }],
      ['url', { 'spec.tags': { '': 'x' } }],
    ],
  },
  'service or URL': {
    accept: [
      ['url', {}],
      ['service', {}],
    ],
    reject: [
      ['url', { [`${http}.service`]: { name: 'consumer', port: 80 } }],
      ['url', { [`${http}.url`]: undefined }],
    ],
  },
  'TLS settings only for https': {
    accept: [
      ['service', {}],
      ['url', { [`${http}.tls`]: { serverName: 'a' } }],
    ],
    reject: [
      ['service', { [`${http}.service.scheme`]: undefined }],
      ['service', { [`${http}.service.scheme`]: 'http' }],
      ['url', { [`${http}.tls`]: { serverName: 'a' }, [`${http}.url`]: 'http://example.com' }],
    ],
  },
  'a port that exists': {
    accept: [1, 65535, 'http', 'a-1'].map((port): Edited => ['service', { [`${http}.service.port`]: port }]),
    reject: [0, 65536, -1, 'a.b', '', 'a'.repeat(16)].map((port): Edited => [
      'service',
      { [`${http}.service.port`]: port },
    ]),
  },
  'header names that are free': {
    accept: [
      ['url', { [`${http}.headers`]: { 'X-Team': { value: 'a' }, 'x_y.z~1': { value: 'b' } } }],
      ['url', { [`${http}.headers`]: { Authorization: { value: 'a' }, 'User-Agent': { value: 'b' } } }],
    ],
    reject: [...reservedHeaders, 'Host', 'X-Amzn-Trace-Id', 'a b', 'a:b', ''].map((name): Edited => [
      'url',
      { [`${http}.headers`]: { [name]: { value: 'a' } } },
    ]),
  },
  'a header value or its source': {
    accept: [['service', {}]],
    reject: [
      ['url', { [`${http}.headers`]: { 'X-A': {} } }],
      [
        'url',
        {
          [`${http}.headers`]: {
            'X-A': { value: 'a', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } },
          },
        },
      ],
    ],
  },

  // SQS
  'FIFO batch of at most 10': {
    accept: [
      ['fifo', { 'spec.batchSize': 10 }],
      ['kinesis', { 'spec.batchSize': 11 }],
    ],
    reject: [['fifo', { 'spec.batchSize': 11 }]],
  },
  'FIFO has no window': {
    accept: [
      ['fifo', { 'spec.maximumBatchingWindowInSeconds': 0 }],
      ['url', { 'spec.maximumBatchingWindowInSeconds': 1 }],
    ],
    reject: [['fifo', { 'spec.maximumBatchingWindowInSeconds': 1 }]],
  },
  'SQS batch above 10 needs a window': {
    accept: [
      ['url', { 'spec.batchSize': 11, 'spec.maximumBatchingWindowInSeconds': 1 }],
      ['url', { 'spec.batchSize': 10 }],
      ['kinesis', { 'spec.batchSize': 11, 'spec.maximumBatchingWindowInSeconds': undefined }],
    ],
    reject: [
      ['url', { 'spec.batchSize': 11 }],
      ['url', { 'spec.batchSize': 11, 'spec.maximumBatchingWindowInSeconds': 0 }],
      ['url', { 'spec.batchSize': 11, 'spec.maximumBatchingWindowInSeconds': null }],
    ],
  },
  'scalingConfig only for its sources': only(
    'scalingConfig',
    {},
    ['url', 'fifo'],
    ['kinesis', 'dynamodb', 'msk', 'kafka', 'mq', 'docdb'],
  ),
  'maximum concurrency excludes provisioned mode': {
    accept: [['url', { 'spec.scalingConfig': {}, 'spec.provisionedPollerConfig': pollers(2) }]],
    reject: [
      [
        'url',
        { 'spec.scalingConfig': { maximumConcurrency: 2 }, 'spec.provisionedPollerConfig': pollers(2) },
      ],
    ],
  },
  'SQS has at least 2 minimum pollers': {
    accept: [
      ['url', { 'spec.provisionedPollerConfig': pollers(2) }],
      ['kafka', { 'spec.provisionedPollerConfig': pollers(1) }],
    ],
    reject: [['url', { 'spec.provisionedPollerConfig': pollers(1) }]],
  },
  'SQS has at least 2 maximum pollers': {
    accept: [
      ['url', { 'spec.provisionedPollerConfig': pollers(undefined, 2) }],
      ['kafka', { 'spec.provisionedPollerConfig': pollers(undefined, 1) }],
    ],
    reject: [['url', { 'spec.provisionedPollerConfig': pollers(undefined, 1) }]],
  },

  // Streams
  'parallelizationFactor only for its sources': only(
    'parallelizationFactor',
    2,
    ['kinesis', 'dynamodb'],
    ['url', 'fifo', 'msk', 'kafka', 'mq', 'docdb'],
  ),
  'tumblingWindowInSeconds only for its sources': only(
    'tumblingWindowInSeconds',
    0,
    ['kinesis', 'dynamodb'],
    ['url', 'msk', 'kafka', 'mq', 'docdb'],
  ),
  'maximumRetryAttempts only for its sources': only(
    'maximumRetryAttempts',
    0,
    ['kinesis', 'dynamodb', 'msk', 'kafka'],
    ['url', 'mq', 'docdb'],
  ),
  'maximumRecordAgeInSeconds only for its sources': only(
    'maximumRecordAgeInSeconds',
    -1,
    ['kinesis', 'msk', 'kafka'],
    ['url', 'mq', 'docdb'],
  ),
  'bisectBatchOnFunctionError only for its sources': only(
    'bisectBatchOnFunctionError',
    false,
    ['kinesis', 'msk', 'kafka'],
    ['url', 'mq', 'docdb'],
  ),
  'destinationConfig only for its sources': only(
    'destinationConfig',
    destination,
    ['kinesis', 'dynamodb', 'msk', 'kafka'],
    ['url', 'fifo', 'mq', 'docdb'],
  ),
  'startingPosition only for its sources': only(
    'startingPosition',
    'LATEST',
    ['dynamodb', 'msk', 'kafka', 'docdb'],
    ['url', 'mq'],
  ),
  'startingPosition required by its sources': needed('startingPosition', 'dynamodb'),
  'a time stamp for AT_TIMESTAMP': needed('startingPositionTimestamp', 'kinesis'),
  'a time stamp only for AT_TIMESTAMP': {
    accept: [['kinesis', {}]],
    reject: [
      ['kinesis', { 'spec.startingPosition': 'LATEST' }],
      ['msk', { 'spec.startingPositionTimestamp': '2026-01-31T12:00:00Z' }],
    ],
  },
  'DynamoDB has no AT_TIMESTAMP': {
    accept: [['dynamodb', { 'spec.startingPosition': 'TRIM_HORIZON' }]],
    reject: [
      [
        'dynamodb',
        { 'spec.startingPosition': 'AT_TIMESTAMP', 'spec.startingPositionTimestamp': '2026-01-31T12:00:00Z' },
      ],
    ],
  },
  'a DynamoDB source is a stream': {
    accept: [['dynamodb', {}]],
    reject: [['dynamodb', { 'spec.eventSourceARN': 'arn:aws:dynamodb:eu-west-1:000000000000:table/orders' }]],
  },
  'a tumbling window excludes parallelization': {
    accept: [
      ['kinesis', { 'spec.tumblingWindowInSeconds': 1, 'spec.parallelizationFactor': 1 }],
      ['kinesis', { 'spec.tumblingWindowInSeconds': 0, 'spec.parallelizationFactor': 2 }],
    ],
    reject: [['kinesis', { 'spec.tumblingWindowInSeconds': 1, 'spec.parallelizationFactor': 2 }]],
  },
  'a tumbling window excludes filters': {
    accept: [['kinesis', { 'spec.tumblingWindowInSeconds': 1, 'spec.filterCriteria': { filters: [] } }]],
    reject: [
      [
        'kinesis',
        {
          'spec.tumblingWindowInSeconds': 1,
          'spec.filterCriteria': { filters: [{ pattern: '{"data":{"a":[1]}}' }] },
        },
      ],
    ],
  },
  'record age of a minute or without end': {
    accept: [-1, 60].map((age): Edited => ['kinesis', { 'spec.maximumRecordAgeInSeconds': age }]),
    reject: [0, 59].map((age): Edited => ['kinesis', { 'spec.maximumRecordAgeInSeconds': age }]),
  },

  // Kafka
  'topics only for its sources': only(
    'topics',
    ['orders'],
    ['msk', 'kafka'],
    ['url', 'kinesis', 'dynamodb', 'mq', 'docdb'],
  ),
  'topics required by its sources': {
    accept: [
      ['msk', {}],
      ['kafka', {}],
    ],
    reject: [
      ['msk', { 'spec.topics': undefined }],
      ['kafka', { 'spec.topics': undefined }],
    ],
  },
  'amazonManagedKafkaEventSourceConfig only for its sources': only(
    'amazonManagedKafkaEventSourceConfig',
    registry,
    ['msk'],
    ['url', 'kinesis', 'kafka', 'mq'],
  ),
  'selfManagedKafkaEventSourceConfig only for its sources': only(
    'selfManagedKafkaEventSourceConfig',
    registry,
    ['kafka'],
    ['url', 'kinesis', 'msk', 'mq'],
  ),
  'provisionedPollerConfig only for its sources': only(
    'provisionedPollerConfig',
    pollers(2),
    ['url', 'msk', 'kafka'],
    ['kinesis', 'dynamodb', 'mq', 'docdb'],
  ),
  'loggingConfig only for its sources': only(
    'loggingConfig',
    {},
    ['msk', 'kafka'],
    ['url', 'kinesis', 'mq', 'docdb'],
  ),
  'startingPosition not for a share group': {
    accept: [
      ['kafka', queueMode],
      ['kafka', { 'spec.startingPosition': 'LATEST' }],
    ],
    reject: [['kafka', { ...queueMode, 'spec.startingPosition': 'LATEST' }]],
  },
  'maximumBatchingWindowInSeconds not for a share group': {
    accept: [
      ['kafka', queueMode],
      ['kafka', { 'spec.maximumBatchingWindowInSeconds': 1 }],
    ],
    reject: [['kafka', { ...queueMode, 'spec.maximumBatchingWindowInSeconds': 1 }]],
  },
  'retries of a share group have an end': {
    accept: [
      ['kafka', { ...queueMode, 'spec.maximumRetryAttempts': 0 }],
      ['kafka', { 'spec.maximumRetryAttempts': -1 }],
    ],
    reject: [['kafka', { ...queueMode, 'spec.maximumRetryAttempts': -1 }]],
  },
  'provisioned mode has a number of pollers': {
    accept: [['msk', { 'spec.provisionedPollerConfig': pollers(undefined, 3) }]],
    reject: [['msk', { 'spec.provisionedPollerConfig': { pollerGroupName: 'group' } }]],
  },
  'minimum pollers not above maximum pollers': {
    accept: [['msk', { 'spec.provisionedPollerConfig': pollers(3, 3) }]],
    reject: [['msk', { 'spec.provisionedPollerConfig': pollers(4, 3) }]],
  },
  'poller groups only for Kafka': {
    accept: [
      ['msk', {}],
      ['url', { 'spec.provisionedPollerConfig': { minimumPollers: 2, pollerGroupName: '' } }],
    ],
    reject: [['url', { 'spec.provisionedPollerConfig': { minimumPollers: 2, pollerGroupName: 'group' } }]],
  },
  'a Kafka destination only for a Kafka source': {
    accept: [['msk', { 'spec.destinationConfig': { onFailure: { destination: 'kafka://failures' } } }]],
    reject: [['kinesis', { 'spec.destinationConfig.onFailure.destination': 'kafka://failures' }]],
  },

  // MQ, DocumentDB, access
  'queues only for its sources': only(
    'queues',
    ['orders'],
    ['mq'],
    ['url', 'kinesis', 'msk', 'kafka', 'docdb'],
  ),
  'queues required by its sources': needed('queues', 'mq'),
  'documentDBEventSourceConfig only for its sources': only(
    'documentDBEventSourceConfig',
    docdb,
    ['docdb'],
    ['url', 'kinesis', 'msk', 'kafka', 'mq'],
  ),
  'documentDBEventSourceConfig required by its sources': needed('documentDBEventSourceConfig', 'docdb'),
  'filterCriteria only for its sources': only(
    'filterCriteria',
    { filters: [] },
    ['url', 'kinesis', 'msk', 'kafka', 'mq'],
    ['docdb'],
  ),
  'kmsKeyARN only for its sources': only(
    'kmsKeyARN',
    '',
    ['url', 'kinesis', 'msk', 'kafka', 'mq'],
    ['docdb'],
  ),
  'functionResponseTypes only for its sources': only(
    'functionResponseTypes',
    [],
    ['url', 'kinesis', 'msk', 'kafka'],
    ['mq', 'docdb'],
  ),
  'metricsConfig only for its sources': only(
    'metricsConfig',
    {},
    ['url', 'kinesis', 'msk', 'kafka'],
    ['mq', 'docdb'],
  ),
  'sourceAccessConfigurations only for its sources': only(
    'sourceAccessConfigurations',
    [login],
    ['msk', 'kafka', 'mq', 'docdb'],
    ['url', 'kinesis', 'dynamodb'],
  ),
  'a login for MQ and DocumentDB': {
    accept: [
      ['mq', { 'spec.sourceAccessConfigurations': [login, { type: 'VIRTUAL_HOST', uri: '/' }] }],
      ['msk', { 'spec.sourceAccessConfigurations': [] }],
    ],
    reject: [
      ['mq', { 'spec.sourceAccessConfigurations': undefined }],
      ['mq', { 'spec.sourceAccessConfigurations': [login, login] }],
      ['docdb', { 'spec.sourceAccessConfigurations': [{ type: 'VIRTUAL_HOST', uri: '/' }] }],
    ],
  },
  'a collection of the user': {
    accept: [['docdb', { 'spec.documentDBEventSourceConfig.collectionName': 'systems' }]],
    reject: [['docdb', { 'spec.documentDBEventSourceConfig.collectionName': 'system.users' }]],
  },
  'a source access setting has a value': {
    accept: [['kafka', { 'spec.sourceAccessConfigurations': [{ type: 'IAM_AUTH' }] }]],
    reject: [['kafka', { 'spec.sourceAccessConfigurations': [{ type: 'BASIC_AUTH' }] }]],
  },

  // MappingClass
  'namespaces by list or by label': {
    accept: [
      ['class', {}],
      ['selector', {}],
      ['class', { 'spec.namespaces': undefined }],
    ],
    reject: [['class', { 'spec.namespaceSelector': {} }]],
  },
  'a role for identity Role': {
    accept: [
      ['class', {}],
      ['class', { 'spec.aws.roleARN': undefined, 'spec.aws.identity': undefined }],
    ],
    reject: [
      ['class', { 'spec.aws.roleARN': undefined }],
      ['class', { 'spec.aws.identity': 'Installation' }],
    ],
  },
  'values of In and NotIn': {
    accept: [
      ['selector', {}],
      ['selector', { 'spec.namespaceSelector.matchExpressions': [{ key: 'a', operator: 'Exists' }] }],
    ],
    reject: [
      [
        'selector',
        { 'spec.namespaceSelector.matchExpressions': [{ key: 'a', operator: 'NotIn', values: [] }] },
      ],
      [
        'selector',
        { 'spec.namespaceSelector.matchExpressions': [{ key: 'a', operator: 'Exists', values: ['b'] }] },
      ],
    ],
  },

  // MappingCheckpoint
  'an epoch never goes back': {
    old: ['checkpoint', { 'checkpoint.epoch': 7 }],
    accept: [
      ['checkpoint', { 'checkpoint.epoch': 7 }],
      ['checkpoint', { 'checkpoint.epoch': 8 }],
    ],
    reject: [['checkpoint', { 'checkpoint.epoch': 6 }]],
  },
};

/** Every rule with the kind that it belongs to. */
export function allRules(): readonly { readonly kind: string; readonly rule: Rule }[] {
  return kinds.flatMap((kind) => kind.rules.map((rule) => ({ kind: kind.name.kind, rule })));
}

/** The cases of a rule; the field is that of the first rejected object. */
export function ruleCase(kind: string, rule: Rule): SchemaCase {
  const cases = ruleCases[rule.name];
  if (cases === undefined) throw new Error(`test/support/schema/rule-cases.ts lacks the rule "${rule.name}"`);
  const reject = cases.reject.map(edited);
  const at = rule.at.split(/\.|(?=\[\])|(?=\{\})/);
  const field = (rule.fieldPath ?? '').split('.').filter((step) => step !== '');
  return {
    name: `${kind} rule: ${rule.name}`,
    kind,
    accept: cases.accept.map(edited),
    reject,
    field: [...(concretePath(reject[0], at) ?? at), ...field],
    ...(cases.old === undefined ? {} : { old: edited(cases.old) }),
  };
}

function edited([base, edits]: Edited): Json {
  return Object.entries(edits).reduce<Json>(
    (object, [path, value]) => put(object, path.split('.'), value),
    bases[base],
  );
}
