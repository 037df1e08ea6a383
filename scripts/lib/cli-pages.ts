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

const awsVariables: readonly (readonly string[])[] = [
  [
    '`AWS_REGION`',
    'Region of ARNs that name none. An ARN with a Region is called there, whatever this says.',
  ],
  [
    '`AWS_PROFILE`, `AWS_CONFIG_FILE`, `AWS_SHARED_CREDENTIALS_FILE`',
    'Profile and files; keys of a profile go before those of the environment.',
  ],
  [
    '`AWS_ROLE_ARN`, `AWS_WEB_IDENTITY_TOKEN_FILE`; `AWS_CONTAINER_*`',
    'Web identity (IRSA) and Pod Identity, as EKS sets them.',
  ],
  [
    '`AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL_LAMBDA`, `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API`, `AWS_ENDPOINT_URL_CLOUDWATCH`; `AWS_ENDPOINT_URL`',
    'Custom endpoints, such as a VPC endpoint or an emulator: of one service, else of all. Without them the `services` and the `endpoint_url` of the profile.',
  ],
  ['`AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`', '`true`: no custom endpoint is used.'],
  [
    '`AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`',
    '`true`: endpoints of that kind. They exclude a custom endpoint; the source is then unhealthy and says so.',
  ],
  [
    '`HTTPS_PROXY`, `HTTP_PROXY`',
    'The proxy to AWS for https and http endpoints, `http://` or `https://`, with `name:password@` if it asks for them. Lower case wins. For AWS alone: [HTTP targets](http-target.md#addresses-that-are-never-reached), the API server and credentials of the machine are reached directly.',
  ],
  [
    '`NO_PROXY`',
    'Hosts that are reached directly, separated by commas: `*`; a name, for itself and what is below it; an address or a range of IPv4 addresses (`10.0.0.0/8`); a host with a port, for that port alone.',
  ],
  ['`NODE_EXTRA_CA_CERTS`', 'A file with certificates to trust, for proxies that open TLS.'],
];

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
      'AWS is configured as for the AWS CLI and SDKs, by the [environment](#aws). There is no option for a credential.',
      ...loaded.flatMap(optionsPart),
      heading('AWS'),
      'The variables that the AWS SDK reads, and profiles of the shared files, hold here as everywhere; those that matter most:',
      table(['Environment', 'Meaning'], awsVariables),
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
