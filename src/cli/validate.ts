/**
 * `sluice validate`: checks manifests without a cluster and without AWS. It gives the verdict of an API server with
 * strict field validation, and beyond it that of the engine on filter patterns and times.
 */
import { problemText, validateText, type Problem, type ValidatedDocument } from '../api/validate.ts';
import { visible } from '../api/problem.ts';
import { UsageError, exitCodes, type Command } from './command.ts';
import { optionsHelp, parseOptions, type Options } from './config.ts';
import { manifestsOfFolder, readInputs } from './inputs.ts';
import { manifestsOption } from './mapping-files.ts';
import { choiceType, switchType } from './option-types.ts';
import { patternProblem, urlProblem } from './run-files.ts';

const options = {
  filename: manifestsOption,
  recursive: { type: switchType, short: 'R', help: 'Also read the folders in a folder.' },
  output: {
    type: choiceType(['text', 'json'], 'text'),
    value: 'FORMAT',
    short: 'o',
    help: 'text or json. Default text.',
  },
} as const satisfies Options;

/** A document together with the file that it is from. */
type Located = ValidatedDocument & { readonly file: string };

export const validateCommand: Command = {
  name: 'validate',
  summary: 'Check manifests without a cluster.',
  help: `Usage: sluice validate -f FILE [-f FILE ...] [-R] [-o text|json]

Checks the manifests of Sluice as the API server does with strict field validation, and beyond it filter patterns and
what AWS or this release does not take. Prints one line for each finding: FILE:LINE: PATH: MESSAGE. Documents of other
kinds are named and passed over. Needs neither a cluster nor AWS.

Options:
${optionsHelp(options)}
Exit status: 0 no problem (there may be warnings), 1 a problem was found, 2 wrong command line or unreadable file.

Examples:
  sluice validate -f mapping.yaml
  sluice validate -R -f deploy/ -o json
  kubectl kustomize . | sluice validate -f -
`,
  options,
  async run(argv, io) {
    const { values } = await parseOptions(options, argv, io.env);
    if (values.filename.length === 0)
      throw new UsageError('`-f` must name a file, a folder or - for standard input');
    const rules = {
      stdin: '<stdin>',
      ofFolder: manifestsOfFolder,
      recursive: values.recursive,
      isBounded: true,
    };
    const documents: Located[] = [];
    for (const source of values.filename) {
      for (const { file, text } of await readInputs(source, rules, io)) {
        const options = { patternProblem, urlProblem, now: Date.now() };
        documents.push(...validateText(text, options).map((document) => ({ ...document, file })));
      }
    }
    const findings = [...documents, ...doubles(documents)];
    await io.out(values.output === 'json' ? json(findings) : text(findings));
    return problemsOf(findings) > 0 ? exitCodes.failed : exitCodes.ok;
  },
};

/** A line for each finding, in the order of the files, and a summary. */
function text(documents: readonly Located[]): string {
  const lines = documents.flatMap((document): readonly string[] => {
    if (document.kind === 'skipped') {
      return [
        `${document.file}:${document.line}: skipped: ${document.resourceKind} ${document.name} is not of sluice.dev`,
      ];
    }
    const line = (problem: Problem, kind: string): string =>
      `${document.file}:${problem.line}: ${kind}${problemText(problem)}`;
    return [
      ...document.problems.map((problem) => line(problem, '')),
      ...(document.kind === 'checked' ? document.warnings.map((warning) => line(warning, 'warning: ')) : []),
    ];
  });
  const { checked, skipped, problems, warnings } = counts(documents);
  // Names and keys are whoever wrote the manifest's; the terminal is ours.
  return `${[...lines.map(visible), `${checked} checked, ${problems} problems, ${warnings} warnings, ${skipped} skipped`].join('\n')}\n`;
}

function json(documents: readonly Located[]): string {
  const shown = documents.map((document) => {
    const { file, line } = document;
    if (document.kind === 'unreadable')
      return { file, line, status: 'invalid', problems: document.problems, warnings: [] };
    const { resourceKind: kind, name } = document;
    if (document.kind === 'skipped')
      return { file, line, kind, name, status: 'skipped', problems: [], warnings: [] };
    const status = document.problems.length === 0 ? 'valid' : 'invalid';
    const namespace = document.namespace === undefined ? {} : { namespace: document.namespace };
    return {
      file,
      line,
      kind,
      name,
      ...namespace,
      status,
      problems: document.problems,
      warnings: document.warnings,
    };
  });
  return `${JSON.stringify({ valid: problemsOf(documents) === 0, ...counts(documents), documents: shown }, null, 2)}\n`;
}

function counts(documents: readonly Located[]) {
  const checked = documents.filter((document) => document.kind === 'checked');
  return {
    checked: checked.length,
    skipped: documents.filter((document) => document.kind === 'skipped').length,
    problems: problemsOf(documents),
    warnings: checked.reduce((sum, document) => sum + document.warnings.length, 0),
  };
}

function problemsOf(documents: readonly Located[]): number {
  return documents.reduce(
    (sum, document) => sum + (document.kind === 'skipped' ? 0 : document.problems.length),
    0,
  );
}

/** Of two objects with one name the second would silently replace the first. */
function doubles(documents: readonly Located[]): readonly Located[] {
  const seen = new Map<string, Located>();
  return documents.flatMap((document): readonly Located[] => {
    if (document.kind !== 'checked' || document.name === '') return [];
    const key = `${document.resourceKind} ${document.namespace ?? ''}/${document.name}`;
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, document);
      return [];
    }
    const message = `\`metadata.name\` must be free, but ${first.file}:${first.line} has the same ${document.resourceKind}`;
    const problem = {
      path: 'metadata.name',
      message,
      found: JSON.stringify(document.name),
      line: document.line,
    };
    return [{ kind: 'unreadable', file: document.file, line: document.line, problems: [problem] }];
  });
}
