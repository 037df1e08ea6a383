import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { QueueRecord, QueueSource } from '../../src/poller/ports.ts';
import { eventually } from '../support/eventually.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { startElasticMq } from '../support/servers/elasticmq.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sqsLab, type QueueLab } from './queue-lab.ts';

interface Lab {
  readonly name: string;
  /** The machine cannot run its server. */
  readonly absent: boolean;
  /** Whether it refuses a receipt that was never given out, as AWS does. */
  readonly checksReceipts: boolean;
  readonly open: () => Promise<QueueLab>;
}

/** Every implementation of `QueueSource`, each against a server that it did not come with. */
const labs: readonly Lab[] = (['signed', 'sdk'] as const).flatMap((client) => [
  {
    name: `the ${client} client against fauxqs`,
    absent: false,
    checksReceipts: false,
    open: async () => sqsLab(await startFauxqs(), client),
  },
  {
    name: `the ${client} client against ElasticMQ`,
    absent: isAbsent('elasticmq'),
    checksReceipts: true,
    open: async () => sqsLab(await startElasticMq(), client),
  },
]);

const never = new AbortController().signal;
const now = { max: 10, waitSeconds: 0 };

/** Receives until `count` records are in hand. */
async function receive(source: QueueSource, count: number): Promise<QueueRecord[]> {
  const records: QueueRecord[] = [];
  await eventually(async () => {
    records.push(
      ...(await source.receive({ max: Math.min(10, count - records.length), waitSeconds: 1 }, never)),
    );
    return records.length >= count;
  });
  return records;
}

async function receiveOne(source: QueueSource): Promise<QueueRecord> {
  const [record] = await receive(source, 1);
  if (record === undefined) throw new Error('nothing was received');
  return record;
}

function eventRecord(record: QueueRecord): Record<string, unknown> {
  return JSON.parse(record.json) as Record<string, unknown>;
}

const bodyOf = (record: QueueRecord): unknown => eventRecord(record)['body'];

