/**
 * An SQS record as a CloudEvent 1.0 in JSON: the table in `docs/reference/http-target.md`. Pure. The CloudEvents
 * project describes no adapter for SQS; its adapters for SNS and S3 give the shape of `source` and `type`.
 *
 * A body that is a JSON object or array becomes `data` as the very text that was sent, so that no number loses a digit;
 * any other body is text. SQS bodies are text, so `data_base64` is never used.
 */
import { traceparentForm, traceparentOf, tracestateForm } from '../../aws/trace-context.ts';
import type { SourceRecord } from '../../poller/ports.ts';

/** `type` of every event of a queue. */
export const sqsEventType = 'com.amazonaws.sqs.message';

interface SqsRecord {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, MessageAttribute>>;
  readonly eventSourceARN: string;
}

interface MessageAttribute {
  readonly stringValue?: string;
  readonly binaryValue?: string;
}

/** The CloudEvent of a record of the Lambda event, as JSON text. */
export function sqsCloudEvent(record: SourceRecord): string {
  // Made by this house (`record.ts`, `signed-answer.ts`), so its shape is known.
  const sqs = JSON.parse(record.json) as SqsRecord;
  const of = (name: string): string | undefined => own(sqs.attributes, name);
  const group = of('MessageGroupId');
  const members: Record<string, string | number | undefined> = {
    specversion: '1.0',
    id: sqs.messageId,
    source: sqs.eventSourceARN,
    type: sqsEventType,
    time: timeOf(of('SentTimestamp')),
    subject: contextText(group),
    partitionkey: contextText(group),
    sequence: contextText(of('SequenceNumber')),
    receivecount: countOf(of('ApproximateReceiveCount')),
    deduplicationid: contextText(of('MessageDeduplicationId')),
    deadlettersource: contextText(of('DeadLetterQueueSourceArn')),
    traceparent: traceOf(sqs),
    tracestate: validText(sqs, 'tracestate', tracestateForm),
  };
  for (const [name, value] of Object.entries(sqs.messageAttributes)) {
    const extension = extensionName(name);
    if (extension !== undefined) members[extension] ??= contextText(value.stringValue ?? value.binaryValue);
  }
  const isJson = isJsonContainer(sqs.body);
  members['datacontenttype'] = isJson ? 'application/json' : 'text/plain';
  const data = isJson ? sqs.body : JSON.stringify(sqs.body);
  return `${JSON.stringify(members).slice(0, -1)},"data":${data}}`;
}

/**
 * The extension attribute of a message attribute: `attr` and its name in lower case, without what such a name must not
 * hold. Undefined where nothing is left.
 */
function extensionName(name: string): string | undefined {
  const bare = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return bare === '' ? undefined : `attr${bare}`;
}

function own<T>(members: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

/** A text that a context attribute may hold: not empty, without control characters, surrogates and noncharacters. */
function contextText(text: string | undefined): string | undefined {
  return text === undefined || text === '' || /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(text)
    ? undefined
    : text;
}

function countOf(text: string | undefined): number | undefined {
  const count = Number(text);
  return Number.isInteger(count) && count > 0 && count < 2 ** 31 ? count : undefined;
}

function timeOf(sentTimestamp: string | undefined): string | undefined {
  const ms = Number(sentTimestamp ?? Number.NaN);
  return Number.isInteger(ms) && ms > 0 && ms < 253_402_300_800_000 ? new Date(ms).toISOString() : undefined;
}

/** The producer's own trace context, as OpenTelemetry puts it into message attributes; else that of its X-Ray header. */
function traceOf(sqs: SqsRecord): string | undefined {
  const xray = own(sqs.attributes, 'AWSTraceHeader');
  const found = validText(sqs, 'traceparent', traceparentForm);
  if (found !== undefined || xray === undefined) return found;
  // A header without a parent still names the trace; the message's id stands for the span that nobody named.
  const made = traceparentOf(xray, () =>
    sqs.messageId
      .toLowerCase()
      .replaceAll(/[^0-9a-f]/g, '')
      .slice(0, 16),
  );
  return made !== undefined && traceparentForm.test(made) ? made : undefined;
}

function validText(sqs: SqsRecord, name: string, form: RegExp): string | undefined {
  const text = own(sqs.messageAttributes, name)?.stringValue;
  return text !== undefined && form.test(text) ? text : undefined;
}

function isJsonContainer(body: string): boolean {
  if (!/^[ \t\r\n]*[{[]/.test(body)) return false;
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
}
