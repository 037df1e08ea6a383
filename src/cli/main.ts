/**
 * The `sluice` binary. Alone wires commands to the real process: arguments, streams, environment, signals, exit code.
 */
import { messageOf } from '../lib/errors.ts';
import { UsageError, exitCodes, type Io } from './command.ts';
import { dispatch, isCommand } from './commands.ts';

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
    isTTY: process.stdout.isTTY,
    signal: stop.signal,
  };
  try {
    process.exitCode = await dispatch(argv, io);
  } catch (error) {
    const usage = error instanceof UsageError;
    const about = isCommand(argv[0]) ? `${argv[0]} ` : '';
    const pointer = usage ? `\nTry: sluice ${about}--help` : '';
    await io.err(`sluice: ${messageOf(error)}${pointer}\n`);
    process.exitCode = usage ? exitCodes.usage : exitCodes.failed;
  }
  // Sockets that a library keeps alive must not hold a finished command; all work was awaited above.
  process.exit();
}

await main();
