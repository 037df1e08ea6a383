/**
 * What CloudWatch says of live mappings, told under the names that pollers count by, with `origin="cloudwatch"`. Where a
 * poller tells more than CloudWatch (why a record was dropped), the label is `unspecified`.
 */
import type { CloudWatchEvent, EmitCloudWatch, FollowedSeries } from '../backends/aws/cloudwatch/events.ts';
import type { Log } from './log.ts';
import type { Labels, Metrics, NamesOf } from './metrics.ts';

/** CloudWatch's metrics by name: the metric of ours, its further labels, and what its unit is of ours. */
export const counterparts = {
  PolledEventCount: counter('sluice_polled_events_total'),
  FilteredOutEventCount: counter('sluice_filtered_out_events_total'),
  InvokedEventCount: counter('sluice_invoked_events_total'),
  FailedInvokeEventCount: counter('sluice_failed_invoke_events_total'),
  DroppedEventCount: counter('sluice_dropped_events_total', 'reason'),
  OnFailureDestinationDeliveredEventCount: counter(
    'sluice_destination_delivered_events_total',
    'destination_type',
  ),
  DeletedEventCount: counter('sluice_deleted_events_total'),
  CommittedEventCount: counter('sluice_committed_events_total'),
  PollingErrorCount: counter('sluice_polling_errors_total', 'code'),
  InvokeErrorCount: counter('sluice_invocation_errors_total', 'class'),
  OnFailureDestinationDeliveryErrorCount: counter(
    'sluice_destination_delivery_failures_total',
    'destination_type',
  ),
  SchemaRegistryErrorCount: counter('sluice_schema_registry_errors_total'),
  CommitErrorCount: counter('sluice_commit_errors_total'),
  EventPollerThroughputInBytes: counter('sluice_polled_bytes_total'),
  ProvisionedPollers: gauge('sluice_pollers'),
  MaxOffsetLag: gauge('sluice_kafka_offset_lag_max'),
  SumOffsetLag: gauge('sluice_kafka_offset_lag'),
  OffsetLag: gauge('sluice_kafka_offset_lag'),
  // Milliseconds there.
  IteratorAge: gauge('sluice_iterator_age_seconds', 0.001),
} as const satisfies Record<FollowedSeries['metric'], Counterpart>;

type Counterpart =
  | { readonly kind: 'counter'; readonly name: NamesOf<'counter'>; readonly more: string | undefined }
  | { readonly kind: 'gauge'; readonly name: NamesOf<'gauge'>; readonly unit: number };

/** Tells the events of all places. */
export function narrateCloudWatch(deps: { readonly metrics: Metrics; readonly log: Log }): EmitCloudWatch {
  const { metrics, log } = deps;
  return (event: CloudWatchEvent): void => {
    switch (event.kind) {
      case 'metrics-asked':
        metrics.inc('sluice_cloudwatch_metrics_requested_total', {}, event.metrics);
        return;
      case 'counted': {
        const shown: Counterpart = counterparts[event.series.metric];
        if (shown.kind === 'counter') metrics.inc(shown.name, labelsOf(event.series, shown), event.by);
        return;
      }
      case 'measured': {
        const shown: Counterpart = counterparts[event.series.metric];
        if (shown.kind === 'gauge')
          metrics.set(shown.name, labelsOf(event.series, shown), event.value * shown.unit);
        return;
      }
      case 'ended': {
        const shown: Counterpart = counterparts[event.series.metric];
        metrics.remove(shown.name, labelsOf(event.series, shown));
        return;
      }
      case 'round-failed': {
        const { place, reason, detail, isNew } = event;
        if (reason === 'AwsThrottled') metrics.inc('sluice_aws_throttles_total', { service: 'monitoring' });
        metrics.inc('sluice_cloudwatch_rounds_failed_total', { reason });
        const facts = { place, reason, detail };
        if (isNew) log.warn('Could not read all metrics of CloudWatch, and will try again', facts);
        else log.debug('Could not read all metrics of CloudWatch again', facts);
        return;
      }
      case 'recovered':
        log.info('Reads the metrics of CloudWatch again', { place: event.place });
        return;
    }
  };
}

function counter(name: NamesOf<'counter'>, more?: string): Counterpart & { readonly kind: 'counter' } {
  return { kind: 'counter', name, more };
}

function gauge(name: NamesOf<'gauge'>, unit = 1): Counterpart & { readonly kind: 'gauge' } {
  return { kind: 'gauge', name, unit };
}

function labelsOf(series: FollowedSeries, shown: Counterpart): Labels {
  const { namespace, name, sourceType, destinationType } = series;
  const labels = { namespace, mapping: name, source_type: sourceType, origin: 'cloudwatch' };
  if (shown.kind === 'gauge' || shown.more === undefined) return labels;
  return { ...labels, [shown.more]: shown.more === 'destination_type' ? destinationType : 'unspecified' };
}
