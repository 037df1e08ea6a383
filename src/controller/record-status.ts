/** Writes the status of a pass once, if it says anything new, and tells what has changed. */
import type { Condition } from '../api/conditions.ts';
import { annotations } from '../api/meta.ts';
import type { ConditionView, MappingRef } from './events.ts';
import { refOf, type ReconcilerDeps } from './pass.ts';
import { sameStatus, statusOf, type StatusInput } from './status.ts';

/** What is stored afterwards. A doubtful situation leaves the status as it is. */
export async function recordStatus(
  deps: ReconcilerDeps,
  input: Omit<StatusInput, 'nowMs'>,
  signal: AbortSignal,
): Promise<readonly ConditionView[]> {
  const { mapping } = input;
  const before = mapping.status?.conditions ?? [];
  if (isDoubtful(input)) return before.map(viewOf);
  const status = statusOf({ ...input, nowMs: deps.clock.now() });
  const after = status.conditions ?? [];
  if (sameStatus(mapping.status, status)) return after.map(viewOf);
  await deps.store.writeStatus(mapping, status, signal);
  const about = refOf(mapping);
  deps.emit({ kind: 'status-written', mapping: about });
  tell(deps, about, before, after);
  const token = mapping.metadata.annotations?.[annotations.requestedAt];
  if (token !== undefined && token !== mapping.status?.lastHandledReconcileAt) {
    deps.emit({ kind: 'request-handled', mapping: about, token });
  }
  return after.map(viewOf);
}

/** Looking failed, or a move is under way, and not for long yet: what was in force a moment ago as good as still is. */
function isDoubtful({ mapping, situation }: Omit<StatusInput, 'nowMs'>): boolean {
  if (situation.kind !== 'retrying' && situation.kind !== 'progressing') return false;
  const { generation } = mapping.metadata;
  if (situation.doubtful !== true || mapping.status?.observedGeneration !== generation) return false;
  const ready = mapping.status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === generation;
}

function tell(
  deps: ReconcilerDeps,
  mapping: MappingRef,
  before: readonly Condition[],
  after: readonly Condition[],
): void {
  for (const condition of after) {
    const previous = before.find(({ type }) => type === condition.type);
    if (previous?.status === condition.status && previous.reason === condition.reason) continue;
    deps.emit({
      kind: 'condition-changed',
      mapping,
      condition: viewOf(condition),
      previous: previous === undefined ? undefined : viewOf(previous),
    });
  }
  for (const { type } of before) {
    if (!after.some((condition) => condition.type === type))
      deps.emit({ kind: 'condition-removed', mapping, type });
  }
}

function viewOf({ type, status, reason, message }: Condition): ConditionView {
  return { type, status, reason, message };
}
