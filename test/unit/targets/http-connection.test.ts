import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { MutableEndpoints, urlEndpoint } from '../../../src/targets/http-endpoints.ts';
import { BodyBuffer, brokenOutcome, needsBody } from '../../../src/targets/http/answer.ts';
import { Connection } from '../../../src/targets/http/connection.ts';
import { chooseEndpoint, EndpointPool } from '../../../src/targets/http/endpoint-pool.ts';
import { DeadlineWatch } from '../../../src/lib/deadline-watch.ts';
import { exchange } from '../../../src/targets/http/exchange.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** A socket whose other side is the test. */
function aSocket(onWrite: (socket: Duplex) => void): Duplex {
  let written = false;
  const socket: Duplex = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => {
      done();
      if (written) return;
      written = true;
      setImmediate(() => onWrite(socket));
    },
  });
  return socket;
}

const request = { path: '/', headers: [], body: Buffer.from('{}'), needsBody };
const send = (socket: Duplex) => {
  const connection = new Connection('http://orders.shop.svc', socket as Socket, 60_000, () => undefined);
  const { signal } = new AbortController();
  return exchange(
    new DeadlineWatch(new VirtualClock(), 1000, signal),
    connection,
    request,
    signal,
    (ended) => ended,
  );
};

describe('how far a call came', () => {
  test('a socket that died before the first byte means that nothing was sent', async () => {
    const socket = aSocket(() => undefined);
    socket.destroy();
    expect(await send(socket)).toMatchObject({ kind: 'unsent' });
  });

  test('a socket that ends after the first byte leaves the call open', async () => {
    expect(await send(aSocket((socket) => socket.push(null)))).toMatchObject({
      kind: 'broken',
      head: undefined,
    });
  });

  test('the first error of a socket is told, not the closing that follows from it', async () => {
    const alert = Object.assign(new Error('alert'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });
    // As Node does it: the error first, while the socket lives on, then the end.
    const socket = aSocket((socket) => {
      socket.emit('error', alert);
      socket.push(null);
    });
    expect(await send(socket)).toMatchObject({ kind: 'broken', error: alert });
  });

  test('a reset is no end of a body that only the connection ends', async () => {
    const answer = (end: (socket: Duplex) => void) =>
      send(
        aSocket((socket) => {
          socket.push('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}');
          setImmediate(() => end(socket));
        }),
      );
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    expect(await answer((socket) => socket.push(null))).toMatchObject({ kind: 'answered' });
    expect(await answer((socket) => socket.destroy(reset))).toMatchObject({
      kind: 'broken',
      head: { statusCode: 200 },
    });
  });

  test('a call whose signal has aborted sends nothing', async () => {
    let hasWritten = false;
    const socket = aSocket(() => {
      hasWritten = true;
    });
    const connection = new Connection('http://orders.shop.svc', socket as Socket, 60_000, () => undefined);
    const signal = AbortSignal.abort();
    const deadlines = new DeadlineWatch<never>(new VirtualClock(), 1000, signal);
    const result = await exchange(deadlines, connection, request, signal, (ended) => ended);
    expect(result).toEqual({ kind: 'aborted' });
    expect(hasWritten).toBe(false);
    expect(socket.destroyed).toBe(true);
  });
});

describe('the bytes of an answer', () => {
  test('are put together in order, however they come', () => {
    const body = new BodyBuffer();
    const whole = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251));
    for (let at = 0, size = 1; at < whole.length; at += size, size = (size * 7) % 4099) {
      body.append(whole.subarray(at, at + size));
    }
    expect(Buffer.compare(body.view(), whole)).toBe(0);
  });

  test('keep none of the memory that their pieces came in', () => {
    const body = new BodyBuffer();
    const read = Buffer.alloc(65_536, 'x');
    body.append(read.subarray(0, 1));
    expect(body.view().buffer).not.toBe(read.buffer);
    expect(body.view().buffer.byteLength).toBeLessThan(read.length);
  });
});

