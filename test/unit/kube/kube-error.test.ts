import { describe, expect, it } from 'vitest';
import { answerError, connectionError, isKubeError, parseRetryAfter } from '../../../src/kube/kube-error.ts';

const now = Date.UTC(2026, 0, 1);

describe('an answer becomes an error', () => {
  it.each([
    { status: 400, given: undefined, reason: 'BadRequest', retry: 'never', why: 'we built it wrongly' },
    {
      status: 401,
      given: 'Unauthorized',
      reason: 'Unauthorized',
      retry: 'backoff',
      why: 'tokens are renewed',
    },
    { status: 403, given: 'Forbidden', reason: 'Forbidden', retry: 'backoff', why: 'RBAC can be put right' },
    { status: 404, given: 'NotFound', reason: 'NotFound', retry: 'backoff', why: 'a CRD may come later' },
    {
      status: 409,
      given: 'AlreadyExists',
      reason: 'AlreadyExists',
      retry: 'backoff',
      why: 'a name is taken',
    },
    { status: 409, given: 'Conflict', reason: 'Conflict', retry: 'backoff', why: 'the version is old' },
    { status: 410, given: 'Gone', reason: 'Expired', retry: 'backoff', why: 'older servers say Gone' },
    { status: 422, given: 'Invalid', reason: 'Invalid', retry: 'never', why: 'a rule of the CRD' },
    { status: 429, given: undefined, reason: 'TooManyRequests', retry: 'backoff', why: 'no wait was given' },
    {
      status: 500,
      given: 'SomethingNew',
      reason: 'InternalError',
      retry: 'backoff',
      why: 'the list is closed',
    },
    { status: 503, given: undefined, reason: 'ServiceUnavailable', retry: 'backoff', why: 'a gateway' },
    { status: 504, given: 'Timeout', reason: 'ServerTimeout', retry: 'backoff', why: 'etcd is slow' },
  ])('$status $given is $reason ($why)', ({ status, given, reason, retry }) => {
    const error = answerError(
      'get /x',
      status,
      { kind: 'Status', code: status, reason: given },
      undefined,
      now,
    );
    expect(error).toMatchObject({ status, reason, retry: { kind: retry } });
  });

  it.each([
    { status: 429, header: '7', body: {}, ms: 7000, why: 'the usual form' },
    { status: 503, header: '7', body: {}, ms: 7000, why: 'a server that starts' },
    { status: 500, header: '2', body: {}, ms: 2000, why: 'Kubernetes sends it with 500 as well' },
    {
      status: 429,
      header: undefined,
      body: { details: { retryAfterSeconds: 3 } },
      ms: 3000,
      why: 'in the Status',
    },
    {
      status: 429,
      header: '1',
      body: { details: { retryAfterSeconds: 3 } },
      ms: 1000,
      why: 'the header wins',
    },
    { status: 409, header: '7', body: {}, ms: undefined, why: 'no wait helps against a conflict' },
    { status: 429, header: undefined, body: {}, ms: undefined, why: 'none was given' },
  ])('$status with Retry-After $header waits $ms ms ($why)', ({ status, header, body, ms }) => {
    const error = answerError('list /x', status, { kind: 'Status', ...body }, header, now);
    expect(error.retryAfterMs).toBe(ms);
    expect(error.retry).toEqual(ms === undefined ? { kind: 'backoff' } : { kind: 'after', ms });
  });

  it('takes the code of the Status over that of the answer, as in an ERROR event of a watch', () => {
    expect(answerError('watch', 200, { kind: 'Status', code: 410 }, undefined, now).reason).toBe('Expired');
  });

  it('says what was called and what the server said, and cuts what is long', () => {
    const error = answerError('get /x', 500, 'y'.repeat(5000), undefined, now);
    expect(error.message).toMatch(/^get \/x: 500 InternalError: y+…$/);
    expect(error.message.length).toBeLessThan(1200);
  });
});

it.each([
  { header: '0', ms: 0, why: 'at once' },
  { header: ' 12 ', ms: 12_000, why: 'spaces are allowed around it' },
  { header: 'Thu, 01 Jan 2026 00:00:05 GMT', ms: 5000, why: 'a date' },
  { header: 'Wed, 31 Dec 2025 23:59:00 GMT', ms: 0, why: 'a date that has passed' },
  { header: '-1', ms: undefined, why: 'not a number of seconds' },
  { header: '1.5', ms: undefined, why: 'not a whole number' },
  { header: 'soon', ms: undefined, why: 'neither' },
  { header: '', ms: undefined, why: 'empty' },
])('Retry-After "$header" is $ms ms ($why)', ({ header, ms }) => {
  expect(parseRetryAfter(header, now)).toBe(ms);
});

it('a connection error has no status and may be tried again', () => {
  const error = connectionError('get /x', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
  expect(error).toMatchObject({ status: 0, reason: 'ConnectionFailed', retry: { kind: 'backoff' } });
  expect(error.message).toBe('get /x: no answer: refused');
});

it('is told apart by its reasons', () => {
  const error = connectionError('get /x', new Error('refused'));
  expect(isKubeError(error)).toBe(true);
  expect(isKubeError(error, 'Timeout', 'ConnectionFailed')).toBe(true);
  expect(isKubeError(error, 'Timeout')).toBe(false);
  expect(isKubeError(new Error('refused'))).toBe(false);
});
