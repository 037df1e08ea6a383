import {
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  DeleteEventSourceMappingCommand,
  GetEventSourceMappingCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { describe, expect, test } from 'vitest';
import { startAwsFaultProxy } from '../support/aws-fault-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { type AwsServer, queueArn } from '../support/servers/aws-server.ts';
import { startElasticMq } from '../support/servers/elasticmq.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { lambdaZip } from '../support/servers/lambda-zip.ts';
import { startLocalEmu } from '../support/servers/localemu.ts';
import { startMiniStack } from '../support/servers/ministack.ts';

const clientOf = (server: AwsServer, endpoint = server.endpoint): SQSClient =>
  new SQSClient({ endpoint, region: server.region, credentials: server.credentials, maxAttempts: 1 });

const lambdaOf = (server: AwsServer): LambdaClient =>
  new LambdaClient({
    endpoint: server.endpoint,
    region: server.region,
    credentials: server.credentials,
    maxAttempts: 1,
  });

async function createQueue(sqs: SQSClient, name: string): Promise<string> {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  if (QueueUrl === undefined) throw new Error('no queue URL');
  return QueueUrl;
}

async function createFunction(
  lambda: LambdaClient,
  server: AwsServer,
  name: string,
  source: string,
): Promise<void> {
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: `arn:aws:iam::${server.accountId}:role/test`,
      Code: { ZipFile: lambdaZip(source) },
    }),
  );
  await eventually(async () => {
    const { Configuration } = await lambda.send(new GetFunctionCommand({ FunctionName: name }));
    return Configuration?.State !== 'Pending';
  });
}

/** Sends, receives and deletes a message. */
async function exchange(server: AwsServer): Promise<{ arn: unknown; received: unknown[]; deleted: number }> {
  const sqs = clientOf(server);
  const url = await createQueue(sqs, 'orders');
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }),
  );
  await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'hello' }));
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 1 }));
  const { Successful = [] } = await sqs.send(
    new DeleteMessageBatchCommand({
      QueueUrl: url,
      Entries: Messages.map((message, index) => ({
        Id: String(index),
        ReceiptHandle: message.ReceiptHandle,
      })),
    }),
  );
  return {
    arn: Attributes?.['QueueArn'],
    received: Messages.map((message) => message.Body),
    deleted: Successful.length,
  };
}

const exchanged = { arn: queueArn('orders'), received: ['hello'], deleted: 1 };

describe('fauxqs', () => {
  test('passes a message on', async () => {
    await using server = await startFauxqs();
    expect(await exchange(server)).toEqual(exchanged);
  });
});

describe.skipIf(isAbsent('elasticmq'))('ElasticMQ', () => {
  test('passes a message on and holds to the limits of SQS', async () => {
    await using server = await startElasticMq();
    expect(await exchange(server)).toEqual(exchanged);
    const sqs = clientOf(server);
    const url = await createQueue(sqs, 'strict');
    const tooMany = sqs.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 11 }));
    await expect(tooMany).rejects.toThrow(/ReadCountOutOfRange|MaxNumberOfMessages/);
  });
});

describe.skipIf(isAbsent('localemu'))('LocalEmu', () => {
  test('keeps mappings with their states and refuses a second one for the same pair', async () => {
    await using server = await startLocalEmu();
    await createQueue(clientOf(server), 'orders');
    const lambda = lambdaOf(server);
    await createFunction(lambda, server, 'consumer', 'export const handler = async () => ({});');
    const create = new CreateEventSourceMappingCommand({
      FunctionName: 'consumer',
      EventSourceArn: queueArn('orders'),
    });
    const { UUID, State } = await lambda.send(create);
    expect(State).toBe('Creating');
    await expect(lambda.send(create)).rejects.toThrow(/already exists/);
    await eventually(async () => {
      const mapping = await lambda.send(new GetEventSourceMappingCommand({ UUID }));
      return mapping.State === 'Enabled';
    });
    const deleted = await lambda.send(new DeleteEventSourceMappingCommand({ UUID }));
    expect(deleted.State).toBe('Deleting');
  });
});

describe.skipIf(isAbsent('ministack'))('MiniStack', () => {
  test('runs a function, tells its errors apart, and passes a message on', async () => {
    await using server = await startMiniStack();
    expect(await exchange(server)).toEqual(exchanged);
    const lambda = lambdaOf(server);
    const source = `export const handler = async (event) => {
      if (event.fail) throw new TypeError('as asked');
      return { seen: event.value };
    };`;
    await createFunction(lambda, server, 'echo', source);
    const invoke = async (event: object): Promise<{ error: string | undefined; payload: unknown }> => {
      const answer = await lambda.send(
        new InvokeCommand({ FunctionName: 'echo', Payload: JSON.stringify(event) }),
      );
      return {
        error: answer.FunctionError,
        payload: JSON.parse(answer.Payload?.transformToString() ?? 'null'),
      };
    };
    expect(await invoke({ value: 7 })).toEqual({ error: undefined, payload: { seen: 7 } });
    const failed = await invoke({ fail: true });
    expect(failed.error).toBe('Unhandled');
    expect(failed.payload).toMatchObject({ errorMessage: 'as asked' });
  });
});

describe('AwsFaultProxy', () => {
  test('lets calls through, throttles as often as asked, and loses an answer after the call took effect', async () => {
    await using server = await startFauxqs();
    await using proxy = await startAwsFaultProxy(server.endpoint);
    const sqs = clientOf(server, proxy.endpoint);
    const url = await createQueue(sqs, 'orders');
    proxy.inject({ operation: 'SendMessage', times: 1, fault: { kind: 'throttle' } });
    const send = (): Promise<unknown> =>
      sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'once' }));
    await expect(send()).rejects.toMatchObject({ name: 'ThrottlingException' });
    const stop = proxy.inject({ operation: 'SendMessage', fault: { kind: 'lostAnswer' } });
    await expect(send()).rejects.toThrow(/ECONNRESET|socket hang up/);
    stop();
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: url }));
    expect(Messages.map((message) => message.Body)).toEqual(['once']);
    expect(proxy.calls.map((call) => [call.operation, call.fault])).toEqual([
      ['CreateQueue', undefined],
      ['SendMessage', 'throttle'],
      ['SendMessage', 'lostAnswer'],
      ['ReceiveMessage', undefined],
    ]);
  });

  test("speaks Lambda's own throttling error on its paths", async () => {
    await using server = await startFauxqs();
    await using proxy = await startAwsFaultProxy(server.endpoint);
    proxy.inject({
      operation: 'CreateEventSourceMapping',
      fault: { kind: 'throttle', retryAfterSeconds: 3 },
    });
    const lambda = lambdaOf({ ...server, endpoint: proxy.endpoint });
    const call = lambda.send(new CreateEventSourceMappingCommand({ FunctionName: 'f' }));
    await expect(call).rejects.toMatchObject({ name: 'TooManyRequestsException', retryAfterSeconds: '3' });
  });
});
