/**
 * Every metric of Sluice, in one list; `docs/reference/metrics.md` is generated from it. Names of the data plane are
 * those that correspond to Lambda's own event source mapping metrics; names of the control plane are the ones that
 * client-go and controller-runtime use, so that existing dashboards and alerts work.
 *
 * Labels are bounded: never an ARN, a message id or an error text. Series of a mapping go away with it.
 */
import { Registry, collectDefaultMetrics, type Metric } from 'prom-client';
import { Distributions, Family, type Distribution, type Labels, type Series } from './series.ts';

export type { Labels, Series } from './series.ts';

type Kind = 'counter' | 'gauge' | 'histogram';

/** A metric as it is declared. */
export interface Definition {
  readonly kind: Kind;
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
  /** The CloudWatch metric of the same meaning, where Lambda has one. */
  readonly cloudwatch?: string;
  /** What it costs to have it, where that is more than a series. */
  readonly cost?: string;
}

/** Labels on everything that belongs to one mapping. */
const mapping = ['namespace', 'mapping', 'source_type', 'origin'] as const;

export const definitions = {
  // Data plane, one mapping each.
  sluice_polled_events_total: {
    kind: 'counter',
    help: 'Records read from the source.',
    labels: mapping,
    cloudwatch: 'PolledEventCount',
  },
  sluice_polled_bytes_total: {
    kind: 'counter',
    help: 'Bytes of the records read from the source.',
    labels: mapping,
    cloudwatch: 'EventPollerThroughputInBytes',
  },
  sluice_filtered_out_events_total: {
    kind: 'counter',
    help: 'Records that no filter pattern matched.',
    labels: mapping,
    cloudwatch: 'FilteredOutEventCount',
  },
  sluice_undecided_events_total: {
    kind: 'counter',
    help: 'Records whose filter could not be decided in two million steps; they are delivered.',
    labels: mapping,
  },
  sluice_invoked_events_total: {
    kind: 'counter',
    help: 'Records handed to the target, again on each repeat, errors and throttles included.',
    labels: mapping,
    cloudwatch: 'InvokedEventCount',
  },
  sluice_failed_invoke_events_total: {
    kind: 'counter',
    help: 'Records of invocations that failed, and records that a partial batch response reported as failed.',
    labels: mapping,
    cloudwatch: 'FailedInvokeEventCount',
  },
  sluice_deleted_events_total: {
    kind: 'counter',
    help: 'Messages deleted from the queue after processing.',
    labels: mapping,
    cloudwatch: 'DeletedEventCount',
  },
  sluice_dropped_events_total: {
    kind: 'counter',
    help: 'Records of streams that were given up, by reason; unspecified where CloudWatch counts.',
    labels: [...mapping, 'reason'],
    cloudwatch: 'DroppedEventCount',
  },
  sluice_destination_delivered_events_total: {
    kind: 'counter',
    help: 'Records delivered to the destination on failure, by its service.',
    labels: [...mapping, 'destination_type'],
    cloudwatch: 'OnFailureDestinationDeliveredEventCount',
  },
  sluice_destination_delivery_failures_total: {
    kind: 'counter',
    help: 'Deliveries to the destination on failure that failed, by its service.',
    labels: [...mapping, 'destination_type'],
    cloudwatch: 'OnFailureDestinationDeliveryErrorCount',
  },
  sluice_committed_events_total: {
    kind: 'counter',
    help: 'Records by which the committed offsets of Kafka have advanced.',
    labels: mapping,
    cloudwatch: 'CommittedEventCount',
  },
  sluice_commit_errors_total: {
    kind: 'counter',
    help: 'Commits of offsets of Kafka that failed.',
    labels: mapping,
    cloudwatch: 'CommitErrorCount',
  },
  sluice_schema_registry_errors_total: {
    kind: 'counter',
    help: 'Schemas that could not be fetched or records that they could not decode.',
    labels: mapping,
    cloudwatch: 'SchemaRegistryErrorCount',
  },
  sluice_delete_failed_events_total: {
    kind: 'counter',
    help: 'Messages processed but not deleted: the queue will deliver them again.',
    labels: mapping,
  },
  sluice_delete_errors_total: {
    kind: 'counter',
    help: 'Delete calls that failed and were tried again, by reason.',
    labels: [...mapping, 'code'],
  },
  sluice_polls_total: {
    kind: 'counter',
    help: 'Receive calls that succeeded, empty ones included.',
    labels: mapping,
  },
  sluice_polling_errors_total: {
    kind: 'counter',
    help: 'Receive calls that failed, by reason; unspecified where CloudWatch counts.',
    labels: [...mapping, 'code'],
    cloudwatch: 'PollingErrorCount',
  },
  sluice_invocations_total: {
    kind: 'counter',
    help: 'Invocations of the target, by outcome.',
    labels: [...mapping, 'outcome'],
  },
  sluice_invocation_errors_total: {
    kind: 'counter',
    help: 'Invocations that failed, counted per batch: class is function, timeout, throttle or unreachable; unspecified where CloudWatch counts.',
    labels: [...mapping, 'class'],
    cloudwatch: 'InvokeErrorCount',
  },
  sluice_partial_batches_total: {
    kind: 'counter',
    help: 'Batches of which the target reported some records as failed.',
    labels: mapping,
  },
  sluice_retry_attempts_total: {
    kind: 'counter',
    help: 'Invocations that repeated a batch.',
    labels: mapping,
  },
  sluice_let_go_events_total: {
    kind: 'counter',
    help: 'Messages given back to the queue undelivered: held too long, or at shutdown.',
    labels: [...mapping, 'reason'],
  },
  sluice_inflight_invocations: { kind: 'gauge', help: 'Invocations that run now.', labels: mapping },
  sluice_concurrency_limit: { kind: 'gauge', help: 'Invocations that may run at once now.', labels: mapping },
  sluice_target_braked: {
    kind: 'gauge',
    help: '1 while receiving has stopped because the target takes no batches.',
    labels: mapping,
  },
  sluice_source_backlog_events: {
    kind: 'gauge',
    help: 'Messages in the queue by state (visible, in_flight, delayed), as SQS approximates them; read once a minute, and every five minutes while the queue is empty.',
    labels: [...mapping, 'state'],
    cost: '8,640 to 43,200 GetQueueAttributes calls per mapping and month',
  },
  sluice_pollers: {
    kind: 'gauge',
    help: 'Pollers of AWS that run in provisioned mode.',
    labels: mapping,
    cloudwatch: 'ProvisionedPollers',
  },
  sluice_kafka_offset_lag: {
    kind: 'gauge',
    help: 'Records between the newest and the committed offset, summed over the partitions; without the group KafkaMetrics, OffsetLag of the function.',
    labels: mapping,
    cloudwatch: 'SumOffsetLag',
  },
  sluice_kafka_offset_lag_max: {
    kind: 'gauge',
    help: 'Records between the newest and the committed offset, of the partition that has the most.',
    labels: mapping,
    cloudwatch: 'MaxOffsetLag',
  },
  sluice_iterator_age_seconds: {
    kind: 'gauge',
    help: 'Age of the last record of a batch when it was handed over, of the shard where it is the greatest. CloudWatch has it by function: mappings of one function share it.',
    labels: mapping,
    cloudwatch: 'IteratorAge',
  },
  sluice_oldest_event_age_seconds: {
    kind: 'gauge',
    help: 'Age of the oldest message of the last batch when it was handed over; 0 after an empty poll.',
    labels: mapping,
    cost: 'none: no call is made for it',
  },
  sluice_last_record_processed_timestamp_seconds: {
    kind: 'gauge',
    help: 'When a batch was last processed with success, in Unix seconds.',
    labels: mapping,
  },
  sluice_mapping_state: {
    kind: 'gauge',
    help: '1 for the state that the mapping is in.',
    labels: [...mapping, 'state'],
  },
  sluice_mapping_info: {
    kind: 'gauge',
    help: 'Always 1: what the mapping joins.',
    labels: ['namespace', 'mapping', 'uuid', 'function', 'mode'],
  },
  sluice_resource_condition: {
    kind: 'gauge',
    help: '1 for the status (True, False, Unknown) that a condition of the resource has.',
    labels: ['namespace', 'mapping', 'type', 'status'],
  },
  // Data plane, by type only: histograms per mapping would be too many series.
  sluice_invocation_duration_seconds: {
    kind: 'histogram',
    help: 'Duration of invocations.',
    labels: ['source_type', 'target_type', 'outcome'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900],
  },
  sluice_batch_records: {
    kind: 'histogram',
    help: 'Records of a batch handed to the target.',
    labels: ['source_type'],
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000],
  },
  sluice_batch_bytes: {
    kind: 'histogram',
    help: 'Bytes of the event handed to the target.',
    labels: ['source_type'],
    buckets: [1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 2_097_152, 4_194_304, 6_291_456],
  },
  // The process.
  sluice_build_info: { kind: 'gauge', help: 'Always 1: the version that runs.', labels: ['version', 'node'] },
  sluice_buffer_bytes: { kind: 'gauge', help: 'Bytes of message data held now.', labels: [] },
  sluice_buffer_limit_bytes: { kind: 'gauge', help: 'Bytes of message data that may be held.', labels: [] },
  sluice_reflector_last_contact_seconds: {
    kind: 'gauge',
    help: 'Seconds since the API server was last heard of, by resource.',
    labels: ['resource'],
  },
  sluice_reflector_forbidden: {
    kind: 'gauge',
    help: 'Always 1: the process may not read this resource in a namespace that it is to watch.',
    labels: ['resource', 'namespace'],
  },
  sluice_members: { kind: 'gauge', help: 'Live pollers by pool.', labels: ['pool'] },
  sluice_kubernetes_events_total: {
    kind: 'counter',
    help: 'Kubernetes Events by what became of them: written, repeated (counted up an earlier one), rate_limited, queue_full, stopped, failed.',
    labels: ['outcome'],
  },
  sluice_aws_requests_total: {
    kind: 'counter',
    help: 'Calls of AWS control-plane APIs, by answer.',
    labels: ['service', 'operation', 'code'],
  },
  sluice_aws_throttles_total: {
    kind: 'counter',
    help: 'Calls of AWS control-plane APIs that were refused for their rate.',
    labels: ['service'],
  },
  sluice_cloudwatch_metrics_requested_total: {
    kind: 'counter',
    help: 'Metrics asked of CloudWatch, again in each round.',
    labels: [],
    cost: 'AWS bills each: $0.01 per 1,000 in most Regions',
  },
  sluice_cloudwatch_rounds_failed_total: {
    kind: 'counter',
    help: 'Rounds of an identity and Region in which not all metrics of CloudWatch could be read, by reason; made good by a later one.',
    labels: ['reason'],
  },
  sluice_drift_detected_total: {
    kind: 'counter',
    help: 'Differences found between a mapping and AWS, by field.',
    labels: ['field'],
  },
  sluice_drift_corrected_total: {
    kind: 'counter',
    help: 'Differences that an accepted request of Sluice brought back, by field.',
    labels: ['field'],
  },
  // The names of client-go and controller-runtime.
  workqueue_depth: { kind: 'gauge', help: 'Current depth of workqueue.', labels: ['name'] },
  workqueue_adds_total: {
    kind: 'counter',
    help: 'Total number of adds handled by workqueue.',
    labels: ['name'],
  },
  workqueue_queue_duration_seconds: {
    kind: 'histogram',
    help: 'How long in seconds an item stays in workqueue before being requested.',
    labels: ['name'],
    buckets: [0.001, 0.01, 0.1, 1, 10, 60, 600],
  },
  workqueue_work_duration_seconds: {
    kind: 'histogram',
    help: 'How long in seconds processing an item from workqueue takes.',
    labels: ['name'],
    buckets: [0.001, 0.01, 0.1, 1, 10, 60, 600],
  },
  workqueue_unfinished_work_seconds: {
    kind: 'gauge',
    help: 'Seconds of work in progress that has not been observed by work_duration.',
    labels: ['name'],
  },
  workqueue_longest_running_processor_seconds: {
    kind: 'gauge',
    help: 'How many seconds the longest running processor has been running.',
    labels: ['name'],
  },
  workqueue_retries_total: {
    kind: 'counter',
    help: 'Total number of retries handled by workqueue.',
    labels: ['name'],
  },
  controller_runtime_reconcile_total: {
    kind: 'counter',
    help: 'Total number of reconciliations per controller.',
    labels: ['controller', 'result'],
  },
  controller_runtime_reconcile_errors_total: {
    kind: 'counter',
    help: 'Total number of reconciliation errors per controller.',
    labels: ['controller'],
  },
  controller_runtime_terminal_reconcile_errors_total: {
    kind: 'counter',
    help: 'Total number of terminal reconciliation errors per controller.',
    labels: ['controller'],
  },
  controller_runtime_reconcile_time_seconds: {
    kind: 'histogram',
    help: 'Length of time per reconciliation per controller.',
    labels: ['controller'],
    buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
  },
  controller_runtime_max_concurrent_reconciles: {
    kind: 'gauge',
    help: 'Maximum number of concurrent reconciles per controller.',
    labels: ['controller'],
  },
  controller_runtime_active_workers: {
    kind: 'gauge',
    help: 'Number of currently used workers per controller.',
    labels: ['controller'],
  },
  rest_client_requests_total: {
    kind: 'counter',
    help: 'Number of HTTP requests, partitioned by status code, method, and host.',
    labels: ['code', 'method', 'host'],
  },
  rest_client_request_duration_seconds: {
    kind: 'histogram',
    help: 'Request latency in seconds. Broken down by verb, and host.',
    labels: ['verb', 'host'],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
  },
  leader_election_master_status: {
    kind: 'gauge',
    help: 'Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master.',
    labels: ['name'],
  },
} as const satisfies Record<string, Definition>;

