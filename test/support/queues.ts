import { randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
  type MessageAttributeValue,
} from '@aws-sdk/client-sqs';
import type { AwsServer } from './servers/aws-server.ts';

/** A queue of a test on an emulator, seen from outside: what was sent, what is left. */
export class TestQueue {
  readonly name: string;
  readonly arn: string;
  readonly url: string;
  readonly sqs: SQSClient;

  constructor(sqs: SQSClient, name: string, arn: string, url: string) {
    this.sqs = sqs;
    this.name = name;
    this.arn = arn;
    this.url = url;
  }

  /** Sends bodies in tens and gives their message ids in order. */
  async send(
    bodies: readonly string[],
    options: {
      readonly group?: (index: number) => string;
      readonly attributes?: Record<string, MessageAttributeValue>;
    } = {},
  ): Promise<string[]> {
    const ids: string[] = [];
    for (let from = 0; from < bodies.length; from += 10) {
      const entries = bodies.slice(from, from + 10).map((body, offset) => ({
        Id: String(offset),
        MessageBody: body,
        ...(options.attributes === undefined ? {} : { MessageAttributes: options.attributes }),
        ...(options.group === undefined
          ? {}
          : { MessageGroupId: options.group(from + offset), MessageDeduplicationId: randomUUID() }),
      }));
      const { Successful = [], Failed = [] } = await this.sqs.send(
        new SendMessageBatchCommand({ QueueUrl: this.url, Entries: entries }),
      );
      if (Failed.length > 0) throw new Error(`could not send: ${JSON.stringify(Failed)}`);
      const sorted = Successful.toSorted((left, right) => Number(left.Id) - Number(right.Id));
      ids.push(...sorted.map((entry) => entry.MessageId ?? ''));
    }
    return ids;
  }

  async counts(): Promise<{ readonly visible: number; readonly inFlight: number }> {
    const { Attributes = {} } = await this.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: this.url, AttributeNames: ['All'] }),
    );
    return {
      visible: Number(Attributes['ApproximateNumberOfMessages'] ?? 0),
      inFlight: Number(Attributes['ApproximateNumberOfMessagesNotVisible'] ?? 0),
    };
  }

  /** True when the queue holds nothing, visible or not. */
  async isEmpty(): Promise<boolean> {
    const { visible, inFlight } = await this.counts();
    return visible === 0 && inFlight === 0;
  }

  /** Takes what is visible now, with how often each message was received. */
  async take(): Promise<
    readonly { readonly id: string; readonly body: string; readonly receiveCount: number }[]
  > {
    const { Messages = [] } = await this.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: this.url,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 0,
        MessageSystemAttributeNames: ['All'],
      }),
    );
    return Messages.map((message) => ({
      id: message.MessageId ?? '',
      body: message.Body ?? '',
      receiveCount: Number(message.Attributes?.['ApproximateReceiveCount'] ?? 0),
    }));
  }
}

export function sqsClient(server: AwsServer): SQSClient {
  return new SQSClient({
    endpoint: server.endpoint,
    region: server.region,
    credentials: { ...server.credentials },
  });
}

/** Makes a queue with a name of its own. */
export async function createQueue(
  server: AwsServer,
  options: {
    readonly fifo?: boolean;
    readonly visibilitySeconds?: number;
    readonly redrive?: { readonly to: TestQueue; readonly maxReceiveCount: number };
  } = {},
): Promise<TestQueue> {
  const sqs = sqsClient(server);
  const name = `q-${randomUUID().slice(0, 8)}${options.fifo === true ? '.fifo' : ''}`;
  const { QueueUrl = '' } = await sqs.send(
    new CreateQueueCommand({
      QueueName: name,
      Attributes: {
        VisibilityTimeout: String(options.visibilitySeconds ?? 30),
        ...(options.fifo === true ? { FifoQueue: 'true' } : {}),
        ...(options.redrive === undefined
          ? {}
          : {
              RedrivePolicy: JSON.stringify({
                deadLetterTargetArn: options.redrive.to.arn,
                maxReceiveCount: options.redrive.maxReceiveCount,
              }),
            }),
      },
    }),
  );
  return new TestQueue(sqs, name, `arn:aws:sqs:${server.region}:${server.accountId}:${name}`, QueueUrl);
}
