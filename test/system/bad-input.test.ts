import net, { type AddressInfo } from 'node:net';
import { CreateQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startAwsFaultProxy } from '../support/aws-fault-proxy.ts';
import { bodiesOf } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { startHttpSink } from '../support/http-sink.ts';
import { createQueue, sqsClient, TestQueue } from '../support/queues.ts';
import { awsEnvironment, queueArn, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sluice, startRun } from '../support/sluice.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { undecidable } from '../support/undecidable.ts';

/** What users and producers get wrong: each a clear word, the process lives, no message is lost. */
let aws: AwsServer;
beforeAll(async () => {
  aws = await startFauxqs();
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
});

function mapping(eventSourceARN: string, url: string, spec: object = {}): string {
  return stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name: 'orders' },
    spec: {
      mode: 'Poller',
      eventSourceARN,
      poller: { target: { http: { url, timeoutSeconds: 1 } } },
      ...spec,
    },
  });
}

const good = mapping(queueArn('orders'), 'http://127.0.0.1:1/');

describe('a manifest that cannot be run ends the start with file, line and field', () => {
  it.concurrent.each([
    {
      why: 'malformed YAML',
      text: 'apiVersion: [\n',
      message: /mapping\.yaml:2: .*[Yy]AML|mapping\.yaml:[12]: /,
    },
    {
      why: 'an unknown field',
      text: good.replace('  mode:', '  batchsize: 5\n  mode:'),
      message: /mapping\.yaml:6: spec\.batchsize: /,
    },
    {
      why: 'a value out of its bounds',
      text: good.replace('  mode:', '  batchSize: 0\n  mode:'),
      message: /mapping\.yaml:6: spec\.batchSize: .*1/,
    },
    {
      why: 'an ARN that is none',
      text: mapping('orders', 'http://127.0.0.1:1/'),
      message: /mapping\.yaml:\d+: spec\.eventSourceARN: /,
    },
    {
      why: 'a pattern that is none',
      text: mapping(queueArn('q'), 'http://127.0.0.1:1/', {
        filterCriteria: { filters: [{ pattern: '{"a":1}' }] },
      }),
      message: /spec\.filterCriteria\.filters\[0\]\.pattern: /,
    },
    {
      why: 'another version of the resource',
      text: good.replace('v1alpha1', 'v9'),
      message: /mapping\.yaml:1: apiVersion: /,
    },
    {
      why: 'nothing for this command',
      text: good.replace('mode: Poller', 'mode: Managed\n  functionName: f'),
      message: /no EventSourceMapping in Poller mode/,
    },
    { why: 'nothing at all', text: '', message: /no EventSourceMapping in Poller mode/ },
  ])('$why', async ({ text, message }) => {
    using folder = tempFolder();
    const args = ['run', '-f', folder.write('mapping.yaml', text), '--state-dir', folder.path];
    const { code, stderr } = await sluice(args, { env: awsEnvironment(aws) });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(message) });
  });
});

