/**
 * Wildcard patterns: `*` stands for any run of characters, `\*` and `\\` for the characters themselves. A pattern is
 * kept as the literal pieces between its stars, and each piece is looked for once, from left to right, so there is
 * nothing to go back to: time grows with the text, not with the number of ways to read the pattern.
 */

/** The literal pieces between the stars: one piece means no star at all. */
export interface Wildcard {
  readonly pieces: readonly string[];
}

/** Counts the characters looked at, for tests of the growth of time. */
export interface Meter {
  steps: number;
}

/** Reads a wildcard pattern, or says what is wrong with it. */
export function parseWildcard(text: string): Wildcard | { readonly problem: string } {
  const pieces: string[] = [];
  let piece = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '*') {
      if (text[at + 1] === '*') return { problem: 'must not have two `*` in a row' };
      pieces.push(piece);
      piece = '';
    } else if (char === '\\') {
      const escaped = text[at + 1];
      if (escaped !== '*' && escaped !== '\\') return { problem: 'must have `*` or `\\` after each `\\`' };
      piece += escaped;
      at += 1;
    } else {
      piece += char;
    }
  }
  pieces.push(piece);
  return { pieces };
}

/** Whether the whole text is one that the pattern stands for. */
export function matchesWildcard(wildcard: Wildcard, text: string, meter?: Meter): boolean {
  const { pieces } = wildcard;
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  if (pieces.length === 1) return text === first;
  if (text.length < first.length + last.length) return false;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let from = first.length;
  // The leftmost place for each piece leaves the most room for the rest, so no other place need be tried.
  for (const piece of pieces.slice(1, -1)) {
    const found = find(text, piece, from, meter);
    if (found === -1 || found + piece.length > end) return false;
    from = found + piece.length;
  }
  return true;
}

/**
 * The most prefixes of the pattern that one text can match at once: event-ruler's measure of how much work a text
 * can cause it. Stops counting at `limit`, and after a fixed amount of work.
 */
export function wildcardComplexity(wildcard: Wildcard, limit: number): number {
  const tokens = tokensOf(wildcard);
  // Characters that the pattern does not name all act alike; `undefined` stands for them.
  const alphabet = new Set<string | undefined>(tokens).add(undefined);
  alphabet.delete(star);
  // A state is the list of positions, each a number of tokens matched so far.
  const seen = new Set<string>();
  const queue: (readonly number[])[] = [[0]];
  let most = 0;
  let work = 100_000;
  for (let state = queue.shift(); state !== undefined && work > 0; state = queue.shift()) {
    for (const char of alphabet) {
      work -= 1;
      const next = advance(tokens, state, char);
      most = Math.max(most, next.length);
      if (most >= limit) return limit;
      const key = next.join(',');
      if (next.length === 0 || seen.has(key)) continue;
      seen.add(key);
      queue.push(next);
    }
  }
  return most;
}

const star = 'any';

/** event-ruler puts quotes around strings; they count like other characters. */
function tokensOf(wildcard: Wildcard): readonly string[] {
  return [
    '"',
    ...wildcard.pieces.flatMap((piece, index) => [...(index > 0 ? [star] : []), ...piece.split('')]),
    '"',
  ];
}

function advance(
  tokens: readonly string[],
  positions: readonly number[],
  char: string | undefined,
): number[] {
  const next = new Set<number>();
  const add = (position: number): void => {
    next.add(position);
    // A star may stand for nothing.
    if (tokens[position] === star) next.add(position + 1);
  };
  for (const position of positions) {
    if (position > 0 && tokens[position - 1] === star) add(position);
    if (char !== undefined && tokens[position] === char) add(position + 1);
  }
  return [...next].sort((a, b) => a - b);
}

/** Beyond this length a piece is looked for by Knuth, Morris and Pratt's method, which never looks twice. */
const longPiece = 32;

function find(text: string, piece: string, from: number, meter?: Meter): number {
  if (piece.length <= longPiece) {
    const found = text.indexOf(piece, from);
    if (meter) meter.steps += ((found === -1 ? text.length : found) - from + 1) * Math.max(1, piece.length);
    return found;
  }
  const fallback = fallbackTable(piece);
  let matched = 0;
  for (let at = from; at < text.length; at += 1) {
    if (meter) meter.steps += 1;
    while (matched > 0 && text[at] !== piece[matched]) matched = fallback[matched - 1] ?? 0;
    if (text[at] === piece[matched]) matched += 1;
    if (matched === piece.length) return at - matched + 1;
  }
  return -1;
}

function fallbackTable(piece: string): number[] {
  const table = [0];
  let matched = 0;
  for (let at = 1; at < piece.length; at += 1) {
    while (matched > 0 && piece[at] !== piece[matched]) matched = table[matched - 1] ?? 0;
    if (piece[at] === piece[matched]) matched += 1;
    table.push(matched);
  }
  return table;
}
