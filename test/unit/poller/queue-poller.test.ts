import { describe, expect, test } from 'vitest';
import { backoff, never, SluiceError } from '../../../src/lib/errors.ts';
import { createByteBudget } from '../../../src/poller/byte-budget.ts';
import type { QueueRecord } from '../../../src/poller/ports.ts';
import { Bench, FAILED, json, OK, throttled, UNREACHABLE } from './bench.ts';
import { aRecord } from './records.ts';

const bench = (options?: ConstructorParameters<typeof Bench>[0]) => new Bench(options).start();
const away = new SluiceError('SourceUnreachable', 'away', backoff);
const failedFor = (id: string, code: string, retryable: boolean) => (record: QueueRecord) =>
  record.id === id ? [{ record, code, retryable }] : [];

describe('receiving', () => {
  test('shows at once that the source can be read, then keeps one long poll of 20 s when idle', async () => {
    const b = await bench();
    await b.pass(61_000);
    expect(b.receives.map(({ atMs, waitSeconds }) => [atMs, waitSeconds])).toEqual([
      [0, 0],
      [0, 20],
      [20_000, 20],
      [40_000, 20],
      [60_000, 20],
    ]);
    expect(b.poller.invocations).toEqual({ running: 0, limit: 5 });
  });

  test('adds a receive after each that came back full, and goes back to one after an empty one', async () => {
    const b = await bench({ maximumConcurrency: 50 });
    await b.send(...Array.from({ length: 30 }, (_, index) => `m${index}`));
    expect(b.openReceives).toBeGreaterThanOrEqual(3);
    await b.pass(45_000);
    expect(b.openReceives).toBe(1);
  });

  test('takes no more messages than there are free slots for', async () => {
    const b = await bench({ maximumConcurrency: 2, batchSize: 3 });
    expect(b.receives[0]?.max).toBe(6);
    await b.send('a', 'b', 'c', 'd', 'e', 'f', 'g');
    expect(b.invoked).toEqual(['a,b,c', 'd,e,f']);
    expect(b.openReceives).toBe(0);
    await b.answer(OK);
    await b.pass(5);
    expect(b.invoked[2]).toBe('g');
  });

  test('waits a moment for more room while calls end, and no longer than that', async () => {
    const b = await bench({ maximumConcurrency: 10, batchSize: 1 });
    await b.send(...Array.from({ length: 25 }, (_, index) => `m${index}`));
    expect(b.receives.map(({ max }) => max)).toEqual([10]);
    for (let ended = 0; ended < 9; ended++) await b.answer(OK);
    expect(b.receives).toHaveLength(1);
    await b.answer(OK);
    expect(b.receives.map(({ max }) => max)).toEqual([10, 10]);
    await b.answer(OK);
    await b.pass(4);
    expect(b.receives).toHaveLength(2);
    await b.pass(1);
    expect(b.receives.map(({ max }) => max)).toEqual([10, 10, 1]);
  });

  test('waits for the byte budget, first come first served, and corrects its estimate', async () => {
    const budget = createByteBudget(1000);
    const b = await bench({ budget, maximumConcurrency: 10, batchSize: 1 });
    b.push(...['a', 'b', 'c'].map((id) => aRecord(id, { bytes: 600 })));
    await b.pass(0);
    expect(budget.used).toBe(1800);
    expect(b.openReceives).toBe(0);
    await b.answer(OK);
    await b.answer(OK);
    await b.pass(20);
    expect(budget.used).toBe(600);
    await b.answer(OK);
    expect(budget.used).toBeLessThanOrEqual(1000);
    expect(b.openReceives).toBe(1);
  });

  test('backs off after a failure, tells it, and opens the source once', async () => {
    const b = new Bench();
    b.failing.receive.push(away, away);
    await b.start();
    expect(b.of('source-failed')).toMatchObject([{ reason: 'SourceUnreachable', delayMs: 500 }]);
    await b.pass(1600);
    expect(b.receives.map(({ atMs }) => atMs)).toEqual([0, 500, 1500, 1500]);
    await b.pass(60_000);
    expect(b.of('source-opened')).toHaveLength(1);
  });

  test('finds a queue within 20 s that somebody makes again, however long it was gone', async () => {
    const b = new Bench();
    const gone = new SluiceError('QueueNotFound', 'no such queue', never);
    b.failing.receive.push(...Array.from({ length: 40 }, () => gone));
    await b.start();
    await b.pass(3600_000);
    expect(b.of('source-opened')).toHaveLength(1);
    const atMs = b.receives.slice(0, 41).map((receive) => receive.atMs);
    const gaps = atMs.slice(1).map((at, index) => at - (atMs[index] ?? 0));
    expect(gaps.slice(0, 2)).toEqual([5000, 10_000]);
    expect(new Set(gaps.slice(2))).toEqual(new Set([20_000]));
  });

  test('waits without alarm when too many messages are in flight', async () => {
    const b = new Bench();
    b.failing.receive.push(new SluiceError('OverLimit', 'too many in flight', backoff));
    await b.start();
    await b.pass(499);
    expect(b.receives).toHaveLength(1);
    await b.pass(1);
    expect(b.openReceives).toBe(1);
    expect(b.of('source-failed')).toEqual([]);
  });

  test('aborts a receive that hangs for 10 s beyond its long poll', async () => {
    const b = new Bench();
    b.hangReceives = true;
    await b.start();
    await b.pass(29_999);
    expect(b.of('source-failed')).toEqual([]);
    b.hangReceives = false;
    await b.pass(600);
    expect(b.of('source-failed')).toMatchObject([{ reason: 'SourceUnreachable' }]);
    expect(b.receives.length).toBeGreaterThan(1);
  });

  test('describes the queue until it answers, and keeps the old facts when a refresh fails', async () => {
    const b = new Bench();
    b.failing.describe.push(away);
    await b.start();
    expect(b.poller.state).toBe('starting');
    expect(b.receives).toHaveLength(0);
    await b.pass(500);
    expect(b.poller.state).toBe('running');
    b.failing.describe.push(away);
    await b.pass(70_000);
    expect(b.poller.facts).toEqual(b.facts);
    expect(b.of('source-failed')).toHaveLength(1);
  });
});

