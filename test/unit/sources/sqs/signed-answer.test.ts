import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { QueueRecord } from '../../../../src/poller/ports.ts';
import { toRecord } from '../../../../src/sources/sqs/record.ts';
import { DamagedBodyError, recordsOfAnswer } from '../../../../src/sources/sqs/signed-answer.ts';

const queue = { arn: 'arn:aws:sqs:eu-west-1:111122223333:jobs.fifo', region: 'eu-west-1', fifo: true };
const md5 = (body: string): string => createHash('md5').update(body).digest('hex');

/** What the SDK makes of a message of the wire: the same members, with bytes decoded. */
interface WireMessage {
  readonly Body?: string;
  readonly Attributes?: Record<string, string>;
  readonly MessageAttributes?: Record<
    string,
    { DataType: string; StringValue?: string; BinaryValue?: string }
  >;
  readonly [member: string]: unknown;
}

function viaSdk(message: WireMessage): QueueRecord {
  const MessageAttributes = Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => {
    const { BinaryValue, ...rest } = value;
    const bytes = BinaryValue === undefined ? {} : { BinaryValue: Buffer.from(BinaryValue, 'base64') };
    return [name, { ...rest, ...bytes }] as const;
  });
  const sdk = { ...message, MessageAttributes: Object.fromEntries(MessageAttributes) };
  return toRecord(sdk, queue);
}

function plain(record: QueueRecord): object {
  expect(record.bytes).toBe(Buffer.byteLength(record.json));
  return { ...record, json: '', bytes: 0, filterable: undefined, event: JSON.parse(record.json) as unknown };
}

/** What comes of an answer, and what the SDK would have made of its messages. */
function bothWays(list: readonly WireMessage[], answer: Buffer): Record<'ours' | 'theirs', object[]> {
  const seen = (record: QueueRecord): object => ({ ...plain(record), filterable: record.filterable() });
  // For a filter that reads the body alone, asked once and asked again.
  const filtered = recordsOfAnswer(answer, queue, new Set(['body']));
  for (const [index, record] of filtered.entries()) {
    const { body: expected } = viaSdk(list[index] ?? {}).filterable() as { body: unknown };
    for (const value of [record.filterable(), record.filterable()])
      expect((value as { body: unknown }).body).toEqual(expected);
  }
  return {
    ours: recordsOfAnswer(answer, queue).map(seen),
    theirs: list.map((each) => seen(viaSdk(each))),
  };
}

function message(Body: string, more: Partial<WireMessage> = {}): WireMessage {
  return {
    Attributes: { ApproximateReceiveCount: '3', SentTimestamp: '1790000000000', MessageGroupId: 'g' },
    Body,
    MD5OfBody: md5(Body),
    MessageId: 'm-1',
    ReceiptHandle: 'r+/=',
    ...more,
  };
}

/** Characters of every kind that JSON treats in its own way, and texts that look like the answer's own members. */
const body = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        '"',
        '\\',
        '","MD5OfBody":"',
        '"},{"',
        '\\"',
        '{',
        '}',
        '\ud800',
        '\udfff',
        '\u0000',
        '\n',
        '\u2028',
        'é',
        '日',
        '😀',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
  fc.json().map((text) => text),
);
const name = fc.constantFrom(
  'SenderId',
  'AWSTraceHeader',
  'SqsManagedSseEnabled',
  'SentTimestamp',
  'MessageGroupId',
  'ApproximateReceiveCount',
  'x"y',
  '__proto__',
  'Größe',
);
const attributes = fc.dictionary(
  name,
  fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('1', '17', '', 'a"b')),
);
const messageAttributes = fc.dictionary(
  fc.constantFrom('tier', 'blob', '__proto__', 'ü'),
  fc.oneof(
    fc.record({ DataType: fc.constant('String'), StringValue: fc.string({ unit: 'binary' }) }),
    fc.record({ DataType: fc.constant('Binary'), BinaryValue: fc.base64String() }),
  ),
);
const messages = fc.array(
  fc
    .record(
      {
        text: body,
        Attributes: attributes,
        MessageAttributes: messageAttributes,
        MD5OfMessageAttributes: fc.constant('0'.repeat(32)),
        MessageId: fc.oneof(fc.uuid(), fc.string()),
        ReceiptHandle: fc.oneof(fc.base64String(), fc.string({ unit: 'binary' })),
      },
      { requiredKeys: ['text', 'MessageId', 'ReceiptHandle'] },
    )
    .map(({ text, ...more }) => message(text, more)),
  { maxLength: 10 },
);

