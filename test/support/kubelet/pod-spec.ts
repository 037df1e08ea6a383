/**
 * The part of a Pod that this kubelet understands, and what a container of it gets: environment, arguments, volumes.
 * What it does not understand is an error, so that nothing in a manifest is passed over in silence.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { ControlPlaneAccess } from '../control-plane.ts';
import type { Mount } from './container.ts';

export interface KeyRef {
  readonly name: string;
  readonly key: string;
  readonly optional?: boolean;
}
interface FieldRef {
  readonly fieldPath: string;
}
export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly fieldRef?: FieldRef;
    readonly secretKeyRef?: KeyRef;
    readonly configMapKeyRef?: KeyRef;
  };
}
export interface Probe {
  readonly httpGet?: { readonly path?: string; readonly port: number | string };
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}
interface Item {
  readonly key: string;
  readonly path: string;
}
interface Files {
  readonly items?: readonly Item[];
  readonly optional?: boolean;
}
interface Projection {
  readonly serviceAccountToken?: {
    readonly audience?: string;
    readonly expirationSeconds?: number;
    readonly path: string;
  };
  readonly configMap?: Files & { readonly name: string };
  readonly secret?: Files & { readonly name: string };
  readonly downwardAPI?: {
    readonly items?: readonly { readonly path: string; readonly fieldRef?: FieldRef }[];
  };
}
export interface Volume {
  readonly name: string;
  readonly configMap?: Files & { readonly name: string };
  readonly secret?: Files & { readonly secretName: string };
  readonly emptyDir?: object;
  readonly projected?: { readonly sources: readonly Projection[] };
}
export interface PodContainer {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
    readonly subPath?: string;
  }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly securityContext?: {
    readonly runAsUser?: number;
    readonly runAsGroup?: number;
    readonly runAsNonRoot?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
  };
}
export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
  };
  readonly spec: {
    readonly serviceAccountName?: string;
    readonly containers: readonly PodContainer[];
    readonly initContainers?: readonly unknown[];
    readonly volumes?: readonly Volume[];
    readonly securityContext?: PodContainer['securityContext'];
    readonly terminationGracePeriodSeconds?: number;
    readonly nodeName?: string;
  };
  readonly status?: { readonly phase?: string };
}

/** What a pod is made from, besides its own object. */
export interface Surroundings {
  readonly controlPlane: ControlPlaneAccess;
  readonly address: string;
  readonly nodeName: string;
}

/** The environment that the pod's spec gives, over that of the image. */
export async function environmentOf(
  pod: Pod,
  container: PodContainer,
  around: Surroundings,
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef !== undefined) found[name] = fieldOf(pod, valueFrom.fieldRef, around);
    else if (valueFrom?.secretKeyRef !== undefined || valueFrom?.configMapKeyRef !== undefined) {
      const ref = valueFrom.secretKeyRef ?? valueFrom.configMapKeyRef ?? { name: '', key: '' };
      const kind = valueFrom.secretKeyRef === undefined ? 'configmaps' : 'secrets';
      const data = await dataOf(around.controlPlane, pod.metadata.namespace, kind, ref.name, ref.optional);
      const text = data[ref.key]?.toString('utf8');
      if (text !== undefined) found[name] = text;
      else if (ref.optional !== true) throw new Error(`${kind} ${ref.name} has no key ${ref.key}`);
    } else if (valueFrom !== undefined) {
      throw new Error(`env ${name}: ${JSON.stringify(valueFrom)} is not understood`);
    } else found[name] = substitute(value ?? '', found);
  }
  return found;
}

/** `$(NAME)` of what is known. */
export function substitute(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g, (all, name: string) => env[name] ?? all);
}

/** Fills a folder for each volume and gives the mounts of the container. */
export async function mountsOf(
  pod: Pod,
  container: PodContainer,
  folder: string,
  around: Surroundings,
): Promise<readonly Mount[]> {
  const mounts: Mount[] = [];
  for (const { name, mountPath, readOnly, subPath } of container.volumeMounts ?? []) {
    const volume = pod.spec.volumes?.find((each) => each.name === name);
    if (volume === undefined) throw new Error(`the mount ${name} has no volume`);
    const content = path.join(folder, name);
    fs.mkdirSync(content, { recursive: true });
    const isScratch = await fill(pod, volume, content, around);
    if (isScratch) fs.chmodSync(content, 0o777);
    const source = subPath === undefined ? content : path.join(content, subPath);
    mounts.push({ source, target: mountPath, readOnly: readOnly === true || !isScratch });
  }
  return mounts;
}

