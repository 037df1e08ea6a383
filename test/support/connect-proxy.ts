import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';

/** What a proxy was asked for. */
export interface ProxyRequest {
  /** `CONNECT host:port`, or method and URL of a request that it forwards. */
  readonly line: string;
  readonly authorization: string | undefined;
}

/**
 * A forward proxy on loopback: CONNECT and plain HTTP, with credentials if told so, and a ledger. It resolves no name:
 * `route` says to which port of this machine a host leads, so that what only the proxy can reach was reached by it.
 */
export class ConnectProxy implements AsyncDisposable {
  readonly requests: ProxyRequest[] = [];
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();
  readonly #credentials: string | undefined;
  readonly #route: (authority: string) => number | undefined;

  constructor(options: ConnectProxyOptions) {
    const { credentials } = options;
    this.#credentials =
      credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;
    this.#route = options.route;
    this.#server = http.createServer((request, response) => this.#forward(request, response));
    this.#server.on('connect', (request: http.IncomingMessage, socket: Socket) =>
      this.#tunnel(request, socket),
    );
    this.#server.on('connection', (socket: Socket) => this.#keep(socket));
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The hosts to which tunnels were asked for, each once. */
  get hosts(): ReadonlySet<string> {
    const lines = this.requests.map(({ line }) => line).filter((line) => line.startsWith('CONNECT '));
    return new Set(lines.map((line) => line.slice('CONNECT '.length)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #admits(request: http.IncomingMessage, line: string): boolean {
    const authorization = request.headers['proxy-authorization'];
    this.requests.push({ line, authorization });
    return this.#credentials === undefined || authorization === this.#credentials;
  }

  #tunnel(request: http.IncomingMessage, socket: Socket): void {
    const authority = request.url ?? '';
    const port = this.#route(authority);
    if (!this.#admits(request, `CONNECT ${authority}`)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
    } else if (port === undefined) {
      socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
    } else {
      const upstream = net.connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        socket.pipe(upstream).pipe(socket);
      });
      this.#keep(upstream);
      upstream.on('close', () => socket.destroy());
      socket.on('close', () => upstream.destroy());
    }
  }

  #forward(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = URL.parse(request.url ?? '');
    const port = url === null ? undefined : this.#route(url.host);
    if (!this.#admits(request, `${request.method ?? ''} ${request.url ?? ''}`)) {
      response.writeHead(407).end();
      return;
    }
    if (url === null || port === undefined) {
      response.writeHead(502).end();
      return;
    }
    const { 'proxy-authorization': _own, ...headers } = request.headers;
    const path = url.pathname + url.search;
    const upstream = http.request({ port, host: '127.0.0.1', method: request.method, path, headers });
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    request.pipe(upstream);
  }
}

export interface ConnectProxyOptions {
  /** `name:password`, without which it refuses. */
  readonly credentials?: string;
  /** The port of this machine for a `host:port`; undefined = it cannot be reached. */
  readonly route: (authority: string) => number | undefined;
}

export async function startConnectProxy(options: ConnectProxyOptions): Promise<ConnectProxy> {
  const proxy = new ConnectProxy(options);
  await proxy.start();
  return proxy;
}
