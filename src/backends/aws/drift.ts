/** What differs between the desired and the live mapping, by meaning and not by text. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Effective } from '../../api/effective.ts';
import type { EventSourceMappingSpec } from '../../api/mapping.ts';
import type { Difference } from '../../controller/backend.ts';
import type { Configuration, Tags } from './client.ts';
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
  for (const { path, createOnly, sources, desired, observed, same } of fields) {
    const want = desired(effective, spec);
    if (want === undefined && !sources.includes(effective.source)) continue;
    const have = observed(configuration, effective, want);
    if (have === hidden || isDeepStrictEqual(want, have) || same?.(want, have) === true) continue;
    const fixed = typeof createOnly === 'function' ? createOnly(want, have) : createOnly;
    found.push({ path, desired: want, observed: have, createOnly: fixed });
  }
  // Tags that we do not know are somebody else's (cost allocation, policies) and stay.
  for (const [key, value] of Object.entries(desiredTags)) {
    const have = Object.hasOwn(observedTags, key) ? observedTags[key] : undefined;
    if (have !== value)
      found.push({ path: `tags.${key}`, desired: value, observed: have, createOnly: false });
  }
  return found;
}

/** The tags to set among the differences. */
export function tagsToSet(differences: readonly Difference[]): Tags {
  const tags: Record<string, string> = {};
  for (const { path, desired } of differences) {
    if (path.startsWith('tags.') && typeof desired === 'string') tags[path.slice('tags.'.length)] = desired;
  }
  return tags;
}
