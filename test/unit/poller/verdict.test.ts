import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/poller/ports.ts';
import { judge } from '../../../src/poller/verdict.ts';
import { recordsOf } from './records.ts';

const batch = recordsOf('a', 'b', 'c');
const delivered = (value: unknown): Outcome => ({
  kind: 'delivered',
  statusCode: 200,
  response: { kind: 'json', value },
});
const failures = (...items: readonly unknown[]) => ({ batchItemFailures: items });
const item = (itemIdentifier: unknown) => ({ itemIdentifier });

/** Which records are left for redelivery, by id. */
function leftOf(outcome: Outcome, reporting = true, records = batch): readonly string[] | 'held' {
  const verdict = judge(outcome, records, reporting);
  switch (verdict.kind) {
    case 'acknowledged':
      return [];
    case 'partial':
      expect([...verdict.acknowledged, ...verdict.left]).toHaveLength(records.length);
      return verdict.left.map(({ id }) => id);
    case 'left':
      return records.map(({ id }) => id);
    case 'held':
      return 'held';
  }
}

describe('partial batch responses', () => {
  const all = ['a', 'b', 'c'];
  test.for<{ why: string; value: unknown; left: string[] }>([
    { why: 'null', value: null, left: [] },
    { why: 'an empty text', value: '', left: [] },
    { why: 'an empty object', value: {}, left: [] },
    { why: 'an empty list', value: [], left: [] },
    { why: 'no such member', value: { ok: true }, left: [] },
    { why: 'the member is null', value: { batchItemFailures: null }, left: [] },
    { why: 'the member is an empty list', value: failures(), left: [] },
    { why: 'valid identifiers', value: failures(item('a'), item('c')), left: ['a', 'c'] },
    { why: 'every identifier', value: failures(item('a'), item('b'), item('c')), left: all },
    { why: 'duplicates are a set', value: failures(item('b'), item('b')), left: ['b'] },
    {
      why: 'other members of an item are ignored',
      value: failures({ itemIdentifier: 'b', x: 1 }),
      left: ['b'],
    },
    { why: 'an empty identifier', value: failures(item('')), left: all },
    { why: 'a null identifier', value: failures(item(null)), left: all },
    { why: 'an identifier that is a number', value: failures(item(123)), left: all },
    { why: 'an identifier that is an object', value: failures(item({ id: 'a' })), left: all },
    { why: 'an unknown identifier alone', value: failures(item('z')), left: all },
    { why: 'an unknown identifier among valid ones', value: failures(item('a'), item('z')), left: all },
    { why: 'a wrong key', value: failures({ foo: 'a' }), left: all },
    { why: 'a wrong key with null', value: failures({ foo: null }), left: all },
    { why: 'an item without a member', value: failures({}), left: all },
    { why: 'an item that is null', value: failures(null), left: all },
    { why: 'an item that is a text', value: failures('a'), left: all },
    { why: 'the member is an object', value: { batchItemFailures: item('a') }, left: all },
    { why: 'the member is a text', value: { batchItemFailures: 'a' }, left: all },
    { why: 'a text cannot be read as a response', value: 'done', left: all },
    { why: 'a number cannot be read as a response', value: 7, left: all },
    { why: 'a filled list cannot be read as a response', value: [item('a')], left: all },
    {
      why: 'an inherited member is none',
      value: JSON.parse('{"__proto__":{"batchItemFailures":[{}]}}'),
      left: [],
    },
  ])('$why', ({ value, left }) => {
    expect(leftOf(delivered(value))).toEqual(left);
  });

  test('an empty answer is a success', () => {
    expect(leftOf({ kind: 'delivered', statusCode: 204, response: { kind: 'empty' } })).toEqual([]);
  });

  test('an answer that is not JSON fails the batch, with the reason ResponseInvalid', () => {
    const outcome: Outcome = { kind: 'delivered', statusCode: 200, response: { kind: 'other' } };
    expect(judge(outcome, batch, true)).toMatchObject({ kind: 'left', reason: 'ResponseInvalid' });
  });

  test.for<{ why: string; outcome: Outcome }>([
    { why: 'named failures', outcome: delivered(failures(item('a'))) },
    { why: 'an invalid list', outcome: delivered(failures(item(1))) },
    { why: 'no JSON', outcome: { kind: 'delivered', statusCode: 200, response: { kind: 'other' } } },
  ])('are ignored entirely unless the response type is enabled: $why', ({ outcome }) => {
    expect(leftOf(outcome, false)).toEqual([]);
  });

  test('an identifier fails every record with that id', () => {
    const twice = recordsOf('a', 'b', 'a');
    expect(leftOf(delivered(failures(item('a'))), true, twice)).toEqual(['a', 'a']);
  });

  test('a record is acknowledged only if the response is readable and does not name it', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.record({ batchItemFailures: fc.jsonValue() }),
      fc.record({
        batchItemFailures: fc.array(
          fc.record({ itemIdentifier: fc.constantFrom('a', 'b', 'c', 'z', '', 1) }),
        ),
      }),
    );
    fc.assert(
      fc.property(value, (response) => {
        const left = leftOf(delivered(response));
        const named: unknown =
          typeof response === 'object' && response !== null && 'batchItemFailures' in response
            ? response.batchItemFailures
            : [];
        for (const { itemIdentifier } of Array.isArray(named) ? named.filter(isItem) : []) {
          expect(left).toContain(batch.some(({ id }) => id === itemIdentifier) ? itemIdentifier : 'a');
        }
      }),
    );
  });
});

function isItem(value: unknown): value is { itemIdentifier: unknown } {
  return typeof value === 'object' && value !== null && 'itemIdentifier' in value;
}

describe('outcomes that are no success', () => {
  test('a function error leaves the whole batch, whatever else the answer says', () => {
    const outcome: Outcome = {
      kind: 'failed',
      reason: 'Timeout',
      functionError: 'Unhandled',
      message: 'late',
    };
    expect(judge(outcome, batch, true)).toEqual({ kind: 'left', reason: 'Timeout', message: 'late' });
  });

  test.for<{ why: string; outcome: Outcome; retryAfterMs: number | undefined }>([
    {
      why: 'throttled',
      outcome: { kind: 'throttled', reason: 'TargetThrottled', message: '', retryAfterMs: 5000 },
      retryAfterMs: 5000,
    },
    {
      why: 'unreachable',
      outcome: { kind: 'unreachable', reason: 'TargetUnreachable', message: '' },
      retryAfterMs: undefined,
    },
    {
      why: 'refused',
      outcome: { kind: 'refused', reason: 'TargetRefused', message: '' },
      retryAfterMs: undefined,
    },
  ])('a batch that was not processed is held, not spent: $why', ({ outcome, retryAfterMs }) => {
    expect(judge(outcome, batch, true)).toMatchObject({ kind: 'held', retryAfterMs });
  });
});
