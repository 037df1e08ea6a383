/**
 * A mapping's filter criteria: patterns of which any may match. Without a pattern everything passes, as on AWS.
 */
import { compilePattern } from './compile.ts';
import { parsePattern } from './parse.ts';
import type { Pattern, PatternError } from './pattern.ts';

/** Filter criteria ready to be matched. */
export interface FilterCriteria {
  readonly patterns: readonly Pattern[];
  /** Whether a value that patterns match passes: no pattern at all, or one that matches. Never throws. */
  readonly passes: (event: unknown) => boolean;
  /** The index of the first pattern that matches, or −1. */
  readonly firstMatch: (event: unknown) => number;
}

/** A pattern that cannot be used, by its index in the list. */
export interface FilterProblem {
  readonly index: number;
  readonly error: PatternError;
}

export type FilterCriteriaResult =
  | { readonly ok: true; readonly criteria: FilterCriteria }
  | { readonly ok: false; readonly problems: readonly FilterProblem[] };

/**
 * Compiles all patterns, or says what is wrong with each that cannot be used. `dataKey` names the member that the
 * source reads as JSON before matching.
 */
export function compileFilterCriteria(texts: readonly string[], dataKey?: string): FilterCriteriaResult {
  const patterns: Pattern[] = [];
  const problems: FilterProblem[] = [];
  for (const [index, text] of texts.entries()) {
    const parsed = parsePattern(text);
    if (parsed.ok) patterns.push(parsed.pattern);
    else problems.push({ index, error: parsed.error });
  }
  if (problems.length > 0) return { ok: false, problems };
  const compiled = patterns.map((pattern) => compilePattern(pattern, dataKey));
  const firstMatch = (event: unknown): number => compiled.findIndex(({ matches }) => matches(event));
  const passes = (event: unknown): boolean => compiled.length === 0 || firstMatch(event) !== -1;
  return { ok: true, criteria: { patterns, passes, firstMatch } };
}
