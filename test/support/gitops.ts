import fs from 'node:fs';
import path from 'node:path';
import type { ControlPlaneAccess } from './control-plane.ts';
import { established } from './established.ts';
import type { KubeObject } from './kube.ts';
import { placeOfObject } from './kube-places.ts';
import { repository } from './markdown.ts';

/**
 * What Argo CD and Flux do to an object: apply it server-side under a manager of their own, and foretell by a dry run
 * what an apply would change.
 */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

interface ApplyOptions {
  readonly manager?: string;
  /** Only foretell. */
  readonly dryRun?: boolean;
}

/** Makes the kinds Application of Argo CD and Kustomization of Flux known, to check manifests of them. */
export async function applyGitOpsKinds(controlPlane: ControlPlaneAccess): Promise<void> {
  const golden = fs.readFileSync(path.join(repository, 'test/golden/gitops-crds.json'), 'utf8');
  const { kinds } = JSON.parse(golden) as { readonly kinds: readonly { readonly crd: object }[] };
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: kinds.map(({ crd }) => crd) });
  const { code, stderr } = await controlPlane.kubectl(['apply', '--server-side', '-f', '-'], { input });
  if (code !== 0) throw new Error(stderr);
  await established(controlPlane, ['-f', '-'], { input });
}

/** Server-side apply with force, as `argocd-controller` unless another manager is named. */
export async function applyServerSide(
  controlPlane: ControlPlaneAccess,
  namespace: string,
  manifest: Manifest,
  { manager = 'argocd-controller', dryRun = false }: ApplyOptions = {},
): Promise<KubeObject> {
  const query = `?fieldManager=${manager}&force=true&fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`;
  const place = await placeOfObject(controlPlane, namespace, manifest);
  const answer = await controlPlane.request(place + query, {
    method: 'PATCH',
    contentType: 'application/apply-patch+yaml',
    body: manifest,
  });
  if (answer.status > 201)
    throw new Error(`apply of ${manifest.metadata.name}: ${JSON.stringify(answer.body)}`);
  return answer.body as KubeObject;
}

/** The object as it is and as an apply by `manager` would leave it; equal where a tool shows no difference. */
export async function serverSideDiff(
  controlPlane: ControlPlaneAccess,
  namespace: string,
  manifest: Manifest,
  manager?: string,
): Promise<{ readonly live: object; readonly predicted: object }> {
  const predicted = await applyServerSide(controlPlane, namespace, manifest, {
    dryRun: true,
    ...(manager === undefined ? {} : { manager }),
  });
  return {
    live: compared(await liveObject(controlPlane, namespace, manifest)),
    predicted: compared(predicted),
  };
}

/** The managers that own a field of `spec`, each once. */
export async function specManagers(
  controlPlane: ControlPlaneAccess,
  namespace: string,
  manifest: Manifest,
): Promise<readonly string[]> {
  const { metadata } = (await liveObject(controlPlane, namespace, manifest)) as unknown as {
    readonly metadata: {
      readonly managedFields: readonly { readonly manager: string; readonly fieldsV1: object }[];
    };
  };
  const owners = metadata.managedFields.filter(({ fieldsV1 }) => 'f:spec' in fieldsV1);
  return [...new Set(owners.map(({ manager }) => manager))].toSorted();
}

/** The object as the API server has it. */
export async function liveObject(
  controlPlane: ControlPlaneAccess,
  namespace: string,
  manifest: Manifest,
): Promise<KubeObject> {
  const answer = await controlPlane.request(await placeOfObject(controlPlane, namespace, manifest));
  if (answer.status !== 200) throw new Error(`${manifest.metadata.name}: ${JSON.stringify(answer.body)}`);
  return answer.body as KubeObject;
}

/** Neither who owns what nor the status is a difference that a tool shows; the version moves with them. */
export function compared({ status: _status, ...object }: KubeObject): object {
  const {
    managedFields: _owners,
    resourceVersion: _version,
    ...metadata
  } = object.metadata as Record<string, unknown>;
  return { ...object, metadata };
}