describe('a connection that ended after sending', () => {
  const alert = Object.assign(new Error('x'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  test.each([
    {
      error: alert,
      status: undefined,
      isFirst: true,
      outcome: { kind: 'unreachable' },
      why: 'TLS was refused: nothing was read',
    },
    {
      error: alert,
      status: undefined,
      isFirst: false,
      outcome: { kind: 'failed' },
      why: 'TLS had been accepted before',
    },
    {
      error: alert,
      status: 200,
      isFirst: true,
      outcome: { kind: 'failed' },
      why: 'the target had begun to answer',
    },
    {
      error: reset,
      status: undefined,
      isFirst: true,
      outcome: { kind: 'failed', reason: 'ConnectionLost' },
      why: 'it may have run',
    },
    {
      error: reset,
      status: 200,
      isFirst: true,
      outcome: { kind: 'failed', reason: 'ResponseInvalid' },
      why: 'half an answer',
    },
  ])('is $outcome.kind: $why', ({ error, status, isFirst, outcome }) => {
    expect(brokenOutcome(error, status, isFirst)).toMatchObject(outcome);
  });
});

describe('which endpoint comes next', () => {
  const pools = (
    ...states: readonly { readonly calls?: number; readonly until?: number }[]
  ): EndpointPool[] =>
    states.map(({ calls = 0, until = Number.NEGATIVE_INFINITY }, index) => {
      const pool = new EndpointPool({ host: '10.0.0.1', port: index }, () => 0);
      pool.outstanding = calls;
      pool.passedOverUntilMs = until;
      return pool;
    });
  const choose = (
    list: EndpointPool[],
    offset = 0,
    tried: readonly EndpointPool[] = [],
  ): number | undefined => chooseEndpoint(list, new Set(tried), 1000, offset)?.endpoint.port;

  test('the one with the fewest calls', () => {
    expect(choose(pools({ calls: 2 }, { calls: 1 }, { calls: 3 }))).toBe(1);
  });

  test('of equal ones, each in its turn', () => {
    const list = pools({}, {}, {});
    expect([0, 1, 2, 3].map((offset) => choose(list, offset))).toEqual([0, 1, 2, 0]);
  });

  test('one that lately refused a connection comes last, however idle it is', () => {
    expect(choose(pools({ until: 2000 }, { calls: 9 }))).toBe(1);
    expect(choose(pools({ until: 1000 }, { calls: 9 }))).toBe(0);
  });

  test('of those that refused, the one that did so longest ago', () => {
    expect(choose(pools({ until: 3000 }, { until: 2000 }, { until: 2500 }))).toBe(1);
  });

  test('none twice, and none when all were tried', () => {
    const list = pools({}, {});
    expect(choose(list, 0, list.slice(0, 1))).toBe(1);
    expect(choose(list, 0, list)).toBeUndefined();
  });
});

describe('endpoints', () => {
  test.each([
    { url: 'http://orders.example.com/x', host: 'orders.example.com', port: 80, why: 'the port of http' },
    { url: 'https://orders.example.com/x', host: 'orders.example.com', port: 443, why: 'the port of https' },
    { url: 'https://orders.example.com:8443', host: 'orders.example.com', port: 8443, why: 'its own port' },
    { url: 'http://[2001:db8::1]:81', host: '2001:db8::1', port: 81, why: 'no brackets around an address' },
  ])('$url is reached at $host, port $port: $why', ({ url, host, port }) => {
    expect(urlEndpoint(new URL(url)).current()).toEqual({ kind: 'ready', list: [{ host, port }] });
  });

  test('a list is the same object until it is set again, and not ready while it is empty', () => {
    const endpoints = new MutableEndpoints('not known yet');
    expect(endpoints.current()).toMatchObject({
      kind: 'unready',
      reason: 'NoReadyEndpoint',
      message: 'not known yet',
    });
    endpoints.set([{ host: '10.0.0.1', port: 80 }]);
    expect(endpoints.current()).toBe(endpoints.current());
    endpoints.setUnready('ServiceNotFound', 'there is no Service');
    expect(endpoints.current()).toMatchObject({ kind: 'unready', reason: 'ServiceNotFound' });
    endpoints.set([]);
    expect(endpoints.current()).toMatchObject({ kind: 'unready', reason: 'NoReadyEndpoint' });
  });
});
