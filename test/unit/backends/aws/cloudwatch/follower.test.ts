import { describe, expect, it } from 'vitest';
import type { CloudWatchEvent } from '../../../../../src/backends/aws/cloudwatch/events.ts';
import {
  CloudWatchFollower,
  type FollowedPlace,
} from '../../../../../src/backends/aws/cloudwatch/follower.ts';
import type { FollowedMapping } from '../../../../../src/backends/aws/cloudwatch/queries.ts';
import { wantedMetrics } from '../../../../../src/backends/aws/cloudwatch/wanted.ts';
import { backoff, SluiceError } from '../../../../../src/lib/errors.ts';
import { Metrics } from '../../../../../src/telemetry/metrics.ts';
import { narrateCloudWatch } from '../../../../../src/telemetry/narrate-cloudwatch.ts';
import { keptLog, seriesOf } from '../../../../support/lines.ts';
import { MetricStore } from '../../../../support/metric-store.ts';
import { VirtualClock } from '../../../../support/virtual-clock.ts';

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 1, 12, 0, 30);
/** The first minute that counts. */
const firstMs = Date.UTC(2026, 0, 1, 12, 1);
const intervalMs = 5 * minuteMs;

function aFollowed(name: string, more: Partial<FollowedMapping> = {}): FollowedMapping {
  const uuid = `uuid-of-${name}`;
  const spec = {
    mode: 'Managed' as const,
    eventSourceARN: `arn:aws:sqs:eu-west-1:000000000000:${name}`,
    functionName: 'consumer',
    metricsConfig: { metrics: ['EventCount' as const] },
  };
  const metrics = wantedMetrics(spec, uuid);
  return { namespace: 'shop', name, uuid, sourceType: 'sqs', destinationType: '', metrics, ...more };
}

/** A stream of the function `consumer`, of which it has the age alone. */
function aStream(name: string): FollowedMapping {
  const eventSourceARN = `arn:aws:kinesis:eu-west-1:000000000000:stream/${name}`;
  const metrics = wantedMetrics({ mode: 'Managed', eventSourceARN, functionName: 'consumer' }, name);
  return aFollowed(name, { sourceType: 'kinesis', metrics });
}

class World {
  readonly clock = new VirtualClock({ startMs });
  readonly metrics = new Metrics({ processMetrics: false });
  readonly kept = keptLog();
  readonly events: CloudWatchEvent[] = [];
  readonly store = new MetricStore();
  readonly others = new Map<string, { readonly store: MetricStore; readonly mappings: FollowedMapping[] }>();
  mappings: FollowedMapping[] = [];
  readonly follower: CloudWatchFollower;
  readonly #stop = new AbortController();
  readonly running: Promise<void>;

  constructor(...mappings: readonly FollowedMapping[]) {
    this.mappings = [...mappings];
    const tell = narrateCloudWatch({ metrics: this.metrics, log: this.kept.log });
    this.follower = new CloudWatchFollower({
      clock: this.clock,
      intervalMs,
      places: () => this.#places(),
      emit: (event) => {
        this.events.push(event);
        tell(event);
      },
    });
    this.running = this.follower.run(this.#stop.signal);
  }

  #places(): readonly FollowedPlace[] {
    const all = [{ name: 'here', mappings: this.mappings, store: this.store }];
    for (const [name, place] of this.others) all.push({ name, ...place });
    return all.map(({ name, mappings, store }) => ({
      name,
      mappings,
      open: () => ({ ask: store.ask, [Symbol.dispose]: () => undefined }),
    }));
  }

  /** Minutes from the first one that counts. */
  at(minute: number): number {
    return firstMs + minute * minuteMs;
  }

  put(
    name: string,
    minute: number,
    value: number,
    metric: 'PolledEventCount' | 'DeletedEventCount' = 'PolledEventCount',
  ) {
    this.store.put(metric, `uuid-of-${name}`, this.at(minute), value);
  }

  /** The next round, whole. */
  async round(): Promise<void> {
    await this.clock.advance(intervalMs);
  }

