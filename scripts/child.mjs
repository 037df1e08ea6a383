/**
 * Runs a TypeScript file on the Node that can, in the way that leaves the fewest traces: in this process if it is new
 * enough, by replacing this process where Node can do that, else as a child.
 *
 * A child gets each signal exactly once (it has a process group of its own, so that a terminal's Ctrl-C reaches it
 * through this process only), its exit code becomes ours (128 + n for signal n), and it is told to stop when this
 * process is killed (`follow-parent.mjs`). Plain JavaScript for Node 20.
 */
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { root } from './setup.mjs';

const QUIET = '--disable-warning=ExperimentalWarning';

/**
 * @param {string} node the Node to run on
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string | undefined> }} [options]
 */
export async function runFile(node, file, args, options = {}) {
  Object.assign(process.env, options.env ?? {});
  const follow = pathToFileURL(path.join(root, 'scripts', 'follow-parent.mjs')).href;
  if (Number(process.versions.node.split('.')[0]) >= 24) {
    process.argv.splice(1, process.argv.length, file, ...args);
    await import(follow);
    await import(pathToFileURL(file).href);
    return;
  }
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(node, [node, QUIET, '--import', follow, file, ...args], process.env);
  }
  process.exitCode = await runChild(node, [QUIET, '--import', follow, file, ...args]);
}

/**
 * Runs a command to its end with this process's standard streams and gives its exit code.
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
async function runChild(command, args) {
  const child = spawn(command, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], detached: true });
  // Only to notice each other's end; must not keep either process alive.
  child.channel?.unref();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGWINCH'];
  const forward = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + os.constants.signals[signal]));
    });
  } finally {
    for (const signal of signals) process.removeListener(signal, forward);
  }
}
