import { describe, expect, test } from 'vitest';
import type { PollerEvent } from '../../../src/poller/events.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { narrateInsight, narratePoller, type Subject } from '../../../src/telemetry/narrate-poller.ts';
import { keptLog, seriesOf } from '../../support/lines.ts';
import { aWork } from '../../support/pollers.ts';

const subject: Subject = { namespace: 'shop', name: 'orders', sourceType: 'sqs', targetType: 'http' };
const nowMs = Date.UTC(2026, 10, 25);

function setUp() {
  const metrics = new Metrics({ processMetrics: false });
  const { log, lines } = keptLog();
  const tell = narratePoller({ metrics, log, now: () => nowMs }, subject);
  /** Series of the mapping that are not 0, without the labels that all of them have. */
  const series = async (): Promise<string[]> =>
    (await seriesOf(metrics))
      .filter((line) => !line.includes('_bucket{'))
      .map((line) =>
        line
          .replace(/namespace="shop",mapping="orders",source_type="sqs",origin="poller",?/, '')
          .replace('{}', ''),
      );
  const said = (): string[] =>
    lines.map(({ level, message, ...rest }) => {
      const { time: _, mapping, source, ...fields } = rest;
      if (mapping !== 'shop/orders' || source !== 'sqs') throw new Error('a line must name its mapping');
      return `${String(level)} ${String(message)} ${JSON.stringify(fields)}`;
    });
  return { metrics, tell, series, said };
}

const ended = (more: Partial<Extract<PollerEvent, { kind: 'invocation-ended' }>>): PollerEvent => ({
  kind: 'invocation-ended',
  batch: 'b1',
  outcome: 'delivered',
  reason: 'Succeeded',
  message: '',
  records: 4,
  failedRecords: 0,
  durationMs: 1500,
  ...more,
});
const duration = (outcome: string): string[] =>
  ['count', 'sum'].map(
    (part) =>
      `sluice_invocation_duration_seconds_${part}{source_type="sqs",target_type="http",outcome="${outcome}"} ${part === 'sum' ? '1.5' : '1'}`,
  );

interface Row {
  readonly event: PollerEvent;
  readonly series: readonly string[];
  readonly said: readonly string[];
}

