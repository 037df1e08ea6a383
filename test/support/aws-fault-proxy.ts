import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/**
 * An HTTP proxy before an AWS emulator that lets calls go wrong as AWS lets them: throttled, failed, lost after they
 * took effect, slow. Rules are tried in their order, the first that fits a call is used; no rule, no fault.
 */
export type AwsFault =
  /** The service's own throttling error: `ThrottlingException`, for Lambda `TooManyRequestsException` with 429. */
  | { readonly kind: 'throttle'; readonly code?: string; readonly retryAfterSeconds?: number }
  | { readonly kind: 'error'; readonly status: number; readonly code: string; readonly message?: string }
  /** The call is carried out, but the connection breaks before its answer. */
  | { readonly kind: 'lostAnswer' }
  /** The connection breaks before the call is carried out. */
  | { readonly kind: 'reset' }
  /** Neither carried out nor answered. */
  | { readonly kind: 'hang' }
  /** Carried out and answered, `ms` later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Not carried out, and answered by somebody who is not AWS: a proxy's page, say. */
  | { readonly kind: 'page'; readonly status: number; readonly body: string }
  /** Carried out, and what comes back, with status 200, is no answer. */
  | { readonly kind: 'garbled'; readonly body: string }
  /** Carried out; the answer ends in its middle, and the connection stays open. */
  | { readonly kind: 'stall' }
  /** Carried out; the answer is kept back, and `told` called. */
  | { readonly kind: 'withhold'; readonly told: (call: AwsCall) => void };

export interface AwsFaultRule {
  /** Name of the operation, for example `ReceiveMessage`; default: any. */
  readonly operation?: string;
  /** A closer look at the call. */
  readonly when?: (call: AwsCall) => boolean;
  /** How often the rule is used; default: always. */
  readonly times?: number;
  readonly fault: AwsFault;
}

/** One call, in the order of arrival. */
export interface AwsCall {
  readonly operation: string;
  /** Path and query of the request. */
  readonly path: string;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
  /** What was done to it. */
  fault: AwsFault['kind'] | undefined;
  /** Status of the answer the emulator gave, undefined if it was not asked. */
  status: number | undefined;
  /** The body of that answer. */
  answer: string | undefined;
  /** When it arrived, by `performance.now`. */
  readonly arrivedMs: number;
}

export class AwsFaultProxy implements AsyncDisposable {
  /** Every call, also those that never reached the emulator. */
  readonly calls: AwsCall[] = [];
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #server: http.Server;
  readonly #agent = new http.Agent({ keepAlive: true });
  #rules: { readonly rule: AwsFaultRule; left: number }[] = [];

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = http.createServer((request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Base address without a trailing slash. */
  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Adds a rule; the returned function takes it away. */
  inject(rule: AwsFaultRule): () => void {
    const entry = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.#rules.push(entry);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== entry);
    };
  }

  /** Takes all rules away. */
  clear(): void {
    this.#rules = [];
  }

  /** How often an operation was called. */
  count(operation: string): number {
    return this.calls.filter((call) => call.operation === operation).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    this.#agent.destroy();
    await closed;
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const payload = Buffer.concat(chunks);
    const body = payload.toString('utf8');
    const call: AwsCall = {
      operation: operationOf(request, body),
      path: request.url ?? '',
      body,
      headers: request.headers,
      fault: undefined,
      status: undefined,
      answer: undefined,
      arrivedMs: performance.now(),
    };
    this.calls.push(call);
    const fault = this.#faultFor(call);
    call.fault = fault?.kind;
    switch (fault?.kind) {
      case undefined:
        await this.#pass(request, payload, call, response);
        return;
      case 'throttle':
        throttle(fault, isLambda(request), response);
        return;
      case 'error':
        fail(response, fault.status, fault.code, fault.message ?? 'Injected.');
        return;
      case 'lostAnswer':
        await this.#ask(request, payload, call, response);
        response.socket?.resetAndDestroy();
        return;
      case 'reset':
        response.socket?.resetAndDestroy();
        return;
      case 'hang':
        return;
      case 'delay':
        await new Promise((resolve) => setTimeout(resolve, fault.ms));
        await this.#pass(request, payload, call, response);
        return;
      case 'page':
        response.writeHead(fault.status, { 'content-type': 'text/html' });
        response.end(fault.body);
        return;
      case 'garbled': {
        await this.#ask(request, payload, call, response);
        response.writeHead(200, { 'content-type': 'text/html' });
        response.end(fault.body);
        return;
      }
      case 'stall': {
        const { status, headers, body } = await this.#ask(request, payload, call, response);
        response.writeHead(status, { ...headers, 'content-length': String(body.length + 1) });
        response.write(body.subarray(0, body.length / 2));
        return;
      }
      case 'withhold':
        await this.#ask(request, payload, call, response);
        fault.told(call);
        return;
    }
  }

  #faultFor(call: AwsCall): AwsFault | undefined {
    for (const entry of this.#rules) {
      const { operation, when, fault } = entry.rule;
      if (entry.left <= 0 || (operation !== undefined && operation !== call.operation)) continue;
      if (when !== undefined && !when(call)) continue;
      entry.left--;
      return fault;
    }
    return undefined;
  }

