/**
 * The health of a mapping as its poller's events tell it: what the conditions `SourceHealthy` and `TargetHealthy` say
 * and the state. A pure reducer; it returns the same object while nothing changed, so that a report is written on
 * change only.
 */
import type { PollerEvent, PollerState } from './events.ts';

export interface Health {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export interface PollerHealth {
  readonly state: PollerState;
  readonly source: Health;
  readonly target: Health;
  /** Why the mapping is braked, while it is. */
  readonly brakedBy: string | undefined;
}

const UNKNOWN: Health = { status: 'Unknown', reason: 'Unknown', message: '' };
const READ: Health = { status: 'True', reason: 'ReadSucceeded', message: '' };
const INVOKED: Health = { status: 'True', reason: 'TargetSucceeded', message: '' };

/** Reads that wait for their turn are no alarm: the queue is there and answers. */
const PATIENT_REASONS: ReadonlySet<string> = new Set(['SourceThrottled', 'KmsThrottled', 'OverLimit']);

/** Before the first event. */
export const INITIAL_HEALTH: PollerHealth = {
  state: 'starting',
  source: UNKNOWN,
  target: UNKNOWN,
  brakedBy: undefined,
};

/** The health after one more event. */
export function reduceHealth(health: PollerHealth, event: PollerEvent): PollerHealth {
  switch (event.kind) {
    case 'state-changed':
      return health.state === event.state ? health : { ...health, state: event.state };
    case 'polled':
    case 'source-opened':
      return withSource(health, READ);
    case 'settle-failed':
    case 'source-failed':
      if (PATIENT_REASONS.has(event.reason) && health.source.status !== 'False') return health;
      return withSource(health, { status: 'False', reason: event.reason, message: event.message });
    case 'invocation-ended':
      return withTarget(health, targetAfter(event));
    case 'braked':
      return withTarget(health.brakedBy === event.reason ? health : { ...health, brakedBy: event.reason }, {
        status: 'False',
        reason: event.reason,
        message: event.message,
      });
    case 'unbraked': {
      const open: PollerHealth = { ...health, brakedBy: undefined };
      // A target that became ready again without a call: whether calls succeed is not known yet.
      return health.target.reason === health.brakedBy ? withTarget(open, UNKNOWN) : open;
    }
    case 'filtered-out':
    case 'filter-undecided':
    case 'invoked':
    case 'deleted':
    case 'delete-failed':
    case 'extend-failed':
    case 'let-go':
    case 'concurrency-changed':
      return health;
  }
}

function targetAfter(event: Extract<PollerEvent, { kind: 'invocation-ended' }>): Health {
  if (event.outcome === 'delivered' && event.reason !== 'ResponseInvalid') return INVOKED;
  return { status: 'False', reason: event.reason, message: event.message };
}

function withSource(health: PollerHealth, source: Health): PollerHealth {
  return same(health.source, source) ? health : { ...health, source };
}

function withTarget(health: PollerHealth, target: Health): PollerHealth {
  return same(health.target, target) ? health : { ...health, target };
}

function same(a: Health, b: Health): boolean {
  return a === b || (a.status === b.status && a.reason === b.reason && a.message === b.message);
}
