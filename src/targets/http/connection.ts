/**
 * One connection to one endpoint: an undici client that lives exactly as long as its socket, so that every connection
 * is opened, judged and counted by us, and a call that found a dead one knows that nothing was sent.
 *
 * States: idle → busy → idle …; any → gone (closed by the peer, by the idle limit, by age or by us).
 */
import type { Socket } from 'node:net';
import { Client } from 'undici';

/**
 * Idle connections are closed before the peer is likely to: a peer that closes while a request is on its way leaves us
 * unable to tell whether the request was processed. Without a `Keep-Alive: timeout=` hint the limit is below the
 * shortest default in use (2 s); with one, a second less than the hint.
 */
const idleMs = 1_500;
const idleHintMarginMs = 1_000;
const idleMaxMs = 30_000;

export class Connection {
  readonly client: Client;
  /** Monotonic time from which it is not used again, so that new endpoints of a name or Service are found. */
  readonly expiresAtMs: number;
  /** True once a call has ended on it. */
  reused = false;
  /** The socket's first error: the peer's reset or TLS alert, before what follows from it. */
  firstError: Error | undefined;
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #isGivenUp = false;

  /** `origin` gives the `Host` header; `onClosed` is called once, when the socket is closed. */
  constructor(
    origin: string,
    socket: Socket,
    expiresAtMs: number,
    onClosed: (connection: Connection) => void,
  ) {
    this.#socket = socket;
    this.expiresAtMs = expiresAtMs;
    let handedOver = false;
    this.client = new Client(origin, {
      // undici would reconnect by itself; a second connection of this client must not exist. The answer comes a
      // microtask later: undici does not look for one while it is still asking.
      connect: (_options, callback) => {
        const isFirst = !handedOver;
        handedOver = true;
        queueMicrotask(() => {
          if (isFirst) callback(null, socket);
          else callback(Object.assign(new Error('the connection was closed'), { code: 'SLUICE_GONE' }), null);
        });
      },
      pipelining: 1,
      keepAliveTimeout: idleMs,
      keepAliveTimeoutThreshold: idleHintMarginMs,
      keepAliveMaxTimeout: idleMaxMs,
      // The call's own deadline rules, and it covers the whole answer.
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false,
    });
    const end = (): void => {
      this.#isGivenUp = true;
      void this.client.destroy();
    };
    socket.on('error', (error) => {
      this.firstError ??= error;
    });
    // Not `socket.closed`, which is true as soon as closing has begun.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    socket.once('close', () => {
      end();
      onClosed(this);
      resolve();
    });
    this.client.on('connectionError', end);
  }

  /** True from the moment at which it is given up or lost, even while its socket still closes. */
  get gone(): boolean {
    return this.#isGivenUp || this.#socket.destroyed;
  }

  /** It is `gone` now and ends in a moment: for callbacks of its client, which is at work on it then. */
  giveUp(): void {
    this.#isGivenUp = true;
    queueMicrotask(() => void this.destroy());
  }

  /** Ends it at once; resolves when the socket is closed. */
  async destroy(): Promise<void> {
    this.#isGivenUp = true;
    // The client ends its calls and its socket; the socket's own end is for a client that never took it.
    const ended = this.client.destroy();
    this.#socket.destroy();
    await ended;
    await this.#closed;
  }
}
