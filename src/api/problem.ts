/** A problem in a manifest, and how it is told: where, what was found, what is allowed. */

/** Steps from the root of a document: names of properties and indexes of items. */
export type Path = readonly (string | number)[];

/** A finding without its line. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  /** The value found, shortened; absent where nothing was found. */
  readonly found?: string;
  /** The key itself is the problem, not its value. */
  readonly atKey?: true;
}

const plain = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** A path as the API server writes it: `spec.filterCriteria.filters[0].pattern`. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (plain.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

const longest = 80;

/** A value as a message shows it: JSON, at most 80 characters, a URL without what may be a secret in it. */
export function foundText(value: unknown): string {
  const text = shownText(value);
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function shownText(value: unknown): string {
  if (typeof value === 'object' && value !== null) return shape(value);
  if (typeof value === 'string') return visible(JSON.stringify(withoutSecrets(value)));
  // JSON has no words for infinity and for what is no number.
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'nothing');
}

/** Text with its invisible characters as escapes: they could direct a terminal, or make a name look like another. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** The value found at `path`, where it may be shown at all: what is given as a header is often a token. */
export function foundAt(path: Path, value: unknown): { readonly found?: string } {
  if (path.includes('headers') && (typeof value !== 'object' || value === null)) return {};
  // Whoever forgets the scheme still writes the password.
  if (path.at(-1) === 'url' && typeof value === 'string' && !value.includes('//'))
    return { found: foundText(withoutSecrets(`//${value}`).slice(2)) };
  return { found: foundText(value) };
}

/** Credentials of a URL go up to its last `@`, since a password may hold what ends a host. Its query goes too. */
function withoutSecrets(text: string): string {
  const at = text.indexOf('//');
  if (at === -1) return text;
  const rest = text.slice(at + 2);
  const bare = rest.includes('@') ? `…${rest.slice(rest.lastIndexOf('@'))}` : rest;
  return `${text.slice(0, at + 2)}${bare.replace(/[?].*$/su, '?…')}`;
}

/** The known name that a mistyped one probably means, or undefined. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(name.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const far = distance(name.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (far < bestDistance) [best, bestDistance] = [candidate, far];
  }
  return best;
}

/** An object is named by its size alone: a message must not repeat a whole manifest. */
function shape(value: object): string {
  return Array.isArray(value) ? `a list of ${value.length}` : `an object of ${Object.keys(value).length}`;
}

/** Edit distance with swaps, given up once it reaches `limit`. */
function distance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) >= limit || left.length > 200) return limit;
  let before: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      let least = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      const swapped = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      if (swapped) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    [before, previous] = [previous, row];
  }
  return previous[right.length] ?? limit;
}
