/**
 * Services of the pods that run here, as kube-proxy and the cluster's DNS make them reachable: by cluster address and by
 * name. One ready pod answers for a Service, since tests have no more.
 */
import type { ControlPlaneAccess } from '../control-plane.ts';
import type { PodNetwork } from './network.ts';
import type { RunningPod } from './running-pod.ts';

interface Service {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly clusterIP?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly port: number; readonly targetPort?: number | string }[];
  };
}

export class ServiceProxy {
  readonly #controlPlane: ControlPlaneAccess;
  readonly #network: PodNetwork;
  /** Where the ports of Services lead now. */
  readonly #routes = new Map<string, string>();

  constructor(controlPlane: ControlPlaneAccess, network: PodNetwork) {
    this.#controlPlane = controlPlane;
    this.#network = network;
  }

  /** Looks at the Services of a namespace, of which these pods run. */
  async sync(namespace: string, pods: readonly RunningPod[]): Promise<void> {
    // Without pods there is nobody to lead to.
    if (pods.length === 0) return;
    const { body } = await this.#controlPlane.request(`/api/v1/namespaces/${namespace}/services`);
    for (const service of (body as { items?: readonly Service[] }).items ?? []) {
      const { clusterIP = 'None', selector, ports = [] } = service.spec;
      if (clusterIP === 'None' || selector === undefined) continue;
      const pod = pods.find(({ ready, pod: { metadata } }) =>
        Object.entries(selector).every(([key, value]) => ready && metadata.labels?.[key] === value),
      );
      if (pod === undefined) continue;
      for (const { port, targetPort = port } of ports)
        await this.#lead(service, pod, { address: clusterIP, port }, targetPort);
    }
  }

  async #lead(
    { metadata: { name, namespace } }: Service,
    pod: RunningPod,
    at: { readonly address: string; readonly port: number },
    targetPort: number | string,
  ): Promise<void> {
    const key = `${at.address}:${at.port}`;
    const podPort = pod.portOf(targetPort);
    const route = `${pod.address}:${podPort}`;
    if (this.#routes.get(key) === route) return;
    this.#routes.set(key, route);
    const names = [
      `${name}.${namespace}`,
      `${name}.${namespace}.svc`,
      `${name}.${namespace}.svc.cluster.local`,
    ];
    await this.#network.serve(pod.address, podPort, { ...at, names });
  }
}
