/**
 * The reconciler: one pass over one mapping. A key goes in, never an event; equal keys never run at once (the queue's
 * duty). Read, plan, act, write the status once at the end, say when to look again.
 *
 * Guarantees: running twice changes nothing and writes nothing; the finalizer is stored before the first create, so
 * that nothing at AWS outlives its object unseen; a create cut off midway is found again, not repeated; `spec` is
 * never written; deletion works whatever else is wrong. What it throws is about Kubernetes alone, for the queue.
 */
import { effective } from '../api/effective.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { pauseScope } from '../api/meta.ts';
import { messageOf } from '../lib/errors.ts';
import type { Subject } from './backend.ts';
import { converge, type Step } from './converge.ts';
import type { ConditionView, PassResult } from './events.ts';
import { handOver, letGo } from './let-go.ts';
import { gateOf } from './obstacle.ts';
import type { Situation } from './drafts.ts';
import { hasFinalizer, nextOf, refOf, type Next, type ReconcilerDeps } from './pass.ts';
import { recordStatus } from './record-status.ts';

/** Brings one mapping a step closer to what is desired and says when to look again. */
export async function reconcile(deps: ReconcilerDeps, key: string, signal: AbortSignal): Promise<Next> {
  const mapping = deps.store.get(key);
  if (mapping === undefined) return { kind: 'done' };
  const about = refOf(mapping);
  const startedMs = deps.clock.monotonic();
  deps.emit({ kind: 'pass-started', mapping: about, mode: mapping.spec.mode });
  try {
    const { next, conditions } = await pass(deps, key, mapping, signal);
    const durationMs = deps.clock.monotonic() - startedMs;
    deps.emit({ kind: 'pass-ended', mapping: about, result: results[next.kind], durationMs, conditions });
    return next;
  } catch (error) {
    deps.emit({ kind: 'pass-failed', mapping: about, message: messageOf(error) });
    throw error;
  }
}

async function pass(
  deps: ReconcilerDeps,
  key: string,
  mapping: EventSourceMapping,
  signal: AbortSignal,
): Promise<{ readonly next: Next; readonly conditions: readonly ConditionView[] }> {
  const admission = deps.classes.admit(mapping);
  const mappingClass = admission.kind === 'admitted' ? admission.class : undefined;
  const inForce = effective(mapping.spec, { class: mappingClass?.spec });
  const step = await stepOf(deps, key, mapping, admission, inForce, signal);
  // The object may go: a status would only meet nobody.
  if (step === undefined) return { next: { kind: 'done' }, conditions: [] };
  // The last class that admitted it: what is left at AWS is cleaned up through it.
  const className = mappingClass?.metadata.name ?? mapping.status?.className;
  const input = { mapping, situation: step.situation, effective: inForce, className };
  return { next: step.next, conditions: await recordStatus(deps, input, signal) };
}

const results = { done: 'success', after: 'requeue_after', retry: 'error' } as const satisfies Readonly<
  Record<Next['kind'], PassResult>
>;

/** What is done in this pass; undefined when the object may go. */
async function stepOf(
  deps: ReconcilerDeps,
  key: string,
  mapping: EventSourceMapping,
  admission: ReturnType<ReconcilerDeps['classes']['admit']>,
  inForce: ReturnType<typeof effective>,
  signal: AbortSignal,
): Promise<Step | undefined> {
  if (mapping.metadata.deletionTimestamp !== undefined) return letGo(deps, key, mapping, signal);

  const isManaged = mapping.spec.mode === 'Managed';
  const isObserved = isManaged && mapping.spec.managementPolicy === 'Observe';
  const asked = pauseScope(mapping.metadata);
  // Who only looks cannot switch anything off.
  const scope = asked !== undefined && isObserved ? 'reconcile' : asked;
  // In Poller mode the members themselves stop taking records; AWS has to be told.
  if (scope === 'reconcile' || (scope !== undefined && !isManaged)) {
    return { situation: { kind: 'paused', scope }, next: { kind: 'done' } };
  }

  const gate = gateOf(mapping.spec, admission, deps.problemsOf(mapping.spec));
  if (gate.kind === 'obstacle') {
    return {
      situation: { kind: 'stalled', reason: gate.reason, message: gate.message },
      next: { kind: 'done' },
    };
  }

  const subject = { mapping, effective: inForce, pool: gate.pool, identity: gate.identity };
  const backend = deps.backends[mapping.spec.mode];
  if (isObserved) {
    // It holds nothing up, since nothing of it is ours to clean up.
    const free = hasFinalizer(mapping) ? await deps.store.setFinalizer(mapping, false, signal) : mapping;
    return converge(deps, key, backend, { ...subject, mapping: free }, signal);
  }
  if (isManaged) {
    const readers = deps.backends.Poller.readersOf?.(mapping) ?? [];
    // The queue has one reader at a time: AWS takes over when the cluster has finished.
    if (readers.length > 0) return waitFor(readers);
    const held = hasFinalizer(mapping) ? mapping : await deps.store.setFinalizer(mapping, true, signal);
    if (scope === undefined) return converge(deps, key, backend, { ...subject, mapping: held }, signal);
    const step = await converge(deps, key, backend, switchedOff({ ...subject, mapping: held }), signal);
    return step.situation.kind === 'settled' ? { ...step, situation: { kind: 'paused', scope } } : step;
  }
  // The cluster takes over from AWS; in Poller mode nothing is kept outside, so there is nothing to wait for later.
  if (hasFinalizer(mapping)) {
    const left = await handOver(deps, subject, signal);
    if (left !== undefined) return left;
  }
  return converge(deps, key, backend, subject, signal);
}

/** The hand-over from the cluster to AWS, as long as members are not done. */
function waitFor(readers: readonly string[]): Step {
  const message = `Waiting until the poller ${readers.join(', ')} has finished what is in flight`;
  const situation: Situation = { kind: 'handing-over', reason: 'HandoverInProgress', message };
  return { situation, next: nextOf(situation, undefined) };
}

/** The same mapping as if `enabled` were false: `sluice.dev/paused: delivery` outweighs the spec and leaves it alone. */
function switchedOff(subject: Subject): Subject {
  const { mapping, effective: inForce } = subject;
  return {
    ...subject,
    mapping: { ...mapping, spec: { ...mapping.spec, enabled: false } },
    effective: {
      ...inForce,
      values: { ...inForce.values, enabled: false },
      origins: { ...inForce.origins, enabled: 'spec' },
    },
  };
}