describe('what AWS does not give is told by its reason, and looked for until it is there', () => {
  it('a queue that does not exist yet', { timeout: 60_000 }, async () => {
    await using sink = await startHttpSink();
    const name = `late-${process.pid}`;
    await using run = startRun(mapping(queueArn(name), sink.url), { env: awsEnvironment(aws) });
    const line = await run.sluice.logged('Could not read the source', { reason: 'QueueNotFound' });
    expect(line['detail']).toContain(queueArn(name));
    const queue = await makeQueue(name);
    await queue.send(['after all']);
    await eventually(() => queue.isEmpty(), { timeoutMs: 30_000 });
    expect(bodiesOf(sink)).toEqual(['after all']);
  });

  it('the account of a queue that does not exist yet', { timeout: 60_000 }, async () => {
    await using sink = await startHttpSink();
    const name = `partial-${process.pid}`;
    await using run = startRun(mapping(`arn:aws:sqs:::${name}`, sink.url), { env: awsEnvironment(aws) });
    await run.sluice.logged('Could not find the account of a queue, it is looked for again', {
      reason: 'QueueNotFound',
    });
    const line = await run.sluice.logged('Could not run a mapping', { reason: 'IncompleteARN' });
    expect(line['detail']).toContain('`eventSourceARN` must name accountID');
    const queue = await makeQueue(name);
    await queue.send(['after all']);
    await eventually(() => queue.isEmpty(), { timeoutMs: 40_000 });
    expect(bodiesOf(sink)).toEqual(['after all']);
  });

  it('a queue that is in another Region than its ARN says', { timeout: 60_000 }, async () => {
    await using proxy = await startAwsFaultProxy(aws.endpoint);
    await using sink = await startHttpSink();
    const queue = await createQueue(aws);
    await queue.send(['here']);
    // The emulator knows no Regions: here a queue is found in its own alone, as in AWS.
    proxy.inject({
      when: ({ headers }) => headers.authorization?.includes(`/${aws.region}/sqs/`) !== true,
      fault: { kind: 'error', status: 400, code: 'QueueDoesNotExist' },
    });
    const env = { ...awsEnvironment(aws), AWS_ENDPOINT_URL: proxy.endpoint };
    const elsewhere = queue.arn.replace(aws.region, 'us-west-2');
    await using run = startRun(mapping(elsewhere, sink.url), { env });
    const line = await run.sluice.logged('Could not read the source', { reason: 'QueueNotFound' });
    expect(line['detail']).toContain(elsewhere);
    run.write(mapping(queue.arn, sink.url));
    await eventually(() => queue.isEmpty(), { timeoutMs: 30_000 });
    expect(bodiesOf(sink)).toEqual(['here']);
  });

  it('a permission', { timeout: 60_000 }, async () => {
    await using proxy = await startAwsFaultProxy(aws.endpoint);
    await using sink = await startHttpSink();
    const queue = await createQueue(aws);
    await queue.send(['before']);
    const grant = proxy.inject({
      operation: 'ReceiveMessage',
      fault: {
        kind: 'error',
        status: 403,
        code: 'AccessDeniedException',
        message: 'not authorized to perform: sqs:receivemessage',
      },
    });
    const env = { ...awsEnvironment(aws), AWS_ENDPOINT_URL: proxy.endpoint };
    await using run = startRun(mapping(queue.arn, sink.url), { env });
    const line = await run.sluice.logged('Could not read the source', { reason: 'SourceAccessDenied' });
    expect(line['detail']).toContain('sqs:ReceiveMessage');
    expect(sink.requests).toEqual([]);
    grant();
    await eventually(() => queue.isEmpty(), { timeoutMs: 40_000 });
    expect(bodiesOf(sink)).toEqual(['before']);
  });

  it('a server that answers', { timeout: 60_000 }, async () => {
    await using sink = await startHttpSink();
    await using run = startRun(good, {
      env: { ...awsEnvironment(aws), AWS_ENDPOINT_URL: 'http://127.0.0.1:1' },
    });
    await run.sluice.logged('Could not read the source', { reason: 'SourceUnreachable' });
    expect((await fetch((await run.sluice.metricsUrl()).replace('/metrics', '/healthz'))).status).toBe(200);
    expect((await fetch((await run.sluice.metricsUrl()).replace('/metrics', '/readyz'))).status).toBe(503);
    expect(sink.requests).toEqual([]);
  });
});

const megabyte = 1024 * 1024;
const filled = (head: string, tail: string, filler = 'x'): string => {
  const room = megabyte - head.length - tail.length - 64;
  return head + filler.repeat(Math.floor(room / Buffer.byteLength(filler))) + tail;
};
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

