/**
 * Events of `AWS::Serverless::Function` that Lambda polls, by the rules of SAM's own translator: which properties an
 * event has, what it must have, and what it refuses. Pure; the values are still those of the template.
 */
import { isRecord } from '../api/structure.ts';
import { hasUnknown, Unknown } from './model.ts';

type Members = Readonly<Record<string, unknown>>;

/** What an event of SAM means as properties of AWS::Lambda::EventSourceMapping, or why SAM refuses it. */
export type SamEvent =
  | {
      readonly kind: 'polled';
      readonly members: Members;
      readonly service: string;
      readonly destination?: string;
    }
  | { readonly kind: 'refused'; readonly message: string };

interface PolledType {
  readonly service: string;
  /** SAM's name of the source. */
  readonly source?: string;
  readonly required: readonly string[];
  readonly own: readonly string[];
}

const polledTypes: Readonly<Record<string, PolledType>> = {
  SQS: { service: 'sqs', source: 'Queue', required: ['Queue'], own: [] },
  Kinesis: { service: 'kinesis', source: 'Stream', required: ['Stream', 'StartingPosition'], own: [] },
  DynamoDB: { service: 'dynamodb', source: 'Stream', required: ['Stream', 'StartingPosition'], own: [] },
  MSK: { service: 'kafka', source: 'Stream', required: ['Stream', 'StartingPosition'], own: [] },
  MQ: { service: 'mq', source: 'Broker', required: ['Broker'], own: ['DynamicPolicyName'] },
  SelfManagedKafka: { service: 'kafka', required: [], own: [] },
  DocumentDB: {
    service: 'rds',
    source: 'Cluster',
    required: ['Cluster', 'DatabaseName'],
    own: ['CollectionName', 'FullDocument'],
  },
};

type Kind = 'int' | 'bool' | 'text' | 'map' | 'list' | 'any';

/** Properties that every polled event has, and the type that SAM wants. */
const properties: Readonly<Record<string, Kind>> = {
  BatchSize: 'int',
  StartingPosition: 'any',
  StartingPositionTimestamp: 'any',
  Enabled: 'bool',
  MaximumBatchingWindowInSeconds: 'int',
  MaximumRetryAttempts: 'int',
  BisectBatchOnFunctionError: 'bool',
  MaximumRecordAgeInSeconds: 'int',
  DestinationConfig: 'map',
  ParallelizationFactor: 'int',
  Topics: 'list',
  Queues: 'list',
  SourceAccessConfigurations: 'list',
  SecretsManagerKmsKeyId: 'text',
  TumblingWindowInSeconds: 'int',
  FunctionResponseTypes: 'list',
  KafkaBootstrapServers: 'list',
  FilterCriteria: 'map',
  KmsKeyArn: 'any',
  ConsumerGroupId: 'text',
  ScalingConfig: 'map',
  ProvisionedPollerConfig: 'map',
  SchemaRegistryConfig: 'map',
  MetricsConfig: 'map',
  LoggingConfig: 'map',
};

/** Properties that SAM turns into others or uses for the function's role. */
const turned = ['SecretsManagerKmsKeyId', 'KafkaBootstrapServers', 'ConsumerGroupId', 'SchemaRegistryConfig'];

/** Whether Lambda polls for events of this type. */
export const isPolledEvent = (type: string): boolean => Object.hasOwn(polledTypes, type);

/** Reads one event of a polled type, its functions worked out. `ownRole`: the function has no role of its own. */
export function readSamEvent(type: string, event: Members, ownRole: boolean): SamEvent {
  const polled = polledTypes[type];
  if (polled === undefined) return refuse(`\`${type}\` is not polled by Lambda`);
  const problem = shapeProblem(type, polled, event) ?? ruleProblem(type, event, ownRole);
  if (problem !== undefined) return refuse(problem);

  const members: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(event)) {
    if (name in properties && !turned.includes(name)) members[name] = value;
  }
  if (polled.source !== undefined) members['EventSourceArn'] = event[polled.source];
  const servers = event['KafkaBootstrapServers'];
  if (isSet(servers)) members['SelfManagedEventSource'] = { Endpoints: { KafkaBootstrapServers: servers } };
  const kafka = {
    ...(isSet(event['ConsumerGroupId']) ? { ConsumerGroupId: event['ConsumerGroupId'] } : {}),
    ...(isSet(event['SchemaRegistryConfig']) ? { SchemaRegistryConfig: event['SchemaRegistryConfig'] } : {}),
  };
  if (Object.keys(kafka).length > 0) {
    const name = type === 'MSK' ? 'AmazonManagedKafkaEventSourceConfig' : 'SelfManagedKafkaEventSourceConfig';
    members[name] = kafka;
  }
  if (type === 'DocumentDB') {
    const { DatabaseName, CollectionName, FullDocument } = event;
    members['DocumentDBEventSourceConfig'] = { DatabaseName, CollectionName, FullDocument };
  }
  const destination = destinationOf(event['DestinationConfig']);
  if (destination !== undefined) members['DestinationConfig'] = destination.config;
  return {
    kind: 'polled',
    members,
    service: polled.service,
    ...(destination?.service === undefined ? {} : { destination: destination.service }),
  };
}

