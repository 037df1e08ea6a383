import http from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  ControlError,
  type CreateInput,
  type Tags,
  type UpdateInput,
} from '../../src/backends/aws/client.ts';
import { messageOf } from '../../src/lib/errors.ts';
import { MemoryMappingApi } from './memory-mapping-api.ts';

/** An error as Lambda answers it. */
export interface LambdaRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/**
 * Lambda's mapping API on loopback, over the one in memory: for tests of whole processes that must hold a state which
 * passes quickly at AWS, such as Creating. `api.settle()` lets states pass.
 */
export class MappingEndpoint implements AsyncDisposable {
  readonly api = new MemoryMappingApi();
  /** What a create is refused with; undefined lets it through. */
  refuseCreate: (input: CreateInput) => LambdaRefusal | undefined = () => undefined;
  /** What creates and updates asked for, in their order, as they came over the wire. */
  readonly requests: { readonly call: 'create' | 'update'; readonly body: object }[] = [];
  readonly #server: http.Server;

  constructor() {
    this.#server = http.createServer((request, response) => {
      this.#answer(request)
        .catch((error: unknown) => refusalOf(error))
        .then(({ status, body, code }) => {
          response.writeHead(status, {
            'content-type': 'application/json',
            ...(code === undefined ? {} : { 'x-amzn-errortype': code }),
          });
          response.end(status === 204 ? undefined : JSON.stringify(body));
        }, response.destroy.bind(response));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Base address without a trailing slash. */
  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: http.IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '', this.endpoint);
    const [, date, kind, name] = url.pathname.split('/').map(decodeURIComponent);
    const body = await bodyOf(request);
    const method = request.method ?? '';
    if (date === '2017-03-31' && kind === 'tags' && name !== undefined) {
      const keys = url.searchParams.getAll('tagKeys');
      const answer = await this.#tags(method, name, body as { Tags?: Tags }, keys);
      return ok(answer, method === 'GET' ? 200 : 204);
    }
    if (kind !== 'event-source-mappings') return unknownOperation(method, url.pathname);
    if (name === undefined || name === '') {
      if (method === 'GET') {
        const source = url.searchParams.get('EventSourceArn');
        const functionName = url.searchParams.get('FunctionName');
        if (source !== null) return ok({ EventSourceMappings: await this.api.list(source) });
        if (functionName !== null)
          return ok({ EventSourceMappings: await this.api.listByFunction(functionName) });
        return ok({ EventSourceMappings: this.api.all.map(({ configuration }) => configuration) });
      }
      this.requests.push({ call: 'create', body: body as object });
      const refusal = this.refuseCreate(body as CreateInput);
      return refusal === undefined ? ok(await this.api.create(body as CreateInput), 202) : refused(refusal);
    }
    switch (method) {
      case 'GET':
        return found(await this.api.get(name));
      case 'PUT':
        this.requests.push({ call: 'update', body: body as object });
        return ok(await this.api.update(name, body as UpdateInput), 202);
      case 'DELETE':
        return found(await this.api.delete(name), 202);
      default:
        return unknownOperation(method, url.pathname);
    }
  }

  async #tags(
    method: string,
    arn: string,
    body: { readonly Tags?: Tags },
    keys: readonly string[],
  ): Promise<object> {
    if (method === 'GET') return { Tags: await this.api.tags(arn) };
    if (method === 'POST') await this.api.tag(arn, body.Tags ?? {});
    else await this.api.untag(arn, keys);
    return {};
  }
}

/** Starts it; `await using` stops it. */
export async function startMappingEndpoint(): Promise<MappingEndpoint> {
  const endpoint = new MappingEndpoint();
  await endpoint.start();
  return endpoint;
}

interface Answer {
  readonly status: number;
  readonly body: object;
  readonly code?: string;
}

function ok(body: object, status = 200): Answer {
  return { status, body };
}

function refused({ status, code, message }: LambdaRefusal): Answer {
  return { status, code, body: { Type: 'User', Message: message, message } };
}

function found(configuration: object | undefined, status = 200): Answer {
  const message = 'The resource you requested does not exist.';
  return configuration === undefined
    ? refused({ status: 404, code: 'ResourceNotFoundException', message })
    : ok(configuration, status);
}

function unknownOperation(method: string, path: string): Answer {
  return refused({ status: 403, code: 'AccessDeniedException', message: `There is no ${method} ${path}` });
}

/** The refusals of the API in memory as Lambda words them. */
function refusalOf(error: unknown): Answer {
  const message = messageOf(error);
  if (!(error instanceof ControlError)) return refused({ status: 500, code: 'ServiceException', message });
  const { failure } = error;
  if (failure.kind === 'not-found') return found(undefined);
  if (failure.kind !== 'conflict') return refused({ status: 400, code: 'ResourceInUseException', message });
  return refused({
    status: 409,
    code: 'ResourceConflictException',
    message: `An event source mapping with these parameters already exists: UUID ${failure.uuid ?? ''}`,
  });
}

async function bodyOf(request: http.IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : JSON.parse(text);
}
