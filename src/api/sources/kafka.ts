/** Rules of Kafka sources: MSK (`kafka` ARNs) and self-managed clusters (AWS: with-kafka, with-msk). */
import type { EventSourceMappingSpec } from '../mapping.ts';
import { hasSource, notFor, requiredFor, sourceIs, specRule, type Rule } from '../rule.ts';

const shareGroup =
  "has(self.selfManagedKafkaEventSourceConfig) && has(self.selfManagedKafkaEventSourceConfig.consumptionMode) && self.selfManagedKafkaEventSourceConfig.consumptionMode == 'Queue'";
const isShareGroup = (spec: EventSourceMappingSpec): boolean =>
  spec.selfManagedKafkaEventSourceConfig?.consumptionMode === 'Queue';

/** A field that a Kafka share group does not know. */
function notForShareGroup(field: 'startingPosition' | 'maximumBatchingWindowInSeconds'): Rule {
  return specRule({
    name: `${field} not for a share group`,
    fieldPath: `.${field}`,
    cel: `!has(self.${field}) || !(${shareGroup})`,
    message: `\`${field}\` must not be set when \`selfManagedKafkaEventSourceConfig.consumptionMode\` is Queue`,
    reason: 'FieldValueForbidden',
    holds: (spec) => spec[field] === undefined || !isShareGroup(spec),
  });
}

export const kafkaRules: readonly Rule[] = [
  notFor('topics', ['sqs', 'kinesis', 'dynamodb', 'mq', 'rds']),
  requiredFor('topics', ['kafka', 'self']),
  notFor('amazonManagedKafkaEventSourceConfig', ['sqs', 'kinesis', 'dynamodb', 'mq', 'rds', 'self']),
  notFor('selfManagedKafkaEventSourceConfig', ['sqs', 'kinesis', 'dynamodb', 'kafka', 'mq', 'rds']),
  notFor('provisionedPollerConfig', ['kinesis', 'dynamodb', 'mq', 'rds']),
  notFor('loggingConfig', ['sqs', 'kinesis', 'dynamodb', 'mq', 'rds']),
  notForShareGroup('startingPosition'),
  notForShareGroup('maximumBatchingWindowInSeconds'),
  specRule({
    name: 'retries of a share group have an end',
    fieldPath: '.maximumRetryAttempts',
    cel: `!has(self.maximumRetryAttempts) || self.maximumRetryAttempts >= 0 || !(${shareGroup})`,
    message:
      '`maximumRetryAttempts` must be at least 0 when `selfManagedKafkaEventSourceConfig.consumptionMode` is Queue',
    holds: (spec) => (spec.maximumRetryAttempts ?? 0) >= 0 || !isShareGroup(spec),
  }),
  specRule({
    name: 'provisioned mode has a number of pollers',
    fieldPath: '.provisionedPollerConfig',
    cel: '!has(self.provisionedPollerConfig) || has(self.provisionedPollerConfig.minimumPollers) || has(self.provisionedPollerConfig.maximumPollers)',
    message: '`provisionedPollerConfig` must hold `minimumPollers` or `maximumPollers`',
    holds: ({ provisionedPollerConfig: config }) =>
      config === undefined || config.minimumPollers !== undefined || config.maximumPollers !== undefined,
  }),
  specRule({
    name: 'minimum pollers not above maximum pollers',
    fieldPath: '.provisionedPollerConfig.maximumPollers',
    cel: '!has(self.provisionedPollerConfig) || !has(self.provisionedPollerConfig.minimumPollers) || !has(self.provisionedPollerConfig.maximumPollers) || self.provisionedPollerConfig.minimumPollers <= self.provisionedPollerConfig.maximumPollers',
    message: '`provisionedPollerConfig.maximumPollers` must be at least `minimumPollers`',
    holds: ({ provisionedPollerConfig: config }) =>
      config?.minimumPollers === undefined ||
      config.maximumPollers === undefined ||
      config.minimumPollers <= config.maximumPollers,
  }),
  specRule({
    name: 'poller groups only for Kafka',
    fieldPath: '.provisionedPollerConfig.pollerGroupName',
    cel: `!has(self.provisionedPollerConfig) || !has(self.provisionedPollerConfig.pollerGroupName) || self.provisionedPollerConfig.pollerGroupName == '' || !${sourceIs('sqs')}`,
    message: '`provisionedPollerConfig.pollerGroupName` must be set only for Kafka',
    reason: 'FieldValueForbidden',
    holds: (spec) => (spec.provisionedPollerConfig?.pollerGroupName ?? '') === '' || !hasSource(spec, 'sqs'),
  }),
  specRule({
    name: 'a Kafka destination only for a Kafka source',
    fieldPath: '.destinationConfig.onFailure.destination',
    cel: `!has(self.destinationConfig) || !has(self.destinationConfig.onFailure) || !has(self.destinationConfig.onFailure.destination) || !self.destinationConfig.onFailure.destination.startsWith('kafka://') || !${sourceIs('kinesis', 'dynamodb')}`,
    message:
      '`destinationConfig.onFailure.destination` must be a queue, topic or bucket ARN; `kafka://` is for Kafka sources',
    holds: (spec) =>
      spec.destinationConfig?.onFailure?.destination?.startsWith('kafka://') !== true ||
      !hasSource(spec, 'kinesis', 'dynamodb'),
  }),
];
