/**
 * What an answer of Lambda's Invoke means for a batch: pure, one table for its errors. `failed` spends the attempt;
 * every other kind says that the function did not run, so the engine holds the batch and brakes.
 */
import type { Reason } from '../api/conditions.ts';
import { describe, faultOf, type AwsFault } from '../aws/classify.ts';
import { clean, factsOf, type AwsErrorFacts } from '../aws/error-facts.ts';
import type { Outcome, ParsedResponse } from '../poller/ports.ts';

interface Row {
  readonly kind: 'failed' | 'throttled' | 'unreachable' | 'refused';
  readonly reason: Reason;
}

const throttled: Row = { kind: 'throttled', reason: 'TargetThrottled' };
/** Passes by itself: infrastructure around the function, or a function that is being changed. */
const away: Row = { kind: 'unreachable', reason: 'TargetUnreachable' };
/** Passes when somebody changes function or permission. */
const refused: Row = { kind: 'refused', reason: 'TargetRefused' };
const keyDenied: Row = { kind: 'refused', reason: 'KmsAccessDenied' };
/** This event will never be taken: the attempt is spent, so that the queue's redrive can move its messages on. */
const tooLarge: Row = { kind: 'failed', reason: 'PayloadTooLarge' };

/** Invoke's errors by code. Codes that are not here fall on their general meaning, then on their status. */
export const invokeErrors: Readonly<Record<string, Row>> = {
  TooManyRequestsException: throttled,
  EC2ThrottledException: throttled,

  ServiceException: away,
  EC2UnexpectedException: away,
  EFSIOException: away,
  EFSMountConnectivityException: away,
  EFSMountTimeoutException: away,
  S3FilesMountConnectivityException: away,
  S3FilesMountTimeoutException: away,
  ENILimitReachedException: away,
  ENINotReadyException: away,
  SubnetIPAddressLimitReachedException: away,
  // The function is being updated, restored from idle, or initialised.
  ResourceConflictException: away,
  ResourceNotReadyException: away,
  SnapStartNotReadyException: away,
  SnapStartTimeoutException: away,
  CodeArtifactUserPendingException: away,

  ResourceNotFoundException: { kind: 'refused', reason: 'FunctionNotFound' },
  AccessDeniedException: refused,
  EC2AccessDeniedException: refused,
  EFSMountFailureException: refused,
  S3FilesMountFailureException: refused,
  InvalidParameterValueException: refused,
  InvalidRuntimeException: refused,
  InvalidSecurityGroupIDException: refused,
  InvalidSubnetIDException: refused,
  InvalidZipFileException: refused,
  CodeArtifactUserDeletedException: refused,
  CodeArtifactUserFailedException: refused,
  ModeNotSupportedException: refused,
  NoPublishedVersionException: refused,
  PreconditionFailedException: refused,
  RecursiveInvocationException: refused,
  ServiceQuotaExceededException: refused,
  SnapStartException: refused,
  SnapStartRegenerationFailureException: refused,
  UnsupportedMediaTypeException: refused,
  DurableExecutionAlreadyStartedException: refused,
  KMSAccessDeniedException: keyDenied,
  KMSDisabledException: keyDenied,
  KMSInvalidStateException: keyDenied,
  KMSNotFoundException: keyDenied,

  RequestTooLargeException: tooLarge,
  SerializedRequestEntityTooLargeException: tooLarge,
  // Lambda cannot parse the event, as with a lone surrogate in a body.
  InvalidRequestContentException: { kind: 'failed', reason: 'PayloadRejected' },
};

const byFault: Readonly<Record<AwsFault, Row>> = {
  'not-found': refused,
  denied: refused,
  throttled,
  'over-limit': throttled,
  'kms-denied': keyDenied,
  'kms-throttled': throttled,
  'credentials-missing': { kind: 'refused', reason: 'AwsCredentialsMissing' },
  'credentials-expired': { kind: 'unreachable', reason: 'AwsCredentialsExpired' },
  'credentials-invalid': { kind: 'refused', reason: 'AwsCredentialsInvalid' },
  'clock-skew': { kind: 'refused', reason: 'ClockSkew' },
  'wrong-region': { kind: 'refused', reason: 'WrongRegion' },
  'too-large': tooLarge,
  'receipt-invalid': refused,
  rejected: refused,
  unreachable: away,
  failed: away,
};

