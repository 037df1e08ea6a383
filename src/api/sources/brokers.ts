/** Rules of Amazon MQ and Amazon DocumentDB, and of how a source is signed in to (AWS: with-mq, with-documentdb). */
import type { EventSourceMappingSpec } from '../mapping.ts';
import { hasSource, notFor, requiredFor, rule, sourceIs, specRule, type Rule } from '../rule.ts';

type Access = NonNullable<EventSourceMappingSpec['sourceAccessConfigurations']>[number];

export const brokerRules: readonly Rule[] = [
  notFor('queues', ['sqs', 'kinesis', 'dynamodb', 'kafka', 'rds', 'self']),
  requiredFor('queues', ['mq']),
  notFor('documentDBEventSourceConfig', ['sqs', 'kinesis', 'dynamodb', 'kafka', 'mq', 'self']),
  requiredFor('documentDBEventSourceConfig', ['rds']),
  notFor('filterCriteria', ['rds']),
  notFor('kmsKeyARN', ['rds']),
  notFor('functionResponseTypes', ['mq', 'rds']),
  notFor('metricsConfig', ['mq', 'rds']),
  notFor('sourceAccessConfigurations', ['sqs', 'kinesis', 'dynamodb']),
  specRule({
    name: 'a login for MQ and DocumentDB',
    fieldPath: '.sourceAccessConfigurations',
    cel: `!${sourceIs('mq', 'rds')} || (has(self.sourceAccessConfigurations) && self.sourceAccessConfigurations.exists_one(one, one.type == 'BASIC_AUTH'))`,
    message: '`sourceAccessConfigurations` must hold one entry of type BASIC_AUTH for MQ and DocumentDB',
    reason: 'FieldValueRequired',
    holds: (spec) =>
      !hasSource(spec, 'mq', 'rds') ||
      (spec.sourceAccessConfigurations ?? []).filter((one) => one.type === 'BASIC_AUTH').length === 1,
  }),
  rule<NonNullable<EventSourceMappingSpec['documentDBEventSourceConfig']>>({
    name: 'a collection of the user',
    at: 'spec.documentDBEventSourceConfig',
    fieldPath: '.collectionName',
    cel: "!has(self.collectionName) || !self.collectionName.startsWith('system.')",
    message: '`collectionName` must not begin with `system.`',
    holds: (self) => self.collectionName?.startsWith('system.') !== true,
  }),
  rule<Access>({
    name: 'a source access setting has a value',
    at: 'spec.sourceAccessConfigurations[]',
    fieldPath: '.uri',
    cel: "has(self.uri) || self.type in ['IAM_AUTH', 'IAM_OAUTHBEARER_AUTH']",
    message: '`uri` must be set unless `type` is IAM_AUTH or IAM_OAUTHBEARER_AUTH',
    reason: 'FieldValueRequired',
    holds: (self) => self.uri !== undefined || ['IAM_AUTH', 'IAM_OAUTHBEARER_AUTH'].includes(self.type),
  }),
];
