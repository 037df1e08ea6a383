import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  envelope,
  envelopeBytes,
  recordJson,
  toRecord,
  type QueueOrigin,
  type SqsMessage,
} from '../../../../src/sources/sqs/record.ts';

const folder = new URL('../../../golden/events/', import.meta.url);

interface Golden {
  readonly message: SqsMessage;
  readonly queue: QueueOrigin;
  readonly record: unknown;
}

function golden(name: string): Golden {
  const text = readFileSync(new URL(name, folder), 'utf8');
  // Bytes are base64 in the file.
  return JSON.parse(text, (key, value: unknown) =>
    key === 'BinaryValue' ? Buffer.from(String(value), 'base64') : value,
  ) as Golden;
}

const queue: QueueOrigin = {
  arn: 'arn:aws:sqs:eu-west-1:111122223333:jobs',
  region: 'eu-west-1',
  fifo: false,
};

describe("a record of Lambda's event", () => {
  const names = readdirSync(folder).filter((name) => name.startsWith('sqs-'));
  test.each(names)('is exactly that of %s', (name) => {
    const { message, queue: origin, record } = golden(name);
    expect(recordJson(message, origin)).toBe(JSON.stringify(record));
  });

  test.each([
    ['{"a":1}', 'JSON'],
    ['{"a" : 1.0, "a":2}\r\n', 'JSON whose spelling would change'],
    ['\ud800 alone \udc00', 'lone surrogates'],
    ['\u2028\u2029\u007f', 'line ends that are none in JSON'],
    ['"\\\u0008\u000c</script>', 'what JSON must escape'],
    ['{"__proto__":{"polluted":true}}', 'a prototype'],
    [`${'['.repeat(50_000)}${']'.repeat(50_000)}`, 'deep nesting'],
    ['', 'nothing'],
    ['123456789012345678901234567890e999', 'a huge number'],
  ])('keeps the body %#: %s', (body) => {
    const parsed = JSON.parse(recordJson({ Body: body }, queue)) as { readonly body: string };
    expect(parsed.body).toBe(body);
  });

  test('keeps any code point in bodies and attributes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (body, value) => {
        const message = { Body: body, Attributes: { SenderId: value } };
        const parsed = JSON.parse(recordJson(message, queue)) as {
          readonly body: string;
          readonly attributes: { readonly SenderId: string };
        };
        expect([parsed.body, parsed.attributes.SenderId]).toEqual([body, value]);
      }),
    );
  });

  test('takes an attribute called __proto__ for one like any other', () => {
    const attributes = JSON.parse(
      '{"__proto__":{"DataType":"String","StringValue":"v"}}',
    ) as SqsMessage['MessageAttributes'];
    const json = recordJson({ Body: '', MessageAttributes: attributes }, queue);
    expect(json).toContain('"__proto__":{"stringValue":"v"');
  });

  test('has no MD5 of attributes where there are none', () => {
    expect(recordJson({ Body: '' }, queue)).not.toContain('md5OfMessageAttributes');
  });
});

describe('what the engine sees of a record', () => {
  const message = { MessageId: 'm', ReceiptHandle: 'r', Body: 'grüße 🙂', MD5OfBody: 'x' };

  test('counts bytes of UTF-8, not characters', () => {
    const record = toRecord(message, queue);
    expect(record.bytes).toBe(Buffer.byteLength(record.json));
    expect(record.bytes).toBeGreaterThan(record.json.length);
  });

  test.each<[boolean, string | undefined, string | undefined, string]>([
    [true, 'g', 'g', 'a FIFO queue keeps the order of a group'],
    [false, 'g', undefined, 'a fair queue has groups, too, but keeps no order'],
    [true, undefined, undefined, 'a server that sends no group'],
  ])('fifo %s, group %s: lane %s, since %s', (fifo, group, lane) => {
    const record = toRecord({ ...message, Attributes: { MessageGroupId: group } }, { ...queue, fifo });
    expect(record.lane).toBe(lane);
  });

  test('holds receive count, time of sending and trace header', () => {
    const record = toRecord(
      {
        ...message,
        Attributes: {
          ApproximateReceiveCount: '4',
          SentTimestamp: '1790000000123',
          AWSTraceHeader: 'Root=1-a-b',
        },
      },
      queue,
    );
    expect(record).toMatchObject({
      id: 'm',
      receipt: 'r',
      receiveCount: 4,
      sentAtMs: 1790000000123,
      traceHeader: 'Root=1-a-b',
    });
  });

  test.each([[undefined], ['0'], ['-1'], ['x'], ['1.5']])('takes the receive count %o for 1', (text) => {
    expect(toRecord({ ...message, Attributes: { ApproximateReceiveCount: text } }, queue).receiveCount).toBe(
      1,
    );
  });

  test('offers filters the body as the value that it holds', () => {
    expect(toRecord({ ...message, Body: '{"a":[1]}' }, queue).filterable()).toMatchObject({
      messageId: 'm',
      body: { a: [1] },
    });
    expect(toRecord({ ...message, Body: 'plain' }, queue).filterable()).toMatchObject({ body: 'plain' });
  });
});

test('the envelope is the records in order, and its overhead is counted to the byte', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 20 }), (bodies) => {
      const records = bodies.map((Body) => toRecord({ Body }, queue));
      const text = envelope(records);
      const parsed = JSON.parse(text) as { readonly Records: readonly { readonly body: string }[] };
      expect(parsed.Records.map(({ body }) => body)).toEqual(bodies);
      const counted = envelopeBytes(records.length) + records.reduce((sum, { bytes }) => sum + bytes, 0);
      expect(Buffer.byteLength(text)).toBe(counted);
    }),
  );
  expect(envelopeBytes(0)).toBe(Buffer.byteLength(envelope([])));
});
