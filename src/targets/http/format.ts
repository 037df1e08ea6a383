/**
 * What the formats of an HTTP target differ in: headers of a call, which bodies are read, what an answer means, and how
 * many calls an endpoint takes. Pure.
 */
import type { HttpTarget } from '../../api/mapping.ts';
import type { Invocation, Outcome } from '../../poller/ports.ts';
import { needsBody, outcomeOf, type AnswerHead } from './answer.ts';
import { invokeHeaders, invokeNeedsBody, invokeOutcome } from './invoke-answer.ts';

export type HttpFormat = NonNullable<HttpTarget['format']>;

export interface Format {
  readonly contentType: string;
  /** Headers beside those of every call: name, value, name, value. */
  readonly headersOf: (invocation: Invocation) => readonly string[];
  /** Whether the body of an answer with this head matters. */
  readonly needsBody: (head: AnswerHead) => boolean;
  /** The outcome of a whole answer; the body is empty unless it matters. */
  readonly outcomeOf: (head: AnswerHead, body: Uint8Array, nowMs: number) => Outcome;
  /** Whether a second call at an endpoint must wait for the end of the first. */
  readonly oneAtATime: boolean;
  /** Most bytes of an event; undefined = as the source and the batch come. */
  readonly maxEventBytes?: number;
}

const none: readonly string[] = [];

/** Every format. */
export const formats: Readonly<Record<HttpFormat, Format>> = {
  Lambda: {
    contentType: 'application/json',
    headersOf: () => none,
    needsBody,
    outcomeOf,
    oneAtATime: false,
  },
  LambdaInvoke: {
    contentType: 'application/json',
    headersOf: invokeHeaders,
    needsBody: invokeNeedsBody,
    outcomeOf: invokeOutcome,
    // Lambda's runtime interface emulator ends with its function when a second invocation comes.
    oneAtATime: true,
    // It cuts off what is longer, and the function would get broken JSON.
    maxEventBytes: 6 * 1024 * 1024,
  },
  CloudEvents: {
    contentType: 'application/cloudevents-batch+json',
    headersOf: () => none,
    needsBody,
    outcomeOf,
    oneAtATime: false,
  },
};
