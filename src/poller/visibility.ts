/**
 * How long messages in our hands stay invisible to others, and when to extend that. Pure.
 *
 * Extension happens at half of the queue's visibility time-out, to the full time-out from then, and never beyond the
 * time that the service allows from the receive (SQS: 12 hours).
 */
import type { QueueFacts } from './ports.ts';

/** The visibility of records that were received together, or the least of what they have. */
export interface Visibility {
  readonly receivedAtMs: number;
  /** Until when nobody else sees the records. */
  readonly untilMs: number;
  /** When to extend next; Infinity = no more. */
  readonly extendAtMs: number;
}

/**
 * Below this a heartbeat cannot keep a message: a call takes its time, and SQS counts in whole seconds. Such a queue
 * (0 is legal) is received from with 2 seconds instead, and failed messages are given back to its own timing.
 */
const LEAST_MS = 2000;

/** The service counts from the receive, which is earlier than its answer, to an extension, which is later than ours. */
const CALL_MS = 2000;

/** The visibility time-out that the engine works with. */
export function workingVisibilityMs(facts: QueueFacts): number {
  return Math.max(LEAST_MS, facts.visibilityTimeoutMs);
}

/** What a receive asks for instead of the queue's own visibility time-out. */
export function receiveVisibilitySeconds(facts: QueueFacts): number | undefined {
  return facts.visibilityTimeoutMs < LEAST_MS ? LEAST_MS / 1000 : undefined;
}

/** Seconds to which a failed message's visibility is set back; undefined leaves it as it is. */
export function ownTimingSeconds(facts: QueueFacts): number | undefined {
  return facts.visibilityTimeoutMs < LEAST_MS ? Math.floor(facts.visibilityTimeoutMs / 1000) : undefined;
}

/** The visibility of what has just been received. */
export function received(nowMs: number, visibilityMs: number): Visibility {
  return { receivedAtMs: nowMs, untilMs: nowMs + visibilityMs, extendAtMs: nowMs + beat(visibilityMs) };
}

/** The visibility of two lots of records taken as one. */
export function merged(a: Visibility, b: Visibility): Visibility {
  return {
    receivedAtMs: Math.min(a.receivedAtMs, b.receivedAtMs),
    untilMs: Math.min(a.untilMs, b.untilMs),
    extendAtMs: Math.min(a.extendAtMs, b.extendAtMs),
  };
}

/** Whole seconds to extend by, or undefined when the service would allow nothing that lasts longer. */
export function extensionSeconds(
  visibility: Visibility,
  nowMs: number,
  visibilityMs: number,
  holdMaxMs: number,
): number | undefined {
  const allowedMs = visibility.receivedAtMs + holdMaxMs - nowMs - CALL_MS;
  const seconds = Math.floor(Math.min(visibilityMs, allowedMs) / 1000);
  return seconds > 0 && nowMs + seconds * 1000 > visibility.untilMs ? seconds : undefined;
}

/** After an extension that was asked for at `startedAtMs` succeeded. */
export function extended(
  visibility: Visibility,
  startedAtMs: number,
  seconds: number,
  visibilityMs: number,
): Visibility {
  return {
    receivedAtMs: visibility.receivedAtMs,
    untilMs: startedAtMs + seconds * 1000,
    extendAtMs: startedAtMs + Math.min(beat(visibilityMs), beat(seconds * 1000)),
  };
}

/**
 * After an extension that failed but may succeed: several more tries fit into what is left. Later tries still serve
 * to learn from the service which of the messages are no longer ours.
 */
export function notExtended(visibility: Visibility, nowMs: number): Visibility {
  const leftMs = visibility.untilMs - nowMs;
  return { ...visibility, extendAtMs: nowMs + (leftMs > 0 ? Math.max(200, leftMs / 4) : 1000) };
}

/**
 * Whether a call of `timeoutMs` that starts now deserves an extension first: the call may outlast what is left, and
 * the extension gains at least a quarter of the time-out (fresh messages need none: a call per batch would be wasted).
 */
export function needsExtensionFirst(
  visibility: Visibility,
  nowMs: number,
  visibilityMs: number,
  timeoutMs: number,
): boolean {
  const leftMs = visibility.untilMs - nowMs;
  return timeoutMs > leftMs && leftMs <= visibilityMs * 0.75;
}

function beat(visibilityMs: number): number {
  return Math.max(1000, visibilityMs / 2);
}
