/**
 * Finds or makes the binaries of a Kubernetes control plane and gives the folder that holds `etcd`,
 * `kube-apiserver`, `kubectl` and mostly `kube-controller-manager`. In this order:
 *
 * 1. `KUBEBUILDER_ASSETS` or `KUBELAB_BIN`, folders of the user's own;
 * 2. the cache: an earlier build, an earlier download;
 * 3. the archive that Kubernetes' SIGs publish for such tests, by version and checksum (no controller manager);
 * 4. a build of `test/kubelab` with Go, 10 to 20 minutes of processor time, once.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { cacheRoot, installed, progress, requireGo, run, runGo } from './prepared.mjs';
import { root, SetupError } from './setup.mjs';

const ARCHIVE_VERSION = '1.36.2';
/** SHA-512 of the archives, from the index that their publishers keep beside them. */
const ARCHIVE_SHA512 = {
  'linux-amd64':
    'ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dcf30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08',
  'linux-arm64':
    '2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae28181afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac',
  'darwin-amd64':
    'b4fe9f973cd1992e3880f8b230ed32c0c243b83371591e3e3315f4404df2cdbef8ee94eeb9bb245b7e5feb987d5c4a76c43e0877654ab73f00d7bbc2b9984514',
  'darwin-arm64':
    '9278f9e5af556b2f1f2d139769c1f0d717c7b4426917fdebdba898bcb725a916e4910d6160886194ff9be9589ea7c5c32c2b8ae0754703874b7c8ba8ddfc41ce',
};
/** How many packages a build compiles, for its progress. */
const PACKAGES = 2700;
const REQUIRED = ['etcd', 'kube-apiserver', 'kubectl'];
const SOURCES = path.join(root, 'test', 'kubelab');

/** @returns {Promise<string>} */
export async function prepareControlPlane() {
  return fromUser() ?? fromCache() ?? (await fromArchive()) ?? (await fromSources());
}

function fromUser() {
  for (const name of ['KUBEBUILDER_ASSETS', 'KUBELAB_BIN']) {
    const folder = process.env[name];
    if (!folder) continue;
    const missing = REQUIRED.filter((file) => !fs.existsSync(path.join(folder, file)));
    if (missing.length === 0) return path.resolve(folder);
    throw new SetupError(
      `\`${name}\` must name a folder with ${REQUIRED.join(', ')}; ${folder} lacks ${missing.join(', ')}`,
    );
  }
  return undefined;
}

function fromCache() {
  return [built(), downloaded()]
    .map((name) => path.join(cacheRoot(), name))
    .find((folder) => REQUIRED.every((file) => fs.existsSync(path.join(folder, file))));
}

function platform() {
  return `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
}

function version() {
  const text = fs.readFileSync(path.join(SOURCES, 'go.mod'), 'utf8');
  return /k8s\.io\/kubernetes v(1\.\d+\.\d+)$/m.exec(text)?.[1] ?? 'unknown';
}

function built() {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', 'main.go']) hash.update(fs.readFileSync(path.join(SOURCES, file)));
  return path.join('kubelab', `${version()}-${hash.digest('hex').slice(0, 12)}-${platform()}`);
}

function downloaded() {
  return path.join('envtest', `${ARCHIVE_VERSION}-${platform()}`);
}

async function fromArchive() {
  const sum = ARCHIVE_SHA512[platform()];
  if (sum === undefined) return undefined;
  const name = `envtest-v${ARCHIVE_VERSION}-${platform()}.tar.gz`;
  const url = `https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-v${ARCHIVE_VERSION}/${name}`;
  let bytes;
  try {
    bytes = await download(url);
  } catch (error) {
    progress(`the published archive cannot be had (${error.cause?.code ?? error.message}), so it is built`);
    return undefined;
  }
  const got = createHash('sha512').update(bytes).digest('hex');
  if (got !== sum) throw new SetupError(`${url} has the SHA-512 ${got}, but must have ${sum}`);
  return installed(downloaded(), async (folder) => {
    const archive = path.join(folder, name);
    fs.writeFileSync(archive, bytes);
    await run('tar', ['-xzf', archive, '-C', folder, '--strip-components=2']);
    fs.rmSync(archive);
    const missing = REQUIRED.filter((file) => !fs.existsSync(path.join(folder, file)));
    if (missing.length > 0) throw new SetupError(`${url} lacks ${missing.join(', ')}`);
  });
}

/** Gives up quickly where nothing answers, and whenever nothing comes for a while; never hangs. */
async function download(url) {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(new Error('no answer in 10 s')), 10_000);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    const total = Number(response.headers.get('content-length') ?? 0);
    const chunks = [];
    let size = 0;
    let saidMb = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(new Error('nothing came for 20 s')), 20_000);
      chunks.push(chunk);
      size += chunk.length;
      if (size - saidMb * 1e6 > 20e6) {
        saidMb = Math.round(size / 1e6);
        progress(`downloading the published archive: ${saidMb} of ${Math.round(total / 1e6)} MB`);
      }
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(timer);
  }
}

async function fromSources() {
  await requireGo(
    'A control plane',
    'Install Go 1.26 or newer (https://go.dev/dl), or set `KUBEBUILDER_ASSETS` to a folder with etcd, kube-apiserver and kubectl.',
  );
  return installed(built(), async (folder) => {
    progress(`building Kubernetes ${version()} with Go, once: 10 to 20 minutes on two cores`);
    await build(path.join(folder, 'kubelab'));
    for (const name of [...REQUIRED, 'kube-controller-manager']) {
      fs.symlinkSync('kubelab', path.join(folder, name));
    }
  });
}

async function build(file) {
  const stamp = 'k8s.io/component-base/version';
  const [major, minor] = version().split('.');
  const flags = [
    `-X ${stamp}.gitVersion=v${version()}`,
    `-X ${stamp}.gitMajor=${major}`,
    `-X ${stamp}.gitMinor=${minor}`,
    `-X ${stamp}.gitTreeState=clean`,
  ];
  let compiled = 0;
  await runGo(
    ['build', '-v', '-trimpath', '-buildvcs=false', '-o', file, '-ldflags', `-s -w ${flags.join(' ')}`, '.'],
    {
      cwd: SOURCES,
      said: () =>
        compiled === 0
          ? 'building the control plane: fetching modules'
          : `building the control plane: ${Math.min(99, Math.floor((100 * compiled) / PACKAGES))} %`,
      onLine: (line) => {
        if (!line.startsWith('go: ')) compiled++;
      },
    },
  );
}
