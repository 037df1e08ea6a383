/**
 * CloudWatch's metrics over the wire: Sluice's signed client against an emulator that does not know Sluice, and against
 * an endpoint that checks signature and shape and fails as AWS and networks do.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsClients } from '../../src/aws/clients.ts';
import { installationIdentity } from '../../src/aws/credentials.ts';
import type { CloudWatchEvent } from '../../src/backends/aws/cloudwatch/events.ts';
import { CloudWatchFollower } from '../../src/backends/aws/cloudwatch/follower.ts';
import { metricData } from '../../src/backends/aws/cloudwatch/metric-data.ts';
import { wantedMetrics, type MetricName } from '../../src/backends/aws/cloudwatch/wanted.ts';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { narrateCloudWatch } from '../../src/telemetry/narrate-cloudwatch.ts';
import type { SinkAnswer } from '../support/http-sink.ts';
import { keptLog, seriesOf } from '../support/lines.ts';
import {
  refused,
  startMetricDataEndpoint,
  type MetricDataEndpoint,
} from '../support/metric-data-endpoint.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { testAccount, type AwsServer } from '../support/servers/aws-server.ts';
import { startMiniStack } from '../support/servers/ministack.ts';

const minuteMs = 60_000;
const { signal } = new AbortController();

/** One mapping of a queue and one of a stream, followed at `endpoint`, by a clock that a test can set forward. */
class Following implements AsyncDisposable {
  readonly events: CloudWatchEvent[] = [];
  readonly kept = keptLog();
  readonly calls: string[] = [];
  readonly follower: CloudWatchFollower;
  readonly #metrics = new Metrics({ processMetrics: false });
  readonly #clients: AwsClients;
  readonly #uuid = crypto.randomUUID();
  readonly #function = `f-${this.#uuid.slice(0, 8)}`;
  #aheadMs = 0;
  readonly firstMs: number;

