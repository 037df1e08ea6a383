/**
 * From a situation to the status of a mapping. Pure. It guarantees: the closed list of conditions, `Reconciling` and
 * `Stalled` never together and only while True, `observedGeneration` on each condition, a transition time that moves
 * only with the status, and no message that changes by itself, so that equal situations give equal statuses.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Condition, ConditionType, Reason } from '../api/conditions.ts';
import { summarize, type Effective } from '../api/effective.ts';
import type { EffectiveObject, EventSourceMapping, EventSourceMappingStatus } from '../api/mapping.ts';
import { annotations, pauseProblem, type PauseScope } from '../api/meta.ts';
import type { Facts } from './backend.ts';
import { draftsOf, earlier, type Drafts, type Situation } from './drafts.ts';

/** What a status is made of. */
export interface StatusInput {
  readonly mapping: EventSourceMapping;
  readonly situation: Situation;
  readonly effective: Effective;
  readonly className: string | undefined;
  /** Wall-clock time, epoch milliseconds. */
  readonly nowMs: number;
}

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
      : conditionsOf(input, draftsOf(mapping, situation));
  const external =
    mapping.spec.mode === 'Managed'
      ? (facts?.mapping ?? (situation.kind === 'observed' ? undefined : previous?.mapping))
      : situation.kind === 'handing-over'
        ? previous?.mapping
        : undefined;
  const callerARN = mapping.spec.mode === 'Managed' ? (facts?.callerARN ?? previous?.callerARN) : undefined;
  const poller = mapping.spec.mode === 'Poller' ? (facts?.poller ?? previous?.poller) : undefined;
  return plain({
    observedGeneration: mapping.metadata.generation ?? 0,
    conditions,
    state: stateOf(situation, facts, previous),
    ...summarize(mapping.spec),
    className,
    effective: { values: effectiveValues(effective, mapping, external), origins: effective.origins },
    mapping: external,
    poller,
    callerARN,
    lastHandledReconcileAt: requested ?? previous?.lastHandledReconcileAt,
  });
}

/** An adopted mapping outlives its object by default. */
function effectiveValues(
  { values }: Effective,
  { spec }: EventSourceMapping,
  external: EventSourceMappingStatus['mapping'],
): EffectiveObject {
  const keeps = external?.adopted === true && spec.deletionPolicy === undefined;
  return keeps ? { ...values, deletionPolicy: 'Retain' } : { ...values };
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

/** Ready is about another time and stays as it was; what Sluice does no more (reconcile, stall) goes. */
function pausedConditions(input: StatusInput, scope: PauseScope): readonly Condition[] {
  const { mapping } = input;
  const added: Drafts = {
    Paused: { status: 'True', ...pauseWords(mapping, scope) },
    ...(earlier(mapping, 'Ready') === undefined
      ? { Ready: { status: 'Unknown', reason: 'Unknown', message: 'Not looked at yet, since it is paused' } }
      : {}),
  };
  const gone: ReadonlySet<string> = new Set(['Reconciling', 'Stalled', 'Paused']);
  const kept = (mapping.status?.conditions ?? []).filter(({ type }) => !gone.has(type));
  return inOrder([...kept, ...conditionsOf(input, added)]);
}

function pauseWords(mapping: EventSourceMapping, scope: PauseScope): { reason: Reason; message: string } {
  if (scope === 'reconcile')
    return { reason: 'PausedReconcile', message: 'Nothing is changed while the annotation is set' };
  const slip = pauseProblem(mapping.metadata);
  if (slip !== undefined)
    return { reason: 'PauseValueUnknown', message: `${slip}: no record is taken while it is set` };
  return { reason: 'PausedDelivery', message: 'No record is taken while the annotation is set' };
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
    case 'observed':
      return facts?.state ?? 'Missing';
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
