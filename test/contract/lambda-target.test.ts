import * as lambdaModel from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsClients, type AwsClientKind } from '../../src/aws/clients.ts';
import { installationIdentity } from '../../src/aws/credentials.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Invocation, Outcome, Target } from '../../src/poller/ports.ts';
import { invokeErrors } from '../../src/targets/lambda-outcome.ts';
import { lambdaTarget, readFunctionTimeoutMs } from '../../src/targets/lambda.ts';
import { reply, startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { isAbsent } from '../support/servers/absent.ts';
import type { AwsServer } from '../support/servers/aws-server.ts';
import { lambdaZip } from '../support/servers/lambda-zip.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import {
  functionError,
  invokedName,
  invokeError,
  returned,
  startLambdaEndpoint,
} from '../support/lambda-endpoint.ts';

const event = '{"Records":[{"messageId":"1","body":"grüße \\ud800"}]}';

function invocation(traceHeader?: string): Invocation {
  const record = { id: '1', json: '{}', bytes: 2, filterable: () => ({}) };
  return { id: 'batch-1', event, records: [{ ...record, traceHeader }], attempt: 1 };
}

interface Opened extends AsyncDisposable {
  readonly lambda: HttpSink;
  readonly target: Target;
  readonly clients: AwsClients;
}

const invoke = (target: Target, signal = new AbortController().signal): Promise<Outcome> =>
  target.invoke(invocation(), signal);

