import { readFileSync } from 'node:fs';
import { HTTP, type CloudEventV1 } from 'cloudevents';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { QueueRecord, QueueSource } from '../../../../src/poller/ports.ts';
import { asCloudEvents } from '../../../../src/sources/cloud-events.ts';
import { sqsCloudEvent } from '../../../../src/sources/sqs/cloud-event.ts';
import {
  envelope,
  envelopeBytes,
  toRecord,
  type QueueOrigin,
  type SqsMessage,
} from '../../../../src/sources/sqs/record.ts';

const queue: QueueOrigin = {
  arn: 'arn:aws:sqs:eu-west-1:111122223333:jobs',
  region: 'eu-west-1',
  fifo: false,
};
const id = '7c1f0a52-1f0e-4a11-9d53-0a6f4b3f2c11';
const message = (more: Partial<SqsMessage> = {}): SqsMessage => ({
  MessageId: id,
  ReceiptHandle: 'AQEB',
  Body: 'hello',
  MD5OfBody: '5d41402abc4b2a76b9719d911017c592',
  Attributes: { ApproximateReceiveCount: '2', SentTimestamp: '1790000000123' },
  ...more,
});
const eventOf = (more: Partial<SqsMessage> = {}, origin = queue): Record<string, unknown> =>
  JSON.parse(sqsCloudEvent(toRecord(message(more), origin))) as Record<string, unknown>;
const withAttributes = (attributes: Record<string, string>): Partial<SqsMessage> => ({
  Attributes: { ...message().Attributes, ...attributes },
});
const withMessageAttribute = (name: string, value: string): Partial<SqsMessage> => ({
  MessageAttributes: { [name]: { DataType: 'String', StringValue: value } },
});

