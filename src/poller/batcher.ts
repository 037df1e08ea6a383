/**
 * Gathers records into batches. A batch closes at the first of: `maxRecords`, `maxBytes` of encoded event (envelope
 * and commas included), the end of its window. It guarantees that every record added leaves in exactly one batch, in
 * the order of adding, and that only a batch of one record may be larger than `maxBytes`: a record that is too large
 * by itself still has to reach a verdict. It does no waiting; whoever owns it asks `due` when `dueAtMs` has come.
 */
import type { SourceRecord } from './ports.ts';

/** Lambda's limit for the payload of one synchronous invocation: 6 MB, counted as 6 × 1024 × 1024 bytes. */
export const MAX_EVENT_BYTES = 6 * 1024 * 1024;

export interface BatchLimits {
  /** Most records of a batch, 1 to 10,000. */
  readonly maxRecords: number;
  /** How long a batch may wait from its first record, in milliseconds; 0 = until the next flush. */
  readonly windowMs: number;
  /** Most bytes of the encoded event. */
  readonly maxBytes: number;
  /** Bytes that the event has beside its `count` records. */
  readonly envelopeBytes: (count: number) => number;
}

/** Records that are delivered together. */
export interface Batch<R extends SourceRecord> {
  readonly records: readonly R[];
  /** Size of the encoded event in bytes. */
  readonly bytes: number;
}

export class Batcher<R extends SourceRecord> {
  #limits: BatchLimits;
  #records: R[] = [];
  #recordBytes = 0;
  #openedAtMs = 0;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** Records of the open batch. */
  get size(): number {
    return this.#records.length;
  }

  /** The open batch so far. */
  get open(): readonly R[] {
    return this.#records;
  }

  /** When the open batch must close, or undefined while it is empty. */
  get dueAtMs(): number | undefined {
    return this.#records.length === 0 ? undefined : this.#openedAtMs + this.#limits.windowMs;
  }

  /** Adds records in order and returns the batches that this closed. */
  add(records: readonly R[], nowMs: number): Batch<R>[] {
    const closed: Batch<R>[] = [];
    const { maxRecords, maxBytes, envelopeBytes } = this.#limits;
    for (const record of records) {
      const count = this.#records.length;
      if (count > 0 && this.#recordBytes + record.bytes + envelopeBytes(count + 1) > maxBytes) {
        this.#close(closed);
      }
      if (this.#records.length === 0) this.#openedAtMs = nowMs;
      this.#records.push(record);
      this.#recordBytes += record.bytes;
      if (this.#records.length >= maxRecords) this.#close(closed);
    }
    return closed;
  }

  /** Closes the open batch if its window has ended. */
  due(nowMs: number): Batch<R>[] {
    const dueAtMs = this.dueAtMs;
    return dueAtMs !== undefined && dueAtMs <= nowMs ? this.flush() : [];
  }

  /** Closes the open batch, if there is one. */
  flush(): Batch<R>[] {
    const closed: Batch<R>[] = [];
    if (this.#records.length > 0) this.#close(closed);
    return closed;
  }

  /** Takes new limits; what is open keeps its start, is measured again, and may close by that. */
  reconfigure(limits: BatchLimits): Batch<R>[] {
    const records = this.#records;
    const openedAtMs = this.#openedAtMs;
    this.#records = [];
    this.#recordBytes = 0;
    this.#limits = limits;
    return this.add(records, openedAtMs);
  }

  #close(into: Batch<R>[]): void {
    const records = this.#records;
    into.push({ records, bytes: this.#recordBytes + this.#limits.envelopeBytes(records.length) });
    this.#records = [];
    this.#recordBytes = 0;
  }
}
