/**
 * JSON text to values without losing a number. `JSON.parse` rounds numbers that no double can hold, which filter
 * patterns must not see as equal; here such a number keeps its text. Reading is iterative, so nesting of any depth
 * is safe; of members with one name the last wins; `__proto__` is a member like any other. It does not keep the
 * order of integer-like member names in objects; `readJsonMembers` does.
 */

/** A number that differs from every double, or lies outside their range: equal only to the same text. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): string {
    return this.text;
  }
}

/** A wrong place in a JSON text. */
export interface JsonError {
  readonly message: string;
  /** UTF-16 position from 0; lines and columns count from 1. */
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: JsonError };

/** Reads any JSON text; objects are plain objects of which only own members count. */
export function readJson(text: string): JsonResult {
  if (!mayBeRisky(text) || !riskyNumber.test(text)) {
    try {
      const value: unknown = JSON.parse(text);
      return { ok: true, value };
    } catch {
      // The own reader below finds the same error and says where it is.
    }
  }
  return read(text, 'objects');
}

/** As `readJson`, but every object is a `Map` in the order of the text. */
export function readJsonMembers(text: string): JsonResult {
  return read(text, 'maps');
}

/**
 * The double that a JSON number's text stands for, or an `ExactNumber` when the shortest decimal form of the nearest
 * double has another value: 0.1 and 1e2 are doubles, 9007199254740993 is not.
 */
export function readNumber(text: string): number | ExactNumber {
  const value = Number(text);
  if (text.length <= 15 && !text.includes('e') && !text.includes('E')) return value;
  if (Number.isFinite(value) && decimalForm(text) === decimalForm(String(value))) return value;
  return new ExactNumber(text);
}

