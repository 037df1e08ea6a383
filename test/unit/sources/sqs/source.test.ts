import { describe, expect, test } from 'vitest';
import type { QueueRecord } from '../../../../src/poller/ports.ts';
import { toRecord } from '../../../../src/sources/sqs/record.ts';
import { sqsSource } from '../../../../src/sources/sqs/source.ts';
import type { BatchEntry, BatchResult, SqsTransport } from '../../../../src/sources/sqs/transport.ts';

const arn = 'arn:aws:sqs:eu-west-1:111122223333:jobs';
const never = new AbortController().signal;

/** A wire that records its calls; each test says what the service does. */
function wire(
  service: Partial<SqsTransport> = {},
): SqsTransport & { readonly batches: BatchEntry[][]; readonly urls: string[] } {
  const batches: BatchEntry[][] = [];
  const urls: string[] = [];
  const all = (entries: readonly BatchEntry[]): BatchResult => ({
    done: entries.map(({ id }) => id),
    failed: [],
  });
  return {
    batches,
    urls,
    findQueueUrl: () => Promise.reject(named('QueueDoesNotExist')),
    attributes: async () => ({}),
    receive: async (url) => {
      urls.push(url);
      return [];
    },
    deleteBatch: async (_url, entries) => {
      batches.push([...entries]);
      return all(entries);
    },
    changeVisibilityBatch: async (_url, entries) => {
      batches.push([...entries]);
      return all(entries);
    },
    close: async () => undefined,
    ...service,
  };
}

function named(name: string, status = 400): Error {
  return Object.assign(new Error(`words about ${name}`), { name, $metadata: { httpStatusCode: status } });
}

function records(count: number, prefix = 'r'): QueueRecord[] {
  const queue = { arn, region: 'eu-west-1', fifo: false };
  return Array.from({ length: count }, (_, index) =>
    toRecord({ MessageId: `m${index}`, ReceiptHandle: `${prefix}${index}`, Body: '' }, queue),
  );
}

describe('settling', () => {
  test('goes in tens, every entry with an id that is unique in its call', async () => {
    const transport = wire();
    expect(await sqsSource(transport, arn, undefined).settle(records(25), never)).toEqual([]);
    expect(transport.batches.map((batch) => batch.length)).toEqual([10, 10, 5]);
    for (const batch of transport.batches) expect(new Set(batch.map(({ id }) => id)).size).toBe(batch.length);
    expect(new Set(transport.batches.flat().map(({ receipt }) => receipt)).size).toBe(25);
  });

  test('of nothing makes no call', async () => {
    const transport = wire();
    expect(await sqsSource(transport, arn, undefined).settle([], never)).toEqual([]);
    expect(transport.batches).toEqual([]);
  });

  test('sends a receipt once, and gives each of its records the result', async () => {
    const [record] = records(1);
    if (record === undefined) throw new Error('no record');
    const transport = wire({
      deleteBatch: async (_url, entries) => ({
        done: [],
        failed: entries.map(({ id }) => ({ id, code: 'InternalError', senderFault: false, message: '' })),
      }),
    });
    const copy = { ...record };
    const left = await sqsSource(transport, arn, undefined).settle([record, copy], never);
    expect(left.map(({ record: each }) => each)).toEqual([record, copy]);
  });

  test.each([
    ['InternalError', false, true, 'the service failed'],
    ['ReceiptHandleIsInvalid', true, false, 'stale'],
    ['AWS.SimpleQueueService.ReceiptHandleIsInvalid', true, false, 'stale, in the old spelling'],
    ['ReceiptHandleIsInvalid', false, false, 'stale, whoever is to blame'],
    ['InvalidParameterValue', true, false, 'beyond 12 hours, or a FIFO receipt that has expired'],
    ['RequestThrottled', true, true, 'a sender who sends too much may send again'],
    ['ThrottlingException', true, true, 'the same'],
  ])(
    'an entry that fails with %s (sender fault %s) is retryable: %s, since %s',
    async (code, senderFault, retryable) => {
      const transport = wire({
        deleteBatch: async (_url, entries) => ({
          done: entries.slice(1).map(({ id }) => id),
          failed: entries.slice(0, 1).map(({ id }) => ({ id, code, senderFault, message: '' })),
        }),
      });
      const three = records(3);
      const left = await sqsSource(transport, arn, undefined).settle(three, never);
      expect(left).toEqual([
        { record: three[0], code: code.replace('AWS.SimpleQueueService.', ''), retryable },
      ]);
    },
  );

  test('takes an entry that the answer forgets for undone', async () => {
    const transport = wire({ deleteBatch: async () => ({ done: ['0'], failed: [] }) });
    const two = records(2);
    const left = await sqsSource(transport, arn, undefined).settle(two, never);
    expect(left).toEqual([{ record: two[1], code: 'MissingResult', retryable: true }]);
  });

  test('remembers what succeeded when some of its calls fail', async () => {
    let calls = 0;
    const transport = wire({
      deleteBatch: async (_url, entries) => {
        if (++calls === 2) throw named('InternalError', 500);
        return { done: entries.map(({ id }) => id), failed: [] };
      },
    });
    const many = records(25);
    const left = await sqsSource(transport, arn, undefined).settle(many, never);
    expect(left.map(({ record }) => record)).toEqual(many.slice(10, 20));
    expect(left[0]).toMatchObject({ code: 'SourceFailed', retryable: true });
  });

  test('throws when every call fails', async () => {
    const transport = wire({ deleteBatch: () => Promise.reject(named('AccessDenied', 403)) });
    await expect(sqsSource(transport, arn, undefined).settle(records(25), never)).rejects.toMatchObject({
      reason: 'SourceAccessDenied',
      message: expect.stringContaining('sqs:DeleteMessage') as unknown,
    });
  });
});

