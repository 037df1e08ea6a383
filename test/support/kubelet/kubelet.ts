/**
 * A kubelet for tests: takes the pods that the control plane makes of Deployments, runs them as containers of this
 * machine (`container.ts`), asks their probes, and reports their status, so that rollouts come to their end. A pod that
 * is deleted gets SIGTERM and its grace, as on a node.
 *
 * One container to a pod. It tells of readiness sooner than a real one would, to spare tests the waiting.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../../src/lib/errors.ts';
import type { ControlPlaneAccess } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { imageFolder, type Image } from '../image/image.ts';
import { Container } from './container.ts';
import { PodNetwork } from './network.ts';
import {
  environmentOf,
  mountsOf,
  substitute,
  type Pod,
  type PodContainer,
  type Surroundings,
} from './pod-spec.ts';
import { RunningPod, STEP_MS } from './running-pod.ts';
import { ServiceProxy } from './services.ts';

export interface KubeletOptions {
  readonly controlPlane: ControlPlaneAccess;
  readonly network: PodNetwork;
  /** What can be pulled, by the name that stands in manifests. */
  readonly images: Readonly<Record<string, Image>>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Kubelet implements AsyncDisposable {
  /** Every pod that was run, also those that have ended. */
  readonly history: RunningPod[] = [];
  readonly nodeName = `kubelet-${randomBytes(4).toString('hex')}`;
  readonly #options: KubeletOptions;
  readonly #folder = imageFolder();
  readonly #services: ServiceProxy;
  readonly #namespaces = new Set<string>();
  readonly #pods = new Map<string, RunningPod>();
  #stopped = false;
  #problem: string | undefined;
  #loop: Promise<void> = Promise.resolve();

  private constructor(options: KubeletOptions) {
    this.#options = options;
    this.#services = new ServiceProxy(options.controlPlane, options.network);
  }

  static async start(options: KubeletOptions): Promise<Kubelet> {
    const kubelet = new Kubelet(options);
    const { controlPlane, network } = options;
    await network.announce(Number(new URL(controlPlane.server).port), {
      address: '10.0.0.1',
      port: 443,
      names: ['kubernetes.default.svc'],
    });
    const answer = await controlPlane.request('/api/v1/nodes', {
      method: 'POST',
      body: { apiVersion: 'v1', kind: 'Node', metadata: { name: kubelet.nodeName } },
    });
    if (answer.status !== 201) throw new Error(`no Node: ${JSON.stringify(answer.body)}`);
    kubelet.#loop = kubelet.#run();
    return kubelet;
  }

  /** From now on pods of this namespace are run here. */
  serve(namespace: string): void {
    this.#namespaces.add(namespace);
  }

  /** Pods that run now and are not about to end, by a label. */
  pods(label: string, value: string): readonly RunningPod[] {
    return [...this.#pods.values()].filter(
      ({ pod, stopping }) => pod.metadata.labels?.[label] === value && stopping === undefined,
    );
  }

  /** Waits until so many pods with the label run and are ready. Throws at once for one that cannot. */
  async ready(
    label: string,
    value: string,
    count: number,
    timeoutMs = 60_000,
  ): Promise<readonly RunningPod[]> {
    const state = await eventually(
      () => {
        const problem = this.problems()[0] ?? this.#problem;
        if (problem !== undefined) return { problem };
        const pods = this.pods(label, value).filter((pod) => pod.ready);
        if (pods.length !== count) throw new Error(`${pods.length} pods are ready`);
        return { pods };
      },
      { timeoutMs, intervalMs: 50, what: `${count} ready pods with ${label}=${value}` },
    );
    if (state.pods === undefined) throw new Error(state.problem);
    return state.pods;
  }

  /** Everything that went wrong with pods. */
  problems(): readonly string[] {
    return this.history.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#loop;
    await Promise.all(this.history.map(({ container }) => container[Symbol.asyncDispose]()));
    await this.#options.controlPlane.request(`/api/v1/nodes/${this.nodeName}`, { method: 'DELETE' });
    this.#folder[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        for (const namespace of this.#namespaces) await this.#sync(namespace);
        this.#problem = undefined;
      } catch (error) {
        this.#problem = messageOf(error);
      }
      await pause(STEP_MS);
    }
  }

  async #sync(namespace: string): Promise<void> {
    const { controlPlane } = this.#options;
    const { body, status } = await controlPlane.request(`/api/v1/namespaces/${namespace}/pods`);
    if (status !== 200) throw new Error(`pods of ${namespace}: ${JSON.stringify(body)}`);
    const pods = (body as { items: readonly Pod[] }).items;
    const seen = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const pod of pods) {
      const running = this.#pods.get(pod.metadata.uid);
      const { deletionTimestamp } = pod.metadata;
      if (running === undefined) {
        if (deletionTimestamp === undefined) await this.#start(pod);
      } else if (deletionTimestamp !== undefined)
        this.#stop(running, pod.metadata.deletionGracePeriodSeconds);
      else if (await running.probe()) await this.#report(running);
    }
    for (const [uid, running] of this.#pods)
      if (running.pod.metadata.namespace === namespace && !seen.has(uid)) this.#stop(running, 0);
    const here = [...this.#pods.values()].filter(({ pod }) => pod.metadata.namespace === namespace);
    await this.#services.sync(namespace, here);
  }

  async #start(pod: Pod): Promise<void> {
    const { controlPlane, network, images } = this.#options;
    const { name, namespace, uid } = pod.metadata;
    const [spec, ...more] = pod.spec.containers;
    if (spec === undefined || more.length > 0 || pod.spec.initContainers !== undefined)
      throw new Error(`${name} must have one container`);
    const image = images[spec.image];
    if (image === undefined) throw new Error(`${name}: there is no image ${spec.image}`);
    const bound = await controlPlane.request(`/api/v1/namespaces/${namespace}/pods/${name}/binding`, {
      method: 'POST',
      body: {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name },
        target: { kind: 'Node', name: this.nodeName },
      },
    });
    if (bound.status !== 201) throw new Error(`${name} is not bound: ${JSON.stringify(bound.body)}`);

    const folder = path.join(this.#folder.path, uid);
    const root = path.join(folder, 'root');
    fs.mkdirSync(folder);
    execFileSync('cp', ['-al', image.root, root]);
    const address = network.newAddress();
    const around: Surroundings = { controlPlane, address, nodeName: this.nodeName };
    const own = await environmentOf(pod, spec, around);
    const { uid: user, gid } = userOf(pod, spec, image);
    const lines: Record<string, unknown>[] = [];
    const container = await Container.start({
      name,
      root,
      readOnlyRoot: spec.securityContext?.readOnlyRootFilesystem === true,
      command: [
        ...(spec.command ?? image.config.entrypoint),
        ...(spec.args ?? (spec.command === undefined ? image.config.cmd : [])),
      ].map((word) => substitute(word, own)),
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOSTNAME: name,
        KUBERNETES_SERVICE_HOST: '10.0.0.1',
        KUBERNETES_SERVICE_PORT: '443',
        KUBERNETES_SERVICE_PORT_HTTPS: '443',
        ...image.config.env,
        ...own,
      },
      uid: user,
      gid,
      workdir: image.config.workdir,
      mounts: [
        ...(image.mounts ?? []),
        { source: network.hostsFile, target: '/etc/hosts', readOnly: true },
        ...(await mountsOf(pod, spec, path.join(folder, 'volumes'), around)),
      ],
      network,
      address,
      onLine: (line) => {
        if (line.startsWith('{')) lines.push(JSON.parse(line) as Record<string, unknown>);
      },
    });
    const running = new RunningPod(pod, spec, container, lines);
    this.#pods.set(uid, running);
    this.history.push(running);
    await this.#report(running);
  }

  /** Begins the end of a pod, which others need not wait for. */
  #stop(running: RunningPod, graceSeconds = running.pod.spec.terminationGracePeriodSeconds ?? 30): void {
    running.stopping ??= (async () => {
      const { name, namespace, uid } = running.pod.metadata;
      await running.container.stop(graceSeconds * 1000);
      this.#pods.delete(uid);
      await this.#options.controlPlane.request(
        `/api/v1/namespaces/${namespace}/pods/${name}?gracePeriodSeconds=0`,
        { method: 'DELETE', body: { preconditions: { uid } } },
      );
    })().catch((error: unknown) => {
      running.problems.push(String(error));
    });
  }

  async #report({ pod, address, started, ready }: RunningPod): Promise<void> {
    const { name, namespace } = pod.metadata;
    const [spec] = pod.spec.containers;
    const now = new Date().toISOString().replace(/\.\d+/, '');
    const condition = (type: string, value: boolean): object => ({
      type,
      status: value ? 'True' : 'False',
      lastTransitionTime: now,
    });
    const status = {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      startTime: now,
      conditions: [
        condition('PodScheduled', true),
        condition('Initialized', true),
        condition('ContainersReady', ready),
        condition('Ready', ready),
      ],
      containerStatuses: [
        {
          name: spec?.name,
          image: spec?.image,
          imageID: '',
          ready,
          started,
          restartCount: 0,
          state: { running: { startedAt: now } },
        },
      ],
    };
    await this.#options.controlPlane.request(`/api/v1/namespaces/${namespace}/pods/${name}/status`, {
      method: 'PATCH',
      body: { status },
    });
  }
}

/** As whom it runs; refuses root where the pod says so, as a kubelet does. */
function userOf(pod: Pod, spec: PodContainer, image: Image): { readonly uid: number; readonly gid: number } {
  const context = { ...pod.spec.securityContext, ...spec.securityContext };
  const [user, group] = (image.config.user ?? '0').split(':').map(Number);
  const uid = context.runAsUser ?? user ?? 0;
  if (context.runAsNonRoot === true && !(uid > 0))
    throw new Error(`${pod.metadata.name}: runAsNonRoot is set, and its user is ${uid}`);
  return { uid, gid: context.runAsGroup ?? group ?? 0 };
}
