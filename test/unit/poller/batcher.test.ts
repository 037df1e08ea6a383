import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Batcher, MAX_EVENT_BYTES, type BatchLimits } from '../../../src/poller/batcher.ts';
import { aRecord, recordsOf } from './records.ts';

const envelopeBytes = (count: number): number => 14 + Math.max(0, count - 1);
const limits = (given: Partial<BatchLimits>): BatchLimits => ({
  maxRecords: 10,
  windowMs: 1000,
  maxBytes: MAX_EVENT_BYTES,
  envelopeBytes,
  ...given,
});
const ofBytes = (bytes: number) => aRecord('r', { bytes });
const sizes = (batches: readonly { readonly records: readonly unknown[] }[]) =>
  batches.map(({ records }) => records.length);

describe('a batch closes', () => {
  test('when it holds maxRecords', () => {
    const batcher = new Batcher(limits({ maxRecords: 3 }));
    expect(sizes(batcher.add(recordsOf('a', 'b', 'c', 'd', 'e', 'f', 'g'), 0))).toEqual([3, 3]);
    expect(batcher.size).toBe(1);
  });

  test('when its window has ended, counted from its first record', () => {
    const batcher = new Batcher(limits({ windowMs: 1000 }));
    batcher.add(recordsOf('a'), 500);
    batcher.add(recordsOf('b'), 1400);
    expect(batcher.dueAtMs).toBe(1500);
    expect(batcher.due(1499)).toEqual([]);
    expect(sizes(batcher.due(1500))).toEqual([2]);
    expect(batcher.dueAtMs).toBeUndefined();
  });

  test.for([
    { why: 'exactly the limit fits', bytes: [40, 45], maxBytes: 40 + 45 + 14 + 1, closed: [], open: 2 },
    { why: 'the comma counts', bytes: [40, 45], maxBytes: 40 + 45 + 14, closed: [1], open: 1 },
    {
      why: 'a record that is too large goes alone',
      bytes: [10, 500, 10],
      maxBytes: 100,
      closed: [1, 1],
      open: 1,
    },
  ])('when one more record would exceed the bytes: $why', ({ bytes, maxBytes, closed, open }) => {
    const batcher = new Batcher(limits({ maxBytes }));
    expect(sizes(batcher.add(bytes.map(ofBytes), 0))).toEqual(closed);
    expect(batcher.size).toBe(open);
  });

  test('when it is flushed', () => {
    const batcher = new Batcher(limits({}));
    expect(batcher.flush()).toEqual([]);
    batcher.add(recordsOf('a', 'b'), 0);
    expect(sizes(batcher.flush())).toEqual([2]);
  });

  test('when new limits make it full, and it keeps the start of its window', () => {
    const batcher = new Batcher(limits({ maxRecords: 10, windowMs: 5000 }));
    batcher.add(recordsOf('a', 'b', 'c'), 100);
    expect(sizes(batcher.reconfigure(limits({ maxRecords: 2, windowMs: 700 })))).toEqual([2]);
    expect(batcher.dueAtMs).toBe(800);
  });
});

test('every record leaves once, in order, and only single records exceed the limits', () => {
  const lot = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 30 });
  fc.assert(
    fc.property(
      fc.array(lot, { maxLength: 8 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 20, max: 900 }),
      (lots, maxRecords, maxBytes) => {
        const batcher = new Batcher(limits({ maxRecords, maxBytes }));
        let next = 0;
        const added = lots.map((bytes) => bytes.map((size) => aRecord(String(next++), { bytes: size })));
        const closed = added.flatMap((records, index) => batcher.add(records, index));
        closed.push(...batcher.flush());
        expect(closed.flatMap(({ records }) => records.map(({ id }) => id))).toEqual(
          added.flat().map(({ id }) => id),
        );
        for (const { records, bytes } of closed) {
          const sum = records.reduce((total, record) => total + record.bytes, 0);
          expect(bytes).toBe(sum + envelopeBytes(records.length));
          expect(records.length).toBeLessThanOrEqual(maxRecords);
          if (records.length > 1) expect(bytes).toBeLessThanOrEqual(maxBytes);
        }
      },
    ),
  );
});
