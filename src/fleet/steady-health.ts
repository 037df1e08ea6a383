/**
 * What is told of a source's or target's health, made steady. A consumer that fails one batch in twenty, or an endpoint
 * that comes and goes every second, would otherwise make a condition flap, with a write of the report, of the status
 * and an Event each time. Pure; asked again now and then, since time alone can change the answer.
 *
 * The first troubles, and what ends them, are told at once. When they keep coming, each is told at once still, but its
 * end only after a while without another one, and another reason only after a while: two seconds, doubling up to a
 * minute. Five quiet minutes make it as at first. A read that fails for a passing reason is told when another one fails
 * ten seconds later and none has succeeded in between, since it makes the mapping not ready. One failure is not enough
 * for however long: the next long poll of an empty queue takes 20 s to succeed.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Health } from '../poller/health.ts';

/** The memory of one condition of one mapping. Times are monotonic. */
export interface SteadyHealth {
  /** What is told. */
  readonly told: Health;
  readonly toldAtMs: number;
  /** What is true now. */
  readonly now: Health;
  /** When the trouble that there is now began. */
  readonly troubleSinceMs: number;
  /** When it was last seen to fail. */
  readonly failedAtMs: number;
  /** When there was trouble last. */
  readonly troubleUntilMs: number;
  /** Troubles told since the last quiet time. */
  readonly troubles: number;
}

const freeTroubles = 3;
const firstHoldMs = 2000;
const longestHoldMs = 60_000;
const quietMs = 5 * 60_000;
const patienceMs = 10_000;
/** Reasons that mostly pass before anybody could do anything. */
const passing: ReadonlySet<string> = new Set(['SourceFailed', 'SourceUnreachable']);

/** The memory at the beginning. */
export function steadyFrom(health: Health, nowMs: number): SteadyHealth {
  const never = Number.NEGATIVE_INFINITY;
  const start = { told: health, toldAtMs: nowMs, now: health, troubleSinceMs: nowMs, failedAtMs: nowMs };
  return { ...start, troubleUntilMs: never, troubles: health.status === 'False' ? 1 : 0 };
}

/** The memory after the health has been seen, the same as before or another one. */
export function steadyAfter(memory: SteadyHealth, health: Health, nowMs: number): SteadyHealth {
  const was = memory.now.status === 'False';
  const is = health.status === 'False';
  const troubleUntilMs = was ? nowMs : memory.troubleUntilMs;
  const begins = is && !was;
  return steadyAt(
    {
      ...memory,
      // Back to what is told: no news.
      now: isDeepStrictEqual(health, memory.told) ? memory.told : health,
      troubleUntilMs,
      troubleSinceMs: begins ? nowMs : memory.troubleSinceMs,
      failedAtMs: is ? nowMs : memory.failedAtMs,
      troubles: begins && nowMs - troubleUntilMs >= quietMs ? 0 : memory.troubles,
    },
    nowMs,
  );
}

/** The memory when only time has passed; the same object while that changes nothing. */
export function steadyAt(memory: SteadyHealth, nowMs: number): SteadyHealth {
  if (memory.told === memory.now || nowMs < dueMs(memory)) return memory;
  const troubles = memory.troubles + (memory.now.status === 'False' ? 1 : 0);
  return { ...memory, told: memory.now, toldAtMs: nowMs, troubles };
}

/** From when on the present health is told. */
function dueMs(memory: SteadyHealth): number {
  const { told, toldAtMs, now, troubleSinceMs, failedAtMs, troubleUntilMs, troubles } = memory;
  const holdMs =
    troubles <= freeTroubles ? 0 : Math.min(longestHoldMs, firstHoldMs * 2 ** (troubles - freeTroubles - 1));
  if (now.status !== 'False') return told.status === 'False' ? troubleUntilMs + holdMs : toldAtMs;
  if (told.status === 'False') return toldAtMs + holdMs;
  if (told.status !== 'True' || !passing.has(now.reason)) return toldAtMs;
  return failedAtMs >= troubleSinceMs + patienceMs ? failedAtMs : Number.POSITIVE_INFINITY;
}