describe('what the queue says of itself is read again', () => {
  const started = async (visible: number) => {
    const b = new Bench();
    Object.assign(b.facts.backlog, { visible });
    await b.start();
    await b.pass(70_000);
    return b;
  };

  test('every minute while it says that it holds something', async () => {
    const b = await started(1);
    const before = b.describes;
    await b.pass(300_000);
    expect(b.describes - before).toBeGreaterThanOrEqual(4);
  });

  test('every five minutes while it is empty, and at once when something comes', async () => {
    const b = await started(0);
    const before = b.describes;
    await b.pass(200_000);
    expect(b.describes - before).toBe(0);
    await b.send('a');
    expect(b.describes - before).toBe(1);
    await b.answer(OK);
    await b.pass(290_000);
    expect(b.describes - before).toBe(1);
    await b.pass(60_000);
    expect(b.describes - before).toBe(2);
  });

  test('every minute while the mapping is paused, since no long poll tells of messages then', async () => {
    const b = await started(0);
    void b.poller.pause();
    const before = b.describes;
    await b.pass(300_000);
    expect(b.describes - before).toBeGreaterThanOrEqual(4);
  });
});

describe('batching', () => {
  test('without a window a batch is what one receive brought', async () => {
    const b = await bench();
    await b.send('a', 'b');
    await b.send('c');
    expect(b.invoked).toEqual(['a,b', 'c']);
  });

  test('with a window receives are merged up to batchSize', async () => {
    const b = await bench({ batchSize: 25, windowMs: 5000 });
    await b.send(...Array.from({ length: 30 }, (_, index) => `m${index}`));
    expect(b.calls.map(({ invocation }) => invocation.records.length)).toEqual([25]);
    await b.pass(5000);
    expect(b.calls.map(({ invocation }) => invocation.records.length)).toEqual([25, 5]);
  });

  test('the window is counted from the first record and ends while a long poll is still open', async () => {
    const b = await bench({ batchSize: 25, windowMs: 3000 });
    await b.pass(1000);
    await b.send('a');
    await b.pass(2000);
    await b.send('b');
    await b.pass(999);
    expect(b.invoked).toEqual([]);
    await b.pass(1);
    expect(b.invoked).toEqual(['a,b']);
    expect(b.openReceives).toBe(1);
    await b.send('c');
    await b.pass(3000);
    expect(b.invoked).toEqual(['a,b', 'c']);
  });

  test('the target gets the exact envelope, one idempotency key a batch, and the age of the oldest record', async () => {
    const b = await bench();
    const now = b.clock.now();
    b.push(aRecord('a', { sentAtMs: now - 700 }), aRecord('b', { sentAtMs: now - 50 }));
    await b.pass(0);
    const event = '{"Records":[{"messageId":"a"},{"messageId":"b"}]}';
    expect(b.calls[0]?.invocation).toMatchObject({ id: 'id1', attempt: 1, event });
    expect(b.of('invoked')).toMatchObject([
      { batch: 'id1', records: 2, bytes: event.length, oldestAgeMs: 700 },
    ]);
  });
});

