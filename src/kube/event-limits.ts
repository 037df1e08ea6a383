/**
 * How many Kubernetes Events Sluice may write, with client-go's numbers: 25 at once for one object, then one every
 * five minutes; more than 10 that differ only in their note within 10 minutes become one; and what repeats becomes a
 * series of one Event. Decides, and keeps the memory that this takes, bounded; writes nothing.
 */
import { hash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { TokenBucket } from './rate-limiter.ts';

/** What an Event is about. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
}

/** Something worth telling the owner of an object. */
export interface EventContent {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, of the documented list. */
  readonly reason: string;
  /** What Sluice did or tried: a CamelCase verb. */
  readonly action: string;
  readonly note: string;
}

/** What to do with one event. */
export type EventDecision =
  | { readonly kind: 'drop' }
  | {
      readonly kind: 'write';
      /** Which object it is about. */
      readonly object: string;
      readonly series: string;
      readonly note: string;
    };

const BURST = 25;
const REFILL_PER_SECOND = 1 / 300;
const MAX_SIMILAR = 10;
const SIMILAR_WINDOW_MS = 600_000;
const COMBINED = '(combined from similar events): ';

interface Similar {
  readonly notes: Set<string>;
  lastMs: number;
}

export class EventLimits {
  readonly #clock: Clock;
  readonly #buckets = new LruMap<TokenBucket>();
  readonly #similar = new LruMap<Similar>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the event may be written, to which series it belongs, and what its note becomes. */
  decide(content: EventContent): EventDecision {
    const { regarding } = content;
    const about = [regarding.apiVersion, regarding.kind, regarding.namespace, regarding.name, regarding.uid];
    const group = keyOf([...about, content.type, content.reason, content.action]);
    const combined = this.#combine(group, content.note);
    const object = keyOf(about);
    const bucket = this.#buckets.get(object) ?? new TokenBucket(this.#clock, REFILL_PER_SECOND, BURST);
    this.#buckets.set(object, bucket);
    if (!bucket.tryTake()) return { kind: 'drop' };
    return {
      kind: 'write',
      object,
      series: combined ? group : keyOf([group, content.note]),
      note: combined ? COMBINED + content.note : content.note,
    };
  }

  #combine(group: string, note: string): boolean {
    const nowMs = this.#clock.monotonic();
    let similar = this.#similar.get(group);
    if (similar === undefined || nowMs - similar.lastMs > SIMILAR_WINDOW_MS) {
      similar = { notes: new Set(), lastMs: nowMs };
    }
    similar.lastMs = nowMs;
    this.#similar.set(group, similar);
    if (similar.notes.size < MAX_SIMILAR || similar.notes.has(note)) {
      similar.notes.add(note);
      return false;
    }
    return true;
  }
}

/** Short, since thousands are kept. */
function keyOf(parts: readonly (string | undefined)[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64');
}

const CAPACITY = 4096;

/** A map that forgets what was used longest ago. client-go keeps 4096 entries too. */
export class LruMap<V> {
  readonly #entries = new Map<string, V>();

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= CAPACITY) return;
    const oldest = this.#entries.keys().next();
    if (oldest.done !== true) this.#entries.delete(oldest.value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }
}
