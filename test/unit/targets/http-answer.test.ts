import { describe, expect, test } from 'vitest';
import {
  maxAnswerBytes,
  needsBody,
  outcomeOf,
  parseBody,
  readHead,
} from '../../../src/targets/http/answer.ts';
import { maxRetryAfterMs, parseRetryAfter } from '../../../src/targets/http/retry-after.ts';

const now = Date.UTC(2026, 5, 1, 12, 0, 0);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const outcome = (status: number, headers: Record<string, string | string[]> = {}, body = '') =>
  outcomeOf(readHead(status, headers), bytes(body), now);

describe('the table of answers', () => {
  test.each([
    { status: 200, kind: 'delivered', why: 'success' },
    { status: 202, kind: 'delivered', why: 'any 2xx is success' },
    { status: 204, kind: 'delivered', why: 'success without a body' },
    { status: 299, kind: 'delivered', why: 'the end of the range' },
    { status: 429, kind: 'throttled', reason: 'TargetThrottled', why: 'too many requests' },
    {
      status: 503,
      kind: 'throttled',
      reason: 'TargetThrottled',
      why: 'overloaded, with or without Retry-After',
    },
    { status: 401, kind: 'refused', reason: 'TargetRefused', why: 'not authenticated' },
    { status: 403, kind: 'refused', reason: 'TargetRefused', why: 'not permitted' },
    { status: 404, kind: 'refused', reason: 'TargetRefused', why: 'no such path' },
    { status: 405, kind: 'refused', reason: 'TargetRefused', why: 'no POST' },
    { status: 407, kind: 'refused', reason: 'TargetRefused', why: 'a proxy wants credentials' },
    { status: 502, kind: 'refused', reason: 'TargetUnreachable', why: 'a gateway without its target' },
    { status: 504, kind: 'refused', reason: 'TargetUnreachable', why: 'a gateway whose target is silent' },
    { status: 300, kind: 'failed', reason: 'FunctionError', why: 'a redirect' },
    { status: 301, kind: 'failed', reason: 'FunctionError', why: 'a redirect is never followed' },
    { status: 304, kind: 'failed', reason: 'FunctionError', why: 'no answer to a POST' },
    { status: 307, kind: 'failed', reason: 'FunctionError', why: 'a redirect that would repeat the POST' },
    { status: 400, kind: 'failed', reason: 'FunctionError', why: 'any other 4xx' },
    { status: 408, kind: 'failed', reason: 'FunctionError', why: 'any other 4xx' },
    { status: 409, kind: 'failed', reason: 'FunctionError', why: 'any other 4xx' },
    { status: 413, kind: 'failed', reason: 'FunctionError', why: 'any other 4xx' },
    { status: 422, kind: 'failed', reason: 'FunctionError', why: 'any other 4xx' },
    { status: 500, kind: 'failed', reason: 'FunctionError', why: 'any other 5xx' },
    { status: 501, kind: 'failed', reason: 'FunctionError', why: 'any other 5xx' },
    { status: 505, kind: 'failed', reason: 'FunctionError', why: 'any other 5xx' },
    { status: 599, kind: 'failed', reason: 'FunctionError', why: 'any other 5xx' },
    { status: 999, kind: 'failed', reason: 'FunctionError', why: 'a status that nobody defined' },
  ])('$status is $kind: $why', ({ status, kind, reason }) => {
    expect(outcome(status)).toMatchObject(reason === undefined ? { kind } : { kind, reason });
  });

  test('a function error in the header outweighs every status: the function has run', () => {
    for (const status of [200, 404, 429, 503]) {
      expect(
        outcome(status, { 'x-amz-function-error': 'Handled' }, '{"batchItemFailures":[]}'),
      ).toMatchObject({
        kind: 'failed',
        reason: 'FunctionError',
        functionError: 'Handled',
        statusCode: status,
      });
    }
  });

  test('an empty or unprintable function error is called Unhandled', () => {
    for (const value of ['', '\u0007\u00ff']) {
      expect(outcome(200, { 'x-amz-function-error': value })).toMatchObject({ functionError: 'Unhandled' });
    }
  });

  test('a function error is shown by 64 printable characters at most', () => {
    expect(outcome(200, { 'x-amz-function-error': 'x'.repeat(500) })).toMatchObject({
      functionError: 'x'.repeat(64),
    });
  });

  test('the body of a success is parsed, and the version that ran is kept', () => {
    expect(outcome(200, { 'x-amz-executed-version': '7' }, '{"batchItemFailures":[]}')).toEqual({
      kind: 'delivered',
      statusCode: 200,
      response: { kind: 'json', value: { batchItemFailures: [] } },
      executedVersion: '7',
    });
  });

  test('only a throttled answer carries what Retry-After asks for', () => {
    expect(outcome(503, { 'retry-after': '7' })).toMatchObject({ kind: 'throttled', retryAfterMs: 7000 });
    expect(outcome(429, { 'retry-after': ['9', '1'] })).toMatchObject({ retryAfterMs: 9000 });
    expect(outcome(429)).not.toHaveProperty('retryAfterMs');
    expect(outcome(500, { 'retry-after': '7' })).not.toHaveProperty('retryAfterMs');
  });

  test('no message shows what the target wrote', () => {
    for (const status of [302, 403, 429, 500, 502]) {
      expect(JSON.stringify(outcome(status, { location: 'http://s3cret/' }, 's3cret'))).not.toContain(
        's3cret',
      );
    }
  });

  test('only a success needs its body', () => {
    expect(needsBody(readHead(200, {}))).toBe(true);
    expect(needsBody(readHead(200, { 'x-amz-function-error': 'Unhandled' }))).toBe(false);
    expect(needsBody(readHead(500, {}))).toBe(false);
  });
});

