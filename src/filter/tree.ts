/**
 * A rule's conditions as a tree of member names, so that a walk of the event meets each of its values once.
 *
 * The conditions below a node are a run of the rule's sorted list. `units` keeps that order: event-ruler tests
 * conditions in the order of their paths, and `exists: false` depends on what was met before it.
 */

/** One step of the walk: the conditions `[low, high)` below one member of a node. */
export interface Unit {
  readonly name: string;
  /** True when the name is one that every object inherits, so that only an own member counts. */
  readonly inherited: boolean;
  readonly low: number;
  readonly high: number;
  /** The node to go on with, or undefined for a leaf: the one condition `low` itself. */
  readonly branch: TreeNode | undefined;
}

export interface TreeNode {
  readonly units: readonly Unit[];
  /** The names below which there are further names: the only ones a dotted member of the event can reach past. */
  readonly branchNames: ReadonlySet<string>;
  /** Where each member name leads; the same as `units`, by name. */
  readonly steps: ReadonlyMap<string, TreeStep>;
}

/** What stands below a member name: a node to go on with, a condition on the member itself, or both. */
export interface TreeStep {
  readonly node: TreeNode | undefined;
  readonly leaf: number | undefined;
}

interface Draft {
  /** The condition that ends here, if any. */
  leaf: number | undefined;
  readonly children: Map<string, Draft>;
}

/** Builds the tree of sorted paths. A node that is both a leaf and a branch gives its parent two units. */
export function buildTree(paths: readonly string[]): TreeNode {
  const root: Draft = { leaf: undefined, children: new Map() };
  paths.forEach((path, index) => {
    let draft = root;
    for (const name of path.split('.')) {
      let child = draft.children.get(name);
      if (child === undefined) {
        child = { leaf: undefined, children: new Map() };
        draft.children.set(name, child);
      }
      draft = child;
    }
    draft.leaf = index;
  });
  return finish(root).node;
}

function finish(draft: Draft): { node: TreeNode; low: number; high: number } {
  const units: Unit[] = [];
  const branchNames = new Set<string>();
  const steps = new Map<string, TreeStep>();
  for (const [name, child] of draft.children) {
    const inherited = name in Object.prototype;
    if (child.leaf !== undefined) {
      units.push({ name, inherited, low: child.leaf, high: child.leaf + 1, branch: undefined });
    }
    const below = child.children.size > 0 ? finish(child) : undefined;
    steps.set(name, { node: below?.node, leaf: child.leaf });
    if (below !== undefined) {
      const { node, low, high } = below;
      units.push({ name, inherited, low, high, branch: node });
      branchNames.add(name);
    }
  }
  units.sort((a, b) => a.low - b.low);
  return { node: { units, branchNames, steps }, low: units[0]?.low ?? 0, high: units.at(-1)?.high ?? 0 };
}

/** A member of an object read from JSON, or undefined; never something inherited. */
export function memberOf(
  object: object,
  unit: { readonly name: string; readonly inherited: boolean },
): unknown {
  if (unit.inherited && !Object.hasOwn(object, unit.name)) return undefined;
  return (object as Record<string, unknown>)[unit.name];
}
