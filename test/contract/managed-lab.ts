import { LambdaClient } from '@aws-sdk/client-lambda';
import { effective } from '../../src/api/effective.ts';
import type { EventSourceMapping, EventSourceMappingStatus } from '../../src/api/mapping.ts';
import { AwsClients } from '../../src/aws/clients.ts';
import { mappingApi, type MappingApi } from '../../src/backends/aws/client.ts';
import { differencesOf } from '../../src/backends/aws/drift.ts';
import { arnOf } from '../../src/backends/aws/facts.ts';
import { tagsOf } from '../../src/backends/aws/ownership.ts';
import { ClusterBackend } from '../../src/backends/cluster/backend.ts';
import { classBook } from '../../src/cli/class-book.ts';
import { managedBackend } from '../../src/cli/managed.ts';
import { ReconcileLoop } from '../../src/cli/reconcile-loop.ts';
import { DeletionHold } from '../../src/controller/deletion-hold.ts';
import type { ReconcilerEvent } from '../../src/controller/events.ts';
import { FleetIndex } from '../../src/fleet/fleet-view.ts';
import { systemClock, type Clock } from '../../src/lib/clock.ts';
import { startAwsFaultProxy, type AwsFaultProxy } from '../support/aws-fault-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { aClass, aMapping } from '../support/mappings.ts';
import { MemoryStore } from '../support/reconciler.ts';
import { testAccount } from '../support/servers/aws-server.ts';

/** The real clock, on which time passes faster: for code that waits between calls over a real wire. */
export function fastClock(speed: number): Clock {
  const [wallMs, startMs] = [systemClock.now(), systemClock.monotonic()];
  const monotonic = (): number => startMs + (systemClock.monotonic() - startMs) * speed;
  return {
    now: () => wallMs + monotonic() - startMs,
    monotonic,
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
    after: (ms, action) => systemClock.after(ms / speed, action),
  };
}

export interface WorldOptions {
  /** Base address of Lambda's API. */
  readonly endpoint: string;
  readonly speed: number;
  /** How many mappings the controller takes the account to have: many are read by sweeps, one by Gets. */
  readonly expected: number;
  /** Name of the object, the same for no other world of the server. */
  readonly name: string;
  readonly eventSourceARN: string;
  readonly driftIntervalMs?: number;
  /** Reasons with which `Stalled` may be True. */
  readonly mayStall?: readonly string[];
}

/**
 * Managed mode as the controller runs it, over a real wire with a fault proxy in it, with one object in a store in
 * memory. Each status is compared with what the server has when it is written: what it says untruly is in `lies`.
 */
export class ManagedWorld implements AsyncDisposable {
  readonly proxy: AwsFaultProxy;
  readonly store: MemoryStore;
  readonly clock: Clock;
  readonly events: ReconcilerEvent[] = [];
  /** What a status claimed and the server does not have, and second mappings. */
  readonly lies: string[] = [];
  /** The server itself, past the proxy. */
  readonly truth: MappingApi;
  readonly key: string;
  readonly #options: WorldOptions;
  readonly #stop = new AbortController();
  readonly #lambda: LambdaClient;
  readonly #clients: AwsClients;
  readonly #loop: ReconcileLoop;
  readonly #ended: Promise<void>;