export type MetricName = keyof typeof definitions;
/** The names of metrics of one kind. */
export type NamesOf<K extends Kind> = {
  [N in MetricName]: (typeof definitions)[N]['kind'] extends K ? N : never;
}[MetricName];

/** The registry of one process, with typed access by name. */
export class Metrics {
  readonly registry = new Registry();
  readonly #families = new Map<string, Family>();
  readonly #histograms = new Map<string, Distributions>();
  /** The series of each mapping, so that they can be removed with it. */
  readonly #owned = new Map<string, Map<Series, Family>>();

  constructor(options: { readonly processMetrics: boolean }) {
    if (options.processMetrics) {
      collectDefaultMetrics({ register: this.registry });
      // Gauges under a counter's name, which `promtool check metrics` refuses; the same by type is there as well.
      for (const what of ['handles', 'requests', 'resources'])
        this.registry.removeSingleMetric(`nodejs_active_${what}_total`);
    }
    for (const [name, definition] of Object.entries<Definition>(definitions)) {
      const { kind, help, labels, buckets = [] } = definition;
      const family =
        kind === 'histogram'
          ? new Distributions(name, help, labels, buckets)
          : new Family(name, kind, help, labels);
      if (family instanceof Family) this.#families.set(name, family);
      else this.#histograms.set(name, family);
      // All that a registry does with a metric is to ask for its values.
      this.registry.registerMetric(family as unknown as Metric);
    }
  }

