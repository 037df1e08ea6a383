import { reply, startHttpSink, type HttpSink, type SinkAnswer } from './http-sink.ts';

/**
 * Lambda's Invoke on loopback, answering with what Lambda answers on the wire. A sink: answers are scripted with
 * `answer` and `answerNext`, requests are kept in its ledger.
 */
export async function startLambdaEndpoint(): Promise<HttpSink> {
  return startHttpSink({ answer: returned(null) });
}

/** The function returned a value; text and bytes are the payload as they are. */
export function returned(payload: unknown, version = '$LATEST'): SinkAnswer {
  return reply(200, typeof payload === 'string' ? payload : JSON.stringify(payload), {
    'x-amz-executed-version': version,
    'content-type': 'application/json',
  });
}

/** The function failed: status 200 all the same, with the error as payload. */
export function functionError(payload: unknown, kind = 'Unhandled'): SinkAnswer {
  return reply(200, JSON.stringify(payload), {
    'x-amz-executed-version': '7',
    'x-amz-function-error': kind,
    'content-type': 'application/json',
  });
}

/** Lambda itself refused. */
export function invokeError(
  code: string,
  status: number,
  members: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): SinkAnswer {
  return reply(status, JSON.stringify({ Type: 'User', message: `words about ${code}`, ...members }), {
    'x-amzn-errortype': code,
    'content-type': 'application/json',
    ...headers,
  });
}

/** The function's name in the path of a request, decoded. */
export function invokedName(path: string): string {
  return decodeURIComponent(/^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(path)?.[1] ?? '');
}
