import {
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueUrlCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mappingsOf, validateText } from '../../src/api/validate.ts';
import { AwsBackend } from '../../src/backends/aws/backend.ts';
import { mappingApi } from '../../src/backends/aws/client.ts';
import { eventually } from '../support/eventually.ts';
import { subjectOf } from '../support/mappings.ts';
import { sqsClient } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { awsEnvironment, queueArn, testAccount, type AwsServer } from '../support/servers/aws-server.ts';
import { lambdaZip } from '../support/servers/lambda-zip.ts';
import { startLocalEmu } from '../support/servers/localemu.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { sluice } from '../support/sluice.ts';

/** `sluice import aws` over Lambda's API: what it writes is in force already, so that applying it writes nothing. */
const servers = [
  // Without Docker it cannot delete a function.
  { name: 'LocalEmu', skip: isAbsent('localemu'), start: () => startLocalEmu(), deletesFunctions: false },
  { name: 'MiniStack', skip: isAbsent('ministack'), start: startMiniStack, deletesFunctions: true },
] as const;

describe.each(servers)('sluice import aws over $name', ({ skip, start, deletesFunctions }) => {
  let server: AwsServer;
  let lambda: LambdaClient;
  let sqs: SQSClient;

  const addFunction = (FunctionName: string) =>
    lambda.send(
      new CreateFunctionCommand({
        FunctionName,
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: `arn:aws:iam::${testAccount.accountId}:role/test`,
        Code: { ZipFile: lambdaZip('export const handler = async () => ({});') },
      }),
    );
  /** As a process: the SDK takes its credentials from the environment of one. */
  const run = (...argv: readonly string[]) =>
    sluice(['import', 'aws', ...argv, '--aws-requests-per-second', '15'], { env: awsEnvironment(server) });

  beforeAll(async () => {
    if (skip) return;
    server = await start();
    const { endpoint, region, credentials } = server;
    lambda = new LambdaClient({ endpoint, region, credentials: { ...credentials } });
    sqs = sqsClient(server);
    for (const name of ['orders', 'audit', 'gone'])
      await sqs.send(new CreateQueueCommand({ QueueName: name }));
    for (const name of ['consumer', 'late']) await addFunction(name);
    const add = (queue: string, FunctionName: string, more: object = {}) =>
      lambda.send(
        new CreateEventSourceMappingCommand({ EventSourceArn: queueArn(queue), FunctionName, ...more }),
      );
    await add('orders', 'consumer', {
      BatchSize: 5,
      FilterCriteria: { Filters: [{ Pattern: '{"body":{"kind":["order"]}}' }] },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 3 },
      Tags: { team: 'web' },
    });
    await add('audit', 'consumer', { Enabled: false, Tags: { 'crossplane-name': 'audit' } });
    await add('gone', 'consumer');
    if (deletesFunctions) {
      await add('orders', 'late');
      await lambda.send(new DeleteFunctionCommand({ FunctionName: 'late' }));
    }
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'gone' }));
    await sqs.send(new DeleteQueueCommand({ QueueUrl }));
  }, 120_000);
  afterAll(async () => {
    lambda?.destroy();
    sqs?.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  it.skipIf(skip)('writes manifests that are in force already, and comments for orphans', async () => {
    const { code, stdout: out, stderr: err } = await run('--all');
    expect(code).toBe(0);
    const mappings = mappingsOf(validateText(out));
    expect(mappings.map(({ metadata }) => metadata.name)).toEqual(['consumer-audit', 'consumer-orders']);
    expect(out.match(/^# kind: .*$/gm)).toHaveLength(deletesFunctions ? 2 : 1);
    expect(err).toMatch(/aws: owned: consumer\/audit: .* belongs to Crossplane: audit/);
    expect(err).toMatch(/aws: orphan: consumer\/gone: .* the source does not exist/);
    if (deletesFunctions) expect(err).toMatch(/aws: orphan: late\/orders: .* the function does not exist/);
    expect(err).toMatch(/2 manifests, 0 not imported, 1 owned by other tools, [12] orphans\n$/);

    let writes = 0;
    lambda.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          if (!/^(Get|List)/.test(commandName ?? '')) writes++;
          return next(args);
        },
      { step: 'initialize', name: 'count', override: true },
    );
    const api = { ...mappingApi(lambda, () => Promise.resolve()), [Symbol.dispose]: () => undefined };
    const backend = new AwsBackend({ clusterID: 'test', recheckMs: 1000, api: () => api });
    for (const mapping of mappings) {
      const observed = await eventually(async () => {
        const observation = await backend.observe(subjectOf(mapping), new AbortController().signal);
        return observation.kind === 'changing' ? undefined : observation;
      });
      expect(observed).toMatchObject({ kind: 'current', facts: { mapping: { adopted: true } } });
    }
    expect(writes).toBe(0);
    const compared = await sluice(['diff', '-f', '-', '--cluster-id', 'test'], {
      env: awsEnvironment(server),
      input: out,
    });
    expect([compared.code, compared.stdout]).toEqual([0, '']);
  });

  it.skipIf(skip)('takes those of one function or one source, without a look at anything else', async () => {
    const { stdout: out } = await run('--source', queueArn('audit'), '--quick');
    expect(mappingsOf(validateText(out)).map(({ metadata }) => metadata.name)).toEqual(['consumer-audit']);
    const { stderr: err } = await run('--function', 'consumer', '--quick');
    expect(err).toMatch(/^3 manifests, /m);
  });
});

