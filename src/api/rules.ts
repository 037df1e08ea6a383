/**
 * Every rule between fields, by kind. Structure and bounds are in the schemas; ceilings that AWS raises are warnings
 * (`warnings.ts`); what CEL cannot say is in `check.ts`.
 */
import type { MappingClassSpec } from './class.ts';
import type { CheckpointBody } from './checkpoint.ts';
import type { EventSourceMappingSpec, HttpService, HttpTarget } from './mapping.ts';
import { rule, specRule, type Rule } from './rule.ts';
import { brokerRules } from './sources/brokers.ts';
import { kafkaRules } from './sources/kafka.ts';
import { sqsRules } from './sources/sqs.ts';
import { streamRules } from './sources/streams.ts';

type Headers = NonNullable<HttpTarget['headers']>;

/** Headers that HTTP's framing or Sluice sets; a fixed header of that name would break or forge a request. */
export const reservedHeaders: readonly string[] = [
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-amz-invocation-type',
  'x-amzn-requestid',
  'x-amzn-trace-id',
];

const httpToken = '^[A-Za-z0-9!#$%&*+.^_|~-]{1,128}$';
const portName = '^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$';

const targetRules: readonly Rule[] = [
  rule<HttpTarget>({
    name: 'service or URL',
    at: 'spec.poller.target.http',
    cel: 'has(self.service) != has(self.url)',
    message: 'exactly one of `service` and `url` must be set',
    holds: (http) => (http.service === undefined) !== (http.url === undefined),
  }),
  rule<HttpTarget>({
    name: 'TLS settings only for https',
    at: 'spec.poller.target.http',
    fieldPath: '.tls',
    cel: "!has(self.tls) || (has(self.service) && has(self.service.scheme) && self.service.scheme == 'https') || (has(self.url) && self.url.startsWith('https:'))",
    message: '`tls` must be set only when `service.scheme` is https or `url` begins with https:',
    reason: 'FieldValueForbidden',
    holds: (http) =>
      http.tls === undefined || http.service?.scheme === 'https' || http.url?.startsWith('https:') === true,
  }),
  rule<HttpService>({
    name: 'a port that exists',
    at: 'spec.poller.target.http.service',
    fieldPath: '.port',
    cel: `type(self.port) == int ? self.port >= 1 && self.port <= 65535 : self.port.matches('${portName}')`,
    message:
      '`port` must be a number between 1 and 65535, or the name of a port: at most 15 of a-z, 0-9 and -',
    holds: ({ port }) =>
      typeof port === 'number' ? port >= 1 && port <= 65535 : new RegExp(portName, 'u').test(port),
  }),
  rule<Headers>({
    name: 'header names that are free',
    at: 'spec.poller.target.http.headers',
    cel: `self.all(name, name.matches('${httpToken}') && !(name.lowerAscii() in [${reservedHeaders.map((name) => `'${name}'`).join(', ')}]))`,
    message: `a name in \`headers\` must be an HTTP header name and none of ${reservedHeaders.join(', ')}`,
    holds: (headers) =>
      Object.keys(headers).every(
        (name) => new RegExp(httpToken, 'u').test(name) && !reservedHeaders.includes(name.toLowerCase()),
      ),
  }),
  rule<Headers[string]>({
    name: 'a header value or its source',
    at: 'spec.poller.target.http.headers{}',
    cel: 'has(self.value) != has(self.valueFrom)',
    message: 'exactly one of `value` and `valueFrom` must be set',
    holds: (header) => (header.value === undefined) !== (header.valueFrom === undefined),
  }),
];