/** One row for each kind of event, and for each way in which an invocation can end. */
const rows: Readonly<Record<string, Row>> = {
  polled: {
    event: { kind: 'polled', records: 3, bytes: 300, durationMs: 10 },
    series: ['sluice_polled_bytes_total 300', 'sluice_polled_events_total 3', 'sluice_polls_total 1'],
    said: [],
  },
  'polled nothing': {
    event: { kind: 'polled', records: 0, bytes: 0, durationMs: 20_000 },
    series: ['sluice_polls_total 1'],
    said: [],
  },
  'filtered-out': {
    event: { kind: 'filtered-out', records: 2, disposal: 'released' },
    series: ['sluice_filtered_out_events_total 2'],
    said: ['debug Filtered records out {"records":2,"disposal":"released"}'],
  },
  invoked: {
    event: { kind: 'invoked', batch: 'b1', records: 4, bytes: 2048, attempt: 1, oldestAgeMs: 2500 },
    series: [
      'sluice_batch_bytes_count{source_type="sqs"} 1',
      'sluice_batch_bytes_sum{source_type="sqs"} 2048',
      'sluice_batch_records_count{source_type="sqs"} 1',
      'sluice_batch_records_sum{source_type="sqs"} 4',
      'sluice_inflight_invocations 1',
      'sluice_invoked_events_total 4',
      'sluice_oldest_event_age_seconds 2.5',
    ],
    said: [],
  },
  'invocation-ended': {
    event: ended({}),
    series: [
      'sluice_inflight_invocations -1',
      ...duration('delivered'),
      'sluice_invocations_total{outcome="delivered"} 1',
      `sluice_last_record_processed_timestamp_seconds ${nowMs / 1000}`,
    ],
    said: [
      'debug Delivered a batch {"batch":"b1","records":4,"failedRecords":0,"reason":"Succeeded","durationMs":1500}',
    ],
  },
  'invocation-ended: some records failed': {
    event: ended({ reason: 'PartialFailure', failedRecords: 1 }),
    series: [
      'sluice_failed_invoke_events_total 1',
      'sluice_inflight_invocations -1',
      ...duration('delivered'),
      'sluice_invocations_total{outcome="delivered"} 1',
      'sluice_partial_batches_total 1',
    ],
    said: [
      'warn Target reported failed records {"batch":"b1","records":4,"failedRecords":1,"reason":"PartialFailure","durationMs":1500,"detail":""}',
    ],
  },
  'invocation-ended: all records reported as failed': {
    event: ended({ reason: 'PartialFailure', failedRecords: 4 }),
    series: [
      'sluice_failed_invoke_events_total 4',
      'sluice_inflight_invocations -1',
      ...duration('delivered'),
      'sluice_invocations_total{outcome="delivered"} 1',
    ],
    said: [
      'warn Target reported failed records {"batch":"b1","records":4,"failedRecords":4,"reason":"PartialFailure","durationMs":1500,"detail":""}',
    ],
  },
  ...Object.fromEntries(
    (
      [
        ['failed', 'FunctionError', 'function'],
        ['failed', 'Timeout', 'timeout'],
        ['throttled', 'TargetThrottled', 'throttle'],
        ['unreachable', 'TargetUnreachable', 'unreachable'],
        ['refused', 'TargetRefused', 'unreachable'],
      ] as const
    ).map(([outcome, reason, kind]): [string, Row] => [
      `invocation-ended: ${reason}`,
      {
        event: ended({ outcome, reason, message: 'status 500', failedRecords: 4 }),
        series: [
          'sluice_failed_invoke_events_total 4',
          'sluice_inflight_invocations -1',
          ...duration(outcome),
          `sluice_invocation_errors_total{class="${kind}"} 1`,
          `sluice_invocations_total{outcome="${outcome}"} 1`,
        ],
        said: [
          `warn Invocation failed {"batch":"b1","records":4,"failedRecords":4,"reason":"${reason}","durationMs":1500,"outcome":"${outcome}","detail":"status 500"}`,
        ],
      },
    ]),
  ),
  'filter-undecided': {
    event: { kind: 'filter-undecided', records: 2 },
    series: ['sluice_undecided_events_total 2'],
    said: ['warn Could not decide whether the filter matches, such records are delivered {}'],
  },
  deleted: { event: { kind: 'deleted', records: 4 }, series: ['sluice_deleted_events_total 4'], said: [] },
  'delete-failed': {
    event: { kind: 'delete-failed', records: 1, reason: 'ReceiptHandleInvalid', message: 'stale' },
    series: ['sluice_delete_failed_events_total 1'],
    said: [
      'warn Could not delete messages, the queue delivers them again {"records":1,"reason":"ReceiptHandleInvalid","detail":"stale"}',
    ],
  },
  'settle-failed': {
    event: { kind: 'settle-failed', records: 2, reason: 'SourceAccessDenied', message: 'no' },
    series: ['sluice_delete_errors_total{code="SourceAccessDenied"} 1'],
    said: [
      'warn Could not delete messages yet, it is tried again while they are invisible {"records":2,"reason":"SourceAccessDenied","detail":"no"}',
    ],
  },
  'extend-failed': {
    event: { kind: 'extend-failed', records: 1, reason: 'SourceFailed', message: 'no' },
    series: [],
    said: [
      'warn Could not extend visibility, messages may be delivered twice {"records":1,"reason":"SourceFailed","detail":"no"}',
    ],
  },
  braked: {
    event: { kind: 'braked', reason: 'TargetThrottled', message: '429', delayMs: 1000 },
    series: ['sluice_target_braked 1'],
    said: [
      'warn Stopped receiving, the target takes no batches {"reason":"TargetThrottled","detail":"429","delayMs":1000}',
    ],
  },
  unbraked: {
    event: { kind: 'unbraked', heldMs: 5000 },
    series: [],
    said: ['info Receiving again, the target takes batches {"heldMs":5000}'],
  },
  'let-go': {
    event: { kind: 'let-go', records: 3, reason: 'Draining' },
    series: ['sluice_let_go_events_total{reason="Draining"} 3'],
    said: ['info Gave messages back to the queue {"records":3,"reason":"Draining"}'],
  },
  'source-failed': {
    event: { kind: 'source-failed', reason: 'QueueNotFound', message: 'no queue', delayMs: 2000 },
    series: ['sluice_polling_errors_total{code="QueueNotFound"} 1'],
    said: ['warn Could not read the source {"reason":"QueueNotFound","detail":"no queue","delayMs":2000}'],
  },
  'source-opened': { event: { kind: 'source-opened' }, series: [], said: ['info Opened the source {}'] },
  'concurrency-changed': {
    event: { kind: 'concurrency-changed', limit: 7, reason: 'Backlog' },
    series: ['sluice_concurrency_limit 7'],
    said: ['debug Changed the concurrency limit {"limit":7,"reason":"Backlog"}'],
  },
  'state-changed': {
    event: { kind: 'state-changed', state: 'running' },
    series: ['sluice_mapping_state{state="running"} 1'],
    said: ['info Changed state {"state":"running"}'],
  },
};

