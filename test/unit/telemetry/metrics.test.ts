import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { definitions, Metrics, type Definition } from '../../../src/telemetry/metrics.ts';
import { seriesOf } from '../../support/lines.ts';

const orders = { namespace: 'shop', mapping: 'orders', source_type: 'sqs', origin: 'poller' };
const payments = { ...orders, mapping: 'payments' };

describe('series', () => {
  test('of a deleted mapping are gone, those of others and of the process stay', async () => {
    const metrics = new Metrics({ processMetrics: false });
    metrics.inc('sluice_polled_events_total', orders, 5);
    metrics.inc('sluice_polling_errors_total', { ...orders, code: 'QueueNotFound' });
    metrics.set('sluice_concurrency_limit', orders, 3);
    metrics.add('sluice_inflight_invocations', orders, 2);
    metrics.setOneOf('sluice_mapping_state', orders, 'state', ['running', 'paused'], 'running');
    metrics.setOnly(
      'sluice_mapping_info',
      { namespace: 'shop', mapping: 'orders', uuid: 'u', function: '', mode: 'Poller' },
      1,
    );
    metrics.inc('sluice_polled_events_total', payments);
    metrics.inc('sluice_polled_events_total', { ...orders, namespace: 'other' });
    metrics.observe('sluice_batch_records', { source_type: 'sqs' }, 1);
    metrics.forget('shop', 'orders');
    const series = await seriesOf(metrics, true);
    expect(
      series.filter((line) => line.includes('mapping="orders"') && line.includes('namespace="shop"')),
    ).toEqual([]);
    expect(series.filter((line) => line.startsWith('sluice_polled_events_total'))).toHaveLength(2);
    expect(series.some((line) => line.startsWith('sluice_batch_records_bucket'))).toBe(true);
    metrics.forget('shop', 'orders');
    metrics.inc('sluice_polled_events_total', orders);
    metrics.forget('shop', 'orders');
    expect(await seriesOf(metrics, true)).toEqual(series);
  });

  test('of every metric with the label `mapping` are forgotten, those of later releases too', async () => {
    const metrics = new Metrics({ processMetrics: false });
    const owned = Object.entries<Definition>(definitions).filter(([, { labels }]) =>
      labels.includes('mapping'),
    );
    for (const [name, { kind, labels }] of owned) {
      const values = {
        ...Object.fromEntries(labels.map((label) => [label, 'x'])),
        namespace: 'n',
        mapping: 'm',
      };
      // Which of the two it is the table says, and the types cannot.
      if (kind === 'counter') metrics.inc(name as 'sluice_polls_total', values);
      else metrics.set(name as 'sluice_mapping_state', values, 1);
    }
    expect(await seriesOf(metrics)).not.toEqual([]);
    // A histogram could not be forgotten, and would be too many series anyway.
    expect(owned.filter(([, { kind }]) => kind === 'histogram')).toEqual([]);
    const before = new Metrics({ processMetrics: false });
    metrics.forget('n', 'm');
    expect(await seriesOf(metrics, true)).toEqual(await seriesOf(before, true));
  });

  test('one is removed alone, and nothing is made of one that is not there', async () => {
    const metrics = new Metrics({ processMetrics: false });
    const before = await seriesOf(metrics, true);
    metrics.remove('sluice_polled_events_total', orders);
    expect(await seriesOf(metrics, true)).toEqual(before);
    metrics.inc('sluice_polled_events_total', orders, 5);
    metrics.inc('sluice_deleted_events_total', orders, 2);
    metrics.remove('sluice_polled_events_total', orders);
    const left = (await seriesOf(metrics)).filter((line) => line.includes('mapping='));
    expect(left.map((line) => line.split('{')[0])).toEqual(['sluice_deleted_events_total']);
    // It begins anew, and goes away with its mapping like any other.
    metrics.inc('sluice_polled_events_total', orders, 1);
    expect(await seriesOf(metrics)).toContain(
      'sluice_polled_events_total{namespace="shop",mapping="orders",source_type="sqs",origin="poller"} 1',
    );
    metrics.forget('shop', 'orders');
    expect(await seriesOf(metrics, true)).toEqual(before);
  });

  test('`setOneOf` leaves exactly one value at 1', async () => {
    const metrics = new Metrics({ processMetrics: false });
    for (const state of ['starting', 'running', 'paused'])
      metrics.setOneOf('sluice_mapping_state', orders, 'state', ['starting', 'running', 'paused'], state);
    const series = (await seriesOf(metrics, true)).filter((line) => line.startsWith('sluice_mapping_state'));
    expect(series.map((line) => /state="(\w+)".* (\d)$/.exec(line)?.slice(1, 3).join(' '))).toEqual([
      'paused 1',
      'running 0',
      'starting 0',
    ]);
  });

  test('`setOnly` takes the place of what was set before, of the same mapping alone', async () => {
    const metrics = new Metrics({ processMetrics: false });
    const info = (mapping: string, name: string) =>
      metrics.setOnly(
        'sluice_mapping_info',
        { namespace: 'shop', mapping, uuid: '', function: name, mode: 'Poller' },
        1,
      );
    info('orders', 'old');
    info('payments', 'pay');
    info('orders', 'new');
    const series = (await seriesOf(metrics)).filter((line) => line.startsWith('sluice_mapping_info'));
    expect(series.map((line) => /function="(\w+)"/.exec(line)?.[1])).toEqual(['new', 'pay']);
  });

  test('`onCollect` reads at each scrape, and what is not there any more disappears', async () => {
    const metrics = new Metrics({ processMetrics: false });
    let pools = ['a', 'b'];
    metrics.onCollect('sluice_members', (set) => {
      for (const pool of pools) set({ pool }, 1);
    });
    const members = async () => (await seriesOf(metrics)).filter((line) => line.startsWith('sluice_members'));
    expect(await members()).toEqual(['sluice_members{pool="a"} 1', 'sluice_members{pool="b"} 1']);
    pools = ['b'];
    expect(await members()).toEqual(['sluice_members{pool="b"} 1']);
  });
});

