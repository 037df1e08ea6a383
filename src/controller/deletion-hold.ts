/**
 * Holds back deletions of a large part of all mappings at once: a wrong selector, a pruned folder or a deleted
 * namespace must not end the delivery of a whole cluster within seconds. Each held object stays held until it is
 * confirmed by its annotation. Objects whose AWS mapping outlives them are not counted.
 */
import type { EventSourceMapping } from '../api/mapping.ts';
import { annotations, finalizer } from '../api/meta.ts';
import type { Clock } from '../lib/clock.ts';
import { earlier } from './drafts.ts';
import { releasePolicy } from './plan.ts';

export interface DeletionHoldOptions {
  readonly clock: Clock;
  /** Share of all mappings, in percent, that may be deleted at once; 100 holds nothing. */
  readonly percent: number;
  /** So many may be deleted at once in any case. */
  readonly over: number;
  /** All mappings, those that are being deleted included. */
  readonly mappings: () => readonly EventSourceMapping[];
}

/** How long a deletion counts as one of those "at once". */
const windowMs = 600_000;

export class DeletionHold {
  readonly #options: DeletionHoldOptions;
  /** Monotonic time of what was let go, by uid. */
  readonly #gone = new Map<string, number>();

  constructor(options: DeletionHoldOptions) {
    this.#options = options;
  }

  /** Why the deletion has to wait for a person; undefined when it may go on. The text does not change by itself. */
  reasonToWait(mapping: EventSourceMapping): string | undefined {
    if (!counts(mapping) || isConfirmed(mapping)) return undefined;
    const { percent, over, mappings } = this.#options;
    const message = `Held, since more than ${percent} % of all mappings and more than ${over} are deleted at once. To confirm, set the annotation \`${annotations.confirmDeletion}: "true"\``;
    if (earlier(mapping, 'Reconciling')?.reason === 'DeletionHeld') return message;
    // What has begun is finished.
    if (earlier(mapping, 'Ready')?.reason === 'Deleting') return undefined;
    this.#forget();
    const all = mappings().filter(counts);
    const leaving = all.filter(
      (one) => one.metadata.deletionTimestamp !== undefined && !isConfirmed(one) && !this.#has(one),
    );
    const gone = this.#gone.size;
    const known = all.filter((one) => !this.#has(one)).length + gone;
    const count = leaving.length + gone;
    return count > over && count * 100 > known * percent ? message : undefined;
  }

  /** Says that the mapping at AWS was let go, or is about to be. */
  begun(mapping: EventSourceMapping): void {
    if (!counts(mapping) || isConfirmed(mapping)) return;
    const { uid = '' } = mapping.metadata;
    if (!this.#gone.has(uid)) this.#gone.set(uid, this.#options.clock.monotonic());
  }

  #has({ metadata }: EventSourceMapping): boolean {
    return this.#gone.has(metadata.uid ?? '');
  }

  #forget(): void {
    const beforeMs = this.#options.clock.monotonic() - windowMs;
    for (const [uid, atMs] of this.#gone) if (atMs < beforeMs) this.#gone.delete(uid);
  }
}

/** Whether deleting the object ends a delivery at AWS. */
function counts({ metadata, spec, status }: EventSourceMapping): boolean {
  if (metadata.finalizers?.includes(finalizer) !== true || spec.managementPolicy === 'Observe') return false;
  return releasePolicy(spec, status?.mapping?.adopted === true) !== 'Retain';
}

function isConfirmed({ metadata }: EventSourceMapping): boolean {
  return metadata.annotations?.[annotations.confirmDeletion] === 'true';
}
