/**
 * What an answer of the target means: the table of answers in `docs/reference/http-target.md`. Pure.
 */
import type { Outcome, ParsedResponse } from '../../poller/ports.ts';
import { parseRetryAfter } from './retry-after.ts';

/** Longest body of a 2xx answer, as Lambda's. */
export const maxAnswerBytes = 6 * 1024 * 1024;
/** How much of any other body is read, only to keep the connection, and thrown away. */
export const maxDroppedBytes = 64 * 1024;

/** The head of an answer, as far as it matters. */
export interface AnswerHead {
  readonly statusCode: number;
  /** Value of `X-Amz-Function-Error`, if the header is there. */
  readonly functionError: string | undefined;
  readonly retryAfter: string | undefined;
  readonly executedVersion: string | undefined;
  /** Code of one of Lambda's own errors, from servers that speak its API. */
  readonly errorType?: string | undefined;
  readonly contentEncoding: string | undefined;
  /** `Content-Length` as declared. */
  readonly declaredBytes: number | undefined;
  /** False when only the end of the connection ends the body. */
  readonly delimited: boolean;
}

/** Header values as undici gives them. */
export type ReceivedHeaders = Readonly<Record<string, string | string[] | undefined>>;

export function readHead(statusCode: number, headers: ReceivedHeaders): AnswerHead {
  const first = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : value?.[0];
  };
  const length = first('content-length');
  return {
    statusCode,
    functionError: first('x-amz-function-error'),
    retryAfter: first('retry-after'),
    executedVersion: first('x-amz-executed-version'),
    errorType: first('x-amzn-errortype'),
    contentEncoding: first('content-encoding'),
    declaredBytes: length === undefined ? undefined : Number(length),
    delimited: length !== undefined || first('transfer-encoding') !== undefined || statusCode === 204,
  };
}

/** True when the body matters: a 2xx without a function error. Any other answer is told by its head alone. */
export function needsBody(head: AnswerHead): boolean {
  return head.statusCode >= 200 && head.statusCode < 300 && head.functionError === undefined;
}

/** The outcome of a whole answer. `body` is ignored unless `needsBody`. */
export function outcomeOf(head: AnswerHead, body: Uint8Array, nowMs: number): Outcome {
  const { statusCode } = head;
  if (head.functionError !== undefined) {
    const functionError = printable(head.functionError) || 'Unhandled';
    return {
      kind: 'failed',
      reason: 'FunctionError',
      functionError,
      statusCode,
      message: `The target answered ${statusCode} with X-Amz-Function-Error: ${functionError}`,
    };
  }
  if (needsBody(head)) {
    const executedVersion = head.executedVersion === undefined ? '' : printable(head.executedVersion);
    const response = parseBody(body, head.contentEncoding);
    return executedVersion === ''
      ? { kind: 'delivered', statusCode, response }
      : { kind: 'delivered', statusCode, response, executedVersion };
  }
  switch (statusCode) {
    case 429:
    case 503:
      return throttled(head, `The target answered ${statusCode}`, nowMs);
    case 401:
    case 403:
    case 404:
    case 405:
    case 407:
      return { kind: 'refused', reason: 'TargetRefused', message: `The target answered ${statusCode}` };
    // A proxy in front of the target answers: the target itself cannot be reached.
    case 502:
    case 504:
      return {
        kind: 'refused',
        reason: 'TargetUnreachable',
        message: `A gateway in front of the target answered ${statusCode}`,
      };
    default:
      return failed(
        'FunctionError',
        statusCode >= 300 && statusCode < 400
          ? `The target answered ${statusCode}; redirects are never followed`
          : `The target answered ${statusCode}`,
        statusCode,
      );
  }
}

/** The target takes no more for now; what it asks to wait is honoured. */
export function throttled(head: AnswerHead, message: string, nowMs: number): Outcome {
  const retryAfterMs = head.retryAfter === undefined ? undefined : parseRetryAfter(head.retryAfter, nowMs);
  return {
    kind: 'throttled',
    reason: 'TargetThrottled',
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** A function error of our own finding: the attempt is spent. */
export function failed(
  reason: 'FunctionError' | 'Timeout' | 'ResponseInvalid' | 'ConnectionLost' | 'PayloadTooLarge',
  message: string,
  statusCode?: number,
): Outcome {
  return {
    kind: 'failed',
    reason,
    functionError: 'Unhandled',
    message,
    ...(statusCode === undefined ? {} : { statusCode }),
  };
}

/**
 * The outcome of a call whose connection ended, or spoke no HTTP, after sending and before the answer was complete.
 * `status` is that of a 2xx whose body is missing; `isFirst` says that the connection had served no call before.
 */
export function brokenOutcome(error: Error, status: number | undefined, isFirst: boolean): Outcome {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  // With TLS 1.3 the server judges our certificate when we have begun to send, and hands on nothing before it has.
  if (status === undefined && isFirst && /^ERR_SSL_.*ALERT/.test(code)) {
    return { kind: 'unreachable', reason: 'TargetUnreachable', message: `TLS: ${code}` };
  }
  const isGarbage =
    error.name === 'HTTPParserError' ||
    code === 'UND_ERR_HEADERS_OVERFLOW' ||
    (status === undefined && code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') ||
    error.message === 'bad response' ||
    error.message === 'bad upgrade';
  if (isGarbage) {
    return failed('ResponseInvalid', `The answer of the target is no valid HTTP: ${error.message}`, status);
  }
  return status === undefined
    ? failed('ConnectionLost', `The connection ended after sending and before an answer: ${error.message}`)
    : failed('ResponseInvalid', `The answer of the target is incomplete: ${error.message}`, status);
}

/**
 * The parsed body. The content type is not asked: consumers that answer JSON as text are common. A compressed body is
 * not JSON to us: we ask for none, and unpacking would let 6 MB become any size. Invalid UTF-8 is no JSON either; a
 * byte order mark is skipped.
 */
export function parseBody(body: Uint8Array, contentEncoding: string | undefined): ParsedResponse {
  if (body.length === 0) return { kind: 'empty' };
  if (contentEncoding !== undefined && contentEncoding.trim().toLowerCase() !== 'identity') {
    return { kind: 'other' };
  }
  // What most targets answer, without the decoder and the parser.
  if (body.length === 2 && body[0] === 0x7b && body[1] === 0x7d) return emptyObject;
  try {
    const text = strictUtf8.decode(body);
    if (/^[ \t\r\n]*$/.test(text)) return { kind: 'empty' };
    return { kind: 'json', value: JSON.parse(text) as unknown };
  } catch {
    return { kind: 'other' };
  }
}

const emptyObject: ParsedResponse = { kind: 'json', value: Object.freeze({}) };
const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** A header's value, fit for a message and a failure record. */
function printable(value: string): string {
  return value
    .replace(/[^ -~]/g, '')
    .trim()
    .slice(0, 64);
}

/** The body of an answer of which none matters. */
export const noBytes = new Uint8Array();

/**
 * Bytes of an answer in one growing buffer. A target that sends its 6 MB byte by byte would otherwise cost a hundred
 * times as much in small objects.
 */
export class BodyBuffer {
  #bytes: Uint8Array = noBytes;
  length = 0;

  append(chunk: Uint8Array): void {
    // Most answers come in one piece, and short.
    if (this.length === 0) {
      this.#bytes = new Uint8Array(chunk);
      this.length = chunk.length;
      return;
    }
    const needed = this.length + chunk.length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2, 4096));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.length);
    this.length = needed;
  }

  view(): Uint8Array {
    return this.#bytes.length === this.length ? this.#bytes : this.#bytes.subarray(0, this.length);
  }
}