  constructor(options: WorldOptions, proxy: AwsFaultProxy) {
    this.#options = options;
    this.proxy = proxy;
    this.key = `shop/${options.name}`;
    const clock = fastClock(options.speed);
    this.clock = clock;
    const store = new WatchedStore((mapping, status) => this.#watch(mapping, status));
    this.store = store;
    const random = Math.random;
    this.#lambda = new LambdaClient({
      endpoint: options.endpoint,
      region: testAccount.region,
      credentials: { ...testAccount.credentials },
    });
    this.truth = mappingApi(this.#lambda, () => Promise.resolve());
    this.#clients = new AwsClients({
      version: '0',
      clock,
      region: testAccount.region,
      endpoints: { all: proxy.endpoint },
      credentials: () => Promise.resolve({ ...testAccount.credentials }),
    });
    const loop = new ReconcileLoop({
      deps: {
        store,
        classes: classBook({
          classes: () => [aClass()],
          namespaceLabels: () => ({}),
          mappings: () => store.list(),
        }),
        backends: {
          Managed: managedBackend({
            clusterID: 'test',
            clients: this.#clients,
            clock,
            random,
            driftIntervalMs: options.driftIntervalMs ?? 300_000,
            requestsPerSecond: 15,
            expected: () => options.expected,
            onChanged: (uuids) => {
              for (const { metadata, status } of store.list())
                if (uuids.includes(status?.mapping?.uuid ?? ''))
                  loop.queue.add(`${metadata.namespace}/${metadata.name}`);
            },
            onRefused: () => undefined,
          }),
          Poller: new ClusterBackend(new FleetIndex(() => undefined), clock),
        },
        clock,
        emit: (event) => void this.events.push(event),
        problemsOf: () => [],
        deletions: new DeletionHold({ clock, percent: 100, over: 0, mappings: () => store.list() }),
      },
      random,
      workers: 2,
      observe: () => undefined,
      onError: (_, message) => void this.lies.push(`a pass failed: ${message}`),
    });
    this.#loop = loop;
    this.#ended = loop.run(this.#stop.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.#clients[Symbol.asyncDispose]();
    this.#lambda.destroy();
    await this.proxy[Symbol.asyncDispose]();
  }

  /** The object, as its user has it. */
  get object(): EventSourceMapping | undefined {
    return this.store.get(this.key);
  }

  create(spec: Partial<EventSourceMapping['spec']> = {}): void {
    const { name, eventSourceARN } = this.#options;
    const base = aMapping({ metadata: { name }, spec: { eventSourceARN, ...spec } });
    this.store.put(base);
    this.#loop.queue.add(this.key);
  }

  edit(spec: Partial<EventSourceMapping['spec']>): void {
    this.store.edit(this.key, spec);
    this.#loop.queue.add(this.key);
  }

  delete(): void {
    this.store.delete(this.key);
    this.#loop.queue.add(this.key);
  }

  /** Has it looked at, as a person's `sluice.dev/requestedAt` would. */
  look(): void {
    this.#loop.queue.add(this.key);
  }

  /** A condition as `status reason`, if it is about the present generation. */
  condition(type: string): string | undefined {
    const { status, metadata } = this.object ?? {};
    const found = status?.conditions?.find((condition) => condition.type === type);
    return found?.observedGeneration === metadata?.generation
      ? `${found?.status} ${found?.reason}`
      : undefined;
  }

  async ready(): Promise<void> {
    await this.#until(() => this.condition('Ready') === 'True Serving', 'Ready');
  }

  async stalled(reason: string): Promise<void> {
    await this.#until(() => this.condition('Stalled') === `True ${reason}`, `Stalled, ${reason}`);
  }

  async gone(): Promise<void> {
    await this.#until(() => this.object === undefined, 'the end of the object');
  }

  /** What of the object is not in force at AWS: empty when there is one mapping, as desired and ours. */
  async wrong(): Promise<readonly string[]> {
    return this.object === undefined ? [] : this.#wrongOf(this.object);
  }

  /** The mappings of a source, at first the object's, that are not on their way out. */
  async live(source = this.#options.eventSourceARN): Promise<readonly string[]> {
    const { signal } = new AbortController();
    const found = await this.truth.list(source, signal);
    const live: string[] = [];
    // An emulator's List may go on showing what its Get does not know.
    for (const { UUID: uuid = '', State: state } of found)
      if (state !== 'Deleting' && (await this.truth.get(uuid, signal)) !== undefined) live.push(uuid);
    return live;
  }

  /** What was told of a kind, by its action or reason. */
  told(kind: 'acted' | 'step-failed' | 'drift-found'): readonly string[] {
    return this.events.flatMap((event) => {
      if (event.kind !== kind) return [];
      if (event.kind === 'acted') return [event.action];
      return event.kind === 'step-failed' ? [event.reason] : event.paths;
    });
  }

  /** Repeats of refused calls that came too soon, and more calls at once than the pace lets through. */
  hurried(leastMs: number): readonly string[] {
    const { speed } = this.#options;
    const { calls } = this.proxy;
    const found: string[] = [];
    for (const [index, refused] of calls.entries()) {
      if (refused.fault !== 'throttle') continue;
      const next = calls
        .slice(index + 1)
        .find(({ operation, path }) => operation === refused.operation && path === refused.path);
      const gapMs = ((next?.arrivedMs ?? Infinity) - refused.arrivedMs) * speed;
      // A timer of the machine may be early by a millisecond.
      if (gapMs < leastMs - 2 * speed) found.push(`${refused.operation} again after ${gapMs} ms`);
    }
    const windowMs = 3000 / speed;
    for (const [index, { arrivedMs }] of calls.entries())
      if ((calls[index + 50]?.arrivedMs ?? Infinity) - arrivedMs < windowMs)
        found.push('more than 50 calls in three seconds');
    return found;
  }

  async #until(check: () => boolean, what: string): Promise<void> {
    const describe = (): string =>
      JSON.stringify(
        this.object?.status?.conditions?.map(({ type, status, reason, message }) => [
          type,
          status,
          reason,
          message,
        ]),
      );
    await eventually(
      () => {
        if (check()) return true;
        throw new Error(`the conditions are ${describe()}`);
      },
      { timeoutMs: 30_000, intervalMs: 10, what },
    );
  }

  async #watch(mapping: EventSourceMapping, status: EventSourceMappingStatus): Promise<void> {
    const find = (type: string) => status.conditions?.find((condition) => condition.type === type);
    const [ready, stalled] = [find('Ready'), find('Stalled')];
    if (stalled?.status === 'True' && !(this.#options.mayStall ?? []).includes(stalled.reason))
      this.lies.push(`Stalled: ${stalled.reason}: ${stalled.message}`);
    if (ready?.status === 'True' && ready.observedGeneration === mapping.metadata.generation)
      for (const what of await this.#wrongOf(mapping)) this.lies.push(`Ready, but ${what}`);
    const live = await this.live(mapping.spec.eventSourceARN);
    if (live.length > 1) this.lies.push(`${live.length} mappings`);
  }

  async #wrongOf({ metadata, spec }: EventSourceMapping): Promise<readonly string[]> {
    const { signal } = new AbortController();
    const live = await this.live(spec.eventSourceARN);
    const [uuid] = live;
    const found = uuid === undefined ? undefined : await this.truth.get(uuid, signal);
    if (found === undefined || live.length > 1) return [`there are ${live.length} mappings`];
    const desired = { ...spec.tags, ...tagsOf('test', metadata) };
    const tags = { desired, observed: await this.truth.tags(arnOf(found), signal), ours: ['team', 'cost'] };
    const wrong = differencesOf(effective(spec), spec, found, tags).map(
      ({ path, observed }) => `${path} is ${JSON.stringify(observed)}`,
    );
    const wanted = spec.enabled === false ? 'Disabled' : 'Enabled';
    return found.State === wanted ? wrong : [...wrong, `it is ${found.State}`];
  }
}

/** Starts a proxy before the server, and a controller behind it. */
export async function managedWorld(options: WorldOptions): Promise<ManagedWorld> {
  return new ManagedWorld(options, await startAwsFaultProxy(options.endpoint));
}

/** A store that has each status looked at before it is stored. */
class WatchedStore extends MemoryStore {
  readonly #watch: (mapping: EventSourceMapping, status: EventSourceMappingStatus) => Promise<void>;

  constructor(watch: (mapping: EventSourceMapping, status: EventSourceMappingStatus) => Promise<void>) {
    super();
    this.#watch = watch;
  }

  override async writeStatus(mapping: EventSourceMapping, status: EventSourceMappingStatus): Promise<void> {
    await this.#watch(mapping, status);
    await super.writeStatus(mapping, status);
  }
}
