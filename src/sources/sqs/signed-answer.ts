/**
 * The answer of ReceiveMessage → records, cut from its text: body and attributes are copied as the JSON that they are,
 * never decoded and encoded again. Pure. What the cutter does not know for certain (message attributes, escapes where
 * none are expected, blanks, other members, a wrong type) sends the whole answer the long way, over `JSON.parse` and
 * `record.ts`; both ways give the same event.
 *
 * Every body is checked against its MD5, as the SDK does: one that is damaged fails the receive as a whole.
 */
import { hash } from 'node:crypto';
import type { QueueRecord } from '../../poller/ports.ts';
import { decodeSqsBody } from './filterable.ts';
import { toRecord, type QueueOrigin, type SqsMessage, type SqsMessageAttribute } from './record.ts';

/** A body that is not what the service's checksum says. */
export class DamagedBodyError extends Error {
  override readonly name = 'InvalidChecksum';

  constructor(ids: readonly string[]) {
    super(`the body does not fit its MD5 in ${ids.length === 1 ? 'message' : 'messages'} ${ids.join(', ')}`);
  }
}

/**
 * The records of an answer; `filteredBy` as in a `ReceiveRequest`. Throws
 * `SyntaxError` for text that is no answer, `DamagedBodyError` for a damaged body.
 */
export function recordsOfAnswer(
  body: Buffer,
  queue: QueueOrigin,
  filteredBy?: ReadonlySet<string>,
): readonly QueueRecord[] {
  if (body.length <= emptyMaxLength && isEmpty(body)) return [];
  const text = body.toString('utf8');
  return cutRecords(text, text.length === body.length, queue, filteredBy) ?? parseRecords(text, queue);
}

/** An answer without messages, which is what an idle queue gives. */
function isEmpty(body: Buffer): boolean {
  return body.length === 0 || body.equals(emptyObject) || body.equals(emptyList);
}

const emptyObject = Buffer.from('{}');
const emptyList = Buffer.from('{"Messages":[]}');
const emptyMaxLength = emptyList.length;

