/** Rules of SQS sources, standard and FIFO (AWS: services-sqs-parameters). */
import { hasSource, notFor, sourceIs, specRule, type Rule } from '../rule.ts';

const fifo = `${sourceIs('sqs')} && self.eventSourceARN.endsWith('.fifo')`;
const isFifo = (arn: string | undefined): boolean => arn !== undefined && arn.endsWith('.fifo');

export const sqsRules: readonly Rule[] = [
  specRule({
    name: 'FIFO batch of at most 10',
    fieldPath: '.batchSize',
    cel: `!has(self.batchSize) || self.batchSize <= 10 || !(${fifo})`,
    message: '`batchSize` must be between 1 and 10 for a FIFO queue',
    holds: (spec) => (spec.batchSize ?? 1) <= 10 || !(hasSource(spec, 'sqs') && isFifo(spec.eventSourceARN)),
  }),
  specRule({
    name: 'FIFO has no window',
    fieldPath: '.maximumBatchingWindowInSeconds',
    cel: `!has(self.maximumBatchingWindowInSeconds) || self.maximumBatchingWindowInSeconds == 0 || !(${fifo})`,
    message: '`maximumBatchingWindowInSeconds` must be absent or 0 for a FIFO queue',
    holds: (spec) =>
      (spec.maximumBatchingWindowInSeconds ?? 0) === 0 ||
      !(hasSource(spec, 'sqs') && isFifo(spec.eventSourceARN)),
  }),
  specRule({
    name: 'SQS batch above 10 needs a window',
    fieldPath: '.maximumBatchingWindowInSeconds',
    cel: `!has(self.batchSize) || self.batchSize <= 10 || (has(self.maximumBatchingWindowInSeconds) && self.maximumBatchingWindowInSeconds > 0) || !(${sourceIs('sqs')}) || self.eventSourceARN.endsWith('.fifo')`,
    message:
      '`maximumBatchingWindowInSeconds` must be at least 1 when `batchSize` is above 10 for an SQS queue',
    holds: (spec) =>
      (spec.batchSize ?? 1) <= 10 ||
      (spec.maximumBatchingWindowInSeconds ?? 0) > 0 ||
      !hasSource(spec, 'sqs') ||
      isFifo(spec.eventSourceARN),
  }),
  notFor('scalingConfig', ['kinesis', 'dynamodb', 'kafka', 'mq', 'rds', 'self']),
  specRule({
    name: 'maximum concurrency excludes provisioned mode',
    fieldPath: '.scalingConfig.maximumConcurrency',
    cel: '!has(self.scalingConfig) || !has(self.scalingConfig.maximumConcurrency) || !has(self.provisionedPollerConfig)',
    message:
      '`scalingConfig.maximumConcurrency` must not be set together with `provisionedPollerConfig`; use `provisionedPollerConfig.maximumPollers`',
    reason: 'FieldValueForbidden',
    holds: (spec) =>
      spec.scalingConfig?.maximumConcurrency === undefined || spec.provisionedPollerConfig === undefined,
  }),
  specRule({
    name: 'SQS has at least 2 minimum pollers',
    fieldPath: '.provisionedPollerConfig.minimumPollers',
    cel: `!has(self.provisionedPollerConfig) || !has(self.provisionedPollerConfig.minimumPollers) || self.provisionedPollerConfig.minimumPollers >= 2 || !${sourceIs('sqs')}`,
    message: '`provisionedPollerConfig.minimumPollers` must be at least 2 for SQS',
    holds: (spec) => (spec.provisionedPollerConfig?.minimumPollers ?? 2) >= 2 || !hasSource(spec, 'sqs'),
  }),
  specRule({
    name: 'SQS has at least 2 maximum pollers',
    fieldPath: '.provisionedPollerConfig.maximumPollers',
    cel: `!has(self.provisionedPollerConfig) || !has(self.provisionedPollerConfig.maximumPollers) || self.provisionedPollerConfig.maximumPollers >= 2 || !${sourceIs('sqs')}`,
    message: '`provisionedPollerConfig.maximumPollers` must be at least 2 for SQS',
    holds: (spec) => (spec.provisionedPollerConfig?.maximumPollers ?? 2) >= 2 || !hasSource(spec, 'sqs'),
  }),
];