  async #pass(
    request: http.IncomingMessage,
    payload: Buffer,
    call: AwsCall,
    response: http.ServerResponse,
  ): Promise<void> {
    const answer = await this.#ask(request, payload, call, response);
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  }

  #ask(
    request: http.IncomingMessage,
    payload: Buffer,
    call: AwsCall,
    response: http.ServerResponse,
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const onward = http.request(
        {
          host: this.#target.hostname,
          port: this.#target.port,
          method: request.method,
          path: request.url,
          headers: { ...request.headers, host: this.#target.host },
          agent: this.#agent,
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () => {
            const body = Buffer.concat(chunks);
            call.status = answer.statusCode ?? 502;
            call.answer = body.toString('utf8');
            const { 'transfer-encoding': _chunked, connection: _hop, ...headers } = answer.headers;
            resolve({
              status: call.status,
              headers: { ...headers, 'content-length': String(body.length) },
              body,
            });
          });
        },
      );
      onward.on('error', reject);
      // A caller that gives up on a long poll ends it for the emulator too, as with AWS.
      // Heard on the answer, which is this call's own: a connection carries many, and would gather listeners.
      response.once('close', () => {
        if (!response.writableFinished) onward.destroy();
      });
      onward.end(payload);
    });
  }
}

/** Starts a proxy before `target`; `await using` stops it. */
export async function startAwsFaultProxy(target: string): Promise<AwsFaultProxy> {
  const proxy = new AwsFaultProxy(target);
  await proxy.start();
  return proxy;
}

/** JSON services name the operation in a header, older ones in the form; Lambda has it in method and path. */
function operationOf(request: http.IncomingMessage, body: string): string {
  const target = request.headers['x-amz-target'];
  if (typeof target === 'string') return target.slice(target.lastIndexOf('.') + 1);
  const [path = ''] = (request.url ?? '').split('?');
  const method = request.method ?? '';
  if (/\/functions\/[^/]+\/invocations$/.test(path)) return 'Invoke';
  if (/\/event-source-mappings\/?$/.test(path)) {
    return method === 'POST' ? 'CreateEventSourceMapping' : 'ListEventSourceMappings';
  }
  if (/\/event-source-mappings\/[^/]+$/.test(path)) {
    const names: Readonly<Record<string, string>> = { GET: 'Get', PUT: 'Update', DELETE: 'Delete' };
    return `${names[method] ?? method}EventSourceMapping`;
  }
  if (/\/tags\/[^/]+$/.test(path)) {
    const names: Readonly<Record<string, string>> = {
      GET: 'ListTags',
      POST: 'TagResource',
      DELETE: 'UntagResource',
    };
    return names[method] ?? method;
  }
  return new URLSearchParams(body).get('Action') ?? `${method} ${path}`;
}

function isLambda(request: http.IncomingMessage): boolean {
  return request.headers['x-amz-target'] === undefined && /^\/20\d\d-/.test(request.url ?? '');
}

function throttle(
  fault: Extract<AwsFault, { kind: 'throttle' }>,
  lambda: boolean,
  response: http.ServerResponse,
): void {
  if (fault.retryAfterSeconds !== undefined)
    response.setHeader('retry-after', String(fault.retryAfterSeconds));
  const code = fault.code ?? (lambda ? 'TooManyRequestsException' : 'ThrottlingException');
  fail(response, lambda ? 429 : 400, code, 'Rate exceeded');
}

function fail(response: http.ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.0',
    'x-amzn-errortype': code,
    'x-amzn-requestid': '00000000-0000-0000-0000-000000000000',
  });
  response.end(JSON.stringify({ __type: code, message, Message: message }));
}