describe('filtering', () => {
  const matches = (value: unknown) => value !== 'no';
  const unmatched = (id: string) => aRecord(id, { filterable: () => 'no' });

  test('deletes unmatched messages without waiting for the others, and counts them apart', async () => {
    const b = await bench({ matches });
    b.push(unmatched('x'), aRecord('a'), unmatched('y'));
    await b.pass(20);
    expect(b.deletes).toEqual(['x,y']);
    expect(b.invoked).toEqual(['a']);
    expect(b.of('filtered-out')).toMatchObject([{ records: 2, disposal: 'deleted' }]);
    expect(b.of('deleted')).toEqual([]);
    await b.answer(OK);
    expect(b.of('deleted')).toMatchObject([{ records: 1 }]);
  });

  test('makes them visible at once with `Release`, and slows down when nothing else comes', async () => {
    const b = await bench({ matches, unmatched: 'Release' });
    const release = async (): Promise<void> => {
      b.push(unmatched('x'));
      await b.pass(0);
    };
    await release();
    expect(b.extensions).toEqual(['x=0']);
    expect(b.openReceives).toBe(0);
    await b.pass(100);
    expect(b.openReceives).toBe(1);
    await release();
    await b.pass(199);
    expect(b.openReceives).toBe(0);
    await b.pass(1);
    expect(b.openReceives).toBe(1);
    b.push(aRecord('a'));
    await release();
    expect(b.openReceives).toBe(1);
    expect(b.deletes).toEqual([]);
  });

  test('a filter that throws deletes nothing', async () => {
    const b = await bench({
      matches: () => {
        throw new Error('defect');
      },
    });
    await b.send('a');
    expect(b.invoked).toEqual(['a']);
    expect(b.deletes).toEqual([]);
    expect(b.of('filter-undecided')).toMatchObject([{ records: 1 }]);
  });

  test.each(['Delete', 'Release'] as const)(
    'what the filter cannot decide is delivered, never deleted unseen, with `%s`',
    async (unmatchedWay) => {
      const b = await bench({
        matches: (value) => (value === 'no' ? false : 'undecided'),
        unmatched: unmatchedWay,
      });
      b.push(aRecord('a'), unmatched('x'), aRecord('b'));
      await b.pass(20);
      expect(b.of('filter-undecided')).toMatchObject([{ records: 2 }]);
      expect(b.invoked).toEqual(['a,b']);
      expect(b.deletes).toEqual(unmatchedWay === 'Delete' ? ['x'] : []);
    },
  );
});

describe('settling', () => {
  test('deletes nothing before the target succeeded, then the whole batch', async () => {
    const b = await bench();
    await b.send('a', 'b');
    await b.pass(5000);
    expect(b.deletes).toEqual([]);
    await b.answer(OK);
    expect(b.deletes).toEqual(['a,b']);
  });

  test('deletes only what a partial response does not name', async () => {
    const b = await bench({ reportBatchItemFailures: true });
    await b.send('a', 'b', 'c');
    await b.answer(json({ batchItemFailures: [{ itemIdentifier: 'b' }] }));
    expect(b.deletes).toEqual(['a,c']);
    expect(b.of('invocation-ended')).toMatchObject([{ reason: 'PartialFailure', failedRecords: 1 }]);
  });

  test('tries what could not be deleted again, with back-off', async () => {
    const b = await bench();
    b.failing.settle.push(failedFor('b', 'InternalError', true), away);
    await b.send('a', 'b');
    await b.answer(OK);
    expect(b.of('deleted')).toMatchObject([{ records: 1 }]);
    await b.pass(700);
    expect(b.deletes).toEqual(['a,b', 'b', 'b']);
    expect(b.of('deleted')).toMatchObject([{ records: 1 }, { records: 1 }]);
    expect(b.of('settle-failed')).toMatchObject([
      { records: 1, reason: 'SourceUnreachable', message: 'away' },
    ]);
    expect(b.of('source-failed')).toEqual([]);
    expect(b.of('delete-failed')).toEqual([]);
  });

  test('gives up what no retry can delete, and tells it', async () => {
    const b = await bench();
    b.failing.settle.push(failedFor('a', 'ReceiptHandleInvalid', false));
    await b.send('a', 'b');
    await b.answer(OK);
    await b.pass(30_000);
    expect(b.deletes).toEqual(['a,b']);
    expect(b.of('delete-failed')).toMatchObject([{ records: 1, reason: 'ReceiptHandleInvalid' }]);
    expect(b.budget.used).toBe(0);
  });

  test('small batches that end one after another fill delete calls', async () => {
    const b = await bench({ batchSize: 1, maximumConcurrency: 20 });
    await b.send(...Array.from({ length: 25 }, (_, index) => `m${index}`));
    for (let ended = 0; ended < 25; ended++) await b.answer(OK);
    expect(b.deletes.map((ids) => ids.split(',').length)).toEqual([10, 10, 5]);
  });

  test('a batch that fills no call waits a moment for calls that run, and no longer', async () => {
    const b = await bench({ batchSize: 1, maximumConcurrency: 20 });
    await b.send('a', 'b', 'c');
    await b.answer(OK);
    await b.pass(19);
    expect(b.deletes).toEqual([]);
    await b.pass(1);
    expect(b.deletes).toEqual(['a']);
    await b.answer(OK);
    await b.answer(OK);
    expect(b.deletes).toEqual(['a', 'b,c']);
  });

  test('nothing waits for a call that failed, or that runs for another group of a FIFO queue', async () => {
    const b = await bench({ batchSize: 1, maximumConcurrency: 20 });
    await b.send('a', 'b');
    await b.answer(OK);
    await b.answer(FAILED);
    expect(b.deletes).toEqual(['a']);
    const fifo = await bench({ fifo: true, batchSize: 1, maximumConcurrency: 20 });
    await fifo.send('A1', 'B1');
    await fifo.answer(OK);
    expect(fifo.deletes).toEqual(['A1']);
  });
});

