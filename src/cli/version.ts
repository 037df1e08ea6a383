/** `sluice version`, and where the version comes from. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { exitCodes, type Command } from './command.ts';
import { optionsHelp, parseOptions, type Options } from './config.ts';
import { choiceType } from './option-types.ts';

/** The version of this checkout or bundle. */
export function sluiceVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

const options = {
  output: { type: choiceType(['text', 'json'], 'text'), value: 'FORMAT', short: 'o', help: 'text or json.' },
} as const satisfies Options;

export const versionCommand: Command = {
  name: 'version',
  summary: 'Print the version.',
  help: `Usage: sluice version [-o text|json]

Prints the version of Sluice and of Node.

Options:
${optionsHelp(options)}
Examples:
  sluice version
  sluice version -o json
`,
  options,
  async run(argv, io) {
    const { values } = await parseOptions(options, argv, io.env);
    const facts = { version: sluiceVersion(), node: process.version };
    await io.out(
      values.output === 'json'
        ? `${JSON.stringify(facts)}\n`
        : `sluice ${facts.version}, Node ${facts.node}\n`,
    );
    return exitCodes.ok;
  },
};
