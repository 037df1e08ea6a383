/**
 * The tags of many mappings at once, by the index of tags, where so many are asked for that reading each would cost
 * more: deletions of many mappings whose tags this process has not read for long. It only ever proves that a mapping
 * is ours; what it does not show, or shows otherwise, is for the caller to read.
 *
 * - The index may lag, so what it shows counts for two minutes only, and not at all for what was tagged meanwhile.
 * - Where it may not be asked or does not answer, nobody asks for ten minutes, and nothing fails.
 * - What one identity was shown is not told to another.
 */
import type { Clock } from '../../lib/clock.ts';
import type { AccountApi, Tags } from './client.ts';

export interface TagSweepOptions {
  readonly clock: Clock;
  /** How many mappings of ours there are about. */
  readonly expected: () => number;
}

const shownMs = 120_000;
const offMs = 600_000;
/** Within which demand is counted. */
const demandMs = 60_000;
/** So few are read one by one, whatever a sweep costs. */
const few = 3;
const perPage = 100;

interface Shown {
  readonly by: string;
  readonly startedMs: number;
  readonly tags: Map<string, Tags>;
}

export class TagSweep {
  readonly #options: TagSweepOptions;
  #shown: Shown | undefined;
  #running: Promise<void> | undefined;
  /** Until when an identity does not ask. */
  readonly #off = new Map<string, number>();
  #demand = { sinceMs: -Infinity, count: 0 };
  /** Tagged while a sweep is under way, which may show what was before; undefined while none is. */
  #tagged: Set<string> | undefined;

  constructor(options: TagSweepOptions) {
    this.#options = options;
  }

  /** Tags of a mapping as the index has shown them lately; undefined where they have to be read. Never rejects. */
  async tagsOf(
    { tagged }: Pick<AccountApi, 'tagged'>,
    by: string,
    arn: string,
    signal: AbortSignal,
  ): Promise<Tags | undefined> {
    if (tagged === undefined) return undefined;
    const nowMs = this.#options.clock.monotonic();
    if (nowMs - this.#demand.sinceMs > demandMs) this.#demand = { sinceMs: nowMs, count: 0 };
    this.#demand.count++;
    if (this.#now(by) === undefined && this.#pays(by)) {
      this.#running ??= this.#sweep(tagged, by, signal).finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
    return this.#now(by)?.get(arn);
  }

  /** The tags of a mapping are being changed, or it is being deleted. */
  forget(arn: string): void {
    this.#shown?.tags.delete(arn);
    this.#tagged?.add(arn);
  }

  #now(by: string): ReadonlyMap<string, Tags> | undefined {
    if (this.#shown === undefined) return undefined;
    if (this.#options.clock.monotonic() - this.#shown.startedMs > shownMs) this.#shown = undefined;
    return this.#shown?.by === by ? this.#shown.tags : undefined;
  }

  #pays(by: string): boolean {
    if (this.#options.clock.monotonic() < (this.#off.get(by) ?? -Infinity)) return false;
    return this.#demand.count >= Math.max(few, this.#options.expected() / perPage);
  }

  async #sweep(index: NonNullable<AccountApi['tagged']>, by: string, signal: AbortSignal): Promise<void> {
    const { clock, expected } = this.#options;
    const startedMs = clock.monotonic();
    const mostPages = 2 + (2 * expected()) / perPage;
    const tags = new Map<string, Tags>();
    const tagged = new Set<string>();
    this.#tagged = tagged;
    try {
      let token: string | undefined;
      for (let pages = 0; pages === 0 || token !== undefined; pages++) {
        if (pages > mostPages) throw new Error('The index shows far more mappings than there are');
        const page = await index(token, signal);
        for (const [arn, shown] of page.tags) tags.set(arn, shown);
        token = page.next;
      }
    } catch {
      if (!signal.aborted) this.#off.set(by, clock.monotonic() + offMs);
      return;
    } finally {
      this.#tagged = undefined;
    }
    for (const arn of tagged) tags.delete(arn);
    this.#shown = { by, startedMs, tags };
  }
}
