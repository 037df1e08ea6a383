/**
 * From a situation to the status of a mapping. Pure. It guarantees: the closed list of conditions, `Reconciling` and
 * `Stalled` never together and only while True, `observedGeneration` on each condition, a transition time that moves
 * only with the status, and no message that changes by itself, so that equal situations give equal statuses.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Condition, ConditionStatus, ConditionType, Reason } from '../api/conditions.ts';
import { summarize, type Effective } from '../api/effective.ts';
import type { EventSourceMapping, EventSourceMappingStatus } from '../api/mapping.ts';
import { annotations, type PauseScope } from '../api/meta.ts';
import type { Difference, Facts } from './backend.ts';
import { paths } from './plan.ts';

/** How a mapping stands at the end of a pass. */
export type Situation =
  /** As desired. */
  | { readonly kind: 'settled'; readonly facts: Facts }
  /** A change is under way; `differences` if somebody else's change is being undone. */
  | {
      readonly kind: 'progressing';
      readonly message: string;
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
  /** The AWS mapping is being let go before the object may go; `reason` is that of a failure, or `Deleting`. */
  | { readonly kind: 'deleting'; readonly reason: Reason; readonly message: string }
  /** The AWS mapping is being let go before the cluster takes over. */
  | { readonly kind: 'handing-over'; readonly reason: Reason; readonly message: string }
  | { readonly kind: 'paused'; readonly scope: PauseScope };

/** What a status is made of. */
export interface StatusInput {
  readonly mapping: EventSourceMapping;
  readonly situation: Situation;
  readonly effective: Effective;
  readonly className: string | undefined;
  /** Wall-clock time, epoch milliseconds. */
  readonly nowMs: number;
}

interface Draft {
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
}
type Drafts = Partial<Record<ConditionType, Draft>>;

/** Order of the list: kstatus reads it from the front. */
const order: readonly ConditionType[] = [
  'Ready',
  'Reconciling',
  'Stalled',
  'SourceHealthy',
  'TargetHealthy',
  'Drifted',
  'Blocked',
  'Paused',
  'HandingOver',
];

/** The status that the situation asks for. */
export function statusOf(input: StatusInput): EventSourceMappingStatus {
  const { mapping, situation, effective, className } = input;
  const previous = mapping.status;
  const facts = 'facts' in situation ? situation.facts : undefined;
  const requested = mapping.metadata.annotations?.[annotations.requestedAt];
  const conditions =
    situation.kind === 'paused'
      ? pausedConditions(input, situation.scope)
      : conditionsOf(input, draftsOf(input));
  const external =
    mapping.spec.mode === 'Managed'
      ? (facts?.mapping ?? previous?.mapping)
      : situation.kind === 'handing-over'
        ? previous?.mapping
        : undefined;
  const poller = mapping.spec.mode === 'Poller' ? (facts?.poller ?? previous?.poller) : undefined;
  return plain({
    observedGeneration: mapping.metadata.generation ?? 0,
    conditions,
    state: stateOf(situation, facts, previous),
    ...summarize(mapping.spec),
    className,
    effective: { values: { ...effective.values }, origins: effective.origins },
    mapping: external,
    poller,
    lastHandledReconcileAt: requested ?? previous?.lastHandledReconcileAt,
  });
}

/** Whether writing `next` over `current` would change nothing; the order of conditions does not matter. */
export function sameStatus(
  current: EventSourceMappingStatus | undefined,
  next: EventSourceMappingStatus,
): boolean {
  const sorted = (status: EventSourceMappingStatus): EventSourceMappingStatus =>
    plain({
      ...status,
      conditions: [...(status.conditions ?? [])].sort((a, b) => (a.type < b.type ? -1 : 1)),
    });
  return current !== undefined && isDeepStrictEqual(sorted(current), sorted(next));
}

function draftsOf({ mapping, situation }: StatusInput): Drafts {
  const facts = 'facts' in situation ? situation.facts : undefined;
  return {
    ...lifeDrafts(mapping, situation),
    ...healthDrafts(mapping, situation, facts),
    ...driftDraft(mapping, situation),
  };
}

/** Ready, Reconciling, Stalled, HandingOver: the table of the API conventions. */
function lifeDrafts(
  mapping: EventSourceMapping,
  situation: Exclude<Situation, { kind: 'paused' }> | Situation,
): Drafts {
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
  const differences = 'differences' in situation ? situation.differences : undefined;
  if (differences !== undefined && differences.length > 0) {
    const message = `The AWS mapping differs in ${paths(differences)}`;
    return { Drifted: { status: 'True', reason: 'DifferenceFound', message } };
  }
  const kept = earlier(mapping, 'Drifted');
  return kept === undefined ? {} : { Drifted: kept };
}

function earlier(mapping: EventSourceMapping, type: ConditionType): Draft | undefined {
  const found = mapping.status?.conditions?.find((condition) => condition.type === type);
  // Only this file writes conditions, with reasons of the table.
  return found === undefined ? undefined : { ...found, reason: found.reason as Reason };
}

/** Ready is about another time and stays as it was; what Sluice does no more (reconcile, stall) goes. */
function pausedConditions(input: StatusInput, scope: PauseScope): readonly Condition[] {
  const { mapping } = input;
  const message =
    scope === 'reconcile'
      ? 'Nothing is changed while the annotation is set'
      : 'No record is taken while the annotation is set';
  const added: Drafts = {
    Paused: { status: 'True', reason: scope === 'reconcile' ? 'PausedReconcile' : 'PausedDelivery', message },
    ...(earlier(mapping, 'Ready') === undefined
      ? { Ready: { status: 'Unknown', reason: 'Unknown', message: 'Not looked at yet, since it is paused' } }
      : {}),
  };
  const gone: ReadonlySet<string> = new Set(['Reconciling', 'Stalled', 'Paused']);
  const kept = (mapping.status?.conditions ?? []).filter(({ type }) => !gone.has(type));
  return inOrder([...kept, ...conditionsOf(input, added)]);
}

function conditionsOf({ mapping, nowMs }: StatusInput, drafts: Drafts): readonly Condition[] {
  const conditions: Condition[] = [];
  for (const type of order) {
    const draft = drafts[type];
    if (draft === undefined) continue;
    const before = mapping.status?.conditions?.find((condition) => condition.type === type);
    conditions.push({
      type,
      status: draft.status,
      observedGeneration: mapping.metadata.generation ?? 0,
      lastTransitionTime:
        before?.status === draft.status
          ? before.lastTransitionTime
          : `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
      reason: draft.reason,
      message: draft.message,
    });
  }
  return conditions;
}

function inOrder(conditions: readonly Condition[]): readonly Condition[] {
  return [...conditions].sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
}

function stateOf(
  situation: Situation,
  facts: Facts | undefined,
  previous: EventSourceMappingStatus | undefined,
): string {
  switch (situation.kind) {
    case 'deleting':
      return 'Deleting';
    case 'handing-over':
      return 'HandingOver';
    case 'settled':
    case 'progressing':
    case 'unserved':
    case 'retrying':
    case 'stalled':
    case 'paused':
      return facts?.state ?? previous?.state ?? 'Pending';
  }
}

/** The same value without undefined members, as the API server will give it back. */
function plain(status: {
  readonly [K in keyof EventSourceMappingStatus]: EventSourceMappingStatus[K] | undefined;
}): EventSourceMappingStatus {
  return JSON.parse(JSON.stringify(status)) as EventSourceMappingStatus;
}
