import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
  type MessageAttributeValue,
} from '@aws-sdk/client-sqs';
import { AwsClients, type AwsClientKind } from '../../src/aws/clients.ts';
import { installationIdentity } from '../../src/aws/credentials.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { QueueSource } from '../../src/poller/ports.ts';
import { sources } from '../../src/sources/index.ts';
import { queueArn, type AwsServer } from '../support/servers/aws-server.ts';

/** What the contract suite needs of a world with queues: to make one, to send to it, to look into its DLQ. */
export interface QueueLab extends AsyncDisposable {
  readonly queue: (options?: QueueOptions) => Promise<LabQueue>;
  /** A source of a queue that does not exist. */
  readonly missing: () => QueueSource;
}

export interface QueueOptions {
  readonly fifo?: boolean;
  /** Default 30. */
  readonly visibilitySeconds?: number;
  /** Moves a message to a dead-letter queue after so many receives. */
  readonly maxReceiveCount?: number;
}

export interface LabQueue {
  readonly source: QueueSource;
  readonly arn: string;
  readonly send: (message: LabMessage) => Promise<void>;
  /** Bodies in the dead-letter queue now. */
  readonly deadLetters: () => Promise<readonly string[]>;
}

export interface LabMessage {
  readonly body: string;
  readonly group?: string;
  readonly attributes?: Record<string, MessageAttributeValue>;
}

/** A lab on an SQS server, read through one of Sluice's transports. Ends the server when disposed. */
export function sqsLab(server: AwsServer, pollClient: AwsClientKind): QueueLab {
  const credentials = async (): Promise<AwsServer['credentials']> => server.credentials;
  const clients = new AwsClients({
    version: '0.0.0',
    clock: systemClock,
    pollClient,
    endpoints: { sqs: server.endpoint },
    credentials,
  });
  const producer = new SQSClient({ endpoint: server.endpoint, region: server.region, credentials });
  const opened: QueueSource[] = [];
  let made = 0;

  const open = (name: string): QueueSource => {
    const source = sources.sqs.openQueue(
      { eventSourceARN: queueArn(name) },
      { clients, identity: installationIdentity },
    );
    opened.push(source);
    return source;
  };
  const create = async (name: string, Attributes: Record<string, string>): Promise<string> => {
    const { QueueUrl } = await producer.send(new CreateQueueCommand({ QueueName: name, Attributes }));
    return QueueUrl ?? '';
  };

  return {
    missing: () => open('no-such-queue'),
    queue: async ({ fifo = false, visibilitySeconds = 30, maxReceiveCount } = {}) => {
      const suffix = fifo ? '.fifo' : '';
      const name = `queue-${++made}`;
      const kind: Record<string, string> = fifo
        ? { FifoQueue: 'true', ContentBasedDeduplication: 'true' }
        : {};
      let dlqUrl: string | undefined;
      const redrive: Record<string, string> = {};
      if (maxReceiveCount !== undefined) {
        dlqUrl = await create(`${name}-dlq${suffix}`, kind);
        const { Attributes } = await producer.send(
          new GetQueueAttributesCommand({ QueueUrl: dlqUrl, AttributeNames: ['QueueArn'] }),
        );
        redrive['RedrivePolicy'] = JSON.stringify({
          deadLetterTargetArn: Attributes?.QueueArn,
          maxReceiveCount,
        });
      }
      const attributes = { ...kind, ...redrive, VisibilityTimeout: String(visibilitySeconds) };
      const QueueUrl = await create(name + suffix, attributes);
      return {
        source: open(name + suffix),
        arn: queueArn(name + suffix),
        send: async ({ body, group, attributes: MessageAttributes }) => {
          await producer.send(
            new SendMessageCommand({
              QueueUrl,
              MessageBody: body,
              ...(group === undefined ? {} : { MessageGroupId: group }),
              ...(MessageAttributes === undefined ? {} : { MessageAttributes }),
            }),
          );
        },
        deadLetters: async () => {
          const { Messages } = await producer.send(
            new ReceiveMessageCommand({ QueueUrl: dlqUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0 }),
          );
          return (Messages ?? []).map(({ Body }) => Body ?? '');
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      for (const source of opened) await source.close();
      producer.destroy();
      await clients[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
