/**
 * `sluice filter --batch`: one question a line, one answer a line, in order. A line that cannot be understood is
 * answered as invalid; nothing but the end of input, a closed reader or a signal ends the work. Memory is bounded by
 * the longest line allowed, one chunk of answers and the cache of compiled patterns.
 */
import { compilePattern, type CompiledPattern } from '../filter/compile.ts';
import { parsePattern } from '../filter/parse.ts';
import { exitCodes, type Io } from './command.ts';
import { dataKeyOf, parseFilterSource, readFilterEvent } from './filter-event.ts';
import { readLines } from './lines.ts';

/** Longest line that is answered, in characters. */
export const maxLineLength = 32 * 1024 * 1024;
/** Answers are written when this many characters have come together. */
const outputChunk = 64 * 1024;

export interface Answer {
  readonly id: unknown;
  readonly result: 'match' | 'nomatch' | 'invalid';
  readonly error?: string;
}

/** Answers every line of `io.stdin` on `io.out`. */
export async function runFilterBatch(io: Io): Promise<number> {
  const cache = patternCache(1_000, 8 * 1024 * 1024);
  let number = 0;
  let output = '';
  for await (const lines of readLines(io.stdin, maxLineLength)) {
    if (io.signal.aborted) return exitCodes.failed;
    for (const line of lines) {
      number += 1;
      if (line !== undefined && line.trim() === '') continue;
      output += `${JSON.stringify(answerLine(line, number, cache))}\n`;
      if (output.length < outputChunk) continue;
      // Waits for the reader, so that answers do not pile up.
      await io.out(output);
      output = '';
    }
    // A reader that asks and waits for the answer gets it at once.
    if (output !== '') await io.out(output);
    output = '';
  }
  return exitCodes.ok;
}

/** Answers one line; `undefined` is a line that was too long. */
export function answerLine(line: string | undefined, number: number, cache: PatternCache): Answer {
  if (line === undefined) return malformed(number, `must have at most ${maxLineLength} characters`);
  let question: unknown;
  try {
    question = JSON.parse(line);
  } catch {
    return malformed(number, 'must be JSON text');
  }
  if (typeof question !== 'object' || question === null || Array.isArray(question)) {
    return malformed(number, 'must be a JSON object with `id`, `source`, `patterns` and `event`');
  }
  const { id = null, source: name, patterns, event: text } = question as Readonly<Record<string, unknown>>;
  const invalid = (error: string): Answer => ({ id, result: 'invalid', error });

  const named = parseFilterSource(name);
  if ('problem' in named) return invalid(named.problem);
  if (!Array.isArray(patterns) || !patterns.every((pattern) => typeof pattern === 'string')) {
    return invalid('`patterns` must be an array of strings, each the JSON text of a pattern');
  }
  const compiled: CompiledPattern[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const result = cache(pattern, dataKeyOf(named.source));
    if (typeof result === 'string') return invalid(`\`patterns[${index}]\`: ${result}`);
    compiled.push(result);
  }
  if (typeof text !== 'string') return invalid('`event` must be a string: the JSON text of the event');
  const read = readFilterEvent(named.source, text);
  if ('problem' in read) return invalid(read.problem);
  // Without a filter everything passes, as in a mapping.
  const matched = compiled.length === 0 || compiled.some(({ matches }) => matches(read.event));
  return { id, result: matched ? 'match' : 'nomatch' };
}

function malformed(number: number, problem: string): Answer {
  return { id: null, result: 'invalid', error: `Line ${number} ${problem}` };
}

/** A compiled pattern, or why it cannot be used, by the pattern's text and the member that its source decodes. */
export type PatternCache = (text: string, dataKey?: string) => CompiledPattern | string;

/** Keeps what was used last, up to a number of patterns and of characters. */
export function patternCache(maxEntries: number, maxCharacters: number): PatternCache {
  const entries = new Map<string, CompiledPattern | string>();
  let characters = 0;
  return (text, dataKey) => {
    const key = dataKey === undefined ? text : `${dataKey}\n${text}`;
    const known = entries.get(key);
    if (known !== undefined) {
      // The order of a Map is that of insertion: moving what is used to the end leaves the oldest in front.
      entries.delete(key);
      entries.set(key, known);
      return known;
    }
    const parsed = parsePattern(text);
    const result = parsed.ok ? compilePattern(parsed.pattern, dataKey) : parsed.error.message;
    if (key.length > maxCharacters) return result;
    entries.set(key, result);
    characters += key.length;
    for (const oldest of entries.keys()) {
      if (entries.size <= maxEntries && characters <= maxCharacters) break;
      entries.delete(oldest);
      characters -= oldest.length;
    }
    return result;
  };
}
