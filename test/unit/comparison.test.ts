import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPage, repository } from '../support/markdown.ts';

const pages = ['README.md', 'docs/explanation/comparison.md'];

/** Claims that name the test which shows them: a link to its file, with its name as the text. */
describe('the comparison with others', () => {
  const claims = pages.flatMap((file) =>
    [...readPage(file).text.matchAll(/^[|] (\d+) [|].*\[([^\]]+)\]\(([^)]+[.]test[.]ts)\) [|]$/gm)].map(
      ([, row = '', title = '', target = '']) => ({
        file,
        row: Number(row),
        title,
        test: path.posix.join(path.posix.dirname(file), target),
      }),
    ),
  );

  it('names tests that exist', () => {
    const missing = claims.filter(({ test, title }) => !hasTest(test, title));
    expect(missing).toEqual([]);
    expect(hasTest('test/unit/comparison.test.ts', 'names tests that do not exist')).toBe(false);
  });

  it.each(pages)('%s has all rows, each with a test or a no', (file) => {
    const { text } = readPage(file);
    const rows = [...text.matchAll(/^[|] (\d+) [|]/gm)].map(([, row]) => Number(row));
    expect(new Set(rows)).toEqual(new Set(Array.from({ length: 23 }, (_, index) => index + 1)));
    const shown = new Set(claims.filter((claim) => claim.file === file).map(({ row }) => row));
    expect([...new Set(rows)].filter((row) => !shown.has(row))).toEqual([14, 15]);
  });
});

/** Whether a test file has a test of this name. */
function hasTest(file: string, title: string): boolean {
  const name = `(['"\\x60])${RegExp.escape(title)}\\1`;
  if (!fs.existsSync(path.join(repository, file))) return false;
  const text = fs.readFileSync(path.join(repository, file), 'utf8');
  return new RegExp(String.raw`\b(?:it|test)\b[^;{}\n]*\(\s*${name}\s*,`).test(text);
}
