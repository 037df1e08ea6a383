/**
 * The engine's events, told as metrics and log lines. One narrator per mapping; it holds the labels, so that the
 * engine knows neither. Success is counted and logged at `debug`; what a person may want to know is `info`; an expected
 * failure is `warn`. Nothing here sees a payload.
 */
import type { Work } from '../fleet/work.ts';
import type { Emit, PollerEvent } from '../poller/events.ts';
import type { QueueFacts } from '../poller/ports.ts';
import type { Fields, Log } from './log.ts';
import type { Labels, Metrics } from './metrics.ts';
import type { Distribution, Series } from './series.ts';

/** Whom the narrator speaks of. */
export interface Subject {
  readonly namespace: string;
  readonly name: string;
  readonly sourceType: string;
  readonly targetType: string;
}

const states = ['starting', 'running', 'paused', 'draining', 'stopped'] as const;
const queueStates = ['visible', 'in_flight', 'delayed'] as const;

/** Lambda's classes of invocation errors by outcome; a time-out is told apart by its reason. */
const errorClass = {
  failed: 'function',
  throttled: 'throttle',
  unreachable: 'unreachable',
  refused: 'unreachable',
} as const;

/** The labels of everything that belongs to one mapping. */
export function mappingLabels(subject: Subject): Labels {
  return {
    namespace: subject.namespace,
    mapping: subject.name,
    source_type: subject.sourceType,
    origin: 'poller',
  };
}

/** Tells the events of one mapping. All counters exist from the start, at 0. */
export function narratePoller(
  deps: { readonly metrics: Metrics; readonly log: Log; readonly now: () => number },
  subject: Subject,
): Emit {
  const { metrics, log, now } = deps;
  const labels = mappingLabels(subject);
  const facts: Fields = { mapping: `${subject.namespace}/${subject.name}`, source: subject.sourceType };
  const types = { source_type: subject.sourceType, target_type: subject.targetType };
  initialise(metrics, labels);
  // What comes with every batch is counted without a search.
  const polls = metrics.series('sluice_polls_total', labels);
  const polledEvents = metrics.series('sluice_polled_events_total', labels);
  const polledBytes = metrics.series('sluice_polled_bytes_total', labels);
  const invokedEvents = metrics.series('sluice_invoked_events_total', labels);
  const deletedEvents = metrics.series('sluice_deleted_events_total', labels);
  const inFlight = metrics.series('sluice_inflight_invocations', labels);
  const delivered = metrics.series('sluice_invocations_total', { ...labels, outcome: 'delivered' });
  const source = { source_type: subject.sourceType };
  const batchRecords = metrics.distribution('sluice_batch_records', source);
  const batchBytes = metrics.distribution('sluice_batch_bytes', source);
  // There is none of these before the first record.
  let oldestAge: Series | undefined;
  let lastProcessed: Series | undefined;
  let deliveredDuration: Distribution | undefined;

  let toldUndecided = false;
  const setOldestAge = (seconds: number): void => {
    oldestAge ??= metrics.series('sluice_oldest_event_age_seconds', labels);
    oldestAge.value = seconds;
  };
  const durationOf = (outcome: string): Distribution =>
    metrics.distribution('sluice_invocation_duration_seconds', { ...types, outcome });

  const narrate = (event: PollerEvent): void => {
    switch (event.kind) {
      case 'polled':
        polls.add(1);
        polledEvents.add(event.records);
        polledBytes.add(event.bytes);
        if (event.records === 0) setOldestAge(0);
        return;
      case 'filtered-out':
        metrics.inc('sluice_filtered_out_events_total', labels, event.records);
        log.debug('Filtered records out', { ...facts, records: event.records, disposal: event.disposal });
        return;
      case 'filter-undecided':
        metrics.inc('sluice_undecided_events_total', labels, event.records);
        // Told once: who can send one such record can send millions.
        if (!toldUndecided)
          log.warn('Could not decide whether the filter matches, such records are delivered', facts);
        toldUndecided = true;
        return;
      case 'invoked':
        invokedEvents.add(event.records);
        if (event.attempt > 1) metrics.inc('sluice_retry_attempts_total', labels);
        batchRecords.observe(event.records);
        batchBytes.observe(event.bytes);
        setOldestAge(event.oldestAgeMs / 1000);
        inFlight.add(1);
        return;
      case 'invocation-ended':
        inFlight.add(-1);
        invocationEnded(event);
        return;
      case 'deleted':
        deletedEvents.add(event.records);
        return;
      case 'delete-failed':
        metrics.inc('sluice_delete_failed_events_total', labels, event.records);
        log.warn('Could not delete messages, the queue delivers them again', {
          ...facts,
          records: event.records,
          reason: event.reason,
          detail: event.message,
        });
        return;
      case 'settle-failed':
        metrics.inc('sluice_delete_errors_total', { ...labels, code: event.reason });
        log.warn('Could not delete messages yet, it is tried again while they are invisible', {
          ...facts,
          records: event.records,
          reason: event.reason,
          detail: event.message,
        });
        return;
      case 'extend-failed':
        log.warn('Could not extend visibility, messages may be delivered twice', {
          ...facts,
          records: event.records,
          reason: event.reason,
          detail: event.message,
        });
        return;
      case 'braked':
        metrics.set('sluice_target_braked', labels, 1);
        log.warn('Stopped receiving, the target takes no batches', {
          ...facts,
          reason: event.reason,
          detail: event.message,
          delayMs: Math.round(event.delayMs),
        });
        return;
      case 'unbraked':
        metrics.set('sluice_target_braked', labels, 0);
        log.info('Receiving again, the target takes batches', { ...facts, heldMs: Math.round(event.heldMs) });
        return;
      case 'let-go':
        metrics.inc('sluice_let_go_events_total', { ...labels, reason: event.reason }, event.records);
        log.info('Gave messages back to the queue', {
          ...facts,
          records: event.records,
          reason: event.reason,
        });
        return;
      case 'source-failed':
        metrics.inc('sluice_polling_errors_total', { ...labels, code: event.reason });
        log.warn('Could not read the source', {
          ...facts,
          reason: event.reason,
          detail: event.message,
          delayMs: Math.round(event.delayMs),
        });
        return;
      case 'source-opened':
        log.info('Opened the source', facts);
        return;
      case 'concurrency-changed':
        metrics.set('sluice_concurrency_limit', labels, event.limit);
        log.debug('Changed the concurrency limit', { ...facts, limit: event.limit, reason: event.reason });
        return;
      case 'state-changed':
        metrics.setOneOf('sluice_mapping_state', labels, 'state', states, event.state);
        log.info('Changed state', { ...facts, state: event.state });
        return;
    }
  };

  const invocationEnded = (event: Extract<PollerEvent, { kind: 'invocation-ended' }>): void => {
    const seconds = event.durationMs / 1000;
    if (event.outcome === 'delivered') {
      delivered.add(1);
      deliveredDuration ??= durationOf(event.outcome);
      deliveredDuration.observe(seconds);
    } else {
      metrics.inc('sluice_invocations_total', { ...labels, outcome: event.outcome });
      durationOf(event.outcome).observe(seconds);
    }
    if (event.failedRecords > 0)
      metrics.inc('sluice_failed_invoke_events_total', labels, event.failedRecords);
    // One for each call of the target, so that it is made only where it is written.
    const line = (): Fields => ({
      ...facts,
      batch: event.batch,
      records: event.records,
      failedRecords: event.failedRecords,
      reason: event.reason,
      durationMs: Math.round(event.durationMs),
    });
    if (event.outcome !== 'delivered') {
      const kind = event.reason === 'Timeout' ? 'timeout' : errorClass[event.outcome];
      metrics.inc('sluice_invocation_errors_total', { ...labels, class: kind });
      log.warn('Invocation failed', { ...line(), outcome: event.outcome, detail: event.message });
    } else if (event.failedRecords > 0) {
      if (event.failedRecords < event.records) metrics.inc('sluice_partial_batches_total', labels);
      log.warn('Target reported failed records', { ...line(), detail: event.message });
    } else {
      lastProcessed ??= metrics.series('sluice_last_record_processed_timestamp_seconds', labels);
      lastProcessed.value = now() / 1000;
      if (log.isDebug) log.debug('Delivered a batch', line());
    }
  };
  return narrate;
}

