/**
 * The manifests of `sluice run`: reads files and folders, checks them, and notices changes. What the file system says of
 * a file only saves reading it; its content decides, since editors, mounts and ConfigMap links move files in ways of
 * their own.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventSourceMapping } from '../api/mapping.ts';
import { visible } from '../api/problem.ts';
import { mappingsOf, problemText, validateText } from '../api/validate.ts';
import { compileFilterCriteria } from '../filter/filter-criteria.ts';
import { SluiceError, never } from '../lib/errors.ts';
import { permitUrl } from '../targets/url-policy.ts';
import { manifestNames } from './inputs.ts';

const mostProblems = 20;
const settledAfterMs = 3000;

export interface Manifests {
  readonly mappings: readonly EventSourceMapping[];
  /** Everything that was read, to notice a change. */
  readonly content: string;
  /** What the file system said of the files before they were read; undefined while that may still hide a change. */
  stamp?: string | undefined;
  /** What was passed over, for the log. */
  readonly notes: readonly string[];
}

/**
 * Reads everything anew, unless the file system says that nothing was touched, and gives `former` itself while the
 * content is the same, since checking costs a thousand times more than reading. Throws `InvalidSpec` with
 * `file:line: path: message` of every problem.
 */
export async function readManifests(
  paths: readonly string[],
  former?: Manifests,
  nowMs = Date.now(),
): Promise<Manifests> {
  const files = (await Promise.all(paths.map(filesOf))).flat();
  if (files.length === 0)
    throw new SluiceError('InvalidSpec', `${paths.join(', ')}: there is no .yaml, .yml or .json file`, never);
  const stamp = await stampOf(files, nowMs - settledAfterMs);
  if (stamp !== undefined && stamp === former?.stamp) return former;
  const texts = await Promise.all(files.map(async (file) => ({ file, text: await readFile(file, 'utf8') })));
  const content = texts.map(({ file, text }) => `${file}\n${text}\n`).join('');
  if (former !== undefined && content === former.content) {
    former.stamp = stamp;
    return former;
  }
  const mappings: EventSourceMapping[] = [];
  const problems: string[] = [];
  const notes: string[] = [];
  const seen = new Map<string, string>();
  for (const { file, text } of texts) {
    const documents = validateText(text, { patternProblem });
    for (const document of documents) {
      if (document.kind === 'skipped')
        notes.push(`${file}:${document.line}: ${document.resourceKind} ${document.name} is not run`);
      else
        problems.push(
          ...document.problems.map((problem) => visible(`${file}:${problem.line}: ${problemText(problem)}`)),
        );
    }
    for (const mapping of mappingsOf(documents)) {
      const key = `${mapping.metadata.namespace ?? 'default'}/${mapping.metadata.name}`;
      const first = seen.get(key);
      if (first !== undefined) problems.push(`${key} is defined twice, in ${first} and in ${file}`);
      seen.set(key, first ?? file);
      mappings.push(mapping);
    }
  }
  if (problems.length > 0) throw new SluiceError('InvalidSpec', shortList(problems), never);
  return { mappings, content, notes, stamp };
}

/**
 * What tells that a file was touched. Undefined while one was touched of late: another change within the clock's tick
 * would leave the same times behind.
 */
async function stampOf(files: readonly string[], settledBeforeMs: number): Promise<string | undefined> {
  const stamps = await Promise.all(
    files.map(async (file) => {
      const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await stat(file, { bigint: true });
      return ctimeMs > settledBeforeMs ? undefined : [file, dev, ino, size, mtimeNs, ctimeNs].join(' ');
    }),
  );
  return stamps.includes(undefined) ? undefined : stamps.join('\n');
}

/** A file of garbage has thousands of problems; the first ones tell. */
function shortList(problems: readonly string[]): string {
  const shown = problems.slice(0, mostProblems);
  const more = problems.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more; \`sluice validate\` lists them all`] : [])].join('\n');
}

/** Why a filter pattern cannot be used, or undefined. */
export function patternProblem(pattern: string): string | undefined {
  const result = compileFilterCriteria([pattern]);
  return result.ok ? undefined : result.problems.map(({ error }) => error.message).join('; ');
}

/** Why a target's URL is refused wherever the mapping runs, or undefined: loopback is allowed to `sluice run`. */
export function urlProblem(url: string): string | undefined {
  const verdict = permitUrl(url, 'any', '', { allowLoopback: true });
  return verdict.kind === 'permitted' ? undefined : verdict.message;
}

async function filesOf(path: string): Promise<readonly string[]> {
  if (path === '-')
    throw new SluiceError(
      'InvalidSpec',
      '`-f` must name a file or a folder, found -: they are watched',
      never,
    );
  if (!(await stat(path)).isDirectory()) return [path];
  const names = await readdir(path);
  return (
    names
      // Hidden files are those of editors: half a text, or a link to nothing.
      .filter((name) => !name.startsWith('.') && manifestNames.test(name))
      .toSorted()
      .map((name) => join(path, name))
  );
}
