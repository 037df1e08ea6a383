/**
 * How the mapping at AWS is let go: because the object is deleted, or because the cluster takes over. Repeats the
 * backend's step until nothing of ours is left, then removes the finalizer. Works on a mapping in any state: paused,
 * denied by its class, or with a spec that this release cannot carry out.
 */
import type { Reason } from '../api/conditions.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { effective } from '../api/effective.ts';
import { annotations } from '../api/meta.ts';
import type { Release, ReleasePolicy, Subject } from './backend.ts';
import type { Step } from './converge.ts';
import { failureOf, hasFinalizer, nextOf, refOf, type ReconcilerDeps } from './pass.ts';
import { handoverPolicy, releasePolicy } from './plan.ts';
import type { Situation } from './drafts.ts';

/** One step of a deletion; undefined when the object may go and needs no status any more. */
export async function letGo(
  deps: ReconcilerDeps,
  key: string,
  mapping: EventSourceMapping,
  signal: AbortSignal,
): Promise<Step | undefined> {
  if (!hasFinalizer(mapping)) return undefined;
  if (mapping.metadata.annotations?.[annotations.forceFinalize] === 'true') {
    await deps.store.setFinalizer(mapping, false, signal);
    const uuid = mapping.status?.mapping?.uuid;
    const detail = `Removed the finalizer on request; the AWS mapping ${uuid ?? ''} may still exist`;
    deps.emit({ kind: 'acted', mapping: refOf(mapping), action: 'force-finalized', uuid, detail });
    return undefined;
  }
  if (mapping.spec.managementPolicy === 'Observe') return letGoUntouched(deps, mapping, signal);
  const held = deps.deletions.reasonToWait(mapping);
  if (held !== undefined) {
    const situation: Situation = { kind: 'deleting', reason: 'DeletionHeld', message: held };
    return { situation, next: nextOf(situation, undefined) };
  }
  deps.deletions.begun(mapping);
  const { identity, class: mappingClass } = deps.classes.forRelease(mapping);
  const subject = { mapping, identity, effective: effective(mapping.spec, { class: mappingClass?.spec }) };
  const policyFor = (adopted: boolean): ReleasePolicy => releasePolicy(mapping.spec, adopted);
  const left = await release(deps, subject, policyFor, signal);
  if (left === undefined) return undefined;
  const situation: Situation = {
    kind: 'deleting',
    reason: left.failure ?? 'Deleting',
    message:
      left.failure !== undefined && deps.failures(key) >= hopeless ? wayOut(left.message) : left.message,
  };
  return { situation, next: nextOf(situation, undefined, left.atLeastMs) };
}

/** Failures in a row after which a deletion tells how to give up: with the role or the account gone it never ends. */
const hopeless = 5;

function wayOut(message: string): string {
  return `${message}. To let the object go and leave the AWS mapping behind, set the annotation \`${annotations.forceFinalize}: "true"\``;
}

/** One step of a hand-over from AWS to the cluster; undefined when AWS reads no more and the finalizer is gone. */
export async function handOver(
  deps: ReconcilerDeps,
  subject: Subject,
  signal: AbortSignal,
): Promise<Step | undefined> {
  const { mapping } = subject;
  const policyFor = (adopted: boolean): ReleasePolicy => handoverPolicy(mapping.spec, adopted);
  const left = await release(deps, subject, policyFor, signal);
  if (left === undefined) return undefined;
  const situation: Situation = {
    kind: 'handing-over',
    reason: left.failure ?? 'HandoverInProgress',
    message: left.message,
  };
  return { situation, next: nextOf(situation, undefined, left.atLeastMs) };
}

/** With the policy Observe the mapping at AWS is nobody's here: a finalizer of an earlier policy is all there is. */
async function letGoUntouched(
  deps: ReconcilerDeps,
  mapping: EventSourceMapping,
  signal: AbortSignal,
): Promise<undefined> {
  await deps.store.setFinalizer(mapping, false, signal);
  const uuid = mapping.status?.mapping?.uuid;
  const detail = `Left the AWS mapping ${uuid ?? ''} untouched: \`managementPolicy\` is Observe`;
  deps.emit({ kind: 'acted', mapping: refOf(mapping), action: 'retained', uuid, detail });
}

interface Left {
  readonly failure: Reason | undefined;
  readonly message: string;
  readonly atLeastMs: number;
}

async function release(
  deps: ReconcilerDeps,
  subject: Omit<Subject, 'pool'>,
  policyFor: (adopted: boolean) => ReleasePolicy,
  signal: AbortSignal,
): Promise<Left | undefined> {
  const { mapping } = subject;
  let released: Release;
  try {
    released = await deps.backends.Managed.release(subject, policyFor, signal);
  } catch (error) {
    const { reason, message, atLeastMs } = failureOf(error, signal);
    deps.emit({ kind: 'step-failed', mapping: refOf(mapping), reason, message, terminal: false });
    return { failure: reason, message, atLeastMs };
  }
  if (released.kind === 'changing') return { failure: undefined, message: released.message, atLeastMs: 0 };
  await deps.store.setFinalizer(mapping, false, signal);
  const { uuid, policy } = released;
  if (uuid !== undefined) {
    const [action, done] = words[policy];
    deps.emit({
      kind: 'acted',
      mapping: refOf(mapping),
      action,
      uuid,
      detail: `${done} the AWS mapping ${uuid}`,
    });
  }
  return undefined;
}

const words = {
  Delete: ['deleted', 'Deleted'],
  Retain: ['retained', 'Left'],
  Disable: ['disabled', 'Disabled and left'],
} as const satisfies Readonly<Record<ReleasePolicy, readonly [string, string]>>;
