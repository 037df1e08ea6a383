import { createServer, type AddressInfo, type Socket } from 'node:net';
import { inspect } from 'node:util';
import type { buildConnector } from 'undici';
import { describe, expect, test } from 'vitest';
import { factsOf } from '../../../src/aws/error-facts.ts';
import { tunnelConnector } from '../../../src/aws/tunnel.ts';
import { eventually } from '../../support/eventually.ts';

interface Raw extends AsyncDisposable {
  readonly origin: string;
  readonly heads: string[];
  readonly open: () => number;
}

/** A proxy that answers each request by hand. */
async function startRaw(answer: (socket: Socket) => void): Promise<Raw> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', (chunk: Buffer) => {
      heads.push(chunk.toString('latin1'));
      answer(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heads,
    open: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What comes of connecting to SQS: the tunnel's socket, or the error. */
function connect(origin: string, timeoutMs = 5000): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const inner: buildConnector.connector = ({ httpSocket }, callback) => {
      callback(null, httpSocket as Socket);
    };
    const proxy = { origin, url: `${origin}/`, authorization: 'Basic c2VjcmV0' };
    const place = { hostname: 'sqs.test', host: 'sqs.test', protocol: 'https:', port: '' };
    tunnelConnector(proxy, inner, timeoutMs)(place, (error, socket) => resolve(error ?? socket));
  });
}

describe('a tunnel through a proxy', () => {
  test('is asked for by host and port, with the credentials, and then belongs to the caller', async () => {
    await using proxy = await startRaw((socket) => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
    });
    const socket = await connect(proxy.origin);
    if (socket instanceof Error) throw socket;
    expect(proxy.heads[0]).toMatch(/^CONNECT sqs\.test:443 HTTP\/1\.1\r\n/);
    expect(proxy.heads[0]).toMatch(/\r\nproxy-authorization: Basic c2VjcmV0\r\n/i);
    const echoed = new Promise((resolve) =>
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    );
    socket.write('hello');
    expect(await echoed).toBe('hello');
    socket.destroy();
  });

  test('outlives the time that it may take to be made', async () => {
    await using proxy = await startRaw((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    const socket = await connect(proxy.origin, 1500);
    if (socket instanceof Error) throw socket;
    await new Promise((resolve) => socket.once('timeout', resolve));
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });

  test.each([
    { answer: 'HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n', message: 'it answered 407', why: 'refuses' },
    { answer: 'HTTP/1.1 302 No\r\nlocation: http://x\r\n\r\n', message: 'it answered 302', why: 'redirects' },
    { answer: 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK', message: 'it answered 200', why: 'talks into it' },
    { answer: 'nonsense\r\n\r\n', message: 'gave no tunnel', why: 'speaks no HTTP' },
  ])(
    'is not there when the proxy $why: nothing was sent, and nothing is left',
    async ({ answer, message }) => {
      await using proxy = await startRaw((socket) => socket.write(answer));
      const error = await connect(proxy.origin);
      expect(error).toHaveProperty('message', expect.stringContaining(message));
      expect(factsOf(error).network).toBe('connect');
      expect(inspect(error)).not.toContain('c2VjcmV0');
      await eventually(() => proxy.open() === 0);
    },
  );

  test('is given up when the proxy says nothing', async () => {
    await using proxy = await startRaw(() => undefined);
    const error = await connect(proxy.origin, 50);
    expect(error).toHaveProperty('message', expect.stringContaining('no answer in time'));
    await eventually(() => proxy.open() === 0);
  });

  test('is not there when the proxy is not', async () => {
    const proxy = await startRaw(() => undefined);
    await proxy[Symbol.asyncDispose]();
    const error = await connect(proxy.origin);
    expect(factsOf(error)).toMatchObject({ network: 'connect' });
    expect(error).toHaveProperty('message', expect.stringContaining('ECONNREFUSED'));
  });
});
