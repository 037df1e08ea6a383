/**
 * MappingClasses from a file instead of the API server, for installations that may not read cluster-scoped objects.
 * Checked as the API server would check them; read once.
 */
import { isDefaultClass, type MappingClass } from '../api/class.ts';
import { resources } from '../api/meta.ts';
import { problemText, validateText, type ValidatedDocument } from '../api/validate.ts';
import { messageOf } from '../lib/errors.ts';
import { UsageError } from './command.ts';
import { readBounded } from './inputs.ts';

export interface ClassesFileRules {
  /** Whether labels of namespaces are known, which `namespaceSelector` needs. */
  readonly selectors: boolean;
}

/** Throws `UsageError` with `file:line: document N (kind name): field: …` of every problem. */
export async function readClasses(file: string, rules: ClassesFileRules): Promise<readonly MappingClass[]> {
  const documents = validateText(await readText(file));
  const problems = documents.flatMap((document, index) =>
    problemsOf(document, documents.slice(0, index), rules).map(
      ({ line, text }) => `${file}:${line}: document ${index + 1}${named(document)}: ${text}`,
    ),
  );
  if (problems.length > 0)
    throw new UsageError(`\`--classes-file\` must hold valid MappingClasses\n${problems.join('\n')}`);
  // They were just checked against the schema.
  return documents.flatMap((document) =>
    document.kind === 'checked' ? [document.value as MappingClass] : [],
  );
}

interface Found {
  readonly line: number;
  readonly text: string;
}

function problemsOf(
  document: ValidatedDocument,
  before: readonly ValidatedDocument[],
  { selectors }: ClassesFileRules,
): readonly Found[] {
  const { line } = document;
  if (document.kind !== 'unreadable' && document.resourceKind !== resources.class.kind) {
    return [
      {
        line,
        text: `\`kind\` must be ${resources.class.kind}; found ${JSON.stringify(document.resourceKind)}`,
      },
    ];
  }
  if (document.kind === 'skipped') return [{ line, text: '`apiVersion` must be sluice.dev/v1alpha1' }];
  const found = document.problems.map((problem) => ({ line: problem.line, text: problemText(problem) }));
  if (document.kind === 'unreadable' || found.length > 0) return found;
  const { metadata, spec } = document.value as MappingClass;
  const others = before.filter((other) => other.kind === 'checked');
  if (others.some(({ name }) => name === metadata.name))
    found.push({ line, text: '`metadata.name` must be free, but a document before it has the same' });
  if (isDefaultClass(document.value as MappingClass) && others.some(isMarkedDefault))
    found.push({ line, text: 'only one class must be marked as default, and a document before it is' });
  if (!selectors && spec.namespaceSelector !== undefined) {
    const text =
      '`spec.namespaceSelector` must be left out where `--watch-namespaces` is set, since labels of namespaces are not read; list `spec.namespaces` instead';
    found.push({ line, text });
  }
  return found;
}

function isMarkedDefault(document: ValidatedDocument): boolean {
  return (
    document.kind === 'checked' &&
    document.problems.length === 0 &&
    isDefaultClass(document.value as MappingClass)
  );
}

function named(document: ValidatedDocument): string {
  return document.kind === 'unreadable' ? '' : ` (${document.resourceKind} ${JSON.stringify(document.name)})`;
}

async function readText(file: string): Promise<string> {
  try {
    return await readBounded(file);
  } catch (error) {
    throw new UsageError(`\`--classes-file\` cannot be read: ${messageOf(error)}`);
  }
}
