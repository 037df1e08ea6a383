/**
 * AWS's half of `spec` is AWS's API: compared with the installed SDK (members, enum values) and with a dated snapshot
 * of the public API model (types, ranges). When AWS adds or removes something, the failure names it.
 */
import * as sdk from '@aws-sdk/client-lambda';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { awsFields } from '../../../src/api/aws-fields.ts';
import type { Schema } from '../../../src/api/schema.ts';

interface Facts {
  readonly type: string;
  readonly min?: number;
  readonly max?: number;
  readonly enum?: readonly string[];
}

const model = JSON.parse(
  readFileSync(new URL('../../golden/lambda-api-model.json', import.meta.url), 'utf8'),
) as {
  readonly date: string;
  readonly create: Readonly<Record<string, Facts>>;
  readonly update: readonly string[];
};

/** Members that the API has and a mapping cannot use. */
const unused: Readonly<Record<string, string>> = {
  'DestinationConfig.OnSuccess': 'a mapping has no destination for successes',
  'DestinationConfig.OnSuccess.Destination': 'a mapping has no destination for successes',
};

/** Ranges that differ from the model on purpose. */
const ranges: Readonly<Record<string, string>> = {
  'AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig.SchemaRegistryURI':
    'no registry has an address that long',
  'AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig.AccessConfigs[].URI':
    'no ARN of a secret is that long, or empty',
  'SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig.SchemaRegistryURI': 'the same',
  'SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig.AccessConfigs[].URI': 'the same',
  'SelfManagedEventSource.Endpoints': 'its one key is a required property here',
  EventSourceArn: 'no ARN of a source is that long; short texts keep CEL cheap',
  KMSKeyArn: 'no ARN of a key is that long',
  'FilterCriteria.Filters[].Pattern': 'an empty pattern is no JSON',
  'Topics[]': 'the pattern asks for two characters',
  'Tags{}': 'the same',
  'DocumentDBEventSourceConfig.DatabaseName': 'the same',
};

/** Every field of `spec` that is AWS's, by the path of the member in the API. */
function members(schema: Schema<unknown>, at: string): readonly (readonly [string, Schema<unknown>])[] {
  const children = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    // The one key of a map is a property here, so that an unknown key is refused.
    if (name === 'KAFKA_BOOTSTRAP_SERVERS') return members(child, `${at}{}`);
    const member = child.facts.member ?? name.charAt(0).toUpperCase() + name.slice(1);
    return members(child, at === '' ? member : `${at}.${member}`);
  });
  const below = schema.node.type === 'array' ? '[]' : '{}';
  const items = schema.items === undefined ? [] : members(schema.items, `${at}${below}`);
  return [...(at === '' ? [] : [[at, schema] as const]), ...children, ...items];
}

const ours = new Map(members({ node: {}, facts: {}, properties: awsFields }, ''));

/** Paths of an operation's input in the SDK's own schema: [kind, namespace, name, traits, members, types]. */
function sdkPaths(schema: unknown, at: string): readonly string[] {
  const resolved: unknown = typeof schema === 'function' ? (schema as () => unknown)() : schema;
  if (typeof resolved === 'number') {
    if ((resolved & 128) !== 0) return [at, `${at}{}`];
    return (resolved & 64) === 0 ? [at] : [at, `${at}[]`];
  }
  if (!Array.isArray(resolved)) return [at];
  const [kind, , , , fourth, fifth] = resolved as readonly unknown[];
  if (kind === 1) return [at, ...sdkPaths(fourth, `${at}[]`)];
  if (kind === 2) return [at, ...sdkPaths(fifth, `${at}{}`)];
  if (kind !== 3) return sdkPaths(resolved[0], at);
  const names = fourth as readonly string[];
  const types = fifth as readonly unknown[];
  const children = names.flatMap((name, index) => sdkPaths(types[index], at === '' ? name : `${at}.${name}`));
  return at === '' ? children : [at, ...children];
}

