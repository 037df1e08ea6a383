/**
 * What the preparing scripts share: the cache folder, running a tool with progress, atomic installation under a
 * version, and the error for a tool that the machine lacks. Plain JavaScript for Node 20.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { withLock } from './lock.mjs';
import { SetupError } from './setup.mjs';

/** Something the machine must have and has not; `fix` says how to get it. */
export class MissingTool extends SetupError {
  constructor(what, fix) {
    super(`${what}. ${fix}`);
  }
}

/** The folder that holds every server and tool of the tests, each under its version. */
export function cacheRoot() {
  const own = process.env['SLUICE_CACHE'];
  if (own) return path.resolve(own);
  return path.join(process.env['XDG_CACHE_HOME'] || path.join(os.homedir(), '.cache'), 'sluice');
}

/**
 * The folder `name` of the cache, filled by `fill` if it is not there. `fill` writes into a folder beside it that is
 * renamed at the end: what was cut off midway is never taken for whole.
 * @param {string} name
 * @param {(folder: string) => Promise<void>} fill
 * @returns {Promise<string>}
 */
export async function installed(name, fill) {
  const folder = path.join(cacheRoot(), name);
  if (fs.existsSync(folder)) return folder;
  return withLock(
    `${folder}.lock`,
    async () => {
      if (fs.existsSync(folder)) return folder;
      const draft = `${folder}.draft`;
      fs.rmSync(draft, { recursive: true, force: true });
      fs.mkdirSync(draft, { recursive: true });
      await fill(draft);
      fs.renameSync(draft, folder);
      return folder;
    },
    (holder) => progress(`waiting for process ${holder}, which is preparing it`),
  );
}

/** Throws `MissingTool` where there is no Go. */
export async function requireGo(what, fix) {
  if ((await ask('go', ['version'])) === undefined)
    throw new MissingTool(`${what} must be built with Go, and \`go\` was not found`, fix);
}

/**
 * Runs Go for a static program; with `said`, what it is at is told while it takes long.
 * @param {readonly string[]} args
 * @param {{ said?: () => string } & NonNullable<Parameters<typeof run>[2]>} options
 */
export async function runGo(args, { said, env, ...options }) {
  const stop = said === undefined ? () => undefined : ticker(said);
  try {
    return await run('go', args, { ...options, env: { CGO_ENABLED: '0', GOFLAGS: '-modcacherw', ...env } });
  } finally {
    stop();
  }
}

/** A line of progress; standard output is kept for results. */
export function progress(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Runs a tool to its end; its output is kept and shown only when it fails. `onLine` sees each line as it comes.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, onLine?: (line: string) => void }} [options]
 * @returns {Promise<string>} its output
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let rest = '';
    const take = (chunk) => {
      output = (output + chunk).slice(-200_000);
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) options.onLine?.(line);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else {
        const tail = output.trim().split('\n').slice(-20).join('\n');
        reject(new SetupError(`\`${command} ${args.join(' ')}\` ended with ${code ?? signal}:\n${tail}`));
      }
    });
  });
}

/**
 * The output of a command, or undefined if it is not there or fails.
 * @param {string} command
 * @param {readonly string[]} args
 */
export async function ask(command, args) {
  try {
    return await run(command, args);
  } catch {
    return undefined;
  }
}

/** Says every 20 seconds what `status` gives, until the returned function is called. */
export function ticker(status) {
  const startMs = Date.now();
  const tick = setInterval(
    () => progress(`${status()} (${Math.round((Date.now() - startMs) / 1000)} s)`),
    20_000,
  );
  return () => clearInterval(tick);
}
