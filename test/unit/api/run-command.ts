/** Runs a command in process, with text as its standard input. */
import type { Command } from '../../../src/cli/command.ts';

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function runCommand(
  command: Command,
  argv: readonly string[],
  input = '',
): Promise<CommandResult> {
  let out = '';
  let err = '';
  const code = await command.run(argv, {
    stdin: (async function* () {
      yield input;
    })(),
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: {},
    isTTY: false,
    signal: new AbortController().signal,
  });
  return { code, out, err };
}