describe('the CloudEvent of a message', () => {
  test('is the message by its id, its queue and its time', () => {
    expect(eventOf()).toEqual({
      specversion: '1.0',
      id,
      source: queue.arn,
      type: 'com.amazonaws.sqs.message',
      time: '2026-09-21T14:13:20.123Z',
      receivecount: 2,
      datacontenttype: 'text/plain',
      data: 'hello',
    });
  });

  test.each([
    { body: '{"n":1}', data: { n: 1 }, type: 'application/json', why: 'a JSON object' },
    { body: ' [1, 2]\r\n', data: [1, 2], type: 'application/json', why: 'a JSON list with white space' },
    { body: '123', data: '123', type: 'text/plain', why: 'a number may be text as well' },
    { body: '"x"', data: '"x"', type: 'text/plain', why: 'so may a quoted word' },
    { body: '{n:1}', data: '{n:1}', type: 'text/plain', why: 'nearly JSON' },
    { body: '', data: '', type: 'text/plain', why: 'nothing' },
    { body: '{"a":1},"id":"x"', data: '{"a":1},"id":"x"', type: 'text/plain', why: 'nothing can break out' },
  ])('has the body as data: $why', ({ body, data, type }) => {
    expect(eventOf({ Body: body })).toMatchObject({ id, data, datacontenttype: type });
  });

  test('keeps the very text of a JSON body, so that no number loses a digit', () => {
    const body = '{"amount": 12345678901234567890.10, "a":1, "a":2}';
    expect(sqsCloudEvent(toRecord(message({ Body: body }), queue))).toContain(`"data":${body}}`);
  });

  test('names the group of a FIFO queue as subject and partition key, with its sequence', () => {
    const attributes = {
      MessageGroupId: 'customer-42',
      MessageDeduplicationId: 'd-1',
      SequenceNumber: '18849496460467696128',
    };
    expect(eventOf(withAttributes(attributes))).toMatchObject({
      subject: 'customer-42',
      partitionkey: 'customer-42',
      sequence: '18849496460467696128',
      deduplicationid: 'd-1',
    });
  });

  test('tells from which queue a redriven message came', () => {
    const source = 'arn:aws:sqs:eu-west-1:111122223333:first';
    expect(eventOf(withAttributes({ DeadLetterQueueSourceArn: source }))).toMatchObject({
      deadlettersource: source,
    });
  });

  test.each([
    {
      more: withAttributes({
        AWSTraceHeader: 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1',
      }),
      traceparent: '00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01',
      why: "of the message's X-Ray header",
    },
    {
      more: withAttributes({ AWSTraceHeader: 'Root=1-5759e988-bd862e3fe1be46a994272793' }),
      traceparent: '00-5759e988bd862e3fe1be46a994272793-7c1f0a521f0e4a11-01',
      why: 'of one that names no span: the message stands for it',
    },
    {
      more: withMessageAttribute('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      why: 'that the producer attached itself',
    },
    {
      more: withMessageAttribute('traceparent', 'nonsense'),
      traceparent: undefined,
      why: 'only if it is one',
    },
    {
      more: withAttributes({ AWSTraceHeader: 'nonsense' }),
      traceparent: undefined,
      why: 'only if it is one',
    },
  ])('has the trace context $why', ({ more, traceparent }) => {
    expect(eventOf(more)['traceparent']).toBe(traceparent);
  });

  test.each([
    { name: 'tier', value: 'gold', extension: 'attrtier', why: 'as it is' },
    {
      name: 'Content-Type',
      value: 'a/b',
      extension: 'attrcontenttype',
      why: 'letters and digits, in lower case',
    },
    { name: 'id', value: 'x', extension: 'attrid', why: 'never one of our own' },
    { name: '__proto__', value: 'x', extension: 'attrproto', why: 'not even of JavaScript' },
  ])('has the message attribute $name as extension: $why', ({ name, value, extension }) => {
    const event = eventOf({
      MessageAttributes: Object.fromEntries([[name, { DataType: 'String', StringValue: value }]]),
    });
    expect(event[extension]).toBe(value);
    expect(event['id']).toBe(id);
  });

  test('has a binary message attribute in base64', () => {
    const blob = { DataType: 'Binary', BinaryValue: Buffer.from([0, 255]) };
    expect(eventOf({ MessageAttributes: { blob } })).toMatchObject({ attrblob: 'AP8=' });
  });

  test('leaves out what no context attribute may hold', () => {
    const event = eventOf({
      ...withMessageAttribute('note', 'two\nlines'),
      Attributes: { ApproximateReceiveCount: 'x', SentTimestamp: 'x', MessageGroupId: '' },
    });
    for (const name of ['attrnote', 'time', 'subject', 'receivecount'])
      expect(event).not.toHaveProperty(name);
  });

  test('is valid for the CloudEvents SDK whatever the message holds', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    const names = fc.string({ minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(
        fc.oneof(text, fc.json()),
        fc.dictionary(names, text, { maxKeys: 4 }),
        fc.record(
          { MessageGroupId: text, MessageDeduplicationId: text, AWSTraceHeader: text, SequenceNumber: text },
          { requiredKeys: [] },
        ),
        (body, attributes, more) => {
          const MessageAttributes = Object.fromEntries(
            Object.entries(attributes).map(([name, value]) => [
              name,
              { DataType: 'String', StringValue: value },
            ]),
          );
          const record = toRecord(
            { ...message({ Body: body }), MessageAttributes, ...withAttributes(more) },
            queue,
          );
          const [event] = received([record]);
          expect(event?.id).toBe(id);
          expect(event?.validate()).toBe(true);
        },
      ),
    );
  });
});

interface Received extends CloudEventV1<unknown> {
  validate(): boolean;
}

/** The batch as the CloudEvents SDK reads it, through UTF-8. */
function received(records: readonly QueueRecord[]): readonly Received[] {
  const body = Buffer.from(cloudQueue([]).envelope(records)).toString('utf8');
  return HTTP.toEvent({
    headers: { 'content-type': 'application/cloudevents-batch+json' },
    body,
  }) as unknown as readonly Received[];
}

/** A queue that gives `records`, encoded as CloudEvents. */
function cloudQueue(records: readonly QueueRecord[]): QueueSource {
  const unused = async (): Promise<never> => {
    throw new Error('not used');
  };
  return asCloudEvents(
    {
      type: 'sqs',
      limits: { receiveMax: 10, holdMaxMs: 1000 },
      describe: unused,
      receive: async () => records,
      settle: unused,
      extend: unused,
      envelope,
      envelopeBytes,
      close: async () => undefined,
    },
    sqsCloudEvent,
  );
}

describe('a queue of CloudEvents', () => {
  const records = ['{"n":1}', 'grün', ''].map((body, index) =>
    toRecord(message({ Body: body, MessageId: `m-${index}` }), queue),
  );

  test('counts bytes as they are sent', async () => {
    const source = cloudQueue(records);
    const taken = await source.receive({ max: 10, waitSeconds: 0 }, new AbortController().signal);
    for (let count = 0; count <= taken.length; count++) {
      const some = taken.slice(0, count);
      const bytes = some.reduce((sum, record) => sum + record.bytes, source.envelopeBytes(count));
      expect(Buffer.byteLength(source.envelope(some))).toBe(bytes);
    }
  });

  test('lets filters see the record of the Lambda event, and keeps what settles it', async () => {
    const source = cloudQueue(records);
    const [first] = await source.receive({ max: 10, waitSeconds: 0 }, new AbortController().signal);
    expect(first?.filterable()).toMatchObject({ messageId: 'm-0', body: { n: 1 } });
    expect(first).toMatchObject({ id: 'm-0', receipt: 'AQEB', receiveCount: 2 });
  });

  test('gives a batch in the order of its records', () => {
    expect(received(records).map((event) => event.id)).toEqual(['m-0', 'm-1', 'm-2']);
    expect(received(records).map((event) => event.data)).toEqual([{ n: 1 }, 'grün', '']);
  });

  test('carries the ARN of any partition as source', () => {
    const arn = 'arn:aws-cn:sqs:cn-north-1:111122223333:jobs';
    const record = toRecord(message(), { arn, region: 'cn-north-1', fifo: false });
    expect(received([record])[0]?.source).toBe(arn);
  });

  test('keeps the golden records deliverable', () => {
    for (const name of ['sqs-standard', 'sqs-fifo', 'sqs-attributes']) {
      const file = new URL(`../../../golden/events/${name}.json`, import.meta.url);
      const { record } = JSON.parse(readFileSync(file, 'utf8')) as { record: { messageId: string } };
      const json = JSON.stringify(record);
      const [event] = received([{ ...toRecord(message(), queue), json }]);
      expect(event?.id).toBe(record.messageId);
    }
  });
});
