import { describe, expect, test } from 'vitest';
import type { PollerEvent } from '../../../src/poller/events.ts';
import { INITIAL_HEALTH, reduceHealth, type PollerHealth } from '../../../src/poller/health.ts';

const polled: PollerEvent = { kind: 'polled', records: 0, bytes: 0, durationMs: 1 };
const ended = (
  outcome: 'delivered' | 'failed' | 'throttled' | 'unreachable',
  reason: string,
): PollerEvent => ({
  kind: 'invocation-ended',
  batch: 'b',
  outcome,
  reason,
  message: 'why',
  records: 1,
  failedRecords: 0,
  durationMs: 1,
});
const sourceFailed = (reason: string): PollerEvent => ({
  kind: 'source-failed',
  reason,
  message: 'why',
  delayMs: 1,
});
const braked = (reason: string): PollerEvent => ({ kind: 'braked', reason, message: 'why', delayMs: 1 });
const unbraked: PollerEvent = { kind: 'unbraked', heldMs: 1 };
const after = (...events: readonly PollerEvent[]): PollerHealth =>
  events.reduce(reduceHealth, INITIAL_HEALTH);

describe('the source is', () => {
  test.for<{ why: string; events: PollerEvent[]; status: string; reason: string }>([
    { why: 'unknown at first', events: [], status: 'Unknown', reason: 'Unknown' },
    { why: 'healthy once a read succeeded', events: [polled], status: 'True', reason: 'ReadSucceeded' },
    {
      why: 'ill after a failure',
      events: [polled, sourceFailed('QueueNotFound')],
      status: 'False',
      reason: 'QueueNotFound',
    },
    {
      why: 'ill while deletes fail: what was delivered comes again',
      events: [
        polled,
        { kind: 'settle-failed', records: 1, reason: 'SourceAccessDenied', message: 'sqs:DeleteMessage' },
      ],
      status: 'False',
      reason: 'SourceAccessDenied',
    },
    {
      why: 'well again',
      events: [sourceFailed('QueueNotFound'), polled],
      status: 'True',
      reason: 'ReadSucceeded',
    },
    {
      why: 'not ill for being throttled',
      events: [polled, sourceFailed('SourceThrottled')],
      status: 'True',
      reason: 'ReadSucceeded',
    },
    {
      why: 'not ill for too many in flight',
      events: [polled, sourceFailed('OverLimit')],
      status: 'True',
      reason: 'ReadSucceeded',
    },
  ])('$why', ({ events, status, reason }) => {
    expect(after(...events).source).toMatchObject({ status, reason });
  });
});

describe('the target is', () => {
  test.for<{ why: string; events: PollerEvent[]; status: string; reason: string }>([
    { why: 'unknown at first', events: [polled], status: 'Unknown', reason: 'Unknown' },
    {
      why: 'healthy after a success',
      events: [ended('delivered', 'Succeeded')],
      status: 'True',
      reason: 'TargetSucceeded',
    },
    {
      why: 'healthy when it names failures',
      events: [ended('delivered', 'PartialFailure')],
      status: 'True',
      reason: 'TargetSucceeded',
    },
    {
      why: 'ill when its answer cannot be read',
      events: [ended('delivered', 'ResponseInvalid')],
      status: 'False',
      reason: 'ResponseInvalid',
    },
    {
      why: 'ill after a function error',
      events: [ended('failed', 'FunctionError')],
      status: 'False',
      reason: 'FunctionError',
    },
    {
      why: 'ill while it throttles',
      events: [ended('throttled', 'TargetThrottled'), braked('TargetThrottled')],
      status: 'False',
      reason: 'TargetThrottled',
    },
    {
      why: 'ill without a ready endpoint',
      events: [braked('NoReadyEndpoint')],
      status: 'False',
      reason: 'NoReadyEndpoint',
    },
    {
      why: 'unknown when it is ready again',
      events: [braked('NoReadyEndpoint'), unbraked],
      status: 'Unknown',
      reason: 'Unknown',
    },
    {
      why: 'healthy when the probe succeeded',
      events: [braked('TargetThrottled'), ended('delivered', 'Succeeded'), unbraked],
      status: 'True',
      reason: 'TargetSucceeded',
    },
    {
      why: 'ill when the probe was a function error',
      events: [braked('TargetThrottled'), ended('failed', 'FunctionError'), unbraked],
      status: 'False',
      reason: 'FunctionError',
    },
  ])('$why', ({ events, status, reason }) => {
    expect(after(...events).target).toMatchObject({ status, reason });
  });
});

test('the state follows the poller', () => {
  expect(after({ kind: 'state-changed', state: 'paused' }).state).toBe('paused');
});

test('the same object is returned while nothing changed', () => {
  const well = after(polled, ended('delivered', 'Succeeded'));
  expect(reduceHealth(reduceHealth(well, polled), ended('delivered', 'Succeeded'))).toBe(well);
});
