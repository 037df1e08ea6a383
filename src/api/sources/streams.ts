/** Rules of Kinesis and DynamoDB Streams, and of what only streams can do (AWS: services-kinesis-parameters). */
import { hasSource, notFor, requiredFor, sourceIs, specRule, type Rule } from '../rule.ts';

const hasTumbling = 'has(self.tumblingWindowInSeconds) && self.tumblingWindowInSeconds > 0';

export const streamRules: readonly Rule[] = [
  notFor('parallelizationFactor', ['sqs', 'kafka', 'mq', 'rds', 'self']),
  notFor('tumblingWindowInSeconds', ['sqs', 'kafka', 'mq', 'rds', 'self']),
  notFor('maximumRetryAttempts', ['sqs', 'mq', 'rds']),
  notFor('maximumRecordAgeInSeconds', ['sqs', 'mq', 'rds']),
  notFor('bisectBatchOnFunctionError', ['sqs', 'mq', 'rds']),
  notFor('destinationConfig', ['sqs', 'mq', 'rds']),
  notFor('startingPosition', ['sqs', 'mq']),
  requiredFor('startingPosition', ['kinesis', 'dynamodb']),
  specRule({
    name: 'a time stamp for AT_TIMESTAMP',
    fieldPath: '.startingPositionTimestamp',
    cel: "!has(self.startingPosition) || self.startingPosition != 'AT_TIMESTAMP' || has(self.startingPositionTimestamp)",
    message: '`startingPositionTimestamp` must be set when `startingPosition` is AT_TIMESTAMP',
    reason: 'FieldValueRequired',
    holds: (spec) => spec.startingPosition !== 'AT_TIMESTAMP' || spec.startingPositionTimestamp !== undefined,
  }),
  specRule({
    name: 'a time stamp only for AT_TIMESTAMP',
    fieldPath: '.startingPositionTimestamp',
    cel: "!has(self.startingPositionTimestamp) || (has(self.startingPosition) && self.startingPosition == 'AT_TIMESTAMP')",
    message: '`startingPositionTimestamp` must be set only when `startingPosition` is AT_TIMESTAMP',
    reason: 'FieldValueForbidden',
    holds: (spec) => spec.startingPositionTimestamp === undefined || spec.startingPosition === 'AT_TIMESTAMP',
  }),
  specRule({
    name: 'DynamoDB has no AT_TIMESTAMP',
    fieldPath: '.startingPosition',
    cel: `!has(self.startingPosition) || self.startingPosition != 'AT_TIMESTAMP' || !${sourceIs('dynamodb')}`,
    message: '`startingPosition` must be TRIM_HORIZON or LATEST for DynamoDB',
    holds: (spec) => spec.startingPosition !== 'AT_TIMESTAMP' || !hasSource(spec, 'dynamodb'),
  }),
  specRule({
    name: 'a DynamoDB source is a stream',
    fieldPath: '.eventSourceARN',
    cel: `!${sourceIs('dynamodb')} || self.eventSourceARN.contains('/stream/')`,
    message:
      '`eventSourceARN` must be the ARN of the DynamoDB stream (…:table/NAME/stream/LABEL), not of the table',
    holds: (spec) => !hasSource(spec, 'dynamodb') || spec.eventSourceARN?.includes('/stream/') === true,
  }),
  specRule({
    name: 'a tumbling window excludes parallelization',
    fieldPath: '.tumblingWindowInSeconds',
    cel: `!(${hasTumbling}) || !has(self.parallelizationFactor) || self.parallelizationFactor == 1`,
    message: '`tumblingWindowInSeconds` must be 0 when `parallelizationFactor` is above 1',
    holds: (spec) => (spec.tumblingWindowInSeconds ?? 0) === 0 || (spec.parallelizationFactor ?? 1) === 1,
  }),
  specRule({
    name: 'a tumbling window excludes filters',
    fieldPath: '.tumblingWindowInSeconds',
    cel: `!(${hasTumbling}) || !has(self.filterCriteria) || !has(self.filterCriteria.filters) || size(self.filterCriteria.filters) == 0`,
    message: '`tumblingWindowInSeconds` must be 0 when `filterCriteria` has filters',
    holds: (spec) =>
      (spec.tumblingWindowInSeconds ?? 0) === 0 || (spec.filterCriteria?.filters ?? []).length === 0,
  }),
  specRule({
    name: 'record age of a minute or without end',
    fieldPath: '.maximumRecordAgeInSeconds',
    cel: '!has(self.maximumRecordAgeInSeconds) || self.maximumRecordAgeInSeconds == -1 || self.maximumRecordAgeInSeconds >= 60',
    message: '`maximumRecordAgeInSeconds` must be -1 or at least 60',
    holds: (spec) =>
      (spec.maximumRecordAgeInSeconds ?? -1) === -1 || (spec.maximumRecordAgeInSeconds ?? 60) >= 60,
  }),
];