const beginning = '{"Messages":[';
/** What AWS, which sorts the members of a message by name, puts behind a body. */
const customaryBehindBody = '","MD5OfBody":';
const plainAttributes = /\{(?:"[^"\\]*":"[^"\\]*"(?:,(?=")|(?=\})))*\}/y;
/** The longest name of a member of a message, with room. */
const nameMaxLength = 20;
const quote = 0x22;
const backslash = 0x5c;

/** Values as they stand in the text; those that are texts with their quotes. */
interface Cut {
  MessageId: string | undefined;
  ReceiptHandle: string | undefined;
  Body: string | undefined;
  MD5OfBody: string | undefined;
  Attributes: string | undefined;
}

/** The quick way; undefined for anything that it does not know. `isAscii` makes lengths in characters those in bytes. */
function cutRecords(
  text: string,
  isAscii: boolean,
  queue: QueueOrigin,
  filteredBy: ReadonlySet<string> | undefined,
): QueueRecord[] | undefined {
  if (!text.startsWith(beginning)) return undefined;
  const tail = `,"eventSource":"aws:sqs","eventSourceARN":${JSON.stringify(queue.arn)},"awsRegion":${JSON.stringify(queue.region)}}`;
  const cutter = new Cutter(text, beginning.length);
  const records: QueueRecord[] = [];
  const damaged: string[] = [];
  do {
    const cut = cutter.message();
    if (cut === undefined) return undefined;
    const body = decode(cut.Body ?? '');
    const record =
      body === undefined
        ? undefined
        : recordOf(
            cut,
            tail,
            isAscii,
            queue,
            filteredBy === undefined ? undefined : { body, members: filteredBy },
          );
    if (body === undefined || record === undefined) return undefined;
    if (hash('md5', body, 'hex') !== unquoted(cut.MD5OfBody ?? '')) damaged.push(record.id);
    records.push(record);
  } while (cutter.skip(','));
  if (!cutter.endsWith(']}')) return undefined;
  if (damaged.length > 0) throw new DamagedBodyError(damaged);
  return records;
}

/** Walks over the messages of an answer. */
class Cutter {
  readonly #text: string;
  #at: number;
  /** What stands behind a body, as far as is known: from its closing quote to the quote that opens the next name's value. */
  #behindBody: string | undefined = customaryBehindBody;

  constructor(text: string, at: number) {
    this.#text = text;
    this.#at = at;
  }

  /** The message that begins here; undefined for anything that is not plain. */
  message(): Cut | undefined {
    const cut: Cut = {
      MessageId: undefined,
      ReceiptHandle: undefined,
      Body: undefined,
      MD5OfBody: undefined,
      Attributes: undefined,
    };
    if (!this.skip('{')) return undefined;
    do {
      const name = this.#name();
      // A second member of one name would win in JSON.
      if (name === undefined || cut[name] !== undefined) return undefined;
      const start = this.#at;
      const end = this.#endOf(name);
      if (end < 0) return undefined;
      cut[name] = this.#text.slice(start, end);
      this.#at = end;
    } while (this.skip(','));
    return this.skip('}') ? cut : undefined;
  }

  skip(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  endsWith(end: string): boolean {
    return this.#text.length === this.#at + end.length && this.#text.endsWith(end);
  }

  #name(): keyof Cut | undefined {
    if (!this.skip('"')) return undefined;
    const end = this.#text.indexOf('"', this.#at);
    if (end < 0 || end - this.#at > nameMaxLength || this.#text[end + 1] !== ':') return undefined;
    const name = this.#text.slice(this.#at, end);
    this.#at = end + 2;
    switch (name) {
      case 'MessageId':
      case 'ReceiptHandle':
      case 'Body':
      case 'MD5OfBody':
      case 'Attributes':
        return name;
      default:
        return undefined;
    }
  }

  #endOf(name: keyof Cut): number {
    if (name === 'Attributes') {
      plainAttributes.lastIndex = this.#at;
      return plainAttributes.test(this.#text) ? plainAttributes.lastIndex : -1;
    }
    if (this.#text.charCodeAt(this.#at) !== quote) return -1;
    return name === 'Body' ? this.#endOfBody() : this.#endOfPlain();
  }

  #endOfPlain(): number {
    const end = this.#text.indexOf('"', this.#at + 1);
    return end < 0 || this.#text.slice(this.#at, end).includes('\\') ? -1 : end + 1;
  }

  /**
   * Quotes within a body are escaped, so that what stands behind one body cannot stand within another: searching for
   * it is three times as fast as walking. Should the members change their places it finds a later message; then the
   * body is no valid string, and the answer goes the long way.
   */
  #endOfBody(): number {
    const text = this.#text;
    if (this.#behindBody !== undefined) {
      const end = text.indexOf(this.#behindBody, this.#at + 1);
      if (end >= 0) return end + 1;
    }
    for (let at = this.#at + 1; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === backslash) at++;
      else if (code === quote) {
        this.#behindBody = /^","\w+":/.exec(text.slice(at, at + nameMaxLength))?.[0];
        return at + 1;
      }
    }
    return -1;
  }
}

/** What the filter needs of a record. */
interface Filtered {
  /** Decoded. */
  readonly body: string;
  readonly members: ReadonlySet<string>;
}

function recordOf(
  cut: Cut,
  tail: string,
  isAscii: boolean,
  queue: QueueOrigin,
  filtered: Filtered | undefined,
): QueueRecord | undefined {
  const { MessageId, ReceiptHandle, MD5OfBody, Attributes = '{}' } = cut;
  if (MessageId === undefined || ReceiptHandle === undefined || MD5OfBody === undefined) return undefined;
  // A fact of the queue that AWS takes out of the event.
  if (Attributes.includes('"SqsManagedSseEnabled":')) return undefined;
  const json = `{"messageId":${MessageId},"receiptHandle":${ReceiptHandle},"body":${cut.Body ?? '""'},"attributes":${Attributes},"messageAttributes":{},"md5OfBody":${MD5OfBody}${tail}`;
  let kept = filtered;
  return {
    id: unquoted(MessageId),
    receipt: unquoted(ReceiptHandle),
    json,
    bytes: isAscii ? json.length : Buffer.byteLength(json),
    lane: queue.fifo ? attributeOf(Attributes, '"MessageGroupId":"') : undefined,
    receiveCount: countOf(attributeOf(Attributes, '"ApproximateReceiveCount":"')),
    sentAtMs: Number(attributeOf(Attributes, '"SentTimestamp":"') ?? 0) || 0,
    traceHeader: attributeOf(Attributes, '"AWSTraceHeader":"'),
    filterable: () => {
      const { body, members } = kept ?? { body: decode(cut.Body ?? '""') ?? '', members: undefined };
      // It is seen once, and the record may be in hand for long.
      kept = undefined;
      return filterableOf(cut, body, queue, members);
    },
  };
}

/** What patterns see of a record, made of its parts: reading its whole text again would cost as much as the body does. */
function filterableOf(
  cut: Cut,
  body: string,
  queue: QueueOrigin,
  members: ReadonlySet<string> | undefined,
): unknown {
  return {
    messageId: unquoted(cut.MessageId ?? ''),
    receiptHandle: unquoted(cut.ReceiptHandle ?? ''),
    body: decodeSqsBody(body),
    attributes:
      members?.has('attributes') === false ? undefined : (JSON.parse(cut.Attributes ?? '{}') as unknown),
    messageAttributes: {},
    md5OfBody: unquoted(cut.MD5OfBody ?? ''),
    eventSource: 'aws:sqs',
    eventSourceARN: queue.arn,
    awsRegion: queue.region,
  };
}

/** The text within a JSON string, or undefined if it is none. */
function decode(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined;
  }
}

const unquoted = (quoted: string): string => quoted.slice(1, -1);

/** `needle` is the name with its quotes, the colon and the quote that opens the value. Nothing in it is escaped. */
function attributeOf(attributes: string, needle: string): string | undefined {
  const at = attributes.indexOf(needle);
  if (at < 0) return undefined;
  const start = at + needle.length;
  return attributes.slice(start, attributes.indexOf('"', start));
}

function countOf(text: string | undefined): number {
  const count = Number(text);
  return Number.isInteger(count) && count > 0 ? count : 1;
}

/** The long way. */
function parseRecords(text: string, queue: QueueOrigin): readonly QueueRecord[] {
  const answer: unknown = JSON.parse(text);
  const messages = memberOf(answer, 'Messages') ?? [];
  if (!Array.isArray(messages)) throw new SyntaxError('`Messages` must be a list');
  const parsed = messages.filter((message) => message !== null).map(messageOf);
  const damaged = parsed.filter(({ Body, MD5OfBody }) => hash('md5', Body ?? '', 'hex') !== MD5OfBody);
  if (damaged.length > 0) throw new DamagedBodyError(damaged.map(({ MessageId }) => MessageId ?? ''));
  return parsed.map((message) => toRecord(message, queue));
}

function messageOf(value: unknown): SqsMessage {
  return {
    MessageId: textOf(value, 'MessageId'),
    ReceiptHandle: textOf(value, 'ReceiptHandle'),
    Body: textOf(value, 'Body'),
    MD5OfBody: textOf(value, 'MD5OfBody'),
    MD5OfMessageAttributes: textOf(value, 'MD5OfMessageAttributes'),
    Attributes: mapOf(memberOf(value, 'Attributes'), (each) => (typeof each === 'string' ? each : undefined)),
    MessageAttributes: mapOf(memberOf(value, 'MessageAttributes'), attributeFrom),
  };
}

function attributeFrom(value: unknown): SqsMessageAttribute | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const binary = textOf(value, 'BinaryValue');
  const list = memberOf(value, 'StringListValues');
  const binaries = memberOf(value, 'BinaryListValues');
  return {
    DataType: textOf(value, 'DataType'),
    StringValue: textOf(value, 'StringValue'),
    BinaryValue: binary === undefined ? undefined : Buffer.from(binary, 'base64'),
    StringListValues: Array.isArray(list) ? list.filter((each) => typeof each === 'string') : undefined,
    BinaryListValues: Array.isArray(binaries)
      ? binaries.filter((each) => typeof each === 'string').map((each) => Buffer.from(each, 'base64'))
      : undefined,
  };
}

/** A map of the wire without the members that are null or no value; names are data, so it has no prototype. */
function mapOf<T>(value: unknown, read: (value: unknown) => T | undefined): Record<string, T> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const map = Object.create(null) as Record<string, T>;
  for (const [name, each] of Object.entries(value)) {
    const found = read(each);
    if (found !== undefined) map[name] = found;
  }
  return map;
}

function textOf(value: unknown, name: string): string | undefined {
  const member = memberOf(value, name);
  return typeof member === 'string' ? member : undefined;
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
