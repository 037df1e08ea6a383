import { describe, expect, test } from 'vitest';
import { AwsClients } from '../../../src/aws/clients.ts';
import { installationIdentity, type AwsCredentials } from '../../../src/aws/credentials.ts';
import type { SignedClient } from '../../../src/aws/sigv4-client.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { reply, startHttpSink, type HttpSink, type SinkRequest } from '../../support/http-sink.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const never = new AbortController().signal;
const key = { accessKeyId: 'AKIDTEST', secretAccessKey: 'top-secret' };

interface Wire extends AsyncDisposable {
  readonly sqs: HttpSink;
  readonly client: SignedClient;
  readonly call: () => Promise<string>;
}

async function open(
  options: {
    readonly clock?: Clock;
    readonly credentials?: () => Promise<AwsCredentials>;
    readonly path?: string;
  } = {},
): Promise<Wire> {
  const sqs = await startHttpSink();
  const clients = new AwsClients({
    version: '1.2.3',
    clock: options.clock ?? new VirtualClock(),
    endpoints: { sqs: sqs.url + (options.path ?? '') },
    credentials: options.credentials ?? (async () => key),
  });
  const lease = clients.signedSqs({ region: 'eu-west-1', identity: installationIdentity });
  const prepared = lease.client.prepare('ReceiveMessage', '{}');
  return {
    sqs,
    client: lease.client,
    call: async () => (await lease.client.send(prepared, 5000, never)).body.toString(),
    [Symbol.asyncDispose]: async () => {
      await clients[Symbol.asyncDispose]();
      await sqs[Symbol.asyncDispose]();
    },
  };
}

const authorizations = (requests: readonly SinkRequest[]): (string | undefined)[] =>
  requests.map(({ headers }) => headers.authorization);

describe('a signed call', () => {
  test('speaks AWS JSON 1.0, names its operation, and is signed for the Region with all that it must', async () => {
    await using wire = await open();
    expect(await wire.call()).toBe('{}');
    const [request] = wire.sqs.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/', body: '{}' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'AmazonSQS.ReceiveMessage',
      'x-amzn-query-mode': 'true',
      'user-agent': 'sluice/1.2.3',
      host: new URL(wire.sqs.url).host,
    });
    expect(request?.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDTEST\/20260101\/eu-west-1\/sqs\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode, Signature=[0-9a-f]{64}$/,
    );
  });

  test('is signed anew when its second has passed, and not before', async () => {
    const clock = new VirtualClock();
    await using wire = await open({ clock });
    await wire.call();
    await clock.advance(999);
    await wire.call();
    await clock.advance(1);
    await wire.call();
    const [first, second, third] = authorizations(wire.sqs.requests);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(wire.sqs.connections).toBe(1);
  });

  test('takes over new credentials at once, with their token', async () => {
    let current: AwsCredentials = key;
    await using wire = await open({ credentials: async () => current });
    await wire.call();
    current = { accessKeyId: 'AKIDNEW', secretAccessKey: 'new', sessionToken: 'token+/=' };
    await wire.call();
    const [, second] = wire.sqs.requests;
    expect(second?.headers['x-amz-security-token']).toBe('token+/=');
    expect(second?.headers.authorization).toMatch(/Credential=AKIDNEW\/.*;x-amz-security-token;/);
  });

  test('fails with what the credentials fail with, and works when they do', async () => {
    let broken = true;
    await using wire = await open({
      credentials: async () => {
        if (broken) throw new Error('no role');
        return key;
      },
    });
    await expect(wire.call()).rejects.toThrow('no role');
    broken = false;
    expect(await wire.call()).toBe('{}');
  });

  test('goes below the path of a custom endpoint', async () => {
    await using wire = await open({ path: '/aws/sqs' });
    await wire.call();
    expect(wire.sqs.requests[0]?.path).toMatch(/^\/aws\/sqs\/?$/);
  });

  test('refused for the time of our clock is repeated once by the time of the service, which is kept', async () => {
    await using wire = await open();
    const date = 'Thu, 01 Jan 2026 02:00:00 GMT';
    const skewed = reply(403, { __type: 'RequestTimeTooSkewed', message: 'm' }, { date });
    wire.sqs.answerNext(skewed);
    expect(await wire.call()).toBe('{}');
    await wire.call();
    const times = wire.sqs.requests.map(({ headers }) => headers['x-amz-date']);
    expect(times).toEqual(['20260101T000000Z', '20260101T020000Z', '20260101T020000Z']);
    // A refusal by the same clock is for another reason.
    wire.sqs.answer(skewed);
    await expect(wire.call()).rejects.toMatchObject({ name: 'RequestTimeTooSkewed' });
    expect(wire.sqs.requests.length).toBe(4);
  });

  test.each(['InvalidSignatureException', 'SignatureDoesNotMatch'])(
    'whose signature is wrong (%s) is repeated only if the clocks differ',
    async (code) => {
      await using wire = await open();
      const fault = (date: string) => reply(403, { __type: code, message: 'm' }, { date });
      wire.sqs.answer(fault('Thu, 01 Jan 2026 00:00:30 GMT'));
      await expect(wire.call()).rejects.toMatchObject({ name: code });
      expect(wire.sqs.requests.length).toBe(1);
      wire.sqs.answer(reply(200, {}));
      wire.sqs.answerNext(fault('Thu, 01 Jan 2026 00:20:00 GMT'));
      expect(await wire.call()).toBe('{}');
      expect(wire.sqs.requests.length).toBe(3);
    },
  );

  test('that fails names code, status, request id and wait, and shows nothing of the request', async () => {
    await using wire = await open();
    wire.sqs.answer(
      reply(
        400,
        { __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'words' },
        {
          'x-amzn-requestid': 'id-1',
          'retry-after': '3',
        },
      ),
    );
    const error: unknown = await wire.call().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: 'com.amazonaws.sqs#QueueDoesNotExist',
      message: 'words',
      $metadata: { httpStatusCode: 400, requestId: 'id-1' },
      retryAfterSeconds: '3',
    });
    expect(JSON.stringify(error)).not.toContain('AKIDTEST');
  });

  test.each<[string, object, string]>([
    [
      'the header of old codes',
      { 'x-amzn-query-error': 'AWS.SimpleQueueService.NonExistentQueue;Sender' },
      'AWS.SimpleQueueService.NonExistentQueue',
    ],
    [
      'the header of error types',
      { 'x-amzn-errortype': 'ThrottlingException:http://x' },
      'ThrottlingException:http://x',
    ],
    ['nothing', {}, 'UnknownError'],
  ])('whose answer has no JSON takes its code from %s', async (_what, headers, name) => {
    await using wire = await open();
    wire.sqs.answer(reply(400, '<html>', headers as Record<string, string>));
    await expect(wire.call()).rejects.toMatchObject({ name });
  });

  test('ends with its signal, and its connection with it', async () => {
    await using wire = await open();
    wire.sqs.answer({ kind: 'hang' });
    const controller = new AbortController();
    const sending = wire.client.send(wire.client.prepare('X', '{}'), 5000, controller.signal);
    setTimeout(() => controller.abort(new Error('draining')), 50);
    await expect(sending).rejects.toThrow('draining');
    const early = wire.client.send(wire.client.prepare('X', '{}'), 5000, controller.signal);
    await expect(early).rejects.toThrow('draining');
  });
});
