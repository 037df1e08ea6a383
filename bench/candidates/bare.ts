/**
 * The reference: a bare loop on undici's dispatch, eight lanes of receive → POST → delete, JSON parsed and written,
 * MD5 checked, signatures made here and cached by the second. No batching rules, no retries, no metrics: the most that
 * Node gives a loop of this kind, and the least that a product can do.
 */
import { createHmac, hash } from 'node:crypto';
import { Pool, type Dispatcher } from 'undici';
import { readSettings } from './settings.ts';

const settings = readSettings();
const sqs = new Pool(settings.endpoint, {
  connections: 4096,
  pipelining: 1,
  headersTimeout: 60_000,
  bodyTimeout: 60_000,
});
const sink = new Pool(new URL(settings.target).origin, { connections: 64, pipelining: 1 });
const host = new URL(settings.endpoint).host;
const targetPath = new URL(settings.target).pathname;

class Exchange implements Dispatcher.DispatchHandler {
  readonly #done: (body: Buffer) => void;
  readonly #fail: (error: Error) => void;
  readonly #chunks: Buffer[] = [];
  #status = 0;

  constructor(done: (body: Buffer) => void, fail: (error: Error) => void) {
    this.#done = done;
    this.#fail = fail;
  }

  onRequestStart(): void {
    // Nothing to do.
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const [only] = this.#chunks;
    const body = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
    if (this.#status === 200) this.#done(body);
    else this.#fail(new Error(`status ${this.#status}`));
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#fail(error);
  }
}

function post(pool: Pool, path: string, headers: string[], body: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    pool.dispatch({ method: 'POST', path, headers, body }, new Exchange(resolve, reject));
  });
}

/** HMAC-SHA256 under the key of the day by two hashes over its padded forms, which takes half of `createHmac`'s time. */
const keys = new Map<string, { inner: Buffer; outer: Buffer }>();
function signatureOf(day: string, service: string, text: string): string {
  let key = keys.get(day + service);
  if (key === undefined) {
    let secret: Buffer = Buffer.from('AWS4secret');
    for (const part of [day, settings.region, service, 'aws4_request'])
      secret = createHmac('sha256', secret).update(part).digest();
    key = { inner: Buffer.alloc(64 + 256, 0x36), outer: Buffer.alloc(64 + 32, 0x5c) };
    for (const [at, byte] of secret.entries()) {
      key.inner[at] = byte ^ 0x36;
      key.outer[at] = byte ^ 0x5c;
    }
    keys.set(day + service, key);
  }
  const end = 64 + key.inner.write(text, 64, 'latin1');
  key.outer.write(hash('sha256', key.inner.subarray(0, end), 'hex'), 64, 'hex');
  return hash('sha256', key.outer, 'hex');
}

/** The present second, and how it is written. */
const present = { second: 0, time: '' };

/** Headers whose values alone change from call to call, and how they stand in what is signed. */
interface Prepared {
  readonly service: string;
  readonly path: string;
  readonly target: string | undefined;
}

function signed({ service, path, target }: Prepared, body: string): string[] {
  const second = Math.floor(Date.now() / 1000);
  if (present.second !== second) {
    present.second = second;
    present.time = `${new Date(second * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  }
  const { time } = present;
  const day = time.slice(0, 8);
  const names = target === undefined ? 'host;x-amz-date' : 'host;x-amz-date;x-amz-target';
  const line = target === undefined ? '' : `x-amz-target:${target}\n`;
  const lines = `host:${host}\nx-amz-date:${time}\n${line}`;
  const canonical = `POST\n${path}\n\n${lines}\n${names}\n${hash('sha256', body, 'hex')}`;
  const scope = `${day}/${settings.region}/${service}/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', canonical, 'hex')}`;
  const authorization = `AWS4-HMAC-SHA256 Credential=key/${scope}, SignedHeaders=${names}, Signature=${signatureOf(day, service, text)}`;
  const headers = ['host', host, 'x-amz-date', time, 'authorization', authorization];
  return target === undefined ? headers : [...headers, 'x-amz-target', target];
}

interface Message {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly Attributes: Record<string, string>;
}

const cached = new Map<string, { second: number; headers: string[] }>();
async function call<T>(operation: string, body: string, isConstant: boolean): Promise<T> {
  const second = Math.floor(Date.now() / 1000);
  let headers = isConstant ? cached.get(body) : undefined;
  if (headers?.second !== second) {
    const made = signed({ service: 'sqs', path: '/', target: `AmazonSQS.${operation}` }, body);
    headers = { second, headers: [...made, 'content-type', 'application/x-amz-json-1.0'] };
    if (isConstant) cached.set(body, headers);
  }
  return JSON.parse((await post(sqs, '/', headers.headers, body)).toString()) as T;
}

async function lane(queueUrl: string): Promise<void> {
  const receive = (WaitTimeSeconds: number): string =>
    JSON.stringify({
      QueueUrl: queueUrl,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    });
  const [poll, look] = [receive(20), receive(0)];
  for (;;) {
    const held: Message[] = [];
    while (held.length < settings.batch) {
      const { Messages = [] } = await call<{ Messages?: Message[] }>(
        'ReceiveMessage',
        held.length === 0 ? poll : look,
        true,
      );
      held.push(...Messages);
      if (Messages.length < 10) break;
    }
    if (held.length === 0) continue;
    for (let at = 0; at < held.length; at += settings.batch)
      await deliver(held.slice(at, at + settings.batch));
    const deletes: Promise<unknown>[] = [];
    for (let at = 0; at < held.length; at += 10) {
      const Entries = held
        .slice(at, at + 10)
        .map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
      deletes.push(call('DeleteMessageBatch', JSON.stringify({ QueueUrl: queueUrl, Entries }), false));
    }
    await Promise.all(deletes);
  }
}

async function deliver(messages: readonly Message[]): Promise<void> {
  const Records = messages.map(({ MessageId, ReceiptHandle, Body, MD5OfBody, Attributes }) => {
    if (hash('md5', Body, 'hex') !== MD5OfBody) throw new Error('damaged');
    return {
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body,
      attributes: Attributes,
      messageAttributes: {},
      md5OfBody: MD5OfBody,
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:eu-west-1:000000000000:bench',
      awsRegion: settings.region,
    };
  });
  const body = JSON.stringify({ Records });
  const headers = settings.lambda
    ? signed({ service: 'lambda', path: targetPath, target: undefined }, body)
    : [];
  await post(sink, targetPath, [...headers, 'content-type', 'application/json'], body);
}

await Promise.all(
  settings.queueUrls.flatMap((url) => Array.from({ length: settings.lanes }, () => lane(url))),
);
