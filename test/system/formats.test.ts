/**
 * The formats of an HTTP target other than `Lambda`, from a queue to what stands on the other side: AWS's runtime
 * interface emulator with a function, and the SDK of the CloudEvents project.
 */
import { HTTP, type CloudEventV1 } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { eventually } from '../support/eventually.ts';
import { reply, startHttpSink, type HttpSink, type SinkRequest } from '../support/http-sink.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { startLambdaPod } from '../support/servers/lambda-rie.ts';
import { sluice, startRun } from '../support/sluice.ts';

let aws: AwsServer;
beforeAll(async () => {
  aws = await startFauxqs();
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
});

function mappingYaml(
  queue: TestQueue,
  http: Readonly<Record<string, unknown>>,
  spec: Readonly<Record<string, unknown>> = {},
): string {
  return stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name: 'orders' },
    spec: { mode: 'Poller', eventSourceARN: queue.arn, ...spec, poller: { target: { http } } },
  });
}

/** Waits until nothing is left in the queue, or says why not. */
async function drained(run: ReturnType<typeof startRun>, queue: TestQueue): Promise<void> {
  const isDone = async (): Promise<boolean> => {
    if (run.sluice.process.end !== undefined)
      throw new Error(`sluice has ended:\n${run.sluice.process.tail()}`);
    return queue.isEmpty();
  };
  await eventually(isDone, { timeoutMs: 30_000, what: 'an empty queue' });
}

const reporting = { functionResponseTypes: ['ReportBatchItemFailures'] };

interface Entry {
  readonly phase: 'begin' | 'end';
  readonly requestId: string;
  readonly pod: string;
  readonly event: {
    readonly Records: readonly {
      readonly body: string;
      readonly attributes: Readonly<Record<string, string>>;
    }[];
  };
}

describe.skipIf(isAbsent('aws-lambda-rie'))('format LambdaInvoke', () => {
  const entries = (ledger: HttpSink): Entry[] => ledger.requests.map((request) => request.json() as Entry);

  it('runs a Lambda container: what it reports as failed comes again, what it does not finish too', async () => {
    const queue = await createQueue(aws, { visibilitySeconds: 2 });
    await using ledger = await startHttpSink();
    await using pod = await startLambdaPod({ timeoutSeconds: 5, ledgerUrl: ledger.url });
    // Without a path: the emulator's own is the default.
    const http = { url: `http://127.0.0.1:${pod.port}`, format: 'LambdaInvoke', timeoutSeconds: 10 };
    const spec = { ...reporting, batchSize: 1, scalingConfig: { maximumConcurrency: 10 } };
    await using run = startRun(mappingYaml(queue, http, spec), { env: awsEnvironment(aws) });
    const plain = Array.from({ length: 20 }, (_, index) => JSON.stringify({ n: index }));
    const [, , , failing, throwing] = await queue.send([
      ...plain.slice(0, 3),
      '{"fail":true}',
      ...plain.slice(3),
    ]);
    expect([failing, throwing]).not.toContain(undefined);
    await drained(run, queue);
    const begun = entries(ledger).filter(({ phase }) => phase === 'begin');
    const bodies = begun.flatMap(({ event }) => event.Records.map(({ body }) => body));
    expect(bodies.toSorted()).toEqual([...plain, '{"fail":true}', '{"fail":true}'].toSorted());
    // One at a time: a second invocation would have ended the emulator.
    expect(pod.process.end).toBeUndefined();
    expect(entries(ledger).map(({ phase }) => phase)).toEqual(begun.flatMap(() => ['begin', 'end']));
    expect(new Set(begun.map(({ requestId }) => requestId)).size).toBe(begun.length);

    // A function that throws, ends or hangs spends a receive, and the next message is processed.
    await queue.send(['{"throw":true}', '{"exit":true}', '{"sleepMs":60000}', '{"last":true}']);
    for (const type of ['function', 'timeout']) {
      const labels = { mapping: 'orders', class: type };
      await eventually(
        async () => Number(await run.sluice.metric('sluice_invocation_errors_total', labels)) > 0,
        { timeoutMs: 20_000, what: `an invocation that failed by ${type}` },
      );
    }
    await eventually(() => entries(ledger).some(({ event }) => event?.Records[0]?.body === '{"last":true}'));
    expect(pod.process.end).toBeUndefined();
    expect(run.sluice.process.stdout).not.toContain('a secret of the function');
  });
});

/** A batch as the CloudEvents SDK reads it; it validates each event. */
function eventsOf(request: SinkRequest): readonly CloudEventV1<unknown>[] {
  return HTTP.toEvent<unknown>({
    headers: request.headers,
    body: request.body,
  }) as readonly CloudEventV1<unknown>[];
}
const allEvents = (sink: HttpSink): readonly CloudEventV1<unknown>[] => sink.requests.flatMap(eventsOf);

