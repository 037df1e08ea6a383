/**
 * Lambda's Invoke by Sluice's own signed requests: the same request, answer and errors as by the SDK, at a fraction of
 * its cost. Repeats nothing but a call that was refused for a wrong clock, which ran nothing.
 */
import type { HttpAnswer } from '../aws/http-pool.ts';
import type { CallKind, SignedClient } from '../aws/sigv4-client.ts';
import { headerOf } from '../aws/sigv4-error.ts';
import type { InvokeAnswer } from './lambda-outcome.ts';

export interface SignedInvoke {
  /** As `invokeKind` gives it for the function. */
  readonly kind: CallKind;
  readonly event: string;
  /** Value of `x-amzn-trace-id`, if any. */
  readonly traceHeader: string | undefined;
}

/** What all invocations of a function have in common. */
export function invokeKind(client: SignedClient, functionName: string): CallKind {
  const path = `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`;
  return client.kind(path, [['x-amz-invocation-type', 'RequestResponse']]);
}

/** Invokes a function and resolves with Lambda's answer; rejects with its error or the network's. */
export async function invokeSigned(
  client: SignedClient,
  { kind, event, traceHeader }: SignedInvoke,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<InvokeAnswer> {
  const call = client.prepareAt(
    kind,
    Buffer.from(event),
    traceHeader === undefined ? [] : ['x-amzn-trace-id', traceHeader],
  );
  return readAnswer(await client.send(call, timeoutMs, signal));
}

function readAnswer(answer: HttpAnswer): InvokeAnswer {
  return {
    StatusCode: answer.status,
    FunctionError: headerOf(answer, 'x-amz-function-error'),
    ExecutedVersion: headerOf(answer, 'x-amz-executed-version'),
    Payload: answer.body,
  };
}
