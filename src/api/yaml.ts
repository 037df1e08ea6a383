/**
 * YAML and JSON text read as kubectl reads it, with the line of every value. Hostile text is refused, not followed:
 * size, depth and alias expansion are bounded, and nothing here takes more than linear time.
 */
import {
  isAlias,
  isMap,
  isSeq,
  Lexer,
  isScalar,
  LineCounter,
  Pair,
  parseAllDocuments,
  Scalar,
  visit,
  YAMLMap,
  type Document,
  type ScalarTag,
} from 'yaml';
import { messageOf } from '../lib/errors.ts';
import type { Path } from './problem.ts';
import { isRecord } from './structure.ts';

/** Longest text that is read, in characters. */
export const maximumTextLength = 4 * 1024 * 1024;
/** Deepest nesting that is read, in levels of brackets or of dashes on one line. */
export const maximumDepth = 100;
/** Most faults that are told of one document. */
const maximumFaults = 10;

/** Something that makes a text unreadable. */
export interface Fault {
  readonly message: string;
  readonly line: number;
}

/** One document of a text. */
export type YamlDocument =
  | {
      readonly kind: 'read';
      readonly value: unknown;
      /** Line of the value at `path`, or of its nearest parent when it is missing. */
      readonly lineOf: (path: Path) => number;
    }
  | { readonly kind: 'unreadable'; readonly faults: readonly Fault[] };

/** `yes`, `no`, `on`, `off` are booleans for kubectl (YAML 1.1), so they are here. */
const oldBooleans = (words: RegExp): ScalarTag => ({
  identify: (value) => typeof value === 'boolean',
  default: true,
  tag: 'tag:yaml.org,2002:bool',
  test: words,
  resolve: (text) => /^(?:y|yes|on)$/i.test(text),
});
const kubectlWords = oldBooleans(/^(?:y|yes|on|n|no|off)$/i);
/** CloudFormation's reader knows the words, but `N` is a name to it. */
const templateWords = oldBooleans(/^(?:yes|on|no|off)$/i);
/** `017` is 15 for kubectl, and `1_000` a number, as in Go. */
const kubectlIntegers: ScalarTag = {
  identify: (value) => typeof value === 'number',
  default: true,
  tag: 'tag:yaml.org,2002:int',
  test: /^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-f_]+|[1-9][0-9]*_[0-9_]*)$/i,
  resolve: (text) => {
    const digits = text.replace(/^[-+]/, '').replaceAll('_', '');
    const value = Number(digits.replace(/^0(?=[0-7])/, '0o'));
    return text.startsWith('-') ? -value : value;
  },
};

/**
 * The documents of a text; empty ones are left out. A value with a tag of `tagKeys` is read as an object with that one
 * key, as CloudFormation reads `!Ref Queue` as `{Ref: Queue}`; its reader takes no single letter for yes or no.
 */
export function readYaml(
  text: string,
  tagKeys: ReadonlyMap<string, string> = new Map(),
): readonly YamlDocument[] {
  if (text.length > maximumTextLength) {
    return [unreadable(1, `The text must have at most ${maximumTextLength} characters, not ${text.length}`)];
  }
  const counter = new LineCounter();
  let documents;
  try {
    if (isTooDeep(text)) return [unreadable(1, tooDeepText)];
    documents = parseAllDocuments(text, {
      lineCounter: counter,
      customTags: (tags) => [
        ...(tagKeys.size > 0 ? [templateWords] : [kubectlWords, kubectlIntegers]),
        ...tags,
      ],
      merge: true,
      prettyErrors: false,
      // Duplicates are looked for in `duplicateKeys`: the parser's own way takes the square of the number of keys.
      uniqueKeys: false,
      strict: true,
    });
  } catch (error) {
    return [unreadable(1, unreadableText(error))];
  }
  return [...documents].flatMap((document) => {
    if (tagKeys.size > 0 && document.errors.length === 0) expandTags(document, tagKeys);
    return readDocument(document, counter);
  });
}

