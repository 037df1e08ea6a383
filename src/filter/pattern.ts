/**
 * What a filter pattern is once it is read: alternative rules, each a list of conditions that must all be met. `$or`
 * and nesting are gone here; a condition stands under its whole dotted path.
 */
import type { Folded } from './ignore-case.ts';
import type { CidrBlock } from './ip-address.ts';
import type { Wildcard } from './wildcard.ts';

/** One element of a pattern's leaf array. */
export type Alternative =
  | { readonly kind: 'equals'; readonly value: string | boolean | null }
  /** By value where a double holds the number exactly, else by its text. */
  | { readonly kind: 'equals-number'; readonly value: number | undefined; readonly text: string }
  /** A string that is an IP address equals every way to write that address. */
  | { readonly kind: 'equals-address'; readonly text: string; readonly digits: string }
  | { readonly kind: 'equals-ignore-case'; readonly text: string; readonly folded: Folded }
  | { readonly kind: 'prefix' | 'suffix'; readonly text: string }
  | {
      readonly kind: 'prefix-ignore-case' | 'suffix-ignore-case';
      readonly text: string;
      readonly folded: Folded;
    }
  | { readonly kind: 'wildcard'; readonly text: string; readonly wildcard: Wildcard }
  | { readonly kind: 'numeric'; readonly low?: Bound | undefined; readonly high?: Bound | undefined }
  | { readonly kind: 'cidr'; readonly text: string; readonly block: CidrBlock }
  | { readonly kind: 'exists'; readonly exists: boolean }
  | { readonly kind: 'anything-but-strings'; readonly values: readonly string[] }
  | { readonly kind: 'anything-but-numbers'; readonly values: readonly number[] }
  /** Everything but what one of these matches; never holds another `anything-but`. */
  | { readonly kind: 'anything-but'; readonly of: readonly Alternative[] };

/** One end of a numeric range. */
export interface Bound {
  readonly value: number;
  /** True when the value itself is inside. */
  readonly inclusive: boolean;
}

/** What one leaf of the pattern asks for: any of the alternatives, at this path of the event. */
export interface Condition {
  /** Member names joined by dots. */
  readonly path: string;
  readonly alternatives: readonly Alternative[];
}

/** Conditions that must all be met, sorted by path in UTF-16 order: the order in which event-ruler tests them. */
export type Rule = readonly Condition[];

/** A pattern matches when one of its rules does. There is at least one rule, and each has a condition. */
export interface Pattern {
  readonly rules: readonly Rule[];
}

/** Why a text is no pattern. */
export interface PatternError {
  /** A sentence that names the member in back-quotes, what was found and what must be there. */
  readonly message: string;
  /** Where in the pattern, such as `body.size[0].numeric`; empty for the pattern as a whole. */
  readonly path: string;
  /** Present when the text is not JSON at all; both count from 1. */
  readonly line?: number;
  readonly column?: number;
}