  /** A series to keep, for what is told often. It goes away with its mapping. */
  series(name: NamesOf<'counter' | 'gauge'>, labels: Labels): Series {
    const family = this.#families.get(name);
    if (family === undefined) throw new Error(`there is no metric ${name}`);
    const series = family.series(labels);
    const owner = ownerOf(labels);
    if (owner === undefined) return series;
    let owned = this.#owned.get(owner);
    if (owned === undefined) this.#owned.set(owner, (owned = new Map()));
    owned.set(series, family);
    return series;
  }

  inc(name: NamesOf<'counter'>, labels: Labels, by = 1): void {
    this.series(name, labels).value += by;
  }

  set(name: NamesOf<'gauge'>, labels: Labels, value: number): void {
    this.series(name, labels).value = value;
  }

  add(name: NamesOf<'gauge'>, labels: Labels, by: number): void {
    this.series(name, labels).value += by;
  }

  /** Removes one series, if it is there. */
  remove(name: NamesOf<'counter' | 'gauge'>, labels: Labels): void {
    const removed = this.#families.get(name)?.remove(labels);
    if (removed !== undefined) this.#owned.get(ownerOf(labels) ?? '')?.delete(removed);
  }

  /** Sets a series and removes the others of the same metric and mapping: for labels whose values change. */
  setOnly(name: NamesOf<'gauge'>, labels: Labels, value: number): void {
    const current = this.series(name, labels);
    current.value = value;
    const owned = this.#owned.get(ownerOf(labels) ?? '');
    for (const [series, family] of owned ?? []) {
      if (family.name !== name || series === current) continue;
      family.remove(series.labels);
      owned?.delete(series);
    }
  }

