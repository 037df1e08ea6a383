/**
 * The two ledgers of the demo: what the producer sent and what the consumer processed. Every figure of the demo is
 * computed from them alone, never from what Sluice says of itself; so they can show a loss.
 */

export interface Sent {
  readonly id: string;
  /** Whether the mapping's filter lets it through, by the producer's own rule. */
  readonly wanted: boolean;
  readonly sentAtMs: number;
  /** Ordered group and place in it, for a FIFO queue. */
  readonly group?: { readonly name: string; readonly sequence: number };
}

export interface Totals {
  readonly produced: number;
  /** Messages processed with success at least once. */
  readonly delivered: number;
  /** Messages that the filter had to hold back, and did. */
  readonly filtered: number;
  /** Messages that should have been held back and reached the consumer. */
  readonly leaked: number;
  /** Refusals by the consumer, each of which made a message come again. */
  readonly failed: number;
  /** Messages processed with success after at least one refusal. */
  readonly retried: number;
  /** Wanted messages that were not (yet) processed; at the end these are lost. */
  readonly missing: number;
  /** Successes beyond the first of a message. */
  readonly duplicates: number;
  /** Messages of a group processed before an earlier one. */
  readonly outOfOrder: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Fate {
  readonly sent: Sent;
  refusals: number;
  successes: number;
}

/** The books of one mapping. */
export class Ledger {
  readonly #fates = new Map<string, Fate>();
  readonly #latenciesMs: number[] = [];
  readonly #lastOfGroup = new Map<string, number>();
  #outOfOrder = 0;

  sent(message: Sent): void {
    this.#fates.set(message.id, { sent: message, refusals: 0, successes: 0 });
  }

  /** Whether this is the first time that the consumer sees the message. */
  isFirst(id: string): boolean {
    const fate = this.#fates.get(id);
    return fate !== undefined && fate.refusals === 0 && fate.successes === 0;
  }

  refused(id: string): void {
    const fate = this.#fates.get(id);
    if (fate !== undefined) fate.refusals++;
  }

  processed(id: string, nowMs: number): void {
    const fate = this.#fates.get(id);
    if (fate === undefined) return;
    if (fate.successes++ > 0) return;
    this.#latenciesMs.push(nowMs - fate.sent.sentAtMs);
    const { group } = fate.sent;
    if (group === undefined) return;
    const last = this.#lastOfGroup.get(group.name) ?? 0;
    if (group.sequence < last) this.#outOfOrder++;
    else this.#lastOfGroup.set(group.name, group.sequence);
  }

  totals(): Totals {
    const fates = [...this.#fates.values()];
    const count = (test: (fate: Fate) => boolean): number => fates.filter(test).length;
    const sum = (of: (fate: Fate) => number): number => fates.reduce((total, fate) => total + of(fate), 0);
    const sorted = this.#latenciesMs.toSorted((left, right) => left - right);
    const quantile = (q: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
    return {
      produced: fates.length,
      delivered: count((fate) => fate.successes > 0),
      filtered: count((fate) => !fate.sent.wanted && fate.successes === 0),
      leaked: count((fate) => !fate.sent.wanted && fate.successes > 0),
      failed: sum((fate) => fate.refusals),
      retried: count((fate) => fate.refusals > 0 && fate.successes > 0),
      missing: count((fate) => fate.sent.wanted && fate.successes === 0),
      duplicates: sum((fate) => Math.max(0, fate.successes - 1)),
      outOfOrder: this.#outOfOrder,
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
    };
  }
}
