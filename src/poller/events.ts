/**
 * What the engine tells of its work, one event per decision. Tests await these; `telemetry/narrate.ts` turns them
 * into log lines and metrics; `fleet` derives health from them. No event carries a payload or a secret.
 */
import type { Outcome } from './ports.ts';

/** Why records left our hands without success. */
export type Disposal = 'deleted' | 'released';

export type LetGoReason = 'HoldExpired' | 'Draining' | 'Paused' | 'VisibilityLost' | 'GroupHeld';

export type PollerEvent =
  /** A receive returned; zero records for an empty poll. */
  | { readonly kind: 'polled'; readonly records: number; readonly bytes: number; readonly durationMs: number }
  /** Records that no pattern matched were disposed of. */
  | { readonly kind: 'filtered-out'; readonly records: number; readonly disposal: Disposal }
  /** It could not be decided, or not in time, whether the filter matches these records: they are delivered. */
  | { readonly kind: 'filter-undecided'; readonly records: number }
  /** A batch was handed to the target. */
  | {
      readonly kind: 'invoked';
      readonly batch: string;
      readonly records: number;
      readonly bytes: number;
      readonly attempt: number;
      /** Age of the oldest record since it was sent. */
      readonly oldestAgeMs: number;
    }
  /** The target's answer was judged. */
  | {
      readonly kind: 'invocation-ended';
      readonly batch: string;
      readonly outcome: Outcome['kind'];
      /** A documented reason; `Succeeded`, or `PartialFailure` for a partial response. */
      readonly reason: string;
      readonly message: string;
      readonly records: number;
      /** Records to be delivered again: 0 on success, all of them on failure. */
      readonly failedRecords: number;
      readonly durationMs: number;
    }
  /** Messages were deleted after success. */
  | { readonly kind: 'deleted'; readonly records: number }
  /** Messages could not be deleted and will come again. */
  | {
      readonly kind: 'delete-failed';
      readonly records: number;
      readonly reason: string;
      readonly message: string;
    }
  /** A call to delete messages failed; it is tried again while they are invisible, and no message is lost. */
  | {
      readonly kind: 'settle-failed';
      readonly records: number;
      readonly reason: string;
      readonly message: string;
    }
  /** Visibility could not be extended: these messages may be delivered again elsewhere. */
  | {
      readonly kind: 'extend-failed';
      readonly records: number;
      readonly reason: string;
      readonly message: string;
    }
  /** The target cannot take batches now: receiving has stopped until a probe succeeds. */
  | { readonly kind: 'braked'; readonly reason: string; readonly message: string; readonly delayMs: number }
  /** The target takes batches again. */
  | { readonly kind: 'unbraked'; readonly heldMs: number }
  /**
   * Records went back to the queue without a verdict: after `maximumHoldSeconds`, at shutdown or pause, because their
   * receipt went stale (`VisibilityLost`), or because an earlier record of their group failed (`GroupHeld`).
   */
  | { readonly kind: 'let-go'; readonly records: number; readonly reason: LetGoReason }
  /** A call to read the source, or to ask what it is, failed; the loop goes on after `delayMs`. */
  | {
      readonly kind: 'source-failed';
      readonly reason: string;
      readonly message: string;
      readonly delayMs: number;
    }
  /** The first receive that succeeded, at start or after failures. */
  | { readonly kind: 'source-opened' }
  /** How many invocations may run at once has changed. */
  | { readonly kind: 'concurrency-changed'; readonly limit: number; readonly reason: string }
  | { readonly kind: 'state-changed'; readonly state: PollerState };

/** starting → running ⇄ paused; any → draining → stopped. */
export type PollerState = 'starting' | 'running' | 'paused' | 'draining' | 'stopped';

/** Receives every event, synchronously and in order. Must not throw. */
export type Emit = (event: PollerEvent) => void;
