import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  parseListenAddress,
  startHttpServer,
  type HttpDeps,
  type HttpServer,
} from '../../../src/http/server.ts';

const start = (deps: Partial<HttpDeps> = {}): Promise<HttpServer> =>
  startHttpServer(
    {
      metrics: async () => 'up 1\n',
      live: () => ({ ok: true, detail: 'ok' }),
      ready: () => ({ ok: false, detail: 'waiting for the first list of objects' }),
      ...deps,
    },
    '127.0.0.1:0',
  );

describe('the endpoint of a process', () => {
  test.each([
    { path: '/metrics', status: 200, body: 'up 1\n', why: 'what Prometheus scrapes' },
    { path: '/metrics?collect[]=x', status: 200, body: 'up 1\n', why: 'parameters are passed over' },
    { path: '/healthz', status: 200, body: 'ok\n', why: 'liveness' },
    { path: '/livez', status: 200, body: 'ok\n', why: 'its newer name' },
    {
      path: '/readyz',
      status: 503,
      body: 'waiting for the first list of objects\n',
      why: 'not ready, and why',
    },
    { path: '/', status: 404, body: 'try /metrics, /healthz or /readyz\n', why: 'nothing else' },
    {
      path: '/metrics/..%2f..%2fetc/passwd',
      status: 404,
      body: 'try /metrics, /healthz or /readyz\n',
      why: 'least of all files',
    },
  ])('GET $path: $status, $why', async ({ path, status, body }) => {
    await using server = await start();
    const response = await fetch(`${server.url}${path}`);
    expect([response.status, await response.text()]).toEqual([status, body]);
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('readiness follows what it asks', async () => {
    let ok = false;
    await using server = await start({ ready: () => ({ ok, detail: String(ok) }) });
    expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
    ok = true;
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });

  test('the content type is the one that Prometheus asks for', async () => {
    await using server = await start();
    const response = await fetch(`${server.url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    await response.text();
  });

  test('HEAD gets the head of GET', async () => {
    await using server = await start();
    const response = await fetch(`${server.url}/readyz`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([503, '']);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])(
    '%s is not allowed, and what is stands in the answer',
    async (method) => {
      await using server = await start();
      const response = await fetch(`${server.url}/metrics`, { method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      await response.text();
    },
  );

  test('metrics that cannot be collected are an error of that scrape alone', async () => {
    await using server = await start({ metrics: () => Promise.reject(new Error('no')) });
    expect((await fetch(`${server.url}/metrics`)).status).toBe(500);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('bytes that are no HTTP end their connection and nothing else', async () => {
    await using server = await start();
    const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.end('\u0000garbage\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('ends at once although a client keeps its connection', async () => {
    const server = await start();
    await (await fetch(`${server.url}/healthz`)).text();
    await server[Symbol.asyncDispose]();
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow('fetch failed');
  });

  test('an address that is taken is named', async () => {
    await using server = await start();
    const address = new URL(server.url).host;
    const second = startHttpServer(
      {
        metrics: async () => '',
        live: () => ({ ok: true, detail: '' }),
        ready: () => ({ ok: true, detail: '' }),
      },
      address,
    );
    await expect(second).rejects.toThrow(new RegExp(`cannot listen on "${address}": .*EADDRINUSE`));
  });
});

test.each([
  { address: ':8080', host: undefined, port: 8080 },
  { address: '127.0.0.1:0', host: '127.0.0.1', port: 0 },
  { address: 'localhost:65535', host: 'localhost', port: 65_535 },
  { address: '[::1]:80', host: '::1', port: 80 },
])('$address is an address to listen on', ({ address, host, port }) => {
  expect(parseListenAddress(address)).toEqual({ host, port });
});

test.each([
  '',
  '8080',
  ':',
  ':http',
  'host',
  '127.0.0.1:65536',
  '::1:80',
  'http://127.0.0.1:80',
  ':80/metrics',
])('%j is none', (address) => {
  expect(parseListenAddress(address)).toBeUndefined();
});
