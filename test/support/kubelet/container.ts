/**
 * One container as a process: its own file system, mounts, process ids, host name and network, another user without
 * any right, and the environment that it is given and nothing else. What a container runtime does besides, limits of
 * memory and CPU and the filter of system calls, is not done.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { eventually } from '../eventually.ts';
import { startProcess, type ManagedProcess, type ProcessEnd } from '../processes.ts';
import { tempFolder } from '../temp-folder.ts';
import type { PodNetwork, PodPlace } from './network.ts';

export interface Mount {
  /** Folder or file of the machine. */
  readonly source: string;
  /** Where in the container; made in the root if it is not there. */
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ContainerOptions {
  readonly name: string;
  /** Folder of its own, which becomes its root. */
  readonly root: string;
  readonly readOnlyRoot: boolean;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly uid: number;
  readonly gid: number;
  readonly workdir: string;
  readonly mounts: readonly Mount[];
  readonly network: PodNetwork;
  readonly address: string;
  readonly onLine: (line: string) => void;
}

/** Why containers cannot be run on this machine, or undefined. */
export function isolationProblem(): string | undefined {
  if (process.platform !== 'linux') return 'containers are isolated by namespaces of Linux';
  if (process.getuid?.() !== 0) return 'only root may mount file systems and make networks';
  try {
    const probe =
      'ip link add br0 type bridge && ip link add v0 type veth peer name v1 && mount -t tmpfs none /mnt';
    execFileSync('unshare', ['-m', '-n', '-p', '-u', '--fork', '/bin/sh', '-ec', probe], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as { readonly stderr?: Buffer; readonly message: string };
    return `namespaces are not permitted: ${stderr?.toString().trim() || message}`;
  }
}

/**
 * Arguments: root, file to wait for, uid, gid, folder to start in, `ro` or `rw`, number of mounts, three for each, then
 * `NAME=value …` and the command. It becomes the command, as process 1.
 */
const script = `
root=$1 go=$2 uid=$3 gid=$4 workdir=$5 mode=$6 host=$7 mounts=$8; shift 8
echo "$host" > /proc/sys/kernel/hostname
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o mode=755,size=64k tmpfs "$root/dev"
for device in null zero random urandom; do : > "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
while [ "$mounts" -gt 0 ]; do
  mount --bind "$1" "$root$2"
  [ "$3" = ro ] && mount -o remount,bind,ro "$root$2"
  shift 3; mounts=$((mounts - 1))
done
[ "$mode" = ro ] && mount -o remount,bind,ro "$root"
until [ -e "$go" ]; do sleep 0.02; done
unset PWD OLDPWD
exec /usr/bin/setpriv --clear-groups --no-new-privs /usr/bin/unshare --root="$root" --wd="$workdir" --setgid="$gid" --setuid="$uid" "$@"
`;

export class Container implements AsyncDisposable {
  readonly process: ManagedProcess;
  readonly place: PodPlace;
  readonly #folder: Disposable;

  private constructor(managed: ManagedProcess, place: PodPlace, folder: Disposable) {
    this.process = managed;
    this.place = place;
    this.#folder = folder;
  }

  static async start(options: ContainerOptions): Promise<Container> {
    const { root, mounts, network, address } = options;
    for (const { source, target } of mounts) makePlace(path.join(root, target), source);
    const folder = tempFolder();
    const go = path.join(folder.path, 'go');
    const flags = ['--mount', '--pid', '--net', '--uts', '--ipc', '--fork', '--kill-child'];
    const mode = (readOnly: boolean): string => (readOnly ? 'ro' : 'rw');
    const own = [
      root,
      go,
      options.uid,
      options.gid,
      options.workdir,
      mode(options.readOnlyRoot),
      options.name,
      mounts.length,
    ].map(String);
    const places = mounts.flatMap(({ source, target, readOnly }) => [source, target, mode(readOnly)]);
    const managed = startProcess({
      name: options.name,
      command: 'unshare',
      args: [...flags, '/bin/sh', '-ec', script, 'container', ...own, ...places, ...options.command],
      env: {
        ...Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined])),
        ...options.env,
      },
      onLine: options.onLine,
    });
    try {
      const { pid } = managed;
      const net = (of: number | 'self'): string => fs.readlinkSync(`/proc/${of}/ns/net`);
      await eventually(() => net(pid) !== net('self'), {
        intervalMs: 10,
        what: 'the network of a container',
      });
      const place = await network.attach(pid, address);
      fs.writeFileSync(go, '');
      return new Container(managed, place, folder);
    } catch (error) {
      await managed.kill();
      folder[Symbol.dispose]();
      throw new Error(`${options.name}: ${managed.tail()}`, { cause: error });
    }
  }

  /** Process 1 of the container, by its number on the machine. */
  get pid(): number {
    const own = this.process.pid;
    return Number(fs.readFileSync(`/proc/${own}/task/${own}/children`, 'utf8').trim().split(' ')[0]);
  }

  /** SIGTERM to process 1, SIGKILL after the grace. */
  async stop(graceMs: number): Promise<ProcessEnd> {
    if (this.process.end === undefined) process.kill(this.pid, 'SIGTERM');
    const timer = setTimeout(() => void this.process.kill(), graceMs);
    const end = await this.process.ended;
    clearTimeout(timer);
    this.#folder[Symbol.dispose]();
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill();
    this.#folder[Symbol.dispose]();
  }
}

/** A folder for a folder, a file for a file, as a container runtime makes it. */
function makePlace(place: string, source: string): void {
  if (fs.existsSync(place)) return;
  const isFolder = fs.statSync(source).isDirectory();
  fs.mkdirSync(isFolder ? place : path.dirname(place), { recursive: true });
  if (!isFolder) fs.writeFileSync(place, '');
}
