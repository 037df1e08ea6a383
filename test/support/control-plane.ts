import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { type ManagedProcess, freePorts, prepared, ready, startProcess } from './processes.ts';

/**
 * A real Kubernetes control plane on loopback: etcd and kube-apiserver as two processes, so that a test can take the
 * API server away while the data stays, and kube-controller-manager if asked for. There are no nodes: pods stay
 * Pending unless a test patches their status.
 */
export interface ControlPlaneOptions {
  /** Folder of the binaries; default: what `scripts/prepare.mjs control-plane` finds. */
  readonly bin?: string;
  /** Also run the controller manager: garbage collection, namespace deletion, Deployments. Default false. */
  readonly controllerManager?: boolean;
  readonly apiserverFlags?: readonly string[];
}

/** What is needed to talk to a control plane; plain data, so it can be handed to another process. */
export interface ControlPlaneInfo {
  readonly bin: string;
  /** A folder for files, removed with the control plane. */
  readonly dir: string;
  /** Address of the API server. */
  readonly server: string;
  /** Its certificate authority, PEM. */
  readonly ca: string;
  /** Bearer token and kubeconfig of a cluster admin. */
  readonly token: string;
  readonly kubeconfig: string;
  /** The same of an authenticated user without any rights. */
  readonly restrictedToken: string;
  readonly restrictedKubeconfig: string;
  readonly hasControllerManager: boolean;
  /** What ServiceAccounts asked for, a JSON line each (`audit.ts`). */
  readonly auditLog: string;
}

/** How a kubectl call ended. */
export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An answer of the API server. */
export interface ApiAnswer {
  readonly status: number;
  /** Parsed JSON, or the text if it is none. */
  readonly body: unknown;
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  /** Default: `application/json`. */
  readonly accept?: string;
  /** Default: `application/json`; for PATCH `application/merge-patch+json`. */
  readonly contentType?: string;
  readonly token?: string;
}

/** Access to a running control plane, wherever it was started. */
export class ControlPlaneAccess {
  readonly info: ControlPlaneInfo;
  readonly server: string;
  readonly token: string;
  readonly ca: string;
  readonly kubeconfig: string;
  readonly restrictedToken: string;
  readonly restrictedKubeconfig: string;

  constructor(info: ControlPlaneInfo) {
    this.info = info;
    this.server = info.server;
    this.token = info.token;
    this.ca = info.ca;
    this.kubeconfig = info.kubeconfig;
    this.restrictedToken = info.restrictedToken;
    this.restrictedKubeconfig = info.restrictedKubeconfig;
  }

  /** Runs kubectl as the admin, or with another kubeconfig. Does not throw on a failing exit code. */
  async kubectl(
    args: readonly string[],
    options: { readonly input?: string; readonly kubeconfig?: string } = {},
  ): Promise<KubectlResult> {
    await using run = startProcess({
      name: 'kubectl',
      command: path.join(this.info.bin, 'kubectl'),
      args: [`--kubeconfig=${options.kubeconfig ?? this.kubeconfig}`, ...args],
      env: { KUBECACHEDIR: path.join(this.info.dir, 'kubectl-cache'), KUBECONFIG: undefined },
      ...(options.input === undefined ? {} : { input: options.input }),
    });
    const end = await run.ended;
    return { code: end.code ?? 1, stdout: run.stdout, stderr: run.stderr };
  }

  /** One call of the API, with the admin's token unless another is given. Throws only when there is no answer. */
  request(apiPath: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    const method = request.method ?? 'GET';
    const payload = request.body === undefined ? undefined : JSON.stringify(request.body);
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    return call(this.server + apiPath, {
      method,
      ca: this.ca,
      headers: {
        authorization: `Bearer ${request.token ?? this.token}`,
        accept: request.accept ?? 'application/json',
        ...(payload === undefined ? {} : { 'content-type': request.contentType ?? type }),
      },
      ...(payload === undefined ? {} : { payload }),
    });
  }

  /** A kubeconfig that acts as any user and groups, by impersonation: for tests of RBAC. */
  userKubeconfig(identity: { readonly user: string; readonly groups?: readonly string[] }): string {
    const user = {
      token: this.token,
      as: identity.user,
      // The admin's own groups do not carry over; this one every authenticated user has.
      'as-groups': ['system:authenticated', ...(identity.groups ?? [])],
    };
    return writeKubeconfig(this.info, user);
  }

