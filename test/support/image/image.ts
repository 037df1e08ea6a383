/**
 * The image without a Docker engine: the steps of the Dockerfile carried out in folders. What a base image brings is
 * put in by hand: Node with the libraries that it loads, the files of users, certificates, and nothing else, as in a
 * distroless image. So what this stands for is the project's own part; that the base images exist is not shown.
 *
 * Packages are not fetched again: where a step asks for those of the lock file, those of the checkout, which were
 * installed from the same lock file, are linked to the place. Folders are in `.sluice`, on the disk of the checkout, so
 * that nothing large is copied.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Mount } from '../kubelet/container.ts';
import { parseDockerfile, type Copy, type Stage } from './dockerfile.ts';

const exec = promisify(execFile);
const repository = path.resolve(import.meta.dirname, '..', '..', '..');

/** What a container is started from. */
export interface Image {
  /** Its file system. */
  readonly root: string;
  /** What of the machine's it uses besides. */
  readonly mounts?: readonly Mount[];
  readonly config: Pick<Stage, 'env' | 'user' | 'workdir' | 'entrypoint' | 'cmd'>;
}

export interface BuiltImage extends Image, Disposable {
  readonly stage: Stage;
}

/** A folder for roots, removed with `using`. */
export function imageFolder(): { readonly path: string } & Disposable {
  const parent = path.join(repository, '.sluice');
  fs.mkdirSync(parent, { recursive: true });
  // What a test that was killed has left.
  for (const name of fs.readdirSync(parent)) {
    const old = path.join(parent, name);
    const ageMs = Date.now() - (fs.statSync(old, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (name.startsWith('image-') && ageMs > 3_600_000) fs.rmSync(old, { recursive: true, force: true });
  }
  const folder = fs.mkdtempSync(path.join(parent, 'image-'));
  return { path: folder, [Symbol.dispose]: () => fs.rmSync(folder, { recursive: true, force: true }) };
}

/** Carries out all stages and gives the last one. */
export async function buildImage(): Promise<BuiltImage> {
  const folder = imageFolder();
  try {
    const stages = parseDockerfile(fs.readFileSync(path.join(repository, 'Dockerfile'), 'utf8'));
    const context = path.join(folder.path, 'context');
    await exportContext(context);
    const roots = new Map<string, string>();
    for (const [index, stage] of stages.entries()) {
      const name = stage.name ?? String(index);
      const root = path.join(folder.path, name);
      fs.mkdirSync(root, { recursive: true });
      if (stage.base.includes('distroless')) await layDistroless(root);
      await carryOut(stage, { root, context, roots });
      roots.set(name, root);
    }
    const stage = stages.at(-1);
    const root = roots.get(stage?.name ?? String(stages.length - 1));
    if (stage === undefined || root === undefined) throw new Error('the Dockerfile has no stage');
    return { root, stage, config: stage, [Symbol.dispose]: () => folder[Symbol.dispose]() };
  } catch (error) {
    folder[Symbol.dispose]();
    throw error;
  }
}

/** An image of a script alone, on Node, of another user than root. */
export async function scriptImage(folder: string, script: string): Promise<Image> {
  const root = fs.mkdtempSync(path.join(folder, 'script-'));
  fs.chmodSync(root, 0o755);
  await layDistroless(root);
  fs.writeFileSync(path.join(root, 'app', 'main.mjs'), script);
  const entrypoint = ['/nodejs/bin/node', '/app/main.mjs'];
  return { root, config: { env: {}, user: '65532:65532', workdir: '/app', entrypoint, cmd: [] } };
}

interface Place {
  readonly root: string;
  readonly context: string;
  readonly roots: ReadonlyMap<string, string>;
}

async function carryOut(stage: Stage, place: Place): Promise<void> {
  let workdir = '/';
  for (const step of stage.steps) {
    switch (step.kind) {
      case 'workdir':
        workdir = step.path;
        fs.mkdirSync(path.join(place.root, workdir), { recursive: true });
        break;
      case 'copy':
        copyInto(step, place);
        break;
      case 'run': {
        const cwd = path.join(place.root, workdir);
        await linkPackages(cwd);
        await exec('/bin/sh', ['-c', step.command], {
          cwd,
          // No variable of this process, and no folder of the user, takes part.
          env: { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`, HOME: place.root, ...stage.env },
          maxBuffer: 10_000_000,
        });
        break;
      }
    }
  }
}

/** A folder's content goes into the destination, a file under its own name if there are several: Docker's rule. */
function copyInto({ from, sources, destination }: Copy, { root, context, roots }: Place): void {
  const base = from === undefined ? context : roots.get(from);
  if (base === undefined) throw new Error(`there is no stage ${from ?? ''}`);
  for (const source of sources) {
    const origin = path.join(base, source);
    const isFolder = fs.statSync(origin).isDirectory();
    const intoFolder = !isFolder && (sources.length > 1 || destination.endsWith('/'));
    const target = path.join(root, destination, intoFolder ? path.basename(source) : '');
    fs.cpSync(origin, target, { recursive: true });
  }
}

/** The files that git knows or would add, as far as `.dockerignore` lets them through. */
async function exportContext(target: string): Promise<void> {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout } = await exec('git', args, { cwd: repository, maxBuffer: 50_000_000 });
  const ignored = dockerIgnore(fs.readFileSync(path.join(repository, '.dockerignore'), 'utf8'));
  for (const file of stdout.split('\0')) {
    const source = path.join(repository, file);
    // A file that was removed and is still in the index.
    if (file === '' || ignored(file) || !fs.existsSync(source)) continue;
    fs.mkdirSync(path.dirname(path.join(target, file)), { recursive: true });
    fs.copyFileSync(source, path.join(target, file));
  }
}

/** The last pattern that matches decides; one that names a folder is about all in it. */
export function dockerIgnore(text: string): (file: string) => boolean {
  const patterns = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return (file) =>
    patterns.reduce((ignored, pattern) => {
      const negated = pattern.startsWith('!');
      const name = matcher((negated ? pattern.slice(1) : pattern).replace(/\/$/, ''));
      const folders = file.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
      return folders.some((folder) => name.test(folder)) ? !negated : ignored;
    }, false);
}

/** Docker's `*` stands for anything but a slash, a dot at the begin included. */
function matcher(pattern: string): RegExp {
  if (/[?[\]\\]|\*\*/.test(pattern)) throw new Error(`the pattern ${pattern} is not understood`);
  return new RegExp(
    `^${pattern
      .split('*')
      .map((part) => RegExp.escape(part))
      .join('[^/]*')}$`,
  );
}

/** What `npm ci` would make of the lock file in this folder. */
async function linkPackages(folder: string): Promise<void> {
  const lock = path.join(folder, 'package-lock.json');
  const modules = path.join(folder, 'node_modules');
  if (!fs.existsSync(lock) || fs.existsSync(modules)) return;
  if (fs.readFileSync(lock, 'utf8') !== fs.readFileSync(path.join(repository, 'package-lock.json'), 'utf8'))
    throw new Error('the lock file of the image must be that of the checkout');
  const installed = path.join(repository, 'node_modules');
  // Not every `cp` makes hard links.
  await exec('cp', ['-al', installed, modules]).catch(() => {
    fs.rmSync(modules, { recursive: true, force: true });
    fs.symlinkSync(installed, modules);
  });
}

/** Files of the machine that a base image has as well. */
const borrowed = ['/etc/ssl/certs/ca-certificates.crt'];
const accounts = {
  passwd:
    'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n' +
    'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
  group: 'root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n',
};

/** Node at its place in a distroless image, with the libraries that it loads. */
export async function layDistroless(root: string): Promise<void> {
  for (const folder of ['app', 'dev', 'etc', 'home/nonroot', 'nodejs/bin', 'proc', 'sys', 'tmp', 'var/run'])
    fs.mkdirSync(path.join(root, folder), { recursive: true });
  for (const [name, text] of Object.entries(accounts)) fs.writeFileSync(path.join(root, 'etc', name), text);
  const node = fs.realpathSync(process.execPath);
  linkOrCopy(node, path.join(root, 'nodejs/bin/node'));
  // Elsewhere the root is looked at, and nothing is run in it.
  const { stdout } = process.platform === 'linux' ? await exec('ldd', [node]) : { stdout: '' };
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, file = '']) => file);
  for (const file of [...libraries, ...borrowed.filter((each) => fs.existsSync(each))]) {
    const target = path.join(root, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(fs.realpathSync(file), target);
    if (libraries.includes(file)) fs.chmodSync(target, 0o755);
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    fs.linkSync(from, to);
  } catch {
    fs.copyFileSync(from, to);
  }
}
