/**
 * Reads a Dockerfile as far as this project writes them: stages of FROM, ARG, LABEL, WORKDIR, COPY, RUN, USER, ENV,
 * ENTRYPOINT and CMD. Anything else is an error, so that nothing in the file goes untested in silence.
 */
export interface Copy {
  readonly kind: 'copy';
  /** Name of an earlier stage; absent for the build context. */
  readonly from?: string;
  readonly sources: readonly string[];
  readonly destination: string;
}

export type Step =
  | Copy
  | { readonly kind: 'run'; readonly command: string }
  | { readonly kind: 'workdir'; readonly path: string };

export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly steps: readonly Step[];
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly workdir: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

interface Draft {
  base: string;
  name: string | undefined;
  steps: Step[];
  args: Record<string, string>;
  labels: Record<string, string>;
  env: Record<string, string>;
  user: string | undefined;
  workdir: string;
  entrypoint: readonly string[];
  cmd: readonly string[];
}

/** The stages, in order. Throws for what it does not know. */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: Draft[] = [];
  for (const line of instructions(text)) {
    const [, word = '', rest = ''] = /^(\S+)\s+([^]*)$/.exec(line) ?? [];
    if (word.toUpperCase() === 'FROM') stages.push(from(rest));
    else {
      const stage = stages.at(-1);
      if (stage === undefined) throw new Error(`${word} before the first FROM is not understood`);
      take(stage, word.toUpperCase(), rest);
    }
  }
  return stages;
}

/** Lines without comments, joined where they end in a backslash. */
function instructions(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => !/^\s*#/.test(line));
  return lines
    .join('\n')
    .replaceAll(/\s*\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function from(rest: string): Draft {
  const [, base = '', , name] = /^(?:--platform=\S+\s+)?(\S+)(\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
  if (base === '') throw new Error(`FROM ${rest} is not understood`);
  return {
    base,
    name,
    steps: [],
    args: {},
    labels: {},
    env: {},
    user: undefined,
    workdir: '/',
    entrypoint: [],
    cmd: [],
  };
}

function take(stage: Draft, word: string, rest: string): void {
  switch (word) {
    case 'ARG':
      Object.assign(stage.args, pairs(rest));
      return;
    case 'LABEL':
      Object.assign(stage.labels, expand(pairs(rest), stage.args));
      return;
    case 'ENV':
      Object.assign(stage.env, expand(pairs(rest), stage.args));
      return;
    case 'WORKDIR':
      if (!rest.startsWith('/')) throw new Error(`WORKDIR ${rest} must be absolute`);
      stage.workdir = rest;
      stage.steps.push({ kind: 'workdir', path: rest });
      return;
    case 'COPY':
      stage.steps.push(copy(rest, stage.workdir));
      return;
    case 'RUN':
      stage.steps.push({ kind: 'run', command: rest });
      return;
    case 'USER':
      stage.user = rest;
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = list(word, rest);
      return;
    case 'CMD':
      stage.cmd = list(word, rest);
      return;
    default:
      throw new Error(`the instruction ${word} is not understood`);
  }
}

function copy(rest: string, workdir: string): Copy {
  const words = rest.split(/\s+/);
  const flags = words.filter((word) => word.startsWith('--'));
  const paths = words.filter((word) => !word.startsWith('--'));
  const unknown = flags.find((flag) => !flag.startsWith('--from='));
  if (unknown !== undefined || paths.length < 2) throw new Error(`COPY ${rest} is not understood`);
  const to = paths.at(-1) ?? '';
  const destination = to.startsWith('/') ? to : `${workdir.replace(/\/$/, '')}/${to.replace(/^\.\//, '')}`;
  const stage = flags[0]?.slice('--from='.length);
  return {
    kind: 'copy',
    ...(stage === undefined ? {} : { from: stage }),
    sources: paths.slice(0, -1),
    destination,
  };
}

/** The form of JSON alone: the other one needs a shell, which the image has not. */
function list(word: string, rest: string): readonly string[] {
  const value: unknown = rest.startsWith('[') ? JSON.parse(rest) : undefined;
  if (!Array.isArray(value) || !value.every((part) => typeof part === 'string'))
    throw new Error(`${word} ${rest} must be a list of texts: there is no shell`);
  return value;
}

/** `a=b c="d e"`. */
function pairs(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const rest = text.replaceAll(/([^\s=]+)=(?:"([^"]*)"|(\S*))\s*/g, (_, name: string, quoted, plain) => {
    found[name] = String(quoted ?? plain ?? '');
    return '';
  });
  if (rest !== '') throw new Error(`${JSON.stringify(rest)} must be name=value`);
  return found;
}

function expand(values: Record<string, string>, args: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value.replaceAll(/\$\{?([A-Z_]+)\}?/g, (_, arg: string) => {
        const found = args[arg];
        if (found === undefined) throw new Error(`${name} uses ${arg}, which no ARG of the stage declares`);
        return found;
      }),
    ]),
  );
}
