/**
 * A condition's alternatives → one predicate on a leaf value: a string, number, boolean, null or `ExactNumber`. Plain
 * strings and numbers are looked up in sets, so a long list costs no more than a short one.
 */
import { ExactNumber } from '../lib/json.ts';
import { endsWithFolded, equalsFolded, startsWithFolded } from './ignore-case.ts';
import { isInBlock, parseIpAddress } from './ip-address.ts';
import type { Alternative, Condition } from './pattern.ts';
import { matchesWildcard } from './wildcard.ts';

/** A condition ready to be tested. */
export interface CompiledCondition {
  readonly path: string;
  /** Whether a leaf value that is there meets the condition. */
  readonly accepts: (leaf: unknown) => boolean;
  /** Whether it is also met when there is no leaf at the path: `exists: false` is among the alternatives. */
  readonly acceptsAbsence: boolean;
}

export function compileCondition(condition: Condition): CompiledCondition {
  const strings = new Set<string>();
  const numbers = new Set<number>();
  const others: ((leaf: unknown) => boolean)[] = [];
  let acceptsAbsence = false;
  for (const alternative of condition.alternatives) {
    if (alternative.kind === 'exists' && !alternative.exists) acceptsAbsence = true;
    else if (alternative.kind === 'equals' && typeof alternative.value === 'string')
      strings.add(alternative.value);
    else if (alternative.kind === 'equals-number' && alternative.value !== undefined)
      numbers.add(alternative.value);
    else others.push(compileAlternative(alternative));
  }
  const accepts = (leaf: unknown): boolean => {
    if (typeof leaf === 'string' ? strings.has(leaf) : typeof leaf === 'number' && numbers.has(leaf))
      return true;
    for (const other of others) if (other(leaf)) return true;
    return false;
  };
  return { path: condition.path, accepts, acceptsAbsence };
}

/** One alternative as a predicate on a leaf value that is there. */
export function compileAlternative(alternative: Alternative): (leaf: unknown) => boolean {
  switch (alternative.kind) {
    case 'equals': {
      const { value } = alternative;
      return (leaf) => leaf === value;
    }
    case 'equals-number': {
      const { value, text } = alternative;
      if (value !== undefined) return (leaf) => leaf === value;
      return (leaf) => leaf instanceof ExactNumber && leaf.text === text;
    }
    case 'equals-address': {
      const { digits } = alternative;
      return onStrings((leaf) => parseIpAddress(leaf) === digits);
    }
    case 'equals-ignore-case': {
      const { folded } = alternative;
      return onStrings((leaf) => equalsFolded(leaf, folded));
    }
    // event-ruler compares strings with their quotes on, so the closing quote can be part of a prefix and the
    // opening one of a suffix: `{"prefix": "ab\""}` matches `ab`, and nothing longer.
    case 'prefix': {
      const { text } = alternative;
      if (!text.endsWith('"')) return onStrings((leaf) => leaf.startsWith(text));
      return onStrings((leaf) => `${leaf}"`.startsWith(text));
    }
    case 'suffix': {
      const { text } = alternative;
      if (!text.startsWith('"')) return onStrings((leaf) => leaf.endsWith(text));
      return onStrings((leaf) => `"${leaf}`.endsWith(text));
    }
    case 'prefix-ignore-case': {
      const { folded } = alternative;
      return onStrings((leaf) => startsWithFolded(`${leaf}"`, folded));
    }
    case 'suffix-ignore-case': {
      const { folded } = alternative;
      return onStrings((leaf) => endsWithFolded(`"${leaf}`, folded));
    }
    case 'wildcard': {
      const { wildcard } = alternative;
      return onStrings((leaf) => matchesWildcard(wildcard, leaf));
    }
    case 'numeric': {
      const low = alternative.low ?? { value: -Infinity, inclusive: true };
      const high = alternative.high ?? { value: Infinity, inclusive: true };
      return (leaf) =>
        typeof leaf === 'number' &&
        (low.inclusive ? leaf >= low.value : leaf > low.value) &&
        (high.inclusive ? leaf <= high.value : leaf < high.value);
    }
    case 'cidr': {
      const { block } = alternative;
      return onStrings((leaf) => {
        const digits = parseIpAddress(leaf);
        return digits !== undefined && isInBlock(digits, block);
      });
    }
    case 'exists': {
      const { exists } = alternative;
      return () => exists;
    }
    case 'anything-but-strings': {
      const values = new Set<unknown>(alternative.values);
      return (leaf) => !values.has(leaf);
    }
    case 'anything-but-numbers': {
      const values = new Set<unknown>(alternative.values);
      return (leaf) => !values.has(leaf);
    }
    case 'anything-but':
      break;
  }
  const excluded = alternative.of.map(compileAlternative);
  return (leaf) => !excluded.some((matches) => matches(leaf));
}

function onStrings(test: (leaf: string) => boolean): (leaf: unknown) => boolean {
  return (leaf) => typeof leaf === 'string' && test(leaf);
}
