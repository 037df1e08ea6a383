/**
 * What a field of AWS's half is between our spec and Lambda's API, and the few shapes that most fields have. Pure.
 * It holds no field itself.
 */
import type { Effective, SourceKind } from '../../../api/effective.ts';
import type { EventSourceMappingSpec } from '../../../api/mapping.ts';
import type { Configuration, CreateInput, UpdateInput } from '../client.ts';

/** A value that AWS did not show: encrypted filters without the key. Never a difference. */
export const hidden: unique symbol = Symbol('hidden');

/** Members of a request. */
export type Members = Partial<CreateInput & UpdateInput>;

export interface Field {
  /** Dotted path below `spec`. It stands for all fields below it. */
  readonly path: string;
  /** AWS cannot change it on a live mapping; a function where that depends on what is changed. */
  readonly createOnly: boolean | ((desired: unknown, observed: unknown) => boolean);
  /** Sources of which AWS knows the field; for others it counts only when the spec asks for it. */
  readonly sources: readonly SourceKind[];
  /** Plain JSON; undefined where the field is to have no value. */
  readonly desired: (effective: Effective, spec: EventSourceMappingSpec) => unknown;
  /** In the same form, with AWS's default where AWS leaves it out; `hidden` where it does not show it. */
  readonly observed: (configuration: Configuration, effective: Effective, desired: unknown) => unknown;
  /** Whether the two mean the same where they are not deeply equal. */
  readonly same?: (desired: unknown, observed: unknown) => boolean;
  /**
   * Members of the request that set the value, or clear it when it is undefined. `observed` is given for an update
   * alone: null where the mapping has no value.
   */
  readonly input: (value: unknown, observed?: unknown) => Members;
}

const queues: readonly SourceKind[] = ['sqs', 'sqs-fifo'];
const streams: readonly SourceKind[] = ['kinesis', 'kinesis-consumer', 'dynamodb'];
const kafka: readonly SourceKind[] = ['msk', 'kafka'];

/** Groups of sources. */
export const groups = {
  queues,
  streams,
  kafka,
  all: [...queues, ...streams, ...kafka, 'mq', 'docdb', 'unknown'],
} as const satisfies Readonly<Record<string, readonly SourceKind[]>>;

export const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
export const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];

/** A list without meaning in its order: sorted, each once; undefined when it is empty. */
export function setOf(list: readonly string[] | undefined): readonly string[] | undefined {
  return list === undefined || list.length === 0 ? undefined : [...new Set(list)].sort();
}

/** Members without those that are undefined. */
export function defined<T extends object>(members: {
  readonly [K in keyof T]: T[K] | undefined;
}): Partial<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>;
}

type NumberName =
  | 'batchSize'
  | 'parallelizationFactor'
  | 'tumblingWindowInSeconds'
  | 'maximumRetryAttempts'
  | 'maximumRecordAgeInSeconds';

/** A number that always has a value: the default is explicit, and sending it restores it. */
export function numberField(
  path: NumberName,
  member:
    | 'BatchSize'
    | 'ParallelizationFactor'
    | 'TumblingWindowInSeconds'
    | 'MaximumRetryAttempts'
    | 'MaximumRecordAgeInSeconds',
  sources: readonly SourceKind[],
  fallback: (configuration: Configuration, effective: Effective) => number,
): Field {
  return {
    path,
    createOnly: false,
    sources,
    desired: ({ values }) => values[path],
    observed: (found, effective) => found[member] ?? fallback(found, effective),
    input: (value) => ({ [member]: number(value) }),
  };
}
