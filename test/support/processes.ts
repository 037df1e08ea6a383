import { type ChildProcess, type StdioOptions, execFile, spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import type { OptionalServer } from './servers/absent.ts';

/**
 * Real processes for tests: started with their output kept, stopped with their whole group, and never left behind.
 * A watcher beside each one holds a pipe to the test's process and kills the group when that pipe closes, which the
 * system does even when the test's process is killed.
 */
export interface ProcessOptions {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Laid over this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Sees each line of standard output. */
  readonly onLine?: (line: string) => void;
  /** Text for standard input, which is closed after it. */
  readonly input?: string;
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const KEPT_CHARS = 1_000_000;
const repository = path.resolve(import.meta.dirname, '..', '..');

export class ManagedProcess implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the process itself has ended and its output was read. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  readonly #watcher: ChildProcess;
  #stdout = '';
  #stderr = '';
  #end: ProcessEnd | undefined;

  constructor(options: ProcessOptions) {
    this.name = options.name;
    const stdio: StdioOptions = [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'];
    // A group of its own, so that what it starts can be ended with it.
    this.#child = spawn(options.command, options.args, {
      cwd: options.cwd ?? repository,
      env: { ...process.env, ...options.env },
      stdio,
      detached: true,
    });
    const child = this.#child;
    this.pid = child.pid ?? 0;
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-KEPT_CHARS);
      if (options.onLine === undefined) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) options.onLine(line);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-KEPT_CHARS);
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
    this.#watcher = watch(this.pid);
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#stderr += `\n${error.message}`;
        this.#finish({ code: 127, signal: null }, resolve);
      });
      child.once('close', (code, signal) => this.#finish({ code, signal }, resolve));
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** How it ended, or undefined while it runs. */
  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  /** The last lines of both streams, for the message of an error. */
  tail(lines = 15): string {
    const last = (text: string): string[] => text.trim().split('\n').slice(-lines);
    return [...last(this.#stdout), ...last(this.#stderr)].filter((line) => line !== '').join('\n');
  }

  /** Sends a signal to the process itself, not to its group. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, after `graceMs` SIGKILL; in the end nothing of its group is left. */
  async stop(graceMs = 10_000): Promise<ProcessEnd> {
    if (this.#end !== undefined) return this.#end;
    // A stopped process handles nothing until it goes on.
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => killGroup(this.pid), graceMs);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }

  /** As a crash: the whole group at once. */
  async kill(): Promise<ProcessEnd> {
    if (this.#end === undefined) killGroup(this.pid);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #finish(end: ProcessEnd, resolve: (end: ProcessEnd) => void): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    killGroup(this.pid);
    this.#watcher.stdin?.end('done\n');
    resolve(end);
  }
}

/** Starts a process; `await using` stops it. */
export function startProcess(options: ProcessOptions): ManagedProcess {
  return new ManagedProcess(options);
}

/** Waits until `check` gives true; throws at once, with the log, when the process ends before. */
export async function ready(
  server: ManagedProcess,
  check: () => Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    if (server.end !== undefined) {
      throw new Error(`${server.name} ended with ${server.end.code ?? server.end.signal}:\n${server.tail()}`);
    }
    if (await check().catch(() => false)) return;
    if (performance.now() > endMs) {
      await server.kill();
      throw new Error(`${server.name} was not ready after ${timeoutMs} ms:\n${server.tail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<net.Server>((resolve, reject) => {
          const server = net.createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A server's folder in the cache; makes it first if need be (scripts/prepare.mjs). */
export async function prepared(name: OptionalServer | 'control-plane'): Promise<string> {
  const script = path.join(repository, 'scripts', 'prepare.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script, name], { maxBuffer: 10_000_000 });
  return stdout.trim();
}

function watch(pid: number): ChildProcess {
  // `read` fails at the end of its input; after a line it succeeds and there is nothing to do.
  const script = 'trap "" INT TERM HUP; read -r word || kill -9 "-$1"';
  const watcher = spawn('/bin/sh', ['-c', script, 'watcher', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.stdin.on('error', () => undefined);
  watcher.unref();
  (watcher.stdin as net.Socket).unref();
  return watcher;
}

function killGroup(pid: number): void {
  if (pid === 0) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}
