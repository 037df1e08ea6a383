/**
 * Writes this member's report when something in it has changed: at once after a quiet time, then at most once per
 * interval, so that a burst of changes is one write. A failed write is repeated with back-off until it succeeds or the
 * member stops; meanwhile mappings run on, since a report is for people and status, never for delivery. Every ten
 * seconds it looks whether the report still is as it wrote it, since somebody may delete it, or start a namesake; only
 * then it writes again without a change. It also sees then what time alone has changed.
 */
import type { ReportBody } from '../api/report.ts';
import { backoffMs, type BackoffPolicy } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { anySignal } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import type { ReportStore } from './ports.ts';

export interface ReporterDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: ReportStore;
  /** The report as it would be written now. */
  readonly build: () => ReportBody;
  readonly onFailure: (message: string, delayMs: number) => void;
  readonly intervalMs: number;
}

const RETRY: BackoffPolicy = { initialMs: 500, factor: 2, maxMs: 15_000, jitter: 0.3 };
const REMOVE_TIMEOUT_MS = 5000;
/** Short enough that a deleted report is back before its mappings count as interrupted. */
const LOOK_MS = 10_000;

export class Reporter {
  readonly #deps: ReporterDeps;
  #changed = Promise.withResolvers<void>();
  #written: string | undefined;
  /** Version of the stored object that `#written` made. */
  #version: string | undefined;

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
  }

  /** Says that the report may have changed. */
  touch(): void {
    this.#changed.resolve();
  }

  /** Writes until the signal aborts, then takes the report away. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, store, build, onFailure, intervalMs } = this.#deps;
    let failures = 0;
    while (!signal.aborted) {
      this.#changed = Promise.withResolvers<void>();
      const report = build();
      const text = JSON.stringify(report);
      if (text !== this.#written) {
        try {
          this.#version = await store.write(report, signal);
          this.#written = text;
          failures = 0;
        } catch (error) {
          if (signal.aborted) break;
          const delayMs = backoffMs(RETRY, ++failures, random);
          onFailure(messageOf(error), delayMs);
          await clock.sleep(delayMs, signal);
          continue;
        }
        await clock.sleep(intervalMs, signal);
        // What changed during the write or the pause is seen by the next build.
        if (JSON.stringify(build()) !== this.#written) continue;
      }
      if (signal.aborted) break;
      const changed = new AbortController();
      const either = anySignal(signal, changed.signal);
      const waiting = clock.sleep(LOOK_MS, either);
      // Whoever is first: a change, the abort, or the time to look.
      await Promise.race([this.#changed.promise.then(() => changed.abort()), waiting]);
      if (!either.aborted) await this.#look(either);
    }
    await this.#remove();
  }

  /** Forgets what was written when it is not what is stored. Not being able to look says nothing. */
  async #look(signal: AbortSignal): Promise<void> {
    let version: string | undefined;
    try {
      version = await this.#deps.store.version(signal);
    } catch {
      return;
    }
    if (version !== this.#version) this.#written = undefined;
  }

  /** A report that stays behind is collected with its pod; stopping does not wait long for an API server that is away. */
  async #remove(): Promise<void> {
    const { clock, store, onFailure } = this.#deps;
    const late = new AbortController();
    const done = new AbortController();
    const timer = clock.sleep(REMOVE_TIMEOUT_MS, done.signal).then(() => late.abort());
    try {
      await store.remove(late.signal);
    } catch (error) {
      onFailure(messageOf(error), 0);
    } finally {
      done.abort();
      await timer;
    }
  }
}
