/**
 * Lambda's API of event source mappings as a load: every answer takes a while, states pass by themselves, List pages,
 * and with a limit what comes faster is refused. Beside it the index of tags, a service without that limit. It counts
 * what it was asked, both together.
 */
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StubOptions {
  readonly latencyMs: number;
  /** How long Creating and Deleting last. */
  readonly stateMs: number;
  /** Calls a second; undefined takes all. A bucket that holds one second's worth, which refused calls do not empty. */
  readonly perSecond: number | undefined;
}

interface Mapping {
  readonly body: Record<string, unknown>;
  state: string;
  /** When the state passes, and to what; `undefined` for gone. */
  next: { readonly atMs: number; readonly state: string | undefined } | undefined;
  tags: Record<string, string>;
  modified: number;
}

const account = 'arn:aws:lambda:eu-central-1:000000000000';

export class ManagedStub implements AsyncDisposable {
  readonly #options: StubOptions;
  readonly #mappings = new Map<string, Mapping>();
  readonly #server: http.Server;
  #tokens: number;
  #filledMs = performance.now();
  #calls = new Map<string, number>();
  #refused = 0;
  /** Calls in each five seconds since the last time. */
  #rates: number[] = [];
  #takenMs = performance.now();

  constructor(options: StubOptions) {
    this.#options = options;
    this.#tokens = options.perSecond ?? 0;
    this.#server = http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        // STS, which is asked once who the caller is, has limits of its own.
        if (text.startsWith('Action=GetCallerIdentity')) {
          response.end('<Arn>arn:aws:iam::000000000000:user/bench</Arn>');
          return;
        }
        const [status, body, code] = this.#answer(
          request.method ?? '',
          new URL(request.url ?? '', 'http://stub'),
          text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
          request.headers['x-amz-target'] === 'ResourceGroupsTaggingAPI_20170126.GetResources',
        );
        const headers = {
          'content-type': 'application/json',
          ...(code === '' ? {} : { 'x-amzn-errortype': code }),
        };
        setTimeout(() => response.writeHead(status, headers).end(JSON.stringify(body)), options.latencyMs);
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get mappings(): number {
    this.#pass();
    return this.#mappings.size;
  }

