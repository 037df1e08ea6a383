/**
 * Checks a value against a structural schema as the API server does with strict field validation: types, bounds,
 * unknown fields, duplicates. It reads the very nodes that the CRD holds. Rules between fields are not its job.
 */
import { patternWords } from './pattern-words.ts';
import { foundAt, foundText, nearest, pathText, type Finding, type Path } from './problem.ts';
import type { SchemaNode } from './schema.ts';

/** Every way in which `value` differs from `node`; empty when it fits. */
export function checkStructure(node: SchemaNode, value: unknown, path: Path = []): readonly Finding[] {
  const findings: Finding[] = [];
  check(node, value, path, findings);
  return findings;
}

/** True for an object that is not a list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function check(node: SchemaNode, value: unknown, path: Path, findings: Finding[]): void {
  const wrong = (message: string): void => {
    findings.push({ path, message: `${label(path)} ${message}`, ...foundAt(path, value) });
  };
  if (node['x-kubernetes-int-or-string'] === true) {
    if (typeof value !== 'string' && !Number.isInteger(value)) wrong('must be a whole number or a text');
    return;
  }
  switch (node.type) {
    case 'object':
      if (isRecord(value)) checkObject(node, value, path, findings);
      else wrong('must be an object');
      break;
    case 'array':
      if (Array.isArray(value)) checkList(node, value, path, findings);
      else wrong('must be a list');
      break;
    case 'string':
      if (typeof value === 'string') checkText(node, value, wrong);
      else
        wrong(
          typeof value === 'number' || typeof value === 'boolean'
            ? 'must be a text; put it in quotes'
            : 'must be a text',
        );
      break;
    case 'integer':
      if (typeof value === 'number' && Number.isInteger(value)) checkNumber(node, value, wrong);
      else wrong(`must be a whole number${bounds(node)}`);
      break;
    case 'number':
      if (typeof value === 'number') checkNumber(node, value, wrong);
      else wrong('must be a number');
      break;
    case 'boolean':
      if (typeof value !== 'boolean') wrong('must be true or false');
      break;
    case undefined:
      break;
  }
}

function checkObject(
  node: SchemaNode,
  value: Readonly<Record<string, unknown>>,
  path: Path,
  findings: Finding[],
): void {
  const properties = node.properties ?? {};
  // The API server drops a null property before it validates; it counts as absent.
  const entries = Object.entries(value).filter(([, one]) => one !== null);
  const free =
    node['x-kubernetes-preserve-unknown-fields'] === true || (path.length === 1 && path[0] === 'metadata');
  for (const name of node.required ?? []) {
    if (!entries.some(([key]) => key === name)) {
      findings.push({ path: [...path, name], message: `${label([...path, name])} must be set` });
    }
  }
  for (const [name, one] of entries) {
    const child = Object.hasOwn(properties, name) ? properties[name] : node.additionalProperties;
    if (child !== undefined) check(child, one, [...path, name], findings);
  }
  for (const name of Object.keys(value)) {
    if (free || Object.hasOwn(properties, name) || node.additionalProperties !== undefined) continue;
    const meant = nearest(name, Object.keys(properties));
    const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`;
    findings.push({
      path: [...path, name],
      message: `${label([...path, name])} is not a known field${hint}`,
      atKey: true,
    });
  }
  const size = entries.length;
  if (size < (node.minProperties ?? 0)) {
    findings.push({
      path,
      message: `${label(path)} must hold at least ${node.minProperties ?? 0} of its fields`,
      found: String(size),
    });
  }
  if (size > (node.maxProperties ?? Infinity)) {
    findings.push({
      path,
      message: `${label(path)} must have at most ${node.maxProperties ?? 0} entries`,
      found: String(size),
    });
  }
}

function checkList(node: SchemaNode, value: readonly unknown[], path: Path, findings: Finding[]): void {
  const { minItems = 0, maxItems = Infinity, items } = node;
  if (value.length < minItems || value.length > maxItems) {
    const allowed =
      minItems === maxItems
        ? `exactly ${minItems}`
        : minItems === 0
          ? `at most ${maxItems}`
          : `between ${minItems} and ${maxItems}`;
    findings.push({
      path,
      message: `${label(path)} must have ${allowed} items`,
      found: String(value.length),
    });
  }
  if (items !== undefined) value.forEach((one, index) => check(items, one, [...path, index], findings));
  const seen = new Set<string>();
  for (const [index, one] of value.entries()) {
    const key = identity(node, one);
    if (key === undefined) continue;
    if (seen.has(key)) {
      findings.push({
        path: [...path, index],
        message: `${label([...path, index])} must be listed only once`,
        found: foundText(one),
      });
    }
    seen.add(key);
  }
}

/** What makes an item of a set or of a keyed list the same as another. */
function identity(node: SchemaNode, item: unknown): string | undefined {
  if (node['x-kubernetes-list-type'] === 'set') return JSON.stringify(item);
  if (node['x-kubernetes-list-type'] !== 'map' || !isRecord(item)) return undefined;
  return JSON.stringify((node['x-kubernetes-list-map-keys'] ?? []).map((key) => item[key]));
}

function checkText(node: SchemaNode, value: string, wrong: (message: string) => void): void {
  if (node.enum !== undefined && !node.enum.includes(value)) {
    const meant = nearest(value, node.enum);
    wrong(`must be one of ${node.enum.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`);
    return;
  }
  // The API server counts code points, not UTF-16 units.
  const length =
    value.length <= (node.minLength ?? 0) || value.length > (node.maxLength ?? Infinity)
      ? Array.from(value).length
      : value.length;
  if (length < (node.minLength ?? 0)) wrong(`must have at least ${node.minLength ?? 0} characters`);
  else if (length > (node.maxLength ?? Infinity))
    wrong(`must have at most ${node.maxLength ?? 0} characters, not ${length}`);
  else if (node.pattern !== undefined && !new RegExp(node.pattern, 'u').test(value))
    wrong(`must ${patternWords(node.pattern)}`);
  else if (node.format === 'date-time' && !isDateTime(value)) wrong('must be a time as 2026-01-31T12:00:00Z');
}

function checkNumber(node: SchemaNode, value: number, wrong: (message: string) => void): void {
  const int32 = node.format === 'int32';
  const least = node.minimum ?? (int32 ? -2147483648 : -Infinity);
  const most = node.maximum ?? (int32 ? 2147483647 : Infinity);
  if (value < least || value > most) wrong(`must be a whole number${bounds(node)}`);
}

function bounds(node: SchemaNode): string {
  const { minimum, maximum } = node;
  if (minimum !== undefined && maximum !== undefined) return ` between ${minimum} and ${maximum}`;
  return minimum === undefined ? '' : ` of at least ${minimum}`;
}

/** RFC 3339 as the API server's format check reads it. */
function isDateTime(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})t(\d{2}):(\d{2}):(\d{2})([.]\d+)?(z|[+-]\d{2}:\d{2})$/.exec(
    text.toLowerCase(),
  );
  if (match === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return exists && hour <= 23 && minute <= 59 && second <= 59;
}

function label(path: Path): string {
  return path.length === 0 ? 'The object' : `\`${pathText(path)}\``;
}
