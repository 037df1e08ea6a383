import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { eventually } from '../support/eventually.ts';
import {
  reply,
  startHttpSink,
  type HttpSink,
  type SinkAnswer,
  type SinkRequest,
} from '../support/http-sink.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sluice, startRun } from '../support/sluice.ts';

let aws: AwsServer;
beforeAll(async () => {
  aws = await startFauxqs();
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
});

interface SqsEvent {
  readonly Records: readonly {
    readonly messageId: string;
    readonly body: string;
    readonly attributes: Record<string, string>;
  }[];
}

const recordsOf = (request: SinkRequest): SqsEvent['Records'] => (request.json() as SqsEvent).Records;
const bodiesOf = (sink: HttpSink): string[] =>
  sink.requests.flatMap((request) => recordsOf(request).map((record) => record.body));

function mappingYaml(
  queue: TestQueue,
  sink: HttpSink | string,
  spec: Record<string, unknown> = {},
  http: Record<string, unknown> = {},
): string {
  const { poller, ...rest } = spec as { poller?: object };
  return stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name: 'orders' },
    spec: {
      mode: 'Poller',
      eventSourceARN: queue.arn,
      ...rest,
      poller: {
        target: { http: { url: typeof sink === 'string' ? sink : `${sink.url}/in`, ...http } },
        ...poller,
      },
    },
  });
}

describe('sluice run', () => {
  it('delivers the exact Lambda event and deletes what was delivered', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await using run = startRun(mappingYaml(queue, sink), { env: awsEnvironment(aws) });
    const [id] = await queue.send(['{"n":1}'], {
      attributes: {
        tier: { DataType: 'String', StringValue: 'gold' },
        raw: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2]) },
      },
    });
    const request = await eventually(() => sink.requests[0], { timeoutMs: 20_000 });
    const [record] = recordsOf(request);
    expect(request.json()).toMatchObject({
      Records: [
        {
          messageId: id,
          body: '{"n":1}',
          messageAttributes: {
            tier: { stringValue: 'gold', stringListValues: [], binaryListValues: [], dataType: 'String' },
            raw: { binaryValue: 'AQI=', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
          },
          eventSource: 'aws:sqs',
          eventSourceARN: queue.arn,
          awsRegion: aws.region,
        },
      ],
    });
    expect(record?.attributes['ApproximateReceiveCount']).toBe('1');
    expect(request.headers['content-type']).toBe('application/json');
    await eventually(() => queue.isEmpty());
    await eventually(async () => (await run.sluice.metric('sluice_deleted_events_total')) === 1);
  });

  it('delivers again only the messages that the target names as failed', async () => {
    const queue = await createQueue(aws, { visibilitySeconds: 2 });
    await using sink = await startHttpSink({
      answer: (request) => {
        const bad = recordsOf(request).filter(
          (record) => record.body === 'bad' && record.attributes['ApproximateReceiveCount'] === '1',
        );
        return reply(200, { batchItemFailures: bad.map((record) => ({ itemIdentifier: record.messageId })) });
      },
    });
    await queue.send(['good', 'bad', 'fine']);
    await using _ = startRun(
      mappingYaml(queue, sink, { functionResponseTypes: ['ReportBatchItemFailures'] }),
      { env: awsEnvironment(aws) },
    );
    await eventually(() => queue.isEmpty(), { timeoutMs: 20_000 });
    expect(bodiesOf(sink).toSorted()).toEqual(['bad', 'bad', 'fine', 'good']);
  });

  it('deletes what no filter matches and never delivers it', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await queue.send(['{"t":"a"}', '{"t":"b"}', 'plain', '{"t":"a","n":2}']);
    await using run = startRun(
      mappingYaml(queue, sink, { filterCriteria: { filters: [{ pattern: '{"body":{"t":["a"]}}' }] } }),
      {
        env: awsEnvironment(aws),
      },
    );
    await eventually(() => queue.isEmpty(), { timeoutMs: 20_000 });
    expect(bodiesOf(sink).toSorted()).toEqual(['{"t":"a"}', '{"t":"a","n":2}'].toSorted());
    expect(await run.sluice.metric('sluice_filtered_out_events_total')).toBe(2);
  });

  it('takes a changed file over without losing a message', async () => {
    const queue = await createQueue(aws, { visibilitySeconds: 5 });
    await using first = await startHttpSink({ answer: { kind: 'reply', delayMs: 20 } });
    await using second = await startHttpSink();
    await using run = startRun(mappingYaml(queue, first, { batchSize: 2 }), { env: awsEnvironment(aws) });
    const sent = Array.from({ length: 200 }, (_, index) => `m-${index}`);
    const sending = queue.send(sent);
    await eventually(() => first.requests.length > 3, { timeoutMs: 20_000 });
    run.write(mappingYaml(queue, second, { batchSize: 5 }));
    await run.sluice.logged('Took changed manifests over');
    await sending;
    await queue.send(['last']);
    await eventually(() => queue.isEmpty(), { timeoutMs: 20_000 });
    expect([...bodiesOf(first), ...bodiesOf(second)].toSorted()).toEqual([...sent, 'last'].toSorted());
    expect(bodiesOf(second)).toContain('last');
  });

  it('keeps the former mapping when a changed file is wrong, and says what is wrong', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await using run = startRun(mappingYaml(queue, sink), { env: awsEnvironment(aws) });
    await run.sluice.logged('Opened the source');
    run.write(mappingYaml(queue, sink, { batchSize: 0 }));
    const line = await run.sluice.logged('Changed manifests cannot be used, the former ones stay in force');
    expect(line['detail']).toContain('spec.batchSize');
    await queue.send(['still']);
    await eventually(() => bodiesOf(sink).includes('still'));
  });

  it('finishes what is in flight on SIGTERM and ends with success', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink({ answer: { kind: 'reply', delayMs: 1500 } });
    await using run = startRun(mappingYaml(queue, sink, { batchSize: 1 }), { env: awsEnvironment(aws) });
    await queue.send(['slow']);
    await eventually(() => sink.requests.length === 1, { timeoutMs: 20_000 });
    run.sluice.process.signal('SIGTERM');
    expect(await run.sluice.process.ended).toEqual({ code: 0, signal: null });
    expect(await queue.isEmpty()).toBe(true);
  });

  it('exits with the reason when the manifest is wrong', async () => {
    const { code, stderr } = await sluice(['run', '-f', 'examples/no-such-file.yaml'], {
      env: awsEnvironment(aws),
    });
    expect(code).toBe(1);
    expect(stderr).toContain('examples/no-such-file.yaml');
  });
});

