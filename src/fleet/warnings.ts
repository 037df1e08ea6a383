/** What works but is probably not meant. Pure: from the facts of a queue and its mapping to warnings for people. */
import type { Effective } from '../api/effective.ts';
import type { Reason } from '../api/conditions.ts';
import type { QueueFacts } from '../poller/ports.ts';
import type { Siblings } from '../sources/sqs/siblings.ts';
import type { Work } from './work.ts';

export interface Warning {
  readonly reason: Reason;
  readonly message: string;
}

export interface WarningInput {
  readonly work: Work;
  readonly effective: Effective;
  /** Undefined while the queue has not been read. */
  readonly facts: QueueFacts | undefined;
  /** Live AWS mappings of the queue. */
  readonly siblings: Siblings;
  /** Undefined while it cannot be read. */
  readonly targetTimeoutMs: number | undefined;
}

export function warningsOf(input: WarningInput): readonly Warning[] {
  const { work, effective, facts, siblings, targetTimeoutMs } = input;
  const warnings: Warning[] = [];
  if (facts !== undefined && targetTimeoutMs !== undefined && facts.visibilityTimeoutMs < targetTimeoutMs) {
    warnings.push({
      reason: 'VisibilityTimeoutTooShort',
      message:
        `The queue's visibility time-out of ${facts.visibilityTimeoutMs / 1000} s is shorter than the target's time-out ` +
        `of ${targetTimeoutMs / 1000} s: it is extended while a batch runs, but a poller that dies gives its messages ` +
        'to another one while the target may still work on them',
    });
  }
  const live = siblings.kind === 'known' ? siblings.live : [];
  if (live.length > 0) {
    const names = live.map((sibling) => `${sibling.uuid} (${sibling.functionARN})`).join(', ');
    warnings.push({
      reason: 'QueueHasLambdaMapping',
      message: `AWS Lambda reads this queue too and takes a share of its messages: ${names}`,
    });
  }
  const filters = work.mapping.spec.filterCriteria?.filters ?? [];
  const deletes = filters.length > 0 && (effective.values.poller?.unmatched ?? 'Delete') === 'Delete';
  if (deletes && (work.sharedSource || live.length > 0)) {
    warnings.push({
      reason: 'FilterDeletesOnSharedQueue',
      message:
        'Messages that no filter matches are deleted, and another mapping reads this queue: it never sees them. ' +
        'Set `poller.unmatched: Release`, or give each mapping a queue of its own',
    });
  }
  return warnings;
}
