/**
 * Configuration: one table of options per command, read from flags, environment and a file, in this order of
 * precedence, and parsed once. Help text and reference page follow the table, so they cannot differ from what is
 * accepted.
 *
 * Environment names are `SLUICE_` and the flag in capitals (`--state-dir` is `SLUICE_STATE_DIR`); an empty variable
 * counts as unset. Keys of the file (`--config FILE`, YAML or JSON) are the flag in camelCase (`stateDir`). Unknown
 * flags and unknown keys are errors.
 */
import { parseArgs } from 'node:util';
import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { messageOf } from '../lib/errors.ts';
import { UsageError } from './command.ts';
import { choiceType } from './option-types.ts';

/** One option. The zod type turns the text of a flag or variable, or the value from the file, into what code uses. */
export interface Option<T = unknown> {
  readonly type: z.ZodType<T>;
  /** What the value is called in the help, such as `FILE`; absent for a switch that takes none. */
  readonly value?: string;
  readonly short?: string;
  /** May be given several times; the zod type gets a list. */
  readonly multiple?: boolean;
  /** One sentence with unit, bounds and default. */
  readonly help: string;
}

export type Options = Readonly<Record<string, Option>>;
export type Values<O extends Options> = { readonly [K in keyof O]: z.output<O[K]['type']> };

/** Options of every command that runs for long. */
export const commonOptions = {
  config: {
    type: z.string().optional(),
    value: 'FILE',
    help: 'Read options from a YAML or JSON file; flags and environment win.',
  },
  'log-level': {
    type: choiceType(['debug', 'info', 'warn', 'error'], 'info'),
    value: 'LEVEL',
    help: 'Least severe level that is logged: debug, info, warn or error. Default info.',
  },
} as const satisfies Options;

/** Key of an option in the file. */
export const fileKey = (flag: string): string =>
  flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Name of an option in the environment. */
export const variable = (flag: string): string => `SLUICE_${flag.replaceAll('-', '_').toUpperCase()}`;

/**
 * Parses a command line against its table. `positionals` says how many free words are allowed.
 * Throws `UsageError` naming the flag, the variable or the key, the value found, and what is allowed.
 */
export async function parseOptions<O extends Options>(
  options: O,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  positionals = 0,
): Promise<{ readonly values: Values<O>; readonly positionals: readonly string[] }> {
  const parsed = parseFlags(options, argv);
  if (parsed.positionals.length > positionals) {
    throw new UsageError(`unexpected argument \`${parsed.positionals[positionals] ?? ''}\``);
  }
  const fromEnv = (flag: string): string | undefined => env[variable(flag)] || undefined;
  const named = options['config'] === undefined ? undefined : (parsed.values['config'] ?? fromEnv('config'));
  const file =
    typeof named === 'string' ? { name: named, values: await readConfigFile(named, options) } : undefined;
  const values: Record<string, unknown> = {};
  for (const [flag, option] of Object.entries(options)) {
    const key = fileKey(flag);
    const [raw, where] = firstOf(
      [parsed.values[flag], `\`--${flag}\``],
      [fromEnv(flag), `the environment variable \`${variable(flag)}\``],
      [file?.values[key], `\`${key}\` in ${file?.name ?? ''}`],
    );
    values[flag] = valueOf(option, flag, raw, where);
  }
  // The loop above parsed one entry per key of `O` with that key's own type.
  return { values: values as Values<O>, positionals: parsed.positionals };
}

function valueOf(option: Option, flag: string, raw: unknown, where: string): unknown {
  const result = option.type.safeParse(raw, { error: wording });
  if (result.success) return result.data;
  if (raw === undefined) throw new UsageError(`\`--${flag}\` must be set, or \`${variable(flag)}\``);
  const rule = result.error.issues[0]?.message ?? 'must be valid';
  throw new UsageError(`${where} ${rule}; found ${JSON.stringify(raw)}`);
}

/** What zod finds, in the words of this program; types with words of their own keep them. */
function wording(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type')
    return `must be ${issue.expected === 'string' ? 'text, in quotes if it looks like a number' : `a ${issue.expected}`}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small') return `must have at least ${issue.minimum} characters`;
  if (issue.code === 'too_big') return `must have at most ${issue.maximum} characters`;
  return undefined;
}

function parseFlags(
  options: Options,
  argv: readonly string[],
): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      strict: true,
      options: Object.fromEntries(
        Object.entries(options).map(([flag, option]) => [
          flag,
          {
            type: option.value === undefined ? ('boolean' as const) : ('string' as const),
            ...(option.multiple === true ? { multiple: true } : {}),
            ...(option.short === undefined ? {} : { short: option.short }),
          },
        ]),
      ),
    });
  } catch (error) {
    const message = messageOf(error);
    const unknown = /^Unknown option '([^']*)'/.exec(message)?.[1];
    if (unknown === undefined) throw new UsageError(message.replace(/^O/, 'o').split('\n')[0] ?? message);
    const allowed = Object.keys(options).map((flag) => `--${flag}`);
    throw new UsageError(`unknown flag \`${unknown}\`; allowed: ${allowed.join(', ')}`);
  }
}

async function readConfigFile(file: string, options: Options): Promise<Record<string, unknown>> {
  let content: unknown;
  try {
    content = parseYaml(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`cannot read the configuration file ${file}: ${messageOf(error)}`);
  }
  const record = z.record(z.string(), z.unknown()).safeParse(content ?? {});
  if (!record.success) throw new UsageError(`the configuration file ${file} must hold a map of options`);
  // A file that names another one would be read by nobody.
  const known = new Set(Object.keys(options).map(fileKey)).difference(new Set(['config']));
  for (const key of Object.keys(record.data)) {
    if (!known.has(key)) {
      throw new UsageError(`unknown option \`${key}\` in ${file}; allowed: ${[...known].join(', ')}`);
    }
  }
  return record.data;
}

function firstOf(...candidates: readonly (readonly [unknown, string])[]): readonly [unknown, string] {
  return candidates.find(([value]) => value !== undefined && value !== null) ?? [undefined, ''];
}

/** The options part of a help text. */
export function optionsHelp(options: Options): string {
  const rows = Object.entries(options).map(([flag, option]): [string, string] => [
    `${option.short === undefined ? '    ' : `-${option.short}, `}--${flag}${option.value === undefined ? '' : ` ${option.value}`}`,
    option.help,
  ]);
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}