  async value(metric: string, mapping: string): Promise<number | undefined> {
    const series = await seriesOf(this.metrics, true);
    const line = series.find(
      (each) => each.startsWith(`${metric}{`) && each.includes(`mapping="${mapping}"`),
    );
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }

  polled(mapping: string): Promise<number | undefined> {
    return this.value('sluice_polled_events_total', mapping);
  }

  async requested(): Promise<number> {
    const [line = ''] = (await seriesOf(this.metrics, true)).filter((each) =>
      each.startsWith('sluice_cloudwatch_metrics_requested_total'),
    );
    return Number(line.split(' ').at(-1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.running;
  }
}

async function aWorld(...mappings: readonly FollowedMapping[]): Promise<World> {
  const world = new World(...mappings);
  await world.clock.settle();
  return world;
}

const throttled = (): never => {
  throw new SluiceError('AwsThrottled', 'cloudwatch:GetMetricData on *: ThrottlingException', backoff);
};

describe('counters', () => {
  it('are there at 0 from the first round on, under the names and labels of pollers', async () => {
    await using world = await aWorld(aFollowed('orders'));
    expect((await seriesOf(world.metrics, true)).filter((line) => line.includes('cloudwatch"'))).toEqual(
      ['deleted', 'failed_invoke', 'invoked', 'polled'].map(
        (what) =>
          `sluice_${what}_events_total{namespace="shop",mapping="orders",source_type="sqs",origin="cloudwatch"} 0`,
      ),
    );
  });

  it('count what comes late or still grows, and nothing twice', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.put('orders', 0, 10);
    world.put('orders', 4, 3);
    await world.round();
    expect(await world.polled('orders')).toBe(13);
    // The minute was under way, and two others had not come.
    world.put('orders', 4, 8);
    world.put('orders', 2, 100);
    world.put('orders', 1, 1000);
    await world.round();
    expect(await world.polled('orders')).toBe(1118);
    await world.round();
    expect(await world.polled('orders')).toBe(1118);
  });

  it('say nothing of the time before this process led', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.put('orders', -1, 500);
    world.put('orders', 0, 1);
    await world.round();
    expect(await world.polled('orders')).toBe(1);
  });

  it('count on for a mapping that was replaced by one of the same name', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.put('orders', 1, 5);
    await world.round();
    const replaced = aFollowed('orders');
    world.mappings = [
      {
        ...replaced,
        uuid: 'new',
        metrics: replaced.metrics.map((metric) => ({
          ...metric,
          dimensions: [{ Name: 'EventSourceMappingUUID', Value: 'new' }],
        })),
      },
    ];
    world.store.put('PolledEventCount', 'new', world.at(6), 2);
    await world.round();
    expect(await world.polled('orders')).toBe(7);
  });
});

describe('gauges', () => {
  it('show the newest value, in our units, of a function for all of its mappings, asked for once', async () => {
    await using world = await aWorld(aStream('clicks'), aStream('views'));
    world.store.put('IteratorAge', 'consumer', world.at(1), 90_000);
    world.store.put('IteratorAge', 'consumer', world.at(3), 1500);
    await world.round();
    expect(await world.value('sluice_iterator_age_seconds', 'clicks')).toBe(1.5);
    expect(await world.value('sluice_iterator_age_seconds', 'views')).toBe(1.5);
    expect(world.store.calls.map(({ queries }) => queries.length)).toEqual([1, 1]);
  });

  it('end when nothing new has come for a quarter of an hour, and come back with a value', async () => {
    await using world = await aWorld(aStream('clicks'));
    world.store.put('IteratorAge', 'consumer', world.at(4), 2000);
    await world.round();
    await world.round();
    await world.round();
    expect(await world.value('sluice_iterator_age_seconds', 'clicks')).toBe(2);
    await world.round();
    expect(await world.value('sluice_iterator_age_seconds', 'clicks')).toBeUndefined();
    world.store.put('IteratorAge', 'consumer', world.at(24), 0);
    await world.round();
    expect(await world.value('sluice_iterator_age_seconds', 'clicks')).toBe(0);
  });

  it('end as well when CloudWatch does not answer', async () => {
    await using world = await aWorld(aStream('clicks'));
    world.store.put('IteratorAge', 'consumer', world.at(4), 2000);
    await world.round();
    world.store.before = throttled;
    for (let rounds = 0; rounds < 3; rounds++) await world.round();
    expect(await world.value('sluice_iterator_age_seconds', 'clicks')).toBeUndefined();
  });
});