/** Lambda's list on loopback, page by page; whatever else is asked for is denied. */
async function startPages(pages: readonly (readonly object[])[]) {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://127.0.0.1');
    asked.push(`${request.method} ${url.pathname} ${url.searchParams.get('MaxItems') ?? ''}`);
    const isList = url.pathname === '/2015-03-31/event-source-mappings';
    const index = Number(url.searchParams.get('Marker') ?? 0);
    const next = index + 1 < pages.length ? { NextMarker: String(index + 1) } : {};
    response.writeHead(isList ? 200 : 403, {
      'content-type': 'application/json',
      ...(isList ? {} : { 'x-amzn-errortype': 'AccessDeniedException' }),
    });
    response.end(
      JSON.stringify(isList ? { EventSourceMappings: pages[index] ?? [], ...next } : { Message: 'not you' }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    env: awsEnvironment({
      ...testAccount,
      endpoint: `http://127.0.0.1:${port}`,
      [Symbol.asyncDispose]: async () => {},
    }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('sluice import aws of a large account', () => {
  const listed = (index: number): object => ({
    UUID: `14e0db71-5b35-4eb5-b481-${String(index).padStart(12, '0')}`,
    EventSourceArn: queueArn(`q${index}`),
    FunctionArn: `arn:aws:lambda:${testAccount.region}:${testAccount.accountId}:function:f`,
    State: 'Enabled',
    StateTransitionReason: 'USER_INITIATED',
  });
  const some = (from: number, count: number): object[] =>
    Array.from({ length: count }, (_, index) => listed(from + index));

  it('reads every page of 100, also behind an empty one', async () => {
    await using account = await startPages([some(0, 100), [], some(100, 7)]);
    const { stdout, stderr, code } = await sluice(['import', 'aws', '--all', '--quick'], {
      env: account.env,
    });
    expect([code, mappingsOf(validateText(stdout)).length]).toEqual([0, 107]);
    expect(stderr).toMatch(/^107 manifests, 0 not imported/m);
    expect(account.asked).toEqual(
      Array.from({ length: 3 }, () => 'GET /2015-03-31/event-source-mappings 100'),
    );
  });

  it('says what it was not allowed to look up, and tells progress', async () => {
    await using account = await startPages([some(0, 3)]);
    const args = ['import', 'aws', '--all', '--aws-requests-per-second', '2'];
    const { stdout, stderr, code } = await sluice(args, { env: account.env });
    expect([code, mappingsOf(validateText(stdout)).length]).toEqual([0, 3]);
    for (const action of ['lambda:ListTags', 'lambda:GetFunctionConfiguration', 'sqs:GetQueueUrl'])
      expect(stderr).toMatch(new RegExp(`note: ${action}: what it would tell is not known: `));
    expect(stderr).toMatch(/^Looked at \d of 3 mappings$/m);
  });
});
