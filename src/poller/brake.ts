/**
 * The brake of a mapping whose target throttles, refuses or is away. Pure.
 *
 * States: open → braked (until a time) → probing → open, or → braked again for longer.
 * While braked nothing is received and nothing is invoked; while probing exactly one batch is. Throttles of calls
 * that began before the brake was pulled do not make it longer, except that a later `Retry-After` is honoured.
 */
import type { Random } from '../lib/random.ts';
import { brakeDelayMs } from './retry.ts';

export interface BrakeCause {
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

export type Brake =
  | { readonly kind: 'open' }
  | {
      readonly kind: 'braked';
      /** When the brake was first pulled; kept over probes that failed. */
      readonly sinceMs: number;
      /** When the next probe may run. */
      readonly untilMs: number;
      readonly attempt: number;
      readonly reason: string;
      /** The target said beforehand that it takes no calls: asked again without a call. */
      readonly unready: boolean;
    }
  | {
      readonly kind: 'probing';
      readonly sinceMs: number;
      readonly attempt: number;
      readonly reason: string;
    };

export const OPEN: Brake = { kind: 'open' };

/** How often a target that is not ready is asked again. */
export const UNREADY_RECHECK_MS = 1000;

/** The brake after a call that was not processed. `isProbe` is whether that call was the probe. */
export function pull(
  brake: Brake,
  cause: BrakeCause,
  isProbe: boolean,
  nowMs: number,
  random: Random,
): Brake {
  switch (brake.kind) {
    case 'open':
      return engaged(nowMs, 1, cause, nowMs, random);
    case 'braked': {
      if (cause.retryAfterMs === undefined) return brake;
      const untilMs = nowMs + brakeDelayMs(brake.attempt, cause.retryAfterMs, random);
      return untilMs > brake.untilMs ? { ...brake, untilMs } : brake;
    }
    case 'probing':
      return isProbe ? engaged(brake.sinceMs, brake.attempt + 1, cause, nowMs, random) : brake;
  }
}

/** The brake of a target that says it takes no calls now. */
export function pullUnready(brake: Brake, reason: string, nowMs: number): Brake {
  return {
    kind: 'braked',
    sinceMs: brake.kind === 'open' ? nowMs : brake.sinceMs,
    untilMs: nowMs + UNREADY_RECHECK_MS,
    attempt: brake.kind === 'open' ? 0 : brake.attempt,
    reason,
    unready: true,
  };
}

/** The move from braked to probing, when the delay has passed. */
export function probe(brake: Brake, nowMs: number): Brake {
  if (brake.kind !== 'braked' || brake.untilMs > nowMs) return brake;
  return { kind: 'probing', sinceMs: brake.sinceMs, attempt: brake.attempt, reason: brake.reason };
}

function engaged(sinceMs: number, attempt: number, cause: BrakeCause, nowMs: number, random: Random): Brake {
  const untilMs = nowMs + brakeDelayMs(attempt, cause.retryAfterMs, random);
  return { kind: 'braked', sinceMs, untilMs, attempt, reason: cause.reason, unready: false };
}
