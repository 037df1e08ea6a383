import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from '../../../src/kube/api-client.ts';
import type { RequestEvent } from '../../../src/kube/calls.ts';
import { tokenAccess } from '../../../src/kube/cluster-access.ts';
import { eventually } from '../../support/eventually.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** What a server may do to the client, played by one of Node's own; time-outs come from the virtual clock. */
let clock: VirtualClock;
let server: http.Server;
let answer: (request: http.IncomingMessage, response: http.ServerResponse) => void;
let arrived: http.IncomingMessage[];
let sockets: Set<Socket>;
let client: ApiClient;
let events: RequestEvent[];
const never = new AbortController().signal;

beforeEach(async () => {
  clock = new VirtualClock();
  arrived = [];
  events = [];
  sockets = new Set();
  answer = (_, response) => response.end('{}');
  server = http.createServer((request, response) => {
    arrived.push(request);
    answer(request, response);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new ApiClient({
    access: tokenAccess(`http://127.0.0.1:${(server.address() as AddressInfo).port}/clusters/a/`, 'secret'),
    clock,
    userAgent: 'sluice-test/1',
    observe: (event) => events.push(event),
  });
});

afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const requestArrived = (): Promise<unknown> => eventually(() => arrived.length > 0);

it('sends identity, agent and query, below the path of the server', async () => {
  await client.patch(
    '/api/v1/x',
    { kind: 'apply', fieldManager: 'm', force: true, body: { a: 1 } },
    {
      signal: never,
      query: { dryRun: 'All', unset: undefined },
    },
  );
  expect(arrived[0]).toMatchObject({
    method: 'PATCH',
    url: '/clusters/a/api/v1/x?dryRun=All&fieldManager=m&force=true',
    headers: {
      authorization: 'Bearer secret',
      'user-agent': 'sluice-test/1',
      'content-type': 'application/apply-patch+yaml',
    },
  });
});

describe('every call ends', () => {
  it.each([
    { where: 'before the headers', begin: () => undefined },
    {
      where: 'in the middle of the answer',
      begin: (response: http.ServerResponse) => {
        response.writeHead(200);
        response.write('{"half":');
      },
    },
  ])('by its time-out when the server stops $where', async ({ begin }) => {
    answer = (_, response) => begin(response);
    const call = client.get('/x', { signal: never }).catch((error: unknown) => error);
    await requestArrived();
    await clock.advance(30_000);
    expect(await call).toMatchObject({ reason: 'Timeout', status: 0, retry: { kind: 'backoff' } });
    // The connection is not used again: what it may still bring belongs to another call.
    await eventually(() => sockets.size === 0);
  });

  it('by a time-out of its own', async () => {
    answer = () => undefined;
    const call = client.get('/x', { signal: never, timeoutMs: 10 }).catch((error: unknown) => error);
    await requestArrived();
    await clock.advance(10);
    expect(await call).toMatchObject({ reason: 'Timeout', message: 'get /x: no answer within 10 ms' });
  });

  it('by the caller’s signal', async () => {
    answer = () => undefined;
    const stop = new AbortController();
    const call = client.get('/x', { signal: stop.signal }).catch((error: unknown) => error);
    await requestArrived();
    stop.abort();
    expect(await call).toMatchObject({ reason: 'Aborted', retry: { kind: 'never' } });
    expect(clock.sleepers).toBe(0);
  });

  it('by the caller’s signal before anything is sent', async () => {
    await expect(client.get('/x', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      reason: 'Aborted',
    });
    expect(arrived).toEqual([]);
  });

  it('while credentials never come', async () => {
    await using own = new ApiClient({
      access: { ...tokenAccess('http://127.0.0.1:1'), credentials: () => new Promise(() => undefined) },
      clock,
    });
    const call = own.get('/x', { signal: never }).catch((error: unknown) => error);
    await clock.advance(30_000);
    expect(await call).toMatchObject({ reason: 'Timeout' });
  });

  it('by the time-out of a watch whose headers do not come, but not of one that is silent', async () => {
    answer = () => undefined;
    const opening = client.watch('/x', { signal: never }).catch((error: unknown) => error);
    await requestArrived();
    await clock.advance(15_000);
    expect(await opening).toMatchObject({ reason: 'Timeout' });

    let response: http.ServerResponse | undefined;
    answer = (_, opened) => {
      response = opened;
      opened.writeHead(200);
      opened.flushHeaders();
    };
    const stream = await client.watch('/x', { signal: never });
    await clock.advance(3_600_000);
    response?.end('{"a":1}\n');
    const lines: string[] = [];
    for await (const line of stream) lines.push(line);
    expect(lines).toEqual(['{"a":1}']);
  });

  it('when the client is closed', async () => {
    answer = () => undefined;
    const call = client.get('/x', { signal: never }).catch((error: unknown) => error);
    await requestArrived();
    await client.close();
    expect(await call).toMatchObject({ reason: 'ConnectionFailed' });
    await expect(client.get('/x', { signal: never })).rejects.toMatchObject({ reason: 'Aborted' });
  });
});

describe('an answer that is none', () => {
  it.each<{ why: string; play: typeof answer; reason: string }>([
    { why: 'reset', play: (request) => request.socket.resetAndDestroy(), reason: 'ConnectionFailed' },
    { why: 'closed', play: (request) => request.socket.destroy(), reason: 'ConnectionFailed' },
    { why: 'not HTTP', play: (request) => request.socket.end('SSH-2.0-x\r\n'), reason: 'ConnectionFailed' },
    {
      why: 'cut off',
      play: (request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"half":', () => request.socket.destroy());
      },
      reason: 'ConnectionFailed',
    },
    { why: 'HTML with 200', play: (_, response) => response.end('<html>'), reason: 'MalformedAnswer' },
    { why: 'empty with 200', play: (_, response) => response.end(), reason: 'MalformedAnswer' },
    {
      why: 'a redirect, which is not followed',
      play: (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
      reason: 'InternalError',
    },
    {
      why: 'HTML with 503 and Retry-After',
      play: (_, response) => response.writeHead(503, { 'retry-after': '3' }).end('<html>'),
      reason: 'ServiceUnavailable',
    },
  ])('is $reason: $why', async ({ play, reason }) => {
    answer = play;
    await expect(client.get('/x', { signal: never })).rejects.toMatchObject({ reason });
    expect(arrived).toHaveLength(1);
    expect(events).toHaveLength(1);
    expect(clock.sleepers).toBe(0);
  });

  it('is `ConnectionFailed` with the code `<error>` when nobody listens', async () => {
    await using own = new ApiClient({
      access: tokenAccess('http://127.0.0.1:1'),
      clock,
      observe: (event) => events.push(event),
    });
    await expect(own.get('/x', { signal: never })).rejects.toMatchObject({
      reason: 'ConnectionFailed',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    expect(events).toMatchObject([{ code: '<error>', verb: 'get', method: 'GET', host: '127.0.0.1:1' }]);
  });
});

it('a stuck watch holds up no call, and each watch has its own connection', async () => {
  answer = (request, response) => {
    if (request.url?.includes('watch=true') !== true) {
      response.end('{}');
      return;
    }
    response.writeHead(200);
    response.flushHeaders();
  };
  const stop = new AbortController();
  for (let watch = 0; watch < 5; watch++) await client.watch(`/x${watch}`, { signal: stop.signal });
  for (let call = 0; call < 20; call++) await client.get('/y', { signal: never });
  // Calls share theirs; a second one comes when a call is sent before the last has quite ended.
  expect([6, 7]).toContain(sockets.size);
  stop.abort();
});

it('frees the connection of a watch whose reader leaves', async () => {
  answer = (_, response) => {
    response.writeHead(200);
    response.write('{"a":1}\n');
  };
  for await (const line of await client.watch('/x', { signal: never })) {
    expect(line).toBe('{"a":1}');
    break;
  }
  await eventually(() => sockets.size === 0);
});

it('breaks off a watch with a line that never ends', async () => {
  answer = (_, response) => {
    response.writeHead(200);
    const chunk = 'x'.repeat(1024 * 1024);
    for (let sent = 0; sent < 20; sent++) response.write(chunk);
  };
  const reading = (async () => {
    for await (const _ of await client.watch('/x', { signal: never })) throw new Error('a line came');
  })();
  await expect(reading).rejects.toMatchObject({ reason: 'MalformedAnswer' });
});

it('leaves nothing behind on a signal that outlives its calls', async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...call: Parameters<typeof add>) => {
    listeners++;
    add(...call);
  };
  signal.removeEventListener = (...call: Parameters<typeof remove>) => {
    listeners--;
    remove(...call);
  };
  for (let call = 0; call < 50; call++) await client.get('/x', { signal });
  expect(listeners).toBeLessThanOrEqual(0);
  expect(clock.sleepers).toBe(0);
});
