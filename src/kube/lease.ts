/**
 * Lease objects of coordination.k8s.io/v1: read, create, replace by compare-and-swap, delete. The two users are
 * leader election and the announcement of members; the rules are theirs.
 */
import type { OwnerReference } from '../api/meta.ts';
import type { ApiClient } from './api-client.ts';
import { isKubeError } from './kube-error.ts';
import { leases, microTime, type KubeObject } from './resource.ts';

/** The spec of a Lease. Times are RFC 3339 by somebody else's wall clock: to be shown, never to be compared. */
export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

/** A Lease to be created, or the parts of one to be replaced. */
export interface LeaseContent {
  readonly spec: LeaseSpec;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

/** One Lease by name. Every method rejects with `KubeError`. */
export interface LeaseAccess {
  /** For messages: `namespace/name`. */
  readonly describe: string;
  /** Undefined when it does not exist. */
  read(signal: AbortSignal): Promise<Lease | undefined>;
  /** `AlreadyExists` when somebody else was faster. */
  create(content: LeaseContent, signal: AbortSignal): Promise<Lease>;
  /** Writes only if `current` is still the stored one, else `Conflict`; keeps labels and annotations of others. */
  replace(current: Lease, content: LeaseContent, signal: AbortSignal): Promise<Lease>;
  /** Deletes it if it still is this object; a Lease that is gone already is no error. */
  remove(current: Lease, signal: AbortSignal): Promise<void>;
}

/** The Lease `name` in `namespace`. `timeoutMs` bounds each call; keep it well below the renew deadline. */
export function leaseAccess(
  api: Pick<ApiClient, 'get' | 'create' | 'replace' | 'delete'>,
  namespace: string,
  name: string,
  timeoutMs: number,
): LeaseAccess {
  const path = leases.object(namespace, name);
  return {
    describe: `${namespace}/${name}`,
    read: async (signal) => {
      try {
        return await api.get<Lease>(path, { signal, timeoutMs });
      } catch (error) {
        if (isKubeError(error, 'NotFound')) return undefined;
        throw error;
      }
    },
    create: (content, signal) =>
      api.create<Lease>(
        leases.collection(namespace),
        {
          apiVersion: leases.apiVersion,
          kind: leases.kind,
          metadata: {
            name,
            namespace,
            ...(content.labels === undefined ? {} : { labels: content.labels }),
            ...(content.annotations === undefined ? {} : { annotations: content.annotations }),
            ...(content.ownerReferences === undefined ? {} : { ownerReferences: content.ownerReferences }),
          },
          spec: content.spec,
        },
        { signal, timeoutMs },
      ),
    replace: (current, content, signal) =>
      api.replace<Lease>(
        path,
        {
          ...current,
          apiVersion: leases.apiVersion,
          kind: leases.kind,
          metadata: {
            ...current.metadata,
            labels: { ...current.metadata.labels, ...content.labels },
            annotations: { ...current.metadata.annotations, ...content.annotations },
          },
          spec: content.spec,
        },
        { signal, timeoutMs },
      ),
    remove: async (current, signal) => {
      const { uid, resourceVersion } = current.metadata;
      try {
        await api.delete(path, {
          signal,
          timeoutMs,
          preconditions: {
            ...(uid === undefined ? {} : { uid }),
            ...(resourceVersion === undefined ? {} : { resourceVersion }),
          },
        });
      } catch (error) {
        if (!isKubeError(error, 'NotFound')) throw error;
      }
    },
  };
}

/** A spec that says "I hold it since, and renewed it at". */
export function heldSpec(facts: {
  readonly identity: string;
  readonly durationMs: number;
  readonly acquireTime: string;
  readonly nowMs: number;
  readonly transitions: number;
}): LeaseSpec {
  return {
    holderIdentity: facts.identity,
    leaseDurationSeconds: Math.ceil(facts.durationMs / 1000),
    acquireTime: facts.acquireTime,
    renewTime: microTime(facts.nowMs),
    leaseTransitions: facts.transitions,
  };
}

/** A spec that says "nobody holds it": anyone may take it at once. */
export function releasedSpec(current: Lease, nowMs: number): LeaseSpec {
  return {
    holderIdentity: '',
    // client-go's value: the field must be positive.
    leaseDurationSeconds: 1,
    acquireTime: microTime(nowMs),
    renewTime: microTime(nowMs),
    leaseTransitions: current.spec?.leaseTransitions ?? 0,
  };
}
