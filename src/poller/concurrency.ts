/**
 * How many invocations of a mapping may run at once. Pure.
 *
 * With `maximumConcurrency` it is exactly that number. Without, it begins at 5 as Lambda does, grows while there is a
 * backlog by at most 5 a second (Lambda: 300 a minute) up to the ceiling of the process, and is halved by a function
 * error or a throttle. A call that began before the last cut does not cut again: one bad moment costs one halving.
 */
export interface ConcurrencyBounds {
  /** `scalingConfig.maximumConcurrency`; undefined = adaptive. */
  readonly maximumConcurrency: number | undefined;
  /** Most invocations of an adaptive mapping in this process. */
  readonly ceiling: number;
}

export interface Concurrency {
  readonly limit: number;
  readonly grownAtMs: number;
  readonly cutAtMs: number;
}

const START = 5;
const STEP = 5;
const STEP_EVERY_MS = 1000;

/** The limit at start, and after the bounds changed. */
export function startConcurrency(bounds: ConcurrencyBounds, current?: Concurrency): Concurrency {
  const limit = bounds.maximumConcurrency ?? Math.min(current?.limit ?? START, bounds.ceiling);
  return { limit, grownAtMs: current?.grownAtMs ?? -Infinity, cutAtMs: current?.cutAtMs ?? -Infinity };
}

/** After a receive that came back full while every slot was taken. */
export function grow(current: Concurrency, bounds: ConcurrencyBounds, nowMs: number): Concurrency {
  if (bounds.maximumConcurrency !== undefined || nowMs - current.grownAtMs < STEP_EVERY_MS) return current;
  // Doubling from below the step: after a cut to 1 the way back begins carefully.
  const limit = Math.min(bounds.ceiling, current.limit + Math.min(STEP, current.limit));
  return limit === current.limit ? current : { ...current, limit, grownAtMs: nowMs };
}

/** After a failed or throttled call that began at `startedAtMs`. */
export function cut(
  current: Concurrency,
  bounds: ConcurrencyBounds,
  startedAtMs: number,
  nowMs: number,
): Concurrency {
  if (bounds.maximumConcurrency !== undefined || startedAtMs < current.cutAtMs) return current;
  // Growth waits for its second again, so that a failing target is not raced up at once.
  return { limit: Math.max(1, Math.floor(current.limit / 2)), grownAtMs: nowMs, cutAtMs: nowMs };
}

/** After an empty receive with nothing in flight: where an idle mapping rests. */
export function rest(current: Concurrency, bounds: ConcurrencyBounds): Concurrency {
  if (bounds.maximumConcurrency !== undefined) return current;
  const limit = Math.min(START, bounds.ceiling);
  return limit === current.limit ? current : { ...current, limit };
}