describe('calls', () => {
  it('take 500 metrics each, and what was asked for is counted', async () => {
    const mappings = Array.from({ length: 251 }, (_, index) => aFollowed(`m-${index}`));
    await using world = await aWorld(...mappings);
    expect(world.store.calls.map(({ queries }) => queries.length)).toEqual([500, 500, 4]);
    expect(await world.requested()).toBe(1004);
  });

  it('are none where there is nothing to ask for', async () => {
    await using world = await aWorld(aFollowed('orders', { metrics: [] }));
    await world.round();
    expect(world.store.calls).toEqual([]);
    expect(await world.requested()).toBe(0);
  });

  it('read every page', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.store.pageSize = 2;
    for (let minute = 0; minute < 5; minute++) world.put('orders', minute, 1);
    await world.round();
    expect(await world.polled('orders')).toBe(5);
    expect(world.store.calls.slice(1).map(({ token }) => token)).toEqual([undefined, '2', '4']);
  });

  it('end at the fiftieth page, whose token leads nowhere', async () => {
    await using world = await aWorld();
    world.mappings = [aFollowed('orders')];
    world.store.pageSize = 0;
    world.put('orders', 0, 1);
    await world.round();
    expect(world.store.calls).toHaveLength(50);
    expect(world.events.at(-1)).toMatchObject({ kind: 'round-failed', reason: 'AwsFailed' });
  });

  it('ask for whole minutes, half an hour back', async () => {
    await using world = await aWorld(aFollowed('orders'));
    const [{ window } = { window: undefined }] = world.store.calls;
    expect(window).toEqual({
      fromMs: Date.UTC(2026, 0, 1, 11, 30),
      toMs: Date.UTC(2026, 0, 1, 12, 2),
    });
  });
});