function expandTags(document: Document, tagKeys: ReadonlyMap<string, string>): void {
  visit(document, {
    Node: (_, node) => {
      const key = isAlias(node) ? undefined : tagKeys.get(node.tag ?? '');
      if (key === undefined || isAlias(node)) return undefined;
      // `!Ref 0123` is text: without its tag a scalar keeps the text that it was read as.
      delete node.tag;
      const inner = isScalar(node) ? new Scalar(node.source ?? node.value) : node;
      inner.range = node.range ?? null;
      const map = new YAMLMap();
      map.range = node.range ?? null;
      // An anchor means the value with its tag.
      if (node.anchor !== undefined) map.anchor = node.anchor;
      delete node.anchor;
      const name = new Scalar(key);
      name.range = node.range ?? null;
      map.items.push(new Pair(name, inner));
      return map;
    },
  });
}

function readDocument(document: Document, counter: LineCounter): readonly YamlDocument[] {
  const lineAt = (offset: number | undefined): number => Math.max(1, counter.linePos(offset ?? 0).line);
  if (document.errors.length > 0) {
    const faults = document.errors.slice(0, maximumFaults).map((error) => ({
      message: `The text must be YAML: ${yamlMessage(error.message)}`,
      line: lineAt(error.pos[0]),
    }));
    return [{ kind: 'unreadable', faults }];
  }
  try {
    const duplicates = duplicateKeys(document);
    if (duplicates.length > 0) {
      const faults = duplicates.slice(0, maximumFaults).map(({ key, offset }) => ({
        message: `The key \`${key}\` must not appear twice in one object`,
        line: lineAt(offset),
      }));
      return [{ kind: 'unreadable', faults }];
    }
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (value === null || value === undefined) return [];
    return [{ kind: 'read', value, lineOf: (path) => lineAt(offsetOf(document, path)) }];
  } catch (error) {
    return [unreadable(lineAt(document.contents?.range?.[0]), unreadableText(error))];
  }
}

function unreadable(line: number, message: string): YamlDocument {
  return { kind: 'unreadable', faults: [{ message, line }] };
}

/** Where the value at `path` begins; of a missing one, where its nearest parent does. */
function offsetOf(document: Document, path: Path): number | undefined {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0];
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((one) => keyText(one.key) === String(step));
      if (pair === undefined) return offset;
      offset = rangeStart(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = rangeStart(node) ?? offset;
    } else return offset;
  }
  return offset;
}

function keyText(key: unknown): string {
  return isRecord(key) && 'value' in key ? String(key['value']) : String(key);
}

function rangeStart(node: unknown): number | undefined {
  const range: unknown =
    typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined;
}

const tooDeepText = `The text must not be nested deeper than ${maximumDepth} levels`;

/** Deep nesting ends a recursion of the parser; too many aliases end its expansion. */
function unreadableText(error: unknown): string {
  const message = messageOf(error);
  if (error instanceof RangeError) return tooDeepText;
  if (message.startsWith('Excessive alias')) return 'The text must not expand aliases more than 100 times';
  return `The text must be YAML: ${message}`;
}

function yamlMessage(message: string): string {
  return message.startsWith('Maximum call stack')
    ? `it is nested deeper than ${maximumDepth} levels`
    : message;
}

function duplicateKeys(document: Document): readonly { readonly key: string; readonly offset: number }[] {
  const found: { key: string; offset: number }[] = [];
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<string>();
      for (const pair of map.items) {
        const key = keyText(pair.key);
        if (seen.has(key) && key !== '<<') found.push({ key, offset: rangeStart(pair.key) ?? 0 });
        seen.add(key);
      }
    },
  });
  return found;
}

/** The parser recurses and looks back, so depth costs it time squared; its lexer does not. */
function isTooDeep(text: string): boolean {
  let brackets = 0;
  let dashes = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') brackets++;
    else if (token === ']' || token === '}') brackets--;
    else if (token === '-' || token === '?') dashes++;
    else if (token === '\n' || token === '\r\n') dashes = 0;
    if (brackets > maximumDepth || dashes > maximumDepth) return true;
  }
  return false;
}
