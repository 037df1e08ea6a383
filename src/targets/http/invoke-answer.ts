/**
 * Lambda's Invoke API as servers other than Lambda speak it, above all the runtime interface emulator: headers of a
 * call and the meaning of an answer. Pure.
 *
 * The emulator sends no `X-Amz-Function-Error`: a function error is a body with `errorType` (status 200, or 502 when the
 * runtime ended), a time-out a line of text with status 200. Servers that know the header, and the codes of Lambda's
 * own errors (`x-amzn-errortype`), are understood by them.
 */
import type { Invocation, Outcome } from '../../poller/ports.ts';
import { invokeErrors, outcomeOfAnswer } from '../lambda-outcome.ts';
import { failed, needsBody, outcomeOf, parseBody, throttled, type AnswerHead } from './answer.ts';

const timedOut = /^Task timed out after [\d.]+ seconds\s*$/;
/** Longest text that is looked at for a time-out. */
const timedOutMaxBytes = 200;

/** Asks for an answer, and names the invocation, which then is the request id that the function sees. */
export function invokeHeaders(invocation: Invocation): readonly string[] {
  return ['x-amz-invocation-type', 'RequestResponse', 'x-amzn-requestid', invocation.id];
}

/** Bodies of success, of function errors, and of 502, by which the emulator tells that the runtime ended. */
export function invokeNeedsBody(head: AnswerHead): boolean {
  return needsBody(head) || head.functionError !== undefined || head.statusCode === 502;
}

export function invokeOutcome(head: AnswerHead, body: Uint8Array, nowMs: number): Outcome {
  const known = head.errorType === undefined ? undefined : outcomeOfCode(head, head.errorType, nowMs);
  if (known !== undefined) return known;
  if (!invokeNeedsBody(head)) {
    // How the emulator says that it is at work, where it does not end.
    if (head.statusCode === 400 && head.declaredBytes === 0) {
      return throttled(head, 'The target is at another invocation', nowMs);
    }
    return outcomeOf(head, body, nowMs);
  }
  const response = parseBody(body, head.contentEncoding);
  const isError = response.kind === 'json' && hasErrorType(response.value);
  if (head.functionError !== undefined || isError) {
    const answer = {
      StatusCode: head.statusCode,
      FunctionError: head.functionError ?? 'Unhandled',
      Payload: body,
    };
    return outcomeOfAnswer(answer, 'The function');
  }
  if (head.statusCode === 200 && response.kind === 'other' && body.length <= timedOutMaxBytes) {
    if (timedOut.test(new TextDecoder().decode(body))) {
      return failed('Timeout', 'The function: the function timed out', head.statusCode);
    }
  }
  return outcomeOf(head, body, nowMs);
}

/** Lambda's own errors, by their code. */
function outcomeOfCode(head: AnswerHead, errorType: string, nowMs: number): Outcome | undefined {
  const code = errorType.split(':')[0]?.trim() ?? '';
  const row = Object.hasOwn(invokeErrors, code) ? invokeErrors[code] : undefined;
  if (row === undefined || needsBody(head)) return undefined;
  const message = `The target answered ${head.statusCode}: ${code}`;
  switch (row.kind) {
    case 'failed':
      return {
        kind: 'failed',
        reason: row.reason,
        functionError: 'Unhandled',
        statusCode: head.statusCode,
        message,
      };
    case 'throttled':
      return throttled(head, message, nowMs);
    case 'unreachable':
    case 'refused':
      return { kind: row.kind, reason: row.reason, message };
  }
}

function hasErrorType(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'errorType')) return false;
  const { errorType } = value as { readonly errorType: unknown };
  return typeof errorType === 'string' && errorType !== '';
}
