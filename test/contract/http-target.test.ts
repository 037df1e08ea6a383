import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import type { Invocation, Outcome } from '../../src/poller/ports.ts';
import type { Resolver } from '../../src/targets/address-policy.ts';
import type { HttpTargetConfig } from '../../src/targets/http-config.ts';
import { MutableEndpoints, urlEndpoint, type EndpointSource } from '../../src/targets/http-endpoints.ts';
import { connectBudgetMs, createHttpTarget, type HttpTarget } from '../../src/targets/http-target.ts';
import { maxAnswerBytes } from '../../src/targets/http/answer.ts';
import { maxConnectionAgeMs, passOverMs } from '../../src/targets/http/endpoint-pool.ts';
import { makeCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { reply, startHttpSink, type SinkAnswer } from '../support/http-sink.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const event = '{"Records":[{"body":"grün \\ud83d\\ude00","n":1.0}]}';
const anInvocation = (id = 'batch-1'): Invocation => ({ id, event, records: [], attempt: 1 });

interface Opened extends AsyncDisposable {
  readonly target: HttpTarget;
  readonly clock: VirtualClock;
  /** Each call has its own idempotency key. */
  readonly call: (signal?: AbortSignal) => Promise<Outcome>;
}

interface OpenOptions extends Partial<Omit<HttpTargetConfig, 'origin'>> {
  readonly endpoints?: EndpointSource;
  readonly resolver?: Resolver;
}

/** A target at `origin`; time stands still unless the test moves it. */
function open(origin: string, options: OpenOptions = {}): Opened {
  const { endpoints, resolver, ...config } = options;
  const clock = new VirtualClock();
  let ids = 0;
  const target = createHttpTarget(
    { origin, path: '/', headers: {}, timeoutMs: 30_000, addresses: { allowLoopback: true }, ...config },
    {
      clock,
      random: seededRandom(1),
      resolver: resolver ?? (async () => ['127.0.0.1']),
      endpoints: endpoints ?? urlEndpoint(new URL(origin)),
      version: '0.1.0',
      newTraceId: () => (++ids).toString(16).padStart(32, '0'),
    },
  );
  let calls = 0;
  return {
    target,
    clock,
    call: (signal = new AbortController().signal) => target.invoke(anInvocation(`batch-${++calls}`), signal),
    [Symbol.asyncDispose]: () => target.close(),
  };
}

interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Whole requests that arrived. */
  readonly requests: string[];
  readonly sockets: Socket[];
  readonly open: () => number;
}

/** A TCP or TLS server that answers each whole request by hand, for what no HTTP library would send. */
async function startRaw(
  answer: (socket: Socket, number: number) => void,
  tls?: TlsOptions,
): Promise<RawServer> {
  const requests: string[] = [];
  const sockets: Socket[] = [];
  const live = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.push(socket);
    live.add(socket);
    let received = '';
    socket.on('error', () => undefined);
    socket.on('close', () => live.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const head = received.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (head < 0 || received.length < head + 4 + length) return;
      requests.push(received);
      received = '';
      answer(socket, requests.length);
    });
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    requests,
    sockets,
    open: () => live.size,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of live) socket.destroy();
      await closed;
    },
  };
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = await startRaw(() => undefined);
  await server[Symbol.asyncDispose]();
  return server.port;
}

describe('the request', () => {
  test('is a POST of the exact event with its headers', async () => {
    await using sink = await startHttpSink();
    const headers = { Authorization: 'Bearer x' };
    await using opened = open(sink.url, { path: '/events?tenant=a', headers });
    await opened.call();
    const [request] = sink.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/events?tenant=a', body: event });
    expect(request?.headers).toEqual({
      host: `127.0.0.1:${sink.port}`,
      connection: 'keep-alive',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(event)),
      'accept-encoding': 'identity',
      'idempotency-key': 'batch-1',
      'user-agent': 'sluice/0.1.0',
      authorization: 'Bearer x',
      traceparent: `00-${'1'.padStart(32, '0')}-${'0'.repeat(16)}-01`,
    });
  });

  test('goes to the name of the URL, over a connection to the address it resolves to', async () => {
    await using sink = await startHttpSink();
    await using opened = open(`http://orders.example.com:${sink.port}`);
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    expect(sink.requests[0]?.headers.host).toBe(`orders.example.com:${sink.port}`);
  });

  test('uses headers that were replaced from the next call on', async () => {
    await using sink = await startHttpSink();
    await using opened = open(sink.url, { headers: { 'x-token': 'old' } });
    await opened.call();
    opened.target.updateHeaders({ 'x-token': 'new' });
    await opened.call();
    expect(sink.requests.map(({ headers }) => headers['x-token'])).toEqual(['old', 'new']);
  });
});

