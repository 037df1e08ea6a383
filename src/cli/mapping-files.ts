/** The mappings of manifests that operator's tools are given: read, checked, and told what is wrong with them. */
import type { EventSourceMapping } from '../api/mapping.ts';
import { mappingsOf, problemText, validateText } from '../api/validate.ts';
import { UsageError, type Io } from './command.ts';
import type { Option } from './config.ts';
import { manifestsOfFolder, readInputs } from './inputs.ts';
import { textsType } from './option-types.ts';
import { patternProblem } from './run-files.ts';

/** `-f`. */
export const manifestsOption = {
  type: textsType,
  value: 'FILE',
  short: 'f',
  multiple: true,
  help: 'A YAML or JSON file, a folder of them, or - for standard input. May be repeated.',
} as const satisfies Option;

const rules = { stdin: '<stdin>', ofFolder: manifestsOfFolder };

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
    for (const { file, text } of await readInputs(name, rules, io)) {
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
