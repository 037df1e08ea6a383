/**
 * Pattern → predicate on an event. The event is what `readJson` gives: plain objects, arrays, leaves.
 *
 * Rules of the match, all event-ruler's: only leaves count (an object or an empty array is no leaf, so `exists: false`
 * is met there); an array stands for its elements; conditions below one array of objects must be met by one and the
 * same element; a member `a.b` of the event is the same as `b` inside `a`.
 *
 * Time grows with the size of the part of the event that the pattern names, times the number of conditions, and the
 * stack with the pattern only: an event may be nested as deep as it likes. Events with dotted member names that the
 * pattern reaches go through `search.ts`, which is slower.
 */
import { ExactNumber } from '../lib/json.ts';
import { compileCondition, type CompiledCondition } from './condition.ts';
import { dataFormatOf, fitsFormat, type DataFormat } from './data-format.ts';
import type { Pattern, Rule } from './pattern.ts';
import { search, type Decision } from './search.ts';
import { buildTree, memberOf, type TreeNode, type Unit } from './tree.ts';

/** A pattern ready to be matched; holds no state, so one instance serves any number of matches. */
export interface CompiledPattern {
  /**
   * Whether the event matches. Anything but an object does not. Never throws on what JSON text can hold. `undecided`
   * comes only of an event that is made for it: with dotted member names, and so many elements in its arrays that
   * their combinations take too long.
   */
  readonly decide: (event: unknown) => Decision;
  /** Whether the event passes: it matches or is undecided, since what was not decided must not be lost. */
  readonly matches: (event: unknown) => boolean;
  /** As `decide`, also telling how many values of the event were looked at. */
  readonly measure: (event: unknown) => { readonly decision: Decision; readonly steps: number };
}

/** The pattern ready to be matched. `dataKey` names the member that the source reads as JSON before, if there is one. */
export function compilePattern(pattern: Pattern, dataKey?: string): CompiledPattern {
  const rules = pattern.rules.map((rule) => compileRule(rule, dataKey));
  const decideIn = (event: unknown, walk: Walk): Decision =>
    isContainer(event) && !Array.isArray(event) && anyOf(rules, (rule) => decideRule(rule, event, walk));
  const decide = (event: unknown): Decision => decideIn(event, newWalk());
  return {
    decide,
    matches: (event) => decide(event) !== false,
    measure: (event) => {
      const walk = newWalk();
      return { decision: decideIn(event, walk), steps: walk.steps };
    },
  };
}

/**
 * Whether an event matches any of the patterns. The same as asking one after another, but for the search for dotted
 * member names, which is made once for all.
 */
export function compilePatterns(
  patterns: readonly Pattern[],
  dataKey?: string,
): (event: unknown) => Decision {
  const rules = patterns.flatMap((pattern) => pattern.rules.map((rule) => compileRule(rule, dataKey)));
  const reach = reachOf(rules.map(({ root }) => root));
  return (event) => {
    if (!isContainer(event) || Array.isArray(event)) return false;
    const walk = newWalk();
    walk.undotted = !hasDotted(reach, event);
    return anyOf(rules, (rule) => decideRule(rule, event, walk));
  };
}

/** Whether any item decides for a match: one that does outweighs those that are undecided. */
export function anyOf<T>(items: readonly T[], decide: (item: T) => Decision): Decision {
  let decision: Decision = false;
  for (const item of items) {
    const one = decide(item);
    if (one === true) return true;
    if (one === 'undecided') decision = one;
  }
  return decision;
}

/** An object or array; an `ExactNumber` is a leaf. */
export function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof ExactNumber);
}

interface CompiledRule {
  readonly conditions: readonly CompiledCondition[];
  readonly root: TreeNode;
  readonly format: DataFormat | undefined;
}

interface Walk {
  steps: number;
  /** A dotted member was met that the pattern reaches: the answer of the walk does not hold. */
  dotted: boolean;
  /** It is known beforehand that there is none. */
  undotted: boolean;
}

const newWalk = (): Walk => ({ steps: 0, dotted: false, undotted: false });

function compileRule(rule: Rule, dataKey: string | undefined): CompiledRule {
  return {
    conditions: rule.map(compileCondition),
    root: buildTree(rule.map(({ path }) => path)),
    format: dataKey === undefined ? undefined : dataFormatOf(rule, dataKey),
  };
}

function decideRule(rule: CompiledRule, event: object, walk: Walk): Decision {
  if (rule.format !== undefined && !fitsFormat(rule.format, event)) return false;
  walk.dotted = false;
  const matched = objectMeets(rule, rule.root, event, 0, false, walk);
  if (!walk.dotted) return matched;
  const found = search(rule, event);
  walk.steps += found.steps;
  return found.decision;
}

/**
 * Whether an object meets the conditions below `node` from number `from` on; those before are met already. With
 * `byValue`, the first of them must be met by a leaf, since its absence was looked for in a wider place.
 */
function objectMeets(
  rule: CompiledRule,
  node: TreeNode,
  object: object,
  from: number,
  byValue: boolean,
  walk: Walk,
): boolean {
  noteDotted(node, object, walk);
  let first = byValue;
  for (const unit of node.units) {
    if (unit.high <= from) continue;
    walk.steps += 1;
    const value = memberOf(object, unit);
    if (!unitMeets(rule, unit, value, from, first, walk)) return false;
    first = false;
  }
  return true;
}

