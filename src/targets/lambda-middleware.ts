/**
 * Two small steps in the SDK's stack for one Invoke: a bound on the answer, and the trace header of the records. They
 * look at requests and answers by shape, since the SDK leaves both untyped here.
 */
import { Readable } from 'node:stream';
import type { InvokeCommand } from '@aws-sdk/client-lambda';
import { AnswerTooLargeError } from '../aws/http-pool.ts';

type InvokeStack = InvokeCommand['middlewareStack'];

/** Lambda's limit of 6 MB for an answer, and room for how servers count it. */
export const answerBytesMax = 6 * 1024 * 1024 + 64 * 1024;

/** Stops reading an answer beyond `answerBytesMax`, so that a wrong server cannot fill the memory. */
export function boundAnswer(stack: InvokeStack): void {
  stack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response: unknown = result.response;
      if (typeof response === 'object' && response !== null && 'body' in response) {
        const { body } = response;
        if (body instanceof Readable) response.body = Readable.from(bounded(body));
      }
      return result;
    },
    // Innermost, so that the answer is bounded before anything collects it.
    { step: 'deserialize', priority: 'low', name: 'sluiceBoundAnswer' },
  );
}

async function* bounded(body: Readable): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  // Leaving the loop by an error destroys the stream, and with it the connection.
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > answerBytesMax) {
      throw new AnswerTooLargeError(`the answer is larger than ${answerBytesMax} bytes`);
    }
    yield chunk;
  }
}

/** A header's value is one line; anything else a producer sent is left out. */
export function isHeaderValue(value: string): boolean {
  return /^[\x20-\x7e]{1,512}$/.test(value);
}

/** Sends the X-Ray header that came with the records, so that the function's trace joins the producer's. */
export function traceHeader(stack: InvokeStack, value: string): void {
  stack.add(
    (next) => (args) => {
      const request: unknown = args.request;
      if (typeof request === 'object' && request !== null && 'headers' in request) {
        Object.assign(request.headers as object, { 'x-amzn-trace-id': value });
      }
      return next(args);
    },
    { step: 'build', name: 'sluiceTraceHeader' },
  );
}
