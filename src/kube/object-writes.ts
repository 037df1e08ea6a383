/**
 * The few writes that Sluice makes to objects it shares with their users: status and finalizer. Each writes nothing
 * when nothing would change, and fails with `Conflict` when the object is not what the caller has seen: it changed, or
 * is another of the same name. So a status never speaks of a spec that nobody looked at, and a leader of yesterday
 * cannot write over today's.
 *
 * Status is written by server-side apply with the manager `sluice-status`. It says what the whole status is: fields
 * that are left out go away, and what others own stays; a merge patch would need a null for every field that ends, and
 * a PUT would carry spec and metadata along. It is forced, since nobody else may own these fields. The version in the
 * body is the lock; of custom resources the API server does not check a uid there. Cost: a managedFields entry, which
 * the reflector drops.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ApiClient } from './api-client.ts';
import type { JsonPatchOperation } from './calls.ts';
import { isKubeError, KubeError } from './kube-error.ts';
import type { KubeObject, Resource } from './resource.ts';

/** The field manager of status writes. */
export const statusManager = 'sluice-status';
/** The field manager of writes to metadata. */
export const metadataManager = 'sluice';

/**
 * Makes `status` the status of the object and gives the object as stored; undefined, without any request, when
 * `current` already has it. Rejects with `Conflict` or `NotFound` when `current` is not the present object.
 */
export async function applyStatus<T extends KubeObject & { readonly status?: object }>(
  api: Pick<ApiClient, 'patch'>,
  resource: Resource,
  current: T,
  status: object,
  signal: AbortSignal,
): Promise<T | undefined> {
  const wanted = plain(status);
  if (isDeepStrictEqual(plain(current.status ?? {}), wanted)) return undefined;
  const { name, namespace, resourceVersion } = current.metadata;
  return api.patch<T>(
    `${resource.object(namespace, name)}/status`,
    {
      kind: 'apply',
      fieldManager: statusManager,
      force: true,
      body: {
        apiVersion: resource.apiVersion,
        kind: resource.kind,
        metadata: { name, namespace, resourceVersion },
        status: wanted,
      },
    },
    { signal },
  );
}

/** Adds the finalizer and gives the object as stored; undefined, without any request, when it has it. */
export async function addFinalizer<T extends KubeObject>(
  api: Pick<ApiClient, 'patch'>,
  resource: Resource,
  current: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<T | undefined> {
  const finalizers = current.metadata.finalizers ?? [];
  if (finalizers.includes(finalizer)) return undefined;
  return patchMetadata<T>(api, resource, current, signal, [
    finalizers.length === 0
      ? { op: 'add', path: '/metadata/finalizers', value: [finalizer] }
      : { op: 'add', path: '/metadata/finalizers/-', value: finalizer },
  ]);
}

/**
 * Removes the finalizer and gives the object as stored; undefined, without any request, when it does not have it, and
 * also when the object is gone.
 */
export async function removeFinalizer<T extends KubeObject>(
  api: Pick<ApiClient, 'patch'>,
  resource: Resource,
  current: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<T | undefined> {
  const index = (current.metadata.finalizers ?? []).indexOf(finalizer);
  if (index < 0) return undefined;
  const path = `/metadata/finalizers/${index}`;
  try {
    return await patchMetadata<T>(api, resource, current, signal, [
      { op: 'test', path, value: finalizer },
      { op: 'remove', path },
    ]);
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** Changes the object only if it still is what `current` says, else `Conflict`. */
async function patchMetadata<T extends KubeObject>(
  api: Pick<ApiClient, 'patch'>,
  resource: Resource,
  current: T,
  signal: AbortSignal,
  operations: readonly JsonPatchOperation[],
): Promise<T> {
  const { name, namespace, uid, resourceVersion } = current.metadata;
  const tests: JsonPatchOperation[] = [
    { op: 'test', path: '/metadata/uid', value: uid },
    { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
  ];
  try {
    return await api.patch<T>(
      resource.object(namespace, name),
      { kind: 'json', fieldManager: metadataManager, body: [...tests, ...operations] },
      { signal },
    );
  } catch (error) {
    // The API server answers a failed test with 422 and this sentence; 422 for a rule of the CRD names the rule.
    throw isKubeError(error, 'Invalid') && error.message.includes('rejected our request')
      ? conflict(error)
      : error;
  }
}

function conflict(error: KubeError): KubeError {
  return new KubeError(error.message, { status: 409, reason: 'Conflict', cause: error });
}

/** As the API server would store it: without undefined members. */
function plain(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object;
}
