/** The schema registry of a Kafka source, between our spec and Lambda's API. Pure; the order of its lists means nothing. */
import type { EventSourceMappingSpec } from '../../../api/mapping.ts';
import type { Configuration, CreateInput } from '../client.ts';
import { defined, setOf, texts, type Field } from './field.ts';

type Block = 'amazonManagedKafkaEventSourceConfig' | 'selfManagedKafkaEventSourceConfig';
type Member = 'AmazonManagedKafkaEventSourceConfig' | 'SelfManagedKafkaEventSourceConfig';
type Wire = NonNullable<NonNullable<CreateInput[Member]>['SchemaRegistryConfig']>;

interface Registry {
  readonly schemaRegistryURI: string | undefined;
  readonly eventRecordFormat: string | undefined;
  readonly accessConfigs: readonly string[] | undefined;
  readonly schemaValidationConfigs: readonly string[] | undefined;
}

/** `BLOCK.schemaRegistryConfig`, changed in place as a whole. */
export function registryField(block: Block, member: Member, source: 'msk' | 'kafka'): Field {
  return {
    path: `${block}.schemaRegistryConfig`,
    createOnly: false,
    sources: [source],
    desired: (_, spec) => desired(spec[block]?.schemaRegistryConfig),
    observed: (found) => observed(found[member]?.SchemaRegistryConfig),
    input: (value) => ({ [member]: { SchemaRegistryConfig: wire(value) } }),
  };
}

function desired(
  found: NonNullable<EventSourceMappingSpec[Block]>['schemaRegistryConfig'],
): Partial<Registry> | undefined {
  return orUndefined({
    schemaRegistryURI: found?.schemaRegistryURI,
    eventRecordFormat: found?.eventRecordFormat,
    accessConfigs: setOf(found?.accessConfigs?.map(({ type, uri }) => `${type ?? ''} ${uri ?? ''}`)),
    schemaValidationConfigs: setOf(
      found?.schemaValidationConfigs?.flatMap(({ attribute }) => attribute ?? []),
    ),
  });
}

function observed(
  found: NonNullable<Configuration[Member]>['SchemaRegistryConfig'],
): Partial<Registry> | undefined {
  return orUndefined({
    schemaRegistryURI: found?.SchemaRegistryURI,
    eventRecordFormat: found?.EventRecordFormat,
    accessConfigs: setOf(found?.AccessConfigs?.map(({ Type, URI }) => `${Type ?? ''} ${URI ?? ''}`)),
    schemaValidationConfigs: setOf(
      found?.SchemaValidationConfigs?.flatMap(({ Attribute }) => Attribute ?? []),
    ),
  });
}

function orUndefined(registry: Registry): Partial<Registry> | undefined {
  const members = defined<Registry>(registry);
  return Object.keys(members).length === 0 ? undefined : members;
}

/** An empty object takes the registry away. */
function wire(value: unknown): Wire {
  if (value === undefined) return {};
  const registry = value as Partial<Registry>;
  return defined<Wire>({
    SchemaRegistryURI: registry.schemaRegistryURI,
    EventRecordFormat: registry.eventRecordFormat as Wire['EventRecordFormat'],
    AccessConfigs: texts(registry.accessConfigs).map((one) => {
      const at = one.indexOf(' ');
      return { Type: one.slice(0, at) as 'BASIC_AUTH', URI: one.slice(at + 1) };
    }),
    SchemaValidationConfigs: texts(registry.schemaValidationConfigs).map((one) => ({
      Attribute: one as 'KEY',
    })),
  });
}