/** Every row of the table of answers in docs/reference/http-target.md: what becomes of the message. */
const rows: readonly {
  readonly why: string;
  readonly answer: SinkAnswer;
  readonly fate: 'deleted' | 'left' | 'held';
  readonly reason?: string;
}[] = [
  { why: '200 without a body', answer: reply(200, ''), fate: 'deleted' },
  { why: '204', answer: { kind: 'reply', status: 204, body: '' }, fate: 'deleted' },
  { why: '429', answer: reply(429), fate: 'held', reason: 'TargetThrottled' },
  { why: '503', answer: reply(503), fate: 'held', reason: 'TargetThrottled' },
  { why: '401', answer: reply(401), fate: 'held', reason: 'TargetRefused' },
  { why: '403', answer: reply(403), fate: 'held', reason: 'TargetRefused' },
  { why: '404', answer: reply(404), fate: 'held', reason: 'TargetRefused' },
  { why: '405', answer: reply(405), fate: 'held', reason: 'TargetRefused' },
  { why: '407', answer: reply(407), fate: 'held', reason: 'TargetRefused' },
  { why: '502', answer: reply(502), fate: 'held', reason: 'TargetUnreachable' },
  { why: '504', answer: reply(504), fate: 'held', reason: 'TargetUnreachable' },
  { why: '400', answer: reply(400), fate: 'left', reason: 'FunctionError' },
  { why: '500', answer: reply(500), fate: 'left', reason: 'FunctionError' },
  {
    why: 'a redirect, which is never followed',
    answer: reply(302, '', { location: 'http://127.0.0.1:1/' }),
    fate: 'left',
    reason: 'FunctionError',
  },
  {
    why: 'X-Amz-Function-Error with 200',
    answer: reply(200, {}, { 'x-amz-function-error': 'Unhandled' }),
    fate: 'left',
    reason: 'FunctionError',
  },
  { why: 'reset after sending', answer: { kind: 'reset' }, fate: 'left' },
  { why: 'an answer that breaks off', answer: { kind: 'truncated' }, fate: 'left' },
  { why: 'bytes that are no HTTP', answer: { kind: 'garbage' }, fate: 'left' },
  { why: 'no answer in time', answer: { kind: 'hang' }, fate: 'left', reason: 'Timeout' },
  { why: '50 MB of answer', answer: { kind: 'huge', bytes: 50 * 1024 * 1024 }, fate: 'left' },
];

describe('the answer of an HTTP target decides what becomes of the message', () => {
  it.concurrent.each(rows)('$why: $fate', { timeout: 60_000 }, async ({ answer, fate, reason }) => {
    const queue = await createQueue(aws, { visibilitySeconds: 3 });
    await using sink = await startHttpSink({ answer });
    await queue.send(['only']);
    await using run = startRun(mappingYaml(queue, sink, {}, { timeoutSeconds: 1 }), {
      env: awsEnvironment(aws),
    });
    await eventually(() => sink.requests.length > 0, { timeoutMs: 30_000 });
    if (fate === 'deleted') {
      await eventually(() => queue.isEmpty());
      return;
    }
    const line = await run.sluice.logged('Invocation failed');
    if (reason !== undefined) expect(line['reason']).toBe(reason);
    const first = sink.requests[0];
    await eventually(() => sink.requests.length >= 3, { timeoutMs: 30_000, what: 'three calls' });
    const counts = sink.requests.map(
      (request) => recordsOf(request)[0]?.attributes['ApproximateReceiveCount'],
    );
    const keys = new Set(sink.requests.map((request) => request.headers['idempotency-key']));
    expect(await queue.isEmpty()).toBe(false);
    if (fate === 'held') {
      // The same batch probes: no receive is spent on a target that takes nothing.
      expect(counts.slice(0, 3)).toEqual(['1', '1', '1']);
      expect(keys.size).toBe(1);
    } else {
      // The queue's own visibility and redrive decide, as with Lambda.
      expect(counts.slice(0, 3)).toEqual(['1', '2', '3']);
      expect(keys.size).toBe(sink.requests.length);
    }
    sink.answer(reply(200));
    await eventually(() => queue.isEmpty(), { timeoutMs: 30_000 });
    expect(first).toBeDefined();
  });
});
