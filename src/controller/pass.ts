/** What the steps of a pass share: their dependencies, their result, and how failures become situations. */
import { isReason, type Reason } from '../api/conditions.ts';
import type { EventSourceMapping, EventSourceMappingSpec } from '../api/mapping.ts';
import { finalizer } from '../api/meta.ts';
import type { Clock } from '../lib/clock.ts';
import { SluiceError } from '../lib/errors.ts';
import type { Backend, ExternalBackend } from './backend.ts';
import type { ClassBook } from './classes.ts';
import type { DeletionHold } from './deletion-hold.ts';
import type { Emit, MappingRef } from './events.ts';
import type { MappingStore } from './store.ts';
import type { Situation } from './drafts.ts';

export interface ReconcilerDeps {
  readonly store: MappingStore;
  readonly classes: ClassBook;
  readonly backends: { readonly Managed: ExternalBackend; readonly Poller: Backend };
  readonly clock: Clock;
  readonly emit: Emit;
  /** Failures of the key in a row. */
  readonly failures: (key: string) => number;
  /** What is wrong with a spec beyond what the CRD can say: messages for a person. */
  readonly problemsOf: (spec: EventSourceMappingSpec) => readonly string[];
  readonly deletions: DeletionHold;
}

/** When to look again: not before something happens, after a time, or with back-off (not before `atLeastMs`). */
export type Next =
  | { readonly kind: 'done' }
  | { readonly kind: 'after'; readonly ms: number }
  | { readonly kind: 'retry'; readonly atLeastMs: number };

/** How soon something that changes at AWS is looked at again. */
export const settleMs = 1000;

/** A step's failure that is about the mapping; what is about Kubernetes or is no `SluiceError` is thrown on. */
export interface Failure {
  readonly reason: Reason;
  readonly message: string;
  readonly terminal: boolean;
  readonly atLeastMs: number;
}

/** What a failed step says of the mapping; throws `error` again when it says nothing. */
export function failureOf(error: unknown, signal: AbortSignal): Failure {
  if (signal.aborted || !(error instanceof SluiceError) || !isReason(error.reason)) throw error;
  const { reason, message, retry } = error;
  return {
    reason,
    message,
    terminal: retry.kind === 'never',
    atLeastMs: retry.kind === 'after' ? retry.ms : 0,
  };
}

/** When a situation is looked at again. */
export function nextOf(situation: Situation, recheckMs: number | undefined, atLeastMs = 0): Next {
  switch (situation.kind) {
    case 'retrying':
      return { kind: 'retry', atLeastMs };
    case 'deleting':
      // A person's annotation is what it waits for.
      if (situation.reason === 'DeletionHeld') return { kind: 'done' };
      return situation.reason === 'Deleting' ? { kind: 'after', ms: settleMs } : { kind: 'retry', atLeastMs };
    case 'handing-over':
      return situation.reason === 'HandoverInProgress'
        ? { kind: 'after', ms: settleMs }
        : { kind: 'retry', atLeastMs };
    case 'progressing':
      // A backend without a recheck tells of changes itself.
      return recheckMs === undefined ? { kind: 'done' } : { kind: 'after', ms: settleMs };
    case 'observed':
    case 'settled':
    case 'stalled':
    case 'unserved':
      return recheckMs === undefined ? { kind: 'done' } : { kind: 'after', ms: recheckMs };
    case 'paused':
      return { kind: 'done' };
  }
}

/** Whom events are about. */
export function refOf({ metadata }: EventSourceMapping): MappingRef {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 0,
  };
}

/** Whether the object waits for Sluice before it may go. */
export function hasFinalizer({ metadata }: EventSourceMapping): boolean {
  return metadata.finalizers?.includes(finalizer) === true;
}
