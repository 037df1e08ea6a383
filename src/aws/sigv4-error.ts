/**
 * An error answer of an AWS JSON service, in the shape in which the SDK throws it, so that `error-facts.ts` reads both
 * alike. Holds the service's code, its words, its request id and what it asks to wait; never the request.
 */
import type { HttpAnswer } from './http-pool.ts';

/** What a service answered instead of a result; `name` is its code. */
export class AwsServiceError extends Error {
  override readonly name: string;
  readonly $metadata: { readonly httpStatusCode: number; readonly requestId: string | undefined };
  readonly retryAfterSeconds: string | undefined;
  /** Lambda's word for what throttled, if it gave one. */
  readonly Reason: string | undefined;

  constructor(code: string, message: string, answer: HttpAnswer, reason?: string) {
    super(message);
    this.name = code;
    this.Reason = reason;
    this.$metadata = { httpStatusCode: answer.status, requestId: headerOf(answer, 'x-amzn-requestid') };
    this.retryAfterSeconds = headerOf(answer, 'retry-after');
  }
}

/** The error that an answer stands for. */
export function serviceError(answer: HttpAnswer): AwsServiceError {
  const body = membersOf(answer);
  const text = (...names: readonly string[]): string | undefined =>
    names.map((name) => body[name]).find((value) => typeof value === 'string');
  // Without a JSON code the header of services that once spoke XML tells.
  const code =
    text('__type', 'code', 'Code') ??
    headerOf(answer, 'x-amzn-errortype') ??
    headerOf(answer, 'x-amzn-query-error')?.split(';')[0];
  const message = text('message', 'Message') ?? 'the service gave no message';
  return new AwsServiceError(code ?? 'UnknownError', message, answer, text('Reason'));
}

/** A header's first value. */
export function headerOf(answer: HttpAnswer, name: string): string | undefined {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** An answer of success that is no JSON. Quotes nothing of it, since it may be a payload. */
export function unreadableAnswer(answer: HttpAnswer): Error {
  return Object.assign(new SyntaxError('the answer is no JSON of the service'), {
    $metadata: { httpStatusCode: answer.status, requestId: headerOf(answer, 'x-amzn-requestid') },
  });
}

function membersOf({ body }: HttpAnswer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // A proxy's page: the status alone tells.
    return {};
  }
}
