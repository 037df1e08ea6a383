/**
 * The fields that one kind of source has: scaling of queues, Kafka, MQ, DocumentDB. Pure. AWS refuses a create-only
 * member in an update even when it is unchanged, so an update holds nothing but what differs.
 */
import type { CreateInput } from '../client.ts';
import { defined, groups, number, setOf, text, texts, type Field, type Members } from './field.ts';
import { registryField } from './registry.ts';

const { queues, kafka } = groups;

type Access = NonNullable<CreateInput['SourceAccessConfigurations']>[number];

/** Fields of single sources, in the order in which differences are told. */
export const sourceFields: readonly Field[] = [
  {
    path: 'selfManagedEventSource',
    createOnly: true,
    sources: ['kafka'],
    desired: (_, spec) => setOf(spec.selfManagedEventSource?.endpoints.KAFKA_BOOTSTRAP_SERVERS),
    observed: (found) => setOf(found.SelfManagedEventSource?.Endpoints?.KAFKA_BOOTSTRAP_SERVERS),
    input: (value) => ({
      SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: texts(value) } },
    }),
  },
  {
    path: 'topics',
    createOnly: true,
    sources: kafka,
    desired: (_, spec) => setOf(spec.topics),
    observed: (found) => setOf(found.Topics),
    input: (value) => ({ Topics: texts(value) }),
  },
  {
    path: 'queues',
    createOnly: true,
    sources: ['mq'],
    desired: (_, spec) => setOf(spec.queues),
    observed: (found) => setOf(found.Queues),
    input: (value) => ({ Queues: texts(value) }),
  },
  {
    path: 'scalingConfig.maximumConcurrency',
    createOnly: false,
    sources: queues,
    desired: ({ values }) => values.scalingConfig?.maximumConcurrency,
    observed: (found) => found.ScalingConfig?.MaximumConcurrency,
    input: (value) => ({ ScalingConfig: value === undefined ? {} : { MaximumConcurrency: number(value) } }),
  },
  {
    path: 'provisionedPollerConfig',
    createOnly: false,
    sources: [...queues, ...kafka],
    desired: ({ values }) => values.provisionedPollerConfig,
    observed: ({ ProvisionedPollerConfig: found }) =>
      found?.MinimumPollers === undefined && found?.MaximumPollers === undefined
        ? undefined
        : defined<Pollers>({
            minimumPollers: found.MinimumPollers,
            maximumPollers: found.MaximumPollers,
            pollerGroupName: found.PollerGroupName || undefined,
          }),
    input: (value, observed) => ({ ProvisionedPollerConfig: pollersInput(value, observed) }),
  },
  {
    path: 'sourceAccessConfigurations',
    createOnly: (desired, observed) => virtualHost(desired) !== virtualHost(observed),
    sources: [...kafka, 'mq', 'docdb'],
    desired: (_, spec) =>
      setOf(spec.sourceAccessConfigurations?.map(({ type, uri }) => `${type} ${uri ?? ''}`)),
    observed: (found) =>
      setOf(found.SourceAccessConfigurations?.map(({ Type, URI }) => `${Type ?? ''} ${URI ?? ''}`)),
    input: accessInput,
  },
  groupField('amazonManagedKafkaEventSourceConfig', 'AmazonManagedKafkaEventSourceConfig', 'msk'),
  registryField('amazonManagedKafkaEventSourceConfig', 'AmazonManagedKafkaEventSourceConfig', 'msk'),
  groupField('selfManagedKafkaEventSourceConfig', 'SelfManagedKafkaEventSourceConfig', 'kafka'),
  registryField('selfManagedKafkaEventSourceConfig', 'SelfManagedKafkaEventSourceConfig', 'kafka'),
  {
    path: 'selfManagedKafkaEventSourceConfig.consumptionMode',
    createOnly: true,
    sources: ['kafka'],
    desired: (_, spec) => orUndefined(spec.selfManagedKafkaEventSourceConfig?.consumptionMode, 'Stream'),
    observed: (found) => orUndefined(found.SelfManagedKafkaEventSourceConfig?.ConsumptionMode, 'Stream'),
    input: (value) => ({
      SelfManagedKafkaEventSourceConfig: { ConsumptionMode: (text(value) ?? 'Stream') as 'Stream' },
    }),
  },
  documentField('databaseName', 'DatabaseName', true),
  documentField('collectionName', 'CollectionName', true),
  documentField('fullDocument', 'FullDocument', false, 'Default'),
  {
    path: 'loggingConfig.systemLogLevel',
    createOnly: false,
    sources: kafka,
    desired: (_, spec) => spec.loggingConfig?.systemLogLevel,
    observed: (found) => found.LoggingConfig?.SystemLogLevel,
    input: (value) => ({
      LoggingConfig: value === undefined ? {} : { SystemLogLevel: text(value) as 'INFO' },
    }),
  },
];

