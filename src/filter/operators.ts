/**
 * Reads one element of a pattern's leaf array: a plain value or an operator object. Accepts the operators of
 * event-ruler, the library whose semantics Lambda's filters have; Lambda's own page lists fewer of them (see
 * docs/reference/filter-patterns.md).
 */
import { ExactNumber } from '../lib/json.ts';
import { foldCase } from './ignore-case.ts';
import { parseCidr, parseIpAddress } from './ip-address.ts';
import type { Alternative, Bound } from './pattern.ts';
import { parseWildcard } from './wildcard.ts';

/** A pattern that cannot be used; `parsePattern` turns it into a value. */
export class PatternFault extends Error {
  readonly path: string;

  /** `problem` completes the sentence "`path` …". */
  constructor(path: string, problem: string) {
    super(`${path === '' ? 'The pattern' : `\`${path}\``} ${problem}`);
    this.path = path;
  }
}

/** Reads one alternative, found at `path`; throws `PatternFault`. Objects are `Map`s. */
export function parseAlternative(value: unknown, path: string): Alternative {
  if (typeof value === 'string') return parseString(value);
  if (typeof value === 'number') return { kind: 'equals-number', value, text: String(value) };
  if (value instanceof ExactNumber) return { kind: 'equals-number', value: undefined, text: value.text };
  if (value === null || typeof value === 'boolean') return { kind: 'equals', value };
  if (value instanceof Map) return parseOperator(value as ReadonlyMap<string, unknown>, path);
  throw new PatternFault(
    path,
    `must be a string, number, true, false, null or an operator object, found ${show(value)}`,
  );
}

/** A short form of a JSON value for messages. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value instanceof ExactNumber) return value.text;
  if (value instanceof Map) return value.size === 0 ? 'an empty object' : 'an object';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function parseString(text: string): Alternative {
  const digits = parseIpAddress(text);
  return digits === undefined ? { kind: 'equals', value: text } : { kind: 'equals-address', text, digits };
}

function parseOperator(operator: ReadonlyMap<string, unknown>, path: string): Alternative {
  const [name, value] = onlyMember(operator, path);
  const at = `${path}.${name}`;
  switch (name) {
    case 'exactly':
      return { kind: 'equals', value: stringOf(value, at) };
    case 'prefix':
    case 'suffix':
      return parseAffix(name, value, at);
    case 'equals-ignore-case':
      return ignoringCase(stringOf(value, at));
    case 'wildcard':
      return wildcardOf(stringOf(value, at), at);
    case 'anything-but':
      return parseAnythingBut(value, at);
    case 'numeric':
      return parseNumeric(value, at);
    case 'exists':
      if (typeof value !== 'boolean')
        throw new PatternFault(at, `must be true or false, found ${show(value)}`);
      return { kind: 'exists', exists: value };
    case 'cidr': {
      const text = stringOf(value, at);
      const block = parseCidr(text);
      if ('problem' in block) throw new PatternFault(at, `${block.problem}, found ${show(text)}`);
      return { kind: 'cidr', text, block };
    }
    default:
      throw new PatternFault(
        path,
        `has the unknown operator \`${name}\`: it must be one of anything-but, cidr, equals-ignore-case, exists, numeric, prefix, suffix, wildcard`,
      );
  }
}

function onlyMember(operator: ReadonlyMap<string, unknown>, path: string): readonly [string, unknown] {
  const [first, ...rest] = operator;
  if (first === undefined || rest.length > 0) {
    const names = [...operator.keys()].map((name) => `\`${name}\``).join(', ');
    throw new PatternFault(path, `must hold exactly one operator, found ${names === '' ? 'none' : names}`);
  }
  return first;
}

function stringOf(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  throw new PatternFault(path, `must be a string, found ${show(value)}`);
}

function ignoringCase(text: string): Alternative {
  return { kind: 'equals-ignore-case', text, folded: foldCase(text) };
}

function wildcardOf(text: string, path: string): Alternative {
  const wildcard = parseWildcard(text);
  if ('problem' in wildcard) throw new PatternFault(path, `${wildcard.problem}, found ${show(text)}`);
  return { kind: 'wildcard', text, wildcard };
}

