import { randomBytes } from 'node:crypto';
import type { ControlPlaneAccess } from './control-plane.ts';
import type { HttpSink } from './http-sink.ts';
import { testNamespace, type TestNamespace } from './kube.ts';
import type { TestQueue } from './queues.ts';
import { awsEnvironment, type AwsServer } from './servers/aws-server.ts';
import { startSluice, type Sluice } from './sluice.ts';

/**
 * A controller and pollers as real processes on a real API server, serving one namespace of a test through a class and
 * a pool of their own, so that tests on a shared control plane do not meet.
 */
export class TestFleet implements AsyncDisposable {
  readonly controlPlane: ControlPlaneAccess;
  readonly namespace: TestNamespace;
  /** Where Leases and reports are. */
  readonly system: TestNamespace;
  readonly className: string;
  /** Every process that was started, also those that have ended. */
  readonly processes: Sluice[] = [];
  readonly pollers: Sluice[] = [];
  /** The controller that was started last. */
  controller: Sluice | undefined;
  readonly #env: Readonly<Record<string, string>>;
  readonly #alsoWatch: readonly TestNamespace[];
  readonly #kubeconfigs: TestFleetOptions['kubeconfigs'];
  readonly #clusterID: string;

  constructor(
    controlPlane: ControlPlaneAccess,
    names: { readonly namespace: TestNamespace; readonly system: TestNamespace; readonly className: string },
    env: Readonly<Record<string, string>>,
    { alsoWatch = [], kubeconfigs, clusterID = 'test' }: TestFleetOptions = {},
  ) {
    this.controlPlane = controlPlane;
    this.namespace = names.namespace;
    this.system = names.system;
    this.className = names.className;
    this.#env = env;
    this.#alsoWatch = alsoWatch;
    this.#clusterID = clusterID;
    this.#kubeconfigs = kubeconfigs;
  }

  startController(args: readonly string[] = []): Sluice {
    this.controller = this.#start(['controller', ...args]);
    return this.controller;
  }

  startPoller(member: string, args: readonly string[] = []): Sluice {
    const own = ['--member', member, '--pool', this.className, '--endpoint-address-override', '127.0.0.1'];
    const poller = this.#start([
      'poller',
      ...own,
      '--grace-seconds',
      '15',
      '--drain-receive-seconds',
      '1',
      ...args,
    ]);
    this.pollers.push(poller);
    return poller;
  }

  /** A controller and these pollers; resolves when they all have started. */
  async start(members: readonly string[]): Promise<void> {
    this.startController();
    for (const member of members) this.startPoller(member);
    await Promise.all(this.processes.map((process) => process.logged('Started', {}, 30_000)));
  }

  /** A mapping of the queue to the Service of the sink. */
  mapping(
    name: string,
    queue: TestQueue,
    service: string,
    spec: Readonly<Record<string, unknown>> = {},
  ): Record<string, unknown> & {
    readonly spec: Record<string, unknown>;
  } {
    return {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name, namespace: this.namespace.name },
      spec: {
        mode: 'Poller',
        className: this.className,
        eventSourceARN: queue.arn,
        poller: { target: { http: { service: { name: service, port: 80 }, timeoutSeconds: 5 } } },
        ...spec,
      },
    };
  }

  /** A Service with one ready endpoint, which the pollers reach at the sink's port. */
  async serve(name: string, sink: HttpSink, ready = true): Promise<void> {
    await this.namespace.serve(name, sink.port, ready);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map((process) => process[Symbol.asyncDispose]()));
    await this.namespace[Symbol.asyncDispose]();
    await this.system[Symbol.asyncDispose]();
    await this.controlPlane.request(`/apis/sluice.dev/v1alpha1/mappingclasses/${this.className}`, {
      method: 'DELETE',
    });
  }

  #start(args: readonly string[]): Sluice {
    const common = [
      '--cluster-id',
      this.#clusterID,
      '--namespace',
      this.system.name,
      '--metrics-address',
      '127.0.0.1:0',
    ];
    const watched = [this.namespace, ...this.#alsoWatch].flatMap(({ name }) => ['--watch-namespaces', name]);
    const kubeconfig = this.#kubeconfigs?.[args[0] === 'poller' ? 'poller' : 'controller'];
    const scope = [...watched, '--kubeconfig', kubeconfig ?? this.controlPlane.kubeconfig];
    const process = startSluice([...args, ...common, ...scope], this.#env);
    this.processes.push(process);
    return process;
  }
}

export interface TestFleetOptions {
  /** Further namespaces that controller and pollers look at. */
  readonly alsoWatch?: readonly TestNamespace[];
  /** Laid over the environment of the processes. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: `test`. */
  readonly clusterID?: string;
  /** As whom the processes ask the API server; default the admin. */
  readonly kubeconfigs?: { readonly controller: string; readonly poller: string };
  /** Where Leases and reports are; default a new namespace. */
  readonly system?: TestNamespace;
}

export async function testFleet(
  controlPlane: ControlPlaneAccess,
  aws: AwsServer,
  options: TestFleetOptions = {},
): Promise<TestFleet> {
  const namespace = await testNamespace(controlPlane);
  const system = options.system ?? (await testNamespace(controlPlane));
  const className = `pool-${randomBytes(4).toString('hex')}`;
  await namespace.apply({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'MappingClass',
    metadata: { name: className },
    spec: { namespaces: [namespace.name], pool: className },
  });
  const env = { ...awsEnvironment(aws), ...options.env };
  return new TestFleet(controlPlane, { namespace, system, className }, env, options);
}
