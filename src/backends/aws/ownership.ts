/**
 * Whose an AWS mapping is, by its tags. Cluster, namespace and name decide; the uid is advisory, so that a rebuilt
 * cluster finds what it left behind. Pure.
 */
import type { ObjectMeta } from '../../api/meta.ts';
import type { Tags } from './client.ts';

/** Keys of the ownership tags. */
export const ownershipTags = {
  cluster: 'sluice.dev/cluster',
  namespace: 'sluice.dev/namespace',
  name: 'sluice.dev/name',
  uid: 'sluice.dev/uid',
  adopted: 'sluice.dev/adopted',
} as const;

/** Marks a mapping that was there before its object, so that a rebuilt cluster does not delete it as its own. */
export const adoptedTag: Tags = { [ownershipTags.adopted]: 'true' };

/** Whether the tags say that it was adopted. */
export function isMarkedAdopted(tags: Tags): boolean {
  return Object.hasOwn(tags, ownershipTags.adopted);
}

/** The tags that mark a mapping as the object's. */
export function tagsOf(clusterID: string, metadata: ObjectMeta): Tags {
  return {
    [ownershipTags.cluster]: clusterID,
    [ownershipTags.namespace]: metadata.namespace ?? '',
    [ownershipTags.name]: metadata.name,
    [ownershipTags.uid]: metadata.uid ?? '',
  };
}

export type Ownership =
  | { readonly kind: 'ours' }
  /** No owner's tags: made by hand, or by another tool. */
  | { readonly kind: 'nobody' }
  | { readonly kind: 'foreign'; readonly owner: string };

/** Whose the tags say a mapping is. */
export function ownershipOf(tags: Tags, clusterID: string, metadata: ObjectMeta): Ownership {
  const [cluster, namespace, name] = [ownershipTags.cluster, ownershipTags.namespace, ownershipTags.name].map(
    (key) => (Object.hasOwn(tags, key) ? tags[key] : undefined),
  );
  if (cluster === undefined && namespace === undefined && name === undefined) return { kind: 'nobody' };
  if (cluster === clusterID && namespace === metadata.namespace && name === metadata.name)
    return { kind: 'ours' };
  return { kind: 'foreign', owner: `${namespace ?? '?'}/${name ?? '?'} of cluster ${cluster ?? '?'}` };
}