describe('Retry-After', () => {
  test.each([
    { value: '0', ms: 0, why: 'at once' },
    { value: '120', ms: 120_000, why: 'seconds' },
    { value: ' 5 ', ms: 5000, why: 'surrounding space' },
    { value: '86400', ms: maxRetryAfterMs, why: 'bounded: a day must not stop a mapping for a day' },
    { value: '9999999999', ms: maxRetryAfterMs, why: 'bounded' },
    { value: 'Mon, 01 Jun 2026 12:00:30 GMT', ms: 30_000, why: 'a date' },
    { value: 'Monday, 01-Jun-26 12:00:30 GMT', ms: 30_000, why: 'an obsolete form that must be understood' },
    { value: 'Mon Jun  1 12:00:30 2026', ms: 30_000, why: 'the other obsolete form, without a zone' },
    { value: 'Mon, 01 Jun 2026 11:00:00 GMT', ms: 0, why: 'a date that has passed' },
    { value: 'Tue, 01 Jun 2027 12:00:00 GMT', ms: maxRetryAfterMs, why: 'bounded' },
    { value: '-1', ms: undefined, why: 'negative' },
    { value: '1.5', ms: undefined, why: 'a fraction' },
    { value: '1e3', ms: undefined, why: 'an exponent' },
    { value: '', ms: undefined, why: 'nothing' },
    { value: 'soon', ms: undefined, why: 'a word' },
    { value: '2026-06-01T12:00:30Z', ms: undefined, why: 'a date of another kind' },
    { value: 'Mon, 99 Jun 2026 12:00:30 GMT', ms: undefined, why: 'a day that does not exist' },
    { value: '1'.repeat(400), ms: undefined, why: 'too long to be meant' },
  ])('"$value" is $ms ms: $why', ({ value, ms }) => {
    expect(parseRetryAfter(value, now)).toBe(ms);
  });
});

describe('the body of a success', () => {
  test.each([
    { body: '', kind: 'empty', why: 'nothing' },
    { body: ' \r\n\t', kind: 'empty', why: 'white space' },
    { body: '{}', kind: 'json', why: 'an object' },
    { body: 'null', kind: 'json', why: 'null is JSON' },
    { body: '""', kind: 'json', why: 'so is an empty string' },
    { body: '\ufeff{"a":1}', kind: 'json', why: 'a byte order mark is skipped' },
    { body: 'ok', kind: 'other', why: 'text' },
    { body: '<html>', kind: 'other', why: 'a page' },
    { body: '{"a":1', kind: 'other', why: 'cut off' },
    { body: '{"a":1} {"b":2}', kind: 'other', why: 'two values' },
    { body: '\u0000', kind: 'other', why: 'a null byte' },
  ])('$kind: $why', ({ body, kind }) => {
    expect(parseBody(bytes(body), undefined).kind).toBe(kind);
  });

  test('invalid UTF-8 is no JSON', () => {
    expect(parseBody(Uint8Array.of(0x22, 0xff, 0xfe, 0x22), undefined)).toEqual({ kind: 'other' });
  });

  test('a compressed body is no JSON, even when it looks like it', () => {
    expect(parseBody(bytes('{}'), 'gzip')).toEqual({ kind: 'other' });
    expect(parseBody(bytes('{}'), ' Identity')).toEqual({ kind: 'json', value: {} });
  });

  test('hostile JSON is parsed without harm', () => {
    const deep = '['.repeat(maxAnswerBytes / 2) + ']'.repeat(maxAnswerBytes / 2);
    expect(['json', 'other']).toContain(parseBody(bytes(deep), undefined).kind);
    const proto = parseBody(bytes('{"__proto__":{"polluted":true},"n":1e999}'), undefined);
    expect(proto.kind).toBe('json');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