/**
 * The queue that SAM puts between a topic and a function (`SqsSubscription`), which Lambda polls. `queue` is the ARN of
 * the one that SAM makes itself. Undefined for an event of a topic without one.
 */
export function readSnsQueue(event: Members, queue: unknown): SamEvent | undefined {
  const { SqsSubscription: subscription } = event;
  if (!isSet(subscription)) return undefined;
  if (typeof subscription === 'boolean' || subscription === 'true')
    return {
      kind: 'polled',
      members: { EventSourceArn: queue, BatchSize: 10, Enabled: true },
      service: 'sqs',
    };
  if (!isRecord(subscription) || subscription instanceof Unknown)
    return refuse('`SqsSubscription` must be true, false or an object');
  const { QueueArn: arn, QueueUrl: url, BatchSize: size, Enabled: enabled } = subscription;
  if (!isSet(arn) || !isSet(url)) return refuse('`SqsSubscription` must hold `QueueArn` and `QueueUrl`');
  return {
    kind: 'polled',
    members: { EventSourceArn: arn, BatchSize: size || 10, Enabled: enabled ?? true },
    service: 'sqs',
  };
}

const refuse = (message: string): SamEvent => ({ kind: 'refused', message: `SAM refuses it: ${message}` });

/** SAM counts an empty value as absent. */
function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return value instanceof Unknown || Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== '' && value !== false;
}

function shapeProblem(type: string, polled: PolledType, event: Members): string | undefined {
  const known = [...Object.keys(properties), ...polled.required, ...polled.own];
  for (const [name, value] of Object.entries(event)) {
    if (!known.includes(name)) return `property \`${name}\` is not defined for an event of type ${type}`;
    const kind = properties[name] ?? (name === 'DynamicPolicyName' ? 'bool' : 'any');
    if (value !== undefined && value !== null && !fits(value, kind))
      return `\`${name}\` must be ${words[kind]}`;
  }
  const missing = polled.required.find((name) => event[name] === undefined || event[name] === null);
  return missing === undefined ? undefined : `\`${missing}\` must be set for an event of type ${type}`;
}

const words: Readonly<Record<Kind, string>> = {
  int: 'a whole number',
  bool: 'true or false',
  text: 'text',
  map: 'an object',
  list: 'a list',
  any: 'set',
};