  /** Waits are `haste` times shorter than they say. */
  constructor(endpoint: string, haste = 1) {
    const clock: Clock = {
      ...systemClock,
      now: () => systemClock.now() + this.#aheadMs,
      monotonic: () => systemClock.monotonic() * haste,
      sleep: (ms, until) => systemClock.sleep(ms / haste, until),
      after: (ms, action) => systemClock.after(ms / haste, action),
    };
    this.firstMs = Math.ceil(clock.now() / minuteMs) * minuteMs;
    this.#clients = new AwsClients({
      version: '1.2.3',
      clock,
      region: testAccount.region,
      endpoints: { monitoring: endpoint },
      credentials: async () => testAccount.credentials,
    });
    const tell = narrateCloudWatch({ metrics: this.#metrics, log: this.kept.log });
    const spec = (eventSourceARN: string) => ({
      mode: 'Managed' as const,
      eventSourceARN,
      functionName: this.#function,
      metricsConfig: { metrics: ['EventCount' as const] },
    });
    const arn = (rest: string): string =>
      `arn:aws:${rest.replace('@', `${testAccount.region}:${testAccount.accountId}`)}`;
    const follow = (name: string, sourceType: string, eventSourceARN: string) => ({
      namespace: 'shop',
      name,
      uuid: this.#uuid,
      sourceType,
      destinationType: '',
      metrics: wantedMetrics(spec(eventSourceARN), this.#uuid),
    });
    this.follower = new CloudWatchFollower({
      clock,
      intervalMs: 5 * minuteMs,
      places: () => [
        {
          name: 'here',
          mappings: [
            follow('orders', 'sqs', arn('sqs:@:orders')),
            follow('clicks', 'kinesis', arn('kinesis:@:stream/clicks')),
          ],
          open: () => {
            const { client, release } = this.#clients.signedCloudWatch({ identity: installationIdentity });
            const onCall = ({ code }: { readonly code: string }): void => void this.calls.push(code);
            return { ask: metricData({ client, clock, onCall }), [Symbol.dispose]: release };
          },
        },
      ],
      emit: (event) => {
        this.events.push(event);
        tell(event);
      },
    });
  }

  /** Time passes, and a round is run. */
  async roundAfter(minutes: number): Promise<void> {
    this.#aheadMs += minutes * minuteMs;
    await this.follower.round(signal);
  }

  /** What a data point is put under. */
  dimension(metric: MetricName): { readonly Name: string; readonly Value: string } {
    return metric === 'IteratorAge'
      ? { Name: 'FunctionName', Value: this.#function }
      : { Name: 'EventSourceMappingUUID', Value: this.#uuid };
  }

  at(minute: number): number {
    return this.firstMs + minute * minuteMs;
  }

  async value(metric: string, mapping = 'orders'): Promise<number | undefined> {
    const series = await seriesOf(this.#metrics, true);
    const found = series.find(
      (line) => line.startsWith(`${metric}{`) && line.includes(`mapping="${mapping}"`),
    );
    return found === undefined ? undefined : Number(found.split(' ').at(-1));
  }

  polled(): Promise<number | undefined> {
    return this.value('sluice_polled_events_total');
  }

  failures(): readonly string[] {
    return this.events.flatMap((event) => (event.kind === 'round-failed' ? [event.reason] : []));
  }

  /** The client that puts data points into an emulator. */
  async put(metric: MetricName, atMs: number, value: number): Promise<void> {
    const { client, release } = this.#clients.signedCloudWatch({ identity: installationIdentity });
    const datum = {
      MetricName: metric,
      Dimensions: [this.dimension(metric)],
      Timestamp: atMs / 1000,
      Value: value,
    };
    const body = JSON.stringify({ Namespace: 'AWS/Lambda', MetricData: [datum] });
    await client.send(client.prepare('PutMetricData', body), 10_000, signal);
    release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clients[Symbol.asyncDispose]();
  }
}

type Put = (following: Following, metric: MetricName, atMs: number, value: number) => Promise<void> | void;

interface World extends AsyncDisposable {
  readonly endpoint: string;
  readonly put: Put;
}

async function strictWorld(): Promise<World> {
  const endpoint = await startMetricDataEndpoint();
  return {
    endpoint: endpoint.endpoint,
    put: (following, metric, atMs, value) =>
      endpoint.store.put(metric, following.dimension(metric).Value, atMs, value),
    [Symbol.asyncDispose]: () => endpoint[Symbol.asyncDispose](),
  };
}

async function miniStackWorld(): Promise<World> {
  const server: AwsServer = await startMiniStack();
  return {
    endpoint: server.endpoint,
    put: (following, metric, atMs, value) => following.put(metric, atMs, value),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describe.each<{ name: string; skip: boolean; start: () => Promise<World> }>([
  { name: 'the strict endpoint', skip: false, start: strictWorld },
  { name: 'MiniStack', skip: isAbsent('ministack'), start: miniStackWorld },
])('CloudWatch’s metrics from $name', ({ skip, start }) => {
  let world: World;
  beforeAll(async () => {
    if (!skip) world = await start();
  }, 60_000);
  afterAll(() => world?.[Symbol.asyncDispose]());

  it.skipIf(skip)('are 0 before there is anything, and not there where only a value tells', async () => {
    await using following = new Following(world.endpoint);
    await following.roundAfter(0);
    expect(following.failures()).toEqual([]);
    expect(following.calls).toEqual(['OK']);
    expect(await following.polled()).toBe(0);
    expect(await following.value('sluice_iterator_age_seconds', 'clicks')).toBeUndefined();
  });

  it.skipIf(skip)('are counted once, also when they come late, and shown in our units', async () => {
    await using following = new Following(world.endpoint);
    const { put } = world;
    await put(following, 'PolledEventCount', following.at(-2), 1000);
    await put(following, 'PolledEventCount', following.at(0), 5);
    await put(following, 'PolledEventCount', following.at(3), 7);
    await put(following, 'DeletedEventCount', following.at(3), 4);
    await put(following, 'IteratorAge', following.at(2), 250);
    await put(following, 'IteratorAge', following.at(3), 1500);
    await following.roundAfter(5);
    expect(await following.polled()).toBe(12);
    expect(await following.value('sluice_deleted_events_total')).toBe(4);
    expect(await following.value('sluice_iterator_age_seconds', 'clicks')).toBe(1.5);
    await put(following, 'PolledEventCount', following.at(1), 30);
    await following.roundAfter(5);
    expect(await following.polled()).toBe(42);
    await following.roundAfter(5);
    expect(await following.polled()).toBe(42);
    expect(following.failures()).toEqual([]);
  });
});

describe('CloudWatch that fails', () => {
  let endpoint: MetricDataEndpoint;
  beforeAll(async () => {
    endpoint = await startMetricDataEndpoint();
  });
  afterAll(() => endpoint[Symbol.asyncDispose]());

  const put = (following: Following, minute: number, value: number): void =>
    endpoint.store.put(
      'PolledEventCount',
      following.dimension('PolledEventCount').Value,
      following.at(minute),
      value,
    );

  it.each<{ why: string; answer: SinkAnswer; code: string; reason: string }>([
    {
      why: 'throttles',
      answer: refused('Rate exceeded', 'ThrottlingException'),
      code: 'ThrottlingException',
      reason: 'AwsThrottled',
    },
    {
      why: 'denies',
      answer: refused('User is not authorized to perform: cloudwatch:GetMetricData', 'AccessDenied', 403),
      code: 'AccessDenied',
      reason: 'AwsAccessDenied',
    },
    {
      why: 'does not know the key',
      answer: refused('The security token is invalid', 'InvalidClientTokenId', 403),
      code: 'InvalidClientTokenId',
      reason: 'AwsCredentialsInvalid',
    },
    { why: 'says nothing', answer: { kind: 'hang' }, code: 'DeadlineError', reason: 'AwsUnreachable' },
    {
      why: 'never ends',
      answer: { kind: 'drip', everyMs: 20 },
      code: 'DeadlineError',
      reason: 'AwsUnreachable',
    },
    { why: 'is cut off', answer: { kind: 'truncated' }, code: 'Error', reason: 'AwsUnreachable' },
    {
      why: 'answers with a page of a proxy',
      answer: { kind: 'reply', body: '<html></html>' },
      code: 'SyntaxError',
      reason: 'AwsFailed',
    },
    {
      why: 'answers with other JSON',
      answer: { kind: 'reply', body: {} },
      code: 'SyntaxError',
      reason: 'AwsFailed',
    },
    {
      why: 'is broken',
      answer: { kind: 'reply', status: 500, body: { __type: 'InternalServiceFault' } },
      code: 'InternalServiceFault',
      reason: 'AwsFailed',
    },
  ])('and $why costs a round and no data point', async ({ answer, code, reason }) => {
    await using following = new Following(endpoint.endpoint, 100);
    put(following, 0, 3);
    await following.roundAfter(5);
    endpoint.sink.answerNext(answer, answer);
    put(following, 6, 4);
    await following.roundAfter(5);
    await following.roundAfter(5);
    expect(await following.polled()).toBe(3);
    expect(following.failures()).toEqual([reason, reason]);
    expect(following.calls.slice(1)).toEqual([expect.stringMatching(code), expect.stringMatching(code)]);
    await following.roundAfter(5);
    expect(await following.polled()).toBe(7);
    const told = following.kept.lines.filter(({ level }) => level !== 'debug');
    expect(told.map(({ level, reason: named }) => [level, named])).toEqual([
      ['warn', reason],
      ['info', undefined],
    ]);
  });

  it('on its second page keeps the first, and has the rest in the next round', async () => {
    await using following = new Following(endpoint.endpoint);
    endpoint.store.pageSize = 2;
    for (let minute = 0; minute < 5; minute++) put(following, minute, 1);
    endpoint.sink.answerNext((request) => {
      endpoint.sink.answerNext({ kind: 'reset' });
      return endpoint.answer(request);
    });
    await following.roundAfter(5);
    expect(await following.polled()).toBe(2);
    await following.roundAfter(5);
    endpoint.store.pageSize = 100_800;
    expect(await following.polled()).toBe(5);
    expect(following.failures()).toEqual(['AwsUnreachable']);
  });

  it('for one metric alone leaves the others, and names it', async () => {
    await using following = new Following(endpoint.endpoint);
    endpoint.store.statuses.set('DeletedEventCount', 'Forbidden');
    put(following, 0, 2);
    await following.roundAfter(5);
    endpoint.store.statuses.clear();
    expect(await following.polled()).toBe(2);
    expect(following.events.find(({ kind }) => kind === 'round-failed')).toMatchObject({
      detail: 'DeletedEventCount: Forbidden: Forbidden: No access to the metric',
    });
  });
});
