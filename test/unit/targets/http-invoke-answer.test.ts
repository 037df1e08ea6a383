import { describe, expect, test } from 'vitest';
import { readHead, type ReceivedHeaders } from '../../../src/targets/http/answer.ts';
import { invokeHeaders, invokeNeedsBody, invokeOutcome } from '../../../src/targets/http/invoke-answer.ts';

const nowMs = Date.UTC(2026, 10, 1);
const outcomeOf = (status: number, body: string, headers: ReceivedHeaders = {}) => {
  const bytes = Buffer.from(body);
  const head = readHead(status, { 'content-length': String(bytes.length), ...headers });
  return invokeOutcome(head, invokeNeedsBody(head) ? bytes : new Uint8Array(), nowMs);
};

describe('the headers of an invocation', () => {
  test('ask for an answer and name the invocation', () => {
    const invocation = { id: '7c1f0a52-1f0e-4a11-9d53-0a6f4b3f2c11', event: '{}', records: [], attempt: 1 };
    expect(invokeHeaders(invocation)).toEqual([
      'x-amz-invocation-type',
      'RequestResponse',
      'x-amzn-requestid',
      '7c1f0a52-1f0e-4a11-9d53-0a6f4b3f2c11',
    ]);
  });
});

describe('the answer to an invocation', () => {
  test.each([
    { status: 200, body: '{"batchItemFailures":[]}', why: 'a response' },
    { status: 200, body: 'null', why: 'a function that returns nothing' },
    { status: 200, body: '', why: 'no body' },
    { status: 202, body: '', why: 'a server that only takes the event' },
    { status: 200, body: '{"errorType":null}', why: 'the member without a name is no error' },
    { status: 200, body: '{"errorType":""}', why: 'nor is an empty one' },
    { status: 200, body: '{"error":{"errorType":"x"}}', why: 'nor one further inside' },
    { status: 200, body: '["errorType"]', why: 'nor a list' },
    {
      status: 200,
      body: '"Task timed out after 3.00 seconds"',
      why: 'a function may return the text as JSON',
    },
    {
      status: 200,
      body: `Task timed out after 3.00 seconds ${'x'.repeat(200)}`,
      why: 'a text that only begins so',
    },
  ])('is a success: $why', ({ status, body }) => {
    expect(outcomeOf(status, body)).toMatchObject({ kind: 'delivered', statusCode: status });
  });

  test.each([
    {
      status: 200,
      body: '{"errorType":"TypeError","errorMessage":"secret","trace":[]}',
      headers: {},
      reason: 'FunctionError',
      functionError: 'Unhandled',
      message: 'The function: TypeError',
      why: 'what a runtime reports, without the header',
    },
    {
      status: 502,
      body: '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: x Error: Runtime exited"}',
      headers: {},
      reason: 'FunctionError',
      functionError: 'Unhandled',
      message: 'The function: Runtime.ExitError',
      why: 'the runtime ended',
    },
    {
      status: 200,
      body: '{"errorType":"Error","errorMessage":"secret"}',
      headers: { 'x-amz-function-error': 'Handled' },
      reason: 'FunctionError',
      functionError: 'Handled',
      message: 'The function: Error',
      why: "the header's value is kept",
    },
    {
      status: 200,
      body: '{"batchItemFailures":[]}',
      headers: { 'x-amz-function-error': 'Unhandled' },
      reason: 'FunctionError',
      functionError: 'Unhandled',
      message: 'The function: the function failed',
      why: 'the header makes the body irrelevant',
    },
    {
      status: 200,
      body: 'Task timed out after 3.00 seconds',
      headers: {},
      reason: 'Timeout',
      functionError: 'Unhandled',
      message: 'the function timed out',
      why: "the emulator's own time-out",
    },
    {
      status: 200,
      body: '{"errorType":"Sandbox.Timedout","errorMessage":"x"}',
      headers: { 'x-amz-function-error': 'Unhandled' },
      reason: 'Timeout',
      functionError: 'Unhandled',
      message: 'the function timed out',
      why: "Lambda's time-out",
    },
    {
      status: 413,
      body: '{"Type":"User"}',
      headers: { 'x-amzn-errortype': 'RequestTooLargeException' },
      reason: 'PayloadTooLarge',
      functionError: 'Unhandled',
      message: 'The target answered 413: RequestTooLargeException',
      why: "Lambda's own error, by its code",
    },
    {
      status: 500,
      body: '',
      headers: {},
      reason: 'FunctionError',
      functionError: 'Unhandled',
      message: 'The target answered 500',
      why: 'any other error by its status',
    },
  ])('spends the attempt: $why', ({ status, body, headers, reason, functionError, message, why: _why }) => {
    const outcome = outcomeOf(status, body, headers);
    expect(outcome).toMatchObject({ kind: 'failed', reason, functionError, statusCode: status });
    expect(outcome).toHaveProperty('message', expect.stringContaining(message));
    expect(JSON.stringify(outcome)).not.toContain('secret');
  });

  test.each([
    { status: 400, headers: {}, kind: 'throttled', reason: 'TargetThrottled', why: 'at another invocation' },
    { status: 429, headers: {}, kind: 'throttled', reason: 'TargetThrottled', why: 'by its status' },
    {
      status: 429,
      headers: { 'x-amzn-errortype': 'TooManyRequestsException:http://x', 'retry-after': '7' },
      kind: 'throttled',
      reason: 'TargetThrottled',
      retryAfterMs: 7000,
      why: 'by its code, with the time to wait',
    },
    {
      status: 502,
      headers: {},
      kind: 'refused',
      reason: 'TargetUnreachable',
      why: 'the function did not start',
    },
    { status: 404, headers: {}, kind: 'refused', reason: 'TargetRefused', why: 'another path' },
    {
      status: 404,
      headers: { 'x-amzn-errortype': 'ResourceNotFoundException' },
      kind: 'refused',
      reason: 'FunctionNotFound',
      why: 'no such function',
    },
    {
      status: 409,
      headers: { 'x-amzn-errortype': 'ResourceConflictException' },
      kind: 'unreachable',
      reason: 'TargetUnreachable',
      why: 'a function that is being changed',
    },
  ])('spends nothing: $status, $why', ({ status, headers, why: _why, ...outcome }) => {
    expect(outcomeOf(status, '', headers)).toMatchObject(outcome);
  });

  test('a refusal that says what is wrong is no sign of being at work', () => {
    expect(outcomeOf(400, '{"message":"no"}')).toMatchObject({ kind: 'failed', reason: 'FunctionError' });
  });
});