const usable = (paths: readonly string[]): readonly string[] =>
  paths.filter((path) => !(path in unused) && !path.endsWith('{key}')).toSorted();

test('every member of CreateEventSourceMapping in the installed SDK is a field, and none is left over', () => {
  expect([...ours.keys()].toSorted()).toEqual(usable(sdkPaths(sdk.CreateEventSourceMappingRequest$, '')));
});

test('every member of the dated API model is a field, and none is left over', () => {
  expect([...ours.keys()].toSorted()).toEqual(usable(Object.keys(model.create)));
});

test('a field that UpdateEventSourceMapping lacks is marked as create-only', () => {
  const updatable = new Set([...model.update, ...sdkPaths(sdk.UpdateEventSourceMappingRequest$, '')]);
  const isCreateOnly = (path: string): boolean =>
    [...ours].some(
      ([one, schema]) =>
        schema.facts.createOnly === true &&
        (path === one || path.startsWith(`${one}.`) || path.startsWith(`${one}[`)),
    );
  // Tags have calls of their own; the others are in the update's shape and refused by it.
  const missing = [...ours.keys()].filter((path) => !updatable.has(path) && !path.startsWith('Tags'));
  expect(missing.filter((path) => !isCreateOnly(path))).toEqual([]);
});

const sdkEnums: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  StartingPosition: sdk.EventSourcePosition,
  'FunctionResponseTypes[]': sdk.FunctionResponseType,
  'MetricsConfig.Metrics[]': sdk.EventSourceMappingMetric,
  'LoggingConfig.SystemLogLevel': sdk.EventSourceMappingSystemLogLevel,
  'SourceAccessConfigurations[].Type': sdk.SourceAccessType,
  'AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig.AccessConfigs[].Type':
    sdk.KafkaSchemaRegistryAuthType,
  'AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig.EventRecordFormat':
    sdk.SchemaRegistryEventRecordFormat,
  'AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig.SchemaValidationConfigs[].Attribute':
    sdk.KafkaSchemaValidationAttribute,
  'SelfManagedKafkaEventSourceConfig.ConsumptionMode': sdk.KafkaEventSourceMappingConsumptionMode,
  'DocumentDBEventSourceConfig.FullDocument': sdk.FullDocument,
};

const valuesOf = (path: string): readonly string[] => {
  const schema = ours.get(path);
  return (schema?.node.enum ?? schema?.facts.known ?? []).toSorted();
};

test.each(Object.entries(sdkEnums))('%s has the values that the installed SDK knows', (path, values) => {
  expect(valuesOf(path)).toEqual(Object.values(values).toSorted());
});

test('every enum has the values of the dated API model', () => {
  const enums = Object.entries(model.create).filter(
    ([path, facts]) => facts.enum !== undefined && !path.endsWith('{key}'),
  );
  expect(enums.length).toBeGreaterThan(8);
  expect(enums.map(([path]) => [path, valuesOf(path)])).toEqual(
    enums.map(([path, facts]) => [path, facts.enum]),
  );
});

test('every range is that of the dated API model, or a stated exception', () => {
  const differing = [...ours].flatMap(([path, schema]) => {
    const facts = model.create[path];
    if (facts === undefined || path in ranges) return [];
    const { node } = schema;
    const least = node.minimum ?? node.minLength ?? node.minItems ?? 0;
    const most = schema.facts.ceiling ?? node.maximum ?? node.maxLength ?? node.maxItems;
    const isOpen = node.enum !== undefined || schema.facts.known !== undefined;
    const differs =
      (facts.min !== undefined && least !== facts.min) || (facts.max !== undefined && most !== facts.max);
    return differs && !isOpen ? [`${path}: ${least}–${most}, AWS ${facts.min}–${facts.max}`] : [];
  });
  expect(differing).toEqual([]);
});

test('no stated exception is left of something that is gone', () => {
  expect(Object.keys(ranges).filter((path) => !ours.has(path))).toEqual([]);
  expect(Object.keys(unused).filter((path) => !(path in model.create))).toEqual([]);
});
