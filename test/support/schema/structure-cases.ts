/**
 * An accepting and a rejecting object for each constraint of a schema: a valid base, changed in one place. The list
 * of constraints comes from the schema, the verdicts from the API server.
 */
import { bases, type BaseName, type Json } from './bases.ts';
import { constraintId, type Constraint } from './constraints.ts';
import { concretePath, put, read, type Step } from './edit.ts';
import { patternCases } from './pattern-cases.ts';

export interface SchemaCase {
  readonly name: string;
  readonly kind: string;
  readonly accept: readonly Json[];
  readonly reject: readonly Json[];
  /** The field that a rejection must name. */
  readonly field: readonly Step[];
  /** The stored object of a transition. */
  readonly old?: Json;
}

/** Bases that a constraint must use because in the first one that has the field a rule is in the way. */
const chosen: Readonly<Record<string, BaseName>> = {
  'EventSourceMapping spec.eventSourceARN': 'url',
  'EventSourceMapping spec.batchSize': 'kinesis',
  'EventSourceMapping spec.provisionedPollerConfig.minimumPollers': 'msk',
};

/** Accepted values where the boundary itself meets a rule. */
const acceptedAt: Readonly<Record<string, unknown>> = {
  // The name of a queue is never that long; that of another resource may be.
  'EventSourceMapping spec.eventSourceARN maxLength': 'arn:aws:sns:eu-west-1:000000000000:'.padEnd(512, 'a'),
  // A name alone is shorter.
  'EventSourceMapping spec.functionName maxLength':
    `arn:aws:lambda:eu-west-1:000000000000:function:${'f'.repeat(140)}:`.padEnd(256, 'a'),
  // At most `maximumPollers` of the base.
  'EventSourceMapping spec.provisionedPollerConfig.minimumPollers format': 5,
};

/** The cases of a constraint. Throws when no base has the field: then the bases must grow. */
export function structureCase(constraint: Constraint): SchemaCase {
  const { kind, path, keyword, field } = constraint;
  const name = constraintId(constraint);
  const template = field === undefined ? path : [...path, field];
  const preferred = chosen[`${kind.name.kind} ${path.join('.')}`];
  const candidates: readonly Json[] = preferred === undefined ? Object.values(bases) : [bases[preferred]];
  for (const base of candidates) {
    if (base['kind'] !== kind.name.kind) continue;
    const at = concretePath(base, template);
    if (at === undefined) continue;
    const value = read(base, at);
    const set = (one: unknown): Json => put(base, at, one);
    const { accept, reject, below } = values(name, constraint, keyword, value);
    return {
      name,
      kind: kind.name.kind,
      accept: accept.length === 0 ? [base] : accept.map(set),
      reject: reject.map(set),
      field: below === undefined ? at : [...at, ...below],
    };
  }
  throw new Error(`no base in test/support/schema/bases.ts has ${name}`);
}

interface Values {
  readonly accept: readonly unknown[];
  readonly reject: readonly unknown[];
  /** Where below the field a rejection is reported. */
  readonly below?: readonly Step[];
}

function values(name: string, { node, path, kind }: Constraint, keyword: string, value: unknown): Values {
  const at = acceptedAt[name];
  const only = (reject: unknown, accept: unknown = value): Values => ({
    accept: [at ?? accept],
    reject: [reject],
  });
  switch (keyword) {
    case 'type':
      return only(wrongType(node.type));
    case 'required':
      return only(undefined);
    case 'unknown field':
      return { accept: [value], reject: [{ ...(value as Json), nonsense: 1 }], below: ['nonsense'] };
    case 'enum':
      return only('Nonsense');
    case 'format':
      return node.type === 'integer'
        ? only(2_147_483_648, 2_147_483_647)
        : only('yesterday', '2026-02-28T23:59:59.5+01:00');
    case 'minimum':
      return only((node.minimum ?? 0) - 1, node.minimum);
    case 'maximum':
      return only((node.maximum ?? 0) + 1, node.maximum);
    case 'minLength':
      return only(String(value).slice(0, (node.minLength ?? 0) - 1));
    case 'maxLength':
      return only(padded(value, (node.maxLength ?? 0) + 1), padded(value, node.maxLength ?? 0));
    case 'pattern': {
      const texts = patternCases[`${kind.name.kind} ${path.join('.')}`];
      if (texts === undefined) throw new Error(`test/support/schema/pattern-cases.ts lacks ${name}`);
      return { accept: texts.accept, reject: texts.reject };
    }
    case 'minItems':
      return only([]);
    case 'maxItems':
      return only(many(value, (node.maxItems ?? 0) + 1));
    case 'minProperties':
      return only({});
    case 'maxProperties':
      return only(entries(value, (node.maxProperties ?? 0) + 1), entries(value, node.maxProperties ?? 0));
    case 'list-type': {
      const list = value as readonly unknown[];
      return { accept: [value], reject: [[...list, list[0]]], below: [list.length] };
    }
    default:
      throw new Error(`no cases for the keyword ${keyword} of ${name}`);
  }
}

function wrongType(type: string | undefined): unknown {
  if (type === 'string') return 7;
  if (type === 'array') return {};
  if (type === 'object') return [];
  return type === undefined ? true : 'text';
}

/** A text of that length that keeps its form: filters take space at the end, servers a longer host. */
function padded(value: unknown, length: number): string {
  const text = String(value);
  if (text.startsWith('{"')) return text.padEnd(length, ' ');
  if (/^[a-z]+:9092$/.test(text)) return text.padStart(length, 'a');
  return /[0-9]$/.test(text)
    ? text.padEnd(length, '1')
    : text.padEnd(length, text.startsWith('BASIC') || text.startsWith('SASL') ? 'A' : 'a');
}

/** A list of that length; items of keyed lists get keys of their own. */
function many(value: unknown, length: number): readonly unknown[] {
  const [first] = value as readonly unknown[];
  return Array.from({ length }, (_, index) => {
    if (typeof first === 'string') return /:\d+$/.test(first) ? `a${index}:9092` : `${first}${index}`;
    return typeof first === 'object' && first !== null ? { ...first, ...own(first, index) } : first;
  });
}

function own(item: object, index: number): Json {
  const key = ['uid', 'lane', 'name'].find((candidate) => candidate in item);
  return key === undefined ? {} : { [key]: `${key}${index}` };
}

function entries(value: unknown, count: number): Json {
  const [first] = Object.values(value as Json);
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, first]));
}