  /** A kubeconfig and token of a ServiceAccount, as a pod would have it; the account must exist. */
  async serviceAccountAccess(
    namespace: string,
    name: string,
  ): Promise<{ readonly token: string; readonly kubeconfig: string }> {
    const answer = await this.request(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
      method: 'POST',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
    });
    const status = (answer.body as { status?: { token?: string } }).status;
    if (status?.token === undefined)
      throw new Error(`no token for ${namespace}/${name}: ${JSON.stringify(answer)}`);
    return { token: status.token, kubeconfig: writeKubeconfig(this.info, { token: status.token }) };
  }
}

/** A control plane of one's own, with its processes in hand. */
export class ControlPlane extends ControlPlaneAccess implements AsyncDisposable {
  readonly etcd: ManagedProcess;
  readonly controllerManager: ManagedProcess | undefined;
  readonly #startApiServer: () => ManagedProcess;
  #apiServer: ManagedProcess;

  constructor(
    info: ControlPlaneInfo,
    processes: {
      readonly etcd: ManagedProcess;
      readonly apiServer: ManagedProcess;
      readonly controllerManager: ManagedProcess | undefined;
    },
    startApiServer: () => ManagedProcess,
  ) {
    super(info);
    this.etcd = processes.etcd;
    this.#apiServer = processes.apiServer;
    this.controllerManager = processes.controllerManager;
    this.#startApiServer = startApiServer;
  }

  get apiServer(): ManagedProcess {
    return this.#apiServer;
  }

