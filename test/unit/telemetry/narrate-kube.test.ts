import { expect, test } from 'vitest';
import { exportReflectors, exportWorkQueue, narrateKube } from '../../../src/telemetry/narrate-kube.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { keptLog, seriesOf } from '../../support/lines.ts';

type Narrator = ReturnType<typeof narrateKube>;

const scope = { resource: 'leases', namespace: undefined };

const rows: readonly {
  readonly why: string;
  readonly tell: (narrator: Narrator) => void;
  readonly series?: readonly string[];
  readonly said?: string;
}[] = [
  {
    why: 'leading',
    tell: ({ election }) => election({ kind: 'started', name: 'sluice-controller' }),
    series: ['leader_election_master_status{name="sluice-controller"} 1'],
    said: 'info Leading',
  },
  {
    why: 'a watch that fails',
    tell: ({ reflector }) =>
      reflector({ ...scope, kind: 'failed', reason: 'Timeout', message: 'm', delayMs: 1.2 }),
    said: 'warn Could not list or watch',
  },
  {
    why: 'a list',
    tell: ({ reflector }) =>
      reflector({ ...scope, kind: 'listed', cause: 'start', objects: 3, durationMs: 1.2 }),
    said: 'debug Listed objects',
  },
  {
    why: 'a silent watch',
    tell: ({ reflector }) => reflector({ ...scope, kind: 'silent', afterMs: 40_000 }),
    said: 'debug Opened a silent watch again',
  },
  {
    why: 'a namespace without a Role',
    tell: ({ reflector }) => reflector({ ...scope, kind: 'forbidden', message: 'm' }),
    said: 'warn May not read a watched namespace: a Role must allow list and watch',
  },
  {
    why: 'a Role that came later',
    tell: ({ reflector }) => reflector({ ...scope, kind: 'permitted' }),
    said: 'info May read a watched namespace now',
  },
  {
    why: 'a handler that threw',
    tell: ({ reflector }) => reflector({ ...scope, kind: 'handlerFailed', message: 'm' }),
    said: 'error A handler of changes failed',
  },
  {
    why: 'an Event that was written',
    tell: ({ recorder }) => recorder({ kind: 'written', reason: 'Serving', repeated: false }),
    series: ['sluice_kubernetes_events_total{outcome="written"} 1'],
  },
  {
    why: 'an Event that came again',
    tell: ({ recorder }) => recorder({ kind: 'written', reason: 'Serving', repeated: true }),
    series: ['sluice_kubernetes_events_total{outcome="repeated"} 1'],
  },
  {
    why: 'an Event too many',
    tell: ({ recorder }) => recorder({ kind: 'dropped', reason: 'Serving', cause: 'rateLimited' }),
    series: ['sluice_kubernetes_events_total{outcome="rate_limited"} 1'],
    said: 'debug Dropped an Event',
  },
  {
    why: 'an Event that was refused',
    tell: ({ recorder }) => recorder({ kind: 'failed', reason: 'Serving', message: 'forbidden' }),
    series: ['sluice_kubernetes_events_total{outcome="failed"} 1'],
    said: 'warn Could not write an Event',
  },
  {
    why: 'an add to the queue',
    tell: ({ queue }) => queue({ kind: 'added', queue: 'q', key: 'k' } as Parameters<Narrator['queue']>[0]),
    series: ['workqueue_adds_total{name="q"} 1'],
  },
  {
    why: 'a retry in the queue',
    tell: ({ queue }) => queue({ kind: 'retried', queue: 'q', key: 'k' } as Parameters<Narrator['queue']>[0]),
    series: ['workqueue_retries_total{name="q"} 1'],
  },
];

test.each(rows)('$why', async ({ tell, series = [], said }) => {
  const metrics = new Metrics({ processMetrics: false });
  const { log, lines } = keptLog();
  tell(narrateKube({ metrics, log }));
  expect(await seriesOf(metrics)).toEqual(series);
  expect(lines.map(({ level, message }) => `${String(level)} ${String(message)}`)).toEqual(
    said === undefined ? [] : [said],
  );
});

test('a leader that stops says so at once', async () => {
  const metrics = new Metrics({ processMetrics: false });
  const { election } = narrateKube({ metrics, log: keptLog().log });
  election({ kind: 'started', name: 'l' });
  election({ kind: 'stopped', name: 'l', cause: 'lost' });
  expect((await seriesOf(metrics, true)).filter((line) => line.startsWith('leader_election'))).toEqual([
    'leader_election_master_status{name="l"} 0',
  ]);
});

test('requests are counted by code, method and host, in seconds', async () => {
  const metrics = new Metrics({ processMetrics: false });
  const { request } = narrateKube({ metrics, log: keptLog().log });
  request({ verb: 'list', method: 'GET', host: 'h:6443', code: '200', durationMs: 250 } as Parameters<
    typeof request
  >[0]);
  const series = await seriesOf(metrics);
  expect(series).toContain('rest_client_requests_total{code="200",method="GET",host="h:6443"} 1');
  expect(series).toContain('rest_client_request_duration_seconds_sum{verb="list",host="h:6443"} 0.25');
});

test('the gauges of a queue are read at each scrape', async () => {
  const metrics = new Metrics({ processMetrics: false });
  let depth = 3;
  exportWorkQueue(
    metrics,
    'q',
    () =>
      ({ depth, unfinishedWorkMs: 1500, longestRunningMs: 500 }) as ReturnType<
        Parameters<typeof exportWorkQueue>[2]
      >,
  );
  const gauges = async () => (await seriesOf(metrics, true)).filter((line) => line.includes('name="q"'));
  expect(await gauges()).toEqual([
    'workqueue_depth{name="q"} 3',
    'workqueue_longest_running_processor_seconds{name="q"} 0.5',
    'workqueue_unfinished_work_seconds{name="q"} 1.5',
  ]);
  depth = 0;
  expect(await gauges()).toContain('workqueue_depth{name="q"} 0');
});

test('reflectors are read at each scrape, forbidden namespaces only while they are', async () => {
  const metrics = new Metrics({ processMetrics: false });
  const reflector = { stalenessMs: 1500, forbidden: ['a', 'b'] };
  exportReflectors(metrics, { leases: reflector });
  expect(await seriesOf(metrics)).toEqual([
    'sluice_reflector_forbidden{resource="leases",namespace="a"} 1',
    'sluice_reflector_forbidden{resource="leases",namespace="b"} 1',
    'sluice_reflector_last_contact_seconds{resource="leases"} 1.5',
  ]);
  reflector.forbidden = ['b'];
  expect((await seriesOf(metrics)).filter((line) => line.includes('forbidden'))).toEqual([
    'sluice_reflector_forbidden{resource="leases",namespace="b"} 1',
  ]);
});