function fits(value: unknown, kind: Kind): boolean {
  // SAM leaves intrinsic functions to CloudFormation.
  if (value instanceof Unknown || kind === 'any') return true;
  switch (kind) {
    case 'int':
      // Python counts true as a number; a parameter's value comes in as text.
      return Number.isInteger(value) || typeof value === 'boolean' || /^-?\d+$/.test(textOf(value));
    case 'bool':
      return typeof value === 'boolean' || /^(true|false)$/i.test(textOf(value));
    case 'text':
      return typeof value === 'string';
    case 'map':
      return isRecord(value);
    case 'list':
      return Array.isArray(value);
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function ruleProblem(type: string, event: Members, ownRole: boolean): string | undefined {
  const filters = event['FilterCriteria'];
  if (isRecord(filters) && !(filters instanceof Unknown)) {
    const keys = Object.keys(filters);
    if (keys.length > 1 || (keys.length === 1 && keys[0] !== 'Filters'))
      return '`FilterCriteria` must hold `Filters` and nothing else';
  }
  const isKafka = type === 'MSK' || type === 'SelfManagedKafka';
  if (isSet(event['ConsumerGroupId']) && !isKafka)
    return `\`ConsumerGroupId\` is not defined for an event of type ${type}`;
  const destination = destinationProblem(event['DestinationConfig']);
  if (destination !== undefined) return destination;
  // The rest SAM looks at only where it writes the function's role.
  return ownRole ? accessProblem(type, event) : undefined;
}

const destinationServices: Readonly<Record<string, string | undefined>> = {
  SQS: 'sqs',
  SNS: 'sns',
  S3: 's3',
  Kafka: undefined,
};

function destinationProblem(config: unknown): string | undefined {
  if (!isSet(config) || config instanceof Unknown) return undefined;
  const failure = isRecord(config) ? config['OnFailure'] : undefined;
  if (failure instanceof Unknown || !isRecord(failure))
    return '`DestinationConfig.OnFailure` must be an object';
  const { Type: type } = failure;
  if (!isSet(type)) return undefined;
  const isKnown = typeof type === 'string' && Object.hasOwn(destinationServices, type);
  return isKnown ? undefined : '`DestinationConfig.OnFailure.Type` must be SQS, SNS, S3 or Kafka';
}

function destinationOf(
  config: unknown,
): { readonly config: unknown; readonly service: string | undefined } | undefined {
  if (!isRecord(config) || config instanceof Unknown || !isRecord(config['OnFailure'])) return undefined;
  const { Type: type, ...failure } = config['OnFailure'];
  const service = typeof type === 'string' ? destinationServices[type] : undefined;
  return { config: { ...config, OnFailure: failure }, service };
}

const kafkaLogins = [
  'SASL_SCRAM_256_AUTH',
  'SASL_SCRAM_512_AUTH',
  'BASIC_AUTH',
  'CLIENT_CERTIFICATE_TLS_AUTH',
];

function accessProblem(type: string, event: Members): string | undefined {
  const access = event['SourceAccessConfigurations'];
  const name = '`SourceAccessConfigurations`';
  if (
    event['SecretsManagerKmsKeyId'] instanceof Unknown &&
    ['MQ', 'SelfManagedKafka', 'DocumentDB'].includes(type)
  )
    return '`SecretsManagerKmsKeyId` must be text, not an intrinsic function';
  switch (type) {
    case 'MQ':
      return loginProblem(access, ['BASIC_AUTH', 'VIRTUAL_HOST']);
    case 'DocumentDB':
      return loginProblem(access, ['BASIC_AUTH']);
    case 'MSK':
      return registryProblem(event['SchemaRegistryConfig']);
    case 'SelfManagedKafka': {
      const topics = event['Topics'];
      if (!isSet(event['KafkaBootstrapServers']))
        return '`KafkaBootstrapServers` must be set for self-managed Kafka';
      if (!isSet(topics)) return '`Topics` must be set for self-managed Kafka';
      if (Array.isArray(topics) && topics.length !== 1) return '`Topics` must have exactly one entry';
      if (!isSet(access)) return `${name} must be set for self-managed Kafka`;
      return kafkaAccessProblem(access) ?? registryProblem(event['SchemaRegistryConfig']);
    }
    default:
      return undefined;
  }
}

/** MQ and DocumentDB: exactly one login, and no other types than `allowed`. */
function loginProblem(access: unknown, allowed: readonly string[]): string | undefined {
  const name = '`SourceAccessConfigurations`';
  if (!isSet(access)) return `${name} must be set`;
  if (!Array.isArray(access)) return `${name} must be a list`;
  let logins = 0;
  for (const one of access) {
    const { Type: type, URI: uri } = isRecord(one) ? one : {};
    if (typeof type !== 'string' || !allowed.includes(type))
      return `\`Type\` in ${name} must be ${allowed.join(' or ')}`;
    if (type !== 'BASIC_AUTH') continue;
    logins++;
    if (logins > 1) return `${name} must have exactly one entry of type BASIC_AUTH`;
    if (!isSet(uri)) return `\`URI\` of BASIC_AUTH in ${name} must be set`;
  }
  return logins === 1 ? undefined : `${name} must have an entry of type BASIC_AUTH`;
}

function kafkaAccessProblem(access: unknown): string | undefined {
  const name = '`SourceAccessConfigurations`';
  if (!Array.isArray(access)) return `${name} must be a list`;
  let logins = 0;
  const types = new Set<unknown>();
  for (const one of access) {
    if (!isRecord(one) || one instanceof Unknown) return `an entry of ${name} must be an object`;
    const { Type: type, URI: uri } = one;
    types.add(type);
    const isLogin = typeof type === 'string' && kafkaLogins.includes(type);
    const isOther =
      type === 'VPC_SUBNET' || type === 'VPC_SECURITY_GROUP' || type === 'SERVER_ROOT_CA_CERTIFICATE';
    if (!isLogin && !isOther) return `\`Type\` in ${name} is none that SAM knows for self-managed Kafka`;
    if (isLogin && ++logins > 1) return `${name} must have at most one way to sign in`;
    if (!isSet(uri)) return `\`URI\` of ${type} in ${name} must be set`;
    if (typeof uri !== 'string' && !hasUnknown(uri)) return `\`URI\` of ${type} in ${name} must be text`;
  }
  return types.has('VPC_SUBNET') === types.has('VPC_SECURITY_GROUP')
    ? undefined
    : `${name} must have both VPC_SUBNET and VPC_SECURITY_GROUP, or neither`;
}

function registryProblem(config: unknown): string | undefined {
  if (!isSet(config)) return undefined;
  if (!isRecord(config) || config instanceof Unknown) return '`SchemaRegistryConfig` must be an object';
  const missing = ['SchemaRegistryURI', 'EventRecordFormat', 'SchemaValidationConfigs'].find(
    (key) => !(key in config),
  );
  if (missing !== undefined) return `\`SchemaRegistryConfig.${missing}\` must be set`;
  const format = config['EventRecordFormat'];
  if (format !== 'JSON' && format !== 'SOURCE')
    return '`SchemaRegistryConfig.EventRecordFormat` must be JSON or SOURCE';
  if (!Array.isArray(config['SchemaValidationConfigs']))
    return '`SchemaRegistryConfig.SchemaValidationConfigs` must be a list';
  const { AccessConfigs: access } = config;
  if (!isSet(access)) return undefined;
  const isGood =
    Array.isArray(access) && access.every((one) => isRecord(one) && 'Type' in one && 'URI' in one);
  return isGood ? undefined : '`SchemaRegistryConfig.AccessConfigs` must be a list of `Type` and `URI`';
}
