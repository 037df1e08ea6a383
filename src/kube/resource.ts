/** Kubernetes objects and where the API server keeps them. Pure: names in, paths out. */
import type { ObjectMeta } from '../api/meta.ts';

/** Any Kubernetes object, as far as the plumbing reads it. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** A page of a list. */
export interface KubeList<T> {
  readonly metadata: {
    readonly resourceVersion?: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly T[];
}

/** A kind of object of the API server. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** `group/version`, or the version alone in the core group. */
  readonly apiVersion: string;
  /** Path of the collection: in one namespace, or in all when it is left out. */
  collection(namespace?: string): string;
  /** Path of one object. Throws `RangeError` when a namespace is missing or too much. */
  object(namespace: string | undefined, name: string): string;
}

/** What `resource` needs to know. `group` is empty for the core group. */
export interface ResourceNames {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** A typed handle for one kind, giving its paths. Names are escaped, so a hostile one cannot reach another path. */
export function resource(names: ResourceNames): Resource {
  const apiVersion = names.group === '' ? names.version : `${names.group}/${names.version}`;
  const root = names.group === '' ? `/api/${names.version}` : `/apis/${apiVersion}`;
  const collection = (namespace?: string): string => {
    if (namespace === undefined) return `${root}/${names.plural}`;
    if (!names.namespaced) throw new RangeError(`\`${names.plural}\` has no namespaces`);
    return `${root}/namespaces/${segment(namespace)}/${names.plural}`;
  };
  return {
    ...names,
    apiVersion,
    collection,
    object: (namespace, name) => {
      if (names.namespaced && namespace === undefined)
        throw new RangeError(`\`${names.plural}\` needs a namespace`);
      return `${collection(namespace)}/${segment(name)}`;
    },
  };
}

function segment(name: string): string {
  // A dot segment would be resolved away by URL parsers and proxies.
  if (name === '' || name === '.' || name === '..')
    throw new RangeError(`\`${name}\` is not an object's name`);
  return encodeURIComponent(name);
}

/** `namespace/name`, or the name alone for objects without a namespace: the key of stores and queues. */
export function keyOf(object: KubeObject): string {
  return objectKey(object.metadata.namespace, object.metadata.name);
}

/** The key of the object with this namespace and name. */
export function objectKey(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** The way back from `keyOf`. */
export function splitKey(key: string): { readonly namespace: string | undefined; readonly name: string } {
  const slash = key.indexOf('/');
  return slash < 0
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** Time in Kubernetes' MicroTime: RFC 3339 in UTC with six digits after the point. */
export function microTime(epochMs: number): string {
  return new Date(Math.floor(epochMs)).toISOString().replace('Z', '000Z');
}

export const leases = resource({
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
});

export const events = resource({
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
});