function unitMeets(
  rule: CompiledRule,
  unit: Unit,
  value: unknown,
  from: number,
  byValue: boolean,
  walk: Walk,
): boolean {
  if (unit.branch === undefined) {
    const condition = rule.conditions[unit.low];
    if (condition === undefined) return false;
    const leaf = leafMeets(condition, value, walk);
    return leaf === 'none' ? condition.acceptsAbsence && !byValue : leaf === 'met';
  }
  if (!isContainer(value)) return acceptsAbsence(rule, Math.max(from, unit.low), unit.high, byValue);
  if (!Array.isArray(value)) return objectMeets(rule, unit.branch, value, from, byValue, walk);
  return arrayMeets(rule, unit, unit.branch, value, from, byValue, walk);
}

/** Whether all of the conditions `[low, high)` are met where there is no leaf for any of them. */
function acceptsAbsence(rule: CompiledRule, low: number, high: number, byValue: boolean): boolean {
  if (byValue) return false;
  for (let index = low; index < high; index += 1) {
    if (rule.conditions[index]?.acceptsAbsence !== true) return false;
  }
  return true;
}

/** What the leaves in `value` say: an array stands for the leaves in it, at any depth of arrays. */
function leafMeets(condition: CompiledCondition, value: unknown, walk: Walk): 'met' | 'unmet' | 'none' {
  if (value === undefined) return 'none';
  if (!isContainer(value)) return condition.accepts(value) ? 'met' : 'unmet';
  if (!Array.isArray(value)) return 'none';
  let seen: 'unmet' | 'none' = 'none';
  const arrays: (readonly unknown[])[] = [value];
  for (let array = arrays.pop(); array !== undefined; array = arrays.pop()) {
    for (const element of array) {
      walk.steps += 1;
      if (Array.isArray(element)) arrays.push(element);
      else if (!isContainer(element)) {
        if (condition.accepts(element)) return 'met';
        seen = 'unmet';
      }
    }
  }
  return seen;
}

/**
 * One element must meet all conditions below the array. The leading ones may instead be met by absence in the whole
 * array: no element is settled on before a first leaf is.
 */
function arrayMeets(
  rule: CompiledRule,
  unit: Unit,
  node: TreeNode,
  array: readonly unknown[],
  from: number,
  byValue: boolean,
  walk: Walk,
): boolean {
  let start = Math.max(from, unit.low);
  if (!byValue) {
    while (start < unit.high && rule.conditions[start]?.acceptsAbsence === true) {
      if (hasLeaf(node, start, array, walk)) break;
      start += 1;
    }
  }
  if (start >= unit.high) return true;
  // Arrays in arrays are gone through by hand: their nesting is the sender's, the stack is ours.
  const arrays = [array];
  for (let current = arrays.pop(); current !== undefined; current = arrays.pop()) {
    for (const element of current) {
      walk.steps += 1;
      if (Array.isArray(element)) arrays.push(element);
      else if (isContainer(element) && objectMeets(rule, node, element, start, true, walk)) return true;
    }
  }
  return false;
}

/** Whether there is any leaf for condition `index` in the value, in whatever elements of its arrays. */
function hasLeaf(node: TreeNode, index: number, value: unknown, walk: Walk): boolean {
  const pending: { node: TreeNode | undefined; value: unknown }[] = [{ node, value }];
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const { node: at, value: found } = item;
    walk.steps += 1;
    if (Array.isArray(found)) {
      for (const element of found as readonly unknown[]) pending.push({ node: at, value: element });
    } else if (isContainer(found)) {
      if (at === undefined) continue;
      noteDotted(at, found, walk);
      const unit = at.units.find(({ low, high }) => low <= index && index < high);
      if (unit !== undefined) pending.push({ node: unit.branch, value: memberOf(found, unit) });
    } else if (at === undefined && found !== undefined) return true;
  }
  return false;
}

/** Whether a member's name is dotted, and begins with one of `names`. */
function reachesPast(names: ReadonlySet<string>, name: string): boolean {
  const dot = name.indexOf('.');
  return dot !== -1 && names.has(name.slice(0, dot));
}

function noteDotted(node: TreeNode, object: object, walk: Walk): void {
  if (walk.undotted || node.branchNames.size === 0 || walk.dotted) return;
  for (const name in object) {
    walk.steps += 1;
    if (reachesPast(node.branchNames, name)) {
      walk.dotted = true;
      return;
    }
  }
}

/** The nodes of several trees that stand at the same place, as one: where a dotted member matters to any of them. */
interface Reach {
  readonly branchNames: ReadonlySet<string>;
  /** Where to look further; without those below which no dotted member matters. */
  readonly steps: readonly (readonly [name: string, reach: Reach])[];
}

function reachOf(nodes: readonly TreeNode[]): Reach {
  const branchNames = new Set(nodes.flatMap((node) => [...node.branchNames]));
  const steps: [string, Reach][] = [];
  for (const name of branchNames) {
    const reach = reachOf(nodes.flatMap((node) => node.steps.get(name)?.node ?? []));
    if (reach.branchNames.size > 0) steps.push([name, reach]);
  }
  return { branchNames, steps };
}

/** Whether the event has a dotted member that a rule may reach. The stack is the patterns' own, as in the walk. */
function hasDotted(reach: Reach, value: unknown): boolean {
  if (!isContainer(value)) return false;
  if (Array.isArray(value)) {
    const arrays: (readonly unknown[])[] = [value];
    for (let array = arrays.pop(); array !== undefined; array = arrays.pop()) {
      for (const element of array) {
        if (Array.isArray(element)) arrays.push(element);
        else if (hasDotted(reach, element)) return true;
      }
    }
    return false;
  }
  for (const name in value) {
    if (reachesPast(reach.branchNames, name)) return true;
  }
  for (const [name, below] of reach.steps) {
    if (!Object.hasOwn(value, name)) continue;
    if (hasDotted(below, (value as Record<string, unknown>)[name])) return true;
  }
  return false;
}