describe('extending', () => {
  test.each([
    [0, 0, 'visible at once'],
    [0.2, 1, 'part of a second is a second'],
    [43_200, 43_200, 'the longest'],
    [99_999, 43_200, 'no longer than the longest'],
  ])('by %d asks for %d seconds: %s', async (seconds, asked) => {
    const seen: number[] = [];
    const transport = wire({
      changeVisibilityBatch: async (_url, entries, each) => {
        seen.push(each);
        return { done: entries.map(({ id }) => id), failed: [] };
      },
    });
    await sqsSource(transport, arn, undefined).extend(records(1), seconds, never);
    expect(seen).toEqual([asked]);
  });
});

describe('the URL of the queue', () => {
  const request = { max: 10, waitSeconds: 0 };

  test.each([
    [
      'arn:aws:sqs:eu-west-1:111122223333:jobs',
      undefined,
      'https://sqs.eu-west-1.amazonaws.com/111122223333/jobs',
    ],
    [
      'arn:aws-cn:sqs:cn-north-1:111122223333:jobs',
      undefined,
      'https://sqs.cn-north-1.amazonaws.com.cn/111122223333/jobs',
    ],
    [
      'arn:aws-us-gov:sqs:us-gov-west-1:111122223333:a.fifo',
      undefined,
      'https://sqs.us-gov-west-1.amazonaws.com/111122223333/a.fifo',
    ],
    [
      'arn:aws:sqs:eu-west-1:111122223333:jobs',
      'http://127.0.0.1:9324',
      'http://127.0.0.1:9324/111122223333/jobs',
    ],
  ])('of %s at endpoint %s is %s', async (queueArn, endpoint, url) => {
    const transport = wire();
    await sqsSource(transport, queueArn, endpoint).receive(request, never);
    expect(transport.urls).toEqual([url]);
  });

  /** A server that knows its queue by another path. */
  const elsewhere = (asked: string[]): ReturnType<typeof wire> => {
    const transport: ReturnType<typeof wire> = wire({
      findQueueUrl: async (name, account) => {
        asked.push(`${account}/${name}`);
        return 'http://h/queue/jobs';
      },
      receive: async (url) => {
        transport.urls.push(url);
        if (url !== 'http://h/queue/jobs') throw named('QueueDoesNotExist');
        return [];
      },
    });
    return transport;
  };

  test('is asked for once where a server behind a custom endpoint does not know the built one', async () => {
    const asked: string[] = [];
    const transport = elsewhere(asked);
    const source = sqsSource(transport, arn, 'http://h');
    await source.receive(request, never);
    await source.receive(request, never);
    expect(asked).toEqual(['111122223333/jobs']);
    expect(transport.urls).toEqual([
      'http://h/111122223333/jobs',
      'http://h/queue/jobs',
      'http://h/queue/jobs',
    ]);
  });

  test("is never asked for at AWS's own endpoint, where roles may lack the permission", async () => {
    const asked: string[] = [];
    const source = sqsSource(elsewhere(asked), arn, undefined);
    await expect(source.receive(request, never)).rejects.toMatchObject({ reason: 'QueueNotFound' });
    expect(asked).toEqual([]);
  });

  test('stays open as long as the queue does not exist', async () => {
    const asked: string[] = [];
    const transport = elsewhere(asked);
    let exists = false;
    const late = {
      ...transport,
      findQueueUrl: (...args: Parameters<SqsTransport['findQueueUrl']>) =>
        exists ? transport.findQueueUrl(...args) : Promise.reject(named('QueueDoesNotExist')),
    };
    const source = sqsSource(late, arn, 'http://h');
    await expect(source.receive(request, never)).rejects.toMatchObject({ reason: 'QueueNotFound' });
    exists = true;
    expect(await source.receive(request, never)).toEqual([]);
  });
});

describe('a call', () => {
  test("ends with the caller's own reason when the caller goes away", async () => {
    const controller = new AbortController();
    const transport = wire({
      receive: () => {
        controller.abort(new Error('draining'));
        return Promise.reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }));
      },
    });
    const call = sqsSource(transport, arn, undefined).receive({ max: 1, waitSeconds: 20 }, controller.signal);
    await expect(call).rejects.toThrow('draining');
  });

  test('never asks for more than SQS allows', async () => {
    const seen: unknown[] = [];
    const transport = wire({
      receive: async (_url, _queue, request) => {
        seen.push(request);
        return [];
      },
    });
    const source = sqsSource(transport, arn, undefined);
    await source.receive({ max: 50, waitSeconds: 30, visibilitySeconds: 50_000 }, never);
    await source.receive({ max: 0, waitSeconds: -1 }, never);
    expect(seen).toEqual([
      { max: 10, waitSeconds: 20, visibilitySeconds: 43_200 },
      { max: 1, waitSeconds: 0, visibilitySeconds: undefined },
    ]);
  });
});

test.each([
  ['jobs', 'InvalidSpec'],
  ['arn:aws:kinesis:eu-west-1:111122223333:stream/s', 'InvalidSpec'],
  ['arn:aws:sqs:eu-west-1:111122223333:a/b', 'InvalidSpec'],
  ['arn:aws:sqs:::jobs', 'IncompleteARN'],
])('%s is refused with %s and names the field', (text, reason) => {
  let thrown: unknown;
  try {
    sqsSource(wire(), text, undefined);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ reason, message: expect.stringContaining('`eventSourceARN`') as unknown });
});