describe('a function error', () => {
  test('leaves the messages to the queue and stops extending', async () => {
    const b = await bench();
    await b.send('a');
    await b.answer(FAILED);
    await b.pass(60_000);
    expect(b.deletes).toEqual([]);
    expect(b.extensions).toEqual([]);
    expect(b.budget.used).toBe(0);
  });

  test('halves an adaptive limit, but not with ReportBatchItemFailures', async () => {
    for (const [reportBatchItemFailures, limit] of [
      [false, 2],
      [true, 5],
    ] as const) {
      const b = await bench({ reportBatchItemFailures });
      await b.send('a');
      await b.answer(FAILED);
      expect(b.poller.invocations.limit).toBe(limit);
    }
  });

  test.for([
    { queueMs: 0, back: ['a=0'] },
    { queueMs: 1000, back: ['a=1'] },
    { queueMs: 2000, back: [] },
  ])('gives messages back to the own timing of a queue with $queueMs ms', async ({ queueMs, back }) => {
    const b = await bench({ visibilityMs: queueMs });
    expect(b.receives[0]?.visibilitySeconds).toBe(queueMs < 2000 ? 2 : undefined);
    await b.send('a');
    await b.answer(FAILED);
    expect(b.extensions).toEqual(back);
  });
});

describe('visibility', () => {
  test('is extended at half of its time while a batch runs', async () => {
    const b = await bench({ visibilityMs: 30_000 });
    await b.send('a', 'b');
    await b.pass(14_999);
    expect(b.extensions).toEqual([]);
    await b.pass(1);
    expect(b.extensions).toEqual(['a,b=30']);
    await b.pass(15_000);
    expect(b.extensions).toHaveLength(2);
    await b.answer(OK);
    await b.pass(60_000);
    expect(b.extensions).toHaveLength(2);
  });

  test('is extended while a window is open', async () => {
    const b = await bench({ visibilityMs: 4000, windowMs: 20_000, batchSize: 100 });
    await b.send('a');
    await b.pass(19_000);
    expect(b.extensions).toHaveLength(9);
    expect(b.invoked).toEqual([]);
  });

  test('that was lost drops the message before it is delivered', async () => {
    const b = await bench({ windowMs: 20_000, batchSize: 100, visibilityMs: 10_000 });
    b.failing.extend.push(failedFor('a', 'ReceiptHandleInvalid', false));
    await b.send('a', 'b');
    await b.pass(20_000);
    expect(b.invoked).toEqual(['b']);
    expect(b.of('extend-failed')).toMatchObject([{ records: 1, reason: 'ReceiptHandleInvalid' }]);
    expect(b.of('let-go')).toMatchObject([{ records: 1, reason: 'VisibilityLost' }]);
  });

  test('an extension that failed is tried again in what is left', async () => {
    const b = await bench({ visibilityMs: 30_000 });
    b.failing.extend.push(away, away);
    await b.send('a');
    await b.pass(22_000);
    expect(b.extensions).toHaveLength(3);
    expect(b.of('extend-failed')).toHaveLength(2);
  });
});

