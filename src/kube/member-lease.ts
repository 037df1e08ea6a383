/**
 * How a poller says that it is alive: a Lease of its own, renewed every 5 s, with its pool as a label and its version
 * and capacity as annotations. It is deleted on a clean stop, so that others take over at once; after a crash they
 * wait for its duration, and Kubernetes collects it with the pod that owns it.
 *
 * A failed renewal stops nothing here. Queue sources need no fence and go on; stream slots will ask `heldUntilMs`
 * before each side effect (KUBERNETES: self-fence) and learn from `onTaken` that they were evicted.
 */
import { group, labels, managedBy, type OwnerReference } from '../api/meta.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { isKubeError } from './kube-error.ts';
import { heldSpec, type Lease, type LeaseAccess } from './lease.ts';
import { microTime } from './resource.ts';

/** What happened to a member's own Lease. */
export type MemberLeaseEvent =
  | { readonly kind: 'announced'; readonly identity: string }
  | { readonly kind: 'renewFailed'; readonly identity: string; readonly message: string }
  /** Somebody else is written in our Lease: we were declared dead. */
  | { readonly kind: 'taken'; readonly identity: string; readonly by: string }
  | { readonly kind: 'released'; readonly identity: string };

/** Annotations of a member's Lease. */
export const memberAnnotations = {
  version: `${group}/version`,
  capacity: `${group}/capacity`,
  /** Layout of the labels and annotations; members with a later one are read as far as they are understood. */
  format: `${group}/member-format`,
} as const satisfies Record<string, string>;
const FORMAT = '1';

/** What a member tells about itself. */
export interface MemberFacts {
  readonly identity: string;
  readonly pool: string;
  readonly version: string;
  /** How much it can take, relative to others; default 1. */
  readonly capacity?: number;
}

export interface MemberLeaseOptions extends MemberFacts {
  readonly lease: LeaseAccess;
  readonly clock: Clock;
  readonly observe?: (event: MemberLeaseEvent) => void;
  /** The pod, so that the Lease goes when it goes. */
  readonly owner?: OwnerReference;
  /** Default 5,000. */
  readonly renewPeriodMs?: number;
  /** Default 15,000. */
  readonly durationMs?: number;
}

const RETRY_MS = 1000;
const RELEASE_TIMEOUT_MS = 5000;

export class MemberLease {
  readonly #options: MemberLeaseOptions;
  readonly #durationMs: number;
  readonly #announced = Promise.withResolvers<boolean>();
  #stored: Lease | undefined;
  #sentMs = Number.NEGATIVE_INFINITY;

  /** True when the Lease was written for the first time; false when the member was stopped before. */
  readonly announced: Promise<boolean> = this.#announced.promise;

  constructor(options: MemberLeaseOptions) {
    this.#options = options;
    this.#durationMs = options.durationMs ?? 15_000;
  }

  /** Monotonic time until which others surely count this member as alive: two thirds of the duration after a renewal. */
  get heldUntilMs(): number {
    return this.#sentMs + (this.#durationMs * 2) / 3;
  }

  /** Monotonic time at which the last successful renewal was sent. */
  get lastRenewSentMs(): number {
    return this.#sentMs;
  }

  /** Announces the member and renews until the signal aborts, then takes the Lease away. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, renewPeriodMs = 5000 } = this.#options;
    while (!signal.aborted) {
      const renewed = await this.#renew(signal);
      await clock.sleep(renewed ? renewPeriodMs : RETRY_MS, signal);
    }
    this.#announced.resolve(false);
    await this.#release();
  }

  async #renew(signal: AbortSignal): Promise<boolean> {
    const { clock, lease, identity, observe } = this.#options;
    try {
      // After a failure what is stored is not known: the write may have arrived without its answer.
      const current = this.#stored ?? (await lease.read(signal));
      this.#stored = undefined;
      const holder = current?.spec?.holderIdentity ?? '';
      if (current !== undefined && holder !== identity && holder !== '') {
        observe?.({ kind: 'taken', identity, by: holder });
      }
      const sentMs = clock.monotonic();
      const content = this.#content(current, clock.now());
      this.#stored =
        current === undefined
          ? await lease.create(content, signal)
          : await lease.replace(current, content, signal);
      this.#sentMs = sentMs;
      if (holder !== identity) observe?.({ kind: 'announced', identity });
      this.#announced.resolve(true);
      return true;
    } catch (error) {
      this.#stored = undefined;
      if (!signal.aborted) observe?.({ kind: 'renewFailed', identity, message: messageOf(error) });
      return false;
    }
  }

  #content(current: Lease | undefined, nowMs: number): Parameters<LeaseAccess['create']>[0] {
    const { identity, pool, version, capacity = 1, owner } = this.#options;
    const ours = current?.spec?.holderIdentity === identity;
    return {
      spec: heldSpec({
        identity,
        durationMs: this.#durationMs,
        acquireTime: (ours ? current?.spec?.acquireTime : undefined) ?? microTime(nowMs),
        nowMs,
        transitions: (current?.spec?.leaseTransitions ?? -1) + (ours ? 0 : 1),
      }),
      labels: { [labels.managedBy]: managedBy, [labels.component]: 'poller', [labels.pool]: pool },
      annotations: {
        [memberAnnotations.version]: version,
        [memberAnnotations.capacity]: String(capacity),
        [memberAnnotations.format]: FORMAT,
      },
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    };
  }

  async #release(): Promise<void> {
    const { clock, lease, identity, observe } = this.#options;
    const deadline = new AbortController();
    const done = new AbortController();
    const timer = clock.sleep(RELEASE_TIMEOUT_MS, done.signal).then(() => deadline.abort());
    try {
      const stored = await lease.read(deadline.signal);
      if (stored?.spec?.holderIdentity !== identity) return;
      await lease.remove(stored, deadline.signal);
      observe?.({ kind: 'released', identity });
    } catch (error) {
      // The others wait for its duration then.
      if (!isKubeError(error, 'Conflict')) {
        observe?.({ kind: 'renewFailed', identity, message: messageOf(error) });
      }
    } finally {
      done.abort();
      await timer;
    }
  }
}

/** A member as its Lease tells. */
export interface Member {
  readonly identity: string;
  readonly pool: string;
  readonly version: string;
  readonly capacity: number;
}

/** The member that a Lease announces; undefined when it is released or no member's. */
export function readMember(lease: Lease): Member | undefined {
  const identity = lease.spec?.holderIdentity ?? '';
  const pool = lease.metadata.labels?.[labels.pool];
  if (identity === '' || pool === undefined) return undefined;
  const capacity = Number(lease.metadata.annotations?.[memberAnnotations.capacity] ?? 1);
  return {
    identity,
    pool,
    version: lease.metadata.annotations?.[memberAnnotations.version] ?? '',
    capacity: Number.isFinite(capacity) && capacity > 0 ? capacity : 1,
  };
}