/** True for a volume that the container may write to. */
async function fill(pod: Pod, volume: Volume, folder: string, around: Surroundings): Promise<boolean> {
  const { namespace } = pod.metadata;
  const files = async (
    kind: 'configmaps' | 'secrets',
    name: string,
    { items, optional }: Files,
  ): Promise<void> => {
    const data = await dataOf(around.controlPlane, namespace, kind, name, optional);
    const chosen = items ?? Object.keys(data).map((key) => ({ key, path: key }));
    for (const item of chosen) {
      const content = data[item.key];
      if (content === undefined) throw new Error(`${kind} ${name} has no key ${item.key}`);
      write(path.join(folder, item.path), content);
    }
  };
  if (volume.emptyDir !== undefined) return true;
  if (volume.configMap !== undefined) await files('configmaps', volume.configMap.name, volume.configMap);
  else if (volume.secret !== undefined) await files('secrets', volume.secret.secretName, volume.secret);
  else if (volume.projected !== undefined) {
    for (const source of volume.projected.sources) {
      if (source.serviceAccountToken !== undefined) {
        const { path: name, ...request } = source.serviceAccountToken;
        write(path.join(folder, name), await tokenOf(pod, request, around.controlPlane));
      } else if (source.configMap !== undefined)
        await files('configmaps', source.configMap.name, source.configMap);
      else if (source.secret !== undefined) await files('secrets', source.secret.name, source.secret);
      else if (source.downwardAPI !== undefined) {
        for (const { path: name, fieldRef } of source.downwardAPI.items ?? [])
          write(path.join(folder, name), fieldOf(pod, fieldRef ?? { fieldPath: '' }, around));
      } else throw new Error(`the projection ${JSON.stringify(source)} is not understood`);
    }
  } else throw new Error(`the volume ${JSON.stringify(volume)} is not understood`);
  return false;
}

function write(file: string, content: string | Buffer): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content, { mode: 0o644 });
}

/** A token that ends with the pod. */
async function tokenOf(
  { metadata, spec }: Pod,
  request: { readonly audience?: string; readonly expirationSeconds?: number },
  controlPlane: ControlPlaneAccess,
): Promise<string> {
  const account = spec.serviceAccountName ?? 'default';
  const answer = await controlPlane.request(
    `/api/v1/namespaces/${metadata.namespace}/serviceaccounts/${account}/token`,
    {
      method: 'POST',
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          ...(request.audience === undefined ? {} : { audiences: [request.audience] }),
          expirationSeconds: request.expirationSeconds ?? 3600,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid },
        },
      },
    },
  );
  const token = (answer.body as { status?: { token?: string } }).status?.token;
  if (token === undefined) throw new Error(`no token for ${account}: ${JSON.stringify(answer.body)}`);
  return token;
}

async function dataOf(
  controlPlane: ControlPlaneAccess,
  namespace: string,
  kind: 'configmaps' | 'secrets',
  name: string,
  optional = false,
): Promise<Readonly<Record<string, Buffer>>> {
  const { status, body } = await controlPlane.request(`/api/v1/namespaces/${namespace}/${kind}/${name}`);
  if (status === 404 && optional) return {};
  if (status !== 200) throw new Error(`${kind} ${namespace}/${name}: ${JSON.stringify(body)}`);
  const { data = {} } = body as { data?: Record<string, string> };
  const encoding = kind === 'secrets' ? 'base64' : 'utf8';
  return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, encoding)]));
}

function fieldOf({ metadata, spec }: Pod, { fieldPath }: FieldRef, around: Surroundings): string {
  const [, kind = '', key = ''] = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(fieldPath) ?? [];
  if (kind === 'labels' || kind === 'annotations') return metadata[kind]?.[key] ?? '';
  const fields: Readonly<Record<string, string>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'spec.nodeName': around.nodeName,
    'status.podIP': around.address,
    'status.hostIP': around.address,
  };
  const field = fields[fieldPath];
  if (field === undefined) throw new Error(`the field ${fieldPath} is not understood`);
  return field;
}
