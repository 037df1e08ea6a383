/** The mappings of manifests that operator's tools are given: read, checked, and told what is wrong with them. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { EventSourceMapping } from '../api/mapping.ts';
import { mappingsOf, problemText, validateText } from '../api/validate.ts';
import { messageOf } from '../lib/errors.ts';
import { UsageError, type Io } from './command.ts';
import { patternProblem } from './run-files.ts';

/** Values of `-f`. */
export const filenamesType = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .transform((value) => (value === undefined ? [] : [value].flat()));

/**
 * The mappings of files, of the files of folders, or of standard input (`-`). Undefined when a manifest is not valid:
 * standard error tells each problem. Documents of other kinds are passed over without a word.
 */
export async function readMappings(
  names: readonly string[],
  io: Io,
): Promise<readonly EventSourceMapping[] | undefined> {
  if (names.length === 0) throw new UsageError('`-f` must name a file, a folder or - for standard input');
  const mappings: EventSourceMapping[] = [];
  let isValid = true;
  for (const name of names) {
    for (const { file, text } of await readInputs(name, io)) {
      const documents = validateText(text, { patternProblem });
      for (const document of documents) {
        if (document.kind === 'skipped') continue;
        for (const problem of document.problems) {
          isValid = false;
          await io.err(`${file}:${problem.line}: ${problemText(problem)}\n`);
        }
      }
      mappings.push(...mappingsOf(documents));
    }
  }
  return isValid ? mappings : undefined;
}

async function readInputs(
  name: string,
  io: Io,
): Promise<readonly { readonly file: string; readonly text: string }[]> {
  if (name === '-') {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of io.stdin)
      text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    return [{ file: '<stdin>', text: text + decoder.decode() }];
  }
  try {
    const files = (await stat(name)).isDirectory()
      ? (await readdir(name))
          .filter((file) => /\.(ya?ml|json)$/.test(file))
          .toSorted()
          .map((file) => join(name, file))
      : [name];
    if (files.length === 0) throw new Error('there is no .yaml, .yml or .json file in it');
    return await Promise.all(files.map(async (file) => ({ file, text: await readFile(file, 'utf8') })));
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${messageOf(error)}`);
  }
}
