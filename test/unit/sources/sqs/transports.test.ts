import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { AwsClients, type AwsClientKind } from '../../../../src/aws/clients.ts';
import { installationIdentity } from '../../../../src/aws/credentials.ts';
import type { QueueSource } from '../../../../src/poller/ports.ts';
import { sources } from '../../../../src/sources/index.ts';
import { eventually } from '../../../support/eventually.ts';
import { reply, startHttpSink, type HttpSink, type SinkAnswer } from '../../../support/http-sink.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const eventSourceARN = 'arn:aws:sqs:eu-west-1:111122223333:jobs';
const never = new AbortController().signal;
const now = { max: 10, waitSeconds: 0 };

interface Wire extends AsyncDisposable {
  readonly sqs: HttpSink;
  readonly source: QueueSource;
  readonly clock: VirtualClock;
}

/** The source on one of its transports, with a server that answers as scripted, and time that stands still. */
async function open(pollClient: AwsClientKind): Promise<Wire> {
  const sqs = await startHttpSink();
  const clock = new VirtualClock();
  const clients = new AwsClients({
    version: '0.0.0',
    clock,
    pollClient,
    endpoints: { all: sqs.url },
    credentials: async () => ({ accessKeyId: 'AKIDTEST', secretAccessKey: 'top-secret' }),
  });
  const source = sources.sqs.openQueue({ eventSourceARN }, { clients, identity: installationIdentity });
  return {
    sqs,
    source,
    clock,
    [Symbol.asyncDispose]: async () => {
      await source.close();
      await clients[Symbol.asyncDispose]();
      await sqs[Symbol.asyncDispose]();
    },
  };
}

function fault(code: string, status: number, headers: Readonly<Record<string, string>> = {}): SinkAnswer {
  return reply(status, JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: 'words' }), {
    'content-type': 'application/x-amz-json-1.0',
    ...headers,
  });
}

function message(Body: string, MD5OfBody = createHash('md5').update(Body).digest('hex')): unknown {
  return { MessageId: 'm', ReceiptHandle: 'r', Body, MD5OfBody };
}

