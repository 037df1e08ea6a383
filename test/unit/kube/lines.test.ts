import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLines } from '../../../src/kube/lines.ts';

async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}

async function linesOf(parts: readonly (string | Uint8Array)[], max = 1000): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(chunks(...parts), max)) lines.push(line);
  return lines;
}

describe('lines out of chunks', () => {
  it.each([
    { parts: ['a\nb\n'], lines: ['a', 'b'], why: 'several in a chunk' },
    { parts: ['a', 'b', '\n'], lines: ['ab'], why: 'one over several chunks' },
    { parts: ['a\r\n\n\nb\n'], lines: ['a', 'b'], why: 'empty lines and carriage returns are nothing' },
    { parts: ['a\n{"cut'], lines: ['a', '{"cut'], why: 'a cut-off line must be seen' },
    { parts: [], lines: [], why: 'nothing at all' },
  ])('$why', async ({ parts, lines }) => expect(await linesOf(parts)).toEqual(lines));

  it('is the same however the bytes are cut, also in the middle of a character', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc
            .string({ unit: 'grapheme', minLength: 1 })
            .filter((text) => !/[\n]/.test(text) && text.trim() === text),
        ),
        fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
        async (lines, sizes) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const parts: Uint8Array[] = [];
          for (let at = 0; at < bytes.length;) {
            const size = sizes.next().value as number;
            parts.push(bytes.subarray(at, at + size));
            at += size;
          }
          expect(await linesOf(parts, 10_000)).toEqual(lines);
        },
      ),
    );
  });

  it('refuses a line that is longer than allowed, before it is whole', async () => {
    await expect(linesOf(['x'.repeat(600), 'x'.repeat(600)])).rejects.toMatchObject({
      reason: 'MalformedAnswer',
    });
    expect(await linesOf([`${'x'.repeat(1000)}\n`])).toHaveLength(1);
  });
});
