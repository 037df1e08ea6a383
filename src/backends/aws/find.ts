/**
 * Which AWS mapping is an object's: by the UUID of its status, by the annotation `sluice.dev/adopt-uuid`, by the
 * ownership tags, and where adoption is allowed by source and function. Reads only.
 *
 * What the tags give to another owner is never the object's, except to look at. What no tag gives to anybody is the
 * object's once it was adopted; its tags are written with the first change, so that adopting changes nothing.
 */
import { completeArn } from '../../api/arn.ts';
import type { Effective } from '../../api/effective.ts';
import { annotations } from '../../api/meta.ts';
import type { Observation, Subject } from '../../controller/backend.ts';
import type { Configuration, Freshness, MappingApi, Tags } from './client.ts';
import { arnOf } from './facts.ts';
import { isSameKey } from './natural-key.ts';
import { isMarkedAdopted, ownershipOf, tagsOf } from './ownership.ts';

/** The object's mapping. */
export interface Ours {
  readonly kind: 'ours';
  readonly configuration: Configuration;
  readonly tags: Tags;
  /** It existed before the object. */
  readonly adopted: boolean;
  /** Its tags say whose it is. */
  readonly claimed: boolean;
}

/** What was found where the mapping is to be. */
export type Found = Ours | Extract<Observation, { readonly kind: 'missing' | 'refused' }>;

/** What a look is for: `observe` takes whatever is there, `release` adopts nothing. */
export type Purpose = 'manage' | 'observe' | 'release';

export interface Search {
  readonly api: MappingApi;
  readonly clusterID: string;
  readonly subject: Omit<Subject, 'pool'>;
  readonly purpose: Purpose;
  readonly signal: AbortSignal;
  /** What is found may be acted upon only if it is not merely `recent`. */
  readonly freshness: Freshness;
}

/** Finds the object's mapping. */
export async function find(search: Search): Promise<Found> {
  const { api, subject, signal, freshness } = search;
  const known = subject.mapping.status?.mapping;
  const found = known?.uuid === undefined ? undefined : await api.get(known.uuid, signal, freshness);
  // On its way out its tags may be gone already, and nobody can take it over any more: it is waited for.
  if (found?.State === 'Deleting')
    return { kind: 'ours', configuration: found, tags: {}, adopted: known?.adopted === true, claimed: true };
  if (found !== undefined) return claim(search, found);
  const here = (await findNamed(search)) ?? (await findByTagsOrKey(search));
  return here.kind === 'missing' ? ((await findStray(search)) ?? here) : here;
}

/**
 * What was created for another source: a pass that was cut off before it could store the UUID, and an edit of the
 * source before the next one. Only an object that was edited and knows of no mapping can have one.
 */
async function findStray(search: Search): Promise<Ours | undefined> {
  const { api, subject, purpose, signal } = search;
  const { metadata, status } = subject.mapping;
  const { functionName } = subject.effective.values;
  const mayHave = (metadata.generation ?? 1) > 1 && status?.mapping?.uuid === undefined;
  if (purpose === 'observe' || !mayHave || functionName === undefined) return undefined;
  for (const candidate of await api.listByFunction(functionName, signal, 'now')) {
    if (candidate.State === 'Deleting') continue;
    const found = await claim(search, candidate, false);
    if (found.kind === 'ours' && found.claimed) return found;
  }
  return undefined;
}

/** The one that the annotation names; undefined when it names none, or one that was taken over and is gone. */
async function findNamed(search: Search): Promise<Found | undefined> {
  const { api, subject, purpose, signal } = search;
  const { mapping, effective } = subject;
  const named = mapping.metadata.annotations?.[annotations.adoptUUID]?.toLowerCase();
  if (named === undefined || purpose === 'release' || named === mapping.status?.mapping?.uuid)
    return undefined;
  const about = `\`${annotations.adoptUUID}\` must be the UUID of an AWS mapping of this source and function; found ${JSON.stringify(named.slice(0, 80))}`;
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(named))
    return { kind: 'refused', reason: 'InvalidSpec', message: about };
  const found = await api.get(named, signal);
  if (found === undefined || found.State === 'Deleting')
    return { kind: 'refused', reason: 'MappingNotFound', message: `${about}, which does not exist` };
  if (!isSameKey(effective, mapping.spec, found)) {
    const what = `${found.EventSourceArn ?? 'self-managed Kafka'} with ${found.FunctionArn ?? 'no function'}`;
    return { kind: 'refused', reason: 'Conflict', message: `${about}, which is of ${what}` };
  }
  return claim(search, found);
}

