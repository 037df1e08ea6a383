/**
 * One mapping for a member to run, with everything that its class decides for it. Built by `admission` from the
 * mapping and its class, or by `sluice run` from a file; carried out by the runner.
 */
import type { Identity } from '../api/class-rules.ts';
import type { EventSourceMapping } from '../api/mapping.ts';

export interface Work {
  readonly mapping: EventSourceMapping;
  /** Completes partial ARNs and is used where an ARN names none. */
  readonly place: { readonly region?: string | undefined; readonly accountID?: string | undefined };
  /** As whom AWS is called. */
  readonly identity: Identity;
  /** URLs that `poller.target.http.url` may name: patterns of the class, or any when there is no class. */
  readonly allowedURLs: readonly string[] | 'any';
  /** True only on a laptop: targets on the machine itself may be called. */
  readonly allowLoopback: boolean;
  /** True when another mapping of Sluice reads the same queue. */
  readonly sharedSource: boolean;
  /** From the annotation `sluice.dev/paused: delivery`, or from `enabled: false`. */
  readonly paused: false | 'PausedDelivery' | 'Disabled';
}

/** Identifies a mapping over its life: one that is deleted and made again is another one. */
export function workKey(work: Work): string {
  const { uid, namespace, name } = work.mapping.metadata;
  return uid ?? `${namespace ?? ''}/${name}`;
}