describe('each answer has one meaning', () => {
  const rows: readonly { readonly answer: SinkAnswer; readonly outcome: object; readonly why: string }[] = [
    {
      answer: reply(200, { batchItemFailures: [] }),
      outcome: {
        kind: 'delivered',
        statusCode: 200,
        response: { kind: 'json', value: { batchItemFailures: [] } },
      },
      why: '2xx with JSON',
    },
    {
      answer: reply(200, ''),
      outcome: { kind: 'delivered', response: { kind: 'empty' } },
      why: '2xx, empty',
    },
    { answer: reply(204, ''), outcome: { kind: 'delivered', response: { kind: 'empty' } }, why: '204' },
    {
      answer: reply(202, 'ok'),
      outcome: { kind: 'delivered', response: { kind: 'other' } },
      why: '2xx, text',
    },
    {
      answer: reply(200, { errorMessage: 'x' }, { 'X-Amz-Function-Error': 'Unhandled' }),
      outcome: { kind: 'failed', reason: 'FunctionError', functionError: 'Unhandled' },
      why: 'a function error under 200',
    },
    {
      answer: reply(429, 'slow down', { 'retry-after': '7' }),
      outcome: { kind: 'throttled', reason: 'TargetThrottled', retryAfterMs: 7000 },
      why: '429 with seconds',
    },
    {
      answer: reply(503, '', { 'retry-after': 'Thu, 01 Jan 2026 00:00:20 GMT' }),
      outcome: { kind: 'throttled', retryAfterMs: 20_000 },
      why: '503 with a date',
    },
    { answer: reply(503, ''), outcome: { kind: 'throttled', reason: 'TargetThrottled' }, why: '503 alone' },
    ...[401, 403, 404, 405, 407].map((status) => ({
      answer: reply(status, 'no'),
      outcome: { kind: 'refused', reason: 'TargetRefused', message: `The target answered ${status}` },
      why: String(status),
    })),
    ...[502, 504].map((status) => ({
      answer: reply(status, 'bad gateway'),
      outcome: { kind: 'refused', reason: 'TargetUnreachable' },
      why: String(status),
    })),
    ...[400, 408, 413, 422, 500, 501, 508].map((status) => ({
      answer: reply(status, { message: 'boom' }),
      outcome: { kind: 'failed', reason: 'FunctionError', functionError: 'Unhandled', statusCode: status },
      why: String(status),
    })),
    {
      answer: { kind: 'reset' },
      outcome: { kind: 'failed', reason: 'ConnectionLost' },
      why: 'a reset after sending: the target may have worked',
    },
    {
      answer: { kind: 'truncated' },
      outcome: { kind: 'failed', reason: 'ResponseInvalid', statusCode: 200 },
      why: 'a reset within the body',
    },
    { answer: { kind: 'garbage' }, outcome: { kind: 'failed', reason: 'ResponseInvalid' }, why: 'no HTTP' },
  ];

  test.each(rows)('$why', async ({ answer, outcome }) => {
    await using sink = await startHttpSink({ answer });
    await using opened = open(sink.url);
    expect(await opened.call()).toMatchObject(outcome);
    expect(sink.requests).toHaveLength(1);
  });

  test.each([301, 302, 303, 307, 308])('%i is a function error and is never followed', async (status) => {
    await using metadata = await startHttpSink();
    await using sink = await startHttpSink({
      answer: reply(status, '', { location: `${metadata.url}/latest` }),
    });
    await using opened = open(sink.url);
    expect(await opened.call()).toMatchObject({
      kind: 'failed',
      reason: 'FunctionError',
      statusCode: status,
    });
    expect(metadata.connections).toBe(0);
  });

  test('no answer in time is a function error', async () => {
    await using sink = await startHttpSink({ answer: { kind: 'hang' } });
    await using opened = open(sink.url, { timeoutMs: 30_000 });
    const outcome = opened.call();
    await eventually(() => sink.requests.length === 1);
    await opened.clock.advance(29_999);
    expect(sink.inFlight).toBe(1);
    await opened.clock.advance(1);
    expect(await outcome).toEqual({
      kind: 'failed',
      reason: 'Timeout',
      functionError: 'Unhandled',
      message: 'The target did not answer within 30 s',
    });
    await eventually(() => sink.inFlight === 0);
  });

  test('a body that never ends runs into the same time-out, however steadily it comes', async () => {
    await using sink = await startHttpSink({ answer: { kind: 'drip', everyMs: 1 } });
    await using opened = open(sink.url);
    const outcome = opened.call();
    await eventually(() => sink.requests.length === 1);
    await opened.clock.advance(30_000);
    expect(await outcome).toMatchObject({ kind: 'failed', reason: 'Timeout' });
  });

  test('the head of an error stands when its body never ends', async () => {
    await using server = await startRaw((socket) =>
      socket.write('HTTP/1.1 429 x\r\ncontent-length: 9\r\n\r\nslow'),
    );
    await using opened = open(server.url);
    const outcome = opened.call();
    await eventually(() => server.requests.length === 1);
    await opened.clock.advance(30_000);
    expect(await outcome).toMatchObject({ kind: 'throttled' });
  });

  test('the head of an error stands when its body is cut off', async () => {
    await using server = await startRaw((socket) =>
      socket.end('HTTP/1.1 404 x\r\ncontent-length: 9\r\n\r\nslow'),
    );
    await using opened = open(server.url);
    expect(await opened.call()).toMatchObject({ kind: 'refused', reason: 'TargetRefused' });
  });
});

