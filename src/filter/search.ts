/**
 * The match by definition: list every leaf that a condition can be tested on, with the array elements it lies in, and
 * look for a choice of leaves that lie in the same elements. Exact for every event, dotted member names included, and
 * slower than the walk of `compile.ts`; after a fixed number of steps it gives up and the rule is undecided.
 */
import { ExactNumber } from '../lib/json.ts';
import type { CompiledCondition } from './condition.ts';
import type { TreeNode, TreeStep } from './tree.ts';

/** Steps after which the search gives up. Only an event made for it gets there. */
export const maxSearchSteps = 2_000_000;

/** Whether a rule or pattern matches; `undecided` when finding out would take too long. */
export type Decision = boolean | 'undecided';

/** An element of an array that a leaf lies in, and the elements around it. */
export interface Place {
  readonly array: number;
  readonly index: number;
  readonly around: Place | undefined;
}

export interface FoundLeaf {
  readonly value: unknown;
  readonly place: Place | undefined;
}

/** Every leaf of the event that stands at a condition's path, for each of the conditions. */
export function findLeaves(root: TreeNode, count: number, event: object): readonly (readonly FoundLeaf[])[] {
  const found: FoundLeaf[][] = Array.from({ length: count }, () => []);
  let arrays = 0;
  type Item = {
    value: unknown;
    node: TreeNode | undefined;
    leaf: number | undefined;
    place: Place | undefined;
  };
  const pending: Item[] = [{ value: event, node: root, leaf: undefined, place: undefined }];
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const { value, node, leaf, place } = item;
    if (Array.isArray(value)) {
      arrays += 1;
      const array = arrays;
      const elements: readonly unknown[] = value;
      // Backwards, so that the leaves come out in the order of the event.
      for (let index = elements.length - 1; index >= 0; index -= 1) {
        const element = elements[index];
        const inner = isObject(element) ? { array, index, around: place } : place;
        pending.push({ value: element, node, leaf, place: inner });
      }
    } else if (isObject(value)) {
      if (node === undefined) continue;
      for (const [name, member] of Object.entries(value)) {
        const end = follow(node, name);
        if (end !== undefined) pending.push({ value: member, ...end, place });
      }
    } else if (leaf !== undefined) found[leaf]?.push({ value, place });
  }
  return found;
}

/** Whether a rule matches, and the steps it took. */
export function search(
  rule: { readonly conditions: readonly CompiledCondition[]; readonly root: TreeNode },
  event: object,
): { readonly decision: Decision; readonly steps: number } {
  // Each leaf is looked at once, however often its place is tried: a long text takes long.
  const leaves = findLeaves(rule.root, rule.conditions.length, event).map((found) =>
    found.map(({ value, place }) => ({ value, place, met: undefined as boolean | undefined })),
  );
  const chosen = new Map<number, number>();
  let steps = 0;

  const agrees = (place: Place | undefined): boolean => {
    for (let at = place; at !== undefined; at = at.around) {
      steps += 1;
      const index = chosen.get(at.array);
      if (index !== undefined && index !== at.index) return false;
    }
    return true;
  };
  const meetFrom = (number: number): boolean => {
    const condition = rule.conditions[number];
    if (condition === undefined) return true;
    const candidates = leaves[number] ?? [];
    // Leaves in one place are as good as each other, so one that is met stands for all of them.
    const tried = new Set<Place | undefined>();
    let absent = true;
    for (const leaf of candidates) {
      const { place } = leaf;
      steps += 1;
      if (steps > maxSearchSteps) return false;
      if (!agrees(place)) continue;
      absent = false;
      if (tried.has(place)) continue;
      leaf.met ??= condition.accepts(leaf.value);
      if (!leaf.met) continue;
      tried.add(place);
      const added: number[] = [];
      for (let at = place; at !== undefined; at = at.around) {
        if (chosen.has(at.array)) continue;
        chosen.set(at.array, at.index);
        added.push(at.array);
      }
      if (meetFrom(number + 1)) return true;
      for (const array of added) chosen.delete(array);
    }
    return absent && condition.acceptsAbsence && meetFrom(number + 1);
  };
  const matched = meetFrom(0);
  return { decision: steps > maxSearchSteps ? 'undecided' : matched, steps };
}

/** The node and the leaf that a member's name, which may hold dots, leads to. */
function follow(from: TreeNode, name: string): TreeStep | undefined {
  let step: TreeStep | undefined = { node: from, leaf: undefined };
  for (const part of name.split('.')) {
    step = step.node?.steps.get(part);
    if (step === undefined) return undefined;
  }
  return step;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof ExactNumber);
}