describe('format CloudEvents', () => {
  it('delivers a batch of events, and again only those whose ids the consumer names', async () => {
    const queue = await createQueue(aws, { visibilitySeconds: 2 });
    await using sink = await startHttpSink({
      answer: (request) => {
        const failed = eventsOf(request).filter(
          ({ data, receivecount }) => (data as { fail?: boolean }).fail === true && receivecount === 1,
        );
        return reply(200, { batchItemFailures: failed.map(({ id }) => ({ itemIdentifier: id })) });
      },
    });
    const http = { url: `${sink.url}/events`, format: 'CloudEvents' };
    const spec = {
      ...reporting,
      filterCriteria: { filters: [{ pattern: '{"body": {"status": ["placed"]}}' }] },
    };
    await using run = startRun(mappingYaml(queue, http, spec), { env: awsEnvironment(aws) });
    const ids: readonly string[] = await queue.send(
      [
        '{"status":"placed","n":1}',
        '{"status":"placed","n":2,"fail":true}',
        '{"status":"draft","n":3}',
        '{"status":"placed","n":12345678901234567890}',
      ],
      { attributes: { tier: { DataType: 'String', StringValue: 'gold' } } },
    );
    await drained(run, queue);
    const events = allEvents(sink);
    const times = ids.map((id) => events.filter((event) => event.id === id).length);
    expect(times).toEqual([1, 2, 0, 1]);
    expect(events.find(({ id }) => id === ids[0])).toMatchObject({
      specversion: '1.0',
      source: queue.arn,
      type: 'com.amazonaws.sqs.message',
      datacontenttype: 'application/json',
      data: { status: 'placed', n: 1 },
      receivecount: 1,
      attrtier: 'gold',
    });
    expect(sink.requests[0]).toMatchObject({
      path: '/events',
      headers: { 'content-type': 'application/cloudevents-batch+json' },
    });
    expect(sink.requests.some(({ body }) => body.includes('"n":12345678901234567890'))).toBe(true);
  });

  it('keeps the order of the groups of a FIFO queue, which the events name', async () => {
    const queue = await createQueue(aws, { fifo: true });
    await using sink = await startHttpSink();
    const http = { url: sink.url, format: 'CloudEvents' };
    await using run = startRun(mappingYaml(queue, http, { batchSize: 4 }), { env: awsEnvironment(aws) });
    const bodies = Array.from({ length: 24 }, (_, index) => String(index));
    await queue.send(bodies, { group: (index) => `account-${index % 3}` });
    await drained(run, queue);
    const groups = Map.groupBy(allEvents(sink), ({ partitionkey }) => partitionkey);
    expect(new Set(groups.keys())).toEqual(new Set(['account-0', 'account-1', 'account-2']));
    for (const events of groups.values()) {
      const numbers = events.map(({ data }) => Number(data));
      expect(numbers).toEqual(numbers.toSorted((left, right) => left - right));
      expect(numbers).toHaveLength(8);
      const sequences = events.map(({ sequence }) => String(sequence));
      expect(sequences).toEqual(sequences.toSorted());
      expect(events[0]?.subject).toBe(events[0]?.partitionkey);
    }
  });

  it('cuts batches at 6 MB of what is sent, and reads on within the byte budget', async () => {
    const queue = await createQueue(aws, { visibilitySeconds: 60 });
    await using sink = await startHttpSink();
    const http = { url: sink.url, format: 'CloudEvents' };
    // As a string in a Lambda event each quote would take two bytes; as data of an event it takes one.
    const body = JSON.stringify(Array.from({ length: 250_000 }, () => ''));
    const spec = { batchSize: 20, maximumBatchingWindowInSeconds: 2 };
    for (let sent = 0; sent < 9; sent++) await queue.send([body]);
    await using run = startRun(mappingYaml(queue, http, spec), {
      env: awsEnvironment(aws),
      args: ['--buffer-mib', '32'],
    });
    await drained(run, queue);
    const sizes = sink.requests.map((request) => Buffer.byteLength(request.body));
    const most = 6 * 1024 * 1024;
    expect(allEvents(sink)).toHaveLength(9);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(most);
    // Nearly full: eight events of 750 kB, where the Lambda event would hold five.
    expect(Math.max(...sizes)).toBeGreaterThan(most - 800_000);
  });

  it('takes over an edit of the format: what comes next is sent in the new one', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    const of = (format: string): string => mappingYaml(queue, { url: sink.url, format });
    await using run = startRun(of('Lambda'), { env: awsEnvironment(aws) });
    await queue.send(['{"n":1}']);
    await eventually(() => sink.requests.length === 1, { timeoutMs: 20_000 });
    expect(sink.requests[0]?.json()).toHaveProperty('Records');
    run.write(of('CloudEvents'));
    await eventually(
      async () => {
        await queue.send(['{"n":2}']);
        return sink.requests.at(-1)?.headers['content-type'] === 'application/cloudevents-batch+json';
      },
      { timeoutMs: 20_000, intervalMs: 250 },
    );
    const last = sink.requests.at(-1);
    if (last === undefined) throw new Error('no request');
    expect(eventsOf(last)[0]).toMatchObject({ data: { n: 2 } });
  });
});

describe('a mapping with a format', () => {
  it('must not set the headers of an invocation itself', async () => {
    const queue = await createQueue(aws);
    const http = {
      url: 'http://127.0.0.1:1',
      format: 'LambdaInvoke',
      headers: { 'X-Amz-Invocation-Type': { value: 'Event' } },
    };
    const { code, stdout } = await sluice(['validate', '-f', '-'], { input: mappingYaml(queue, http) });
    expect(code).toBe(1);
    expect(stdout).toContain('x-amz-invocation-type');
  });
});