describe('answers that break HTTP or stretch it', () => {
  const head = (lines: string, status = 'HTTP/1.1 200 OK'): string => `${status}\r\n${lines}\r\n\r\n`;
  test.each([
    { bytes: 'hello\r\n\r\n', outcome: { kind: 'failed', reason: 'ResponseInvalid' }, why: 'no status line' },
    { bytes: '', outcome: { kind: 'failed', reason: 'ConnectionLost' }, why: 'closed without a byte' },
    { bytes: 'HTTP/1.1 200', outcome: { kind: 'failed' }, why: 'closed within the status line' },
    {
      bytes: head('content-length: 10') + '{}',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: 'fewer bytes than declared',
    },
    {
      bytes: head('content-length: 2') + '{}{"batchItemFailures":[]}',
      outcome: { kind: 'delivered', response: { kind: 'json', value: {} } },
      why: 'more bytes than declared: the rest is not ours',
    },
    {
      bytes: head('content-length: 2\r\ncontent-length: 3') + '{} ',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: 'two lengths',
    },
    {
      bytes: head('content-length: -1'),
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: 'a bad length',
    },
    {
      bytes: head('content-length: 2\r\ntransfer-encoding: chunked') + '2\r\n{}\r\n0\r\n\r\n',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: 'a length and chunks: the way of smuggling',
    },
    {
      bytes: head('transfer-encoding: chunked') + '2\r\n{}\r\n0\r\n\r\n',
      outcome: { kind: 'delivered', response: { kind: 'json', value: {} } },
      why: 'chunks',
    },
    {
      bytes: head('transfer-encoding: chunked') + '2\r\n{}\r\n0\r\nx-t: 1\r\n\r\n',
      outcome: { kind: 'delivered', response: { kind: 'json', value: {} } },
      why: 'chunks with a trailer',
    },
    {
      bytes: head('transfer-encoding: chunked') + 'zz\r\n{}\r\n0\r\n\r\n',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: 'a chunk length that is no number',
    },
    {
      bytes: head('transfer-encoding: chunked') + '2\r\n{}\r\n',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: 'no last chunk',
    },
    {
      bytes: head('content-type: text/plain') + '{}',
      outcome: { kind: 'delivered', response: { kind: 'json', value: {} } },
      why: 'a body that ends with the connection',
    },
    {
      bytes: head('content-type: application/json', 'HTTP/1.0 200 OK') + '{}',
      outcome: { kind: 'delivered', response: { kind: 'json', value: {} } },
      why: 'HTTP/1.0',
    },
    {
      bytes: head('link: </a>', 'HTTP/1.1 103 Early Hints') + head('content-length: 2') + '{}',
      outcome: { kind: 'delivered', response: { kind: 'json', value: {} } },
      why: 'an interim answer before the real one',
    },
    {
      bytes: head('x: y', 'HTTP/1.1 100 Continue') + head('content-length: 2') + '{}',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: '100, for which nobody asked',
    },
    {
      bytes: head('upgrade: x\r\nconnection: upgrade', 'HTTP/1.1 101 Switching'),
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: '101, for which nobody asked',
    },
    {
      bytes: head('content-encoding: gzip\r\ncontent-length: 2') + '{}',
      outcome: { kind: 'delivered', response: { kind: 'other' } },
      why: 'compressed: not unpacked, so no JSON',
    },
    {
      bytes: head('content-length: 5') + '\ufeff{}',
      outcome: { kind: 'delivered', response: { kind: 'json', value: {} } },
      why: 'a byte order mark',
    },
    {
      bytes: head(`x-a: ${'a'.repeat(20_000)}\r\ncontent-length: 2`) + '{}',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: 'headers beyond 16 KiB',
    },
    {
      bytes: head('content-length: 2').replaceAll('\r\n', '\n') + '{}',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: 'bare line feeds',
    },
  ])('$why', async ({ bytes, outcome }) => {
    await using server = await startRaw((socket) => socket.end(bytes));
    await using opened = open(server.url);
    expect(await opened.call()).toMatchObject(outcome);
    expect(server.requests).toHaveLength(1);
  });

  test('a reset is no end of a body that only the connection ends', async () => {
    await using server = await startRaw((socket) => {
      socket.write(`${head('content-type: text/plain')}{}`, () => {
        // The bytes are on their way; the reset must come after the client has read the head.
        setImmediate(() => socket.resetAndDestroy());
      });
    });
    await using opened = open(server.url);
    expect(await opened.call()).toMatchObject({ kind: 'failed' });
  });
});

