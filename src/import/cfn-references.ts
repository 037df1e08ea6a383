/**
 * What `Ref` and `GetAtt` give for the resources of a template. A resource that the template names gives an ARN without
 * Region and account, which our `spec` takes; another one a hole that knows the service. A function is always given by
 * its name with the qualifier, since that is what `functionName` wants.
 */
import { isRecord } from '../api/structure.ts';
import type { Template } from './cfn-template.ts';
import { concat, holeOr, placeholderName, Unknown, type Settings } from './model.ts';

/** How the properties of the resource that is referred to are read. */
export interface Lookup {
  readonly resolve: (value: unknown) => unknown;
  readonly settings: Settings;
}

interface Resource {
  readonly id: string;
  readonly type: string;
  /** A property, worked out. */
  readonly text: (name: string) => string | Unknown | undefined;
}

/** Where the ARN of a resource type comes from: its service, and the property and form of its name. */
const named: Readonly<Record<string, readonly [service: string, property: string, prefix: string]>> = {
  'AWS::SQS::Queue': ['sqs', 'QueueName', ''],
  'AWS::SNS::Topic': ['sns', 'TopicName', ''],
  'AWS::S3::Bucket': ['s3', 'BucketName', ''],
  'AWS::Kinesis::Stream': ['kinesis', 'Name', 'stream/'],
};

/** Services of ARNs whose resource holds an id that only AWS knows. */
const unnamed: Readonly<Record<string, string>> = {
  'AWS::Kinesis::StreamConsumer': 'kinesis',
  'AWS::DynamoDB::Table': 'dynamodb',
  'AWS::DynamoDB::GlobalTable': 'dynamodb',
  'AWS::Serverless::SimpleTable': 'dynamodb',
  'AWS::MSK::Cluster': 'kafka',
  'AWS::MSK::ServerlessCluster': 'kafka',
  'AWS::MSK::VpcConnection': 'kafka',
  'AWS::AmazonMQ::Broker': 'mq',
  'AWS::DocDB::DBCluster': 'rds',
  'AWS::DocDBElastic::Cluster': 'docdb-elastic',
  'AWS::SecretsManager::Secret': 'secretsmanager',
  'AWS::KMS::Key': 'kms',
};

const functions = ['AWS::Lambda::Function', 'AWS::Serverless::Function'];

/** What `Ref` gives. */
export function referenceTo(template: Template, id: string, lookup: Lookup): unknown {
  const resource = resourceOf(template, id, lookup);
  // SAM: `Ref: Function.Alias` and `Function.Version` are the ones that it makes for AutoPublishAlias.
  const [owner = '', part] = id.split('.');
  if (resource === undefined && part !== undefined) return attributeOf(template, owner, part, lookup);
  if (resource === undefined) return open(id, `\${${id}}`, lookup);
  const { type, text } = resource;
  if (functions.includes(type)) return text('FunctionName') ?? open(id, `\${${id}}`, lookup);
  if (type === 'AWS::Lambda::Alias')
    return concat([functionOf(resource, lookup), ':', text('Name') ?? open(id, `\${${id}}`, lookup)]);
  if (type === 'AWS::Lambda::Version')
    return concat([functionOf(resource, lookup), ':', open(`${id}.Version`, `\${${id}}`, lookup)]);
  if (type === 'AWS::SNS::Topic') return arnOf(resource, id, lookup);
  const name = named[type]?.[1];
  if (name !== undefined)
    return text(name) ?? open(id, `\${${id}}`, lookup, unnamed[type] ?? named[type]?.[0]);
  return open(id, `\${${id}}`, lookup, unnamed[type]);
}

/** What `GetAtt` gives. */
export function attributeOf(template: Template, id: string, attribute: string, lookup: Lookup): unknown {
  const resource = resourceOf(template, id, lookup);
  const shown = `\${${id}.${attribute}}`;
  if (resource === undefined) return open(`${id}.${attribute}`, shown, lookup);
  const { type, text } = resource;
  if (functions.includes(type)) {
    if (attribute === 'Arn') return text('FunctionName') ?? open(id, shown, lookup);
    if (attribute === 'Alias')
      return concat([referenceTo(template, id, lookup), ':', aliasOf(resource, template)]);
    if (attribute === 'Version')
      return concat([referenceTo(template, id, lookup), ':', open(`${id}.Version`, shown, lookup)]);
    return open(`${id}.${attribute}`, shown, lookup);
  }
  if (type === 'AWS::Lambda::Alias' && attribute.endsWith('Arn')) return referenceTo(template, id, lookup);
  if (attribute.endsWith('Name')) return text(attribute) ?? open(`${id}.${attribute}`, shown, lookup);
  if (attribute.endsWith('Arn')) return arnOf(resource, `${id}.${attribute}`, lookup);
  return open(`${id}.${attribute}`, shown, lookup, unnamed[type]);
}

/** The alias of SAM's AutoPublishAlias, from the function or the Globals. */
function aliasOf(resource: Resource, template: Template): string | Unknown {
  const globals = template.globals['Function'];
  const global = isRecord(globals) ? globals['AutoPublishAlias'] : undefined;
  return (
    resource.text('AutoPublishAlias') ??
    (typeof global === 'string' ? global : new Unknown([{ name: `${resource.id}.Alias`, text: 'the alias' }]))
  );
}

function functionOf(resource: Resource, lookup: Lookup): string | Unknown {
  return (
    resource.text('FunctionName') ??
    open(`${resource.id}.FunctionName`, `\${${resource.id}.FunctionName}`, lookup)
  );
}

function arnOf(resource: Resource, holeName: string, lookup: Lookup): string | Unknown | undefined {
  const { type, text } = resource;
  const [service, property = '', prefix = ''] = named[type] ?? [];
  const name = text(property);
  if (service !== undefined && name !== undefined) return concat([`arn:aws:${service}:::${prefix}`, name]);
  const fifo = text('FifoQueue') === 'true' || text('FifoTopic') === 'true';
  return open(holeName, `\${${holeName}}`, lookup, service ?? unnamed[type], fifo);
}

function open(
  name: string,
  text: string,
  lookup: Lookup,
  service?: string,
  fifo?: boolean,
): string | Unknown {
  return holeOr({ name: placeholderName(name), text, service, fifo }, lookup.settings);
}

function resourceOf(template: Template, id: string, lookup: Lookup): Resource | undefined {
  const found = Object.hasOwn(template.resources, id) ? template.resources[id] : undefined;
  if (!isRecord(found) || typeof found['Type'] !== 'string' || found['Type'] in {}) return undefined;
  const properties = isRecord(found['Properties']) ? found['Properties'] : {};
  return {
    id,
    type: found['Type'],
    text: (name) => {
      const value = Object.hasOwn(properties, name) ? lookup.resolve(properties[name]) : undefined;
      if (value instanceof Unknown) return value;
      return typeof value === 'string' || typeof value === 'boolean' ? String(value) : undefined;
    },
  };
}
