/**
 * Names that every process of Sluice and every user's manifest share: group, kinds, annotations, labels, finalizer,
 * and the metadata of a Kubernetes object as far as Sluice reads it.
 */

export const group = 'sluice.dev';
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}` as const;

/** Annotations that Sluice reads. All are a person's hand-brake or request, kept out of `spec` on purpose. */
export const annotations = {
  /** `reconcile`: nothing is changed. `delivery`: no record is taken either. Deletion works all the same. */
  paused: 'sluice.dev/paused',
  /** Any new value asks for one pass; it is echoed in `status.lastHandledReconcileAt`. */
  requestedAt: 'sluice.dev/requestedAt',
  /** UUID of the AWS mapping to adopt where source and function do not name exactly one. */
  adoptUUID: 'sluice.dev/adopt-uuid',
  /** `true` gives up the AWS mapping and removes the finalizer. */
  forceFinalize: 'sluice.dev/force-finalize',
  /** `true` lets a deletion go on that is held, since many were deleted at once. */
  confirmDeletion: 'sluice.dev/confirm-deletion',
} as const;

/** Values of the annotation `sluice.dev/paused`. */
export const pauseScopes = ['reconcile', 'delivery'] as const;
export type PauseScope = (typeof pauseScopes)[number];

/** Holds a deleted mapping until AWS no longer has it. */
export const finalizer = 'sluice.dev/external-mapping';

/** Labels on the objects that Sluice writes. */
export const labels = {
  managedBy: 'app.kubernetes.io/managed-by',
  component: 'app.kubernetes.io/component',
  pool: 'sluice.dev/pool',
  member: 'sluice.dev/member',
  version: 'sluice.dev/version',
} as const;

/** Value of the label `app.kubernetes.io/managed-by`. */
export const managedBy = 'sluice';

/** A kind of the group and how the API server lists it. */
export interface ResourceName {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
}

/** Every kind of the group. */
export const resources = {
  mapping: {
    kind: 'EventSourceMapping',
    plural: 'eventsourcemappings',
    singular: 'eventsourcemapping',
    shortNames: ['esm'],
    namespaced: true,
  },
  class: {
    kind: 'MappingClass',
    plural: 'mappingclasses',
    singular: 'mappingclass',
    shortNames: [],
    namespaced: false,
  },
  checkpoint: {
    kind: 'MappingCheckpoint',
    plural: 'mappingcheckpoints',
    singular: 'mappingcheckpoint',
    shortNames: [],
    namespaced: true,
  },
  report: {
    kind: 'PollerReport',
    plural: 'pollerreports',
    singular: 'pollerreport',
    shortNames: [],
    namespaced: true,
  },
} as const satisfies Record<string, ResourceName>;

/** The metadata of an object, as far as Sluice reads or writes it. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** What is wrong with the value of the annotation `sluice.dev/paused`, or undefined. It brakes all the same. */
export function pauseProblem(metadata: ObjectMeta): string | undefined {
  const value = metadata.annotations?.[annotations.paused];
  if (pauseScope(metadata) === undefined || pauseScopes.some((scope) => scope === value)) return undefined;
  const shown = JSON.stringify(value).slice(0, 80);
  return `\`${annotations.paused}\` must be ${pauseScopes.join(' or ')}; found ${shown}, which is taken as delivery`;
}

/** The brake that a mapping's annotation asks for; an unknown value brakes fully, since a typing slip must not let go. */
export function pauseScope(metadata: ObjectMeta): PauseScope | undefined {
  const value = metadata.annotations?.[annotations.paused];
  if (value === undefined || value === '' || value === 'false') return undefined;
  return value === 'reconcile' ? 'reconcile' : 'delivery';
}