describe('large answers', () => {
  test('one of the largest size is taken', async () => {
    await using sink = await startHttpSink({ answer: { kind: 'huge', bytes: maxAnswerBytes } });
    await using opened = open(sink.url);
    const outcome = await opened.call();
    expect(outcome).toMatchObject({ kind: 'delivered', response: { kind: 'json' } });
    const value =
      outcome.kind === 'delivered' && outcome.response.kind === 'json' ? outcome.response.value : '';
    expect(value).toHaveLength(maxAnswerBytes - 2);
  });

  test.each([
    {
      status: 200,
      headers: 'transfer-encoding: chunked',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
    },
    {
      status: 200,
      headers: 'content-length: 52428800',
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
    },
    {
      status: 500,
      headers: 'transfer-encoding: chunked',
      outcome: { kind: 'failed', reason: 'FunctionError' },
    },
    { status: 429, headers: 'content-length: 52428800', outcome: { kind: 'throttled' } },
  ])('50 MB under $status with $headers are cut off', async ({ status, headers, outcome }) => {
    const chunk = Buffer.alloc(65_536, 'x');
    let written = 0;
    const pour = (socket: Socket): void => {
      while (written < 50 * 1024 * 1024 && !socket.destroyed) {
        const piece = headers.startsWith('t')
          ? Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')])
          : chunk;
        written += piece.length;
        if (socket.write(piece)) continue;
        socket.once('drain', () => pour(socket));
        return;
      }
    };
    await using server = await startRaw((socket) => {
      socket.write(`HTTP/1.1 ${status} x\r\n${headers}\r\n\r\n`);
      pour(socket);
    });
    await using opened = open(server.url);
    expect(await opened.call()).toMatchObject(outcome);
    await eventually(() => server.open() === 0 && opened.target.connections === 0);
    // What was let through is the limit and what the kernel had buffered by then, not the answer.
    expect(written).toBeLessThan(30 * 1024 * 1024);
  });

  test('one that declares more than the limit is not waited for', async () => {
    await using server = await startRaw((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${maxAnswerBytes + 1}\r\n\r\n`),
    );
    await using opened = open(server.url);
    expect(await opened.call()).toMatchObject({ kind: 'failed', reason: 'ResponseInvalid', statusCode: 200 });
    await eventually(() => server.open() === 0);
  });

  test('an answer in chunks of one byte is put together', async () => {
    const pieces = `1\r\n \r\n`.repeat(200_000);
    await using server = await startRaw((socket) =>
      socket.end(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${pieces}2\r\n{}\r\n0\r\n\r\n`),
    );
    await using opened = open(server.url);
    expect(await opened.call()).toMatchObject({ kind: 'delivered', response: { kind: 'json', value: {} } });
  });
});

