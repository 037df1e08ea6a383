/**
 * Valid objects that together hold every field of every kind: what the cases change in one place each.
 */
import { apiVersion } from '../../../src/api/meta.ts';

export type Json = { readonly [key: string]: unknown };

const arn = (service: string, resource: string) => `arn:aws:${service}:eu-west-1:000000000000:${resource}`;
const secret = arn('secretsmanager', 'secret:login');

const mapping = (spec: Json, status?: Json): Json => ({
  apiVersion,
  kind: 'EventSourceMapping',
  metadata: { name: 'orders', namespace: 'default' },
  spec,
  ...(status === undefined ? {} : { status }),
});

const health = { status: 'True', reason: 'ReadSucceeded', message: 'm' };

const schemaRegistryConfig = {
  schemaRegistryURI: 'https://registry.example.com',
  eventRecordFormat: 'JSON',
  accessConfigs: [{ type: 'BASIC_AUTH', uri: secret }],
  schemaValidationConfigs: [{ attribute: 'KEY' }],
};

export const bases = {
  service: mapping({
    mode: 'Poller',
    handoverTo: 'Poller',
    className: 'standard',
    poller: {
      target: {
        http: {
          service: { name: 'consumer', port: 443, path: '/orders', scheme: 'https' },
          timeoutSeconds: 30,
          format: 'Lambda',
          headers: {
            'X-Team': { value: 'orders' },
            'X-Key': { valueFrom: { secretKeyRef: { name: 'keys', key: 'orders' } } },
          },
          tls: {
            caSecretRef: { name: 'authority', key: 'ca.crt' },
            clientCertSecretRef: { name: 'client' },
            serverName: 'consumer.example.com',
          },
        },
      },
      unmatched: 'Delete',
      maximumHoldSeconds: 900,
      rateLimit: { batchesPerSecond: 10, recordsPerSecond: 100 },
      checkpoint: { name: 'cluster/shop/orders' },
    },
    aws: {
      region: 'eu-west-1',
      accountID: '000000000000',
      roleARN: 'arn:aws:iam::000000000000:role/orders',
      serviceAccountName: 'orders',
    },
    additionalParameters: { NewThing: { Depth: 1 } },
    managementPolicy: 'Full',
    adoptionPolicy: 'Never',
    deletionPolicy: 'Delete',
    replacementPolicy: 'Never',
    eventSourceARN: 'arn:aws:sqs:::orders',
    functionName: 'orders',
    enabled: true,
    tags: { team: 'orders' },
    batchSize: 10,
    maximumBatchingWindowInSeconds: 0,
    functionResponseTypes: ['ReportBatchItemFailures'],
    filterCriteria: { filters: [{ pattern: '{"body":{"kind":["order"]}}' }] },
    kmsKeyARN: arn('kms', 'key/one'),
    scalingConfig: { maximumConcurrency: 5 },
    metricsConfig: { metrics: ['EventCount'] },
  }),
  url: mapping({
    mode: 'Poller',
    eventSourceARN: arn('sqs', 'orders'),
    poller: { target: { http: { url: 'https://example.com/orders' } } },
  }),
  fifo: mapping({
    mode: 'Managed',
    eventSourceARN: arn('sqs', 'orders.fifo'),
    functionName: 'orders',
    batchSize: 10,
  }),
  kinesis: mapping({
    mode: 'Managed',
    eventSourceARN: arn('kinesis', 'stream/orders'),
    functionName: 'orders',
    batchSize: 100,
    maximumBatchingWindowInSeconds: 0,
    parallelizationFactor: 1,
    tumblingWindowInSeconds: 0,
    startingPosition: 'AT_TIMESTAMP',
    startingPositionTimestamp: '2026-01-31T12:00:00Z',
    maximumRetryAttempts: 3,
    maximumRecordAgeInSeconds: 60,
    bisectBatchOnFunctionError: true,
    destinationConfig: { onFailure: { destination: arn('sqs', 'failures') } },
  }),
  dynamodb: mapping({
    mode: 'Managed',
    eventSourceARN: arn('dynamodb', 'table/orders/stream/2026-01-31T12:00:00.000'),
    functionName: 'orders',
    startingPosition: 'LATEST',
  }),
  msk: mapping({
    mode: 'Managed',
    eventSourceARN: arn('kafka', 'cluster/orders/uuid'),
    functionName: 'orders',
    topics: ['orders'],
    sourceAccessConfigurations: [{ type: 'SASL_SCRAM_512_AUTH', uri: secret }],
    amazonManagedKafkaEventSourceConfig: { consumerGroupID: 'orders', schemaRegistryConfig },
    provisionedPollerConfig: { minimumPollers: 1, maximumPollers: 5, pollerGroupName: 'group' },
    loggingConfig: { systemLogLevel: 'INFO' },
  }),
  kafka: mapping({
    mode: 'Managed',
    selfManagedEventSource: { endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['broker:9092'] } },
    functionName: 'orders',
    topics: ['orders'],
    selfManagedKafkaEventSourceConfig: {
      consumerGroupID: 'orders',
      schemaRegistryConfig,
      consumptionMode: 'Stream',
    },
  }),
  mq: mapping({
    mode: 'Managed',
    eventSourceARN: arn('mq', 'broker:orders:b-1'),
    functionName: 'orders',
    queues: ['orders'],
    sourceAccessConfigurations: [{ type: 'BASIC_AUTH', uri: secret }],
  }),
  docdb: mapping({
    mode: 'Managed',
    eventSourceARN: arn('rds', 'cluster:orders'),
    functionName: 'orders',
    documentDBEventSourceConfig: { databaseName: 'shop', collectionName: 'orders', fullDocument: 'Default' },
    sourceAccessConfigurations: [{ type: 'BASIC_AUTH', uri: secret }],
  }),
  status: mapping(
    { mode: 'Managed', eventSourceARN: arn('sqs', 'orders'), functionName: 'orders' },
    {
      observedGeneration: 1,
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          observedGeneration: 1,
          lastTransitionTime: '2026-01-31T12:00:00Z',
          reason: 'Serving',
          message: 'm',
        },
      ],
      state: 'Enabled',
      source: 'sqs:orders',
      target: 'lambda:orders',
      className: 'standard',
      effective: { values: { batchSize: 10 }, origins: { batchSize: 'default' } },
      mapping: {
        uuid: 'uuid',
        arn: 'arn',
        functionARN: 'arn',
        state: 'Enabled',
        stateTransitionReason: 'USER_INITIATED',
        lastProcessingResult: 'OK',
        lastModified: '2026-01-31T12:00:00Z',
        adopted: false,
        tagKeys: ['team'],
        filterCriteriaError: { errorCode: 'KMSException', message: 'm' },
      },
      poller: { pool: 'default', members: [{ name: 'member', state: 'Running' }] },
      callerARN: 'arn:aws:sts::000000000000:assumed-role/sluice/prod@shop',
      lastHandledReconcileAt: 'now',
    },
  ),
  class: {
    apiVersion,
    kind: 'MappingClass',
    metadata: { name: 'standard' },
    spec: {
      namespaces: ['shop'],
      modes: ['Poller'],
      pool: 'default',
      aws: {
        region: 'eu-west-1',
        accountID: '000000000000',
        identity: 'Role',
        roleARN: 'arn:aws:iam::000000000000:role/sluice-{namespace}',
      },
      sources: { allowedARNs: ['arn:aws:sqs:*:*:{namespace}-*'] },
      targets: { allowedURLs: ['https://example.com/*'] },
      destinations: { allowedARNs: ['arn:aws:sqs:*:*:failures'] },
      additionalParameters: { allowedNames: ['New*'] },
      quotas: { mappings: 10, concurrency: 10, bytesInFlight: 1_048_576 },
    },
  },
  selector: {
    apiVersion,
    kind: 'MappingClass',
    metadata: { name: 'labelled' },
    spec: {
      namespaceSelector: {
        matchLabels: { team: 'shop' },
        matchExpressions: [{ key: 'stage', operator: 'In', values: ['live'] }],
      },
    },
  },
  checkpoint: {
    apiVersion,
    kind: 'MappingCheckpoint',
    metadata: { name: 'orders', namespace: 'default' },
    checkpoint: {
      formatVersion: 1,
      name: 'cluster/shop/orders',
      source: arn('kinesis', 'stream/orders'),
      slot: 3,
      epoch: 7,
      owner: 'member',
      updatedAt: '2026-01-31T12:00:00Z',
      lanes: [{ lane: 'shardId-000000000000', position: '49', ended: false }],
    },
  },
  report: {
    apiVersion,
    kind: 'PollerReport',
    metadata: { name: 'member', namespace: 'default' },
    report: {
      formatVersion: 1,
      member: 'member',
      pool: 'default',
      version: '0.1.0',
      mappings: [
        {
          namespace: 'shop',
          name: 'orders',
          uid: 'uid',
          generation: 1,
          state: 'Running',
          reason: 'Serving',
          message: 'm',
          sourceHealthy: health,
          targetHealthy: health,
          warnings: [{ reason: 'VisibilityTimeoutTooShort', message: 'm' }],
          effective: { values: { batchSize: 10 }, origins: { batchSize: 'default' } },
          since: '2026-01-31T12:00:00Z',
        },
      ],
    },
  },
} as const satisfies Readonly<Record<string, Json>>;

export type BaseName = keyof typeof bases;
