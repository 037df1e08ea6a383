import type { Random } from './random.ts';

/** An exponential back-off: first delay, growth per attempt, ceiling, and the share of each delay left to chance. */
export interface BackoffPolicy {
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
  /** 0 = always the full delay, 1 = anything from nothing to the full delay. */
  readonly jitter: number;
}

/** The delay before attempt `attempt` (1 = first retry), in milliseconds. Pure but for the random source passed in. */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: Random): number {
  const exponent = Math.min(Math.max(0, attempt - 1), 64);
  const full = Math.min(policy.maxMs, policy.initialMs * policy.factor ** exponent);
  return full * (1 - policy.jitter * random());
}
