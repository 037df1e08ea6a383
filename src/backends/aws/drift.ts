/** What differs between the desired and the live mapping, by meaning and not by text, and how to undo it. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Effective } from '../../api/effective.ts';
import type { EventSourceMappingSpec } from '../../api/mapping.ts';
import type { Difference } from '../../controller/backend.ts';
import type { Configuration, Tags, UpdateInput } from './client.ts';
import { fields, hidden } from './translate.ts';

/** The differences of a settled mapping, in the order of the table; tags come last, one each. */
export function differencesOf(
  effective: Effective,
  spec: EventSourceMappingSpec,
  configuration: Configuration,
  desiredTags: Tags,
  observedTags: Tags,
): readonly Difference[] {
  const found: Difference[] = [];
  for (const { path, createOnly, desired, observed, same } of fields) {
    const [want, have] = [desired(effective, spec), observed(configuration)];
    if (have === hidden || isDeepStrictEqual(want, have)) continue;
    if (same?.(want, have) === true) continue;
    found.push({ path, desired: want, observed: have, createOnly });
  }
  // Tags that we do not know are somebody else's (cost allocation, policies) and stay.
  for (const [key, value] of Object.entries(desiredTags)) {
    const have = Object.hasOwn(observedTags, key) ? observedTags[key] : undefined;
    if (have !== value)
      found.push({ path: `tags.${key}`, desired: value, observed: have, createOnly: false });
  }
  return found;
}

/**
 * The request that undoes the differences, but for tags; undefined when there is nothing to send. Only what differs
 * is in it: AWS checks the queue's visibility timeout against the function's whenever the function is named, and an
 * edit of the batch size must not fail for a queue that somebody changed since.
 */
export function updateInput(differences: readonly Difference[]): UpdateInput | undefined {
  const changed = differences.flatMap(({ path, desired }) => {
    const field = fields.find((candidate) => candidate.path === path);
    return field === undefined ? [] : [field.input(desired)];
  });
  return changed.length === 0 ? undefined : Object.assign({}, ...changed);
}

/** The tags to set among the differences. */
export function tagsToSet(differences: readonly Difference[]): Tags {
  const tags: Record<string, string> = {};
  for (const { path, desired } of differences) {
    if (path.startsWith('tags.') && typeof desired === 'string') tags[path.slice('tags.'.length)] = desired;
  }
  return tags;
}
