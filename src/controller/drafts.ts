/**
 * From a situation to what each condition says. Pure: the table of the API conventions, a row per kind of situation.
 * `Reconciling` and `Stalled` never come together; no message changes by itself.
 */
import type { ConditionStatus, ConditionType, Reason } from '../api/conditions.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import type { PauseScope } from '../api/meta.ts';
import type { Difference, Facts } from './backend.ts';
import { paths } from './plan.ts';

/** How a mapping stands at the end of a pass. */
export type Situation =
  /** As desired. */
  | { readonly kind: 'settled'; readonly facts: Facts }
  /**
   * A change is under way; `differences` if somebody else's change is being undone, `doubtful` if it is so short that
   * what was in force counts as being so still.
   */
  | {
      readonly kind: 'progressing';
      readonly message: string;
      readonly doubtful?: boolean;
      readonly facts?: Facts;
      readonly differences?: readonly Difference[];
    }
  /** Nobody can serve it now. */
  | { readonly kind: 'unserved'; readonly reason: Reason; readonly message: string; readonly facts: Facts }
  /** A step failed and is tried again. `doubtful`: it could not be seen whether what was in force still is. */
  | {
      readonly kind: 'retrying';
      readonly reason: Reason;
      readonly message: string;
      readonly facts?: Facts;
      readonly doubtful: boolean;
    }
  /** No retry helps. */
  | {
      readonly kind: 'stalled';
      readonly reason: Reason;
      readonly message: string;
      readonly facts?: Facts;
      readonly differences?: readonly Difference[];
    }
  /** Only looked at, and not as desired; without facts there is nothing. */
  | {
      readonly kind: 'observed';
      readonly facts?: Facts;
      readonly differences: readonly Difference[];
    }
  /** The AWS mapping is being let go before the object may go; `reason` is that of a failure, or `Deleting`. */
  | { readonly kind: 'deleting'; readonly reason: Reason; readonly message: string }
  /** The AWS mapping is being let go before the cluster takes over. */
  | { readonly kind: 'handing-over'; readonly reason: Reason; readonly message: string }
  | { readonly kind: 'paused'; readonly scope: PauseScope };

/** What a condition says, without its times. */
export interface Draft {
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
}
/** The conditions that are there; others are taken away. */
export type Drafts = Partial<Record<ConditionType, Draft>>;

/** What the conditions of `mapping` say in `situation`, but for one that is paused. */
export function draftsOf(mapping: EventSourceMapping, situation: Situation): Drafts {
  const facts = 'facts' in situation ? situation.facts : undefined;
  return {
    ...lifeDrafts(mapping, situation),
    ...healthDrafts(mapping, situation, facts),
    ...driftDraft(mapping, situation),
  };
}

/** Ready, Reconciling, Stalled, HandingOver: the table of the API conventions. */
function lifeDrafts(mapping: EventSourceMapping, situation: Situation): Drafts {
  const draft = (status: ConditionStatus, reason: Reason, message: string): Draft => ({
    status,
    reason,
    message,
  });
  switch (situation.kind) {
    case 'settled':
      return mapping.spec.enabled === false
        ? { Ready: draft('True', 'Disabled', '`enabled` is false: nothing is read') }
        : { Ready: draft('True', 'Serving', 'The desired configuration is in force') };
    case 'progressing':
      return {
        Ready: draft('Unknown', 'Progressing', situation.message),
        Reconciling: draft('True', 'Progressing', situation.message),
      };
    case 'unserved':
      return {
        Ready: draft('False', situation.reason, situation.message),
        Reconciling: draft('True', situation.reason, situation.message),
      };
    case 'retrying':
      return {
        Ready: draft('False', 'ProgressingWithRetry', situation.message),
        Reconciling: draft('True', situation.reason, situation.message),
      };
    case 'stalled':
      return {
        Ready: draft('False', situation.reason, situation.message),
        Stalled: draft('True', situation.reason, situation.message),
      };
    case 'observed': {
      // Nobody works on it: it stays so until the mapping or AWS is changed by somebody.
      const [reason, message] =
        situation.facts === undefined
          ? (['MappingNotFound', absent] as const)
          : (['DifferenceFound', differsIn(situation.differences)] as const);
      return { Ready: draft('False', reason, message), Stalled: draft('True', reason, message) };
    }
    case 'deleting':
      return {
        Ready: draft('False', 'Deleting', situation.message),
        Reconciling: draft('True', situation.reason, situation.message),
      };
    case 'handing-over':
      return {
        Ready: draft('Unknown', 'HandoverInProgress', situation.message),
        Reconciling: draft('True', situation.reason, situation.message),
        HandingOver: draft('True', 'HandoverInProgress', situation.message),
      };
    case 'paused':
      return {};
  }
}

function healthDrafts(mapping: EventSourceMapping, situation: Situation, facts: Facts | undefined): Drafts {
  if (facts === undefined) {
    // What failed was looking, or something is changed: what was known of the health is still the best there is.
    const kept = situation.kind !== 'stalled';
    return {
      SourceHealthy: (kept ? earlier(mapping, 'SourceHealthy') : undefined) ?? unknown,
      TargetHealthy: (kept ? earlier(mapping, 'TargetHealthy') : undefined) ?? unknown,
    };
  }
  const [warning] = facts.warnings;
  const source =
    warning === undefined || facts.sourceHealthy.status === 'False'
      ? facts.sourceHealthy
      : {
          ...warning,
          status: facts.sourceHealthy.status,
          message: facts.warnings.map(({ message }) => message).join('; '),
        };
  return { SourceHealthy: source, TargetHealthy: facts.targetHealthy };
}

const unknown: Draft = { status: 'Unknown', reason: 'Unknown', message: 'Not known' };

function driftDraft(mapping: EventSourceMapping, situation: Situation): Drafts {
  if (mapping.spec.mode !== 'Managed') return {};
  if (situation.kind === 'settled') {
    return { Drifted: { status: 'False', reason: 'InSync', message: 'The AWS mapping is as desired' } };
  }
  if (situation.kind === 'observed' && situation.facts === undefined)
    return { Drifted: { status: 'True', reason: 'MappingNotFound', message: absent } };
  const differences = 'differences' in situation ? situation.differences : undefined;
  if (differences !== undefined && differences.length > 0) {
    return { Drifted: { status: 'True', reason: 'DifferenceFound', message: differsIn(differences) } };
  }
  const kept = earlier(mapping, 'Drifted');
  return kept === undefined ? {} : { Drifted: kept };
}

const absent = 'AWS has no mapping of this source and function';

/** How a condition tells of differences. */
export function differsIn(differences: readonly Difference[]): string {
  return `The AWS mapping differs in ${paths(differences)}`;
}

/** What the stored condition says. */
export function earlier(mapping: EventSourceMapping, type: ConditionType): Draft | undefined {
  const found = mapping.status?.conditions?.find((condition) => condition.type === type);
  // Only the reconciler writes conditions, with reasons of the table.
  return found === undefined ? undefined : { ...found, reason: found.reason as Reason };
}
