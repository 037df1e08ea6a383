/** A command's surroundings in memory: what it prints, and an environment of the test's own. */
import type { Io } from '../../src/cli/command.ts';

export interface KeptIo extends Io {
  readonly printed: { out: string; err: string };
}

export function keptIo(env: Readonly<Record<string, string>> = {}): KeptIo {
  const printed = { out: '', err: '' };
  return {
    printed,
    stdin: (async function* () {})(),
    out: (text) => {
      printed.out += text;
    },
    err: (text) => {
      printed.err += text;
    },
    env,
    isTTY: false,
    signal: new AbortController().signal,
  };
}
