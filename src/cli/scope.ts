/**
 * What a process in a cluster looks at: which namespaces, and where it has the classes from. With namespaces and a file
 * of classes it makes no request that needs a right in the whole cluster.
 *
 * Labels of namespaces are read only where a class may select namespaces by them.
 */
import type { MappingClass } from '../api/class.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { group, resources, version } from '../api/meta.ts';
import type { StoreChange } from '../kube/object-store.ts';
import { eventSourceMappings } from '../kube/mapping-store.ts';
import { Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import { resource, type KubeObject } from '../kube/resource.ts';
import { readClasses } from './classes-file.ts';

const mappingClasses = resource({ group, version, ...resources.class });
const namespaceResource = resource({
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
});

export interface Scope {
  /** Namespaces of mappings; empty for all. */
  readonly namespaces: readonly string[];
  /** Classes of a file; undefined where the API server has them. */
  readonly classes: readonly MappingClass[] | undefined;
}

/** The scope that the options give. Throws `UsageError` for a file that cannot be used. */
export async function readScope(values: {
  readonly 'watch-namespaces': readonly string[];
  readonly 'classes-file': string | undefined;
}): Promise<Scope> {
  const namespaces = values['watch-namespaces'];
  const file = values['classes-file'];
  const classes =
    file === undefined ? undefined : await readClasses(file, { selectors: namespaces.length === 0 });
  return { namespaces, classes };
}

type Common = Pick<ReflectorOptions<KubeObject>, 'api' | 'clock' | 'random' | 'observe'>;

/** A reflector, as far as its owner runs it and tells of it. */
export type Running = Pick<Reflector<KubeObject>, 'run' | 'stalenessMs' | 'synced' | 'forbidden'>;

/** The mappings of the scope. One namespace that may not be read does not hold up the others. */
export function mappingReflector(
  scope: Scope,
  common: Common,
  options: Pick<ReflectorOptions<EventSourceMapping>, 'transform' | 'onChange'>,
): Reflector<EventSourceMapping> {
  const { namespaces } = scope;
  return new Reflector<EventSourceMapping>({
    ...common,
    ...(namespaces.length === 0 ? {} : { namespaces, skipForbidden: true }),
    resource: eventSourceMappings,
    ...options,
  });
}

/** What admission is judged by. */
export interface AdmissionObjects {
  readonly classes: () => readonly MappingClass[];
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>;
  /** To be run by the owner; none where everything is known from the start. */
  readonly reflectors: Readonly<Record<string, Running>>;
}

/** Follows classes and namespaces, as far as the scope needs them. */
export function admissionObjects(
  scope: Scope,
  common: Common,
  on: {
    readonly classChange: () => void;
    readonly namespaceChange: (change: StoreChange<KubeObject>) => void;
  },
): AdmissionObjects {
  const classes =
    scope.classes === undefined
      ? new Reflector<MappingClass>({ ...common, resource: mappingClasses, onChange: on.classChange })
      : undefined;
  const selected =
    classes !== undefined || scope.classes?.some(({ spec }) => spec.namespaceSelector !== undefined) === true;
  const namespaces = selected
    ? new Reflector<KubeObject>({ ...common, resource: namespaceResource, onChange: on.namespaceChange })
    : undefined;
  const fixed = scope.classes ?? [];
  return {
    classes: () => classes?.list() ?? fixed,
    namespaceLabels: (name) => namespaces?.get(undefined, name)?.metadata.labels ?? {},
    reflectors: {
      ...(classes === undefined ? {} : { mappingclasses: classes }),
      ...(namespaces === undefined ? {} : { namespaces }),
    },
  };
}
