import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UsageError, exitCodes, type Command } from './command.ts';

/** The version of this checkout or bundle. */
export function sluiceVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

export const versionCommand: Command = {
  name: 'version',
  summary: 'Print the version.',
  help: 'Usage: sluice version [-o text|json]\n\nPrints the version of Sluice and of Node.\n',
  async run(argv, io) {
    const facts = { version: sluiceVersion(), node: process.version };
    const [option, format] = argv;
    if (argv.length === 0 || (option === '-o' && format === 'text'))
      await io.out(`sluice ${facts.version}, Node ${facts.node}\n`);
    else if (option === '-o' && format === 'json') await io.out(`${JSON.stringify(facts)}\n`);
    else throw new UsageError(`unexpected argument ${JSON.stringify(argv.join(' '))}; allowed: -o text|json`);
    return exitCodes.ok;
  },
};
