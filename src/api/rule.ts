/**
 * What a rule between fields is: CEL for the API server and a predicate with the same verdict for everything that
 * runs without one. A test sends every rule's cases through both.
 */
import type { EventSourceMappingSpec } from './mapping.ts';
import type { ValidationNode } from './schema.ts';

export interface Rule {
  /** Stable name, for the list of cases. */
  readonly name: string;
  /** Schema node that carries the rule: dotted path from the root, `[]` for items, `{}` for values of a map. */
  readonly at: string;
  /** Field that the problem is about, below `at`: `.batchSize`. Absent: the node itself. */
  readonly fieldPath?: string;
  readonly cel: string;
  readonly message: string;
  readonly reason?: NonNullable<ValidationNode['reason']>;
  /** Compares with the stored object; not looked at on create. */
  readonly transition?: true;
  /** True when the value keeps the rule. Called only with values that the structure accepts. */
  readonly holds: (self: unknown, old: unknown) => boolean;
}

/** A rule on the values of type `T`. */
export function rule<T>(parts: Omit<Rule, 'holds'> & { readonly holds: (self: T, old: T) => boolean }): Rule {
  // The structure was checked against the very schema that `T` comes from.
  return { ...parts, holds: parts.holds as Rule['holds'] };
}

/** A rule on `spec` of a mapping. */
export function specRule(
  parts: Omit<Rule, 'holds' | 'at'> & {
    readonly holds: (self: EventSourceMappingSpec, old: EventSourceMappingSpec) => boolean;
  },
): Rule {
  return rule<EventSourceMappingSpec>({ at: 'spec', ...parts });
}

/** Services of an event source ARN that rules know; `self` is self-managed Kafka, which has no ARN. */
export type Service = 'sqs' | 'kinesis' | 'dynamodb' | 'kafka' | 'mq' | 'rds' | 'self';

const names: Readonly<Record<Service, string>> = {
  sqs: 'SQS',
  kinesis: 'Kinesis',
  dynamodb: 'DynamoDB',
  kafka: 'MSK',
  mq: 'MQ',
  rds: 'DocumentDB',
  self: 'self-managed Kafka',
};

const everyService = Object.keys(names) as Service[];

/** CEL that is true when the source is one of `services`. */
export function sourceIs(...services: readonly Service[]): string {
  const arn = services.filter((service) => service !== 'self');
  const parts = services.includes('self') ? ['has(self.selfManagedEventSource)'] : [];
  if (arn.length > 0) {
    const pattern = arn.length === 1 ? arn[0] : `(${arn.join('|')})`;
    parts.push(`(has(self.eventSourceARN) && self.eventSourceARN.matches('^arn:[^:]+:${pattern}:'))`);
  }
  return parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(' || ')})`;
}

/** The predicate of `sourceIs`. */
export function hasSource(spec: EventSourceMappingSpec, ...services: readonly Service[]): boolean {
  const service = spec.eventSourceARN?.split(':')[2];
  return services.some((one) =>
    one === 'self' ? spec.selfManagedEventSource !== undefined : one === service,
  );
}

/**
 * A field that some sources do not take. It names those that do not, so that a source AWS adds later is left to AWS.
 */
export function notFor(field: keyof EventSourceMappingSpec, services: readonly Service[]): Rule {
  const rest = everyService.filter((service) => !services.includes(service)).map((service) => names[service]);
  return specRule({
    name: `${field} only for its sources`,
    fieldPath: `.${field}`,
    cel: `!has(self.${field}) || !${sourceIs(...services)}`,
    message: `\`${field}\` must not be set for this source; it is for ${rest.join(', ')}`,
    reason: 'FieldValueForbidden',
    holds: (spec) => spec[field] === undefined || !hasSource(spec, ...services),
  });
}

/** A field that some sources need. */
export function requiredFor(field: keyof EventSourceMappingSpec, services: readonly Service[]): Rule {
  return specRule({
    name: `${field} required by its sources`,
    fieldPath: `.${field}`,
    cel: `has(self.${field}) || !${sourceIs(...services)}`,
    message: `\`${field}\` must be set for ${services.map((service) => names[service]).join(' and ')}`,
    reason: 'FieldValueRequired',
    holds: (spec) => spec[field] !== undefined || !hasSource(spec, ...services),
  });
}