/** A number of up to 15 digits and a small exponent always is a double; only longer ones need the own reader. */
const riskyNumber = /(?:^|[[:,\s])-?(?:\d[\d.]{15}|[\d.]+[eE][+-]?\d{3})/;
/** Any exponent of three digits, wherever it stands. */
const longExponent = /[\d.][eE][+-]?\d{3}/;
const riskyLength = 16;

/** Whether `riskyNumber` is worth its time, which is half of that of `JSON.parse`: false for nearly every text. */
function mayBeRisky(text: string): boolean {
  // A run of so many digits cannot hide between two places that are looked at, and reaches half as far on one side.
  for (let at = riskyLength - 1; at < text.length; at += riskyLength) {
    if (!isDigitOrDot(text.charCodeAt(at))) continue;
    const half = riskyLength / 2;
    if (!isDigitOrDot(text.charCodeAt(at - half)) && !isDigitOrDot(text.charCodeAt(at + half))) continue;
    let start = at;
    while (start > 0 && isDigitOrDot(text.charCodeAt(start - 1))) start -= 1;
    let end = at + 1;
    while (end < text.length && isDigitOrDot(text.charCodeAt(end))) end += 1;
    if (end - start >= riskyLength) return true;
  }
  return longExponent.test(text);
}

function isDigitOrDot(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2e;
}

const numberGrammar = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Digits without outer zeros, and the exponent of the last one. */
function decimalForm(text: string): string {
  const [mantissa = '', exponentText = '0'] = text.toLowerCase().split('e');
  const negative = mantissa.startsWith('-');
  const [whole = '', fraction = ''] = mantissa.slice(negative ? 1 : 0).split('.');
  const all = whole + fraction;
  let start = 0;
  while (start < all.length && all[start] === '0') start += 1;
  let end = all.length;
  while (end > start && all[end - 1] === '0') end -= 1;
  if (start === end) return '0';
  const exponent = Number(exponentText) - fraction.length + (all.length - end);
  return `${negative ? '-' : ''}${all.slice(start, end)}e${exponent}`;
}

type PlainObject = Record<string, unknown>;
type Frame =
  | { readonly kind: 'array'; readonly items: unknown[] }
  | { readonly kind: 'object'; readonly members: PlainObject; key: string }
  | { readonly kind: 'map'; readonly members: Map<string, unknown>; key: string };

class SyntaxFault extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

function read(text: string, objects: 'objects' | 'maps'): JsonResult {
  try {
    return { ok: true, value: readDocument(text, objects) };
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    const before = text.slice(0, error.offset);
    const lineStart = before.lastIndexOf('\n') + 1;
    const line = before.split('\n').length;
    const column = error.offset - lineStart + 1;
    return { ok: false, error: { message: error.message, offset: error.offset, line, column } };
  }
}

function readDocument(text: string, objects: 'objects' | 'maps'): unknown {
  const stack: Frame[] = [];
  let at = skipBlanks(text, 0);
  for (;;) {
    // A value starts at `at`.
    const first = text[at];
    let value: unknown;
    if (first === '[' || first === '{') {
      const frame = openFrame(first, objects);
      at = skipBlanks(text, at + 1);
      if (text[at] !== (first === '[' ? ']' : '}')) {
        stack.push(frame);
        if (frame.kind !== 'array') at = readKey(text, at, frame);
        continue;
      }
      value = contentOf(frame);
      at += 1;
    } else {
      const end = endOfScalar(text, at);
      value = readScalar(text, at, end);
      at = end;
    }
    // The value is complete: store it, and close every container that ends here.
    for (;;) {
      const frame = stack.at(-1);
      at = skipBlanks(text, at);
      if (frame === undefined) {
        if (at < text.length) throw new SyntaxFault('text after the end of the JSON value', at);
        return value;
      }
      store(frame, value);
      if (text[at] === ',') {
        at = skipBlanks(text, at + 1);
        if (frame.kind !== 'array') at = readKey(text, at, frame);
        break;
      }
      const close = frame.kind === 'array' ? ']' : '}';
      if (text[at] !== close) throw unexpected(text, at, `\`,\` or \`${close}\``);
      at += 1;
      value = contentOf(frame);
      stack.pop();
    }
  }
}

function openFrame(bracket: '[' | '{', objects: 'objects' | 'maps'): Frame {
  if (bracket === '[') return { kind: 'array', items: [] };
  if (objects === 'maps') return { kind: 'map', members: new Map<string, unknown>(), key: '' };
  // Without a prototype no member name has a meaning of its own, `__proto__` included.
  return { kind: 'object', members: Object.create(null) as PlainObject, key: '' };
}

function contentOf(frame: Frame): unknown {
  return frame.kind === 'array' ? frame.items : frame.members;
}

function store(frame: Frame, value: unknown): void {
  if (frame.kind === 'array') frame.items.push(value);
  else if (frame.kind === 'map') frame.members.set(frame.key, value);
  else frame.members[frame.key] = value;
}

/** Reads `"name":` and returns where the member's value starts. */
function readKey(text: string, at: number, frame: { key: string }): number {
  if (text[at] !== '"') throw unexpected(text, at, 'a member name in double quotes');
  const end = endOfScalar(text, at);
  frame.key = readScalar(text, at, end) as string;
  const colon = skipBlanks(text, end);
  if (text[colon] !== ':') throw unexpected(text, colon, '`:`');
  return skipBlanks(text, colon + 1);
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

/** Where the string, number or word that starts at `from` ends. */
function endOfScalar(text: string, from: number): number {
  let at = from;
  if (text[at] === '"') {
    for (at += 1; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === 0x22) return at + 1;
      if (code === 0x5c) at += 1;
      else if (code < 0x20) throw new SyntaxFault('a control character inside a string', at);
    }
    throw new SyntaxFault('a string that does not end', from);
  }
  while (at < text.length && !' \n\r\t,:]}["{'.includes(text.charAt(at))) at += 1;
  return at;
}

function readScalar(text: string, from: number, end: number): unknown {
  const word = text.slice(from, end);
  if (word.startsWith('"')) {
    if (!word.includes('\\')) return word.slice(1, -1);
    try {
      return JSON.parse(word) as unknown;
    } catch {
      throw new SyntaxFault('an invalid escape in a string', from);
    }
  }
  if (word === 'true') return true;
  if (word === 'false') return false;
  if (word === 'null') return null;
  if (numberGrammar.test(word)) return readNumber(word);
  throw unexpected(text, from, 'a JSON value');
}

function unexpected(text: string, at: number, wanted: string): SyntaxFault {
  const found =
    at < text.length ? `\`${text.slice(at, at + 12).split('\n')[0] ?? ''}\`` : 'the end of the text';
  return new SyntaxFault(`${found} where ${wanted} must stand`, at);
}
