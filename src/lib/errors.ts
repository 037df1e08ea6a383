/**
 * The one error type of Sluice. An outcome that is expected is a value, not an error; what is thrown says what went
 * wrong in a word that conditions, metrics and documentation share (`reason`), and whether trying again can help.
 */

/** When trying again may help: never (until the input changes), with back-off, or not before a delay. */
export type Retry =
  | { readonly kind: 'never' }
  | { readonly kind: 'backoff' }
  | { readonly kind: 'after'; readonly ms: number };

export const never: Retry = { kind: 'never' };
export const backoff: Retry = { kind: 'backoff' };
export const after = (ms: number): Retry => ({ kind: 'after', ms });

export class SluiceError extends Error {
  /** CamelCase; also the condition reason and the metric label. Bounded: never built from input. */
  readonly reason: string;
  readonly retry: Retry;

  constructor(reason: string, message: string, retry: Retry, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'SluiceError';
    this.reason = reason;
    this.retry = retry;
  }
}

/** The message of anything that was thrown, without a stack. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'string' ? error : String(error);
}
