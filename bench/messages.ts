/**
 * The messages of the bench, as they stand in an answer of ReceiveMessage: bodies of one size, made once and used again
 * and again, with their right MD5s. A message is its number: id and receipt handle tell it.
 */
import { createHash } from 'node:crypto';

/** Bodies differ, so that nothing can be reused by chance. */
const kinds = 64;
/** Digits of the number of a message, in hexadecimal. */
const digits = 8;
const idEnd = '-5d1c-4f6e-9b3a-0c8e7f2a4d61';
const receiptEnd = 'AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a+'.repeat(8).slice(0, 240);
const zeros = '0'.repeat(digits);
const hexOf = Buffer.from('0123456789abcdef');

interface Kind {
  readonly body: string;
  /** The whole message, with zeros where its own digits go. */
  readonly template: Buffer;
  readonly idAt: number;
  readonly receiptAt: number;
  readonly countAt: number;
  readonly timeAt: number;
  /** The body as JSON, without its quotes. */
  readonly escaped: Buffer;
}

/** Messages of one size. */
export class Messages {
  readonly #kinds: readonly Kind[];
  /** Bytes of one message. */
  readonly bytes: number;

  constructor(bytes: number) {
    this.#kinds = Array.from({ length: kinds }, (_, kind) => makeKind(kind, bytes));
    this.bytes = this.#kinds[0]?.template.length ?? 0;
  }

  /** Writes message `index` as its `receives`th receive gives it (one digit), and returns where it ends. */
  write(into: Buffer, at: number, index: number, receives: number): number {
    const { template, idAt, receiptAt, countAt } = this.#kindOf(index);
    template.copy(into, at);
    writeHex(into, at + idAt, index);
    writeHex(into, at + receiptAt, index);
    into[at + countAt] = 0x30 + receives;
    into[at + receiptAt + digits + 1] = 0x30 + receives;
    return at + template.length;
  }

  /** The time of sending of what is written from now on. */
  stamp(nowMs: number): void {
    for (const { template, timeAt } of this.#kinds)
      template.write(String(Math.floor(nowMs)), timeAt, 'latin1');
  }

  /** Whether the body of message `index` begins at `at`. */
  isBody(event: Buffer, at: number, index: number): boolean {
    const { escaped } = this.#kindOf(index);
    return escaped.compare(event, at, at + escaped.length) === 0;
  }

  /** Bytes of a body as JSON, without its quotes. */
  bodyBytes(index: number): number {
    return this.#kindOf(index).escaped.length;
  }

  #kindOf(index: number): Kind {
    const kind = this.#kinds[index % kinds];
    if (kind === undefined) throw new Error('no such message');
    return kind;
  }
}

/** The messages of each size, made once for all queues. */
export class Library {
  readonly #bySize = new Map<number, Messages>();

  of(bytes: number): Messages {
    let messages = this.#bySize.get(bytes);
    if (messages === undefined) this.#bySize.set(bytes, (messages = new Messages(bytes)));
    return messages;
  }
}

/** The number of the message whose id or receipt begins at `at`; NaN if it is none. */
export function numberAt(text: Buffer, at: number): number {
  let number = 0;
  for (let digit = at; digit < at + digits; digit++) {
    const code = text[digit] ?? 0;
    const value = code >= 0x61 ? code - 0x57 : code - 0x30;
    if (value < 0 || value > 15) return Number.NaN;
    number = number * 16 + value;
  }
  return number;
}

function writeHex(into: Buffer, at: number, number: number): void {
  for (let digit = digits - 1, left = number; left > 0; digit--, left = Math.floor(left / 16))
    into[at + digit] = hexOf[left % 16] ?? 0;
}

function makeKind(kind: number, bytes: number): Kind {
  const body = bodyOf(kind, bytes);
  const md5 = createHash('md5').update(body).digest('hex');
  const time = String(Date.now());
  const attributes = `"ApproximateReceiveCount":"0","SentTimestamp":"${time}","SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"${time}"`;
  const text = `{"Attributes":{${attributes}},"Body":${JSON.stringify(body)},"MD5OfBody":"${md5}","MessageId":"${zeros}${idEnd}","ReceiptHandle":"${zeros}.0/${receiptEnd}"}`;
  const placeOf = (name: string): number => text.lastIndexOf(`"${name}":"`) + name.length + 4;
  return {
    body,
    template: Buffer.from(text),
    idAt: placeOf('MessageId'),
    receiptAt: placeOf('ReceiptHandle'),
    countAt: placeOf('ApproximateReceiveCount'),
    timeAt: placeOf('SentTimestamp'),
    escaped: Buffer.from(JSON.stringify(body).slice(1, -1)),
  };
}

/** An order as applications send them: some nesting, some numbers, text up to the wanted size. */
function bodyOf(kind: number, bytes: number): string {
  const order = {
    orderId: `ord-${kind}`,
    customer: { id: kind * 15, tier: ['gold', 'silver', 'bronze'][kind % 3], country: 'DE' },
    total: (kind * 157) / 100,
    items: itemsOf(bytes),
    note: '',
  };
  const missing = bytes - JSON.stringify(order).length;
  return JSON.stringify({ ...order, note: 'x'.repeat(Math.max(0, missing)) });
}

/** Items for about two thirds of the size. */
function itemsOf(bytes: number): readonly object[] {
  const item = { sku: 'sku-17-0042', quantity: 3, price: 9.5, text: 'as described' };
  const count = Math.floor(((bytes - 200) * 0.66) / JSON.stringify(item).length);
  return Array.from({ length: Math.max(0, count) }, () => item);
}