interface Pollers {
  readonly minimumPollers?: number;
  readonly maximumPollers?: number;
  readonly pollerGroupName?: string;
}

function pollersInput(
  value: unknown,
  observed: unknown,
): NonNullable<CreateInput['ProvisionedPollerConfig']> {
  // An empty object leaves provisioned mode; an empty name leaves the group.
  if (value === undefined) return {};
  const { minimumPollers, maximumPollers, pollerGroupName } = value as Pollers;
  const had = (observed as Pollers | undefined)?.pollerGroupName !== undefined;
  return defined({
    MinimumPollers: minimumPollers,
    MaximumPollers: maximumPollers,
    PollerGroupName: pollerGroupName ?? (had ? '' : undefined),
  });
}

function virtualHost(value: unknown): string | undefined {
  return texts(value).find((one) => one.startsWith('VIRTUAL_HOST '));
}

/** The virtual host is in the request that creates only: AWS refuses it in an update even when it is unchanged. */
function accessInput(value: unknown, observed?: unknown): Members {
  const isUpdate = observed !== undefined;
  const entries = texts(value)
    .filter((one) => !isUpdate || !one.startsWith('VIRTUAL_HOST '))
    .map((one): Access => {
      const at = one.indexOf(' ');
      const uri = one.slice(at + 1);
      return { Type: one.slice(0, at) as NonNullable<Access['Type']>, ...(uri === '' ? {} : { URI: uri }) };
    });
  return { SourceAccessConfigurations: entries };
}

/** The consumer group; without one AWS uses the UUID of the mapping, which counts as none. */
function groupField(
  block: 'amazonManagedKafkaEventSourceConfig' | 'selfManagedKafkaEventSourceConfig',
  member: 'AmazonManagedKafkaEventSourceConfig' | 'SelfManagedKafkaEventSourceConfig',
  source: 'msk' | 'kafka',
): Field {
  return {
    path: `${block}.consumerGroupID`,
    createOnly: true,
    sources: [source],
    desired: (_, spec) => spec[block]?.consumerGroupID,
    observed: (found, _, desired) => {
      const group = found[member]?.ConsumerGroupId;
      return group === found.UUID && desired !== group ? undefined : group;
    },
    input: (value) => ({ [member]: { ConsumerGroupId: text(value) } }),
  };
}

function documentField(
  name: 'databaseName' | 'collectionName' | 'fullDocument',
  member: 'DatabaseName' | 'CollectionName' | 'FullDocument',
  createOnly: boolean,
  fallback?: string,
): Field {
  return {
    path: `documentDBEventSourceConfig.${name}`,
    createOnly,
    sources: ['docdb'],
    desired: (_, spec) => orUndefined(spec.documentDBEventSourceConfig?.[name], fallback),
    observed: (found) => orUndefined(found.DocumentDBEventSourceConfig?.[member], fallback),
    input: (value) => ({ DocumentDBEventSourceConfig: { [member]: text(value) ?? fallback } }),
  };
}

/** The default is told as no value, so that both ways of saying it are equal. */
function orUndefined(value: string | undefined, fallback: string | undefined): string | undefined {
  return value === '' || value === fallback ? undefined : value;
}