describe.each<AwsClientKind>(['signed', 'sdk'])('by the %s client', (pollClient) => {
  const open = async (
    functionName = 'orders',
    times?: { timeoutMs: number; marginMs: number },
  ): Promise<Opened> => {
    const lambda = await startLambdaEndpoint();
    const clients = new AwsClients({
      version: '0.0.0',
      clock: systemClock,
      endpoints: { all: lambda.url },
      pollClient,
      credentials: async () => ({ accessKeyId: 'AKIDTEST', secretAccessKey: 'top-secret' }),
    });
    const target = lambdaTarget({
      clients,
      identity: installationIdentity,
      functionName,
      region: 'eu-west-1',
      ...times,
    });
    return {
      lambda,
      target,
      clients,
      [Symbol.asyncDispose]: async () => {
        await target.close();
        await clients[Symbol.asyncDispose]();
        await lambda[Symbol.asyncDispose]();
      },
    };
  };

  describe('the request', () => {
    test.each([
      ['orders', 'eu-west-1'],
      ['orders:live', 'eu-west-1'],
      ['orders:7', 'eu-west-1'],
      ['orders:$LATEST', 'eu-west-1'],
      ['111122223333:orders', 'eu-west-1'],
      ['111122223333:function:orders:live', 'eu-west-1'],
      ['arn:aws:lambda:eu-central-1:111122223333:function:orders', 'eu-central-1'],
      ['arn:aws:lambda:eu-central-1:111122223333:function:orders:live', 'eu-central-1'],
    ])('names the function as the mapping does, %s, in %s', async (functionName, region) => {
      await using opened = await open(functionName);
      expect(await invoke(opened.target)).toMatchObject({ kind: 'delivered' });
      const [request] = opened.lambda.requests;
      expect(invokedName(request?.path ?? '')).toBe(functionName);
      expect(request?.headers.authorization).toContain(`/${region}/lambda/`);
    });

    test('is synchronous and holds the event byte for byte', async () => {
      await using opened = await open();
      await invoke(opened.target);
      const [request] = opened.lambda.requests;
      expect(request?.body).toBe(event);
      expect(request?.headers['x-amz-invocation-type']).toBe('RequestResponse');
    });

    test("passes the producer's trace header on", async () => {
      await using opened = await open();
      const header = 'Root=1-5e1b4151-5ac6c58dc39a6b5d2f0a1b2c;Sampled=1';
      await opened.target.invoke(invocation(header), new AbortController().signal);
      await opened.target.invoke(invocation('two\r\nlines: 1'), new AbortController().signal);
      expect(opened.lambda.requests.map((request) => request.headers['x-amzn-trace-id'])).toEqual([
        header,
        undefined,
      ]);
    });
  });

  describe('a function', () => {
    test.each([
      [
        returned(null, '7'),
        { kind: 'delivered', statusCode: 200, executedVersion: '7', response: { kind: 'json', value: null } },
      ],
      [returned(''), { kind: 'delivered', response: { kind: 'empty' } }],
      [
        returned({ batchItemFailures: [{ itemIdentifier: '1' }] }),
        {
          kind: 'delivered',
          response: { kind: 'json', value: { batchItemFailures: [{ itemIdentifier: '1' }] } },
        },
      ],
      [returned('done'), { kind: 'delivered', response: { kind: 'other' } }],
      [
        functionError({ errorType: 'ValueError', errorMessage: 'no' }),
        { kind: 'failed', reason: 'FunctionError', functionError: 'Unhandled' },
      ],
      [
        functionError({ errorType: 'E' }, 'Handled'),
        { kind: 'failed', reason: 'FunctionError', functionError: 'Handled' },
      ],
      [functionError({ errorType: 'Sandbox.Timedout' }), { kind: 'failed', reason: 'Timeout' }],
    ])('that answers %o is %o', async (answer, outcome) => {
      await using opened = await open();
      opened.lambda.answerNext(answer);
      expect(await invoke(opened.target)).toMatchObject(outcome);
    });
  });

  describe('an error of Lambda', () => {
    test.each([
      ['TooManyRequestsException', 429, 'throttled', 'TargetThrottled'],
      ['EC2ThrottledException', 502, 'throttled', 'TargetThrottled'],
      ['ServiceException', 500, 'unreachable', 'TargetUnreachable'],
      ['CodeOfTomorrow', 503, 'unreachable', 'TargetUnreachable'],
      ['CodeOfTomorrow', 429, 'throttled', 'TargetThrottled'],
      ['CodeOfTomorrow', 400, 'refused', 'TargetRefused'],
      ['ResourceNotReadyException', 502, 'unreachable', 'TargetUnreachable'],
      ['ResourceConflictException', 409, 'unreachable', 'TargetUnreachable'],
      ['ENILimitReachedException', 502, 'unreachable', 'TargetUnreachable'],
      ['EFSMountTimeoutException', 408, 'unreachable', 'TargetUnreachable'],
      ['SnapStartNotReadyException', 409, 'unreachable', 'TargetUnreachable'],
      ['RequestTooLargeException', 413, 'failed', 'PayloadTooLarge'],
      ['InvalidRequestContentException', 400, 'failed', 'PayloadRejected'],
      ['ResourceNotFoundException', 404, 'refused', 'FunctionNotFound'],
      ['AccessDeniedException', 403, 'refused', 'TargetRefused'],
      ['InvalidRuntimeException', 502, 'refused', 'TargetRefused'],
      ['SnapStartException', 400, 'refused', 'TargetRefused'],
      ['EFSMountFailureException', 403, 'refused', 'TargetRefused'],
      ['CodeArtifactUserFailedException', 400, 'refused', 'TargetRefused'],
      ['KMSAccessDeniedException', 502, 'refused', 'KmsAccessDenied'],
      ['KMSDisabledException', 502, 'refused', 'KmsAccessDenied'],
      ['ExpiredTokenException', 403, 'unreachable', 'AwsCredentialsExpired'],
      ['UnrecognizedClientException', 403, 'refused', 'AwsCredentialsInvalid'],
    ])('%s (%i) is %s, %s', async (code, status, kind, reason) => {
      await using opened = await open();
      opened.lambda.answerNext(invokeError(code, status));
      const outcome = await invoke(opened.target);
      expect(outcome).toMatchObject({ kind, reason });
      expect(outcome).toHaveProperty('message', expect.stringContaining(code));
      expect(JSON.stringify(outcome)).not.toMatch(/top-secret|Signature=/);
      // The engine repeats, never the SDK: a hidden repeat would run the function twice.
      expect(opened.lambda.requests.length).toBe(1);
    });

    test('that throttles tells why and for how long', async () => {
      await using opened = await open();
      const members = { Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' };
      opened.lambda.answerNext(invokeError('TooManyRequestsException', 429, members, { 'retry-after': '3' }));
      expect(await invoke(opened.target)).toMatchObject({
        kind: 'throttled',
        retryAfterMs: 3000,
        message: expect.stringContaining('ReservedFunctionConcurrentInvocationLimitExceeded') as unknown,
      });
    });

    test('is known by name for every error that the SDK lists for Invoke', () => {
      // Errors of other calls; whatever the SDK adds is asked for here by name.
      const notOfInvoke =
        /^(PolicyLength|PublicPolicy|AliasLimit|CapacityProvider|FunctionVersions|CodeSigning|CodeStorage|CodeVerification|InvalidCodeSignature|ProvisionedConcurrency|CallbackTimeout|ResourceInUse)|^LambdaServiceException$/;
      const errors = Object.keys(lambdaModel).filter(
        (name) => name.endsWith('Exception') && !notOfInvoke.test(name),
      );
      expect(errors.length).toBeGreaterThan(30);
      expect(errors.filter((name) => !Object.hasOwn(invokeErrors, name))).toEqual([]);
    });
  });

  describe('the connection', () => {
    test('that is refused is unreachable', async () => {
      await using opened = await open();
      await opened.lambda.stop();
      expect(await invoke(opened.target)).toMatchObject({ kind: 'unreachable', reason: 'TargetUnreachable' });
    });

    test.each([
      ['is reset after sending', { kind: 'reset' }],
      ['breaks within the answer', { kind: 'truncated' }],
      ['speaks no HTTP', { kind: 'garbage' }],
    ] as const)('that %s is a failure, since the function may have run', async (_what, answer) => {
      await using opened = await open();
      opened.lambda.answerNext(answer);
      expect(await invoke(opened.target)).toMatchObject({ kind: 'failed', reason: 'ConnectionLost' });
    });

    test('with an answer beyond 6 MB is cut off and is a failure', async () => {
      await using opened = await open();
      opened.lambda.answerNext({ kind: 'huge', bytes: 50_000_000 });
      expect(await invoke(opened.target)).toMatchObject({ kind: 'failed', reason: 'ResponseInvalid' });
      // The next call works, on a connection of its own.
      expect(await invoke(opened.target)).toMatchObject({ kind: 'delivered' });
    });

    test('with an answer of 6 MB is read whole', async () => {
      await using opened = await open();
      opened.lambda.answerNext({ kind: 'huge', bytes: 6 * 1024 * 1024 });
      const outcome = await invoke(opened.target);
      expect(outcome.kind === 'delivered' && outcome.response.kind === 'json').toBe(true);
    });

    test.each([
      ['says nothing', { kind: 'hang' }],
      ['drips its answer without an end', { kind: 'drip', everyMs: 20 }],
    ] as const)('that %s is a time-out, since the function may still run', async (_what, answer) => {
      await using opened = await open('orders', { timeoutMs: 200, marginMs: 100 });
      opened.lambda.answerNext(answer);
      expect(await invoke(opened.target)).toMatchObject({ kind: 'failed', reason: 'Timeout' });
    });

    test('that is cut off by the caller is unreachable', async () => {
      await using opened = await open();
      const controller = new AbortController();
      opened.lambda.answerNext(() => {
        controller.abort();
        return { kind: 'hang' };
      });
      expect(await invoke(opened.target, controller.signal)).toMatchObject({ kind: 'unreachable' });
    });

    test('is not made for a caller that has already gone', async () => {
      await using opened = await open();
      expect(await invoke(opened.target, AbortSignal.abort())).toMatchObject({ kind: 'unreachable' });
      expect(opened.lambda.requests.length).toBe(0);
    });
  });

  describe("the function's own time-out", () => {
    test('is read where it may be', async () => {
      await using opened = await open();
      opened.lambda.answerNext(reply(200, { FunctionName: 'orders', Timeout: 30 }));
      const options = {
        clients: opened.clients,
        identity: installationIdentity,
        functionName: 'orders',
        region: 'eu-west-1',
      };
      expect(await readFunctionTimeoutMs(options, new AbortController().signal)).toBe(30_000);
      opened.lambda.answer(invokeError('AccessDeniedException', 403));
      expect(await readFunctionTimeoutMs(options, new AbortController().signal)).toBeUndefined();
    });
  });

  test('a server that listens but is not Lambda gives an outcome, never an exception', async () => {
    await using html = await startHttpSink({
      answer: reply(404, '<html>not here</html>', { 'content-type': 'text/html' }),
    });
    await using clients = new AwsClients({
      version: '0.0.0',
      clock: systemClock,
      endpoints: { all: html.url },
      pollClient,
      credentials: async () => ({ accessKeyId: 'AKIDTEST', secretAccessKey: 's' }),
    });
    const target = lambdaTarget({
      clients,
      identity: installationIdentity,
      functionName: 'f',
      region: 'eu-west-1',
    });
    // The SDK stumbles over the page, Sluice's own client goes by the status: both hold the batch back.
    expect((await invoke(target)).kind).toBe(pollClient === 'sdk' ? 'unreachable' : 'refused');
    await target.close();
  });
});

// A function that really runs, by an emulator that knows nothing of Sluice.
describe.skipIf(isAbsent('ministack'))('a real function', () => {
  const code = `export const handler = async (event) => {
    const [record] = event.Records;
    if (record.body === 'throw') throw new TypeError('card 4111');
    return { batchItemFailures: [{ itemIdentifier: record.messageId }] };
  };`;
  const FunctionName = 'orders';
  let server: AwsServer;
  let clients: AwsClients;

  beforeAll(async () => {
    server = await startMiniStack();
    clients = new AwsClients({
      version: '0.0.0',
      clock: systemClock,
      endpoints: { all: server.endpoint },
      credentials: async () => server.credentials,
    });
    using lease = clients.lambda({ region: server.region, identity: installationIdentity }, 'control');
    await lease.client.send(
      new lambdaModel.CreateFunctionCommand({
        FunctionName,
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: `arn:aws:iam::${server.accountId}:role/lambda`,
        Code: { ZipFile: lambdaZip(code) },
        Publish: true,
      }),
    );
    await lease.client.send(
      new lambdaModel.CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }),
    );
  });
  afterAll(async () => {
    await clients[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const call = async (functionName: string, body: string): Promise<Outcome> => {
    const { region } = server;
    const target = lambdaTarget({ clients, identity: installationIdentity, functionName, region });
    const event = JSON.stringify({ Records: [{ messageId: 'm-1', body }] });
    const outcome = await target.invoke({ ...invocation(), event }, new AbortController().signal);
    await target.close();
    return outcome;
  };

  test.each([
    ['its name', () => FunctionName],
    ['an alias', () => `${FunctionName}:live`],
    [
      'its ARN and version',
      () => `arn:aws:lambda:${server.region}:${server.accountId}:function:${FunctionName}:1`,
    ],
  ])('called by %s gets the event and answers', async (_what, name) => {
    expect(await call(name(), 'fine')).toMatchObject({
      kind: 'delivered',
      statusCode: 200,
      response: { kind: 'json', value: { batchItemFailures: [{ itemIdentifier: 'm-1' }] } },
    });
  });

  test('that throws is a failure that names the type and not the words', async () => {
    const outcome = await call(FunctionName, 'throw');
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'FunctionError', functionError: 'Unhandled' });
    // The type is the emulator's own; Lambda would say TypeError.
    expect(outcome).toHaveProperty('message', expect.stringMatching(/^orders: [\w.]+$/));
  });

  test('that does not exist is refused', async () => {
    expect(await call('no-such-function', 'x')).toMatchObject({
      kind: 'refused',
      reason: 'FunctionNotFound',
    });
  });
});
