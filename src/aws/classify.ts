/**
 * What an AWS error means, in our words: one table from codes to meanings, used by sources, targets and the control
 * plane. Nobody else looks at an SDK error's name or status. An unknown code falls back on its status, so that a
 * code which AWS adds tomorrow is tried again rather than giving up.
 */
import type { Reason } from '../api/conditions.ts';
import { after, backoff, never, SluiceError, type Retry } from '../lib/errors.ts';
import { factsOf, type AwsErrorFacts } from './error-facts.ts';

/** What went wrong, before a room puts its own reason to it. */
export type AwsFault =
  | 'not-found'
  | 'denied'
  | 'throttled'
  | 'over-limit'
  | 'receipt-invalid'
  | 'kms-denied'
  | 'kms-throttled'
  | 'credentials-missing'
  | 'credentials-expired'
  | 'credentials-invalid'
  | 'clock-skew'
  | 'wrong-region'
  | 'too-large'
  | 'rejected'
  | 'unreachable'
  | 'failed';

/** Codes and their meaning; the comment says where a surprising one comes from. */
export const faultsByCode: Readonly<Record<string, AwsFault>> = {
  QueueDoesNotExist: 'not-found',
  NonExistentQueue: 'not-found',
  QueueDeletedRecently: 'not-found',
  ResourceNotFoundException: 'not-found',

  AccessDenied: 'denied',
  AccessDeniedException: 'denied',
  AuthorizationError: 'denied',
  NotAuthorized: 'denied',
  UnauthorizedOperation: 'denied',
  OptInRequired: 'denied',
  // SQS: the request did not come over HTTPS or was not signed with version 4.
  InvalidSecurity: 'denied',

  RequestThrottled: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  ThrottledException: 'throttled',
  TooManyRequestsException: 'throttled',
  RequestLimitExceeded: 'throttled',
  SlowDown: 'throttled',

  OverLimit: 'over-limit',
  ReceiptHandleIsInvalid: 'receipt-invalid',
  MessageNotInflight: 'receipt-invalid',

  KmsAccessDenied: 'kms-denied',
  KmsDisabled: 'kms-denied',
  KmsInvalidKeyUsage: 'kms-denied',
  KmsInvalidState: 'kms-denied',
  KmsNotFound: 'kms-denied',
  KmsOptInRequired: 'kms-denied',
  KMSAccessDeniedException: 'kms-denied',
  KMSDisabledException: 'kms-denied',
  KMSInvalidStateException: 'kms-denied',
  KMSNotFoundException: 'kms-denied',
  KmsThrottled: 'kms-throttled',

  CredentialsProviderError: 'credentials-missing',
  TokenProviderError: 'credentials-missing',
  ExpiredToken: 'credentials-expired',
  ExpiredTokenException: 'credentials-expired',
  TokenRefreshRequired: 'credentials-expired',
  InvalidClientTokenId: 'credentials-invalid',
  UnrecognizedClientException: 'credentials-invalid',
  InvalidAccessKeyId: 'credentials-invalid',
  InvalidToken: 'credentials-invalid',
  AuthFailure: 'credentials-invalid',
  IncompleteSignature: 'credentials-invalid',
  IncompleteSignatureException: 'credentials-invalid',
  MissingAuthenticationToken: 'credentials-invalid',
  MissingAuthenticationTokenException: 'credentials-invalid',
  SignatureDoesNotMatch: 'credentials-invalid',
  InvalidSignatureException: 'credentials-invalid',

  RequestTimeTooSkewed: 'clock-skew',
  RequestInTheFuture: 'clock-skew',
  RequestExpired: 'clock-skew',

  // SQS answers so to a queue URL of another Region.
  InvalidAddress: 'wrong-region',

  BatchRequestTooLong: 'too-large',
  RequestTooLargeException: 'too-large',
  RequestEntityTooLargeException: 'too-large',
  SerializedRequestEntityTooLargeException: 'too-large',

  InvalidParameterValue: 'rejected',
  InvalidParameterValueException: 'rejected',
  InvalidParameterCombination: 'rejected',
  MissingParameter: 'rejected',
  ValidationError: 'rejected',
  ValidationException: 'rejected',
  InvalidAttributeName: 'rejected',
  InvalidAttributeValue: 'rejected',
  InvalidMessageContents: 'rejected',
  InvalidIdFormat: 'rejected',
  UnsupportedOperation: 'rejected',
  BatchEntryIdsNotDistinct: 'rejected',
  EmptyBatchRequest: 'rejected',
  InvalidBatchEntryId: 'rejected',
  TooManyEntriesInBatchRequest: 'rejected',

  InternalError: 'failed',
  InternalFailure: 'failed',
  ServiceUnavailable: 'failed',
  ServiceException: 'failed',
};

