import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from './eventually.ts';
import { startProcess, type ManagedProcess } from './processes.ts';

/** The `sluice` binary as a real process, and what it logged. */
export class Sluice implements AsyncDisposable {
  readonly process: ManagedProcess;
  readonly #dir: string | undefined;
  readonly lines: Record<string, unknown>[];

  constructor(process: ManagedProcess, lines: Record<string, unknown>[], dir?: string) {
    this.process = process;
    this.lines = lines;
    this.#dir = dir;
  }

  /** Waits for a log line with this message whose fields include the given ones. */
  logged(
    message: string,
    fields: Readonly<Record<string, unknown>> = {},
    timeoutMs = 20_000,
  ): Promise<Record<string, unknown>> {
    return eventually(
      () => {
        const found = this.lines.find(
          (line) =>
            line['message'] === message &&
            Object.entries(fields).every(([name, value]) => line[name] === value),
        );
        if (found === undefined) {
          if (this.process.end !== undefined) throw new Error(`sluice has ended:\n${this.process.tail()}`);
          throw new Error(`the last lines are\n${this.process.tail(10)}`);
        }
        return found;
      },
      { timeoutMs, what: `the log line "${message}" ${JSON.stringify(fields)}` },
    );
  }

  /** The address of /metrics, as the process says it. */
  async metricsUrl(): Promise<string> {
    return String((await this.logged('Started'))['metrics']);
  }

  /** The value of a series, summed over those whose labels include the given ones; undefined if there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
    const text = await (await fetch(await this.metricsUrl())).text();
    const series = text.split('\n').flatMap((line) => {
      const match = /^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match?.[1] !== name) return [];
      const matches = Object.entries(labels).every(
        ([label, value]) => match[2]?.includes(`${label}="${value}"`) === true,
      );
      return matches ? [Number(match[3])] : [];
    });
    return series.length === 0 ? undefined : series.reduce((sum, value) => sum + value, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop();
    if (this.#dir !== undefined) rmSync(this.#dir, { recursive: true, force: true });
  }
}

const repository = path.resolve(import.meta.dirname, '..', '..');

/** Starts any command of the binary. */
export function startSluice(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  dir?: string,
): Sluice {
  const lines: Record<string, unknown>[] = [];
  const child = startProcess({
    name: `sluice ${args[0] ?? ''}`,
    command: process.execPath,
    args: [path.join(repository, 'src/cli/main.ts'), ...args],
    env,
    onLine: (line) => {
      if (line.startsWith('{')) lines.push(JSON.parse(line) as Record<string, unknown>);
    },
  });
  return new Sluice(child, lines, dir);
}

/** `sluice run` with manifests in a folder of its own, which `write` changes. */
export function startRun(
  manifests: string,
  options: { readonly env: Readonly<Record<string, string | undefined>>; readonly args?: readonly string[] },
): { readonly sluice: Sluice; readonly write: (manifests: string) => void } & AsyncDisposable {
  const dir = mkdtempSync(path.join(tmpdir(), 'sluice-test-'));
  const file = path.join(dir, 'mapping.yaml');
  writeFileSync(file, manifests);
  const sluice = startSluice(
    ['run', '-f', file, '--state-dir', path.join(dir, 'state'), ...(options.args ?? [])],
    options.env,
    dir,
  );
  return {
    sluice,
    write: (text) => writeFileSync(file, text),
    [Symbol.asyncDispose]: () => sluice[Symbol.asyncDispose](),
  };
}

/** Runs a command to its end. */
export async function sluice(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  await using child = startProcess({
    name: `sluice ${args[0] ?? ''}`,
    command: process.execPath,
    args: [path.join(repository, 'src/cli/main.ts'), ...args],
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.input === undefined ? {} : { input: options.input }),
  });
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}
