/**
 * The whole table of AWS's half, and the requests that follow from it. Pure.
 *
 * A field that the spec leaves out means AWS's default, also after it had a value.
 */
import type { Effective } from '../../api/effective.ts';
import type { EventSourceMappingSpec } from '../../api/mapping.ts';
import type { Difference } from '../../controller/backend.ts';
import type { CreateInput, UpdateInput } from './client.ts';
import { commonFields } from './fields/common.ts';
import type { Field, Members } from './fields/field.ts';
import { sourceFields } from './fields/sources.ts';

export { hidden, type Field } from './fields/field.ts';
export { isSameFunction } from './same.ts';

/** Before the name of a member in the path of a difference. */
export const additionalPrefix = 'additionalParameters.';

/** Every field of AWS's half but tags, which have calls of their own. */
export const fields: readonly Field[] = [...commonFields, ...sourceFields];

/**
 * The request that creates the mapping: what the spec says. AWS's defaults are AWS's to fill in, since some sources
 * refuse a member even with its default; clearing values are refused, too.
 */
export function createInput(
  effective: Effective,
  spec: EventSourceMappingSpec,
  tags: Readonly<Record<string, string>>,
): CreateInput {
  const members: Members = {};
  for (const field of fields) {
    const value = field.desired(effective, spec);
    if (value === undefined || effective.origins[field.path] === 'default') continue;
    merge(members, field.input(value));
  }
  const { additionalParameters = {} } = spec;
  return {
    FunctionName: effective.values.functionName ?? '',
    ...members,
    ...additionalParameters,
    Tags: { ...tags },
  };
}

/**
 * The request that undoes the differences, but for tags; undefined when there is nothing to send. Only what differs
 * is in it: AWS checks the queue's visibility timeout against the function's whenever the function is named, and an
 * edit of the batch size must not fail for a queue that somebody changed since.
 */
export function updateInput(
  differences: readonly Difference[],
  spec: EventSourceMappingSpec,
): UpdateInput | undefined {
  const members: Members = {};
  for (const { path, desired, observed } of differences) {
    const field = fields.find((candidate) => candidate.path === path);
    // Null marks a value that AWS does not have, as against a request that creates.
    if (field !== undefined) merge(members, field.input(desired, observed ?? null));
    // One that AWS's API has and no table of ours: as it is.
    else if (path.startsWith(additionalPrefix))
      Reflect.set(members, path.slice(additionalPrefix.length), desired);
  }
  const filters = spec.filterCriteria?.filters ?? [];
  if ('KMSKeyArn' in members && !('FilterCriteria' in members) && filters.length > 0) {
    // Sent along, they need not be decrypted with the old key, which may be why it is changed.
    members.FilterCriteria = { Filters: filters.map(({ pattern }) => ({ Pattern: pattern })) };
  }
  return Object.keys(members).length === 0 ? undefined : members;
}

/** Adds members; those of one block come from several fields. */
function merge(into: Members, more: Members): void {
  for (const [name, value] of Object.entries(more)) {
    const before: unknown = Reflect.get(into, name);
    Reflect.set(into, name, isBlock(before) && isBlock(value) ? { ...before, ...value } : value);
  }
}

function isBlock(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
