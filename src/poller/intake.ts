/**
 * When and how much to receive: how many receives run side by side, how long to wait after failures and after
 * receives that brought nothing of use, and how many bytes to expect. It holds numbers and makes no call.
 *
 * One receive when idle; one more after each that came back full; back to one after an empty one.
 */
import { backoffMs } from '../lib/backoff.ts';
import { LinkedList, type Linked } from '../lib/linked-list.ts';
import type { Random } from '../lib/random.ts';
import { sourceDelayMs, UNMATCHED_POLICY } from './retry.ts';

/** A receive that is under way. */
export interface Receive extends Linked<Receive> {
  readonly max: number;
  /** Delivery slots that its answer will need. */
  readonly slots: number;
  readonly reservedBytes: number;
  readonly startedAtMs: number;
}

/** What may be received without any record having to wait for a slot. */
export interface Room {
  /** Free delivery slots, before what is already being received. */
  readonly slots: number;
  readonly batchSize: number;
  /** Whether receives are merged into one batch; the records of the open batch. */
  readonly merging: boolean;
  readonly open: number;
}

export class Intake {
  readonly #random: Random;
  readonly #receives = new LinkedList<Receive>();
  /** Of the receives under way. */
  #expected = 0;
  #slots = 0;
  #wanted = 1;
  #failures = 0;
  #unmatched = 0;
  #waitUntilMs = -Infinity;
  /** The largest record of late, forgotten slowly. */
  #recordBytes = 0;
  #draining = false;
  #backlogged = false;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#receives.size;
  }

  /** Whether the last receive came back full, so that there is probably more. */
  get backlogged(): boolean {
    return this.#backlogged;
  }

  /** Whether the last receive brought something. */
  get draining(): boolean {
    return this.#draining;
  }

  /** No receive may start before this time. */
  get waitUntilMs(): number {
    return this.#waitUntilMs;
  }

  /** Whether one more receive is wanted, room permitting. */
  get wants(): boolean {
    return this.#receives.size < this.#wanted;
  }

  /** How many records the next receive may bring; 0 or less = none. */
  room(room: Room, receiveMax: number): number {
    const slots = room.merging ? room.slots : room.slots - this.#slots;
    const records = slots * room.batchSize - (room.merging ? room.open + this.#expected : 0);
    return slots <= 0 ? 0 : Math.min(receiveMax, records);
  }

  /** At most `max`, and no more than fit into `bytes` by what records measured of late; at least one. */
  fitting(max: number, bytes: number): number {
    if (!this.#draining || max * this.#recordBytes <= bytes) return max;
    return Math.max(1, Math.floor(bytes / this.#recordBytes));
  }

  /**
   * Bytes to reserve for a receive of `max` records. An idle long poll reserves nothing: a thousand idle mappings
   * share one budget, and most polls bring nothing.
   */
  expectedBytes(max: number): number {
    return this.#draining ? Math.ceil(max * this.#recordBytes) : 0;
  }

  started(receive: Receive): void {
    this.#receives.add(receive);
    this.#expected += receive.max;
    this.#slots += receive.slots;
  }

  #ended(receive: Receive): void {
    this.#receives.delete(receive);
    this.#expected -= receive.max;
    this.#slots -= receive.slots;
  }

  /** The receive was answered. */
  answered(receive: Receive, records: number, largestBytes: number): void {
    this.#ended(receive);
    this.#failures = 0;
    this.#draining = records > 0;
    this.#backlogged = records >= receive.max;
    this.#recordBytes = Math.max(largestBytes, this.#recordBytes * 0.9);
    if (records === 0) this.#wanted = 1;
    else if (records >= receive.max) this.#wanted = Math.min(this.#wanted + 1, this.#receives.size + 2);
  }

  /** The receive brought only records that were made visible again: without a pause it would bring them at once. */
  allReleased(nowMs: number): void {
    this.#wanted = 1;
    this.#waitUntilMs = nowMs + backoffMs(UNMATCHED_POLICY, ++this.#unmatched, this.#random);
  }

  /** The receive, or the filter, brought something of use. */
  useful(): void {
    this.#unmatched = 0;
  }

  /** The receive failed; returns the delay before the next. */
  failed(receive: Receive | undefined, error: unknown, nowMs: number): number {
    if (receive !== undefined) this.#ended(receive);
    this.#wanted = 1;
    this.#draining = false;
    this.#backlogged = false;
    const delayMs = sourceDelayMs(error, ++this.#failures, this.#random);
    this.#waitUntilMs = Math.max(this.#waitUntilMs, nowMs + delayMs);
    return delayMs;
  }
}