describe('a target that throttles or is away', () => {
  test.for([
    { why: 'throttled', outcome: throttled() },
    { why: 'unreachable', outcome: UNREACHABLE },
    { why: 'refused', outcome: { kind: 'refused', reason: 'TargetRefused', message: 'no' } as const },
  ])('stops receiving, and one batch probes with the same key: $why', async ({ outcome }) => {
    const b = await bench({ batchSize: 1, maximumConcurrency: 3 });
    await b.send('a', 'b', 'c', 'd');
    for (const call of b.running) call.end(outcome);
    await b.pass(999);
    expect(b.calls).toHaveLength(3);
    expect(b.openReceives).toBe(0);
    await b.pass(1);
    expect(b.invoked).toEqual(['a', 'b', 'c', 'a']);
    expect(b.calls[3]?.invocation).toMatchObject({ id: 'id1', attempt: 2 });
    await b.answer(OK);
    await b.pass(5);
    expect(b.invoked).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'd']);
    expect(b.of('unbraked')).toMatchObject([{ heldMs: 1000 }]);
  });

  test('is probed less and less often, or when Retry-After says', async () => {
    const b = await bench();
    b.answers = [throttled(), throttled(), throttled(10_000), OK];
    await b.send('a');
    await b.pass(20_000);
    expect(b.calls.map(({ atMs }) => atMs)).toEqual([0, 1000, 3000, 13_000]);
    expect(b.of('braked').map(({ delayMs }) => delayMs)).toEqual([1000, 2000, 10_000]);
    expect(b.deletes).toEqual(['a']);
  });

  test('a function error of the probe shows that calls are taken again', async () => {
    const b = await bench();
    b.answers = [throttled(), FAILED];
    await b.send('a');
    await b.pass(1000);
    expect(b.of('unbraked')).toHaveLength(1);
    expect(b.openReceives).toBe(1);
  });

  test('costs no receive for an outage shorter than maximumHoldMs: batches are held by extension', async () => {
    const b = await bench({ maximumHoldMs: 120_000, visibilityMs: 30_000 });
    b.answers = Array.from({ length: 20 }, () => throttled(5000));
    await b.send('a');
    await b.pass(100_000);
    expect(b.of('let-go')).toEqual([]);
    expect(b.extensions.length).toBeGreaterThanOrEqual(6);
  });

  test('lets go after maximumHoldMs, and then probes with what a single receive brings', async () => {
    const b = await bench({ maximumHoldMs: 10_000, batchSize: 2, maximumConcurrency: 1 });
    b.answers = Array.from({ length: 50 }, () => throttled(4000));
    await b.send('a', 'b');
    await b.pass(10_000);
    expect(b.of('let-go')).toMatchObject([{ records: 2, reason: 'HoldExpired' }]);
    const before = b.receives.length;
    await b.pass(3000);
    expect(b.receives.slice(before)).toMatchObject([{ max: 2 }]);
    b.answers = [OK];
    await b.send('c', 'd', 'e');
    expect(b.invoked.slice(-2)).toEqual(['c,d', 'e']);
  });

  test('that is not ready is asked each second, without a call, and found again when it is', async () => {
    const b = new Bench();
    b.unready = { reason: 'NoReadyEndpoint', message: 'no endpoint' };
    await b.start();
    await b.pass(5500);
    expect(b.receives).toHaveLength(0);
    expect(b.of('braked')).toMatchObject([{ reason: 'NoReadyEndpoint' }]);
    b.unready = undefined;
    await b.pass(1000);
    expect(b.of('unbraked')).toHaveLength(1);
    expect(b.openReceives).toBe(1);
  });

  test('that takes few calls at once gets no more batches taken in hand, and more within a second when it can', async () => {
    const b = new Bench({ batchSize: 1, maximumConcurrency: 20 });
    let capacity = 2;
    Object.assign(b.target, { capacity: () => capacity });
    await b.start();
    await b.send('a', 'b', 'c', 'd', 'e', 'f');
    expect(b.invoked).toEqual(['a', 'b']);
    // What is not in hand stays with the queue.
    expect(b.of('polled').reduce((sum, { records }) => sum + records, 0)).toBe(2);
    capacity = 4;
    await b.pass(1005);
    expect(b.running).toHaveLength(4);
    capacity = 1;
    for (let call = 0; call < 3; call++) await b.answer(OK);
    expect(b.invoked).toHaveLength(4);
    await b.answer(OK);
    expect(b.invoked).toHaveLength(5);
  });

  test('that takes few calls at once is no reason to grow', async () => {
    const b = new Bench({ batchSize: 1 });
    Object.assign(b.target, { capacity: () => 1 });
    await b.start();
    b.push(...Array.from({ length: 20 }, (_, index) => aRecord(String(index))));
    for (let call = 0; call < 10; call++) {
      await b.answer(OK);
      await b.pass(1000);
    }
    expect(b.of('concurrency-changed')).toEqual([]);
  });

  test('that breaks its promise and throws loses nothing', async () => {
    const b = await bench();
    const invoke = b.target.invoke.bind(b.target);
    let thrown = false;
    Object.assign(b.target, {
      invoke: (...args: Parameters<typeof invoke>) => {
        if (thrown) return invoke(...args);
        thrown = true;
        throw new Error('defect');
      },
    });
    await b.send('a');
    expect(b.of('braked')).toMatchObject([{ reason: 'TargetUnreachable', message: 'defect' }]);
    await b.pass(1000);
    await b.answer(OK);
    expect(b.deletes).toEqual(['a']);
  });
});