/** Exports what the mapping joins, and what its queue says of the backlog. */
export function narrateInsight(
  metrics: Metrics,
  subject: Subject,
  work: Work,
  insight: { readonly facts: QueueFacts | undefined },
): void {
  const { namespace, name } = subject;
  const info = { uuid: '', function: work.mapping.spec.functionName ?? '', mode: 'Poller' };
  metrics.setOnly('sluice_mapping_info', { namespace, mapping: name, ...info }, 1);
  if (insight.facts === undefined) return;
  const { visible, inFlight, delayed } = insight.facts.backlog;
  const counts = { visible, in_flight: inFlight, delayed };
  for (const state of queueStates)
    metrics.set('sluice_source_backlog_events', { ...mappingLabels(subject), state }, counts[state]);
}

/** A counter that appears only at its first increment hides that increment from `rate()`. */
function initialise(metrics: Metrics, labels: Labels): void {
  for (const name of [
    'sluice_polls_total',
    'sluice_polled_events_total',
    'sluice_polled_bytes_total',
    'sluice_filtered_out_events_total',
    'sluice_undecided_events_total',
    'sluice_invoked_events_total',
    'sluice_failed_invoke_events_total',
    'sluice_deleted_events_total',
    'sluice_delete_failed_events_total',
    'sluice_partial_batches_total',
    'sluice_retry_attempts_total',
  ] as const) {
    metrics.inc(name, labels, 0);
  }
  for (const outcome of ['delivered', 'failed', 'throttled', 'unreachable', 'refused']) {
    metrics.inc('sluice_invocations_total', { ...labels, outcome }, 0);
  }
  for (const kind of ['function', 'timeout', 'throttle', 'unreachable']) {
    metrics.inc('sluice_invocation_errors_total', { ...labels, class: kind }, 0);
  }
  // Added, not set: a mapping of the same name may still drain.
  metrics.add('sluice_inflight_invocations', labels, 0);
  metrics.set('sluice_target_braked', labels, 0);
}
