/**
 * What was counted already of each metric that adds up. CloudWatch's sums of a minute come late and may still grow, so
 * the minutes of a window are read again in each round, and only what is more than before is added. Pure but for its
 * own memory; it does not look at the time.
 *
 * Guarantees: nothing is counted twice, in whatever order and however often data points come; nothing of before
 * `sinceMs` is counted at all.
 */

/** A sum of the minute that begins at `atMs`. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

interface Account {
  /** Minutes before it are closed. */
  fromMs: number;
  readonly counted: Map<number, number>;
}

export class Ledger {
  readonly #sinceMs: number;
  readonly #accounts = new Map<string, Account>();

  /** `sinceMs` is the begin of the first minute that counts. */
  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs;
  }

  /** Metrics of which something is remembered. */
  get size(): number {
    return this.#accounts.size;
  }

  /** What these points add to what was counted before. */
  growth(key: string, points: readonly Point[]): number {
    let account = this.#accounts.get(key);
    if (account === undefined)
      this.#accounts.set(key, (account = { fromMs: this.#sinceMs, counted: new Map() }));
    let growth = 0;
    for (const { atMs, value } of points) {
      if (atMs < account.fromMs) continue;
      const more = value - (account.counted.get(atMs) ?? 0);
      // A sum that got smaller, or is no number, is CloudWatch's mistake: counters never go back.
      if (!(more > 0)) continue;
      account.counted.set(atMs, value);
      growth += more;
    }
    return growth;
  }

  /** Closes the minutes before `fromMs`: nobody asks for them again. */
  close(key: string, fromMs: number): void {
    const account = this.#accounts.get(key);
    if (account === undefined || fromMs <= account.fromMs) return;
    account.fromMs = fromMs;
    for (const atMs of account.counted.keys()) if (atMs < fromMs) account.counted.delete(atMs);
  }

  /** Forgets the metrics that are asked for no more and of which every minute lies before `fromMs`. */
  forget(isAsked: (key: string) => boolean, fromMs: number): void {
    for (const [key, { counted }] of this.#accounts) {
      if (isAsked(key)) continue;
      for (const atMs of counted.keys()) if (atMs < fromMs) counted.delete(atMs);
      if (counted.size === 0) this.#accounts.delete(key);
    }
  }
}
