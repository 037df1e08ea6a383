/**
 * An SQS record of the Lambda event → the value that filter patterns match: the record with its `body` decoded.
 * Pure; the record itself is delivered as it was received, byte for byte.
 *
 * The body is read as JSON if it is JSON, and stays a string otherwise. That a JSON pattern drops a plain
 * body and a plain pattern a JSON body, `exists: false` included, is `filter/data-format.ts`'s, by `sqsDataKey`
 * (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html).
 *
 * A body that is a JSON scalar is JSON too: `123` is matched by `{"body": [123]}` and not by `{"body": ["123"]}`, and
 * `"ok"` with its quotes is the string `ok`. AWS does not say; this is what reading the body as JSON first gives, and
 * LocalStack, whose tests run against AWS, does the same.
 */
import { readJson } from '../../lib/json.ts';

/** The member of the record that is read as JSON before matching. */
export const sqsDataKey = 'body';

/** The value that patterns match; anything but an object is returned as it is. */
export function filterableSqsRecord(record: unknown): unknown {
  if (typeof record !== 'object' || record === null || !('body' in record)) return record;
  const { body } = record;
  if (typeof body !== 'string') return record;
  const decoded = decodeSqsBody(body);
  return decoded === body ? record : { ...record, body: decoded };
}

/** The body as patterns see it: the JSON value that it holds, or the string itself. */
export function decodeSqsBody(body: string): unknown {
  if (!mayBeJson(body)) return body;
  const json = readJson(body);
  return json.ok ? json.value : body;
}

/** A cheap look at the first character, so that plain text is not parsed only to fail. */
function mayBeJson(body: string): boolean {
  for (let at = 0; at < body.length; at += 1) {
    const char = body.charAt(at);
    if (char === ' ' || char === '\n' || char === '\r' || char === '\t') continue;
    return '{["-0123456789tfn'.includes(char);
  }
  return false;
}
