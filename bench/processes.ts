/** Child processes of the bench, and what the kernel says they cost. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Started extends AsyncDisposable {
  readonly pid: number;
  /** The first line of its standard output. */
  readonly firstLine: Promise<string>;
  /** What it wrote to standard error, cut. */
  errors(): string;
  exited(): boolean;
}

export function start(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: { readonly keepsInput: boolean } = { keepsInput: false },
): Started {
  const child: ChildProcess = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    stdio: [options.keepsInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  let output = '';
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      if (output.length < 10_000) output += chunk.toString();
      if (output.includes('\n')) resolve(output.slice(0, output.indexOf('\n')));
    });
    child.once('exit', () => {
      reject(new Error(`a process ended early: ${errors}`));
    });
  });
  firstLine.catch(() => undefined);
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  return {
    pid: child.pid ?? 0,
    firstLine,
    errors: () => errors,
    exited: () => child.exitCode !== null,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** CPU seconds, user and system, of a process and all its threads so far; in steps of 10 ms. */
export function cpuSeconds(pid: number): number {
  // The name of the process stands in brackets and may hold anything.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(stat[11]) + Number(stat[12])) / 100;
}

/** Resident memory now and at its most, in MiB. */
export function memoryMiB(pid: number): { readonly now: number; readonly most: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name: string): number =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024);
  return { now: read('VmRSS'), most: read('VmHWM') };
}