  /** Ends the API server; `kill` as a crash does. The data stays in etcd. */
  async stopApiServer(how: 'term' | 'kill' = 'term'): Promise<void> {
    // A few seconds: with open watches an API server would take its whole grace.
    await (how === 'kill' ? this.#apiServer.kill() : this.#apiServer.stop(3_000));
  }

  /** Starts it again on the same port with the same data and certificates; resolves when it is ready. */
  async startApiServer(): Promise<void> {
    this.#apiServer = this.#startApiServer();
    await ready(this.#apiServer, () => isReady(this.server, this.token));
  }

  /** For example SIGSTOP and SIGCONT: a server that is there and does not answer. */
  signal(name: 'etcd' | 'kube-apiserver' | 'kube-controller-manager', signal: NodeJS.Signals): void {
    const target = {
      etcd: this.etcd,
      'kube-apiserver': this.#apiServer,
      'kube-controller-manager': this.controllerManager,
    };
    target[name]?.signal(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.controllerManager?.kill();
    await this.#apiServer.kill();
    await this.etcd.kill();
    fs.rmSync(this.info.dir, { recursive: true, force: true });
  }
}

/** Starts a control plane and resolves when its API server is ready, 3 to 6 seconds later. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const bin = options.bin ?? (await prepared('control-plane'));
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-control-plane-'));
  const file = (name: string): string => path.join(dir, name);
  const [etcdPort, peerPort, apiPort, managerPort] = await freePorts(4);
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const server = `https://127.0.0.1:${apiPort}`;
  const token = randomBytes(16).toString('hex');
  const restrictedToken = randomBytes(16).toString('hex');
  const users = `${token},admin,admin,"system:masters"\n${restrictedToken},nobody,nobody\n`;
  fs.writeFileSync(file('tokens.csv'), users, { mode: 0o600 });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  fs.writeFileSync(file('sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });

  fs.writeFileSync(file('audit-policy.json'), JSON.stringify(auditPolicy));

  const etcd = startProcess({
    name: 'etcd',
    command: path.join(bin, 'etcd'),
    args: [
      `--data-dir=${file('etcd')}`,
      '--unsafe-no-fsync',
      '--log-level=error',
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
    ],
  });
  const startApiServer = (): ManagedProcess =>
    startProcess({
      name: 'kube-apiserver',
      command: path.join(bin, 'kube-apiserver'),
      args: [
        `--etcd-servers=${etcdUrl}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        // Otherwise it refuses to announce a loopback address.
        '--endpoint-reconciler-type=none',
        `--secure-port=${apiPort}`,
        `--cert-dir=${file('certs')}`,
        '--service-cluster-ip-range=10.0.0.0/24',
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${file('sa.key')}`,
        `--service-account-signing-key-file=${file('sa.key')}`,
        `--token-auth-file=${file('tokens.csv')}`,
        '--authorization-mode=RBAC',
        `--audit-policy-file=${file('audit-policy.json')}`,
        `--audit-log-path=${file('audit.log')}`,
        // Without a controller manager nobody would make the default accounts that it asks for.
        ...(options.controllerManager === true ? [] : ['--disable-admission-plugins=ServiceAccount']),
        ...(options.apiserverFlags ?? []),
      ],
    });
  let apiServer: ManagedProcess | undefined;
  try {
    await ready(etcd, () => isHealthy(etcdUrl));
    apiServer = startApiServer();
    await ready(apiServer, () => isReady(server, token), 120_000);
  } catch (error) {
    await apiServer?.kill();
    await etcd.kill();
    fs.rmSync(dir, { recursive: true, force: true });
    throw error;
  }
  const hasControllerManager =
    options.controllerManager === true && fs.existsSync(path.join(bin, 'kube-controller-manager'));
  // The self-signed chain has the authority last.
  const chain = fs
    .readFileSync(file('certs/apiserver.crt'), 'utf8')
    .match(/-----BEGIN CERT[^]*?-----END CERTIFICATE-----\n/g);
  const ca = chain?.at(-1) ?? '';
  fs.writeFileSync(file('ca.crt'), ca);
  const access = { dir, server };
  const info: ControlPlaneInfo = {
    ...access,
    bin,
    ca,
    token,
    restrictedToken,
    hasControllerManager,
    auditLog: file('audit.log'),
    kubeconfig: writeKubeconfig(access, { token }),
    restrictedKubeconfig: writeKubeconfig(access, { token: restrictedToken }),
  };
  const controllerManager = hasControllerManager
    ? startProcess({
        name: 'kube-controller-manager',
        command: path.join(bin, 'kube-controller-manager'),
        args: [
          `--kubeconfig=${info.kubeconfig}`,
          '--bind-address=127.0.0.1',
          `--secure-port=${managerPort}`,
          `--cert-dir=${file('kcm')}`,
          '--leader-elect=false',
          `--service-account-private-key-file=${file('sa.key')}`,
          `--root-ca-file=${file('ca.crt')}`,
          // Without nodes there is nothing for it to watch.
          '--controllers=*,-node-lifecycle-controller',
        ],
      })
    : undefined;
  return new ControlPlane(info, { etcd, apiServer, controllerManager }, startApiServer);
}

/** ServiceAccounts alone, and when they got their answer; of a watch, when it began. */
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', userGroups: ['system:serviceaccounts:kube-system'] },
    { level: 'Metadata', userGroups: ['system:serviceaccounts'] },
    { level: 'None' },
  ],
};

function writeKubeconfig(
  access: { readonly dir: string; readonly server: string },
  user: Readonly<Record<string, unknown>>,
): string {
  const file = path.join(access.dir, `kubeconfig-${randomBytes(6).toString('hex')}`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      {
        name: 'test',
        cluster: { server: access.server, 'certificate-authority': path.join(access.dir, 'ca.crt') },
      },
    ],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
  };
  fs.writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

async function isHealthy(etcdUrl: string): Promise<boolean> {
  return (await fetch(`${etcdUrl}/health`)).ok;
}

async function isReady(server: string, token: string): Promise<boolean> {
  const answer = await call(`${server}/readyz`, {
    method: 'GET',
    headers: { authorization: `Bearer ${token}` },
    // Its certificate is made by itself and not known before it runs.
    insecure: true,
  });
  return answer.body === 'ok';
}

function call(
  url: string,
  options: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly payload?: string;
    readonly ca?: string;
    readonly insecure?: boolean;
  },
): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const request = https.request(
      url,
      {
        method: options.method,
        headers: options.headers,
        timeout: 30_000,
        agent: false,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
        ...(options.insecure === true ? { rejectUnauthorized: false } : {}),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parse(text) }));
        response.on('error', reject);
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer from ${url} in 30 s`)));
    request.on('error', reject);
    request.end(options.payload);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
