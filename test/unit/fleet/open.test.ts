import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import { AwsClients } from '../../../src/aws/clients.ts';
import { createOpener, type Insight } from '../../../src/fleet/open.ts';
import type { Opened, Opener } from '../../../src/fleet/runner.ts';
import type { Work } from '../../../src/fleet/work.ts';
import { systemClock, type Clock } from '../../../src/lib/clock.ts';
import { createByteBudget } from '../../../src/poller/byte-budget.ts';
import type { PollerEvent } from '../../../src/poller/events.ts';
import { aMapping } from '../../support/builders.ts';
import { eventually } from '../../support/eventually.ts';
import { reply, startHttpSink, type HttpSink } from '../../support/http-sink.ts';
import { aWork } from '../../support/pollers.ts';
import { createQueue } from '../../support/queues.ts';
import type { AwsServer } from '../../support/servers/aws-server.ts';
import { startFauxqs } from '../../support/servers/fauxqs.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

let aws: AwsServer;
let lambda: HttpSink;
beforeAll(async () => {
  aws = await startFauxqs();
  lambda = await startHttpSink({ answer: reply(200, { EventSourceMappings: [] }) });
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
  await lambda[Symbol.asyncDispose]();
});

/** An opener on real servers. */
class Bench implements AsyncDisposable {
  readonly clients = new AwsClients({
    version: '0',
    clock: systemClock,
    region: aws.region,
    endpoints: { sqs: aws.endpoint, lambda: lambda.url },
    credentials: async () => ({ ...aws.credentials }),
  });
  readonly insights: Insight[] = [];
  readonly events: PollerEvent[] = [];
  readonly errors: unknown[] = [];
  readonly opener: Opener;

  constructor(clock: Clock = systemClock) {
    this.opener = createOpener({
      clock,
      random: () => 0.5,
      clients: this.clients,
      services: { follow: () => ({ [Symbol.dispose]: () => undefined }) },
      secrets: { read: () => Promise.reject(new Error('no Secrets here')) },
      resolver: () => Promise.resolve(['127.0.0.1']),
      version: '0',
      newTraceId: () => '0af7651916cd43dd8448eb211c80319c',
      allowLoopbackEndpoints: true,
      onSecretFailure: () => undefined,
      budget: createByteBudget(16 * 1024 * 1024),
      newId: () => crypto.randomUUID(),
      clusterID: 'test',
      concurrencyCeiling: 10,
      onInsight: (_work, insight) => this.insights.push(insight),
      onError: (error) => this.errors.push(error),
    });
  }

