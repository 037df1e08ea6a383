/**
 * An SQS message as the record of Lambda's event: pure, exact, and built as text, because the text is what is sent
 * and what is counted. The body's characters are kept as they came, lone surrogates included (JSON escapes them).
 * Values are never looked up by name in an object, so an attribute called `__proto__` is one like any other.
 */
import type { QueueRecord } from '../../poller/ports.ts';
import { filterableSqsRecord } from './filterable.ts';

/** What a transport must know of a received message; the SDK's `Message` is one. */
export interface SqsMessage {
  readonly MessageId?: string | undefined;
  readonly ReceiptHandle?: string | undefined;
  readonly Body?: string | undefined;
  readonly MD5OfBody?: string | undefined;
  readonly MD5OfMessageAttributes?: string | undefined;
  readonly Attributes?: Readonly<Record<string, string | undefined>> | undefined;
  readonly MessageAttributes?: Readonly<Record<string, SqsMessageAttribute | undefined>> | undefined;
}

export interface SqsMessageAttribute {
  readonly DataType?: string | undefined;
  readonly StringValue?: string | undefined;
  readonly BinaryValue?: Uint8Array | undefined;
  readonly StringListValues?: readonly string[] | undefined;
  readonly BinaryListValues?: readonly Uint8Array[] | undefined;
}

/** The queue that a message came from. */
export interface QueueOrigin {
  readonly arn: string;
  readonly region: string;
  readonly fifo: boolean;
}

/** The record of a message. */
export function toRecord(message: SqsMessage, queue: QueueOrigin): QueueRecord {
  const json = recordJson(message, queue);
  const attribute = (name: string): string | undefined =>
    message.Attributes !== undefined && Object.hasOwn(message.Attributes, name)
      ? message.Attributes[name]
      : undefined;
  return {
    id: message.MessageId ?? '',
    receipt: message.ReceiptHandle ?? '',
    json,
    bytes: Buffer.byteLength(json),
    // Standard queues take a group, too, for fair queues; only FIFO queues keep its order.
    lane: queue.fifo ? attribute('MessageGroupId') : undefined,
    receiveCount: count(attribute('ApproximateReceiveCount')),
    sentAtMs: Number(attribute('SentTimestamp') ?? 0) || 0,
    traceHeader: attribute('AWSTraceHeader'),
    filterable: () => filterableSqsRecord(JSON.parse(json)),
  };
}

/** The message as it stands in `Records`, in AWS's order of members. */
export function recordJson(message: SqsMessage, queue: QueueOrigin): string {
  const members = [
    member('messageId', message.MessageId ?? ''),
    member('receiptHandle', message.ReceiptHandle ?? ''),
    member('body', message.Body ?? ''),
    `"attributes":${systemAttributes(message.Attributes)}`,
    `"messageAttributes":${messageAttributes(message.MessageAttributes)}`,
  ];
  if (message.MD5OfMessageAttributes !== undefined) {
    members.push(member('md5OfMessageAttributes', message.MD5OfMessageAttributes));
  }
  members.push(
    member('md5OfBody', message.MD5OfBody ?? ''),
    '"eventSource":"aws:sqs"',
    member('eventSourceARN', queue.arn),
    member('awsRegion', queue.region),
  );
  return `{${members.join(',')}}`;
}

/** The whole event around records, as JSON text. */
export function envelope(records: readonly { readonly json: string }[]): string {
  // Not `join`, which would write it all out once more than who encodes it does.
  let text = '{"Records":[';
  let comma = '';
  for (const { json } of records) {
    text += comma + json;
    comma = ',';
  }
  return `${text}]}`;
}

/** Bytes that `envelope` adds: the frame, and a comma between two records. */
export function envelopeBytes(records: number): number {
  return '{"Records":[]}'.length + Math.max(0, records - 1);
}

function member(name: string, value: string): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
}

/** System attributes stay strings. AWS strips `SqsManagedSseEnabled`, which is a fact of the queue. */
function systemAttributes(attributes: SqsMessage['Attributes']): string {
  const members: string[] = [];
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && name !== 'SqsManagedSseEnabled') members.push(member(name, value));
  }
  return `{${members.join(',')}}`;
}

function messageAttributes(attributes: SqsMessage['MessageAttributes']): string {
  const members: string[] = [];
  for (const [name, value] of Object.entries(attributes ?? {})) {
    // The SDK loses the value of an attribute called `__proto__`; that must not fail the whole receive.
    if (value !== undefined) members.push(`${JSON.stringify(name)}:${messageAttribute(value)}`);
  }
  return `{${members.join(',')}}`;
}

function messageAttribute(value: SqsMessageAttribute): string {
  const members: string[] = [];
  if (value.StringValue !== undefined) members.push(member('stringValue', value.StringValue));
  if (value.BinaryValue !== undefined) members.push(member('binaryValue', base64(value.BinaryValue)));
  members.push(
    `"stringListValues":${JSON.stringify(value.StringListValues ?? [])}`,
    `"binaryListValues":${JSON.stringify((value.BinaryListValues ?? []).map(base64))}`,
    member('dataType', value.DataType ?? 'String'),
  );
  return `{${members.join(',')}}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function count(text: string | undefined): number {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : 1;
}
