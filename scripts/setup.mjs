/**
 * Makes a checkout ready to run: the packages of the lock file, and with them the Node that Sluice runs on. Does
 * nothing, and says nothing, when everything is there. Plain JavaScript for Node 20, without node_modules; so may be
 * called by every other script first.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';

/** The folder of the checkout. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The oldest Node that runs the TypeScript sources as they are. */
const MIN_MAJOR = 24;

/** What went wrong and how to put it right, for people: printed without a stack. */
export class SetupError extends Error {}

/**
 * Installs what is missing and gives the path of a Node that can run the sources.
 * @returns {Promise<string>}
 */
export async function setup() {
  if (isReady()) return nodeForSources();
  await withLock(
    path.join(root, '.sluice', 'setup.lock'),
    async () => {
      if (isReady()) return; // Another setup did it meanwhile.
      if (!isInstalled()) await install();
      linkBin();
      fs.writeFileSync(stampFile(), stamp());
    },
    (holder) => console.error(`Waiting for another setup (process ${holder})`),
  );
  return nodeForSources();
}

/** The Node of the packages, else the running one if it is new enough. */
function nodeForSources() {
  const packaged = packagedNode();
  if (packaged !== undefined) return packaged;
  if (Number(process.versions.node.split('.')[0]) >= MIN_MAJOR) return process.execPath;
  throw new SetupError(
    `Sluice runs on Node ${MIN_MAJOR} or newer; this is ${process.version}, and no package of it exists for ` +
      `${process.platform}-${process.arch}.\nInstall Node 26 (https://nodejs.org) and run the command again.`,
  );
}

function packagedNode() {
  const names = [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`];
  return names.map((name) => path.join(root, 'node_modules', name, 'bin', 'node')).find(isExecutable);
}

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function stampFile() {
  return path.join(root, 'node_modules', '.sluice-setup');
}

function stamp() {
  const lock = fs.readFileSync(path.join(root, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`;
}

function isReady() {
  try {
    return fs.readFileSync(stampFile(), 'utf8') === stamp() && fs.existsSync(hiddenLock());
  } catch {
    return false;
  }
}

function hiddenLock() {
  return path.join(root, 'node_modules', '.package-lock.json');
}

/** Does what npm wrote down as installed cover the lock file? True too after an `npm install` by hand. */
function isInstalled() {
  try {
    const wanted = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
    const present = JSON.parse(fs.readFileSync(hiddenLock(), 'utf8')).packages;
    return Object.entries(wanted).every(([place, entry]) => {
      if (place === '') return true;
      const got = present[place];
      if (got === undefined) return entry.optional === true && !isForThisMachine(entry);
      return got.version === entry.version && got.integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

/** An optional package that names no platform may be absent too: npm leaves it out when it cannot be installed. */
function isForThisMachine(entry) {
  return (
    (entry.os?.includes(process.platform) ?? false) &&
    (entry.cpu?.includes(process.arch) ?? false) &&
    (entry.libc === undefined || entry.libc.includes(libc()))
  );
}

function libc() {
  return process.report?.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

async function install() {
  const startMs = Date.now();
  console.error('Installing the packages of package-lock.json (npm ci) …');
  const npm = npmCommand();
  const args = [
    ...npm.args,
    'ci',
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    '--loglevel=error',
    // Without a network this must end in seconds, not in npm's default of more than a minute.
    '--fetch-retries=2',
    '--fetch-retry-mintimeout=1000',
    '--fetch-retry-maxtimeout=5000',
  ];
  const { code, output } = await new Promise((resolve, reject) => {
    const child = spawn(npm.command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-8_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const tick = setInterval(() => {
      console.error(`  … still installing after ${Math.round((Date.now() - startMs) / 1000)} s`);
    }, 15_000);
    child.once('error', (error) => {
      clearInterval(tick);
      reject(
        error.code === 'ENOENT'
          ? new SetupError('`npm` was not found. Install Node 20 or newer together with npm.')
          : error,
      );
    });
    child.once('close', (code) => {
      clearInterval(tick);
      resolve({ code, output });
    });
  });
  if (code !== 0) {
    const isNetwork = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network/i.test(
      output,
    );
    throw new SetupError(
      `npm ci ended with ${code}:\n${output.trim().split('\n').slice(-15).join('\n')}\n` +
        (isNetwork
          ? 'The npm registry cannot be reached. Check the network, `npm config get registry` and the proxy settings.'
          : 'Check the message above; `npm ci --ignore-scripts` repeats the step.'),
    );
  }
  console.error(`Installed in ${Math.round((Date.now() - startMs) / 1000)} s`);
}

/** The npm that started this script, else the one on the PATH. */
function npmCommand() {
  const cli = process.env['npm_execpath'];
  if (cli !== undefined && path.basename(cli) === 'npm-cli.js')
    return { command: process.execPath, args: [cli] };
  return { command: 'npm', args: [] };
}

/** Lets `npx sluice` find this checkout's own command without asking a registry. */
function linkBin() {
  const link = path.join(root, 'node_modules', '.bin', 'sluice');
  fs.mkdirSync(path.dirname(link), { recursive: true });
  fs.rmSync(link, { force: true });
  fs.symlinkSync(path.join('..', '..', 'bin', 'sluice.mjs'), link);
}

/**
 * Runs a script's main function; a SetupError ends it with its message alone and exit code 1.
 * @param {() => Promise<number | undefined>} main
 */
export async function runScript(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

if (process.argv[1] !== undefined && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runScript(async () => {
    await setup();
    return 0;
  });
}
