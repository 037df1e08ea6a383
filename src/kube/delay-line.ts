/**
 * Keys that come out at their time, each key once, the earliest time winning. One sleep is pending for all of them.
 */
import type { Clock } from '../lib/clock.ts';

interface Entry {
  readonly key: string;
  readonly dueMs: number;
}

export class DelayLine {
  readonly #clock: Clock;
  readonly #release: (key: string) => void;
  /** A binary heap by time; an entry that is not its key's current one is dead and skipped. */
  readonly #heap: Entry[] = [];
  readonly #current = new Map<string, Entry>();
  #alarm: { readonly dueMs: number; readonly cancel: AbortController } | undefined;

  /** `release` is called for each key at its time. It must not throw. */
  constructor(clock: Clock, release: (key: string) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  get size(): number {
    return this.#current.size;
  }

  /** Entries in memory, dead ones included; at most about twice `size`. */
  get footprint(): number {
    return this.#heap.length;
  }

  /** The key comes out after `delayMs`, unless it is already due earlier. */
  put(key: string, delayMs: number): void {
    const dueMs = this.#clock.monotonic() + delayMs;
    const known = this.#current.get(key);
    if (known !== undefined && known.dueMs <= dueMs) return;
    const entry: Entry = { key, dueMs };
    this.#current.set(key, entry);
    this.#compact();
    this.#push(entry);
    this.#arm();
  }

  /** The key does not come out any more. */
  remove(key: string): void {
    this.#current.delete(key);
    this.#arm();
  }

  /** Nothing comes out any more. */
  clear(): void {
    this.#current.clear();
    this.#heap.length = 0;
    this.#arm();
  }

  #arm(): void {
    const next = this.#peek();
    if (this.#alarm !== undefined) {
      if (next !== undefined && this.#alarm.dueMs <= next.dueMs) return;
      this.#alarm.cancel.abort();
      this.#alarm = undefined;
    }
    if (next === undefined) return;
    const alarm = { dueMs: next.dueMs, cancel: new AbortController() };
    this.#alarm = alarm;
    // A clock's sleep never rejects and `#ring` does not throw, so nobody needs to wait for this.
    void this.#clock.sleep(next.dueMs - this.#clock.monotonic(), alarm.cancel.signal).then(() => {
      if (this.#alarm === alarm) this.#ring();
    });
  }

  #ring(): void {
    this.#alarm = undefined;
    const nowMs = this.#clock.monotonic();
    for (let next = this.#peek(); next !== undefined && next.dueMs <= nowMs; next = this.#peek()) {
      this.#pop();
      this.#current.delete(next.key);
      this.#release(next.key);
    }
    this.#arm();
  }

  #peek(): Entry | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || this.#current.get(first.key) === first) return first;
      this.#pop();
    }
  }

  /** Keys that are put far ahead and then replaced leave dead entries deep in the heap; keeps them fewer than the live. */
  #compact(): void {
    if (this.#heap.length <= 2 * this.#current.size + 16) return;
    const live = this.#heap.filter((entry) => this.#current.get(entry.key) === entry);
    // A sorted array is a heap.
    live.sort((a, b) => a.dueMs - b.dueMs);
    this.#heap.splice(0, this.#heap.length, ...live);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || parent.dueMs <= entry.dueMs) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && right.dueMs < child.dueMs) {
        child = right;
        childIndex++;
      }
      if (last.dueMs <= child.dueMs) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}
