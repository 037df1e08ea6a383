/**
 * The definition of a match, as slow as it is plain: try every way to settle on one element of each array of objects
 * (or arrays), and look whether all conditions find a leaf that is still in sight. No dotted names, no `exists: false`.
 */
import type { Alternative, Rule } from '../../../src/filter/pattern.ts';

export function naiveMatch(rule: Rule, event: unknown): boolean {
  return settlements(event).some((settled) =>
    rule.every(({ path, alternatives }) =>
      leavesAt(settled, path.split('.')).some((leaf) =>
        alternatives.some((alternative) => accepts(alternative, leaf)),
      ),
    ),
  );
}

/** Every copy of the value in which each array holds its leaves and at most one of its containers. */
function settlements(value: unknown): unknown[] {
  if (Array.isArray(value)) {
    const leaves = value.filter((element) => !isContainer(element));
    const containers = value.filter(isContainer);
    if (containers.length === 0) return [leaves];
    return containers.flatMap((container) => settlements(container).map((settled) => [...leaves, settled]));
  }
  if (!isContainer(value)) return [value];
  let copies: Record<string, unknown>[] = [{}];
  for (const [name, member] of Object.entries(value)) {
    const members = settlements(member);
    copies = copies.flatMap((copy) => members.map((settled) => ({ ...copy, [name]: settled })));
  }
  return copies;
}

function leavesAt(value: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(value)) return value.flatMap((element: unknown) => leavesAt(element, path));
  const [name, ...rest] = path;
  if (!isContainer(value)) return name === undefined ? [value] : [];
  const record = value as Record<string, unknown>;
  return name !== undefined && Object.hasOwn(record, name) ? leavesAt(record[name], rest) : [];
}

function accepts(alternative: Alternative, leaf: unknown): boolean {
  const { kind } = alternative;
  if (kind === 'equals' || kind === 'equals-number') return leaf === alternative.value;
  if (kind === 'prefix')
    return typeof leaf === 'string' && leaf.slice(0, alternative.text.length) === alternative.text;
  if (kind === 'anything-but-strings') return !alternative.values.some((value) => value === leaf);
  if (kind === 'numeric') return typeof leaf === 'number' && leaf > (alternative.low?.value ?? -Infinity);
  if (kind === 'exists') return alternative.exists;
  throw new Error(`the naive matcher does not know ${kind}`);
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
