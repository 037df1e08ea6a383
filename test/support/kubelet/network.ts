/**
 * A network of pods on one machine that touches nothing of the machine's own: a network namespace holds a bridge, each
 * pod is another one, joined to it. Pods reach each other by address; what else is there, servers of the test and
 * Services, is announced here and then reached by address and name. There is no way out to anywhere else.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { join, type GatewayOrder } from './gateway.ts';

const exec = promisify(execFile);
const pods = '10.244.0';
/** Addresses of what is no pod: servers of the test, and Services as the control planes of the tests have them. */
const outside = '10.245.0';
const services = '10.0.0';

const script =
  `ip link set lo up && ip addr add ${outside}.0/24 dev lo && ip addr add ${services}.0/24 dev lo && ` +
  `ip link add br0 type bridge && ip addr add ${pods}.1/24 dev br0 && ip link set br0 up && exec "$0" "$@"`;

/** Where something listens: an address of its own if none is given. */
export interface Place {
  readonly address?: string;
  readonly port?: number;
  /** In every pod's /etc/hosts. */
  readonly names?: readonly string[];
}

/** A pod's place in the network. */
export interface PodPlace {
  readonly address: string;
  /** GET of a path, as a probe would; rejects when nobody answers in time. */
  get(
    port: number,
    where: string,
    timeoutMs: number,
  ): Promise<{ readonly status: number; readonly text: string }>;
}

export class PodNetwork implements AsyncDisposable {
  /** What every pod has as its /etc/hosts. */
  readonly hostsFile: string;
  readonly #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pods-'));
  readonly #gateway: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #servers: net.Server[] = [];
  readonly #names = new Map<string, string>();
  #turn: Promise<unknown> = Promise.resolve();
  #lastPod = 1;
  #lastOutside = 0;
  #lastSocket = 0;

  private constructor() {
    this.hostsFile = path.join(this.#folder, 'hosts');
    this.#name('127.0.0.1', ['localhost']);
    const gateway = path.join(import.meta.dirname, 'gateway.ts');
    const args = ['--net', '/bin/sh', '-c', script, process.execPath, gateway];
    this.#gateway = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#gateway;
    if (stdout === null) throw new Error('the gateway has an output');
    this.#answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  static async start(): Promise<PodNetwork> {
    const network = new PodNetwork();
    const { value } = await network.#answers.next();
    if (value !== 'ready') throw new Error('the gateway of the pods did not start');
    return network;
  }

  /** Makes a server of the test reachable from pods. Gives its address there. */
  async announce(hostPort: number, at: Place = {}): Promise<string> {
    const { address = `${outside}.${++this.#lastOutside}`, port = hostPort, names = [] } = at;
    this.#name(address, names);
    const socket = this.#newSocket();
    const server = net.createServer((client) => join(client, net.connect(hostPort, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    this.#servers.push(server);
    await this.#order({ from: { host: address, port }, to: { path: socket } });
    return address;
  }

  /** Something in front of a port of one pod; a second call for the same place leads it to another pod. */
  async serve(podAddress: string, podPort: number, at: Place = {}): Promise<string> {
    const { address = `${outside}.${++this.#lastOutside}`, port = podPort, names = [] } = at;
    this.#name(address, names);
    await this.#order({ from: { host: address, port }, to: { host: podAddress, port: podPort } });
    return address;
  }

  /** An address for a pod to come. */
  newAddress(): string {
    return `${pods}.${++this.#lastPod}`;
  }

  /** Joins the network namespace of a process to the others, under an address. */
  async attach(pid: number, address: string): Promise<PodPlace> {
    const link = `pod${address.split('.').at(-1) ?? ''}`;
    const own = ['--net', '-t', String(this.#gateway.pid), '/bin/sh', '-ec'];
    const theirs = ['--net', '-t', String(pid), '/bin/sh', '-ec'];
    await exec('nsenter', [
      ...own,
      `ip link add ${link} type veth peer name eth0 netns ${pid}; ip link set ${link} master br0 up`,
    ]);
    await exec('nsenter', [
      ...theirs,
      `ip link set lo up; ip addr add ${address}/24 dev eth0; ip link set eth0 up; ip route add default via ${pods}.1`,
    ]);
    const sockets = new Map<number, Promise<string>>();
    const socketOf = (port: number): Promise<string> => {
      const known = sockets.get(port);
      if (known !== undefined) return known;
      const socket = this.#newSocket();
      const made = this.#order({ from: { path: socket }, to: { host: address, port } }).then(() => socket);
      sockets.set(port, made);
      return made;
    };
    return { address, get: async (port, where, timeoutMs) => get(await socketOf(port), where, timeoutMs) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#gateway.once('close', resolve));
    this.#gateway.stdin?.end();
    if (this.#gateway.exitCode === null) await ended;
    for (const server of this.#servers) server.close();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Written in place, since it is mounted as a file. */
  #name(address: string, names: readonly string[]): void {
    for (const name of names) this.#names.set(name, address);
    const lines = [...this.#names].map(([name, where]) => `${where} ${name}`);
    fs.writeFileSync(this.hostsFile, `${lines.join('\n')}\n`);
  }

  #newSocket(): string {
    return path.join(this.#folder, String(++this.#lastSocket));
  }

  /** One after the other, since answers have no name. */
  #order(order: GatewayOrder): Promise<void> {
    const done = this.#turn.then(async () => {
      this.#gateway.stdin?.write(`${JSON.stringify(order)}\n`);
      const { value } = await this.#answers.next();
      if (value !== 'ok') throw new Error(`${JSON.stringify(order)}: ${String(value)}`);
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function get(
  socketPath: string,
  where: string,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path: where, timeout: timeoutMs, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    request.on('error', reject);
  });
}
