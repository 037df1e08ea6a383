import {
  CreateAliasCommand,
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { eventually } from '../support/eventually.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { lambdaZip } from '../support/servers/lambda-zip.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { startRun } from '../support/sluice.ts';

/** Fails on the words `throw` and `partial`, at their first receive only. */
const handler = `export const handler = async (event) => {
  if (event.Records.some((record) => record.body === 'throw' && record.attributes.ApproximateReceiveCount === '1')) throw new Error('first time unlucky');
  return { batchItemFailures: event.Records.filter((record) => record.body === 'partial' && record.attributes.ApproximateReceiveCount === '1').map((record) => ({ itemIdentifier: record.messageId })) };
};`;

describe.skipIf(isAbsent('ministack'))('sluice run with a Lambda function', () => {
  let aws: AwsServer;
  let lambda: LambdaClient;
  beforeAll(async () => {
    aws = await startMiniStack();
    lambda = new LambdaClient({
      endpoint: aws.endpoint,
      region: aws.region,
      credentials: { ...aws.credentials },
    });
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'orders',
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: `arn:aws:iam::${aws.accountId}:role/lambda`,
        Code: { ZipFile: lambdaZip(handler) },
        Timeout: 10,
        Publish: true,
      }),
    );
    await lambda.send(new CreateAliasCommand({ FunctionName: 'orders', Name: 'live', FunctionVersion: '1' }));
  });
  afterAll(async () => {
    lambda.destroy();
    await aws[Symbol.asyncDispose]();
  });

  const manifest = (queue: TestQueue, functionName: string, spec: object = {}): string =>
    stringify({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name: 'orders' },
      spec: { mode: 'Poller', eventSourceARN: queue.arn, functionName, ...spec },
    });

  it('deletes what the function processed, and brings back what it failed', async () => {
    const queue = await createQueue(aws, { visibilitySeconds: 2 });
    await queue.send(['fine', 'throw', 'partial']);
    const spec = { batchSize: 1, functionResponseTypes: ['ReportBatchItemFailures'] };
    await using run = startRun(manifest(queue, 'orders:live', spec), { env: awsEnvironment(aws) });
    await eventually(() => queue.isEmpty(), { timeoutMs: 40_000, what: 'an empty queue' });
    expect(await run.sluice.metric('sluice_deleted_events_total')).toBe(3);
    expect(await run.sluice.metric('sluice_invocations_total', { outcome: 'failed' })).toBe(1);
    expect(await run.sluice.metric('sluice_failed_invoke_events_total')).toBe(2);
  });

  it('holds messages while the function does not exist, and spends no receive on it', async () => {
    const queue = await createQueue(aws, { visibilitySeconds: 2 });
    await queue.send(['waiting']);
    await using run = startRun(manifest(queue, 'not-there'), { env: awsEnvironment(aws) });
    const line = await run.sluice.logged('Stopped receiving, the target takes no batches');
    expect(line['reason']).toBe('FunctionNotFound');
    run.write(manifest(queue, 'orders'));
    await eventually(() => queue.isEmpty(), { timeoutMs: 40_000, what: 'an empty queue' });
    expect(await run.sluice.metric('sluice_polled_events_total')).toBe(1);
  });

  it('says when AWS Lambda reads the same queue', async () => {
    const queue = await createQueue(aws);
    await lambda.send(
      new CreateEventSourceMappingCommand({
        EventSourceArn: queue.arn,
        FunctionName: 'orders',
        Enabled: true,
      }),
    );
    await using run = startRun(manifest(queue, 'orders'), { env: awsEnvironment(aws) });
    const line = await run.sluice.logged('Found what is probably not meant', {
      reason: 'QueueHasLambdaMapping',
    });
    expect(line['detail']).toContain(':function:orders');
  });
});
