/**
 * Where objects are in the API, by what the API server says of its kinds. Tests ask it themselves where they can: a
 * kubectl for each look or change is most of their work.
 */
import type { ControlPlaneAccess } from './control-plane.ts';

interface Kind {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** Kinds of a group and version, asked for once; a kind that came later is asked for again. */
const known = new Map<string, readonly Kind[]>();

const root = (apiVersion: string): string => (apiVersion.includes('/') ? `/apis/${apiVersion}` : '/api/v1');

async function kindOf(
  controlPlane: ControlPlaneAccess,
  apiVersion: string,
  is: (kind: Kind) => boolean,
): Promise<Kind> {
  const key = `${controlPlane.server} ${apiVersion}`;
  const before = known.get(key)?.find(is);
  if (before !== undefined) return before;
  const { body } = await controlPlane.request(root(apiVersion));
  const all = ((body as { resources?: readonly Kind[] }).resources ?? []).filter(
    ({ name }) => !name.includes('/'),
  );
  known.set(key, all);
  const found = all.find(is);
  if (found === undefined) throw new Error(`the API server does not know such a kind of ${apiVersion}`);
  return found;
}

/** Path of an object; that of its namespace, unless it is cluster-scoped, is `namespace` where it names none. */
export async function placeOfObject(
  controlPlane: ControlPlaneAccess,
  namespace: string,
  object: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly namespace?: string };
  },
): Promise<string> {
  const { apiVersion, kind, metadata } = object;
  const { name, namespaced } = await kindOf(controlPlane, apiVersion, (each) => each.kind === kind);
  const scope = namespaced ? `/namespaces/${metadata.namespace ?? namespace}` : '';
  return `${root(apiVersion)}${scope}/${name}/${metadata.name}`;
}

/** Path of an object by its resource, the plural with the group. */
export async function placeOfResource(
  controlPlane: ControlPlaneAccess,
  namespace: string,
  { resource, name }: { readonly resource: string; readonly name: string },
): Promise<string> {
  const [plural = '', ...rest] = resource.split('.');
  const group = rest.join('.');
  let apiVersion = 'v1';
  if (group !== '') {
    const { body } = await controlPlane.request(`/apis/${group}`);
    apiVersion =
      (body as { preferredVersion?: { groupVersion?: string } }).preferredVersion?.groupVersion ?? group;
  }
  const { namespaced } = await kindOf(controlPlane, apiVersion, (each) => each.name === plural);
  return `${root(apiVersion)}${namespaced ? `/namespaces/${namespace}` : ''}/${plural}/${name}`;
}
