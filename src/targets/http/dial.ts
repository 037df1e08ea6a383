/**
 * Opens one connection: resolves the name, judges every address of the answer, and connects to a judged address,
 * never to the name, so that nothing can change between check and connect. The name goes into SNI and is what the
 * certificate is verified for. Gives a ready socket or an outcome; never throws.
 */
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Outcome } from '../../poller/ports.ts';
import { judgeAddress, judgeAddresses, type AddressPolicy, type Resolver } from '../address-policy.ts';
import type { Endpoint } from '../http-endpoints.ts';
import type { TlsContext } from './tls.ts';

export interface DialDeps {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly addresses: AddressPolicy;
}

/** TLS of this connection; `defaultServerName` is the host of the URL or the DNS name of the Service. */
export interface DialTls extends TlsContext {
  readonly defaultServerName: string;
}

export type Dialled =
  | { readonly kind: 'connected'; readonly socket: Socket }
  | { readonly kind: 'not-connected'; readonly outcome: Outcome };

/** Addresses of one name that are tried before giving up. */
const maxAddresses = 4;

/** The machine's own resolver: the hosts file, search domains and DNS, as every other program sees them. */
export const systemResolver: Resolver = async (hostname) =>
  (await lookup(hostname, { all: true, verbatim: true })).map(({ address }) => address);

/** Connects within `budgetMs` for everything: DNS, all addresses, TLS. `turn` spreads connections over addresses. */
export async function dial(
  deps: DialDeps,
  endpoint: Endpoint,
  tls: DialTls | undefined,
  turn: number,
  budgetMs: number,
  signal: AbortSignal,
): Promise<Dialled> {
  const over = new AbortController();
  const stop = (): void => over.abort();
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  const timer = deps.clock.sleep(budgetMs, over.signal).then(stop);
  try {
    const addresses = await resolve(deps, endpoint.host, over.signal);
    if (addresses.kind === 'not-connected') return addresses;
    let last: Dialled = unreachable(`${endpoint.host} has no address`);
    const count = addresses.list.length;
    for (let tried = 0; tried < Math.min(count, maxAddresses); tried++) {
      const address = addresses.list[(turn + tried) % count] ?? '';
      last = await connectTo(deps.addresses, address, endpoint, tls, over.signal);
      if (last.kind === 'connected' || over.signal.aborted) return last;
    }
    return last;
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
    await timer;
  }
}

async function resolve(
  deps: DialDeps,
  host: string,
  over: AbortSignal,
): Promise<
  { readonly kind: 'resolved'; readonly list: readonly string[] } | (Dialled & { kind: 'not-connected' })
> {
  let list: readonly string[] = [host];
  if (isIP(host) === 0) {
    try {
      const found = await endedBy(over, deps.resolver(host));
      if (found === undefined) return unreachable(`${host} was not resolved in time`);
      list = found;
    } catch (error) {
      return unreachable(`${host} was not resolved: ${messageOf(error)}`);
    }
    if (list.length === 0) return unreachable(`${host} has no address`);
  }
  const verdict = judgeAddresses(list, deps.addresses);
  return verdict.kind === 'allowed' ? { kind: 'resolved', list } : notPermitted(host, verdict.why);
}

function connectTo(
  policy: AddressPolicy,
  address: string,
  endpoint: Endpoint,
  tls: DialTls | undefined,
  over: AbortSignal,
): Promise<Dialled> {
  const { host, port } = endpoint;
  const place = host === address ? `${address}:${port}` : `${host} (${address}:${port})`;
  return new Promise((done) => {
    const tcp = { host: address, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
    let socket: Socket;
    try {
      socket = tls === undefined ? connectTcp(tcp) : connectTls({ ...tcp, ...tlsOptions(tls) });
    } catch (error) {
      done(unreachable(`${place}: ${messageOf(error)}`));
      return;
    }
    const finish = (result: Dialled): void => {
      over.removeEventListener('abort', onOver);
      // A listener stays, so that a late error of a socket given up is nobody's crash.
      socket.off('error', onError).on('error', () => undefined);
      if (result.kind === 'not-connected') socket.destroy();
      done(result);
    };
    const onOver = (): void => finish(unreachable(`${place} did not accept a connection in time`));
    const onError = (error: Error): void =>
      finish(unreachable(`${place}: ${describe(error, tls !== undefined)}`));
    socket.once('error', onError);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      // The address was judged before; this is what the kernel says it is connected to.
      const verdict = judgeAddress(socket.remoteAddress ?? '', policy);
      finish(verdict.kind === 'allowed' ? { kind: 'connected', socket } : notPermitted(host, verdict.why));
    });
    if (over.aborted) onOver();
    else over.addEventListener('abort', onOver, { once: true });
  });
}

function tlsOptions(tls: DialTls): object {
  const name = tls.serverName ?? tls.defaultServerName;
  return {
    secureContext: tls.secureContext,
    minVersion: 'TLSv1.2',
    // Written out, so that no environment variable can turn it off.
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    // SNI takes no address; the certificate is then verified for the address that is connected to.
    ...(isIP(name) === 0 ? { servername: name.replace(/\.$/, '') } : {}),
  };
}

function describe(error: Error, isTls: boolean): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const isSocket = /^E[A-Z]+$/.test(code);
  return isTls && !isSocket ? `TLS: ${error.message} (${code})` : error.message;
}

function unreachable(message: string): Dialled & { kind: 'not-connected' } {
  return { kind: 'not-connected', outcome: { kind: 'unreachable', reason: 'TargetUnreachable', message } };
}

function notPermitted(host: string, why: string): Dialled & { kind: 'not-connected' } {
  const message = `${host} must not be reached: it is ${why}`;
  return { kind: 'not-connected', outcome: { kind: 'refused', reason: 'UrlNotPermitted', message } };
}

/** The promise's value, or undefined when `over` aborts first; a later rejection is nobody's. */
function endedBy<T>(over: AbortSignal, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolvePromise, reject) => {
    const onAbort = (): void => resolvePromise(undefined);
    if (over.aborted) onAbort();
    over.addEventListener('abort', onAbort, { once: true });
    promise.then(resolvePromise, reject).finally(() => over.removeEventListener('abort', onAbort));
  });
}