  /** Sets the series of one label value to 1 and those of the others of the same mapping to 0. */
  setOneOf(
    name: NamesOf<'gauge'>,
    labels: Labels,
    label: string,
    values: readonly string[],
    current: string,
  ): void {
    for (const value of values) this.set(name, { ...labels, [label]: value }, value === current ? 1 : 0);
  }

  /** A series of a histogram to keep, for what is told often. */
  distribution(name: NamesOf<'histogram'>, labels: Labels): Distribution {
    const family = this.#histograms.get(name);
    if (family === undefined) throw new Error(`there is no metric ${name}`);
    return family.series(labels);
  }

  observe(name: NamesOf<'histogram'>, labels: Labels, value: number): void {
    this.distribution(name, labels).observe(value);
  }

  /** Runs before each scrape, for gauges that are read rather than told. */
  onCollect(name: NamesOf<'gauge'>, collect: (set: (labels: Labels, value: number) => void) => void): void {
    const family = this.#families.get(name);
    family?.onCollect(() => {
      family.clear();
      collect((labels, value) => this.set(name, labels, value));
    });
  }

  /** Removes every series of a mapping. */
  forget(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    for (const [series, family] of this.#owned.get(key) ?? []) family.remove(series.labels);
    this.#owned.delete(key);
  }

  /** The text that Prometheus scrapes. */
  async text(): Promise<string> {
    const { registry } = this;
    const texts = registry
      .getMetricsAsArray()
      .map(async ({ name }) => this.#families.get(name)?.text() ?? registry.getSingleMetricAsString(name));
    return `${(await Promise.all(texts)).join('\n\n')}\n`;
  }
}

/** The mapping that a series belongs to, if it belongs to one. */
function ownerOf(labels: Labels): string | undefined {
  const name = labels['mapping'];
  return name === undefined ? undefined : `${labels['namespace'] ?? ''}/${name}`;
}