/** What `facts` mean. */
export function faultOf(facts: AwsErrorFacts): AwsFault {
  if (/region (is missing|not accepted)/i.test(facts.detail) && facts.status === undefined)
    return 'wrong-region';
  const fault = Object.hasOwn(faultsByCode, facts.code) ? faultsByCode[facts.code] : undefined;
  // One code for several faults; AWS's text tells them apart.
  if (facts.code === 'InvalidSignatureException' || facts.code === 'SignatureDoesNotMatch') {
    if (/signature (expired|not yet current)/i.test(facts.detail)) return 'clock-skew';
    if (/credential should be scoped to a valid region/i.test(facts.detail)) return 'wrong-region';
  }
  if (fault === 'rejected' && /receipt ?handle/i.test(facts.detail)) return 'receipt-invalid';
  if (fault !== undefined) return fault;
  if (facts.network !== undefined) return 'unreachable';
  const status = facts.status ?? 0;
  if (status === 429) return 'throttled';
  if (status === 401 || status === 403) return 'denied';
  if (status === 413) return 'too-large';
  // What cannot be read is no answer of AWS's, whatever its status: a proxy's page, say. It is tried again.
  const isAnswer = !unreadable.has(facts.code) && status !== 408;
  return isAnswer && status >= 400 && status < 500 ? 'rejected' : 'failed';
}

/** The reasons that mean the same in every room. */
const sharedReasons = {
  'over-limit': 'OverLimit',
  'receipt-invalid': 'ReceiptHandleInvalid',
  'kms-denied': 'KmsAccessDenied',
  'kms-throttled': 'KmsThrottled',
  'credentials-missing': 'AwsCredentialsMissing',
  'credentials-expired': 'AwsCredentialsExpired',
  'credentials-invalid': 'AwsCredentialsInvalid',
  'clock-skew': 'ClockSkew',
  'wrong-region': 'WrongRegion',
  'too-large': 'RequestTooLarge',
} as const satisfies Partial<Record<AwsFault, Reason>>;

/** Reasons by fault; a room passes its own for the rest. */
export type ReasonsByFault = Readonly<Record<AwsFault, Reason>>;

const queueReasons: ReasonsByFault = {
  ...sharedReasons,
  'not-found': 'QueueNotFound',
  denied: 'SourceAccessDenied',
  throttled: 'SourceThrottled',
  rejected: 'SourceRejected',
  unreachable: 'SourceUnreachable',
  failed: 'SourceFailed',
};

/** Reasons of a control-plane call. */
export const controlReasons: ReasonsByFault = {
  ...sharedReasons,
  'not-found': 'SourceNotFound',
  denied: 'AwsAccessDenied',
  throttled: 'AwsThrottled',
  rejected: 'AwsRejected',
  unreachable: 'AwsUnreachable',
  failed: 'AwsFailed',
};

/** Which call failed: `action` as IAM names it (`sqs:ReceiveMessage`), `resource` an ARN or a name. */
export interface AwsCall {
  readonly action: string;
  readonly resource?: string;
}

/** An error of a queue's call. */
export function classifyQueueError(error: unknown, call: AwsCall): SluiceError {
  return classifyWith(queueReasons, error, call);
}

/** An error with the reasons of a room. A `SluiceError` within it (credentials) is returned as it is. */
export function classifyWith(reasons: ReasonsByFault, error: unknown, call: AwsCall): SluiceError {
  const facts = factsOf(error);
  if (facts.known !== undefined) return facts.known;
  const fault = faultOf(facts);
  return new SluiceError(reasons[fault], describe(fault, facts, call), retryOf(fault, facts), {
    cause: safeCause(fault, facts),
  });
}

/** What a person reads: the call, what it met, and AWS's own words where they are safe and of use. */
export function describe(fault: AwsFault, facts: AwsErrorFacts, call: AwsCall): string {
  const subject = call.resource === undefined ? call.action : `${call.action} on ${call.resource}`;
  const status = facts.status === undefined ? '' : ` (HTTP ${facts.status})`;
  if (unreadable.has(facts.code)) return `${subject}: the answer cannot be read${status}`;
  if (hidesDetail(fault)) return `${subject}: ${facts.code}${status}`;
  return `${subject}: ${facts.code}${status}: ${facts.detail}`;
}

/** A parser's error quotes what it could not read, which may be a payload. */
const unreadable: ReadonlySet<string> = new Set(['SyntaxError', 'TypeError', 'RangeError']);

/** AWS repeats the signed request, token included, in these answers; and a receipt handle is of no use to anyone. */
function hidesDetail(fault: AwsFault): boolean {
  return fault === 'credentials-invalid' || fault === 'credentials-expired' || fault === 'receipt-invalid';
}

/** Faults that only an edit mends. The others are looked at again, since they are mended outside of the mapping. */
const terminalFaults: ReadonlySet<AwsFault> = new Set([
  'receipt-invalid',
  'rejected',
  'too-large',
  'wrong-region',
]);

function retryOf(fault: AwsFault, facts: AwsErrorFacts): Retry {
  if (terminalFaults.has(fault)) return never;
  return facts.retryAfterMs === undefined ? backoff : after(facts.retryAfterMs);
}

/** The cause that is kept carries no wire objects, which would bring headers and bodies into logs. */
function safeCause(fault: AwsFault, facts: AwsErrorFacts): Error {
  const cause = new Error(hidesDetail(fault) || unreadable.has(facts.code) ? facts.code : facts.detail);
  cause.name = facts.code;
  return cause;
}