describe('a round that fails', () => {
  it('is told once, counted each time, and made good: nothing is lost and nothing counted twice', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.put('orders', 0, 7);
    await world.round();
    world.store.before = throttled;
    for (let rounds = 0; rounds < 12; rounds++) {
      world.put('orders', 5 * rounds + 6, 1);
      await world.round();
    }
    expect(await world.polled('orders')).toBe(7);
    world.store.before = () => undefined;
    await world.round();
    expect(await world.polled('orders')).toBe(19);
    const told = world.kept.lines.filter(({ level }) => level !== 'debug');
    expect(told.map(({ message, reason }) => [message, reason])).toEqual([
      ['Could not read all metrics of CloudWatch, and will try again', 'AwsThrottled'],
      ['Reads the metrics of CloudWatch again', undefined],
    ]);
    const series = await seriesOf(world.metrics);
    expect(series).toContain('sluice_cloudwatch_rounds_failed_total{reason="AwsThrottled"} 12');
    expect(series).toContain('sluice_aws_throttles_total{service="monitoring"} 12');
  });

  it('is made good for three hours, which is what one call can hold', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.put('orders', 10, 1);
    world.put('orders', 300, 10);
    world.store.before = throttled;
    await world.clock.advance(6 * 3_600_000);
    world.store.before = () => undefined;
    await world.round();
    expect(await world.polled('orders')).toBe(10);
    const { fromMs, toMs } = world.store.calls.at(-1)?.window ?? { fromMs: 0, toMs: 0 };
    // So many data points of 500 metrics fit into one answer.
    expect(((toMs - fromMs) / minuteMs) * 500).toBeLessThanOrEqual(100_800);
  });

  it('keeps what its first page showed, when the second is lost', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.store.pageSize = 1;
    world.put('orders', 0, 3);
    world.put('orders', 1, 4);
    world.store.before = ({ token }) => {
      if (token !== undefined) throw new SluiceError('AwsUnreachable', 'the answer was lost', backoff);
    };
    await world.round();
    expect(await world.polled('orders')).toBe(3);
    world.store.before = () => undefined;
    await world.round();
    expect(await world.polled('orders')).toBe(7);
  });

  it('at one place leaves the others alone, be it denied or silent for long', async () => {
    await using world = await aWorld(aFollowed('orders'));
    const denied = { store: new MetricStore(), mappings: [aFollowed('denied')] };
    denied.store.before = () => {
      throw new SluiceError('AwsAccessDenied', 'cloudwatch:GetMetricData on *: AccessDenied', backoff);
    };
    const silent = { store: new MetricStore(), mappings: [aFollowed('silent')] };
    silent.store.before = async () => {
      await world.clock.sleep(20_000);
      throw new SluiceError('AwsUnreachable', 'no complete answer within 20000 ms', backoff);
    };
    world.others.set('denied', denied).set('silent', silent);
    world.put('orders', 1, 5);
    await world.round();
    expect(await world.polled('orders')).toBe(5);
    expect(await world.polled('denied')).toBeUndefined();
    await world.clock.advance(20_000);
    expect(
      world.events.flatMap((event) =>
        event.kind === 'round-failed' ? [[event.place, event.reason, event.isNew]] : [],
      ),
    ).toEqual([
      ['denied', 'AwsAccessDenied', true],
      ['silent', 'AwsUnreachable', true],
    ]);
  });

  it('is one in which a single metric could not be read; the others count', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.store.statuses.set('DeletedEventCount', 'Forbidden');
    world.put('orders', 1, 5);
    await world.round();
    expect(await world.polled('orders')).toBe(5);
    expect(world.events.at(-1)).toMatchObject({
      kind: 'round-failed',
      reason: 'AwsFailed',
      detail: 'DeletedEventCount: Forbidden',
    });
  });
});

describe('what goes', () => {
  it('takes its series along with the next round, and only its own', async () => {
    await using world = await aWorld(aFollowed('orders'), aFollowed('payments'));
    world.mappings = [aFollowed('payments')];
    await world.round();
    const series = (await seriesOf(world.metrics, true)).filter((line) => line.includes('origin='));
    expect(series).toHaveLength(4);
    expect(series.every((line) => line.includes('payments'))).toBe(true);
  });

  it('is not counted a second time when it comes back', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.put('orders', 2, 5);
    await world.round();
    world.mappings = [];
    await world.round();
    world.mappings = [aFollowed('orders')];
    world.put('orders', 3, 1);
    await world.round();
    expect(await world.polled('orders')).toBe(1);
  });

  it('is told no more when it was forgotten within a round', async () => {
    await using world = await aWorld(aFollowed('orders'));
    world.put('orders', 1, 5);
    world.store.before = () => {
      world.metrics.forget('shop', 'orders');
      world.follower.forget('uuid-of-orders');
    };
    await world.round();
    expect(await world.polled('orders')).toBeUndefined();
  });
});

it('stops within a round as soon as leadership ends', async () => {
  const stop = new AbortController();
  const clock = new VirtualClock();
  const events: CloudWatchEvent[] = [];
  const mappings = [aFollowed('orders')];
  const follower = new CloudWatchFollower({
    clock,
    intervalMs,
    places: () => [
      {
        name: 'here',
        mappings,
        open: () => ({
          ask: (_queries, _window, _token, signal) =>
            new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
          [Symbol.dispose]: () => undefined,
        }),
      },
    ],
    emit: (event) => events.push(event),
  });
  const running = follower.run(stop.signal);
  await clock.settle();
  stop.abort();
  await running;
  expect(events.map(({ kind }) => kind)).toEqual(['metrics-asked']);
});
