/**
 * Keeps messages invisible to others, and makes them visible again. It does the calls; when they are due is decided by
 * `visibility.ts` and looked at by `hands.ts`. A delivery has at most one extension under way.
 */
import { messageOf, SluiceError } from '../lib/errors.ts';
import type { Delivery } from './delivery.ts';
import type { Loop } from './loop.ts';
import type { QueueRecord } from './ports.ts';
import * as visibility from './visibility.ts';

/** A call that extends gets half of the time that is left, within these bounds, so that another try still fits. */
const EXTEND_TIMEOUT_MS = { min: 1000, max: 10_000 } as const;
const RELEASE_TIMEOUT_MS = 10_000;

export class Extender {
  readonly #loop: Loop;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** Sets a shorter visibility (0 = visible at once) that nobody follows up: should it fail twice, time does the same. */
  setBack(records: readonly QueueRecord[], seconds: number): void {
    const { source, calls } = this.#loop;
    this.#loop.run(async () => {
      let left = records;
      for (let tries = 0; left.length > 0 && tries < 2; tries++) {
        const asked = left;
        try {
          const failed = await calls.run(RELEASE_TIMEOUT_MS, (signal) =>
            source.extend(asked, seconds, signal),
          );
          left = failed.filter((item) => item.retryable).map((item) => item.record);
        } catch {
          // Tried once more, then left.
        }
      }
    });
  }

  /** Extends the visibility of a delivery's records from now; what fails is told and tried again while it lasts. */
  extend(delivery: Delivery, nowMs: number): void {
    if (delivery.extending) return;
    const { source, calls, clock, emit, rules, alarm, effective } = this.#loop;
    const { visibilityMs } = effective;
    const seconds = rules.extensionSeconds(delivery.visibility, nowMs, visibilityMs, source.limits.holdMaxMs);
    const { gone } = delivery;
    const records = delivery.records.filter((record) => gone?.has(record) !== true);
    if (seconds === undefined || records.length === 0) {
      delivery.visibility = { ...delivery.visibility, extendAtMs: Infinity };
      return;
    }
    delivery.extending = true;
    const halfLeftMs = (delivery.visibility.untilMs - nowMs) / 2;
    const timeoutMs = Math.min(Math.max(halfLeftMs, EXTEND_TIMEOUT_MS.min), EXTEND_TIMEOUT_MS.max);
    this.#loop.run(async () => {
      const failures = new Map<string, { records: number; message: string }>();
      let again = false;
      try {
        const failed = await calls.run(timeoutMs, (signal) => source.extend(records, seconds, signal));
        for (const { record, code, retryable } of failed) {
          // A delete that overtook the extension makes the receipt stale; that is no trouble.
          if (delivery.state === 'settling' && !retryable) continue;
          const count = (failures.get(code)?.records ?? 0) + 1;
          failures.set(code, { records: count, message: 'The visibility was not extended' });
          if (retryable) again = true;
          else (delivery.gone ??= new Set()).add(record);
        }
      } catch (error) {
        again = true;
        const code = error instanceof SluiceError ? error.reason : 'SourceFailed';
        failures.set(code, { records: records.length, message: messageOf(error) });
      }
      delivery.extending = false;
      if (delivery.state === 'ended') return;
      for (const [reason, failure] of failures) emit({ kind: 'extend-failed', reason, ...failure });
      delivery.visibility = again
        ? visibility.notExtended(delivery.visibility, clock.monotonic())
        : visibility.extended(delivery.visibility, nowMs, seconds, visibilityMs);
      alarm.by(delivery.visibility.extendAtMs);
    });
  }
}
