/**
 * Connections through a proxy, for undici: CONNECT to the proxy, then TLS to the service within the tunnel, so that the
 * proxy sees names and sizes and no request. Gives an error before a request is sent, or a connection; repeats nothing.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import type { Proxy } from './proxy.ts';

/** The proxy gave no tunnel; `message` holds nothing of its credentials. */
export class ProxyTunnelError extends Error {
  override readonly name = 'ProxyTunnelError';
  /** As Node's own agents have it. */
  readonly code = 'ERR_PROXY_TUNNEL';
}

/** A connector that goes through `proxy` and then on by `connect`, which speaks TLS. */
export function tunnelConnector(
  proxy: Proxy,
  connect: buildConnector.connector,
  timeoutMs: number,
): buildConnector.connector {
  return (options, callback) => {
    const port = options.port === '' ? '443' : options.port;
    openTunnel(proxy, `${options.hostname}:${port}`, timeoutMs, (error, socket) => {
      if (socket === undefined) callback(error ?? new ProxyTunnelError('no tunnel'), null);
      else connect({ ...options, httpSocket: socket }, callback);
    });
  };
}

function openTunnel(
  proxy: Proxy,
  authority: string,
  timeoutMs: number,
  done: (error: Error | undefined, socket?: Socket) => void,
): void {
  const { protocol, hostname, port } = new URL(proxy.origin);
  const isTls = protocol === 'https:';
  const say = (text: string): ProxyTunnelError =>
    new ProxyTunnelError(`the proxy ${proxy.origin} gave no tunnel to ${authority}: ${text}`);
  const request = (isTls ? httpsRequest : httpRequest)({
    method: 'CONNECT',
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (isTls ? 443 : 80) : Number(port),
    path: authority,
    agent: false,
    timeout: timeoutMs,
    headers: {
      host: authority,
      ...(proxy.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization }),
    },
  });
  request.once('connect', ({ statusCode = 0 }, socket, head) => {
    // Nothing may come before TLS has begun.
    if (statusCode >= 200 && statusCode < 300 && head.length === 0) {
      // The time-out was for the tunnel to be made.
      request.removeAllListeners('timeout');
      done(undefined, socket);
      return;
    }
    socket.destroy();
    done(say(`it answered ${statusCode}`));
  });
  // An answer with a body instead of a tunnel.
  request.once('response', (response) => {
    response.destroy();
    done(say(`it answered ${response.statusCode ?? 0}`));
  });
  request.once('timeout', () => request.destroy(say('no answer in time')));
  request.once('error', (error) => done(error instanceof ProxyTunnelError ? error : say(error.message)));
  request.end();
}