  open(work: Work): Promise<Opened> {
    return this.opener.open(work, (event) => this.events.push(event), new AbortController().signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clients[Symbol.asyncDispose]();
  }
}

function workOn(spec: Partial<EventSourceMappingSpec>, more: Partial<Work> = {}): Work {
  return { ...aWork('orders'), mapping: aMapping(spec), allowLoopback: true, ...more };
}

const toUrl = (url: string): Partial<EventSourceMappingSpec> => ({ poller: { target: { http: { url } } } });

describe('what cannot work is refused before anything is opened', () => {
  const patterns = (...texts: string[]) => ({
    filterCriteria: { filters: texts.map((pattern) => ({ pattern })) },
  });

  test.each([
    {
      why: 'a partial ARN that nothing completes',
      spec: { eventSourceARN: 'arn:aws:sqs:::orders' },
      reason: 'IncompleteARN',
      text: /`eventSourceARN` must name region and accountID.*arn:aws:sqs:::orders/,
    },
    {
      why: 'no ARN',
      spec: { eventSourceARN: 'orders' },
      reason: 'InvalidSpec',
      text: /`eventSourceARN` must be an ARN, found orders/,
    },
    {
      why: 'a source of a later release',
      spec: { eventSourceARN: 'arn:aws:kinesis:eu-west-1:000000000000:stream/s' },
      reason: 'NotSupported',
      text: /`eventSourceARN`/,
    },
    {
      why: 'a pattern that is no JSON',
      spec: patterns('{"body":["a"]}', '{'),
      reason: 'InvalidSpec',
      text: /^`filterCriteria.filters\[1\].pattern`/,
    },
    {
      why: 'every wrong pattern is named',
      spec: patterns('[', '{"a":["b"]}', '{"a":1}'),
      reason: 'InvalidSpec',
      text: /filters\[0\].*filters\[2\]/,
    },
    {
      why: 'a field of a later release',
      spec: { poller: { rateLimit: { batchesPerSecond: 1 } } },
      reason: 'NotSupported',
      text: /`poller.rateLimit`/,
    },
    {
      why: 'a URL that leads to credentials',
      spec: toUrl('http://169.254.169.254/latest'),
      reason: 'UrlNotPermitted',
      text: /`poller.target.http.url`/,
    },
  ])('$why', async ({ spec, reason, text }) => {
    await using bench = new Bench();
    const opening = bench.open(workOn(spec));
    await expect(opening).rejects.toMatchObject({ reason });
    await expect(opening).rejects.toThrow(text);
    // Nothing stays open, neither a client nor an insight into what does not run.
    expect(bench.clients.size).toBe(0);
    expect(bench.insights).toEqual([]);
  });

  test('a ServiceAccount where there is no cluster', async () => {
    await using bench = new Bench();
    const work = workOn({}, { identity: { kind: 'ServiceAccount', name: 'tenant' } });
    const opening = bench.open(work);
    await expect(opening).rejects.toMatchObject({ reason: 'NotSupported' });
    await expect(opening).rejects.toThrow('`aws.serviceAccountName` must be left out');
    expect(bench.clients.size).toBe(0);
  });
});

describe('the key of a source', () => {
  const keyOf = async (spec: Partial<EventSourceMappingSpec>, more: Partial<Work> = {}): Promise<string> => {
    await using bench = new Bench();
    return bench.opener.sourceKey(workOn(spec, more));
  };

  test('is that of the complete ARN and the identity, and of nothing else', async () => {
    const full = await keyOf({ eventSourceARN: 'arn:aws:sqs:eu-west-1:000000000000:orders' });
    const place = { region: 'eu-west-1', accountID: '000000000000' };
    expect(await keyOf({ eventSourceARN: 'arn:aws:sqs:::orders', batchSize: 3 }, { place })).toBe(full);
    expect(await keyOf({ eventSourceARN: 'arn:aws:sqs:eu-west-1:000000000000:other' })).not.toBe(full);
    const role = { kind: 'Role', roleARN: 'arn:aws:iam::000000000000:role/r' } as const;
    expect(await keyOf({}, { identity: role })).not.toBe(full);
  });

  test('is not its id, which is the queue alone: readers of one queue under two identities are two of the same', async () => {
    await using bench = new Bench();
    const role = { kind: 'Role', roleARN: 'arn:aws:iam::000000000000:role/r' } as const;
    const place = { region: 'eu-west-1', accountID: '000000000000' };
    const queue = 'arn:aws:sqs:eu-west-1:000000000000:orders';
    const works = [
      workOn({ eventSourceARN: queue }),
      workOn({ eventSourceARN: queue }, { identity: role }),
      workOn({ eventSourceARN: 'arn:aws:sqs:::orders', batchSize: 3 }, { place }),
    ];
    expect(works.map((work) => bench.opener.sourceID(work))).toEqual([queue, queue, queue]);
    expect((await bench.open(workOn({ eventSourceARN: queue }))).sourceID).toBe(queue);
  });
});

describe('an open mapping', () => {
  test('takes nothing before `resume`, compiles its filters once, and drains', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await using bench = new Bench();
    let reads = 0;
    const filter = {
      get pattern() {
        reads++;
        return '{"body":{"t":["a"]}}';
      },
    };
    const spec = { eventSourceARN: queue.arn, filterCriteria: { filters: [filter] }, ...toUrl(sink.url) };
    const opened = await bench.open(workOn(spec));
    const readsToOpen = reads;
    await queue.send(['{"t":"a"}', '{"t":"b"}', '{"t":"a"}']);
    expect((await queue.counts()).visible).toBe(3);
    opened.resume();
    await eventually(() => queue.isEmpty());
    await queue.send(['{"t":"b"}', '{"t":"a"}']);
    await eventually(async () => sink.requests.length >= 2 && (await queue.isEmpty()));
    expect(reads).toBe(readsToOpen);
    await opened.drain(5000, 0);
    expect(bench.events.at(-1)).toEqual({ kind: 'state-changed', state: 'stopped' });
    expect(bench.clients.size).toBe(0);
    expect(bench.errors).toEqual([]);
  });

  test('keeps its target over an edit that does not change it, and swaps it over one that does', async () => {
    const queue = await createQueue(aws);
    await using first = await startHttpSink();
    await using second = await startHttpSink();
    await using bench = new Bench();
    const { signal } = new AbortController();
    const specTo = (url: string, batchSize: number) => ({
      eventSourceARN: queue.arn,
      batchSize,
      ...toUrl(url),
    });
    const opened = await bench.open(workOn(specTo(first.url, 1)));
    opened.resume();
    await queue.send(['one']);
    await eventually(() => first.requests.length === 1);
    await opened.reconfigure(workOn(specTo(first.url, 10)), signal);
    await queue.send(['two']);
    await eventually(() => first.requests.length === 2);
    expect(first.connections).toBe(1);
    await opened.reconfigure(workOn(specTo(second.url, 10)), signal);
    await queue.send(['three']);
    await eventually(() => second.requests.length === 1);
    expect(first.requests).toHaveLength(2);
    expect(bench.insights.at(-1)?.effective.values.batchSize).toBe(10);
    await opened.drain(5000, 0);
  });

  test('that cannot be reconfigured goes on as it was', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await using bench = new Bench();
    const { signal } = new AbortController();
    const good = { eventSourceARN: queue.arn, ...toUrl(sink.url) };
    const opened = await bench.open(workOn(good));
    opened.resume();
    const wrong = { ...good, filterCriteria: { filters: [{ pattern: '[' }] } };
    await expect(opened.reconfigure(workOn(wrong), signal)).rejects.toMatchObject({ reason: 'InvalidSpec' });
    await queue.send(['still']);
    await eventually(() => sink.requests.length === 1);
    await opened.drain(5000, 0);
  });

