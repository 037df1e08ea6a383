/**
 * What a command of the `sluice` binary is. A command gets everything from outside through `Io`, so a test can run
 * it in process; only `main.ts` knows the real process.
 */
import type { Options } from './config.ts';

export interface Io {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** Writes text; resolves when the reader can take more, so long output keeps a bounded buffer. */
  readonly out: (text: string) => Promise<void> | void;
  readonly err: (text: string) => Promise<void> | void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTTY: boolean;
  /** Aborts on the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
}

/** Exit codes, documented in docs/reference/cli.md. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

export interface Command {
  readonly name: string;
  /** One line for the overview. */
  readonly summary: string;
  /** Full help text with examples, ending in a newline. */
  readonly help: string;
  /** Its options, where it parses them by `config.ts`; the reference pages show them. */
  readonly options?: Options;
  /** Runs the command and resolves with the exit code. Throws `UsageError` for a wrong command line. */
  readonly run: (argv: readonly string[], io: Io) => Promise<number>;
}

/** A wrong command line: `main.ts` prints the message and a pointer to `--help`, and exits with `usage`. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
