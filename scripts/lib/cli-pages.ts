/** `docs/reference/cli.md` and `docs/reference/configuration.md`: help texts and options of the commands. */
import { commands, overview } from '../../src/cli/commands.ts';
import { exitCodes, type Command } from '../../src/cli/command.ts';
import { fileKey, variable, type Option } from '../../src/cli/config.ts';
import { cell, heading, page, table } from './markdown.ts';
import type { GeneratedFile } from './generated.ts';

const loaded = await Promise.all(Object.values(commands).map(({ load }) => load()));

const meanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  ok: 'The work was done, or there was nothing to find fault with. A process that runs for long ended by SIGTERM or SIGINT in order.',
  failed:
    'The work was not done, or a problem was found: an invalid manifest, an event that does not match, leadership lost.',
  usage: 'The command line, the environment or the configuration file is wrong; nothing was begun.',
};

export function cliPage(): GeneratedFile {
  return {
    path: 'docs/reference/cli.md',
    text: page(
      'Command line',
      'One binary, one image. Options are described in [configuration](configuration.md) as well, with their names in environment and file.',
      code(overview()),
      heading('Exit status'),
      table(
        ['Status', 'Meaning'],
        [
          ...Object.entries(exitCodes).map(([name, status]) => [
            String(status),
            meanings[name as keyof typeof exitCodes],
          ]),
          ['130, 143', 'A second SIGINT or SIGTERM ended the process at once.'],
        ],
      ),
      ...loaded.flatMap(({ name, help }) => [heading(`sluice ${name}`), code(help)]),
    ),
  };
}

export function configurationPage(): GeneratedFile {
  return {
    path: 'docs/reference/configuration.md',
    text: page(
      'Configuration',
      'Each option can be given as a flag, in the environment, or in the file that `--config` names (YAML or JSON), in this order of precedence. An empty variable counts as unset. Unknown flags and unknown keys of the file are errors.',
      'AWS is configured as for the AWS CLI and SDKs: `AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`, web identity and Pod Identity, and so on. There is no option for a credential.',
      ...loaded.flatMap(optionsPart),
    ),
  };
}

function optionsPart({ name, options }: Command): readonly string[] {
  if (options === undefined) return [];
  const hasFile = options['config'] !== undefined;
  const rows = Object.entries(options).map(([flag, option]) => [
    flagText(flag, option),
    `\`${variable(flag)}\``,
    ...(hasFile ? [flag === 'config' ? '' : `\`${fileKey(flag)}\``] : []),
    defaultText(option),
    // The default has a column of its own.
    cell(option.help.replace(/ (?:Default [^:].*|Required\.)$/, '')),
  ]);
  const head = ['Flag', 'Environment', ...(hasFile ? ['Key of the file'] : []), 'Default', 'Meaning'];
  return [heading(`sluice ${name}`), table(head, rows)];
}

function flagText(flag: string, option: Option): string {
  const value = option.value === undefined ? '' : ` ${option.value}`;
  return `\`${option.short === undefined ? '' : `-${option.short}, `}--${flag}${value}\``;
}

function defaultText({ type }: Option): string {
  const unset = type.safeParse(undefined);
  if (!unset.success) return '**Required**';
  const value = unset.data;
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function code(text: string): string {
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\``;
}