  /** Calls by operation since the last time, refused ones in `refused` too. */
  take(): {
    readonly calls: Readonly<Record<string, number>>;
    readonly all: number;
    readonly refused: number;
    readonly rates: readonly number[];
  } {
    const calls = Object.fromEntries(this.#calls);
    const [refused, rates] = [this.#refused, this.#rates];
    this.#rates = [];
    this.#takenMs = performance.now();
    this.#calls = new Map();
    this.#refused = 0;
    return { calls, all: Object.values(calls).reduce((sum, count) => sum + count, 0), refused, rates };
  }

  #answer(
    method: string,
    url: URL,
    body: Record<string, unknown>,
    isIndex: boolean,
  ): [number, unknown, string] {
    if (isIndex) {
      this.#count('index');
      return this.#index(body);
    }
    const [, , kind, name] = url.pathname.split('/').map(decodeURIComponent);
    const isOne = name !== undefined && name !== '';
    const operation = kind === 'tags' ? `${method} tags` : `${method} ${isOne ? 'one' : 'all'}`;
    this.#count(operation);
    if (!this.#admit()) {
      this.#refused++;
      return [429, { message: 'Rate exceeded' }, 'TooManyRequestsException'];
    }
    this.#pass();
    if (kind === 'tags') return this.#tags(method, name ?? '', url, body);
    if (!isOne) return method === 'POST' ? this.#create(body) : this.#list(url);
    const mapping = this.#mappings.get(name);
    if (mapping === undefined)
      return [404, { Message: 'The resource you requested does not exist.' }, 'ResourceNotFoundException'];
    if (method === 'GET') return [200, shown(name, mapping), ''];
    if (mapping.next !== undefined) return [400, { Message: 'It is in use.' }, 'ResourceInUseException'];
    if (method === 'DELETE') this.#change(mapping, 'Deleting', undefined);
    else {
      Object.assign(mapping.body, body);
      this.#change(mapping, 'Updating', 'Enabled');
    }
    return [202, shown(name, mapping), ''];
  }

  #count(operation: string): void {
    this.#calls.set(operation, (this.#calls.get(operation) ?? 0) + 1);
    const at = Math.floor((performance.now() - this.#takenMs) / 5000);
    while (this.#rates.length <= at) this.#rates.push(0);
    this.#rates[at] = (this.#rates[at] ?? 0) + 1;
  }

  #create(body: Record<string, unknown>): [number, unknown, string] {
    const { Tags, ...members } = body;
    const uuid = randomUUID();
    const functionARN = `${account}:function:${String(members['FunctionName'])}`;
    const mapping: Mapping = {
      body: { BatchSize: 10, MaximumBatchingWindowInSeconds: 0, ...members, FunctionArn: functionARN },
      state: '',
      next: undefined,
      tags: (Tags ?? {}) as Record<string, string>,
      modified: 0,
    };
    this.#change(mapping, 'Creating', 'Enabled');
    this.#mappings.set(uuid, mapping);
    return [202, shown(uuid, mapping), ''];
  }

  #list(url: URL): [number, unknown, string] {
    const source = url.searchParams.get('EventSourceArn');
    const from = Number(url.searchParams.get('Marker') ?? 0);
    const all = [...this.#mappings].filter(
      ([, { body }]) => source === null || body['EventSourceArn'] === source,
    );
    const page = all.slice(from, from + 100).map(([uuid, mapping]) => shown(uuid, mapping));
    const next = from + 100 < all.length ? { NextMarker: String(from + 100) } : {};
    return [200, { EventSourceMappings: page, ...next }, ''];
  }

  /** The mappings of a cluster with their tags, as the Resource Groups Tagging API shows them. */
  #index(body: Record<string, unknown>): [number, unknown, string] {
    const [filter] = body['TagFilters'] as { readonly Key: string; readonly Values: readonly string[] }[];
    const from = Number(body['PaginationToken'] ?? 0);
    const all = [...this.#mappings].filter(
      ([, { tags }]) => filter !== undefined && filter.Values.includes(tags[filter.Key] ?? ''),
    );
    const list = all.slice(from, from + 100).map(([uuid, { tags }]) => ({
      ResourceARN: `${account}:event-source-mapping:${uuid}`,
      Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    }));
    const next = from + 100 < all.length ? String(from + 100) : '';
    return [200, { ResourceTagMappingList: list, PaginationToken: next }, ''];
  }

  #tags(method: string, arn: string, url: URL, body: Record<string, unknown>): [number, unknown, string] {
    const mapping = this.#mappings.get(arn.split(':').at(-1) ?? '');
    if (mapping === undefined) return [404, { Message: 'not found' }, 'ResourceNotFoundException'];
    if (method === 'POST') Object.assign(mapping.tags, body['Tags']);
    for (const key of url.searchParams.getAll('tagKeys')) delete mapping.tags[key];
    return method === 'GET' ? [200, { Tags: mapping.tags }, ''] : [204, {}, ''];
  }

  #change(mapping: Mapping, state: string, next: string | undefined): void {
    const nowMs = performance.now();
    mapping.state = state;
    mapping.next = { atMs: nowMs + this.#options.stateMs, state: next };
    mapping.modified = Date.now();
  }

  /** Lets states pass whose time has come. */
  #pass(): void {
    const nowMs = performance.now();
    for (const [uuid, mapping] of this.#mappings) {
      if (mapping.next === undefined || mapping.next.atMs > nowMs) continue;
      if (mapping.next.state === undefined) this.#mappings.delete(uuid);
      else mapping.state = mapping.next.state;
      mapping.next = undefined;
      mapping.modified = Date.now();
    }
  }

  #admit(): boolean {
    const { perSecond } = this.#options;
    if (perSecond === undefined) return true;
    const nowMs = performance.now();
    this.#tokens = Math.min(perSecond, this.#tokens + ((nowMs - this.#filledMs) * perSecond) / 1000);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

function shown(uuid: string, { body, state, modified }: Mapping): object {
  return {
    ...body,
    UUID: uuid,
    EventSourceMappingArn: `${account}:event-source-mapping:${uuid}`,
    State: state,
    StateTransitionReason: 'USER_INITIATED',
    LastModified: modified / 1000,
  };
}
