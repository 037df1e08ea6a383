/**
 * A mapping's filter criteria: patterns of which any may match. Without a pattern everything passes, as on AWS.
 */
import { compilePatterns } from './compile.ts';
import { parsePattern } from './parse.ts';
import type { Pattern, PatternError } from './pattern.ts';
import type { Decision } from './search.ts';

/** Filter criteria ready to be matched. */
export interface FilterCriteria {
  readonly patterns: readonly Pattern[];
  /** Whether any pattern matches, or there is none at all. Never throws. */
  readonly decide: {
    (event: unknown): Decision;
    /** The members of an event that decide. */
    readonly members: ReadonlySet<string>;
  };
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
  const any = compilePatterns(patterns, dataKey);
  const paths = patterns.flatMap(({ rules }) => rules.flat().map(({ path }) => path));
  const members = new Set(paths.map((path) => path.split('.', 1)[0] ?? ''));
  const decide = Object.assign((event: unknown): Decision => patterns.length === 0 || any(event), {
    members,
  });
  return { ok: true, criteria: { patterns, decide } };
}