/** Bodies as large as SQS takes them, and whether the filter `{"body":{"t":["a"]}}` lets them through. */
const hostile: readonly { readonly why: string; readonly body: string; readonly passes: boolean }[] = [
  { why: 'nesting of half a million levels', body: `{"t":"a","deep":${nested(524_000)}}`, passes: true },
  { why: 'the same without its end', body: `{"t":"a","deep":${'['.repeat(1_000_000)}`, passes: false },
  { why: 'nested objects', body: `${'{"t":'.repeat(170_000)}"a"${'}'.repeat(170_000)}`, passes: false },
  {
    why: 'a prototype',
    body: filled(
      '{"t":"a","__proto__":{"t":["b"],"polluted":true},"constructor":{"prototype":{"polluted":true}},"f":"',
      '"}',
    ),
    passes: true,
  },
  { why: 'a prototype that would pass', body: filled('{"__proto__":{"t":"a"},"f":"', '"}'), passes: false },
  {
    why: 'numbers that no double holds',
    body: filled('{"t":"a","n":1e999999999,"m":-0.0e-99999,"d":', '}', '9'),
    passes: true,
  },
  { why: 'a number of a million digits alone', body: '9'.repeat(1_000_000), passes: false },
  {
    why: 'lone surrogates',
    body: filled('{"t":"a","\\udc00":"\\ud800","s":"', '"}', '\\ud800'),
    passes: true,
  },
  {
    why: 'members of one name, of which the last wins',
    body: filled('{"t":"b",', '"t":"a"}', '"t":"b",'),
    passes: true,
  },
  { why: 'a million members', body: filled('{"t":"a"', '}', ',"":0'), passes: true },
  { why: 'escapes and controls', body: filled('{"t":"a","s":"', '"}', '\\u0000\\n\\"'), passes: true },
  { why: 'text that is no JSON', body: filled('{"t":"a"', ''), passes: false },
  {
    why: 'members made for the slow way of the filter',
    body: JSON.stringify({ ...undecidable.event, t: 'b' }),
    passes: true,
  },
  { why: 'text in other alphabets', body: filled('{"t":"a","s":"', '"}', '語é'), passes: true },
];

describe('hostile messages', () => {
  it(
    'of a megabyte are filtered and delivered as they are, and the process goes on',
    { timeout: 120_000 },
    async () => {
      const queue = await createQueue(aws, { visibilitySeconds: 60 });
      await using sink = await startHttpSink();
      const filterCriteria = {
        filters: [{ pattern: '{"body":{"t":["a"]}}' }, { pattern: `{"body":${undecidable.pattern}}` }],
      };
      // Megabytes on a busy machine take their time; what times out comes again, and would count twice.
      const poller = { target: { http: { url: sink.url, timeoutSeconds: 30 } } };
      await using run = startRun(mapping(queue.arn, sink.url, { filterCriteria, batchSize: 3, poller }), {
        env: awsEnvironment(aws),
      });
      for (const { body } of hostile)
        await queue.sqs.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: body }));
      await queue.send(['{"t":"a"}', '{"t":"b"}']);
      await eventually(() => queue.isEmpty(), { timeoutMs: 90_000 });
      const expected = [...hostile.filter(({ passes }) => passes).map(({ body }) => body), '{"t":"a"}'];
      const arrived = bodiesOf(sink);
      const nameOf = (body: string): string =>
        hostile.find((message) => message.body === body)?.why ?? body.slice(0, 80);
      expect(arrived.map(nameOf).toSorted()).toEqual(expected.map(nameOf).toSorted());
      expect(await run.sluice.metric('sluice_filtered_out_events_total')).toBe(
        hostile.length + 2 - expected.length,
      );
      expect(await run.sluice.metric('sluice_undecided_events_total')).toBe(1);
      await run.sluice.logged('Could not decide whether the filter matches, such records are delivered');
      // Nothing of it is in the log.
      expect(run.sluice.process.stdout.length).toBeLessThan(20_000);
      expect((await run.sluice.process.stop()).code).toBe(0);
    },
  );
});

describe('a target', () => {
  it(
    'that takes connections and never says a word costs time, not messages',
    { timeout: 60_000 },
    async () => {
      const queue = await createQueue(aws, { visibilitySeconds: 3 });
      await using sink = await startHttpSink();
      const sockets = new Set<net.Socket>();
      const mute = net.createServer((socket) => {
        sockets.add(socket);
        socket.resume().on('error', () => undefined);
      });
      await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', () => resolve()));
      const { port } = mute.address() as AddressInfo;
      await using run = startRun(mapping(queue.arn, `http://127.0.0.1:${port}/`), {
        env: awsEnvironment(aws),
      });
      await queue.send(['patient']);
      await run.sluice.logged('Invocation failed', { reason: 'Timeout' });
      run.write(mapping(queue.arn, sink.url));
      await eventually(() => queue.isEmpty(), { timeoutMs: 30_000 });
      expect(bodiesOf(sink)).toEqual(['patient']);
      for (const socket of sockets) socket.destroy();
      mute.close();
    },
  );
});

async function makeQueue(name: string): Promise<TestQueue> {
  const sqs = sqsClient(aws);
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  return new TestQueue(sqs, name, queueArn(name), QueueUrl);
}
