import { CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { seededRandom } from '../../src/lib/random.ts';
import type { Outcome } from '../../src/poller/ports.ts';
import type { HttpTargetConfig } from '../../src/targets/http-config.ts';
import { MutableEndpoints, type EndpointSource } from '../../src/targets/http-endpoints.ts';
import { createHttpTarget, hearingMaxMs, type HttpTarget } from '../../src/targets/http-target.ts';
import { Occupancy } from '../../src/targets/http/occupancy.ts';
import { eventually } from '../support/eventually.ts';
import { reply, startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { isAbsent } from '../support/servers/absent.ts';
import type { AwsServer } from '../support/servers/aws-server.ts';
import { startLambdaPod, type LambdaPod } from '../support/servers/lambda-rie.ts';
import { lambdaZip } from '../support/servers/lambda-zip.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const invokePath = '/2015-03-31/functions/function/invocations';

interface Opened extends AsyncDisposable {
  readonly target: HttpTarget;
  /** Invokes the function with one record, whose body says what the function of the pod does. */
  readonly call: (body?: object, signal?: AbortSignal) => Promise<Outcome>;
}

interface OpenOptions extends Partial<HttpTargetConfig> {
  readonly clock?: Clock;
  readonly occupancy?: Occupancy;
  readonly endpoints?: EndpointSource;
}

/** A target of format `LambdaInvoke` at ports of this machine. */
function open(ports: readonly number[], options: OpenOptions = {}): Opened {
  const { clock = systemClock, occupancy, endpoints, ...config } = options;
  const list = new MutableEndpoints('');
  list.set(ports.map((port) => ({ host: '127.0.0.1', port })));
  const target = createHttpTarget(
    {
      origin: 'http://orders.shop.svc',
      format: 'LambdaInvoke',
      path: invokePath,
      headers: {},
      timeoutMs: 30_000,
      addresses: { allowLoopback: true },
      ...config,
    },
    {
      clock,
      random: seededRandom(1),
      resolver: async () => ['127.0.0.1'],
      endpoints: endpoints ?? list,
      version: '0.1.0',
      newTraceId: () => 'ab'.repeat(16),
      occupancy,
    },
  );
  let calls = 0;
  return {
    target,
    call: (body = {}, signal = new AbortController().signal) => {
      const id = `00000000-0000-4000-8000-${String(++calls).padStart(12, '0')}`;
      const record = { messageId: 'm', body: JSON.stringify(body), attributes: {} };
      const traceHeader = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1';
      const records = [{ id: 'm', json: '{}', bytes: 2, filterable: () => ({}), traceHeader }];
      return target.invoke({ id, event: JSON.stringify({ Records: [record] }), records, attempt: 1 }, signal);
    },
    [Symbol.asyncDispose]: () => target.close(),
  };
}

describe('one invocation at a time', () => {
  /** Pods that hold their invocations until they are let go. */
  async function pods(count: number): Promise<{ readonly sinks: HttpSink[]; readonly ports: number[] }> {
    const sinks = await Promise.all(
      Array.from({ length: count }, () => startHttpSink({ answer: { kind: 'hang' } })),
    );
    return { sinks, ports: sinks.map(({ port }) => port) };
  }
  const inFlight = (sinks: readonly HttpSink[]): number[] => sinks.map((sink) => sink.inFlight);
  const stopAll = (sinks: readonly HttpSink[]): Promise<unknown> =>
    Promise.all(sinks.map((sink) => sink.stop()));

  test('goes to each endpoint; the others wait, in the order of coming', async () => {
    const { sinks, ports } = await pods(2);
    const clock = new VirtualClock();
    await using opened = open(ports, { clock });
    expect(opened.target.capacity()).toBe(2);
    const calls = Array.from({ length: 5 }, () => opened.call());
    await eventually(() => inFlight(sinks).every((count) => count === 1));
    await clock.advance(3000);
    expect(inFlight(sinks)).toEqual([1, 1]);
    for (const sink of sinks) sink.answer(reply(200));
    // The two that hang are cut off; the pods then serve the rest, one by one.
    await opened.target.close();
    await Promise.all(calls);
    for (const sink of sinks) expect(sink.maxInFlight).toBe(1);
    await stopAll(sinks);
  });

  test('serves every call in the end, and an endpoint that refuses connections holds nobody up', async () => {
    await using sink = await startHttpSink({ answer: { kind: 'reply', delayMs: 5 } });
    await using gone = await startHttpSink();
    await gone.stop();
    await using opened = open([gone.port, sink.port]);
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => opened.call()));
    expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => 'delivered'));
    expect(sink.requests).toHaveLength(12);
    expect(sink.maxInFlight).toBe(1);
  });

  test('holds over two mappings with the same pods', async () => {
    await using sink = await startHttpSink({ answer: { kind: 'reply', delayMs: 5 } });
    const occupancy = new Occupancy();
    await using one = open([sink.port], { occupancy });
    await using two = open([sink.port], { occupancy });
    const calls = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : two).call());
    for (const outcome of await Promise.all(calls)) expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(sink.maxInFlight).toBe(1);
  });

  test('holds for a call that timed out, until it has really ended', async () => {
    let end: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    await using sink = await startHttpSink({
      answer: async ({ number }) => {
        if (number === 1) await held;
        return reply(200, {});
      },
    });
    const clock = new VirtualClock();
    await using opened = open([sink.port], { clock });
    const first = opened.call();
    await eventually(() => sink.inFlight === 1);
    await clock.advance(30_000);
    expect(await first).toMatchObject({ kind: 'failed', reason: 'Timeout' });
    const second = opened.call();
    await clock.advance(5000);
    expect(sink.requests).toHaveLength(1);
    end();
    expect(await second).toMatchObject({ kind: 'delivered' });
    expect(sink.maxInFlight).toBe(1);
    // Of the one that was heard out nothing is left.
    await eventually(() => opened.target.connections === 1);
    await opened.target.close();
    expect(clock.sleepers).toBe(0);
  });

  test('is given up for a call that is not heard of for longer than any function may run', async () => {
    const { sinks, ports } = await pods(1);
    const clock = new VirtualClock();
    await using opened = open(ports, { clock });
    const first = opened.call();
    await eventually(() => inFlight(sinks)[0] === 1);
    await clock.advance(30_000);
    expect(await first).toMatchObject({ kind: 'failed', reason: 'Timeout' });
    await clock.advance(hearingMaxMs);
    sinks[0]?.answer(reply(200, {}));
    await eventually(() => opened.target.connections === 0);
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
    await stopAll(sinks);
  });

  test('a call that finds no endpoint free for its whole time-out is throttled, and spends nothing', async () => {
    const { sinks, ports } = await pods(1);
    const clock = new VirtualClock();
    await using opened = open(ports, { clock, timeoutMs: 60_000 });
    const first = opened.call();
    await eventually(() => inFlight(sinks)[0] === 1);
    const second = opened.call();
    await clock.advance(60_000);
    expect(await second).toMatchObject({ kind: 'throttled', reason: 'TargetThrottled' });
    expect(await first).toMatchObject({ kind: 'failed', reason: 'Timeout' });
    await stopAll(sinks);
  });

  test('a new endpoint serves those who wait; without any they are told', async () => {
    const { sinks, ports } = await pods(1);
    await using next = await startHttpSink({ answer: reply(200, {}) });
    const clock = new VirtualClock();
    const endpoints = new MutableEndpoints('');
    const [port = 0] = ports;
    endpoints.set([{ host: '127.0.0.1', port }]);
    await using opened = open([], { clock, endpoints });
    const first = opened.call();
    await eventually(() => inFlight(sinks)[0] === 1);
    const second = opened.call();
    endpoints.set([port, next.port].map((each) => ({ host: '127.0.0.1', port: each })));
    await clock.advance(1000);
    expect(await second).toMatchObject({ kind: 'delivered' });
    expect(opened.target.capacity()).toBe(2);
    endpoints.set([{ host: '127.0.0.1', port }]);
    const third = opened.call();
    endpoints.set([], 'Service shop/orders has no ready endpoint');
    await clock.advance(1000);
    expect(await third).toMatchObject({ kind: 'unreachable', reason: 'NoReadyEndpoint' });
    await opened.target.close();
    expect(await first).toMatchObject({ kind: 'unreachable' });
    await stopAll(sinks);
  });

  test('a call that waits ends on abort', async () => {
    const { sinks, ports } = await pods(1);
    await using opened = open(ports, { clock: new VirtualClock() });
    const first = opened.call();
    await eventually(() => inFlight(sinks)[0] === 1);
    const stop = new AbortController();
    const second = opened.call({}, stop.signal);
    stop.abort();
    expect(await second).toMatchObject({ kind: 'unreachable' });
    await opened.target.close();
    await first;
    await stopAll(sinks);
  });
});

