/** What differs between the desired and the live mapping, by meaning and not by text. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Effective } from '../../api/effective.ts';
import type { EventSourceMappingSpec } from '../../api/mapping.ts';
import type { Difference } from '../../controller/backend.ts';
import type { Configuration, Tags } from './client.ts';
import { additionalPrefix, fields, hidden } from './translate.ts';

/** Tags as they are to be, as they are, and which of them are Sluice's. */
export interface TagSituation {
  readonly desired: Tags;
  readonly observed: Tags;
  /** Keys that were set from the spec, as status remembers: what is no longer desired of them is removed. */
  readonly ours: readonly string[];
}

/** The differences of a settled mapping, in the order of the table; tags come last, one each. */
export function differencesOf(
  effective: Effective,
  spec: EventSourceMappingSpec,
  configuration: Configuration,
  tags: TagSituation,
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
  for (const [name, want] of Object.entries(spec.additionalParameters ?? {})) {
    const have: unknown = Reflect.get(configuration, name);
    // What AWS does not show cannot be compared.
    if (have === undefined || holds(have, want)) continue;
    found.push({ path: additionalPrefix + name, desired: want, observed: have, createOnly: false });
  }
  // Tags that we did not set are somebody else's (cost allocation, policies) and stay.
  for (const key of new Set([...Object.keys(tags.desired), ...tags.ours])) {
    const [want, have] = [own(tags.desired, key), own(tags.observed, key)];
    if (have !== want) found.push({ path: `tags.${key}`, desired: want, observed: have, createOnly: false });
  }
  return found;
}

/** Whether all that is wanted is there; AWS may show defaults beside it. */
function holds(have: unknown, want: unknown): boolean {
  if (!isObject(have) || !isObject(want)) return isDeepStrictEqual(have, want);
  return Object.entries(want).every(([name, value]) => holds(have[name], value));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The keys that Sluice has set from the spec and has to remove with it: those of now, and earlier ones still there. */
export function keysSet(
  specTags: Tags,
  { observed, ours }: Omit<TagSituation, 'desired'>,
): readonly string[] {
  const kept = ours.filter((key) => own(observed, key) !== undefined);
  return [...new Set([...Object.keys(specTags), ...kept])].sort();
}

function own(tags: Tags, key: string): string | undefined {
  return Object.hasOwn(tags, key) ? tags[key] : undefined;
}

/** The tags to set among the differences. */
export function tagsToSet(differences: readonly Difference[]): Tags {
  const tags: Record<string, string> = {};
  for (const { path, desired } of differences) {
    if (path.startsWith('tags.') && typeof desired === 'string') tags[path.slice('tags.'.length)] = desired;
  }
  return tags;
}

/** The keys to remove among the differences. */
export function tagsToRemove(differences: readonly Difference[]): readonly string[] {
  return differences
    .filter(({ path, desired }) => path.startsWith('tags.') && desired === undefined)
    .map(({ path }) => path.slice('tags.'.length));
}
