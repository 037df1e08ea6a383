/**
 * What the reconciler tells of its work, one event per decision; `telemetry` turns them into log lines and metrics,
 * and those in `kubernetesEvents` become Events of the mapping. No event carries a secret.
 */
import type { ConditionStatus, ConditionType, Reason } from '../api/conditions.ts';
import type { Mode } from '../api/mapping.ts';

/** Whom an event is about. */
export interface MappingRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
}

/** How a pass ended, in controller-runtime's words. */
export type PassResult = 'success' | 'error' | 'requeue' | 'requeue_after';

export type ReconcilerEvent = { readonly mapping: MappingRef } &
  /** A pass began; `mode` is the desired one. */
  (
    | { readonly kind: 'pass-started'; readonly mode: Mode }
    /** A pass ended. */
    | {
        readonly kind: 'pass-ended';
        readonly result: PassResult;
        readonly durationMs: number;
        /** What is stored now: type, status and reason of each condition. */
        readonly conditions: readonly ConditionView[];
      }
    /** A pass could not be finished, for what has to do with Kubernetes; the queue tries again. */
    | { readonly kind: 'pass-failed'; readonly message: string }
    /** A condition got another status or reason; it is stored already. */
    | {
        readonly kind: 'condition-changed';
        readonly condition: ConditionView;
        readonly previous: ConditionView | undefined;
      }
    /** The status of a condition was taken away, since it is only kept while True. */
    | { readonly kind: 'condition-removed'; readonly type: ConditionType }
    /** The AWS mapping differs from the desired configuration in these fields. */
    | {
        readonly kind: 'drift-found';
        readonly paths: readonly string[];
        /** AWS's own reason for the state, where it was switched off or on: the repair wipes it out at AWS. */
        readonly stateReason?: string;
      }
    /** A request that brings these fields back was accepted. */
    | { readonly kind: 'drift-corrected'; readonly paths: readonly string[] }
    /** Something was done to the AWS mapping. */
    | {
        readonly kind: 'acted';
        readonly action: ActionDone;
        readonly uuid: string | undefined;
        readonly detail: string;
      }
    /** A step failed and is tried again, or stalls the mapping when `terminal`. */
    | {
        readonly kind: 'step-failed';
        readonly reason: string;
        readonly message: string;
        readonly terminal: boolean;
      }
    /** A person asked for a pass by `sluice.dev/requestedAt`. */
    | { readonly kind: 'request-handled'; readonly token: string }
    /** The status was written. */
    | { readonly kind: 'status-written' }
    /** The mapping is gone from the cluster: whatever is kept about it goes too. */
    | { readonly kind: 'forgotten' }
  );

export type ActionDone =
  | 'created'
  | 'adopted'
  | 'updated'
  | 'replacing'
  | 'deleted'
  | 'retained'
  | 'disabled'
  | 'force-finalized';

/** A condition without its times. */
export interface ConditionView {
  readonly type: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message: string;
}

export type Emit = (event: ReconcilerEvent) => void;

/** A Kubernetes Event to be recorded on the mapping. */
export interface KubernetesEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  /** What was done or tried, in one CamelCase word. */
  readonly action: string;
  readonly note: string;
}

/** The documented list of Events: when each comes, and its type. Reasons are those of the one table. */
export const kubernetesEvents = {
  Created: { type: 'Normal', when: 'The AWS mapping was created.' },
  Adopted: { type: 'Normal', when: 'A mapping that AWS had already was taken over; nothing was changed.' },
  Updated: { type: 'Normal', when: 'The AWS mapping was updated; the note names the fields.' },
  Replacing: {
    type: 'Warning',
    when: 'The AWS mapping is deleted, to be made anew; the note says what happens to records meanwhile.',
  },
  Deleted: { type: 'Normal', when: 'The AWS mapping was deleted.' },
  Retained: {
    type: 'Normal',
    when: 'The AWS mapping was left in place, enabled or disabled, as the policy says.',
  },
  ForceFinalized: { type: 'Warning', when: 'The finalizer was removed on request.' },
  DifferenceFound: { type: 'Warning', when: 'Somebody changed the AWS mapping; the note names the fields.' },
  Serving: { type: 'Normal', when: '`Ready` became True.' },
  Disabled: { type: 'Normal', when: '`Ready` became True for a mapping with `enabled: false`.' },
  HandoverInProgress: {
    type: 'Normal',
    when: '`HandingOver` was set: the old mode is being stopped before the new one starts.',
  },
  PausedReconcile: { type: 'Normal', when: '`sluice.dev/paused: reconcile` was set.' },
  PausedDelivery: { type: 'Normal', when: '`sluice.dev/paused: delivery` was set.' },
  PauseValueUnknown: {
    type: 'Warning',
    when: '`sluice.dev/paused` was set to a value that is not known, and is taken as `delivery`.',
  },
} as const satisfies Readonly<
  Partial<Record<Reason, { readonly type: 'Normal' | 'Warning'; readonly when: string }>>
