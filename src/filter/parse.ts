/**
 * Pattern text → rules. Refuses what AWS refuses: text that is not a JSON object, an empty object or leaf array, a
 * leaf that is not an array, malformed operators, a `$or` without two alternatives. Of two members with one name the
 * last wins; a dotted name is a path; of two conditions on one path the one further down wins, as in event-ruler.
 * Own limits (below) keep a hostile pattern from costing much; AWS's 4,096 characters are the API's business.
 */
import { readJsonMembers } from '../lib/json.ts';
import { parseAlternative, PatternFault, show } from './operators.ts';
import type { Alternative, Condition, Pattern, PatternError, Rule } from './pattern.ts';
import { wildcardComplexity } from './wildcard.ts';

/** Limits of the parser, all far above what AWS's 4,096 characters can hold in earnest. */
export const patternLimits = {
  /** Characters of text. */
  length: 65_536,
  /** Nested objects, `$or` included. */
  depth: 100,
  /** Combinations of `$or` alternatives: each is one rule. */
  rules: 1_000,
  /** Conditions over all rules. */
  conditions: 20_000,
  /**
   * Prefixes of one wildcard that one text can match at once. EventBridge refuses
   * `*:*:*:*:*:event-bus/*` (11) and takes the guide's longest sample (7); event-ruler's guide suggests 10.
   */
  wildcardComplexity: 10,
} as const;

export type ParseResult =
  | { readonly ok: true; readonly pattern: Pattern }
  | { readonly ok: false; readonly error: PatternError };

/** Reads a pattern. Never throws, whatever the text. */
export function parsePattern(text: string): ParseResult {
  try {
    return { ok: true, pattern: { rules: parseRules(text) } };
  } catch (error) {
    if (error instanceof JsonFault) return { ok: false, error: error.error };
    if (error instanceof PatternFault)
      return { ok: false, error: { message: error.message, path: error.path } };
    throw error;
  }
}

/** Names that event-ruler keeps for operators, and therefore refuses as member names below `$or`. */
const reservedBelowOr = new Set(
  (
    'exactly equals-ignore-case prefix suffix anything-but exists wildcard numeric cidr = < <= > >= regex ' +
    'not-wildcard not-equals-ignore-case date-after date-on-or-after date-before date-on-or-before in-date-range ' +
    'ip-address-in-range ip-address-not-in-range'
  ).split(' '),
);

class JsonFault extends Error {
  readonly error: PatternError;

  constructor(error: PatternError) {
    super(error.message);
    this.error = error;
  }
}

type Members = ReadonlyMap<string, unknown>;
/** A rule in the making. */
type Draft = Map<string, Condition>;

function parseRules(text: string): readonly Rule[] {
  if (text.length > patternLimits.length) {
    throw new PatternFault('', `must have at most ${patternLimits.length} characters, found ${text.length}`);
  }
  const json = readJsonMembers(text);
  if (!json.ok) {
    const { message, line, column } = json.error;
    const full = `The pattern must be JSON text: line ${line}, column ${column} has ${message}`;
    throw new JsonFault({ message: full, path: '', line, column });
  }
  if (!(json.value instanceof Map)) {
    throw new PatternFault('', `must be a JSON object, found ${show(json.value)}`);
  }
  const drafts: Draft[] = [];
  readObject(json.value as Members, { path: [], belowOr: false, depth: 1 }, drafts);
  return drafts.map((draft) => {
    const conditions = [...draft.values()];
    return conditions.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  });
}

/** Where an object stands: its path, whether a `$or` is above it, and how many objects are. */
interface Place {
  readonly path: readonly string[];
  readonly belowOr: boolean;
  readonly depth: number;
}

/**
 * Adds an object's conditions to each of the drafts. No draft yet is not the same as one empty draft: the first
 * condition or `$or` makes the first one.
 */
function readObject(members: Members, place: Place, drafts: Draft[]): void {
  const { path, belowOr } = place;
  const shown = path.join('.');
  if (place.depth > patternLimits.depth) {
    throw new PatternFault(shown, `must not be nested deeper than ${patternLimits.depth} levels`);
  }
  if (members.size === 0) throw new PatternFault(shown, 'must not be an empty object');
  for (const [name, value] of members) {
    const memberPath = [...path, name];
    if (name === '$or') readOr(value, place, drafts);
    else if (belowOr && reservedBelowOr.has(name)) {
      throw new PatternFault(
        memberPath.join('.'),
        'must have another name: the names of operators cannot be members below `$or`',
      );
    } else if (value instanceof Map) {
      readObject(value as Members, { path: memberPath, belowOr, depth: place.depth + 1 }, drafts);
    } else if (Array.isArray(value)) addCondition(readCondition(value, memberPath.join('.')), drafts);
    else {
      throw new PatternFault(
        memberPath.join('.'),
        `must be an array of alternatives or an object, found ${show(value)}`,
      );
    }
  }
}

function readOr(value: unknown, { path, depth }: Place, drafts: Draft[]): void {
  const shown = [...path, '$or'].join('.');
  if (!Array.isArray(value) || value.length < 2) {
    const count = Array.isArray(value) && value.length === 1 ? ' of one element' : '';
    throw new PatternFault(shown, `must be an array of at least two objects, found ${show(value)}${count}`);
  }
  const before = drafts.splice(0);
  for (const [index, item] of (value as readonly unknown[]).entries()) {
    if (!(item instanceof Map)) {
      throw new PatternFault(`${shown}[${index}]`, `must be an object, found ${show(item)}`);
    }
    const branch =
      before.length === 0 ? [new Map<string, Condition>()] : before.map((draft) => new Map(draft));
    readObject(item as Members, { path, belowOr: true, depth: depth + 1 }, branch);
    drafts.push(...branch);
    const conditions = drafts.reduce((sum, draft) => sum + draft.size, 0);
    if (drafts.length > patternLimits.rules || conditions > patternLimits.conditions) {
      throw new PatternFault(
        shown,
        `must not make more than ${patternLimits.rules} combinations or ${patternLimits.conditions} conditions`,
      );
    }
  }
}

function addCondition(condition: Condition, drafts: Draft[]): void {
  if (drafts.length === 0) drafts.push(new Map());
  for (const draft of drafts) draft.set(condition.path, condition);
  if (drafts.length * (drafts[0]?.size ?? 0) > patternLimits.conditions) {
    throw new PatternFault('', `must not make more than ${patternLimits.conditions} conditions`);
  }
}

function readCondition(values: readonly unknown[], path: string): Condition {
  if (values.length === 0) throw new PatternFault(path, 'must not be an empty array');
  const alternatives = values.map((value, index) => parseAlternative(value, `${path}[${index}]`));
  for (const [index, alternative] of alternatives.entries()) checkWildcards(alternative, `${path}[${index}]`);
  return { path, alternatives };
}

function checkWildcards(alternative: Alternative, path: string): void {
  if (alternative.kind === 'anything-but') {
    for (const excluded of alternative.of) checkWildcards(excluded, path);
  } else if (alternative.kind === 'wildcard') {
    const { wildcardComplexity: most } = patternLimits;
    if (wildcardComplexity(alternative.wildcard, most + 1) <= most) return;
    throw new PatternFault(
      path,
      'has too complex a wildcard: it must have fewer `*`, or fewer repeated characters after a `*`',
    );
  }
}