describe('FIFO', () => {
  test('runs the batches of a group one after another, and other groups beside them', async () => {
    const b = await bench({ fifo: true, batchSize: 1, maximumConcurrency: 10 });
    await b.send('A1', 'A2', 'B1', 'A3');
    expect(b.invoked).toEqual(['A1', 'B1']);
    await b.answer(OK);
    expect(b.invoked).toEqual(['A1', 'B1', 'A2']);
  });

  test('a failure gives back the later records of its own group only', async () => {
    const b = await bench({ fifo: true, batchSize: 1, maximumConcurrency: 10 });
    await b.send('A1', 'A2', 'B1', 'A3', 'B2');
    await b.answer(FAILED);
    expect(b.extensions).toEqual(['A2=0', 'A3=0']);
    expect(b.of('let-go')).toMatchObject([{ reason: 'GroupHeld' }, { reason: 'GroupHeld' }]);
    await b.answer(OK);
    expect(b.invoked).toEqual(['A1', 'B1', 'B2']);
  });

  test('the next batch of a group waits until the messages before it are deleted', async () => {
    const b = await bench({ fifo: true, batchSize: 1, maximumConcurrency: 10 });
    b.failing.settle.push(failedFor('A1', 'InternalError', true));
    await b.send('A1', 'A2');
    await b.answer(OK);
    expect(b.invoked).toEqual(['A1']);
    await b.pass(200);
    expect(b.invoked).toEqual(['A1', 'A2']);
  });

  test('a message that cannot be deleted gives back what stands behind it', async () => {
    const b = await bench({ fifo: true, batchSize: 1, maximumConcurrency: 10 });
    b.failing.settle.push(failedFor('A1', 'ReceiptHandleInvalid', false));
    await b.send('A1', 'A2');
    await b.answer(OK);
    expect(b.invoked).toEqual(['A1']);
    expect(b.extensions).toEqual(['A2=0']);
  });

  test('a partial response is taken literally', async () => {
    const b = await bench({ fifo: true, reportBatchItemFailures: true });
    await b.send('A1', 'A2', 'A3');
    await b.answer(json({ batchItemFailures: [{ itemIdentifier: 'A2' }] }));
    expect(b.deletes).toEqual(['A1,A3']);
  });
});

describe('concurrency', () => {
  test('with maximumConcurrency never exceeds it', async () => {
    const b = await bench({ batchSize: 1, maximumConcurrency: 2 });
    await b.send('a', 'b', 'c', 'd');
    expect(b.running).toHaveLength(2);
    await b.answer(OK);
    await b.pass(5);
    expect(b.running).toHaveLength(2);
  });

  test('without it does not grow for calls that are over at once, and does for longer ones', async () => {
    const b = await bench({ batchSize: 10 });
    const endAll = async (): Promise<void> => {
      for (const call of b.running) call.end(OK);
      await b.pass(0);
    };
    await b.send('a');
    await endAll();
    await b.send(...Array.from({ length: 600 }, (_, index) => `m${index}`));
    for (let round = 0; round < 6; round++) await endAll();
    expect(b.running).toHaveLength(5);
    expect(b.of('concurrency-changed')).toEqual([]);
    for (let round = 0; round < 3; round++) {
      await b.pass(100);
      await endAll();
    }
    expect(b.of('concurrency-changed')).toMatchObject([{ limit: 10 }]);
  });

  test('small batches grow to those of four receives, however soon their calls are over', async () => {
    const b = await bench({ batchSize: 1 });
    for (let second = 0; second < 12; second++) {
      await b.send(...Array.from({ length: 200 }, (_, index) => `m${second}-${index}`));
      await b.pass(5);
      while (b.running.length > 0) {
        for (const call of b.running) call.end(OK);
        await b.pass(0);
        if (b.running.length === 0) await b.pass(5);
      }
      await b.pass(1000);
    }
    expect(b.of('concurrency-changed').map(({ limit }) => limit)).toEqual([10, 15, 20, 25, 30, 35, 40]);
  });

  test('without it grows with the backlog, up to the ceiling', async () => {
    const b = await bench({ batchSize: 1, concurrencyCeiling: 12 });
    await b.send(...Array.from({ length: 40 }, (_, index) => `m${index}`));
    await b.pass(5);
    expect(b.running.length).toBe(10);
    await b.pass(1000);
    await b.answer(OK);
    await b.pass(10);
    expect(b.running.length).toBe(12);
    expect(b.of('concurrency-changed').map(({ limit }) => limit)).toEqual([10, 12]);
  });
});

