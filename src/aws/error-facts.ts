/**
 * Reads whatever an AWS call threw into plain facts, the only place that knows the SDK's error shapes. Guarantees
 * that `detail` is safe to show: one short line without signatures, tokens, receipt handles or query strings.
 */
import { messageOf, SluiceError } from '../lib/errors.ts';
import { DeadlineError } from './deadline.ts';

/**
 * How far a call came when the network failed it: `connect` means that no request was sent; after `lost` and
 * `timeout` the service may have acted.
 */
export type NetworkFailure = 'connect' | 'lost' | 'timeout' | 'aborted';

export interface AwsErrorFacts {
  /** The service's code without namespace, as `QueueDoesNotExist`; the error's name where there is none. */
  readonly code: string;
  readonly status: number | undefined;
  readonly network: NetworkFailure | undefined;
  readonly retryAfterMs: number | undefined;
  /** The service's own words, cleaned for people. */
  readonly detail: string;
  /** A `SluiceError` found on the way: it was classified already (credentials). */
  readonly known: SluiceError | undefined;
}

interface Shape {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly retryAfterSeconds?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: unknown };
  readonly $response?: {
    readonly statusCode?: unknown;
    readonly headers?: Readonly<Record<string, unknown>>;
  };
}

/** The facts of an error. Never throws. */
export function factsOf(error: unknown): AwsErrorFacts {
  const shape: Shape = typeof error === 'object' && error !== null ? error : {};
  const message = messageOf(error);
  return {
    code: codeOf(shape),
    status: numberOf(shape.$metadata?.httpStatusCode) ?? numberOf(shape.$response?.statusCode),
    network: networkFailureOf(error),
    retryAfterMs: retryAfterOf(shape),
    detail: clean(message),
    known: knownIn(error, 0),
  };
}

/** One line of at most 400 characters in which nothing secret is left. */
export function clean(text: string): string {
  const line = text
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    // A signed URL is a credential: nothing after the question mark is shown.
    .replace(/(https?:\/\/[^\s?#]+)[?#]\S*/gi, '$1')
    .replace(/\/\/[^\s/@]+@/g, '//')
    .replace(/\b(x-amz-[a-z-]+|signature|credential|securitytoken|authorization)\s*[=:]\s*\S+/gi, '$1=…')
    // Signatures are 64 hexadecimal digits; tokens and receipt handles longer runs of base64 than any name.
    .replace(/\b[0-9a-f]{64}\b/gi, '…')
    .replace(/[A-Za-z0-9+/=_-]{130,}/g, '…')
    .trim();
  return line.length > 400 ? `${line.slice(0, 399)}…` : line;
}

function codeOf(shape: Shape): string {
  const raw = typeof shape.name === 'string' && shape.name !== '' ? shape.name : 'Error';
  const name = raw.slice(raw.lastIndexOf('#') + 1);
  return name.replace(/^(AWS\.SimpleQueueService\.|AWS\.)/, '').replace(/:.*$/, '');
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
}

function retryAfterOf(shape: Shape): number | undefined {
  const value = shape.retryAfterSeconds ?? shape.$response?.headers?.['retry-after'];
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const seconds = Number(value);
  // A date instead of seconds is not used by AWS; a nonsensical wait is not obeyed.
  return Number.isFinite(seconds) && seconds >= 0 && seconds <= 3600 ? Math.round(seconds * 1000) : undefined;
}

const connectCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'EPROTO',
  'UND_ERR_CONNECT_TIMEOUT',
  // The proxy gave no tunnel.
  'ERR_PROXY_TUNNEL',
]);
const lostCodes = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ABORT_ERR',
  // undici's own codes: closed by the other side, or by us, within a call; a body shorter than its length.
  'UND_ERR_SOCKET',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_HEADERS_OVERFLOW',
]);

function networkFailureOf(error: unknown): NetworkFailure | undefined {
  if (error instanceof DeadlineError) return 'timeout';
  if (typeof error !== 'object' || error === null) return undefined;
  const shape: Shape = error;
  const message = messageOf(error);
  const code = typeof shape.code === 'string' ? shape.code : '';
  if (shape.name === 'AbortError') return 'aborted';
  // Reset within the TLS handshake: no request was sent yet.
  if (message.includes('before secure TLS connection was established')) return 'connect';
  if (connectCodes.has(code) || isTlsCode(code)) return 'connect';
  if (code === 'ETIMEDOUT' && shape.syscall === 'connect') return 'connect';
  if (message.includes('did not establish a connection')) return 'connect';
  if (lostCodes.has(code) || code.startsWith('HPE_') || message === 'aborted') return 'lost';
  // undici's name for what is no HTTP; its code is not always there.
  if (shape.name === 'HTTPParserError') return 'lost';
  if (shape.name === 'TimeoutError' || code === 'ETIMEDOUT') return 'timeout';
  // Several addresses were tried and each failed; the first tells.
  if (Array.isArray(shape.errors) && shape.errors.length > 0) return networkFailureOf(shape.errors[0]);
  return undefined;
}

function isTlsCode(code: string): boolean {
  return (
    /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code) ||
    code === 'HOSTNAME_MISMATCH' ||
    code === 'INVALID_CA'
  );
}

function knownIn(error: unknown, depth: number): SluiceError | undefined {
  if (error instanceof SluiceError) return error;
  if (depth > 5 || typeof error !== 'object' || error === null) return undefined;
  return knownIn((error as Shape).cause, depth + 1);
}