describe('narratePoller', () => {
  test.each(Object.entries(rows))('%s', async (_, row) => {
    const { tell, series, said } = setUp();
    tell(row.event);
    expect(await series()).toEqual(row.series.toSorted());
    expect(said()).toEqual(row.said);
  });

  test('a repeat of a batch is counted as one', async () => {
    const { tell, series } = setUp();
    tell({ kind: 'invoked', batch: 'b', records: 1, bytes: 1, attempt: 1, oldestAgeMs: 0 });
    tell({ kind: 'invoked', batch: 'b', records: 1, bytes: 1, attempt: 2, oldestAgeMs: 0 });
    expect(await series()).toContain('sluice_retry_attempts_total 1');
    expect(await series()).toContain('sluice_invoked_events_total 2');
  });

  test('an empty poll ends the age of the oldest record', async () => {
    const { tell, series } = setUp();
    tell({ kind: 'invoked', batch: 'b', records: 1, bytes: 1, attempt: 1, oldestAgeMs: 9000 });
    tell({ kind: 'polled', records: 0, bytes: 0, durationMs: 1 });
    expect((await series()).filter((line) => line.startsWith('sluice_oldest_event_age'))).toEqual([]);
  });

  test('counters are there from the start, at 0, so that their first increment is seen', async () => {
    const { metrics } = setUp();
    const zeros = (await seriesOf(metrics, true)).filter((line) => line.includes('mapping="orders"'));
    const outcomes = zeros.filter((line) => line.startsWith('sluice_invocations_total'));
    expect(outcomes).toHaveLength(5);
    expect(zeros.some((line) => line.startsWith('sluice_deleted_events_total'))).toBe(true);
    expect(zeros.every((line) => line.endsWith(' 0'))).toBe(true);
  });

  test('a mapping that begins while its namesake still drains does not spoil the figure of calls in flight', async () => {
    const { metrics, tell, series } = setUp();
    tell({ kind: 'invoked', batch: 'b', records: 1, bytes: 1, attempt: 1, oldestAgeMs: 0 });
    narratePoller({ metrics, log: keptLog().log, now: () => nowMs }, subject);
    expect(await series()).toContain('sluice_inflight_invocations 1');
    tell(ended({}));
    expect((await series()).filter((line) => line.startsWith('sluice_inflight'))).toEqual([]);
  });
});

test('narrateInsight tells what the mapping joins and the backlog of its queue', async () => {
  const { metrics, series } = setUp();
  const work = aWork('orders');
  const backlog = { visible: 5, inFlight: 2, delayed: 1 };
  narrateInsight(metrics, subject, work, { facts: { fifo: false, visibilityTimeoutMs: 1, backlog } });
  expect(await series()).toEqual([
    'sluice_mapping_info{namespace="shop",mapping="orders",uuid="",function="",mode="Poller"} 1',
    'sluice_source_backlog_events{state="delayed"} 1',
    'sluice_source_backlog_events{state="in_flight"} 2',
    'sluice_source_backlog_events{state="visible"} 5',
  ]);
  metrics.forget('shop', 'orders');
  expect((await seriesOf(metrics, true)).filter((line) => line.includes('orders'))).toEqual([]);
});