/** Among all mappings of the source: the one with our tags, else the one that AWS would not have twice. */
async function findByTagsOrKey(search: Search): Promise<Found> {
  const { api, subject, signal, purpose, freshness } = search;
  const { adoptionPolicy } = subject.effective.values;
  // AWS refuses to make a second mapping; one that is looked for must not be overlooked.
  const mayMiss =
    purpose === 'release'
      ? subject.mapping.status?.mapping?.uuid !== undefined
      : purpose === 'manage' && adoptionPolicy !== 'IfExists';
  const matches: Found[] = [];
  const same: Configuration[] = [];
  for (const candidate of await candidates(api, subject.effective, signal, mayMiss ? freshness : 'now')) {
    // List may lag behind Get: what is on its way out is in nobody's way.
    if (candidate.State === 'Deleting') continue;
    const isSame = isSameKey(subject.effective, subject.mapping.spec, candidate);
    const found = await claim(search, candidate, isSame);
    if (found.kind === 'ours' && found.claimed) return found;
    if (!isSame) continue;
    matches.push(found);
    same.push(candidate);
  }
  if (matches.length < 2) return matches[0] ?? { kind: 'missing' };
  const uuids = same.map(({ UUID: uuid = '' }) => uuid).join(', ');
  const message = `AWS has several mappings of this source and function: ${uuids}. Name one by the annotation \`${annotations.adoptUUID}\``;
  return { kind: 'refused', reason: 'AmbiguousMapping', message };
}

/** Where a mapping that is not known by its UUID may be found. */
async function candidates(
  api: MappingApi,
  { values }: Effective,
  signal: AbortSignal,
  freshness: Freshness,
): Promise<readonly Configuration[]> {
  const { eventSourceARN: source, functionName } = values;
  if (source === undefined)
    return functionName === undefined ? [] : api.listByFunction(functionName, signal, freshness);
  // Nothing can have been created for an ARN that is not complete.
  return completeArn(source, {}).kind === 'complete' ? api.list(source, signal, freshness) : [];
}

/**
 * The tags of a mapping that is in force as its status says: List does not show them, and a call for each mapping would
 * be what the sweep saves. They are read anew before anything is changed.
 */
function presumedTags({ clusterID, subject, purpose }: Search, uuid: string): Tags | undefined {
  const { metadata, spec, status } = subject.mapping;
  const isInForce = status?.conditions?.some(
    ({ type, status: value, observedGeneration }) =>
      type === 'Ready' && value === 'True' && observedGeneration === metadata.generation,
  );
  if (purpose === 'release' || isInForce !== true || status?.mapping?.uuid !== uuid) return undefined;
  return status.mapping.adopted === true
    ? { ...spec.tags }
    : { ...spec.tags, ...tagsOf(clusterID, metadata) };
}

/**
 * What proves to one that lets its mapping go that it is its own. Only where its status knows the mapping: whether it
 * was adopted is then known too, which an index that lags may not show.
 */
function proofOf(
  { clusterID, subject, purpose }: Search,
  uuid: string,
): ((tags: Tags) => boolean) | undefined {
  const { metadata, status } = subject.mapping;
  if (purpose !== 'release' || status?.mapping?.uuid !== uuid) return undefined;
  return (tags) => ownershipOf(tags, clusterID, metadata).kind === 'ours';
}

/** Whether a mapping is the object's, by its tags and by what the object may adopt. */
export async function claim(search: Search, configuration: Configuration, isSame = true): Promise<Found> {
  const { api, clusterID, subject, purpose, signal, freshness } = search;
  const { mapping, effective } = subject;
  const { UUID: uuid = '' } = configuration;
  const [arn, presumed, proof] = [arnOf(configuration), presumedTags(search, uuid), proofOf(search, uuid)];
  const tags = await api.tags(arn, signal, freshness, presumed, proof);
  const known = mapping.status?.mapping;
  const wasAdopted = known?.uuid === uuid && known.adopted === true;
  const ownership = ownershipOf(tags, clusterID, mapping.metadata);
  const ours = (adopted: boolean): Ours => {
    return { kind: 'ours', configuration, tags, adopted, claimed: ownership.kind === 'ours' };
  };
  if (ownership.kind === 'ours') return ours(wasAdopted || isMarkedAdopted(tags));
  if (purpose === 'observe') return ours(wasAdopted);
  if (ownership.kind === 'foreign') {
    const message = `The AWS mapping ${uuid} belongs to ${ownership.owner}, by its tags`;
    return { kind: 'refused', reason: 'ForeignOwner', message };
  }
  if (wasAdopted) return ours(true);
  const named = mapping.metadata.annotations?.[annotations.adoptUUID]?.toLowerCase() === uuid;
  const mayAdopt = named || effective.values.adoptionPolicy === 'IfExists';
  if (isSame && mayAdopt && purpose === 'manage') return ours(true);
  const message = `AWS has the mapping ${uuid} of this source and function, and no tags say whose it is. To take it over set \`adoptionPolicy: IfExists\`, or the annotation \`${annotations.adoptUUID}: ${uuid}\``;
  return { kind: 'refused', reason: 'Conflict', message };
}