describe.each<AwsClientKind>(['signed', 'sdk'])('by the %s client', (kind) => {
  describe('a receive', () => {
    test('asks for everything that the event holds', async () => {
      await using wire = await open(kind);
      await wire.source.receive({ max: 7, waitSeconds: 20, visibilitySeconds: 90 }, never);
      expect(wire.sqs.requests[0]?.headers['x-amz-target']).toBe('AmazonSQS.ReceiveMessage');
      expect(wire.sqs.requests[0]?.json()).toEqual({
        QueueUrl: `${wire.sqs.url}/111122223333/jobs`,
        MaxNumberOfMessages: 7,
        WaitTimeSeconds: 20,
        VisibilityTimeout: 90,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      });
    });

    test("leaves the queue's own visibility where none is asked for", async () => {
      await using wire = await open(kind);
      await wire.source.receive(now, never);
      expect(wire.sqs.requests[0]?.json()).not.toHaveProperty('VisibilityTimeout');
    });

    test('with an attribute called __proto__ delivers all its messages', async () => {
      await using wire = await open(kind);
      const attributes = '{"__proto__":{"DataType":"String","StringValue":"p"}}';
      const hostile = JSON.stringify(message('a')).replace(/}$/, `,"MessageAttributes":${attributes}}`);
      wire.sqs.answerNext(reply(200, `{"Messages":[${hostile},${JSON.stringify(message('b'))}]}`));
      const records = await wire.source.receive(now, never);
      expect(records.map(({ json }) => (JSON.parse(json) as { body: string }).body)).toEqual(['a', 'b']);
    });

    test('keeps a lone surrogate, which JSON can carry', async () => {
      await using wire = await open(kind);
      wire.sqs.answerNext(reply(200, { Messages: [message('\ud800')] }));
      const [record] = await wire.source.receive(now, never);
      expect(record?.json).toContain('"body":"\\ud800"');
    });

    test('with a damaged body fails as a whole', async () => {
      await using wire = await open(kind);
      wire.sqs.answerNext(reply(200, { Messages: [message('a', 'f'.repeat(32))] }));
      await expect(wire.source.receive(now, never)).rejects.toMatchObject({ reason: 'SourceFailed' });
    });

    test.each<[string, SinkAnswer, string, object]>([
      [
        'throttles',
        fault('ThrottlingException', 400, { 'retry-after': '4' }),
        'SourceThrottled',
        { kind: 'after', ms: 4000 },
      ],
      ['is denied', fault('AccessDeniedException', 403), 'SourceAccessDenied', { kind: 'backoff' }],
      ['has 120,000 messages in flight', fault('OverLimit', 403), 'OverLimit', { kind: 'backoff' }],
      ['fails', fault('InternalError', 500), 'SourceFailed', { kind: 'backoff' }],
      [
        'names its errors in the old way',
        fault('QueueDoesNotExist', 400, {
          'x-amzn-query-error': 'AWS.SimpleQueueService.NonExistentQueue;Sender',
        }),
        'QueueNotFound',
        { kind: 'backoff' },
      ],
      ['is a proxy with a page', reply(503, '<html>busy</html>'), 'SourceFailed', { kind: 'backoff' }],
      ['answers no JSON', reply(200, '<html>welcome</html>'), 'SourceFailed', { kind: 'backoff' }],
      ['resets', { kind: 'reset' }, 'SourceUnreachable', { kind: 'backoff' }],
      ['breaks off', { kind: 'truncated' }, 'SourceUnreachable', { kind: 'backoff' }],
      ['speaks no HTTP', { kind: 'garbage' }, 'SourceUnreachable', { kind: 'backoff' }],
    ])('from a server that %s is classified and repeated by nobody', async (_what, answer, reason, retry) => {
      await using wire = await open(kind);
      wire.sqs.answer(answer);
      const error: unknown = await wire.source.receive(now, never).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'SluiceError', reason, retry });
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('top-secret');
      const receives = wire.sqs.requests.filter(
        ({ headers }) => headers['x-amz-target'] === 'AmazonSQS.ReceiveMessage',
      );
      expect(receives.length).toBe(1);
    });

    test('from a server that is gone is unreachable', async () => {
      await using wire = await open(kind);
      await wire.sqs.stop();
      await expect(wire.source.receive(now, never)).rejects.toMatchObject({ reason: 'SourceUnreachable' });
    });

    test.each<[string, SinkAnswer]>([
      ['says nothing', { kind: 'hang' }],
      ['drips its answer without an end', { kind: 'drip', everyMs: 10 }],
    ])('from a server that %s ends by itself', async (_what, answer) => {
      await using wire = await open(kind);
      wire.sqs.answer(answer);
      const receive = wire.source
        .receive({ max: 10, waitSeconds: 20 }, never)
        .catch((thrown: unknown) => thrown);
      await eventually(() => wire.sqs.inFlight === 1);
      await wire.clock.advance(34_000);
      expect(wire.clock.sleepers).toBe(1);
      await wire.clock.advance(1_000);
      expect(await receive).toMatchObject({ reason: 'SourceUnreachable' });
    });
  });

  test('a delete that hangs ends well before a visibility timeout does', async () => {
    await using wire = await open(kind);
    wire.sqs.answerNext(reply(200, { Messages: [message('a')] }), { kind: 'hang' });
    const records = await wire.source.receive(now, never);
    const settled = wire.source.settle(records, never).catch((thrown: unknown) => thrown);
    await eventually(() => wire.sqs.inFlight === 1 && wire.sqs.requests.length === 2);
    await wire.clock.advance(10_000);
    expect(await settled).toMatchObject({ reason: 'SourceUnreachable', retry: { kind: 'backoff' } });
  });
});
