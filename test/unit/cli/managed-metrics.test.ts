import { expect, it } from 'vitest';
import type { EventSourceMapping } from '../../../src/api/mapping.ts';
import { AwsClients } from '../../../src/aws/clients.ts';
import { classBook } from '../../../src/cli/class-book.ts';
import { managedMetrics } from '../../../src/cli/managed-metrics.ts';
import type { CloudWatchEvent } from '../../../src/backends/aws/cloudwatch/events.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { reply, startHttpSink, type HttpSink } from '../../support/http-sink.ts';
import { aClass, aMapping, aPollerMapping } from '../../support/mappings.ts';
import { testAccount } from '../../support/servers/aws-server.ts';
import { startStsEndpoint } from '../../support/sts-endpoint.ts';

const metricsConfig = { metrics: ['EventCount'] as 'EventCount'[] };

function live(
  name: string,
  { namespace = 'shop', className = 'standard', region = 'eu-west-1' } = {},
): EventSourceMapping {
  const arn = `arn:aws:lambda:${region}:000000000000:event-source-mapping:${name}`;
  return aMapping({
    metadata: { name, namespace },
    spec: { className, metricsConfig },
    status: { observedGeneration: 1, mapping: { uuid: name, arn } },
  });
}

/** UUIDs of each call, with the Region and the key of its signature. */
function callsOf(sink: HttpSink): readonly string[] {
  return sink.requests
    .map(({ headers, json }) => {
      const [, key = '', region = ''] =
        /Credential=([^/]+)\/\d+\/([^/]+)\/monitoring\//.exec(headers.authorization ?? '') ?? [];
      const { MetricDataQueries: queries } = json() as {
        readonly MetricDataQueries: readonly {
          readonly MetricStat: {
            readonly Metric: { readonly Dimensions: readonly { readonly Value: string }[] };
          };
        }[];
      };
      const uuids = new Set(queries.map(({ MetricStat }) => MetricStat.Metric.Dimensions[0]?.Value));
      return `${region} ${key.slice(0, 4)} ${[...uuids].join(' ')}`;
    })
    .toSorted();
}

it('asks for the live mappings that a class admits, by identity and Region, each once', async () => {
  await using sink = await startHttpSink({ answer: reply(200, { MetricDataResults: [] }) });
  await using sts = await startStsEndpoint();
  await using clients = new AwsClients({
    version: 'test',
    clock: systemClock,
    region: testAccount.region,
    endpoints: { monitoring: sink.url, sts: sts.url },
    credentials: async () => testAccount.credentials,
  });
  const roleARN = 'arn:aws:iam::000000000000:role/metrics';
  const inRole = {
    ...aClass({ namespaces: ['shop', 'billing'], aws: { identity: 'Role', roleARN } }, 'role', false),
  };
  const mappings = [
    live('one'),
    live('two'),
    live('north', { region: 'eu-north-1' }),
    live('tenant', { className: 'role' }),
    live('neighbour', { className: 'role', namespace: 'billing' }),
    live('denied', { namespace: 'billing' }),
    aMapping({ metadata: { name: 'new' }, spec: { className: 'standard', metricsConfig } }),
    aMapping({
      metadata: { name: 'silent' },
      status: { observedGeneration: 1, mapping: { uuid: 'silent' } },
    }),
    aPollerMapping({
      metadata: { name: 'polled' },
      status: { observedGeneration: 1, mapping: { uuid: 'polled' } },
    }),
  ];
  const events: CloudWatchEvent[] = [];
  const follower = managedMetrics({
    clusterID: 'test',
    clients,
    clock: systemClock,
    intervalMs: 300_000,
    mappings: () => mappings,
    classes: classBook({
      classes: () => [aClass(), inRole],
      namespaceLabels: () => ({}),
      mappings: () => mappings,
    }),
    emit: (event) => events.push(event),
  });
  await follower.round(new AbortController().signal);
  expect(events.filter(({ kind }) => kind !== 'metrics-asked')).toEqual([]);
  expect(callsOf(sink)).toEqual([
    'eu-north-1 test north',
    'eu-west-1 ASIA neighbour',
    'eu-west-1 ASIA tenant',
    'eu-west-1 test one two',
  ]);
  // A role is another caller in each namespace.
  expect(sts.assumed.map(({ externalID }) => String(externalID)).toSorted()).toEqual([
    'test/billing',
    'test/shop',
  ]);
  // Nobody holds connections between rounds.
  expect(clients.size).toBe(0);
});

it('tells of a place that cannot be called at all, and of each call what became of it', async () => {
  const told: string[] = [];
  await using clients = new AwsClients({
    version: 'test',
    clock: systemClock,
    endpoints: { monitoring: 'http://127.0.0.1:1' },
    credentials: async () => testAccount.credentials,
    observe: ({ service, operation, code }) => told.push(`${service} ${operation} ${code}`),
  });
  const nowhere = aMapping({
    spec: { metricsConfig },
    status: { observedGeneration: 1, mapping: { uuid: 'u' } },
  });
  const mappings = [nowhere, live('closed')];
  const events: CloudWatchEvent[] = [];
  const follower = managedMetrics({
    clusterID: 'test',
    clients,
    clock: systemClock,
    intervalMs: 300_000,
    mappings: () => mappings,
    classes: classBook({ classes: () => [aClass()], namespaceLabels: () => ({}), mappings: () => mappings }),
    emit: (event) => events.push(event),
  });
  await follower.round(new AbortController().signal);
  expect(
    events
      .flatMap((event) => (event.kind === 'round-failed' ? [`${event.place}: ${event.reason}`] : []))
      .toSorted(),
  ).toEqual(['eu-west-1: AwsUnreachable', 'the Region of the process: WrongRegion']);
  expect(told).toEqual([expect.stringMatching(/^monitoring GetMetricData /)]);
});
