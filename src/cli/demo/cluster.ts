/**
 * The demo through a cluster: CRDs, class, Services and mappings by `kubectl apply`, a controller and two pollers as
 * processes of this machine, `kubectl wait` for readiness. Any cluster of the kubeconfig will do; pods are not
 * needed, since the consumer is reached by `--endpoint-address-override`.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { messageOf, never, SluiceError } from '../../lib/errors.ts';
import type { Runtime, Stage } from '../demo.ts';

export interface ClusterOptions {
  readonly stage: Stage;
  readonly consumerUrl: string;
  readonly manifests: readonly string[];
  readonly say: (text: string) => Promise<void> | void;
}

const namespace = 'sluice-demo';
const system = 'sluice-demo-system';
const checkout = fileURLToPath(new URL('../../../', import.meta.url));
const run = promisify(execFile);

/** Waits until the CRDs are served. kubectl refuses to wait in the moment before a new CRD has any condition. */
async function established(kubectl: (args: readonly string[]) => Promise<string>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await kubectl(['wait', '--for=condition=Established', '--timeout=60s', '-f', `${checkout}crds/`]);
      return;
    } catch (error) {
      if (tries >= 10 || !messageOf(error).includes('accessor error')) throw error;
    }
  }
}

export async function startCluster(options: ClusterOptions, signal: AbortSignal): Promise<Runtime> {
  const { stage, say } = options;
  const kubectl = (args: readonly string[], input?: object): Promise<string> =>
    callKubectl(args, input, signal);
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(stopChild));
    for (const name of [namespace, system]) {
      await callKubectl(
        ['delete', 'namespace', name, '--wait=false', '--ignore-not-found'],
        undefined,
        undefined,
      ).catch(() => '');
    }
  };
  try {
    await say('kubectl apply -f crds/\n');
    await kubectl(['apply', '--server-side', '-f', `${checkout}crds/`]);
    await established(kubectl);
    await say('Applying a MappingClass, the namespaces and the Services of the consumer\n');
    await kubectl(['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items: objects(options) });
    const common = ['--cluster-id', 'demo', '--namespace', system, '--log-level', 'error'];
    const members = ['poller-a', 'poller-b'] as const;
    const addresses = await freeAddresses(1 + members.length);
    const metricsOf = (index: number): readonly string[] => ['--metrics-address', addresses[index] ?? ''];
    children.push(startChild(['controller', ...common, ...metricsOf(0)], stage.env));
    for (const [index, member] of members.entries()) {
      children.push(
        startChild(
          [
            'poller',
            ...common,
            ...metricsOf(index + 1),
            '--member',
            member,
            '--endpoint-address-override',
            '127.0.0.1',
            '--grace-seconds',
            '10',
            '--drain-receive-seconds',
            '1',
          ],
          stage.env,
        ),
      );
    }
    for (const file of options.manifests) {
      await say(`kubectl -n ${namespace} apply -f ${file}\n`);
      await kubectl(['-n', namespace, 'apply', '-f', file]);
    }
    await kubectl(['-n', namespace, 'wait', '--for=condition=Ready', '--timeout=90s', 'esm', '--all']);
    const shown = await kubectl(['-n', namespace, 'get', 'esm']);
    return {
      notes: [
        `kubectl -n ${namespace} get esm`,
        shown.trimEnd(),
        ...['controller', ...members].map(
          (name, index) => `Metrics  http://${addresses[index]}/metrics (${name})`,
        ),
        `Consumer ${options.consumerUrl}`,
      ],
      inFlight: () => 0,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function objects({ stage, consumerUrl }: ClusterOptions): readonly object[] {
  const port = Number(new URL(consumerUrl).port);
  const account = new URL(stage.queueUrls.orders).pathname.split('/')[1] ?? '';
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: system } },
    {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'MappingClass',
      metadata: { name: 'demo', annotations: { 'sluice.dev/is-default-class': 'true' } },
      spec: { namespaces: [namespace], aws: { region: stage.env['AWS_REGION'], accountID: account } },
    },
    ...['orders-consumer', 'payments-consumer'].flatMap((name) => [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace },
        spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: port }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        // An address of no machine: the override leads to the consumer.
        endpoints: [{ addresses: ['192.0.2.1'], conditions: { ready: true } }],
        ports: [{ name: 'http', port, protocol: 'TCP' }],
      },
    ]),
  ];
}

async function callKubectl(
  args: readonly string[],
  input: object | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  const command = process.env['KUBECTL'] ?? 'kubectl';
  try {
    const child = run(command, args, {
      maxBuffer: 64 * 1024 * 1024,
      ...(signal === undefined ? {} : { signal }),
    });
    child.child.stdin?.end(input === undefined ? '' : stringify(input, { aliasDuplicateObjects: false }));
    return (await child).stdout;
  } catch (error) {
    throw new SluiceError('DemoFailed', `${command} ${args.join(' ')}: ${messageOf(error)}`, never, {
      cause: error,
    });
  }
}

/** Addresses of this machine that were free a moment ago: what the children log is not read. */
async function freeAddresses(count: number): Promise<readonly string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  await Promise.all(
    servers.map((server) => {
      server.close();
      return once(server, 'close');
    }),
  );
  return addresses;
}

function startChild(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [`${checkout}src/cli/main.ts`, ...args], {
    env: { ...process.env, ...env },
    // Their errors are told on standard error; standard output is the demo's own.
    stdio: ['ignore', 2, 2],
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
