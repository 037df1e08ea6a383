import fs from 'node:fs';
import path from 'node:path';

/** The documentation as the tests read it: pages, their fenced blocks, their links. */
export interface Page {
  /** Path below the repository, with slashes. */
  readonly file: string;
  readonly text: string;
}

/**
 * A fenced block. The word after the language says what it is to a test: `sh run` is run as it stands, `sh run
 * background` goes on until the end of its page, `yaml file=NAME` is saved under that name before, `text output` is
 * what the block before it prints. A plain `sh` block is not run and begins with a comment that says what it needs.
 */
export interface Block {
  readonly page: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly words: readonly string[];
  readonly text: string;
}

export interface Link {
  readonly page: string;
  readonly line: number;
  readonly target: string;
}

/** Root of the repository. */
export const repository = path.resolve(import.meta.dirname, '..', '..');

/** README and its neighbours at the root, and every page below `docs`, `examples` and `helm`. */
export function readPages(): readonly Page[] {
  const inRoot = fs.readdirSync(repository).filter((name) => name.endsWith('.md'));
  const below = ['docs', 'examples', 'helm'].flatMap((folder) =>
    fs
      .readdirSync(path.join(repository, folder), { recursive: true })
      .filter((name) => typeof name === 'string')
      .filter((name) => name.endsWith('.md'))
      .map((name) => path.posix.join(folder, name.replaceAll(path.sep, '/'))),
  );
  return [...inRoot, ...below].toSorted().map(readPage);
}

export function readPage(file: string): Page {
  return { file, text: fs.readFileSync(path.join(repository, file), 'utf8') };
}

/** The fenced blocks of a page in order. Throws when a fence is not closed. */
export function blocksOf({ file, text }: Page): readonly Block[] {
  const blocks: Block[] = [];
  let open: { readonly fence: string; readonly info: string; readonly line: number } | undefined;
  let lines: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^ *(```+|~~~+)(.*)$/.exec(line);
    if (open === undefined) {
      if (fence === null) continue;
      open = { fence: fence[1] ?? '', info: (fence[2] ?? '').trim(), line: index + 1 };
      lines = [];
    } else if (fence !== null && fence[1] === open.fence && fence[2]?.trim() === '') {
      const [language = '', ...words] = open.info.split(/\s+/);
      blocks.push({ page: file, line: open.line, language, words, text: `${lines.join('\n')}\n` });
      open = undefined;
    } else lines.push(line);
  }
  if (open !== undefined) throw new Error(`${file}:${open.line}: the block is not closed`);
  return blocks;
}

/** The links of a page outside its blocks and code spans. */
export function linksOf({ file, text }: Page): readonly Link[] {
  return prose(text).flatMap((line, index) =>
    [...line.matchAll(/\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)?)(?:\s+"[^"]*")?\)/g)].map(
      ([, target = '']) => ({
        page: file,
        line: index + 1,
        target,
      }),
    ),
  );
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf({ text }: Page): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const line of withoutBlocks(text)) {
    const heading = /^#{1,6} (.*)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const base = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .trim()
      .replaceAll(' ', '-');
    let anchor = base;
    for (let number = 1; anchors.has(anchor); number++) anchor = `${base}-${number}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The lines of the section under a heading, with the sections below it. Throws when there is no such heading. */
export function extentOf(
  { file, text }: Page,
  heading: string,
): { readonly from: number; readonly to: number } {
  const headings = withoutBlocks(text).flatMap((line, index) => {
    const [, marks = '', words = ''] = /^(#{1,6}) (.*)$/.exec(line) ?? [];
    return marks === '' ? [] : [{ depth: marks.length, words: words.trim(), line: index + 1 }];
  });
  const at = headings.findIndex(({ words }) => words === heading);
  const own = headings[at];
  if (own === undefined) throw new Error(`${file} has no heading "${heading}"`);
  const next = headings.slice(at + 1).find(({ depth }) => depth <= own.depth);
  return { from: own.line, to: next?.line ?? Number.POSITIVE_INFINITY };
}

/** The code spans of a page outside its blocks, with their lines. */
export function spansOf({ text }: Page): readonly { readonly line: number; readonly text: string }[] {
  return withoutBlocks(text).flatMap((line, index) =>
    [...line.matchAll(/(`+)(.+?)\1(?!`)/g)].map((match) => ({
      line: index + 1,
      text: (match[2] ?? '').trim(),
    })),
  );
}

/** Lines with code spans blanked, so that what looks like a link in them is none. */
function prose(text: string): readonly string[] {
  return withoutBlocks(text).map((line) =>
    line.replaceAll(/(`+)(.+?)\1(?!`)/g, (span) => span.replaceAll(/[^`]/g, ' ')),
  );
}

/** Lines with those of fenced blocks emptied, so that numbers stay. */
function withoutBlocks(text: string): readonly string[] {
  let fence: string | undefined;
  return text.split('\n').map((line) => {
    const found = /^ *(```+|~~~+)/.exec(line)?.[1];
    if (fence === undefined && found !== undefined) {
      fence = found;
      return '';
    }
    if (fence === undefined) return line;
    if (found === fence) fence = undefined;
    return '';
  });
}

/** How much of an output a block must show: all of it, or a run of lines in it. */
export type Extent = 'whole' | 'part';

/**
 * Where `wanted` ends in `actual`, as a number of lines, or why it is not there. Every wanted line must come in order,
 * with others between them only where `wanted` has a line `…`; within a line `…` stands for any text. White space
 * does not count, since the columns of a table follow its longest value. A part may begin and end anywhere.
 */
export function findOutput(
  wanted: string,
  actual: string,
  extent: Extent,
): { readonly end: number } | { readonly problem: string } {
  const lines = linesOf(actual);
  const patterns = linesOf(wanted);
  const starts = extent === 'whole' ? [0] : lines.keys();
  let problem = 'the output is empty';
  for (const start of starts) {
    const found = matchFrom(patterns, lines, start);
    if ('problem' in found) problem = found.problem;
    else if (extent === 'part' || found.end === lines.length || patterns.at(-1) === '…') return found;
    else problem = `nothing must come after "${patterns.at(-1) ?? ''}"`;
  }
  return { problem: `${problem}; the output is\n${actual}` };
}

function matchFrom(
  patterns: readonly string[],
  lines: readonly string[],
  start: number,
): { readonly end: number } | { readonly problem: string } {
  let end = start;
  let gap = false;
  for (const pattern of patterns) {
    if (pattern === '…') {
      gap = true;
      continue;
    }
    const expression = new RegExp(
      `^${pattern
        .split('…')
        .map((part) => RegExp.escape(part))
        .join('.*')}$`,
      'u',
    );
    const candidates = gap ? lines.slice(end) : lines.slice(end, end + 1);
    const at = candidates.findIndex((line) => expression.test(line));
    if (at < 0) return { problem: `there must be a line "${pattern}"` };
    end += at + 1;
    gap = false;
  }
  return { end };
}

function linesOf(text: string): readonly string[] {
  const trimmed = text.trimEnd();
  return trimmed === '' ? [] : trimmed.split('\n').map((line) => line.trim().replaceAll(/\s+/g, ' '));
}
