/**
 * The reconciler's port to what makes a mapping real: a live AWS mapping, or the poller fleet. Both pass one contract
 * suite.
 *
 * Duties of every backend: `observe` never changes anything and tells what is there, not what was asked for; a
 * failure is thrown as `SluiceError` with a documented reason and retry; each call ends soon after its signal aborts.
 */
import type { Identity } from '../api/class-rules.ts';
import type { Reason } from '../api/conditions.ts';
import type { Effective } from '../api/effective.ts';
import type { EventSourceMapping, EventSourceMappingStatus, Mode } from '../api/mapping.ts';

/** A mapping that its class admits, with what a backend needs to know of it. */
export interface Subject {
  readonly mapping: EventSourceMapping;
  readonly effective: Effective;
  /** The poller pool of its class. */
  readonly pool: string;
  /** As whom AWS is called. */
  readonly identity: Identity;
}

/** One field that is not as desired. */
export interface Difference {
  /** Dotted path below `spec`. */
  readonly path: string;
  /** Undefined where nothing is desired, and the observed value is to be cleared. */
  readonly desired: unknown;
  readonly observed: unknown;
  /** AWS cannot change it on a live mapping. */
  readonly createOnly: boolean;
}

/** Health as the backend knows it. */
export interface Health {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Reason;
  readonly message: string;
}

/** What was seen, for status. */
export interface Facts {
  /** State in one word, for the printer column. */
  readonly state: string;
  readonly mapping?: EventSourceMappingStatus['mapping'];
  readonly poller?: EventSourceMappingStatus['poller'];
  /** As whom AWS is called, where that is known. */
  readonly callerARN?: string | undefined;
  readonly sourceHealthy: Health;
  readonly targetHealthy: Health;
  /** The reason is right for `SourceHealthy`: what works but is probably not meant. */
  readonly warnings: readonly { readonly reason: Reason; readonly message: string }[];
}

/** What is there. */
export type Observation =
  /** Nothing that is ours; with the policy Observe, nothing at all. */
  | { readonly kind: 'missing' }
  /** As desired. */
  | { readonly kind: 'current'; readonly facts: Facts }
  /** Ours, settled, and not as desired. */
  | {
      readonly kind: 'drifted';
      readonly facts: Facts;
      readonly differences: readonly Difference[];
      /** False for one that was adopted and never changed since: only `update` may touch it. */
      readonly claimed: boolean;
    }
  /** On its way; nothing can be done but look again. */
  | {
      readonly kind: 'changing';
      readonly facts: Facts;
      readonly message: string;
      /** How much longer it may last before what was in force counts as interrupted, in milliseconds. */
      readonly briefMs?: number;
    }
  /** Nobody can serve the mapping now; nothing that the controller does changes that. */
  | {
      readonly kind: 'unserved';
      readonly facts: Facts;
      readonly reason: Reason;
      readonly message: string;
    }
  /** Somebody else holds what is needed, or the spec cannot be carried out: no retry helps. */
  | { readonly kind: 'refused'; readonly reason: Reason; readonly message: string; readonly facts?: Facts };

/** What becomes of an AWS mapping that is let go. */
export type ReleasePolicy = 'Delete' | 'Retain' | 'Disable';

export interface Backend {
  readonly mode: Mode;
  /** How soon a settled mapping is looked at again without a cause, in milliseconds; undefined where changes are told. */
  readonly recheckMs: number | undefined;
  observe(subject: Subject, signal: AbortSignal): Promise<Observation>;
  /** Who still reads the source of a mapping that this backend is to run no more, by name. */
  readersOf?(mapping: EventSourceMapping): readonly string[];
}

/** A backend that keeps something outside the cluster: it needs the finalizer, and is told what to do. */
export interface ExternalBackend extends Backend {
  /**
   * Creates what `observe` found missing. A call that was cut off midway may have created it: the next `observe` finds
   * it again. Must not be called before the finalizer is stored.
   */
  create(subject: Subject, signal: AbortSignal): Promise<Facts>;
  /** Changes the fields of the differences; none of them is create-only. */
  update(subject: Subject, differences: readonly Difference[], signal: AbortSignal): Promise<Facts>;
  /**
   * One step towards letting go. `gone` when nothing of ours is left but what the policy leaves; `changing` when it
   * must be called again. Needs no valid spec, since a mapping must be deletable in any state. Whether the mapping was
   * adopted is seen at AWS, too, so the policy is asked for when it is known.
   */
  release(
    subject: Omit<Subject, 'pool'>,
    policyFor: (adopted: boolean) => ReleasePolicy,
    signal: AbortSignal,
  ): Promise<Release>;
}

export type Release =
  /** `uuid` is that of the mapping that was let go, undefined where there was none. */
  | { readonly kind: 'gone'; readonly uuid: string | undefined; readonly policy: ReleasePolicy }
  | { readonly kind: 'changing'; readonly message: string };
