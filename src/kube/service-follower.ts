/**
 * Follows the endpoints of Services for HTTP targets, by EndpointSlices: one watch of Services and one of slices per
 * namespace that is in use, shared by all its mappings and closed with the last.
 *
 * Only Services with a selector are served: endpoints of others are written by hand, and could lead anywhere.
 * Terminating endpoints are left out as soon as they say so, so that a rollout is followed without a failed call.
 */
import type { ServiceFollower, ServiceRef, ServiceState } from '../fleet/ports.ts';
import type { Clock } from '../lib/clock.ts';
import { TaskGroup } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import type { ApiClient } from './api-client.ts';
import { Reflector, type ReflectorEvent } from './reflector.ts';
import { resource, type KubeObject } from './resource.ts';

const services = resource({
  group: '',
  version: 'v1',
  plural: 'services',
  kind: 'Service',
  namespaced: true,
});
const endpointSlices = resource({
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
});

/** A Service, as far as it matters here. */
export interface Service extends KubeObject {
  readonly spec?: {
    readonly type?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
  };
}

/** An EndpointSlice, as far as it matters here. */
export interface EndpointSlice extends KubeObject {
  readonly addressType?: string;
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean | null; readonly terminating?: boolean | null };
  }[];
  readonly ports?: readonly {
    readonly name?: string | null;
    readonly port?: number | null;
    readonly protocol?: string | null;
  }[];
}

/** The label by which a slice names its Service. */
const serviceLabel = 'kubernetes.io/service-name';

function serviceOf({ metadata }: EndpointSlice): string | undefined {
  return metadata.labels?.[serviceLabel];
}