/** Rules of EventSourceMapping. */
export const mappingRules: readonly Rule[] = [
  specRule({
    name: 'one source',
    fieldPath: '.eventSourceARN',
    cel: 'has(self.eventSourceARN) != has(self.selfManagedEventSource)',
    message: 'exactly one of `eventSourceARN` and `selfManagedEventSource` must be set',
    holds: (spec) => (spec.eventSourceARN === undefined) !== (spec.selfManagedEventSource === undefined),
  }),
  specRule({
    name: 'a target',
    fieldPath: '.functionName',
    cel: "has(self.functionName) || (self.mode == 'Poller' && has(self.poller) && has(self.poller.target) && has(self.poller.target.http))",
    message: '`functionName` must be set, except in Poller mode with `poller.target.http`',
    reason: 'FieldValueRequired',
    holds: (spec) =>
      spec.functionName !== undefined || (spec.mode === 'Poller' && spec.poller?.target?.http !== undefined),
  }),
  specRule({
    name: 'a change of mode is meant',
    fieldPath: '.handoverTo',
    transition: true,
    cel: 'self.mode == oldSelf.mode || (has(self.handoverTo) && self.handoverTo == self.mode)',
    message: '`handoverTo` must equal the new `mode` in the edit that changes `mode`',
    reason: 'FieldValueRequired',
    holds: (spec, old) => spec.mode === old.mode || spec.handoverTo === spec.mode,
  }),
  specRule({
    name: 'one Region',
    fieldPath: '.aws.region',
    cel: "!has(self.aws) || !has(self.aws.region) || !has(self.eventSourceARN) || self.eventSourceARN.split(':')[3] in ['', self.aws.region]",
    message: '`aws.region` must be the Region of `eventSourceARN`, or one of the two must be absent',
    holds: (spec) => {
      const region = spec.eventSourceARN?.split(':')[3] ?? '';
      return spec.aws?.region === undefined || region === '' || region === spec.aws.region;
    },
  }),
  rule<NonNullable<EventSourceMappingSpec['tags']>>({
    name: 'free tag keys',
    at: 'spec.tags',
    cel: "self.all(key, size(key) >= 1 && size(key) <= 128 && !key.startsWith('aws:') && !key.startsWith('sluice.dev/'))",
    message: 'a key in `tags` must have 1 to 128 characters and must not begin with `aws:` or `sluice.dev/`',
    holds: (tags) =>
      Object.keys(tags).every((key) => {
        const length = Array.from(key).length;
        return length >= 1 && length <= 128 && !key.startsWith('aws:') && !key.startsWith('sluice.dev/');
      }),
  }),
  ...targetRules,
  ...sqsRules,
  ...streamRules,
  ...kafkaRules,
  ...brokerRules,
];

type Expression = NonNullable<NonNullable<MappingClassSpec['namespaceSelector']>['matchExpressions']>[number];

/** Rules of MappingClass. */
export const classRules: readonly Rule[] = [
  rule<MappingClassSpec>({
    name: 'namespaces by list or by label',
    at: 'spec',
    fieldPath: '.namespaceSelector',
    cel: '!has(self.namespaces) || !has(self.namespaceSelector)',
    message: 'at most one of `namespaces` and `namespaceSelector` must be set',
    holds: (spec) => spec.namespaces === undefined || spec.namespaceSelector === undefined,
  }),
  rule<NonNullable<MappingClassSpec['aws']>>({
    name: 'a role for identity Role',
    at: 'spec.aws',
    fieldPath: '.roleARN',
    cel: "has(self.roleARN) == (has(self.identity) && self.identity == 'Role')",
    message: '`roleARN` must be set when `identity` is Role, and only then',
    holds: (aws) => (aws.roleARN !== undefined) === (aws.identity === 'Role'),
  }),
  rule<Expression>({
    name: 'values of In and NotIn',
    at: 'spec.namespaceSelector.matchExpressions[]',
    fieldPath: '.values',
    cel: "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
    message: '`values` must be set when `operator` is In or NotIn, and only then',
    holds: (one) => ['In', 'NotIn'].includes(one.operator) === (one.values ?? []).length > 0,
  }),
];

/** Rules of MappingCheckpoint. */
export const checkpointRules: readonly Rule[] = [
  rule<CheckpointBody>({
    name: 'an epoch never goes back',
    at: 'checkpoint',
    fieldPath: '.epoch',
    transition: true,
    cel: 'self.epoch >= oldSelf.epoch',
    message: '`epoch` must not be lower than the stored one: another reader owns the slot',
    holds: (self, old) => self.epoch >= old.epoch,
  }),
];