  test('can be paused before and after it has begun, and drained from there', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await using bench = new Bench();
    const opened = await bench.open(workOn({ eventSourceARN: queue.arn, ...toUrl(sink.url) }));
    opened.pause();
    opened.resume();
    await queue.send(['one']);
    await eventually(() => queue.isEmpty());
    opened.pause();
    await opened.drain(5000, 0);
    expect(bench.events.flatMap((event) => (event.kind === 'state-changed' ? [event.state] : []))).toEqual([
      'paused',
      'starting',
      'running',
      'paused',
      'draining',
      'stopped',
    ]);
    expect(bench.clients.size).toBe(0);
  });

  test('drains twice as well as once, and within the shorter grace', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink({ answer: { kind: 'hang' } });
    await using bench = new Bench();
    const opened = await bench.open(workOn({ eventSourceARN: queue.arn, ...toUrl(sink.url) }));
    opened.resume();
    await queue.send(['stuck']);
    await eventually(() => sink.requests.length === 1);
    const long = opened.drain(600_000, 0);
    await opened.drain(0, 0);
    await long;
    expect(bench.clients.size).toBe(0);
    const { Attributes } = await queue.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queue.url, AttributeNames: ['All'] }),
    );
    expect(Attributes?.['ApproximateNumberOfMessagesNotVisible']).toBe('1');
  });

  test('tells when Lambda reads the queue too, and does not take it back because one look failed', async () => {
    const clock = new VirtualClock();
    await using bench = new Bench(clock);
    lambda.answer(reply(200, { EventSourceMappings: [{ UUID: 'u-1', FunctionArn: 'f', State: 'Enabled' }] }));
    const opened = await bench.open(workOn(toUrl('http://127.0.0.1:1/')));
    const reasons = (): readonly string[] =>
      bench.insights.at(-1)?.warnings.map(({ reason }) => reason) ?? [];
    await eventually(() => reasons().includes('QueueHasLambdaMapping'));
    const looks = bench.insights.length;
    lambda.answer(reply(403, { message: 'no' }));
    await clock.advance(11 * 60_000);
    await eventually(() => bench.insights.length > looks);
    expect(reasons()).toEqual(['QueueHasLambdaMapping']);
    lambda.answer(reply(200, { EventSourceMappings: [] }));
    await clock.advance(11 * 60_000);
    await eventually(() => reasons().length === 0);
    await clock.runUntil(opened.drain(0, 0));
  });

  test('many mappings of a queue look for Lambda’s together, since the whole account shares the calls', async () => {
    const clock = new VirtualClock();
    await using bench = new Bench(clock);
    lambda.answer(reply(200, { EventSourceMappings: [] }));
    const before = lambda.requests.length;
    const many = await Promise.all(
      Array.from({ length: 20 }, () => bench.open(workOn(toUrl('http://127.0.0.1:1/')))),
    );
    await eventually(() => lambda.requests.length === before + 1);
    await clock.advance(10_000);
    expect(lambda.requests.length).toBe(before + 1);
    await clock.advance(11 * 60_000);
    await eventually(() => lambda.requests.length === before + 2);
    await clock.runUntil(Promise.all(many.map((opened) => opened.drain(0, 0))));
    expect(clock.sleepers).toBe(0);
  });
});
