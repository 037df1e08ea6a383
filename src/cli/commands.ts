/** The commands of the `sluice` binary, and which of them a command line calls. Knows nothing of the real process. */
import { UsageError, exitCodes, type Command, type Io } from './command.ts';

/** Commands are loaded on demand: `sluice validate` must not pay for the AWS SDK. */
export const commands: Readonly<
  Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>
> = {
  controller: {
    summary: 'Keep AWS mappings in step and sum up the status of all mappings.',
    load: async () => (await import('./controller.ts')).controllerCommand,
  },
  poller: {
    summary: 'Run the mappings in Poller mode, as one member of the fleet.',
    load: async () => (await import('./poller.ts')).pollerCommand,
  },
  run: {
    summary: 'Run the mappings of files on this machine, without a cluster.',
    load: async () => (await import('./run.ts')).runCommand,
  },
  demo: {
    summary: 'Show the main job on an embedded SQS server, without an account.',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
  validate: {
    summary: 'Check manifests without a cluster.',
    load: async () => (await import('./validate.ts')).validateCommand,
  },
  filter: {
    summary: 'Explain why an event matches a filter pattern or not.',
    load: async () => (await import('./filter.ts')).filterCommand,
  },
  import: {
    summary: 'Write manifests for the mappings of other tools.',
    load: async () => (await import('./import.ts')).importCommand,
  },
  diff: {
    summary: 'Show what applying manifests would change in AWS.',
    load: async () => (await import('./diff.ts')).diffCommand,
  },
  iam: {
    summary: 'Write the least IAM policies that mappings need.',
    load: async () => (await import('./iam.ts')).iamCommand,
  },
  version: {
    summary: 'Print the version.',
    load: async () => (await import('./version.ts')).versionCommand,
  },
};

/** What `sluice --help` prints. */
export function overview(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}\n`);
  return [
    'Usage: sluice COMMAND [options]\n\n',
    'Event source mappings for Kubernetes.\n\nCommands:\n',
    ...rows,
    '\nsluice COMMAND --help describes a command.\n',
    'Exit status: 0 success, 1 the work was not done or found a problem, 2 wrong command line.\n',
  ].join('');
}

/** Runs the command that `argv` names and resolves with its exit code. Throws `UsageError` for a wrong command line. */
export async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    await io.err(overview());
    return exitCodes.usage;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    await io.out(rest[0] === undefined ? overview() : (await loadCommand(rest[0])).help);
    return exitCodes.ok;
  }
  const command = await loadCommand(name === '--version' ? 'version' : name);
  const end = rest.indexOf('--');
  const flags = end === -1 ? rest : rest.slice(0, end);
  if (flags.includes('--help') || flags.includes('-h')) {
    await io.out(command.help);
    return exitCodes.ok;
  }
  return command.run(rest, io);
}

/** True for a command, and not for a word such as `constructor`. */
export function isCommand(name: string | undefined): name is string {
  return name !== undefined && Object.hasOwn(commands, name);
}

async function loadCommand(name: string): Promise<Command> {
  const entry = isCommand(name) ? commands[name] : undefined;
  if (entry === undefined) {
    throw new UsageError(`unknown command \`${name}\`; allowed: ${Object.keys(commands).join(', ')}`);
  }
  return entry.load();
}