/** Where a port of a Service can be reached, from the objects of its namespace. Pure. */
export function serviceState(
  ref: ServiceRef,
  service: Service | undefined,
  slices: readonly EndpointSlice[],
): ServiceState {
  const named = `Service ${ref.namespace}/${ref.name}`;
  if (service === undefined)
    return {
      kind: 'refused',
      reason: 'ServiceNotFound',
      message: `\`poller.target.http.service.name\`: there is no ${named}`,
    };
  const spec = service.spec ?? {};
  const refuse = (why: string): ServiceState => ({
    kind: 'refused',
    reason: 'ServiceNotPermitted',
    message: `\`poller.target.http.service\`: ${named} ${why}`,
  });
  if (spec.type === 'ExternalName')
    return refuse('must not be of type ExternalName, which leads out of the namespace');
  if (Object.keys(spec.selector ?? {}).length === 0)
    return refuse('must have a selector, since endpoints written by hand could lead anywhere');
  const ports = (spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  const port = ports.find((candidate) => candidate.port === ref.port || candidate.name === ref.port);
  if (port === undefined) {
    const allowed = ports
      .map((candidate) => [candidate.port, candidate.name].filter((part) => part !== undefined).join(' '))
      .join(', ');
    return refuse(`has no TCP port ${JSON.stringify(ref.port)}; its ports: ${allowed || 'none'}`);
  }
  const endpoints = new Map<string, { address: string; port: number }>();
  for (const slice of slices) {
    const number = slice.ports?.find((candidate) => (candidate.name ?? '') === (port.name ?? ''))?.port;
    if (number === undefined || number === null || slice.addressType === 'FQDN') continue;
    for (const endpoint of slice.endpoints ?? []) {
      // An absent `ready` means ready, by the API's own rule.
      if (endpoint.conditions?.ready === false || endpoint.conditions?.terminating === true) continue;
      for (const address of endpoint.addresses)
        endpoints.set(`${address} ${number}`, { address, port: number });
    }
  }
  return { kind: 'ready', endpoints: [...endpoints.values()] };
}

interface Follower {
  readonly ref: ServiceRef;
  readonly tell: (state: ServiceState) => void;
  told: string | undefined;
}

interface NamespaceWatch {
  readonly stop: AbortController;
  readonly services: Reflector<Service>;
  readonly slices: Reflector<EndpointSlice>;
  readonly followers: Set<Follower>;
  synced: boolean;
  /** The resource that may not be read, before it was read for the first time. */
  forbidden: string | undefined;
}

export interface ServiceFollowerDeps {
  readonly api: Pick<ApiClient, 'list' | 'watch'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: (event: ReflectorEvent) => void;
  readonly onError: (error: unknown) => void;
  /** Reach every endpoint at this address instead of its own: for test clusters without a pod network. */
  readonly addressOverride: string | undefined;
}

export class KubeServiceFollower implements ServiceFollower, AsyncDisposable {
  readonly #deps: ServiceFollowerDeps;
  readonly #namespaces = new Map<string, NamespaceWatch>();
  readonly #tasks: TaskGroup;

  constructor(deps: ServiceFollowerDeps) {
    this.#deps = deps;
    this.#tasks = new TaskGroup(deps.onError);
  }

  follow(ref: ServiceRef, tell: (state: ServiceState) => void): Disposable {
    const watch = this.#namespaces.get(ref.namespace) ?? this.#open(ref.namespace);
    const follower: Follower = { ref, tell, told: undefined };
    watch.followers.add(follower);
    // Never told from inside `follow`: the caller has nothing to hold on to yet.
    if (watch.synced || watch.forbidden !== undefined) queueMicrotask(() => this.#tell(watch, follower));
    return {
      [Symbol.dispose]: () => {
        if (!watch.followers.delete(follower) || watch.followers.size > 0) return;
        this.#namespaces.delete(ref.namespace);
        watch.stop.abort();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const watch of this.#namespaces.values()) watch.stop.abort();
    this.#namespaces.clear();
    await this.#tasks.drained();
  }

  #open(namespace: string): NamespaceWatch {
    const { api, clock, random } = this.#deps;
    const stop = new AbortController();
    const observe = (event: ReflectorEvent): void => {
      this.#deps.observe(event);
      // Once read, what is known is kept, as while the API server is away.
      if (event.kind !== 'failed' || event.reason !== 'Forbidden' || watch.synced) return;
      watch.forbidden = event.resource;
      for (const follower of watch.followers) this.#tell(watch, follower);
    };
    const common = { api, clock, random, observe, namespaces: [namespace] };
    const watch: NamespaceWatch = {
      stop,
      followers: new Set(),
      synced: false,
      forbidden: undefined,
      services: new Reflector<Service>({
        ...common,
        resource: services,
        onChange: (change) => this.#changed(watch, change.object.metadata.name),
      }),
      slices: new Reflector<EndpointSlice>({
        ...common,
        resource: endpointSlices,
        onChange: (change) => {
          const owners = [change.object, ...('previous' in change ? [change.previous] : [])].map(serviceOf);
          for (const name of new Set(owners)) this.#changed(watch, name);
        },
      }),
    };
    this.#namespaces.set(namespace, watch);
    this.#tasks.run(() => watch.services.run(stop.signal));
    this.#tasks.run(() => watch.slices.run(stop.signal));
    this.#tasks.run(async () => {
      await Promise.all([watch.services.synced, watch.slices.synced]);
      if (stop.signal.aborted) return;
      watch.synced = true;
      for (const follower of watch.followers) this.#tell(watch, follower);
    });
    return watch;
  }

  #changed(watch: NamespaceWatch, name: string | undefined): void {
    if (!watch.synced) return;
    for (const follower of watch.followers) if (follower.ref.name === name) this.#tell(watch, follower);
  }

  #tell(watch: NamespaceWatch, follower: Follower): void {
    if (!watch.followers.has(follower)) return;
    const { ref } = follower;
    const state = watch.synced ? this.#stateOf(watch, ref) : unreadable(ref, watch.forbidden);
    const text = JSON.stringify(state);
    if (follower.told === text) return;
    follower.told = text;
    follower.tell(state);
  }

  #stateOf(watch: NamespaceWatch, ref: ServiceRef): ServiceState {
    const service = watch.services.get(ref.namespace, ref.name);
    const slices = watch.slices.list().filter((slice) => serviceOf(slice) === ref.name);
    return this.#overridden(serviceState(ref, service, slices));
  }

  #overridden(state: ServiceState): ServiceState {
    const { addressOverride } = this.#deps;
    if (addressOverride === undefined || state.kind !== 'ready') return state;
    const ports = new Set(state.endpoints.map((endpoint) => endpoint.port));
    return { kind: 'ready', endpoints: [...ports].map((port) => ({ address: addressOverride, port })) };
  }
}

/** What is told while a resource may not be read: nothing would come by waiting alone. */
function unreadable({ namespace }: ServiceRef, what = 'services'): ServiceState {
  return {
    kind: 'refused',
    reason: 'ServiceNotPermitted',
    message: `\`poller.target.http.service\`: the ${what} of the namespace ${namespace} must be readable by the poller's ServiceAccount`,
  };
}
