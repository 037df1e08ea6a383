/**
 * Why an event matches a pattern or not, key by key. Made for people and tools at a terminal; the answer is that of
 * `compilePattern`, the reasons are found separately and may be slow.
 */
import { compilePattern, isContainer } from './compile.ts';
import { compileCondition } from './condition.ts';
import { dataFormatOf, fitsFormat } from './data-format.ts';
import { describeCondition, describeLeaf } from './describe.ts';
import type { Condition, Pattern, Rule } from './pattern.ts';
import { findLeaves, maxSearchSteps } from './search.ts';
import { buildTree } from './tree.ts';

export interface KeyExplanation {
  /** Member names joined by dots. */
  readonly key: string;
  /** Whether this key's condition is met when it is looked at alone. */
  readonly met: boolean;
  /** The alternatives of the pattern. */
  readonly allowed: string;
  /** The leaves of the event at this key, at most ten. */
  readonly found: readonly string[];
  /** A phrase such as `found "a"` or `nothing is here: …`. */
  readonly reason: string;
}

export interface RuleExplanation {
  readonly matched: boolean;
  readonly keys: readonly KeyExplanation[];
  /** Set when every key is met alone and the rule is not, or when it cannot be decided. */
  readonly note?: string;
}

export interface PatternExplanation {
  /** Also true when it is undecided: the record is delivered. */
  readonly matched: boolean;
  /** One, or one for each combination of `$or` alternatives; at most a hundred. */
  readonly rules: readonly RuleExplanation[];
}

const mostRules = 100;
const mostFound = 10;

/** Explains one pattern against an event object; `dataKey` as for `compilePattern`. */
export function explainPattern(pattern: Pattern, event: unknown, dataKey?: string): PatternExplanation {
  return {
    matched: compilePattern(pattern, dataKey).matches(event),
    rules: pattern.rules.slice(0, mostRules).map((rule) => explainRule(rule, event, dataKey)),
  };
}

/** The explanation as lines of text, without a line end after the last. */
export function explanationLines(explanation: PatternExplanation): readonly string[] {
  const several = explanation.rules.length > 1;
  return explanation.rules.flatMap((rule, index) => {
    const head = several ? [`  alternative ${index + 1}: ${rule.matched ? 'match' : 'no match'}`] : [];
    const indent = several ? '    ' : '  ';
    const width = Math.max(...rule.keys.map(({ key }) => key.length));
    const keys = rule.keys.map(
      ({ key, met, reason, allowed }) =>
        `${indent}${met ? 'yes' : 'no '}  ${key.padEnd(width)}  ${reason}; allowed ${allowed}`,
    );
    return [...head, ...keys, ...(rule.note === undefined ? [] : [`${indent}${rule.note}`])];
  });
}

function explainRule(rule: Rule, event: unknown, dataKey: string | undefined): RuleExplanation {
  const decision = compilePattern({ rules: [rule] }, dataKey).decide(event);
  const matched = decision !== false;
  const root = buildTree(rule.map(({ path }) => path));
  const leaves = isContainer(event) ? findLeaves(root, rule.length, event) : [];
  const keys = rule.map((condition, index) => {
    const values = (leaves[index] ?? []).map(({ value }) => value);
    return explainKey(condition, values, event);
  });
  if (decision === 'undecided') {
    const note = `It was not decided within ${maxSearchSteps} steps, and passes: what is undecided is delivered.`;
    return { matched, keys, note };
  }
  if (matched || keys.some(({ met }) => !met)) return { matched, keys };
  const format = dataKey === undefined ? undefined : dataFormatOf(rule, dataKey);
  if (format !== undefined && isContainer(event) && !fitsFormat(format, event)) {
    const formats = format.asMembers ? ['members', 'no JSON object'] : ['text', 'a JSON object'];
    return {
      matched,
      keys,
      note: `The pattern is for ${formats[0]}, and \`${format.key}\` is ${formats[1]}.`,
    };
  }
  const note =
    'Every key is met, but not within one and the same element of an array, as all keys below it must be.';
  return { matched, keys, note };
}

function explainKey(condition: Condition, values: readonly unknown[], event: unknown): KeyExplanation {
  const { accepts, acceptsAbsence } = compileCondition(condition);
  const accepted = values.filter(accepts).slice(0, 1);
  const shown = (accepted.length > 0 ? accepted : values.slice(0, mostFound)).map(describeLeaf);
  const more =
    accepted.length === 0 && values.length > mostFound ? ` and ${values.length - mostFound} more` : '';
  return {
    key: condition.path,
    met: values.length === 0 ? acceptsAbsence : accepted.length > 0,
    allowed: describeCondition(condition),
    found: values.slice(0, mostFound).map(describeLeaf),
    reason: values.length === 0 ? whyNothing(condition.path, event) : `found ${shown.join(', ')}${more}`,
  };
}

/** What stands in the way of a leaf at this path. */
function whyNothing(path: string, event: unknown): string {
  const names = path.split('.');
  let at = event;
  for (const [depth, name] of names.entries()) {
    const above = names.slice(0, depth).join('.');
    if (Array.isArray(at)) return `found nothing: no element of the array \`${above}\` has it`;
    if (!isContainer(at)) return `found nothing: \`${above}\` is ${describeLeaf(at)} and has no members`;
    if (!Object.hasOwn(at, name))
      return `found nothing: ${above === '' ? 'the event' : `\`${above}\``} has no \`${name}\``;
    at = (at as Record<string, unknown>)[name];
  }
  return Array.isArray(at)
    ? 'found an array without values'
    : 'found an object, and only its leaves can be matched';
}