describe('a target that cannot be called', () => {
  test('nothing listens', async () => {
    await using opened = open(`http://127.0.0.1:${await closedPort()}`);
    const outcome = await opened.call();
    expect(outcome).toMatchObject({ kind: 'unreachable', reason: 'TargetUnreachable' });
    expect(outcome).toHaveProperty('message', expect.stringContaining('ECONNREFUSED'));
  });

  test('its name is not known', async () => {
    const resolver: Resolver = async () =>
      Promise.reject(new Error('getaddrinfo ENOTFOUND orders.example.com'));
    await using opened = open('http://orders.example.com', { resolver });
    expect(await opened.call()).toEqual({
      kind: 'unreachable',
      reason: 'TargetUnreachable',
      message: 'orders.example.com was not resolved: getaddrinfo ENOTFOUND orders.example.com',
    });
  });

  test('its name is never resolved', async () => {
    await using opened = open('http://orders.example.com', { resolver: () => new Promise(() => undefined) });
    const outcome = opened.call();
    await opened.clock.advance(connectBudgetMs);
    expect(await outcome).toMatchObject({ kind: 'unreachable', reason: 'TargetUnreachable' });
  });

  test('it has no ready endpoint', async () => {
    await using sink = await startHttpSink();
    const endpoints = new MutableEndpoints('The endpoints of Service shop/orders are not known yet');
    await using opened = open('http://orders.shop.svc', { endpoints });
    const unready = (message: string): object => ({ reason: 'NoReadyEndpoint', message });
    expect(opened.target.unready()).toEqual(
      unready('The endpoints of Service shop/orders are not known yet'),
    );
    endpoints.set([{ host: '127.0.0.1', port: sink.port }]);
    expect(opened.target.unready()).toBeUndefined();
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    endpoints.set([], 'Service shop/orders has no ready endpoint');
    expect(opened.target.unready()).toEqual(unready('Service shop/orders has no ready endpoint'));
    expect(await opened.call()).toEqual({
      kind: 'unreachable',
      ...unready('Service shop/orders has no ready endpoint'),
    });
    expect(sink.requests).toHaveLength(1);
  });

  test.each([
    { host: '169.254.169.254', allowLoopback: true, why: 'metadata' },
    { host: '::ffff:169.254.170.23', allowLoopback: true, why: 'metadata, mapped' },
    { host: 'fe80::1', allowLoopback: true, why: 'link-local' },
    { host: '127.0.0.1', allowLoopback: false, why: 'loopback in a cluster' },
  ])('an endpoint of a Service is $why', async ({ host, allowLoopback }) => {
    await using sink = await startHttpSink();
    const endpoints = new MutableEndpoints('');
    endpoints.set([{ host, port: sink.port }]);
    await using opened = open('http://orders.shop.svc', { endpoints, addresses: { allowLoopback } });
    expect(await opened.call()).toMatchObject({ kind: 'refused', reason: 'UrlNotPermitted' });
    expect(sink.connections).toBe(0);
  });

  test('its name leads to metadata', async () => {
    await using opened = open('http://orders.example.com', {
      resolver: async () => ['10.0.0.1', '169.254.169.254'],
    });
    expect(await opened.call()).toEqual({
      kind: 'refused',
      reason: 'UrlNotPermitted',
      message:
        'orders.example.com must not be reached: it is a link-local or metadata address (169.254.169.254)',
    });
  });

  test('its name leads to metadata from the second connection on', async () => {
    await using server = await startRaw((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    );
    let questions = 0;
    const resolver: Resolver = async () => (++questions === 1 ? ['127.0.0.1'] : ['169.254.169.254']);
    await using opened = open(`http://orders.example.com:${server.port}`, { resolver });
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    await eventually(() => opened.target.connections === 0);
    expect(await opened.call()).toMatchObject({ kind: 'refused', reason: 'UrlNotPermitted' });
  });
});

describe('connections', () => {
  test('calls one after another share one, calls at once do not', async () => {
    await using sink = await startHttpSink();
    await using opened = open(sink.url);
    for (let call = 0; call < 5; call++) await opened.call();
    expect(sink.connections).toBe(1);
    sink.answer({ kind: 'reply', delayMs: 20 });
    await Promise.all([opened.call(), opened.call(), opened.call()]);
    expect(sink.connections).toBe(3);
    expect(opened.target.connections).toBe(3);
  });

  test('one is used for a minute at most, so that a rollout behind a name is followed', async () => {
    await using sink = await startHttpSink();
    await using opened = open(sink.url);
    await opened.call();
    await opened.clock.advance(maxConnectionAgeMs);
    await opened.call();
    expect(sink.connections).toBe(2);
    await eventually(() => opened.target.connections === 1);
  });

  test('one that the target has closed while idle costs no call', async () => {
    await using server = await startRaw((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    );
    await using opened = open(server.url);
    for (let call = 1; call <= 20; call++) {
      expect(await opened.call()).toMatchObject({ kind: 'delivered' });
      server.sockets.at(-1)?.end();
      await eventually(() => server.open() === 0, { intervalMs: 1 });
    }
    expect(server.requests).toHaveLength(20);
  });

  test('one that the target has reset while idle costs no call', async () => {
    await using server = await startRaw((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    );
    await using opened = open(server.url);
    for (let call = 1; call <= 20; call++) {
      expect(await opened.call()).toMatchObject({ kind: 'delivered' });
      server.sockets.at(-1)?.resetAndDestroy();
      await eventually(() => opened.target.connections === 0, { intervalMs: 1 });
    }
    expect(server.requests).toHaveLength(20);
  });

  test('a request that a kept connection has taken is never sent again', async () => {
    await using server = await startRaw((socket, number) => {
      if (number === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      else socket.resetAndDestroy();
    });
    await using opened = open(server.url);
    await opened.call();
    expect(await opened.call()).toMatchObject({ kind: 'failed', reason: 'ConnectionLost' });
    expect(server.requests).toHaveLength(2);
    expect(server.sockets).toHaveLength(1);
  });

  test.each([
    { answer: reply(429, 'x'.repeat(100_000)), kind: 'throttled', why: 'its body was longer than we read' },
    {
      answer: { kind: 'huge', bytes: maxAnswerBytes + 1 } as const,
      kind: 'failed',
      why: 'its body was too large',
    },
    { answer: { kind: 'garbage' } as const, kind: 'failed', why: 'it spoke no HTTP' },
  ])('one that was given up is not used by the next call: $why', async ({ answer, kind }) => {
    await using sink = await startHttpSink();
    await using opened = open(sink.url);
    for (let round = 1; round <= 3; round++) {
      sink.answerNext(answer);
      expect(await opened.call()).toMatchObject({ kind });
      expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    }
    expect(sink.requests).toHaveLength(6);
  });

  test.each(['connection: close', 'keep-alive: timeout=1', 'keep-alive: timeout=0'])(
    '"%s" ends one after its call',
    async (header) => {
      await using server = await startRaw((socket) =>
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${header}\r\n\r\n`),
      );
      await using opened = open(server.url);
      expect(await opened.call()).toMatchObject({ kind: 'delivered' });
      expect(await opened.call()).toMatchObject({ kind: 'delivered' });
      expect(server.sockets).toHaveLength(2);
      await eventually(() => opened.target.connections === 0);
    },
  );

  test('unasked bytes between two calls end the connection and are no answer', async () => {
    await using server = await startRaw((socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n',
      ),
    );
    await using opened = open(server.url);
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    expect(server.requests).toHaveLength(2);
  });

  test('a name with several addresses is reached by one that answers', async () => {
    await using sink = await startHttpSink();
    const resolver: Resolver = async () => ['::1', '127.0.0.1'];
    await using opened = open(`http://orders.example.com:${sink.port}`, { resolver });
    for (let call = 0; call < 4; call++) {
      expect(await opened.call()).toMatchObject({ kind: 'delivered' });
      await opened.clock.advance(maxConnectionAgeMs);
    }
  });
});

describe('endpoints of a Service', () => {
  test('share calls evenly', async () => {
    await using one = await startHttpSink({ answer: { kind: 'hang' } });
    await using two = await startHttpSink({ answer: { kind: 'hang' } });
    const endpoints = new MutableEndpoints('');
    endpoints.set([one, two].map(({ port }) => ({ host: '127.0.0.1', port })));
    await using opened = open('http://orders.shop.svc', { endpoints });
    const calls = Array.from({ length: 10 }, () => opened.call());
    await eventually(() => one.inFlight + two.inFlight === 10);
    expect([one.inFlight, two.inFlight]).toEqual([5, 5]);
    await opened.target.close();
    await Promise.all(calls);
  });

  test('one that is slow gets no more while another is free', async () => {
    let hasHung = false;
    const answer = (): SinkAnswer => {
      if (hasHung) return reply(200);
      hasHung = true;
      return { kind: 'hang' };
    };
    await using one = await startHttpSink({ answer });
    await using two = await startHttpSink({ answer });
    const endpoints = new MutableEndpoints('');
    endpoints.set([one, two].map(({ port }) => ({ host: '127.0.0.1', port })));
    await using opened = open('http://orders.shop.svc', { endpoints });
    const hanging = opened.call();
    await eventually(() => one.inFlight + two.inFlight === 1);
    for (let call = 0; call < 6; call++) expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    expect([one.requests.length, two.requests.length].sort((a, b) => a - b)).toEqual([1, 6]);
    await opened.target.close();
    await hanging;
  });

  test('one that refused a connection is left alone for a while, then tried again', async () => {
    await using sink = await startHttpSink();
    let tries = 0;
    const resolver: Resolver = async (name) => {
      if (name === 'dead') tries++;
      return ['127.0.0.1'];
    };
    const endpoints = new MutableEndpoints('');
    endpoints.set([
      { host: 'dead', port: await closedPort() },
      { host: 'live', port: sink.port },
    ]);
    await using opened = open('http://orders.shop.svc', { endpoints, resolver });
    for (let call = 0; call < 10; call++) await opened.call();
    expect(tries).toBe(1);
    await opened.clock.advance(passOverMs);
    for (let call = 0; call < 10; call++) await opened.call();
    expect(tries).toBe(2);
    expect(sink.requests).toHaveLength(20);
  });

  test('one that is gone from the list loses its idle connections', async () => {
    // The hint keeps the connection far longer than the test waits.
    const answer = (socket: Socket): void =>
      void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=600\r\n\r\n');
    await using old = await startRaw(answer);
    await using next = await startRaw(answer);
    const endpoints = new MutableEndpoints('');
    endpoints.set([{ host: '127.0.0.1', port: old.port }]);
    await using opened = open('http://orders.shop.svc', { endpoints });
    await opened.call();
    expect(old.open()).toBe(1);
    endpoints.set([{ host: '127.0.0.1', port: next.port }]);
    await opened.call();
    await eventually(() => old.open() === 0);
    expect(next.open()).toBe(1);
    await opened.target.close();
    await eventually(() => next.open() === 0);
  });

  test('one that refuses connections is passed over within the same call', async () => {
    await using sink = await startHttpSink();
    const endpoints = new MutableEndpoints('');
    endpoints.set([await closedPort(), sink.port].map((port) => ({ host: '127.0.0.1', port })));
    await using opened = open('http://orders.shop.svc', { endpoints });
    for (let call = 0; call < 10; call++) expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    expect(sink.requests).toHaveLength(10);
  });

  test('one that answered is not followed by another: an answer is an answer', async () => {
    await using one = await startHttpSink({ answer: reply(500) });
    await using two = await startHttpSink({ answer: reply(500) });
    const endpoints = new MutableEndpoints('');
    endpoints.set([one, two].map(({ port }) => ({ host: '127.0.0.1', port })));
    await using opened = open('http://orders.shop.svc', { endpoints });
    expect(await opened.call()).toMatchObject({ kind: 'failed' });
    expect(one.requests.length + two.requests.length).toBe(1);
  });

  test('a rollout is followed: new calls go to the new one, a running call ends on the old one', async () => {
    await using old = await startHttpSink();
    await using next = await startHttpSink();
    const endpoints = new MutableEndpoints('');
    endpoints.set([{ host: '127.0.0.1', port: old.port }]);
    await using opened = open('http://orders.shop.svc', { endpoints });
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    old.answer(async () => {
      await held;
      return reply(200);
    });
    const running = opened.call();
    await eventually(() => old.requests.length === 1);
    endpoints.set([{ host: '127.0.0.1', port: next.port }]);
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    expect(next.requests).toHaveLength(1);
    release();
    expect(await running).toMatchObject({ kind: 'delivered' });
    await eventually(() => opened.target.connections === 1);
  });
});

describe('the end', () => {
  test('an aborted call is unreachable, and its connection is closed', async () => {
    await using sink = await startHttpSink({ answer: { kind: 'hang' } });
    await using opened = open(sink.url);
    const stop = new AbortController();
    const outcome = opened.call(stop.signal);
    await eventually(() => sink.requests.length === 1);
    stop.abort();
    expect(await outcome).toMatchObject({ kind: 'unreachable' });
    await eventually(() => opened.target.connections === 0 && sink.inFlight === 0);
    expect(await opened.call(stop.signal)).toMatchObject({ kind: 'unreachable' });
    expect(sink.requests).toHaveLength(1);
  });

  test('a call that is still resolving or connecting ends on abort', async () => {
    const stop = new AbortController();
    await using opened = open('http://orders.example.com', { resolver: () => new Promise(() => undefined) });
    const outcome = opened.call(stop.signal);
    stop.abort();
    expect(await outcome).toMatchObject({ kind: 'unreachable' });
  });

  test('closing ends every call and every socket, and later calls at once', async () => {
    await using sink = await startHttpSink();
    await using opened = open(sink.url);
    await Promise.all([opened.call(), opened.call(), opened.call()]);
    sink.answer({ kind: 'hang' });
    const running = [opened.call(), opened.call()];
    await eventually(() => sink.inFlight === 2);
    await opened.target.close();
    expect(await Promise.all(running)).toMatchObject([{ kind: 'unreachable' }, { kind: 'unreachable' }]);
    expect(opened.target.connections).toBe(0);
    expect(await opened.call()).toMatchObject({ kind: 'unreachable' });
    expect(opened.clock.sleepers).toBe(0);
    expect(sink.requests).toHaveLength(5);
  });

  test('nothing is left of many calls, failed ones included', async () => {
    const kinds = [
      reply(200),
      reply(500),
      { kind: 'reset' },
      { kind: 'truncated' },
      { kind: 'garbage' },
    ] as const;
    await using sink = await startHttpSink({
      answer: ({ number }) => kinds[number % kinds.length] ?? reply(200),
    });
    await using opened = open(sink.url);
    const stop = new AbortController();
    for (let call = 0; call < 200; call++) await opened.call(stop.signal);
    expect(sink.requests).toHaveLength(200);
    await eventually(() => opened.target.connections <= 1);
    // One for the time-outs of all calls, until the target is closed.
    expect(opened.clock.sleepers).toBe(1);
    await opened.target.close();
    expect(opened.clock.sleepers).toBe(0);
  });
});

describe('TLS', () => {
  const authority = makeCertificate({ name: 'Test CA', isAuthority: true });
  const server = makeCertificate({
    name: 'orders',
    names: ['orders.example.com', '127.0.0.1'],
    issuer: authority,
  });
  const tls = { key: server.keyPem, cert: server.certPem };
  const ca = { caPem: authority.certPem };
  const origin = (port: number): string => `https://orders.example.com:${port}`;

  test('a target whose certificate the CA has signed is called', async () => {
    await using sink = await startHttpSink({ tls });
    await using opened = open(origin(sink.port), { tls: ca });
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
  });

  test('a target that would rather speak HTTP/2 is spoken to in HTTP/1.1', async () => {
    const ok = (socket: Socket): void => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    await using raw = await startRaw(ok, { ...tls, ALPNProtocols: ['h2', 'http/1.1'] });
    await using opened = open(origin(raw.port), { tls: ca });
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    expect(raw.sockets[0]).toMatchObject({ alpnProtocol: 'http/1.1' });
  });

  test('an address is verified as an address', async () => {
    await using sink = await startHttpSink({ tls });
    await using opened = open(sink.url, { tls: ca });
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
  });

  test('`serverName` is what is asked for and verified', async () => {
    await using sink = await startHttpSink({ tls });
    await using opened = open(`https://other.example.com:${sink.port}`, {
      tls: { ...ca, serverName: 'orders.example.com' },
    });
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    expect(sink.requests[0]?.headers.host).toBe(`other.example.com:${sink.port}`);
  });

  test.each([
    { tls: {}, host: 'orders.example.com', message: 'TLS: ', why: 'a CA that the system does not know' },
    {
      tls: ca,
      host: 'other.example.com',
      message: "does not match certificate's altnames",
      why: 'another name',
    },
    {
      tls: { caPem: makeCertificate({ name: 'Other CA' }).certPem },
      host: 'orders.example.com',
      message: 'TLS: ',
      why: 'another CA',
    },
  ])('cannot be called, and nothing is sent: $why', async ({ tls: config, host, message }) => {
    await using sink = await startHttpSink({ tls });
    await using opened = open(`https://${host}:${sink.port}`, { tls: config });
    const outcome = await opened.call();
    expect(outcome).toMatchObject({ kind: 'unreachable', reason: 'TargetUnreachable' });
    expect(outcome).toHaveProperty('message', expect.stringContaining(message));
    expect(sink.requests).toHaveLength(0);
  });

  test('a target that speaks no TLS cannot be called', async () => {
    await using sink = await startHttpSink();
    await using opened = open(origin(sink.port), { tls: ca });
    expect(await opened.call()).toMatchObject({ kind: 'unreachable' });
  });

  test('a target below TLS 1.2 cannot be called', async () => {
    await using raw = await startRaw(() => undefined, { ...tls, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
    await using opened = open(origin(raw.port), { tls: ca });
    expect(await opened.call()).toMatchObject({ kind: 'unreachable' });
  });

  test('a target that never finishes the handshake cannot be called', async () => {
    await using raw = await startRaw(() => undefined);
    await using opened = open(origin(raw.port), { tls: ca });
    const outcome = opened.call();
    await eventually(() => raw.open() === 1);
    await opened.clock.advance(connectBudgetMs);
    expect(await outcome).toMatchObject({ kind: 'unreachable' });
    await eventually(() => raw.open() === 0);
  });

  test('a target that wants a client certificate cannot be called without one', async () => {
    const options = { ...tls, ca: authority.certPem, requestCert: true, rejectUnauthorized: true };
    const ok = (socket: Socket): void => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    // Under TLS 1.3 Node's server closes without an alert, which nobody can tell from a crash; that alert has a test
    // of its own (test/unit/targets/http-connection.test.ts).
    await using raw = await startRaw(ok, { ...options, maxVersion: 'TLSv1.2' });
    await using opened = open(origin(raw.port), { tls: ca });
    expect(await opened.call()).toMatchObject({ kind: 'unreachable', reason: 'TargetUnreachable' });
    const client = makeCertificate({ name: 'sluice', issuer: authority });
    opened.target.updateTls({ ...ca, certPem: client.certPem, keyPem: client.keyPem });
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
  });

  test('new contents of a Secret are used by the next call, over a new connection', async () => {
    await using sink = await startHttpSink({ tls });
    await using opened = open(origin(sink.port), { tls: ca });
    await opened.call();
    opened.target.updateTls({ caPem: makeCertificate({ name: 'Other CA' }).certPem });
    expect(await opened.call()).toMatchObject({ kind: 'unreachable' });
    opened.target.updateTls({ caPem: `${authority.certPem}\n${server.certPem}` });
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    expect(sink.requests).toHaveLength(2);
  });

  test.each([
    { config: { caPem: 'no certificate' }, message: 'must hold at least one PEM certificate', why: 'no PEM' },
    {
      config: { caPem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
      message: 'must hold PEM certificates only',
      why: 'PEM around something else',
    },
    { config: { certPem: server.certPem }, message: 'with both `tls.crt` and `tls.key`', why: 'no key' },
    {
      config: { certPem: server.certPem, keyPem: authority.keyPem },
      message: 'must hold a certificate and its key',
      why: "somebody else's key",
    },
    { config: { serverName: 'a b' }, message: 'must be a DNS name', why: 'a space in the name' },
    { config: { serverName: '10.0.0.1:443' }, message: 'must be a DNS name', why: 'a port' },
  ])('inputs that cannot be used are found when they are read: $why', ({ config, message }) => {
    expect(() => open('https://orders.example.com', { tls: config })).toThrow(message);
  });
});