describe.each(labs)('$name', ({ absent, checksReceipts, open }) => {
  describe.skipIf(absent)('a queue source', () => {
    let lab: QueueLab;
    beforeAll(async () => {
      lab = await open();
    });
    afterAll(() => lab[Symbol.asyncDispose]());

    test('tells the facts of a standard queue', async () => {
      const { source, send } = await lab.queue({ visibilitySeconds: 7 });
      await send({ body: 'a' });
      await eventually(async () => (await source.describe(never)).backlog.visible === 1);
      const facts = await source.describe(never);
      expect(facts).toMatchObject({ fifo: false, visibilityTimeoutMs: 7000 });
      expect(facts.maxReceiveCount).toBeUndefined();
    });

    test('tells the facts of a FIFO queue with a dead-letter queue', async () => {
      const { source } = await lab.queue({ fifo: true, maxReceiveCount: 3 });
      expect(await source.describe(never)).toMatchObject({ fifo: true, maxReceiveCount: 3 });
    });

    test('gives nothing when there is nothing', async () => {
      const { source } = await lab.queue();
      expect(await source.receive(now, never)).toEqual([]);
    });

    test('waits for a message in a long poll', async () => {
      const { source, send } = await lab.queue();
      const poll = source.receive({ max: 10, waitSeconds: 20 }, never);
      await send({ body: 'late' });
      expect((await poll).map(bodyOf)).toEqual(['late']);
    });

    test('ends a long poll soon after the signal aborts', async () => {
      const { source } = await lab.queue();
      const controller = new AbortController();
      const poll = source.receive({ max: 10, waitSeconds: 20 }, controller.signal);
      controller.abort(new Error('draining'));
      await expect(poll).rejects.toThrow('draining');
    });

    test('gives at most what was asked for', async () => {
      const { source, send } = await lab.queue();
      for (const body of ['a', 'b', 'c']) await send({ body });
      expect((await source.receive({ max: 2, waitSeconds: 1 }, never)).length).toBeLessThanOrEqual(2);
    });

    test('gives records as Lambda gives them, with all attributes', async () => {
      const { source, send, arn } = await lab.queue();
      await send({
        body: '{"n": 1}',
        attributes: {
          tier: { DataType: 'String', StringValue: 'gold' },
          blob: { DataType: 'Binary', BinaryValue: Uint8Array.of(0, 1, 255) },
        },
      });
      const record = await receiveOne(source);
      expect(eventRecord(record)).toMatchObject({
        messageId: record.id,
        receiptHandle: record.receipt,
        body: '{"n": 1}',
        attributes: {
          ApproximateReceiveCount: '1',
          SentTimestamp: String(record.sentAtMs),
          SenderId: expect.any(String) as unknown,
        },
        messageAttributes: {
          tier: { stringValue: 'gold', stringListValues: [], binaryListValues: [], dataType: 'String' },
          blob: { binaryValue: 'AAH/', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
        },
        eventSource: 'aws:sqs',
        eventSourceARN: arn,
        awsRegion: 'eu-central-1',
      });
      expect(record.receiveCount).toBe(1);
      expect(record.sentAtMs).toBeGreaterThan(1_700_000_000_000);
      expect(record.filterable()).toMatchObject({ body: { n: 1 } });
    });

    test.each([
      ['deep nesting', `${'['.repeat(5000)}${']'.repeat(5000)}`],
      ['prototypes', '{"__proto__":{"a":1},"constructor":{"prototype":{}}}'],
      ['numbers that no double holds', `{"n":1e999,"m":${'9'.repeat(400)},"k":-0}`],
      // No character beyond the first 65,536: fauxqs refuses those, though SQS takes them.
      ['characters beyond ASCII', 'grüße \u2028\u2029 日本'],
      ['spelling that must not change', '{"a": 1,\r\n\t"a":2 }'],
      ['no JSON', 'not JSON at all "\\'],
      ['200 kB', 'ä'.repeat(100_000)],
    ])('keeps a body of %s', async (_what, body) => {
      const { source, send } = await lab.queue();
      await send({ body });
      const record = await receiveOne(source);
      expect(bodyOf(record) === body).toBe(true);
      expect(record.bytes).toBe(Buffer.byteLength(record.json));
    });

    test('deletes any number of records, and what is deleted is gone', async () => {
      const { source, send } = await lab.queue();
      for (let index = 0; index < 25; index++) await send({ body: String(index) });
      const records = await receive(source, 25);
      expect(await source.settle(records, never)).toEqual([]);
      await eventually(async () => {
        const { backlog } = await source.describe(never);
        return backlog.visible + backlog.inFlight === 0;
      });
    });

    test('deletes a message twice without a complaint that asks for a third time', async () => {
      const { source, send } = await lab.queue();
      await send({ body: 'a' });
      const record = await receiveOne(source);
      expect(await source.settle([record], never)).toEqual([]);
      expect((await source.settle([record], never)).filter(({ retryable }) => retryable)).toEqual([]);
    });

    // Elsewhere a receipt that nobody gave out is deleted with success.
    test.runIf(checksReceipts)(
      'reports a receipt that the queue does not know, and deletes the others',
      async () => {
        const { source, send } = await lab.queue();
        for (const body of ['a', 'b']) await send({ body });
        const records = await receive(source, 2);
        const bogus = { ...(records[0] as QueueRecord), receipt: 'never-given-out' };
        const left = await source.settle([bogus, ...records], never);
        expect(left.map(({ record, retryable }) => [record.receipt, retryable])).toEqual([
          [bogus.receipt, false],
        ]);
        await eventually(async () => {
          const { backlog } = await source.describe(never);
          return backlog.visible + backlog.inFlight === 0;
        });
      },
    );

    test('makes a message visible at once, and counts its receives', async () => {
      const { source, send } = await lab.queue();
      await send({ body: 'a' });
      const first = await receiveOne(source);
      expect(await source.extend([first], 0, never)).toEqual([]);
      const second = await receiveOne(source);
      expect([second.id, second.receiveCount]).toEqual([first.id, 2]);
      expect(second.receipt).not.toBe(first.receipt);
    });

    test('gives a message again when its visibility ends, unless it was extended', async () => {
      const { source, send } = await lab.queue({ visibilitySeconds: 2 });
      for (const body of ['extended', 'left alone']) await send({ body });
      const records = await receive(source, 2);
      const extended = records.filter((record) => bodyOf(record) === 'extended');
      expect(await source.extend(extended, 60, never)).toEqual([]);
      const again = await receive(source, 1);
      expect(again.map(bodyOf)).toEqual(['left alone']);
      expect(await source.receive(now, never)).toEqual([]);
    });

    test('takes a visibility for the messages of one receive', async () => {
      const { source, send } = await lab.queue({ visibilitySeconds: 600 });
      await send({ body: 'a' });
      await eventually(async () => {
        const records = await source.receive({ max: 1, waitSeconds: 1, visibilitySeconds: 1 }, never);
        return records.length === 1;
      });
      expect((await receiveOne(source)).receiveCount).toBe(2);
    });

    test('leaves a message to the redrive policy after its receives', async () => {
      const { source, send, deadLetters } = await lab.queue({ maxReceiveCount: 2 });
      await send({ body: 'poison' });
      for (let receives = 0; receives < 2; receives++) {
        await source.extend([await receiveOne(source)], 0, never);
      }
      await eventually(async () => {
        expect(await source.receive(now, never)).toEqual([]);
        return (await deadLetters()).includes('poison');
      });
    });

    test('keeps the order of a FIFO group, names it as lane, and holds the group while one of it is in hand', async () => {
      const { source, send } = await lab.queue({ fifo: true });
      for (const body of ['a1', 'a2', 'a3']) await send({ body, group: 'a' });
      for (const body of ['b1', 'b2']) await send({ body, group: 'b' });

      const first = await source.receive({ max: 1, waitSeconds: 1 }, never);
      expect(first.map(bodyOf)).toEqual(['a1']);
      expect(first[0]?.lane).toBe('a');

      const meanwhile = await source.receive({ max: 10, waitSeconds: 1 }, never);
      expect(meanwhile.map(({ lane }) => lane).every((lane) => lane === 'b')).toBe(true);
      expect(meanwhile.map(bodyOf)).toEqual(['b1', 'b2'].slice(0, meanwhile.length));

      expect(await source.settle(first, never)).toEqual([]);
      const next = await eventually(async () => {
        const records = await source.receive({ max: 10, waitSeconds: 1 }, never);
        return records.length > 0 && records;
      });
      expect(next.filter(({ lane }) => lane === 'a').map(bodyOf)[0]).toBe('a2');
    });

    test('names a queue that does not exist', async () => {
      const source = lab.missing();
      const expected = { reason: 'QueueNotFound', retry: { kind: 'backoff' } };
      await expect(source.describe(never)).rejects.toMatchObject(expected);
      await expect(source.receive(now, never)).rejects.toMatchObject(expected);
    });

    test('makes the event of a batch', async () => {
      const { source, send } = await lab.queue();
      for (const body of ['a', 'b']) await send({ body });
      const records = await receive(source, 2);
      const text = source.envelope(records);
      expect(JSON.parse(text)).toEqual({ Records: records.map(eventRecord) });
      const bytes = records.reduce((sum, record) => sum + record.bytes, source.envelopeBytes(records.length));
      expect(Buffer.byteLength(text)).toBe(bytes);
    });
  });
});