/** JSON text of a value as some server may write it. */
const spellings: Readonly<Record<string, (value: unknown) => string>> = {
  'as AWS': (value) => JSON.stringify(value),
  'with blanks': (value) => JSON.stringify(value, undefined, 1),
  'all escaped': (value) =>
    JSON.stringify(value).replaceAll(
      /[\u0080-\uffff]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  'in another order': (value) =>
    JSON.stringify(value, (_key, each: unknown) =>
      typeof each === 'object' && each !== null && 'MessageId' in each
        ? Object.fromEntries(Object.entries(each).toReversed())
        : each,
    ),
};

describe('records cut from an answer', () => {
  test.each(Object.keys(spellings))('give the event that the SDK gives, spelled %s', (spelling) => {
    const spell = spellings[spelling] ?? JSON.stringify;
    fc.assert(
      fc.property(messages, (list) => {
        const { ours, theirs } = bothWays(list, Buffer.from(spell({ Messages: list })));
        expect(ours).toEqual(theirs);
      }),
      { numRuns: 300 },
    );
  });

  test.each<{ why: string; list: readonly WireMessage[] }>([
    {
      why: 'members that change their places between messages',
      list: [
        message('a'),
        Object.fromEntries(Object.entries(message('","MD5OfBody":"')).toReversed()),
        message('b'),
      ],
    },
    { why: 'a body of 1 MiB that is all escapes', list: [message('"\\'.repeat(524_288)), message('small')] },
    { why: 'a message without a body', list: [{ MessageId: 'm', ReceiptHandle: 'r', MD5OfBody: md5('') }] },
    { why: 'attributes that are null', list: [message('a', { Attributes: undefined as never })] },
    { why: 'a member that nobody knows', list: [message('a', { Tomorrow: { a: ['}'] } })] },
    { why: 'long attributes', list: [message('a', { Attributes: { SenderId: 'x'.repeat(20_000) } })] },
  ])('are right for $why', ({ list }) => {
    const { ours, theirs } = bothWays(list, Buffer.from(JSON.stringify({ Messages: list })));
    expect(ours).toEqual(theirs);
  });

  test.each(['', '{}', '{"Messages":[]}', '{"Messages":null}', ' {} '])('are none for %j', (text) => {
    expect(recordsOfAnswer(Buffer.from(text), queue)).toEqual([]);
  });

  test.each(['<html>', '{"Messages":[', '{"Messages":{}}', '[', '{"Messages":[{"Body":"a\u0001"}]}'])(
    'are not made of %j',
    (text) => {
      expect(() => recordsOfAnswer(Buffer.from(text), queue)).toThrow(SyntaxError);
    },
  );

  test('copy the spelling of the body, and do not change a number of it', () => {
    const text = `{"Messages":[{"Body":"{\\u0022n\\u0022:1e999,\\"k\\":-0}","MD5OfBody":"${md5('{"n":1e999,"k":-0}')}","MessageId":"m","ReceiptHandle":"r"}]}`;
    const [record] = recordsOfAnswer(Buffer.from(text), queue);
    expect(record?.json).toContain('"body":"{\\u0022n\\u0022:1e999,\\"k\\":-0}"');
  });

  test.each<[string, (list: WireMessage[]) => unknown]>([
    ['the quick way', (list) => ({ Messages: list })],
    ['the long way', (list) => ({ Messages: list, More: 1 })],
  ])('fail as a whole when one body is damaged, by %s', (_way, answer) => {
    const list = [message('a'), message('b', { MD5OfBody: md5('c'), MessageId: 'm-2' })];
    const text = Buffer.from(JSON.stringify(answer(list)));
    expect(() => recordsOfAnswer(text, queue)).toThrow(DamagedBodyError);
    expect(() => recordsOfAnswer(text, queue)).toThrow(/m-2/);
  });
});
