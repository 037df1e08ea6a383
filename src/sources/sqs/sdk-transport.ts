/**
 * The wire of a queue by the AWS SDK. Checks the MD5 of each body (the SDK's default): a receive with a damaged body
 * is an error as a whole, and its messages come again after their visibility timeout. Every call has an end, also
 * against a server that never finishes its answer.
 */
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  type BatchResultErrorEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { pollTimeoutMs, type ClientLease } from '../../aws/clients.ts';
import { withDeadline } from '../../aws/deadline.ts';
import type { Clock } from '../../lib/clock.ts';
import { toRecord } from './record.ts';
import type { BatchResult, SqsTransport } from './transport.ts';

/** A settling call is short; one that hangs must end well before the visibility that it protects. */
const settleTimeoutMs = 10_000;

/** A transport over `lease`, which it releases when closed. */
export function sdkTransport(clock: Clock, lease: ClientLease<SQSClient>): SqsTransport {
  const { client } = lease;
  return {
    findQueueUrl: (name, accountID, signal) =>
      withDeadline(clock, settleTimeoutMs, signal, async (abortSignal) => {
        const command = new GetQueueUrlCommand({
          QueueName: name,
          ...(accountID === '' ? {} : { QueueOwnerAWSAccountId: accountID }),
        });
        return (await client.send(command, { abortSignal })).QueueUrl ?? '';
      }),

    attributes: (queueUrl, signal) =>
      withDeadline(clock, settleTimeoutMs, signal, async (abortSignal) => {
        // All, because a standard queue refuses to be asked for FifoQueue.
        const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['All'] });
        return { ...(await client.send(command, { abortSignal })).Attributes };
      }),

    receive: (queueUrl, queue, request, signal) =>
      withDeadline(clock, pollTimeoutMs, signal, async (abortSignal) => {
        const command = new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: request.max,
          WaitTimeSeconds: request.waitSeconds,
          MessageSystemAttributeNames: ['All'],
          MessageAttributeNames: ['All'],
          ...(request.visibilitySeconds === undefined
            ? {}
            : { VisibilityTimeout: request.visibilitySeconds }),
        });
        const answer = await client.send(command, { abortSignal });
        return (answer.Messages ?? []).map((message) => toRecord(message, queue));
      }),

    deleteBatch: (queueUrl, entries, signal) =>
      withDeadline(clock, settleTimeoutMs, signal, async (abortSignal) => {
        const command = new DeleteMessageBatchCommand({
          QueueUrl: queueUrl,
          Entries: entries.map(({ id, receipt }) => ({ Id: id, ReceiptHandle: receipt })),
        });
        return resultOf(await client.send(command, { abortSignal }));
      }),

    changeVisibilityBatch: (queueUrl, entries, seconds, signal) =>
      withDeadline(clock, settleTimeoutMs, signal, async (abortSignal) => {
        const command = new ChangeMessageVisibilityBatchCommand({
          QueueUrl: queueUrl,
          Entries: entries.map(({ id, receipt }) => ({
            Id: id,
            ReceiptHandle: receipt,
            VisibilityTimeout: seconds,
          })),
        });
        return resultOf(await client.send(command, { abortSignal }));
      }),

    close: async () => lease.release(),
  };
}

function resultOf(answer: {
  readonly Successful?: readonly { readonly Id: string | undefined }[] | undefined;
  readonly Failed?: readonly BatchResultErrorEntry[] | undefined;
}): BatchResult {
  return {
    done: (answer.Successful ?? []).flatMap(({ Id }) => Id ?? []),
    failed: (answer.Failed ?? []).map((entry) => ({
      id: entry.Id ?? '',
      code: entry.Code ?? 'Unknown',
      senderFault: entry.SenderFault ?? false,
      message: entry.Message ?? '',
    })),
  };
}