describe('the text', () => {
  test.each([
    ['a name', 'orders', 1],
    ['quotes, backslashes and lines', 'a"b\\c\nd"', 0.25],
    ['no number', 'orders', Number.NaN],
    ['more than any number', 'orders', Infinity],
    ['less than any number', 'orders', -Infinity],
  ])('is what the library itself would write: %s', async (_why, name, value) => {
    const metrics = new Metrics({ processMetrics: false });
    metrics.set('sluice_mapping_state', { ...orders, mapping: name, state: 'Enabled' }, value);
    metrics.set('leader_election_master_status', { name }, value);
    metrics.inc('sluice_polled_events_total', { ...orders, mapping: name }, 3);
    metrics.observe('rest_client_request_duration_seconds', { verb: 'get', host: 'h' }, 0.3);
    for (let index = 0; index < 300; index++)
      metrics.inc('sluice_polled_events_total', { ...orders, mapping: `${name}-${index}` });
    metrics.onCollect('sluice_members', (set) => set({ pool: name }, value));
    expect(await metrics.text()).toBe(await metrics.registry.metrics());
  });
});

describe('the list', () => {
  const all = Object.entries<Definition>(definitions);
  const root = path.resolve(import.meta.dirname, '../../..');

  test('keeps to the names of Prometheus', () => {
    const problems = all.flatMap(([name, { kind, help, labels, buckets }]) => [
      ...(/^[a-z][a-z0-9_]*[a-z0-9]$/.test(name) ? [] : [`${name}: letters, digits and _ only`]),
      ...(name.endsWith('_total') === (kind === 'counter') ? [] : [`${name}: _total is for counters`]),
      ...(/_(count|sum|bucket)$/.test(name) ? [`${name}: the ending is that of a histogram's parts`] : []),
      ...(/_(ms|milliseconds|minutes|kilobytes|megabytes|mib)(_|$)/.test(name)
        ? [`${name}: base units only`]
        : []),
      ...(help.endsWith('.') ? [] : [`${name}: the help is a sentence`]),
      ...labels.flatMap((label) =>
        /^[a-z_]+$/.test(label) && label !== 'le' ? [] : [`${name}: label ${label}`],
      ),
      ...((buckets !== undefined) === (kind === 'histogram') ? [] : [`${name}: buckets`]),
    ]);
    expect(problems).toEqual([]);
  });

  test('has no label that could hold an ARN, an id or a text without bound', () => {
    const bounded = new Set(
      'namespace mapping source_type origin code outcome class reason state uuid function mode type status target_type destination_type'
        .concat(' version node resource pool service operation field name controller result method host verb')
        .split(' '),
    );
    expect(all.flatMap(([, { labels }]) => labels).filter((label) => !bounded.has(label))).toEqual([]);
  });

  test('gives what Lambda counts under its own name', () => {
    const counterparts = Object.fromEntries(
      all.flatMap(([name, { cloudwatch }]) => (cloudwatch === undefined ? [] : [[cloudwatch, name]])),
    );
    expect(counterparts).toEqual({
      PolledEventCount: 'sluice_polled_events_total',
      EventPollerThroughputInBytes: 'sluice_polled_bytes_total',
      FilteredOutEventCount: 'sluice_filtered_out_events_total',
      InvokedEventCount: 'sluice_invoked_events_total',
      FailedInvokeEventCount: 'sluice_failed_invoke_events_total',
      DeletedEventCount: 'sluice_deleted_events_total',
      DroppedEventCount: 'sluice_dropped_events_total',
      OnFailureDestinationDeliveredEventCount: 'sluice_destination_delivered_events_total',
      OnFailureDestinationDeliveryErrorCount: 'sluice_destination_delivery_failures_total',
      CommittedEventCount: 'sluice_committed_events_total',
      CommitErrorCount: 'sluice_commit_errors_total',
      SchemaRegistryErrorCount: 'sluice_schema_registry_errors_total',
      ProvisionedPollers: 'sluice_pollers',
      SumOffsetLag: 'sluice_kafka_offset_lag',
      MaxOffsetLag: 'sluice_kafka_offset_lag_max',
      IteratorAge: 'sluice_iterator_age_seconds',
      PollingErrorCount: 'sluice_polling_errors_total',
      InvokeErrorCount: 'sluice_invocation_errors_total',
    });
  });

  test('is the one that was recorded: a renaming breaks dashboards and alerts', async () => {
    const golden = readFileSync(path.join(root, 'test/golden/metrics.txt'), 'utf8');
    const registered = await new Metrics({ processMetrics: false }).registry.getMetricsAsJSON();
    expect([...golden.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`)).toEqual(
      registered.map(({ name, type }) => `${name} ${type as unknown as string}`),
    );
    expect([...golden.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => `${name} ${help}`)).toEqual(
      registered.map(({ name, help }) => `${name} ${help}`),
    );
    expect([...golden.matchAll(/^(\w+)\{(.*)\}$/gm)].map(([, name, labels]) => `${name} ${labels}`)).toEqual(
      all.map(([name, { labels }]) => `${name} ${labels.join(',')}`),
    );
  });

  const promtool = process.env['PROMTOOL'] ?? 'promtool';
  test.skipIf(!exists(promtool))(
    'passes promtool (skipped without `promtool` on the path or in PROMTOOL)',
    async () => {
      const metrics = new Metrics({ processMetrics: true });
      for (const [name, { kind, labels }] of all) {
        const values = Object.fromEntries(labels.map((label) => [label, 'x']));
        if (kind === 'counter') metrics.inc(name as 'sluice_polls_total', values);
        else if (kind === 'gauge') metrics.set(name as 'sluice_mapping_state', values, 1);
        else metrics.observe(name as 'sluice_batch_records', values, 1);
      }
      const checked = execFileSync(promtool, ['check', 'metrics'], {
        input: await metrics.text(),
        encoding: 'utf8',
      });
      expect(checked).toBe('');
    },
  );
});

function exists(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