/** The outcome of an invocation that threw. */
export function outcomeOfError(error: unknown, functionName: string): Outcome {
  const facts = factsOf(error);
  const call = { action: 'lambda:InvokeFunction', resource: functionName };
  if (facts.known !== undefined) {
    return { kind: 'refused', reason: facts.known.reason, message: facts.known.message };
  }
  // Seen only from servers that are not Lambda.
  if (facts.code === 'AnswerTooLargeError') {
    const message = `${functionName}: ${facts.detail}`;
    return { kind: 'failed', reason: 'ResponseInvalid', functionError: 'Unhandled', message };
  }
  if (facts.network !== undefined) return outcomeOfNetwork(facts, functionName);
  const fault = faultOf(facts);
  const row = Object.hasOwn(invokeErrors, facts.code) ? invokeErrors[facts.code] : undefined;
  const { kind, reason } = row ?? byFault[fault];
  const message = describe(fault, facts, call) + throttleReasonOf(error);
  if (kind === 'failed') return { kind, reason, functionError: 'Unhandled', message, ...statusOf(facts) };
  if (kind === 'throttled') return { kind, reason, message, ...retryAfterOf(facts) };
  return { kind, reason, message };
}

/**
 * The network failed. Lambda's own poller calls the function from inside and counts a network failure as not invoked;
 * from outside, a connection that is lost after sending leaves a function that may have run, and may still run. An
 * immediate repeat would run it twice at once, so the attempt is spent and the queue's visibility spaces the repeat.
 */
function outcomeOfNetwork(facts: AwsErrorFacts, functionName: string): Outcome {
  const failed = (reason: Reason, what: string): Outcome => ({
    kind: 'failed',
    reason,
    functionError: 'Unhandled',
    message: `${functionName}: ${what}`,
  });
  if (facts.network === 'timeout') return failed('Timeout', 'no complete answer in time');
  if (facts.network === 'lost') {
    return failed(
      'ConnectionLost',
      `the connection was lost after the request had been sent (${facts.detail})`,
    );
  }
  const what =
    facts.network === 'aborted' ? 'the call was cut off before its answer' : `no connection: ${facts.detail}`;
  return { kind: 'unreachable', reason: 'TargetUnreachable', message: `${functionName}: ${what}` };
}

/** What Lambda answered with status 2xx. */
export interface InvokeAnswer {
  readonly StatusCode?: number | undefined;
  readonly FunctionError?: string | undefined;
  readonly ExecutedVersion?: string | undefined;
  /** The SDK gives null for an empty answer, whatever its types say. */
  readonly Payload?: Uint8Array | null | undefined;
}

/** The outcome of an answered invocation. A function error makes the payload irrelevant, failures of items included. */
export function outcomeOfAnswer(answer: InvokeAnswer, functionName: string): Outcome {
  const statusCode = answer.StatusCode ?? 200;
  const response = parsePayload(answer.Payload);
  if (answer.FunctionError !== undefined && answer.FunctionError !== '') {
    const errorType = errorTypeOf(response);
    const timedOut = isTimeout(response, errorType);
    return {
      kind: 'failed',
      reason: timedOut ? 'Timeout' : 'FunctionError',
      functionError: answer.FunctionError,
      statusCode,
      // The error's message is the function's own data and stays out; its type is a name.
      message: `${functionName}: ${timedOut ? 'the function timed out' : errorType}`,
    };
  }
  const { ExecutedVersion: executedVersion } = answer;
  return executedVersion === undefined
    ? { kind: 'delivered', statusCode, response }
    : { kind: 'delivered', statusCode, response, executedVersion };
}

/** Reads a payload as UTF-8 JSON; whitespace alone counts as empty. */
export function parsePayload(payload: Uint8Array | null | undefined): ParsedResponse {
  const text = payload === undefined || payload === null ? '' : new TextDecoder().decode(payload);
  if (text.trim() === '') return { kind: 'empty' };
  try {
    return { kind: 'json', value: JSON.parse(text) as unknown };
  } catch {
    return { kind: 'other' };
  }
}

function stringMember(response: ParsedResponse, name: string): string {
  if (response.kind !== 'json' || typeof response.value !== 'object' || response.value === null) return '';
  const value: unknown = Object.entries(response.value).find(([key]) => key === name)?.[1];
  return typeof value === 'string' ? value : '';
}

function errorTypeOf(response: ParsedResponse): string {
  const name = clean(stringMember(response, 'errorType')).slice(0, 100);
  return /^[\w.:$<>/-]+$/.test(name) ? name : 'the function failed';
}

/** Lambda reports a time-out as a function error, by type in newer runtimes and by text in older ones. */
function isTimeout(response: ParsedResponse, errorType: string): boolean {
  if (errorType === 'Sandbox.Timedout') return true;
  return /^\S+ (\S+ )?Task timed out after [\d.]+ seconds\s*$/.test(stringMember(response, 'errorMessage'));
}

function throttleReasonOf(error: unknown): string {
  const named = typeof error === 'object' && error !== null && 'Reason' in error ? error.Reason : undefined;
  return typeof named === 'string' && /^\w{1,80}$/.test(named) ? ` (${named})` : '';
}

function retryAfterOf(facts: AwsErrorFacts): { readonly retryAfterMs?: number } {
  return facts.retryAfterMs === undefined ? {} : { retryAfterMs: facts.retryAfterMs };
}

function statusOf(facts: AwsErrorFacts): { readonly statusCode?: number } {
  return facts.status === undefined ? {} : { statusCode: facts.status };
}