describe('reconfigure', () => {
  test('lets invocations end with what they began with', async () => {
    const b = await bench({ reportBatchItemFailures: true });
    await b.send('a', 'b');
    const other = b.newTarget();
    let closed = false;
    const ended = b.poller.reconfigure({
      settings: { ...b.settings, reportBatchItemFailures: false },
      target: other,
      matches: undefined,
    });
    void ended.then(() => (closed = true));
    await b.pass(0);
    expect(closed).toBe(false);
    await b.answer(json({ batchItemFailures: [{ itemIdentifier: 'a' }] }));
    expect(b.deletes).toEqual(['b']);
    expect(closed).toBe(true);
  });

  test('sends held batches to the new target at once, in batches of the new size', async () => {
    const b = await bench({ batchSize: 3, maximumConcurrency: 3 });
    await b.send('a', 'b', 'c');
    await b.answer(throttled(60_000));
    void b.poller.reconfigure({
      settings: { ...b.settings, batchSize: 2 },
      target: b.newTarget(),
      matches: undefined,
    });
    await b.pass(0);
    expect(b.invoked).toEqual(['a,b,c', 'a,b', 'c']);
    expect(new Set(b.calls.map(({ invocation }) => invocation.id)).size).toBe(3);
  });

  test('does not brake the new target for the troubles of the old one', async () => {
    const b = await bench();
    await b.send('a');
    void b.poller.reconfigure({ settings: b.settings, target: b.newTarget(), matches: undefined });
    await b.answer(throttled(60_000));
    expect(b.of('braked')).toEqual([]);
    expect(b.invoked).toEqual(['a', 'a']);
  });

  test('measures the open window again', async () => {
    const b = await bench({ batchSize: 100, windowMs: 60_000 });
    await b.send('a');
    await b.pass(1000);
    void b.poller.reconfigure({
      settings: { ...b.settings, windowMs: 2000 },
      target: b.target,
      matches: undefined,
    });
    await b.pass(1000);
    expect(b.invoked).toEqual(['a']);
  });
});

describe('pause', () => {
  test('stops receiving, gives untouched messages back, and lets invocations finish', async () => {
    const b = await bench({ batchSize: 1, maximumConcurrency: 1, fifo: true });
    await b.send('A1');
    let idle = false;
    void b.poller.pause().then(() => (idle = true));
    await b.pass(30_000);
    expect(b.poller.state).toBe('paused');
    expect(idle).toBe(false);
    await b.answer(OK);
    expect(b.deletes).toEqual(['A1']);
    expect(idle).toBe(true);
    expect(b.openReceives).toBe(0);
  });

  test('gives back what a long poll still brings, and what is held', async () => {
    const b = await bench({ maximumConcurrency: 2 });
    await b.send('a');
    void b.poller.pause();
    await b.send('b');
    await b.answer(throttled());
    expect(b.extensions).toEqual(['b=0', 'a=0']);
    expect(b.of('let-go')).toMatchObject([{ reason: 'Paused' }, { reason: 'Paused' }]);
  });

  test('ends with resume', async () => {
    const b = await bench();
    void b.poller.pause();
    await b.pass(20_000);
    b.poller.resume();
    await b.send('a');
    expect(b.invoked).toEqual(['a']);
    expect(b.of('state-changed').map(({ state }) => state)).toEqual([
      'starting',
      'running',
      'paused',
      'running',
    ]);
  });

  test('resume starts a poller that was never started', async () => {
    const b = new Bench();
    b.poller.resume();
    await b.pass(0);
    expect(b.poller.state).toBe('running');
  });
});

