/**
 * One mapping for a member to run, with everything that its class decides for it. Built by `admission` from the
 * mapping and its class, or by `sluice run` from a file; carried out by the runner.
 */
import type { EventSourceMapping } from '../api/mapping.ts';

/** As whom AWS is called. */
export type Identity =
  | { readonly kind: 'Installation' }
  | {
      readonly kind: 'Role';
      readonly roleARN: string;
      /** `<clusterID>/<namespace>`: Sluice's own, never the tenant's. */
      readonly externalID: string;
      readonly sessionName: string;
    };

export interface Work {
  readonly mapping: EventSourceMapping;
  /** Completes partial ARNs and is used where an ARN names none. */
  readonly place: { readonly region?: string | undefined; readonly accountID?: string | undefined };
  readonly identity: Identity;
  /** URLs that `poller.target.http.url` may name: patterns of the class, or any when there is no class. */
  readonly allowedURLs: readonly string[] | 'any';
  /** True only on a laptop: targets on the machine itself may be called. */
  readonly allowLoopback: boolean;
  /** True when another mapping of Sluice reads the same queue. */
  readonly sharedSource: boolean;
  /** Taken from the annotation `sluice.dev/paused: delivery`, or `enabled: false`. */
  readonly paused: false | 'PausedDelivery' | 'Disabled';
}

/** Identifies a mapping over its life: one that is deleted and made again is another one. */
export function workKey(work: Work): string {
  const { uid, namespace, name } = work.mapping.metadata;
  return uid ?? `${namespace ?? ''}/${name}`;
}