describe('the event', () => {
  test('is refused above 6 MB, which the emulator would cut off', async () => {
    await using sink = await startHttpSink({ answer: reply(200, {}) });
    await using opened = open([sink.port]);
    const most = 6 * 1024 * 1024;
    const invoke = (bytes: number): Promise<Outcome> =>
      opened.target.invoke(
        { id: 'a', event: 'x'.repeat(bytes), records: [], attempt: 1 },
        new AbortController().signal,
      );
    expect(await invoke(most)).toMatchObject({ kind: 'delivered' });
    expect(await invoke(most + 1)).toMatchObject({ kind: 'failed', reason: 'PayloadTooLarge' });
    expect(sink.requests).toHaveLength(1);
  });
});

/** A server of Lambda's API that knows the header and the codes. */
describe.skipIf(isAbsent('ministack'))('a server with many functions', () => {
  const code = `export const handler = async (event) => {
    if (event.Records[0].body.includes('throw')) throw new TypeError('a secret of the function');
    return { batchItemFailures: [] };
  };`;
  let server: AwsServer;
  beforeAll(async () => {
    server = await startMiniStack();
    const { endpoint, credentials } = server;
    // Where the server takes an unsigned request to be meant for.
    const client = new LambdaClient({ endpoint, region: 'us-east-1', credentials: { ...credentials } });
    await client.send(
      new CreateFunctionCommand({
        FunctionName: 'orders',
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: `arn:aws:iam::${server.accountId}:role/lambda`,
        Code: { ZipFile: lambdaZip(code) },
      }),
    );
    client.destroy();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test.each([
    {
      name: 'orders',
      body: {},
      outcome: { kind: 'delivered', statusCode: 200 },
      why: 'a function that is there',
    },
    {
      name: 'orders',
      body: { throw: true },
      outcome: { kind: 'failed', reason: 'FunctionError', functionError: 'Unhandled' },
      why: 'one that throws',
    },
    {
      name: 'none',
      body: {},
      outcome: { kind: 'refused', reason: 'FunctionNotFound' },
      why: 'one that is not there',
    },
  ])('is understood: $why', async ({ name, body, outcome }) => {
    const path = `/2015-03-31/functions/${name}/invocations`;
    await using opened = open([Number(new URL(server.endpoint).port)], { path });
    const found = await opened.call(body);
    expect(found).toMatchObject(outcome);
    expect(JSON.stringify(found)).not.toContain('a secret of the function');
  });
});

/** AWS's own emulator: what is written in `http/invoke-answer.ts` of it is seen here. */
describe.skipIf(isAbsent('aws-lambda-rie'))('a pod with the runtime interface emulator', () => {
  let ledger: HttpSink;
  let pod: LambdaPod;
  let opened: Opened;
  beforeAll(async () => {
    ledger = await startHttpSink();
    pod = await startLambdaPod({ timeoutSeconds: 30, ledgerUrl: ledger.url });
    opened = open([pod.port], { headers: { 'X-Amz-Client-Context': clientContext } });
  });
  afterAll(async () => {
    await opened?.target.close();
    await pod?.[Symbol.asyncDispose]();
    await ledger?.[Symbol.asyncDispose]();
  });

  const clientContext = Buffer.from('{"custom":{"tenant":"a"}}').toString('base64');
  interface Entry {
    readonly requestId: string;
    readonly clientContext: string;
    readonly phase: 'begin' | 'end';
    readonly bytes: number;
  }
  const entries = (): Entry[] => ledger.requests.map((request) => request.json() as Entry);

  test('gets the event, and as its request id the id of the batch', async () => {
    expect(await opened.call({ n: 1 })).toEqual({
      kind: 'delivered',
      statusCode: 200,
      response: { kind: 'json', value: { batchItemFailures: [] } },
    });
    expect(entries()[0]).toMatchObject({
      requestId: '00000000-0000-4000-8000-000000000001',
      clientContext: '{"custom":{"tenant":"a"}}',
      event: { Records: [{ messageId: 'm', body: '{"n":1}' }] },
    });
  });

  test.each([
    { wish: { throw: true }, reason: 'FunctionError', message: 'TypeError', why: 'the function throws' },
    { wish: { exit: true }, reason: 'FunctionError', message: 'Runtime.ExitError', why: 'the runtime ends' },
    {
      wish: { bigBytes: 6_300_000 },
      reason: 'FunctionError',
      message: 'Function.ResponseSizeTooLarge',
      why: 'its answer is larger than 6 MB',
    },
  ])('is a function error when $why, and the next invocation goes on', async ({ wish, reason, message }) => {
    const outcome = await opened.call(wish);
    expect(outcome).toMatchObject({ kind: 'failed', reason, functionError: 'Unhandled' });
    expect(outcome).toHaveProperty('message', expect.stringContaining(message));
    expect(JSON.stringify(outcome)).not.toContain('secret');
    expect(await opened.call()).toMatchObject({ kind: 'delivered' });
  });

  test('is a function error when it takes too long, and a later invocation goes on', async () => {
    await using slow = await startLambdaPod({ timeoutSeconds: 1 });
    await using at = open([slow.port]);
    const outcome = await at.call({ sleepMs: 30_000 });
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'Timeout', functionError: 'Unhandled' });
    // The emulator starts the function again within the next invocation, which may take its time.
    await eventually(async () => (await at.call()).kind === 'delivered', { timeoutMs: 30_000 });
  });

  test('survives a crowd, since it gets one invocation at a time', async () => {
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => opened.call()));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(pod.process.end).toBeUndefined();
  });

  test('survives a call that was not waited for to its end', async () => {
    await using impatient = open([pod.port], { timeoutMs: 200 });
    const first = await impatient.call({ sleepMs: 600 });
    expect(first).toMatchObject({ kind: 'failed', reason: 'Timeout' });
    // The function is at it for longer than a call waits for its turn.
    await eventually(async () => (await impatient.call()).kind === 'delivered');
    expect(pod.process.end).toBeUndefined();
  });

  test('takes the largest event that there is', async () => {
    const pad = 'x'.repeat(6 * 1024 * 1024 - '{"Records":[],"pad":""}'.length);
    const event = `{"Records":[],"pad":"${pad}"}`;
    const invocation = { id: 'largest', event, records: [], attempt: 1 };
    expect(await opened.target.invoke(invocation, new AbortController().signal)).toMatchObject({
      kind: 'delivered',
    });
    expect(entries().find(({ requestId }) => requestId === 'largest')?.bytes).toBe(6 * 1024 * 1024);
  });

  test('would not survive two at once', async () => {
    await using victim = await startLambdaPod();
    // Two targets that know nothing of each other: two processes.
    await using one = open([victim.port]);
    await using two = open([victim.port]);
    const outcomes = await Promise.all([one.call({ sleepMs: 20_000 }), two.call({ sleepMs: 20_000 })]);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: 'ConnectionLost' });
    await eventually(() => victim.process.end !== undefined);
  });

  test.each([
    {
      init: 'exit' as const,
      outcome: { kind: 'refused', reason: 'TargetUnreachable' },
      why: 'ends at once: the target cannot be called',
    },
    {
      init: 'error' as const,
      outcome: { kind: 'failed', reason: 'FunctionError', message: 'The function: Function.NoInit' },
      why: 'reports an error',
    },
  ])('a function that does not start and $why', async ({ init, outcome }) => {
    await using broken = await startLambdaPod({ init });
    await using at = open([broken.port]);
    expect(await at.call()).toMatchObject(outcome);
    expect(await at.call()).toMatchObject(outcome);
  });
});
