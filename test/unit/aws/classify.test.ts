import { describe, expect, test } from 'vitest';
import { reasons } from '../../../src/api/conditions.ts';
import { classifyQueueError, classifyWith, controlReasons, faultsByCode } from '../../../src/aws/classify.ts';
import { DeadlineError } from '../../../src/aws/deadline.ts';
import { backoff, SluiceError, type Retry } from '../../../src/lib/errors.ts';

const call = { action: 'sqs:ReceiveMessage', resource: 'arn:aws:sqs:eu-west-1:111122223333:jobs' };

interface Thrown {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly syscall?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly errors?: readonly unknown[];
}

/** An error as the SDK throws it. */
function thrown(shape: Thrown): Error {
  const { status, headers, message, ...rest } = shape;
  return Object.assign(new Error(message ?? 'words of AWS'), rest, {
    $metadata: status === undefined ? {} : { httpStatusCode: status },
    ...(status === undefined ? {} : { $response: { statusCode: status, headers: headers ?? {} } }),
  });
}

const never: Retry = { kind: 'never' };

describe('an error of a queue', () => {
  const rows: readonly (readonly [Thrown, string, Retry, string])[] = [
    [{ name: 'QueueDoesNotExist', status: 400 }, 'QueueNotFound', backoff, 'it may be created later'],
    [
      { name: 'AWS.SimpleQueueService.NonExistentQueue', status: 400 },
      'QueueNotFound',
      backoff,
      'the old code',
    ],
    [{ name: 'com.amazonaws.sqs#QueueDoesNotExist', status: 400 }, 'QueueNotFound', backoff, 'a namespace'],
    [{ name: 'AccessDenied', status: 403 }, 'SourceAccessDenied', backoff, 'a policy may be mended'],
    [
      { name: 'AccessDeniedException', status: 400 },
      'SourceAccessDenied',
      backoff,
      'the JSON protocol says 400',
    ],
    [{ name: 'InvalidSecurity', status: 403 }, 'SourceAccessDenied', backoff, 'not HTTPS or not signed'],
    [{ name: 'RequestThrottled', status: 400 }, 'SourceThrottled', backoff, 'SQS throttles with 400'],
    [{ name: 'ThrottlingException', status: 400 }, 'SourceThrottled', backoff, 'the general code'],
    [{ name: 'Whatever', status: 429 }, 'SourceThrottled', backoff, 'by status alone'],
    [
      { name: 'ThrottlingException', status: 429, headers: { 'retry-after': '7' } },
      'SourceThrottled',
      { kind: 'after', ms: 7000 },
      'the wait that AWS asks for',
    ],
    [
      { name: 'ThrottlingException', status: 429, headers: { 'retry-after': 'soon' } },
      'SourceThrottled',
      backoff,
      'a wait that is no number',
    ],
    [
      { name: 'OverLimit', status: 403 },
      'OverLimit',
      backoff,
      '120,000 in flight; not a denial despite its 403',
    ],
    [{ name: 'ReceiptHandleIsInvalid', status: 400 }, 'ReceiptHandleInvalid', never, 'it stays invalid'],
    [{ name: 'MessageNotInflight', status: 400 }, 'ReceiptHandleInvalid', never, 'visible again'],
    [
      { name: 'InvalidParameterValue', status: 400, message: 'The receipt handle has expired' },
      'ReceiptHandleInvalid',
      never,
      'FIFO says it so',
    ],
    [{ name: 'InvalidParameterValue', status: 400 }, 'SourceRejected', never, 'the same request stays wrong'],
    [{ name: 'KmsAccessDenied', status: 400 }, 'KmsAccessDenied', backoff, 'the key policy'],
    [{ name: 'KmsDisabled', status: 400 }, 'KmsAccessDenied', backoff, 'a key that is switched off'],
    [{ name: 'KmsNotFound', status: 400 }, 'KmsAccessDenied', backoff, 'a key that is gone'],
    [{ name: 'KmsThrottled', status: 400 }, 'KmsThrottled', backoff, 'KMS is too busy'],
    [{ name: 'CredentialsProviderError' }, 'AwsCredentialsMissing', backoff, 'no provider has any'],
    [{ name: 'ExpiredToken', status: 403 }, 'AwsCredentialsExpired', backoff, 'the query code'],
    [{ name: 'ExpiredTokenException', status: 400 }, 'AwsCredentialsExpired', backoff, 'the JSON code'],
    [
      { name: 'UnrecognizedClientException', status: 400 },
      'AwsCredentialsInvalid',
      backoff,
      'an unknown key',
    ],
    [
      { name: 'InvalidClientTokenId', status: 403 },
      'AwsCredentialsInvalid',
      backoff,
      'an unknown key, query',
    ],
    [{ name: 'SignatureDoesNotMatch', status: 403 }, 'AwsCredentialsInvalid', backoff, 'a wrong secret'],
    [
      {
        name: 'InvalidSignatureException',
        status: 400,
        message: 'Signature expired: 1 is now earlier than 2',
      },
      'ClockSkew',
      backoff,
      'same code, other cause',
    ],
    [{ name: 'RequestTimeTooSkewed', status: 403 }, 'ClockSkew', backoff, 'the clock is wrong'],
    [
      {
        name: 'InvalidSignatureException',
        status: 400,
        message: "Credential should be scoped to a valid region, not 'x'.",
      },
      'WrongRegion',
      never,
      'same code, other cause',
    ],
    [{ name: 'InvalidAddress', status: 404 }, 'WrongRegion', never, 'a queue of another Region'],
    [{ name: 'Error', message: 'Region is missing' }, 'WrongRegion', never, 'the SDK itself'],
    [{ name: 'BatchRequestTooLong', status: 400 }, 'RequestTooLarge', never, 'it stays too long'],
    [{ name: 'Whatever', status: 413 }, 'RequestTooLarge', never, 'by status alone'],
    [{ name: 'InternalError', status: 500 }, 'SourceFailed', backoff, 'SQS itself'],
    [
      { name: 'ServiceUnavailable', status: 503, headers: { 'retry-after': '2' } },
      'SourceFailed',
      { kind: 'after', ms: 2000 },
      'SQS is away for a while',
    ],
    [{ name: 'NewCodeOfTomorrow', status: 500 }, 'SourceFailed', backoff, 'an unknown code, by status'],
    [{ name: 'NewCodeOfTomorrow', status: 400 }, 'SourceRejected', never, 'an unknown code, by status'],
    [{ name: 'NewCodeOfTomorrow', status: 403 }, 'SourceAccessDenied', backoff, 'an unknown code, by status'],
    [{ name: 'SyntaxError', status: 200 }, 'SourceFailed', backoff, 'an answer that is not JSON'],
    [{ message: 'Invalid MD5 checksum on messages: 1' }, 'SourceFailed', backoff, 'a damaged body'],
    [{ code: 'ECONNREFUSED' }, 'SourceUnreachable', backoff, 'nobody listens'],
    [{ code: 'ENOTFOUND' }, 'SourceUnreachable', backoff, 'no such name'],
    [{ code: 'ECONNRESET', name: 'TimeoutError' }, 'SourceUnreachable', backoff, 'as the SDK names a reset'],
    [{ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, 'SourceUnreachable', backoff, 'TLS'],
    [{ name: 'TimeoutError' }, 'SourceUnreachable', backoff, 'no answer'],
    [
      { name: 'AggregateError', errors: [Object.assign(new Error('v6'), { code: 'ECONNREFUSED' })] },
      'SourceUnreachable',
      backoff,
      'every address was tried',
    ],
  ];
  test.each(rows)('%o is %s with retry %o: %s', (shape, reason, retry) => {
    const error = classifyQueueError(thrown(shape), call);
    expect([error.reason, error.retry]).toEqual([reason, retry]);
  });

  test('that is no error object at all is tried again', () => {
    expect(classifyQueueError(undefined, call).reason).toBe('SourceFailed');
    expect(classifyQueueError('text', call).reason).toBe('SourceFailed');
  });

  test('that passed its deadline says that the source does not answer', () => {
    expect(classifyQueueError(new DeadlineError('late'), call).reason).toBe('SourceUnreachable');
  });

  test('that was classified before is kept, however deep it lies', () => {
    const inner = new SluiceError('AssumeRoleFailed', 'no', backoff);
    const error = new Error('outer', { cause: new Error('middle', { cause: inner }) });
    expect(classifyQueueError(error, call)).toBe(inner);
  });
});

describe('the message of an error', () => {
  const said = (shape: Thrown): string => classifyQueueError(thrown(shape), call).message;

  test('names the action, the queue, the code, the status and the words of AWS', () => {
    expect(said({ name: 'AccessDenied', status: 403, message: 'User: x is not authorized' })).toBe(
      'sqs:ReceiveMessage on arn:aws:sqs:eu-west-1:111122223333:jobs: AccessDenied (HTTP 403): User: x is not authorized',
    );
  });

  const secret = 's3cr3t'.repeat(40);
  test.each([
    [
      'the signed request that AWS repeats',
      { name: 'SignatureDoesNotMatch', status: 403, message: `POST\nx-amz-security-token:${secret}` },
    ],
    ['a receipt handle', { name: 'ReceiptHandleIsInvalid', status: 400, message: `The handle "${secret}"` }],
    [
      'the query of a signed URL',
      { name: 'InternalError', message: `GET https://h/p?X-Amz-Signature=${secret}` },
    ],
    ['a password in a URL', { name: 'InternalError', message: 'GET https://user:s3cr3ts3cr3t@h/p' }],
    ['a long run of base64', { name: 'InternalError', message: `token ${secret}` }],
    [
      'what a parser could not read',
      { name: 'SyntaxError', status: 200, message: `Unexpected "s3cr3t" in JSON` },
    ],
  ])('never holds %s', (_what, shape) => {
    const error = classifyQueueError(thrown(shape), call);
    expect(JSON.stringify([error.message, String(error.cause)])).not.toContain('s3cr3t');
  });

  test('is one line of bounded length', () => {
    const message = said({ name: 'InternalError', message: `a\nb\u0000c ${'long words '.repeat(1000)}` });
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message.length).toBeLessThan(600);
  });

  test('carries no wire objects in its cause', () => {
    const error = classifyQueueError(
      thrown({ name: 'InternalError', status: 500, headers: { a: 'b' } }),
      call,
    );
    expect(Object.keys(error.cause as object)).toEqual(['name']);
  });
});

test('every code has a reason that the documentation lists', () => {
  for (const code of Object.keys(faultsByCode)) {
    for (const error of [
      classifyQueueError(thrown({ name: code }), call),
      classifyWith(controlReasons, thrown({ name: code }), call),
    ]) {
      expect(Object.keys(reasons)).toContain(error.reason);
    }
  }
});
