/**
 * The process's own HTTP endpoint: `/metrics`, `/healthz`, `/readyz`. Liveness never depends on AWS or on the API
 * server, so that their outage does not restart the fleet; it says only that the event loop turns.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SluiceError, messageOf, never } from '../lib/errors.ts';

export interface Probe {
  readonly ok: boolean;
  /** Shown in the body: what is missing. */
  readonly detail: string;
}

export interface HttpDeps {
  readonly metrics: () => Promise<string>;
  readonly live: () => Probe;
  readonly ready: () => Probe;
}

export interface HttpServer extends AsyncDisposable {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
}

/** Splits `host:port`, `:port` or `[::]:port`; undefined for any other text. */
export function parseListenAddress(
  address: string,
): { readonly host: string | undefined; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  const host = match[1] ?? match[2];
  return { host: host === '' ? undefined : host, port };
}

/** Starts to listen; rejects when the address is taken. */
export async function startHttpServer(deps: HttpDeps, address: string): Promise<HttpServer> {
  const { host, port } = parseListenAddress(address) ?? cannotListen(address, 'it is not HOST:PORT');
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string): void => {
      response
        .writeHead(status, {
          'content-type': type,
          'cache-control': 'no-store',
          ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
        })
        .end(request.method === 'HEAD' ? undefined : body);
    };
    const probe = (result: Probe): void =>
      answer(result.ok ? 200 : 503, 'text/plain; charset=utf-8', `${result.detail}\n`);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, 'text/plain; charset=utf-8', 'only GET\n');
      return;
    }
    const path = (request.url ?? '').replace(/\?.*/s, '');
    switch (path) {
      case '/metrics':
        deps.metrics().then(
          (text) => answer(200, 'text/plain; version=0.0.4; charset=utf-8', text),
          (error: unknown) => answer(500, 'text/plain; charset=utf-8', `${messageOf(error)}\n`),
        );
        return;
      case '/healthz':
      case '/livez':
        probe(deps.live());
        return;
      case '/readyz':
        probe(deps.ready());
        return;
      default:
        answer(404, 'text/plain; charset=utf-8', 'try /metrics, /healthz or /readyz\n');
    }
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  }).catch((error: unknown) => cannotListen(address, messageOf(error)));
  // Later ones are about single connections that could not be accepted, and no reason to end the process.
  server.on('error', () => undefined);
  const bound = server.address() as AddressInfo;
  const shown = bound.address === '::' || bound.address === '0.0.0.0' ? '127.0.0.1' : bound.address;
  return {
    url: `http://${shown.includes(':') ? `[${shown}]` : shown}:${bound.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function cannotListen(address: string, why: string): never {
  throw new SluiceError('ListenFailed', `cannot listen on ${JSON.stringify(address)}: ${why}`, never);
}
