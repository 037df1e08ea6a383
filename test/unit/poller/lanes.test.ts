import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrangeByLane, lanesOf, nextStartable, withoutGone } from '../../../src/poller/lanes.ts';
import { aRecord } from './records.ts';

/** `A1 B1 A2` as records of the groups A and B. */
const parse = (text: string) =>
  text
    .split(' ')
    .filter((id) => id !== '')
    .map((id) => aRecord(id, { lane: id[0] }));
const ids = (records: readonly { readonly id: string }[]) => records.map(({ id }) => id).join(' ');
const waiting = (...batches: readonly string[]) =>
  batches.map((text) => ({ text, lanes: lanesOf(parse(text)) }));

test('a receive that one batch takes stays as it came; else its groups are put together', () => {
  expect(ids(arrangeByLane(parse('A1 B1 A2 B2'), 4))).toBe('A1 B1 A2 B2');
  expect(ids(arrangeByLane(parse('A1 B1 A2 B2'), 3))).toBe('A1 A2 B1 B2');
});

test('the order inside each group is kept, and no record is lost', () => {
  const lanes = fc.array(fc.constantFrom('A', 'B', 'C'), { maxLength: 10 });
  fc.assert(
    fc.property(lanes, fc.integer({ min: 1, max: 10 }), (letters, batchSize) => {
      const records = letters.map((lane, index) => aRecord(`${lane}${index}`, { lane }));
      const arranged = arrangeByLane(records, batchSize);
      for (const lane of ['A', 'B', 'C']) {
        expect(ids(arranged.filter((record) => record.lane === lane))).toBe(
          ids(records.filter((record) => record.lane === lane)),
        );
      }
      expect(arranged).toHaveLength(records.length);
    }),
  );
});

describe('the next batch to start', () => {
  test.for([
    { why: 'the oldest', batches: ['A1', 'B1'], busy: [], next: 'A1' },
    { why: 'not one whose group is busy', batches: ['A2', 'B1'], busy: ['A1'], next: 'B1' },
    {
      why: 'nor one behind a waiting batch of its group',
      batches: ['A2 B1', 'B2', 'C1'],
      busy: ['A1'],
      next: 'C1',
    },
    { why: 'none', batches: ['A2', 'A3'], busy: ['A1'], next: undefined },
  ])('is $why', ({ batches, busy, next }) => {
    expect(nextStartable(waiting(...batches), waiting(...busy))?.text).toBe(next);
  });

  test('is the oldest where the queue keeps no order', () => {
    const batches = [
      { lanes: undefined, id: 1 },
      { lanes: undefined, id: 2 },
    ];
    expect(nextStartable(batches, [])?.id).toBe(1);
  });
});

test('what is gone takes the later records of its own group with it', () => {
  const records = parse('A1 B1 A2 B2 A3 C1');
  const gone = new Set(records.filter(({ id }) => id === 'A2' || id === 'C1'));
  const { kept, behind } = withoutGone(records, gone);
  expect(ids(kept)).toBe('A1 B1 B2');
  expect(ids(behind)).toBe('A3');
});