>;

/** When a condition's own reason becomes the reason of an Event, beside those of `kubernetesEvents`. */
export const conditionEvents = {
  Stalled: { type: 'Warning', when: '`Stalled` was set; the reason is the condition’s.' },
  Reconciling: { type: 'Warning', when: 'A step failed and is tried again; the reason is the condition’s.' },
  SourceHealthy: {
    type: 'Warning',
    when: 'Reading fails, or works but is probably not meant; the reason is the condition’s.',
  },
  TargetHealthy: { type: 'Warning', when: 'Invoking fails; the reason is the condition’s.' },
} as const satisfies Readonly<
  Partial<Record<ConditionType, { readonly type: 'Warning'; readonly when: string }>>
>;

const actionReasons = {
  created: 'Created',
  adopted: 'Adopted',
  updated: 'Updated',
  replacing: 'Replacing',
  deleted: 'Deleted',
  retained: 'Retained',
  disabled: 'Retained',
  'force-finalized': 'ForceFinalized',
} as const satisfies Readonly<Record<ActionDone, keyof typeof kubernetesEvents>>;

/** Reasons that are no news when a condition gets them; a difference is told when it is found. */
const quiet: ReadonlySet<string> = new Set([
  'DifferenceFound',
  'Progressing',
  'Deleting',
  'Draining',
  'Unknown',
  'ReadSucceeded',
  'TargetSucceeded',
]);

/** The Kubernetes Event that an event of the reconciler becomes, if any. Pure. */
export function kubernetesEvent(event: ReconcilerEvent): KubernetesEvent | undefined {
  switch (event.kind) {
    case 'acted': {
      const reason = actionReasons[event.action];
      return { type: kubernetesEvents[reason].type, reason, action: 'Reconcile', note: event.detail };
    }
    case 'drift-found':
      return {
        type: 'Warning',
        reason: 'DifferenceFound',
        action: 'Observe',
        note: `The AWS mapping differs in ${event.paths.map((path) => `\`${path}\``).join(', ')}${event.stateReason === undefined ? '' : `; AWS gives as reason of its state: ${event.stateReason}`}`,
      };
    case 'condition-changed':
      return conditionEvent(event.condition);
    case 'pass-started':
    case 'pass-ended':
    case 'pass-failed':
    case 'condition-removed':
    case 'drift-corrected':
    case 'step-failed':
    case 'request-handled':
    case 'status-written':
    case 'forgotten':
      return undefined;
  }
}

function conditionEvent({ type, status, reason, message }: ConditionView): KubernetesEvent | undefined {
  if (quiet.has(reason)) return undefined;
  // The table of reasons is where conditions get theirs from.
  const common = { reason: reason as Reason, action: 'Observe', note: message === '' ? reason : message };
  if (reason === 'HandoverInProgress')
    return type === 'HandingOver' ? { type: 'Normal', ...common } : undefined;
  if (type === 'Ready') return status === 'True' ? { type: 'Normal', ...common } : undefined;
  if (type === 'Paused') return { type: reason === 'PauseValueUnknown' ? 'Warning' : 'Normal', ...common };
  if (type in conditionEvents) return { type: 'Warning', ...common };
  return undefined;
}
