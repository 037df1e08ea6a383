import { describe, expect, test } from 'vitest';
import { reasons } from '../../../src/api/conditions.ts';
import type { ParsedResponse } from '../../../src/poller/ports.ts';
import { SluiceError, backoff } from '../../../src/lib/errors.ts';
import {
  invokeErrors,
  outcomeOfAnswer,
  outcomeOfError,
  parsePayload,
} from '../../../src/targets/lambda-outcome.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('an answer', () => {
  test.each<[string, ParsedResponse, string]>([
    ['', { kind: 'empty' }, 'nothing'],
    [' \n', { kind: 'empty' }, 'whitespace alone'],
    ['null', { kind: 'json', value: null }, 'what most functions return'],
    ['""', { kind: 'json', value: '' }, 'an empty string'],
    ['{"batchItemFailures":[]}', { kind: 'json', value: { batchItemFailures: [] } }, 'a partial response'],
    ['hello', { kind: 'other' }, 'a handler of another kind'],
    ['{"a":', { kind: 'other' }, 'cut off'],
  ])('%o is parsed as %o: %s', (text, parsed) => {
    expect(parsePayload(bytes(text))).toEqual(parsed);
    expect(outcomeOfAnswer({ StatusCode: 200, ExecutedVersion: '7', Payload: bytes(text) }, 'f')).toEqual({
      kind: 'delivered',
      statusCode: 200,
      response: parsed,
      executedVersion: '7',
    });
  });

  test.each([
    [
      '{"errorType":"ValueError","errorMessage":"card 4111"}',
      'FunctionError',
      'f: ValueError',
      'an exception',
    ],
    [
      '{"errorType":"Runtime.ExitError","errorMessage":"x"}',
      'FunctionError',
      'f: Runtime.ExitError',
      'an exit',
    ],
    [
      '{"errorType":"Sandbox.Timedout","errorMessage":"x"}',
      'Timeout',
      'f: the function timed out',
      'by type',
    ],
    [
      '{"errorMessage":"2026-09-01T10:00:00.000Z 5f0c Task timed out after 3.00 seconds"}',
      'Timeout',
      'f: the function timed out',
      'by text',
    ],
    ['{"errorMessage":"card 4111"}', 'FunctionError', 'f: the function failed', 'no type'],
    [
      '{"errorType":"card 4111, of Mr X"}',
      'FunctionError',
      'f: the function failed',
      'a type that is no name',
    ],
    ['{"errorType":{"card":4111}}', 'FunctionError', 'f: the function failed', 'a type that is no text'],
    ['not JSON: card 4111', 'FunctionError', 'f: the function failed', 'no JSON'],
    [
      '{"batchItemFailures":[]}',
      'FunctionError',
      'f: the function failed',
      'a partial response is irrelevant',
    ],
  ])('with a function error and payload %o is a failure of reason %s', (text, reason, message) => {
    const answer = { StatusCode: 200, FunctionError: 'Unhandled', Payload: bytes(text) };
    const outcome = outcomeOfAnswer(answer, 'f');
    expect(outcome).toEqual({ kind: 'failed', reason, functionError: 'Unhandled', statusCode: 200, message });
    expect(JSON.stringify(outcome)).not.toContain('4111');
  });
});

describe('an error', () => {
  test('that comes from the credentials keeps its reason and spends nothing', () => {
    const error = new Error('outer', {
      cause: new SluiceError('AssumeRoleFailed', 'the trust policy', backoff),
    });
    expect(outcomeOfError(error, 'f')).toEqual({
      kind: 'refused',
      reason: 'AssumeRoleFailed',
      message: 'the trust policy',
    });
  });

  test.each<[object, string, string, string]>([
    [{ code: 'ECONNREFUSED' }, 'unreachable', 'TargetUnreachable', 'nothing was sent'],
    [{ code: 'ENOTFOUND' }, 'unreachable', 'TargetUnreachable', 'nothing was sent'],
    [{ code: 'CERT_HAS_EXPIRED' }, 'unreachable', 'TargetUnreachable', 'nothing was sent'],
    [
      {
        code: 'ECONNRESET',
        message: 'Client network socket disconnected before secure TLS connection was established',
      },
      'unreachable',
      'TargetUnreachable',
      'reset within the handshake: nothing was sent',
    ],
    [{ code: 'ETIMEDOUT', syscall: 'connect' }, 'unreachable', 'TargetUnreachable', 'nothing was sent'],
    [{ code: 'ECONNRESET', name: 'TimeoutError' }, 'failed', 'ConnectionLost', 'the function may have run'],
    [{ code: 'EPIPE', name: 'TimeoutError' }, 'failed', 'ConnectionLost', 'the function may have run'],
    [{ code: 'HPE_INVALID_CONSTANT' }, 'failed', 'ConnectionLost', 'an answer that is no HTTP'],
    [{ name: 'TimeoutError' }, 'failed', 'Timeout', 'the function may still run'],
    [
      { name: 'DeadlineError' },
      'unreachable',
      'TargetUnreachable',
      'only our own class counts as a deadline',
    ],
    [{ name: 'AbortError' }, 'unreachable', 'TargetUnreachable', 'we cut it off'],
  ])('%o is %s, %s: %s', (shape, kind, reason) => {
    const error = Object.assign(new Error('words'), shape);
    expect(outcomeOfError(error, 'f')).toMatchObject({ kind, reason });
  });
});

test('every outcome of the table has a documented reason', () => {
  for (const row of Object.values(invokeErrors)) {
    expect(Object.keys(reasons)).toContain(row.reason);
  }
});
