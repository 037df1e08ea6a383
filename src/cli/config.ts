/**
 * Configuration: one table of options per command, read from flags, environment and a file, in this order of
 * precedence, and parsed once. Help text follows the table, so it cannot differ from what is accepted.
 *
 * Environment names are `SLUICE_` and the flag in capitals (`--state-dir` is `SLUICE_STATE_DIR`); keys of the file
 * (`--config FILE`, YAML or JSON) are the flag in camelCase (`stateDir`). Unknown flags and unknown keys are errors.
 */
import { parseArgs } from 'node:util';
import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { messageOf } from '../lib/errors.ts';
import { UsageError } from './command.ts';

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

const camel = (flag: string): string =>
  flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
const variable = (flag: string): string => `SLUICE_${flag.replaceAll('-', '_').toUpperCase()}`;

/** A switch: present or absent as a flag; `true` or `false` elsewhere. */
export const switchType = z
  .union([z.boolean(), z.enum(['true', 'false'])])
  .optional()
  .transform((value) => value === true || value === 'true');

/** A whole number between bounds, with a default. */
export function integerType(min: number, max: number, initial: number): z.ZodType<number> {
  return z
    .union([z.number(), z.string().regex(/^-?\d+$/, 'must be a whole number')])
    .transform(Number)
    .pipe(z.number().int().min(min).max(max))
    .optional()
    .transform((value) => value ?? initial);
}

/** Words of a list given as `a,b`, as repeated flags, or as a YAML list. */
export const listType = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .transform((value) => (value === undefined ? [] : [value].flat().flatMap((part) => part.split(','))))
  .transform((words) => words.map((word) => word.trim()).filter((word) => word !== ''));

/** Options of every command that runs for long. */
export const commonOptions = {
  config: {
    type: z.string().optional(),
    value: 'FILE',
    help: 'Read options from a YAML or JSON file; flags and environment win.',
  },
  'log-level': {
    type: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    value: 'LEVEL',
    help: 'Least severe level that is logged: debug, info, warn or error. Default info.',
  },
} as const satisfies Options;

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
  const file = typeof parsed.values['config'] === 'string' ? parsed.values['config'] : env['SLUICE_CONFIG'];
  const fromFile =
    file === undefined || options['config'] === undefined ? {} : await readConfigFile(file, options);
  const values: Record<string, unknown> = {};
  for (const [flag, option] of Object.entries(options)) {
    const [raw, where] = first(
      [parsed.values[flag], `\`--${flag}\``],
      [env[variable(flag)], `environment variable \`${variable(flag)}\``],
      [fromFile[camel(flag)], `\`${camel(flag)}\` in ${file ?? ''}`],
    );
    const result = option.type.safeParse(raw);
    if (!result.success) {
      const found = raw === undefined ? 'is required' : `found ${JSON.stringify(raw)}`;
      throw new UsageError(
        `${where || `\`--${flag}\``}: ${found}: ${result.error.issues[0]?.message ?? 'invalid'}`,
      );
    }
    values[flag] = result.data;
  }
  // The loop above parsed one entry per key of `O` with that key's own type.
  return { values: values as Values<O>, positionals: parsed.positionals };
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
    throw new UsageError(messageOf(error).split('. To specify')[0] ?? messageOf(error));
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
  const known = new Set(Object.keys(options).map(camel));
  for (const key of Object.keys(record.data)) {
    if (!known.has(key)) {
      throw new UsageError(
        `unknown option \`${key}\` in ${file}; allowed: ${[...known].toSorted().join(', ')}`,
      );
    }
  }
  return record.data;
}

function first(...candidates: readonly [unknown, string][]): readonly [unknown, string] {
  return candidates.find(([value]) => value !== undefined) ?? [undefined, ''];
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
