import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import { createEngine, type Engine } from '../../../src/cli/engine.ts';
import { workKey, type Work } from '../../../src/fleet/work.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { aMapping } from '../../support/builders.ts';
import { eventually } from '../../support/eventually.ts';
import { reply, startHttpSink, type HttpSink } from '../../support/http-sink.ts';
import { keptLog, seriesOf } from '../../support/lines.ts';
import { aWork } from '../../support/pollers.ts';
import { createQueue } from '../../support/queues.ts';
import { awsEnvironment, type AwsServer } from '../../support/servers/aws-server.ts';
import { startFauxqs } from '../../support/servers/fauxqs.ts';

let aws: AwsServer;
/** The queue server with long polls of a second: a mapping that is removed waits for its last one. */
let shortPolls: HttpSink;
const before = { ...process.env };
beforeAll(async () => {
  aws = await startFauxqs();
  shortPolls = await startHttpSink({
    answer: async ({ method, path, headers, body }) => {
      const names = ['content-type', 'x-amz-target', 'authorization', 'x-amz-date'];
      const sent = names.map((name) => [name, String(headers[name] ?? '')] as [string, string]);
      const shorter = body.replace(/"WaitTimeSeconds":\d+/, '"WaitTimeSeconds":1');
      const answer = await fetch(aws.endpoint + path, { method, headers: sent, body: shorter });
      const type = answer.headers.get('content-type') ?? '';
      return reply(answer.status, await answer.text(), { 'content-type': type });
    },
  });
  // Credentials come by the SDK's own chain, as in a real process.
  Object.assign(process.env, awsEnvironment(aws));
});
afterAll(async () => {
  for (const name of Object.keys(awsEnvironment(aws))) {
    if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before[name];
  }
  await shortPolls[Symbol.asyncDispose]();
  await aws[Symbol.asyncDispose]();
});

/** An engine on a real queue server, with its metrics and its log. */
class Bench implements AsyncDisposable {
  readonly metrics = new Metrics({ processMetrics: false });
  readonly kept = keptLog();
  readonly engine: Engine = createEngine({
    clock: systemClock,
    random: Math.random,
    log: this.kept.log,
    metrics: this.metrics,
    version: '0',
    clusterID: 'test',
    aws: { region: aws.region, endpoints: { all: shortPolls.url }, proxy: undefined },
    services: { follow: () => ({ [Symbol.dispose]: () => undefined }) },
    secrets: { read: () => Promise.reject(new Error('no Secrets here')) },
    bufferBytes: 16 * 1024 * 1024,
    concurrencyCeiling: 10,
    addressOverride: '127.0.0.1',
    onChange: () => undefined,
  });

  /** Series of a mapping, zeros included. */
  async series(name: string): Promise<string[]> {
    return (await seriesOf(this.metrics, true)).filter((line) => line.includes(`mapping="${name}"`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
  }
}

function workOn(
  name: string,
  spec: Partial<EventSourceMappingSpec>,
  uid = `uid-${name}`,
  generation = 1,
): Work {
  const mapping = aMapping(spec, { name, uid, generation });
  return { ...aWork(name), mapping, allowLoopback: true };
}

const toUrl = (eventSourceARN: string, url: string): Partial<EventSourceMappingSpec> => ({
  eventSourceARN,
  poller: { target: { http: { url } } },
});

describe('the engine', () => {
  test('delivers, counts, and leaves no series of a mapping that is gone', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await using bench = new Bench();
    bench.engine.set([
      workOn('orders', toUrl(queue.arn, sink.url)),
      workOn('stays', toUrl(queue.arn, sink.url)),
    ]);
    await queue.send(['one', 'two']);
    await eventually(() => queue.isEmpty());
    await eventually(() =>
      bench.engine.facts().every(({ sourceHealthy }) => sourceHealthy?.status === 'True'),
    );
    expect(await bench.series('orders')).not.toEqual([]);
    bench.engine.set([workOn('stays', toUrl(queue.arn, sink.url))]);
    await eventually(
      async () => (await bench.series('orders')).length === 0 && bench.engine.facts().length === 1,
    );
    expect(await bench.series('stays')).not.toEqual([]);
  });

  test('a mapping that was deleted and made again keeps its series when its former self is gone', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink({ answer: { kind: 'reply', delayMs: 500 } });
    await using bench = new Bench();
    bench.engine.set([workOn('orders', toUrl(queue.arn, sink.url), 'uid-1')]);
    await queue.send(['one']);
    await eventually(() => sink.requests.length === 1);
    bench.engine.set([workOn('orders', toUrl(queue.arn, sink.url), 'uid-2')]);
    await eventually(
      () =>
        bench.engine
          .standings()
          .map(({ work }) => workKey(work))
          .join() === 'uid-2',
      { timeoutMs: 30_000 },
    );
    const series = await bench.series('orders');
    expect(series.some((line) => line.startsWith('sluice_mapping_info'))).toBe(true);
    expect(series.find((line) => line.startsWith('sluice_inflight_invocations'))).toMatch(/ 0$/);
  });

  test('says once why a mapping cannot run, and claims nothing about its source', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await using bench = new Bench();
    bench.engine.set([workOn('orders', toUrl(queue.arn, sink.url))]);
    await eventually(() => bench.engine.facts()[0]?.sourceHealthy?.status === 'True');
    const wrong = { ...toUrl(queue.arn, sink.url), filterCriteria: { filters: [{ pattern: '[' }] } };
    bench.engine.set([workOn('orders', wrong, 'uid-orders', 2)]);
    await eventually(() => bench.engine.facts()[0]?.standing.state === 'Failed');
    expect(bench.engine.facts()[0]).toEqual({ standing: expect.objectContaining({ reason: 'InvalidSpec' }) });
    // A second try, by the back-off, is no second line.
    await eventually(() => bench.kept.lines.some(({ message }) => message === 'Could not run a mapping'));
    expect(bench.kept.lines.filter(({ message }) => message === 'Could not run a mapping')).toMatchObject([
      { level: 'error', mapping: 'shop/orders', reason: 'InvalidSpec' },
    ]);
  });

  test('forgets what it knew of a target when another takes its place', async () => {
    const queue = await createQueue(aws, { visibilitySeconds: 60 });
    await using bad = await startHttpSink({ answer: reply(500) });
    await using good = await startHttpSink();
    await using bench = new Bench();
    const target = () => bench.engine.facts()[0]?.targetHealthy;
    bench.engine.set([workOn('orders', toUrl(queue.arn, bad.url))]);
    await queue.send(['one']);
    await eventually(() => target()?.reason === 'FunctionError');
    bench.engine.set([workOn('orders', { ...toUrl(queue.arn, bad.url), batchSize: 5 }, 'uid-orders', 2)]);
    await eventually(() => bench.engine.facts()[0]?.standing.work.mapping.metadata.generation === 2);
    expect(target()?.reason).toBe('FunctionError');
    bench.engine.set([workOn('orders', toUrl(queue.arn, good.url), 'uid-orders', 3)]);
    await eventually(() => target()?.status === 'Unknown');
    await queue.send(['two']);
    await eventually(() => target()?.status === 'True');
  });
});
