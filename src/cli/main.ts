/**
 * The `sluice` binary. Alone wires commands to the real process: arguments, streams, environment, signals, exit code.
 */
import { messageOf } from '../lib/errors.ts';
import { UsageError, exitCodes, type Command, type Io } from './command.ts';

/** Commands are loaded on demand: `sluice validate` must not pay for the AWS SDK. */
const commands: Readonly<
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
  version: { summary: 'Print the version.', load: async () => (await import('./version.ts')).versionCommand },
};

function overview(): string {
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

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    await io.err(overview());
    return exitCodes.usage;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const about = rest[0] === undefined ? undefined : commands[rest[0]];
    await io.out(about === undefined ? overview() : (await about.load()).help);
    return exitCodes.ok;
  }
  const entry =
    name === '--version' ? commands['version'] : Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) {
    throw new UsageError(`unknown command \`${name}\`; allowed: ${Object.keys(commands).join(', ')}`);
  }
  const command = await entry.load();
  const end = rest.indexOf('--');
  const flags = end === -1 ? rest : rest.slice(0, end);
  if (flags.includes('--help') || flags.includes('-h')) {
    await io.out(command.help);
    return exitCodes.ok;
  }
  return command.run(rest, io);
}

const write = (stream: NodeJS.WriteStream) => (text: string) =>
  new Promise<void>((resolve) => {
    if (stream.write(text)) resolve();
    else stream.once('drain', resolve);
  });

async function main(): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // The second signal means it: no more waiting for what is in flight.
      if (stop.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143);
      stop.abort(signal);
    });
  }
  // A reader that went away (`sluice … | head`) ends the command quietly, as other tools do.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const argv = process.argv.slice(2);
  const io: Io = {
    stdin: process.stdin,
    out: write(process.stdout),
    err: write(process.stderr),
    env: process.env,
    isTTY: process.stdout.isTTY === true,
    signal: stop.signal,
  };
  try {
    process.exitCode = await dispatch(argv, io);
  } catch (error) {
    const usage = error instanceof UsageError;
    const pointer = usage
      ? `\nTry: sluice ${argv[0] !== undefined && Object.hasOwn(commands, argv[0]) ? `${argv[0]} ` : ''}--help`
      : '';
    await io.err(`sluice: ${messageOf(error)}${pointer}\n`);
    process.exitCode = usage ? exitCodes.usage : exitCodes.failed;
  }
  // Sockets that a library keeps alive must not hold a finished command; all work was awaited above.
  process.exit();
}

await main();