describe('drain', () => {
  test('finishes what runs, makes the rest visible at once, and stops', async () => {
    const b = await bench({ batchSize: 1, maximumConcurrency: 10, fifo: true });
    await b.send('A1', 'A2');
    const drained = b.poller.drain(30_000);
    await b.pass(0);
    expect(b.extensions).toEqual(['A2=0']);
    await b.pass(3000);
    await b.answer(OK);
    expect(await b.clock.runUntil(drained)).toBeUndefined();
    expect(b.deletes).toEqual(['A1']);
    expect(b.poller.state).toBe('stopped');
    expect(b.budget.used).toBe(0);
    expect(b.clock.sleepers).toBe(0);
  });

  test('lets long polls end for a while before it aborts them, and gives back what it brings', async () => {
    const b = await bench();
    await b.pass(1);
    void b.poller.drain(30_000, 1000);
    await b.pass(999);
    expect(b.openReceives).toBe(1);
    await b.send('late');
    expect(b.extensions).toEqual(['late=0']);
    expect(b.openReceives).toBe(0);
    const other = await bench();
    await other.pass(1);
    const drained = other.poller.drain(30_000, 1000);
    await other.pass(1000);
    expect(other.openReceives).toBe(0);
    await drained;
  });

  test.each([
    { why: 'its last call ends', ms: 5000, end: true },
    { why: 'its last call is abandoned', ms: 60_000, end: false },
  ])('is quiet when $why, whatever polls are under way', async ({ ms, end }) => {
    const b = await bench({ maximumConcurrency: 5 });
    await b.send('a');
    const drained = b.poller.drain(60_000, 70_000);
    let quiet = false;
    void b.poller.quiet().then(() => (quiet = true));
    // The poll that is under way brings another one, which goes back.
    await b.send('late');
    expect(b.extensions).toEqual(['late=0']);
    await b.pass(ms - 1);
    expect(quiet).toBe(false);
    if (end) await b.answer(OK);
    await b.pass(1);
    expect(quiet).toBe(true);
    await b.clock.runUntil(drained);
  });

  test('is quiet at once when it only polls', async () => {
    const b = await bench();
    await b.pass(1);
    const drained = b.poller.drain(30_000);
    await b.poller.quiet();
    expect(b.openReceives).toBe(1);
    expect(b.poller.state).toBe('draining');
    await b.clock.runUntil(drained);
  });

  test('abandons what runs beyond the grace, and deletes nothing of it', async () => {
    const b = await bench();
    await b.send('a');
    const drained = b.poller.drain(5000);
    await b.pass(4999);
    expect(b.running).toHaveLength(1);
    await b.pass(1);
    await drained;
    expect(b.deletes).toEqual([]);
    expect(b.extensions).toEqual([]);
    expect(b.of('let-go')).toMatchObject([{ records: 1, reason: 'Draining' }]);
    expect(b.of('invocation-ended')).toHaveLength(b.of('invoked').length);
  });

  test('gives back a batch that the target throttles meanwhile', async () => {
    const b = await bench();
    await b.send('a');
    const drained = b.poller.drain(30_000, 1000);
    await b.answer(throttled());
    await b.pass(1000);
    await drained;
    expect(b.extensions).toEqual(['a=0']);
  });

  test('ends a poller that is braked, backing off, starting, or new', async () => {
    const braked = await bench();
    await braked.send('a');
    await braked.answer(throttled(60_000));
    await braked.clock.runUntil(braked.poller.drain(5000, 1000), { limitMs: 1100 });
    expect(braked.extensions).toEqual(['a=0']);

    const backingOff = new Bench();
    backingOff.failing.receive.push(new SluiceError('QueueNotFound', '', never));
    await backingOff.start();
    await backingOff.clock.runUntil(backingOff.poller.drain(5000), { limitMs: 100 });

    const starting = new Bench();
    starting.failing.describe.push(new SluiceError('QueueNotFound', '', never));
    await starting.start();
    await starting.clock.runUntil(starting.poller.drain(5000), { limitMs: 100 });

    const fresh = new Bench();
    await fresh.poller.drain(5000);
    for (const b of [braked, backingOff, starting, fresh]) expect(b.poller.state).toBe('stopped');
  });

  test('a second drain can only shorten the grace', async () => {
    const b = await bench();
    await b.send('a');
    const drained = b.poller.drain(60_000);
    await b.pass(1000);
    void b.poller.drain(500);
    await b.pass(500);
    await drained;
    expect(b.poller.state).toBe('stopped');
  });

  test('disposal stops at once', async () => {
    const b = await bench();
    await b.send('a');
    await b.clock.runUntil(b.poller[Symbol.asyncDispose](), { limitMs: 100 });
    expect(b.poller.state).toBe('stopped');
  });
});
