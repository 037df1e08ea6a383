/**
 * What AWS allows one mapping of: the source with the qualified function, and for brokers what is read there. By it a
 * mapping is found that nobody has named. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Effective } from '../../api/effective.ts';
import type { EventSourceMappingSpec } from '../../api/mapping.ts';
import type { Configuration } from './client.ts';
import { hidden, texts } from './fields/field.ts';
import { fields } from './translate.ts';

const parts: ReadonlySet<string> = new Set([
  'eventSourceARN',
  'functionName',
  'topics',
  'queues',
  'documentDBEventSourceConfig.databaseName',
  'documentDBEventSourceConfig.collectionName',
]);

/** Whether AWS would take the mapping that the spec asks for as the one it has. */
export function isSameKey(
  effective: Effective,
  spec: EventSourceMappingSpec,
  configuration: Configuration,
): boolean {
  const isSame = fields.every(({ path, desired, observed, same }) => {
    if (!parts.has(path)) return true;
    const want = desired(effective, spec);
    const have = observed(configuration, effective, want);
    return have === hidden || isDeepStrictEqual(want, have) || same?.(want, have) === true;
  });
  return isSame && isSameCluster(spec, configuration) && hostOf(spec) === hostAt(configuration);
}

/** One server in common makes a self-managed cluster the same. */
function isSameCluster(
  spec: EventSourceMappingSpec,
  { SelfManagedEventSource: found }: Configuration,
): boolean {
  const wanted = spec.selfManagedEventSource?.endpoints.KAFKA_BOOTSTRAP_SERVERS;
  if (wanted === undefined) return found === undefined;
  return texts(found?.Endpoints?.KAFKA_BOOTSTRAP_SERVERS).some((server) => wanted.includes(server));
}

function hostOf({ sourceAccessConfigurations: settings }: EventSourceMappingSpec): string {
  return settings?.find(({ type }) => type === 'VIRTUAL_HOST')?.uri ?? '/';
}

function hostAt({ SourceAccessConfigurations: settings }: Configuration): string {
  return settings?.find(({ Type }) => Type === 'VIRTUAL_HOST')?.URI ?? '/';
}
