/**
 * What can go wrong between Sluice and the Kubernetes API server, classed once. Everything in `kube` throws
 * `KubeError`; nobody outside this file looks at status codes of answers or at names of socket errors.
 */
import { after, backoff, messageOf, never, SluiceError, type Retry } from '../lib/errors.ts';

/**
 * The closed list of reasons. Those that the API server gives in a Status keep its words; `ConnectionFailed` (no
 * answer), `Timeout` (no answer in time), `MalformedAnswer` (an answer that is not Kubernetes') and `Aborted` (the
 * caller's signal) are ours.
 */
export const kubeReasons = [
  'BadRequest',
  'Unauthorized',
  'Forbidden',
  'NotFound',
  'AlreadyExists',
  'Conflict',
  'Expired',
  'Invalid',
  'TooLarge',
  'UnsupportedMediaType',
  'TooManyRequests',
  'InternalError',
  'ServiceUnavailable',
  'ServerTimeout',
  'ConnectionFailed',
  'Timeout',
  'MalformedAnswer',
  'Aborted',
] as const;
export type KubeReason = (typeof kubeReasons)[number];

interface KubeErrorFacts {
  /** HTTP status of the answer; 0 when there was none. */
  readonly status: number;
  readonly reason: KubeReason;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A call to the API server that did not succeed. */
export class KubeError extends SluiceError {
  /** HTTP status of the answer; 0 when there was none. */
  readonly status: number;
  /** The wait that the server asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  declare readonly reason: KubeReason;

  constructor(message: string, facts: KubeErrorFacts) {
    super(facts.reason, message, retryOf(facts.reason, facts.retryAfterMs), { cause: facts.cause });
    this.name = 'KubeError';
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** Whether `error` is a `KubeError` with one of the given reasons. */
export function isKubeError(error: unknown, ...reasons: readonly KubeReason[]): error is KubeError {
  return error instanceof KubeError && (reasons.length === 0 || reasons.includes(error.reason));
}

function retryOf(reason: KubeReason, retryAfterMs: number | undefined): Retry {
  switch (reason) {
    case 'BadRequest':
    case 'Invalid':
    case 'TooLarge':
    case 'UnsupportedMediaType':
    case 'Aborted':
      return never;
    case 'Unauthorized':
    case 'Forbidden':
    // RBAC and credentials are put right without a change of the mapping, so they are worth another try.
    case 'NotFound':
    case 'AlreadyExists':
    case 'Conflict':
    case 'Expired':
    case 'TooManyRequests':
    case 'InternalError':
    case 'ServiceUnavailable':
    case 'ServerTimeout':
    case 'ConnectionFailed':
    case 'Timeout':
    case 'MalformedAnswer':
      return retryAfterMs === undefined ? backoff : after(retryAfterMs);
  }
}

/** Kubernetes' Status object, as far as it is read here. */
export interface KubeStatus {
  readonly kind: 'Status';
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: { readonly retryAfterSeconds?: number };
}

/** Whether a parsed answer is a Status object. */
export function isKubeStatus(value: unknown): value is KubeStatus {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status';
}

const MAX_MESSAGE = 1024;

/** The error for an answer with a status code of 400 or more. `body` may be anything, parsed or not. */
export function answerError(
  what: string,
  status: number,
  body: unknown,
  retryAfterHeader: string | undefined,
  nowMs: number,
): KubeError {
  const answer = isKubeStatus(body) ? body : undefined;
  const code = answer?.code ?? status;
  const reason = reasonOf(code, answer?.reason);
  const text = answer?.message ?? (typeof body === 'string' ? body : '');
  const message = `${what}: ${code} ${reason}${text === '' ? '' : `: ${clip(text)}`}`;
  return new KubeError(message, {
    status: code,
    reason,
    retryAfterMs: retryAfter(answer, code, retryAfterHeader, nowMs),
  });
}

/** The error for a call that got no answer: refused, reset, DNS, TLS, cut off in the middle. */
export function connectionError(what: string, cause: unknown): KubeError {
  return new KubeError(`${what}: no answer: ${clip(messageOf(cause) || codeOf(cause))}`, {
    status: 0,
    reason: 'ConnectionFailed',
    cause,
  });
}

function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code);
  return 'unknown error';
}

function clip(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}

function reasonOf(code: number, given: string | undefined): KubeReason {
  // One code, two meanings: only the Status tells a name that is taken from a resourceVersion that is old, and an
  // expired list from a resource that is gone for good.
  if (given === 'AlreadyExists') return 'AlreadyExists';
  switch (code) {
    case 401:
      return 'Unauthorized';
    case 403:
      return 'Forbidden';
    case 404:
      return 'NotFound';
    case 409:
      return 'Conflict';
    case 410:
      return 'Expired';
    case 413:
      return 'TooLarge';
    case 415:
      return 'UnsupportedMediaType';
    case 422:
      return 'Invalid';
    case 429:
      return 'TooManyRequests';
    case 503:
      return 'ServiceUnavailable';
    case 504:
      return 'ServerTimeout';
    default:
      return code >= 500 ? 'InternalError' : 'BadRequest';
  }
}

function retryAfter(
  answer: KubeStatus | undefined,
  code: number,
  header: string | undefined,
  nowMs: number,
): number | undefined {
  // Kubernetes also sets Retry-After on 500 and 504 answers of overloaded API servers.
  if (code !== 429 && code < 500) return undefined;
  const fromHeader = parseRetryAfter(header, nowMs);
  if (fromHeader !== undefined) return fromHeader;
  const seconds = answer?.details?.retryAfterSeconds;
  return seconds === undefined || seconds <= 0 ? undefined : seconds * 1000;
}

/** Milliseconds of a Retry-After header, which is a number of seconds or an HTTP date; undefined if it is neither. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) || /^[-+\d.]+$/.test(text) ? undefined : Math.max(0, date - nowMs);
}
