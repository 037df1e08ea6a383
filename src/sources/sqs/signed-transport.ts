/**
 * The wire of a queue by Sluice's own signed requests: the same five calls, the same answers and the same errors as by
 * the SDK, at a fraction of the cost. Checks the MD5 of each body. Every call has an end.
 */
import type { HttpAnswer } from '../../aws/http-pool.ts';
import { pollTimeoutMs, type ClientLease } from '../../aws/clients.ts';
import type { PreparedCall, SignedClient } from '../../aws/sigv4-client.ts';
import { unreadableAnswer } from '../../aws/sigv4-error.ts';
import type { ReceiveRequest } from '../../poller/ports.ts';
import { recordsOfAnswer } from './signed-answer.ts';
import type { BatchEntry, BatchFailure, BatchResult, SqsTransport } from './transport.ts';

/** A settling call is short; one that hangs must end well before the visibility that it protects. */
const settleTimeoutMs = 10_000;
/** Receives differ in little more than how many messages they ask for. */
const preparedMax = 32;

/** A transport over `lease`, which it releases when closed. */
export function signedTransport(lease: ClientLease<SignedClient>): SqsTransport {
  const { client } = lease;
  const receives = new Map<string, PreparedCall>();

  const receiveCall = (queueUrl: string, request: ReceiveRequest): PreparedCall => {
    const key = `${request.max} ${request.waitSeconds} ${request.visibilitySeconds ?? ''} ${queueUrl}`;
    const known = receives.get(key);
    if (known !== undefined) return known;
    const call = client.prepare('ReceiveMessage', receiveBody(queueUrl, request));
    if (receives.size >= preparedMax) receives.clear();
    receives.set(key, call);
    return call;
  };

  const ask = async (operation: string, body: object, signal: AbortSignal): Promise<unknown> => {
    const call = client.prepare(operation, JSON.stringify(body));
    const answer = await client.send(call, settleTimeoutMs, signal);
    return read(answer, () => jsonOf(answer));
  };

  /** The answer that came last and what it says: nearly all say the same, that ten entries were carried out. */
  let last: { readonly body: Buffer; readonly result: BatchResult } | undefined;

  /** `more` is what each entry has beside id and receipt, as text. */
  const settle = async (
    operation: string,
    queueUrl: string,
    entries: readonly BatchEntry[],
    more: string,
    signal: AbortSignal,
  ): Promise<BatchResult> => {
    const call = client.prepare(operation, settleBody(queueUrl, entries, more));
    const answer = await client.send(call, settleTimeoutMs, signal);
    if (last?.body.equals(answer.body) === true) return last.result;
    const result = read(answer, () => resultOf(jsonOf(answer)));
    // A copy, since the answer may be a part of what a socket read.
    if (result.failed.length === 0) last = { body: Buffer.from(answer.body), result };
    return result;
  };

  return {
    findQueueUrl: async (name, accountID, signal) => {
      const owner = accountID === '' ? {} : { QueueOwnerAWSAccountId: accountID };
      return textOf(await ask('GetQueueUrl', { QueueName: name, ...owner }, signal), 'QueueUrl') ?? '';
    },

    attributes: async (queueUrl, signal) => {
      // All, because a standard queue refuses to be asked for FifoQueue.
      const body = { QueueUrl: queueUrl, AttributeNames: ['All'] };
      const attributes = memberOf(await ask('GetQueueAttributes', body, signal), 'Attributes') ?? {};
      return Object.fromEntries(Object.entries(attributes).filter(([, value]) => typeof value === 'string'));
    },

    receive: async (queueUrl, queue, request, signal) => {
      const answer = await client.send(receiveCall(queueUrl, request), pollTimeoutMs, signal);
      return read(answer, () => recordsOfAnswer(answer.body, queue, request.filteredBy));
    },

    deleteBatch: (queueUrl, entries, signal) => settle('DeleteMessageBatch', queueUrl, entries, '', signal),

    changeVisibilityBatch: (queueUrl, entries, seconds, signal) =>
      settle(
        'ChangeMessageVisibilityBatch',
        queueUrl,
        entries,
        `,"VisibilityTimeout":${JSON.stringify(seconds)}`,
        signal,
      ),

    close: async () => lease.release(),
  };
}

/** Joined by hand, since receipts are long and nearly never hold what JSON escapes. */
function settleBody(queueUrl: string, entries: readonly BatchEntry[], more: string): string {
  let text = `{"QueueUrl":${JSON.stringify(queueUrl)},"Entries":[`;
  let comma = '';
  for (const { id, receipt } of entries) {
    const quoted = plain.test(receipt) ? `"${receipt}"` : JSON.stringify(receipt);
    text += `${comma}{"Id":"${id}","ReceiptHandle":${quoted}${more}}`;
    comma = ',';
  }
  return `${text}]}`;
}

/** Printable ASCII that stands for itself in a JSON string. */
const plain = /^[ !#-[\]-~]*$/;

function jsonOf(answer: HttpAnswer): unknown {
  return JSON.parse(answer.body.toString('utf8')) as unknown;
}

function receiveBody(queueUrl: string, { max, waitSeconds, visibilitySeconds }: ReceiveRequest): string {
  return JSON.stringify({
    QueueUrl: queueUrl,
    MaxNumberOfMessages: max,
    WaitTimeSeconds: waitSeconds,
    MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'],
    VisibilityTimeout: visibilitySeconds,
  });
}

/** Reads an answer; one that is no JSON is told without a word of it. */
function read<T>(answer: HttpAnswer, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SyntaxError) throw unreadableAnswer(answer);
    throw error;
  }
}

function resultOf(answer: unknown): BatchResult {
  return {
    done: listOf(answer, 'Successful').flatMap((entry) => textOf(entry, 'Id') ?? []),
    failed: listOf(answer, 'Failed').map((entry): BatchFailure => ({
      id: textOf(entry, 'Id') ?? '',
      code: textOf(entry, 'Code') ?? 'Unknown',
      senderFault: memberOf(entry, 'SenderFault') === true,
      message: textOf(entry, 'Message') ?? '',
    })),
  };
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const member = memberOf(value, name);
  return Array.isArray(member) ? member : [];
}

function textOf(value: unknown, name: string): string | undefined {
  const member = memberOf(value, name);
  return typeof member === 'string' ? member : undefined;
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