function parseAffix(kind: 'prefix' | 'suffix', value: unknown, path: string): Alternative {
  if (!(value instanceof Map)) {
    if (typeof value === 'string') return { kind, text: value };
    throw new PatternFault(
      path,
      `must be a string or an \`equals-ignore-case\` object, found ${show(value)}`,
    );
  }
  const [name, inner] = onlyMember(value as ReadonlyMap<string, unknown>, path);
  if (name !== 'equals-ignore-case') {
    throw new PatternFault(path, `must be a string or hold \`equals-ignore-case\`, found \`${name}\``);
  }
  const text = stringOf(inner, `${path}.${name}`);
  return { kind: `${kind}-ignore-case`, text, folded: foldCase(text) };
}

/** A string, a number, or a list of either kind; or an operator on strings with one string or a list of them. */
function parseAnythingBut(value: unknown, path: string): Alternative {
  if (value instanceof Map) return parseAnythingButOperator(value as ReadonlyMap<string, unknown>, path);
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (items.length > 0 && items.every((item) => typeof item === 'string')) {
    return { kind: 'anything-but-strings', values: items };
  }
  if (items.length > 0 && items.every((item) => typeof item === 'number')) {
    return { kind: 'anything-but-numbers', values: items };
  }
  for (const item of items) {
    if (item instanceof ExactNumber) throw new PatternFault(path, inexact(item));
  }
  throw new PatternFault(
    path,
    `must be a string, a number, a non-empty list of only strings or only numbers, or an operator on strings, found ${show(value)}`,
  );
}

function parseAnythingButOperator(operator: ReadonlyMap<string, unknown>, path: string): Alternative {
  const [name, value] = onlyMember(operator, path);
  const at = `${path}.${name}`;
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  // event-ruler fails on an empty list only when the rule is added; here it is said at once.
  if (items.length === 0) throw new PatternFault(at, 'must not be an empty list');
  const texts = items.map((item, index) => stringOf(item, Array.isArray(value) ? `${at}[${index}]` : at));
  switch (name) {
    case 'prefix':
    case 'suffix':
      if (texts.includes('')) throw new PatternFault(at, 'must not be an empty string');
      return { kind: 'anything-but', of: texts.map((text) => ({ kind: name, text })) };
    case 'equals-ignore-case':
      return { kind: 'anything-but', of: texts.map(ignoringCase) };
    case 'wildcard':
      return { kind: 'anything-but', of: texts.map((text) => wildcardOf(text, at)) };
    default:
      throw new PatternFault(
        path,
        `has the unknown operator \`${name}\`: it must be one of equals-ignore-case, prefix, suffix, wildcard`,
      );
  }
}

/** `["=", n]`, `["<", n]`, or a lower bound that an upper one may follow: `[">", n, "<=", m]`. */
function parseNumeric(value: unknown, path: string): Alternative {
  if (!Array.isArray(value)) throw new PatternFault(path, `must be an array, found ${show(value)}`);
  const terms: readonly unknown[] = value;
  const [operator, operand, secondOperator, secondOperand] = terms;
  if (operator !== '=' && operator !== '<' && operator !== '<=' && operator !== '>' && operator !== '>=') {
    throw new PatternFault(`${path}[0]`, `must be one of =, <, <=, >, >=, found ${show(operator)}`);
  }
  const bound: Bound = {
    value: numberOf(operand, `${path}[1]`),
    inclusive: operator !== '<' && operator !== '>',
  };
  if (terms.length === 2) {
    if (operator === '=') return { kind: 'numeric', low: bound, high: bound };
    return operator.startsWith('<') ? { kind: 'numeric', high: bound } : { kind: 'numeric', low: bound };
  }
  if (!operator.startsWith('>')) {
    throw new PatternFault(
      path,
      `must end after two elements when it starts with ${operator}, found ${terms.length}`,
    );
  }
  if (secondOperator !== '<' && secondOperator !== '<=') {
    throw new PatternFault(`${path}[2]`, `must be < or <=, found ${show(secondOperator)}`);
  }
  const high: Bound = {
    value: numberOf(secondOperand, `${path}[3]`),
    inclusive: secondOperator === '<=',
  };
  if (terms.length > 4) throw new PatternFault(path, `must have two or four elements, found ${terms.length}`);
  if (bound.value >= high.value) {
    throw new PatternFault(
      path,
      `must have a lower bound below the upper one, found ${bound.value} and ${high.value}`,
    );
  }
  return { kind: 'numeric', low: bound, high };
}

function numberOf(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  if (value instanceof ExactNumber) throw new PatternFault(path, inexact(value));
  throw new PatternFault(path, `must be a number, found ${show(value)}`);
}

function inexact(value: ExactNumber): string {
  return `must be a number that a 64-bit floating-point number holds exactly, found ${value.text}`;
}
