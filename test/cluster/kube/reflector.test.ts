import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { ApiClient } from '../../../src/kube/api-client.ts';
import { tokenAccess } from '../../../src/kube/cluster-access.ts';
import type { StoreChange } from '../../../src/kube/object-store.ts';
import { Reflector, type ReflectorEvent } from '../../../src/kube/reflector.ts';
import { resource, type KubeList, type KubeObject } from '../../../src/kube/resource.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../../support/fault-proxy.ts';
import { testNamespace, type TestNamespace } from '../../support/kube.ts';
import { sharedControlPlane } from '../../support/shared-control-plane.ts';

/**
 * The differential test: a reflector behind a proxy that plays faults, against what the API server itself lists.
 * While a fault lasts, objects are created, changed and deleted past the proxy; once it is over the reflector must
 * know them and have told each difference. That this takes at most 5 s is shown on the virtual clock
 * (`test/unit/kube/reflector.test.ts`); here the bound only ends a wait, since a busy machine is no fault of it.
 */
const BOUND_MS = 20_000;

interface Item extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const items = resource({
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
});

describe('a reflector behind a faulty network', () => {
  let proxy: FaultProxy;
  let direct: ApiClient;
  let through: ApiClient;
  let namespace: TestNamespace;
  let reflector: Reflector<Item>;
  let running: Promise<void>;
  let stop: AbortController;
  /** What a handler that follows the changes believes to be there. */
  let told: Map<string, string | undefined>;
  /** Additions of what was there, changes and deletions of what was not. */
  let wrong: string[];
  let events: ReflectorEvent[];
  /** Objects that go for good, one at each `change`. */
  let doomed: string[];
  const never = new AbortController().signal;

  beforeAll(async () => {
    const controlPlane = sharedControlPlane();
    const { server, ca, token } = controlPlane;
    proxy = await startFaultProxy({ target: { server, ca } });
    direct = new ApiClient({ access: tokenAccess(server, token, ca), clock: systemClock });
    through = new ApiClient({ access: tokenAccess(proxy.url, token), clock: systemClock });
  });

  afterAll(async () => {
    await through.close();
    await direct.close();
    await proxy[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    namespace = await testNamespace(sharedControlPlane());
    told = new Map();
    wrong = [];
    events = [];
    stop = new AbortController();
    reflector = new Reflector<Item>({
      api: through,
      resource: items,
      clock: systemClock,
      random: Math.random,
      namespaces: [namespace.name],
      labelSelector: 'test=yes',
      // A fifth of the default, which the unit test holds to 45 s.
      silenceMs: 8000,
      onChange: follow,
      observe: (event) => events.push(event),
    });
    doomed = ['doomed-1', 'doomed-2'];
    for (const name of ['kept', 'changed', 'replaced', ...doomed]) await create(name);
    running = reflector.run(stop.signal);
    await reflector.synced;
    await eventually(() => proxy.openWatches > 0);
  });

  afterEach(async () => {
    stop.abort();
    await running;
    await namespace[Symbol.asyncDispose]();
  });

  function follow(change: StoreChange<Item>): void {
    // A handler's own errors are kept from the reflector, so what is wrong is noted and not thrown.
    if (told.has(change.key) !== (change.kind !== 'added')) wrong.push(`${change.kind} ${change.key}`);
    if (change.kind === 'deleted') told.delete(change.key);
    else told.set(change.key, change.object.metadata.resourceVersion);
  }

  function create(name: string): Promise<Item> {
    return direct.create<Item>(
      items.collection(namespace.name),
      { metadata: { name, labels: { test: 'yes' } }, data: {} },
      { signal: never },
    );
  }

  /** One of everything that can happen to an object. */
  async function change(): Promise<void> {
    const suffix = randomBytes(3).toString('hex');
    await create(`created-${suffix}`);
    await direct.patch(
      items.object(namespace.name, 'changed'),
      { kind: 'merge', body: { data: { suffix } } },
      { signal: never },
    );
    await direct.delete(items.object(namespace.name, 'replaced'), { signal: never });
    await create('replaced');
    const gone = doomed.pop();
    if (gone !== undefined) await direct.delete(items.object(namespace.name, gone), { signal: never });
  }

  async function expectSame(timeoutMs: number): Promise<void> {
    const list = await direct.list<KubeList<Item>>(items.collection(namespace.name), {
      signal: never,
      query: { labelSelector: 'test=yes' },
    });
    const wanted = Object.fromEntries(
      list.items.map(({ metadata }) => [
        `${namespace.name}/${metadata.name}`,
        `${metadata.uid}@${metadata.resourceVersion}`,
      ]),
    );
    await eventually(
      () => {
        const stored = Object.fromEntries(
          reflector
            .list()
            .map(({ metadata }) => [
              `${namespace.name}/${metadata.name}`,
              `${metadata.uid}@${metadata.resourceVersion}`,
            ]),
        );
        expect(stored).toEqual(wanted);
        return true;
      },
      { timeoutMs, what: 'the copy to equal a fresh list' },
    );
    const believed = Object.fromEntries(
      reflector
        .list()
        .map(({ metadata }) => [`${namespace.name}/${metadata.name}`, metadata.resourceVersion]),
    );
    expect(Object.fromEntries(told), 'what a handler was told').toEqual(believed);
    expect(wrong).toEqual([]);
  }

  const ofWatches = ({ watch }: { readonly watch: boolean }): boolean => watch;

  interface Case {
    readonly fault: string;
    readonly why: string;
    readonly play: () => void | Promise<void>;
    readonly recover?: () => void | Promise<void>;
    /** Until the reflector must know, from the recovery; default 5,000. */
    readonly withinMs?: number;
    /** Whether a new list is the only way back. */
    readonly relists: boolean;
  }

  const cases: Case[] = [
    {
      fault: 'nothing',
      why: 'the plain way, to know that the test sees changes at all',
      play: () => undefined,
      relists: false,
    },
    {
      fault: 'connection reset',
      why: 'an API server that crashed, or a load balancer that did',
      play: () => proxy.reset(),
      relists: false,
    },
    {
      fault: '500 on the next three watches',
      why: 'a watch that cannot be opened must be tried again for ever',
      play: () => {
        proxy.inject({ match: ofWatches, times: 3, effect: { kind: 'status', status: 500 } });
        proxy.reset();
      },
      relists: false,
    },
    {
      fault: '429 with Retry-After',
      why: 'the server asks for a second of rest; asking sooner would be counted against us',
      play: () => {
        proxy.inject({
          match: ofWatches,
          times: 2,
          effect: { kind: 'status', status: 429, retryAfter: '1' },
        });
        proxy.reset();
      },
      relists: false,
    },
    {
      fault: '410 as an event of the watch',
      why: 'how the watch cache says that the version is too old',
      play: () => proxy.expireWatches(),
      relists: true,
    },
    {
      fault: '410 as the answer to a watch',
      why: 'how a server without watch cache says it',
      play: () => {
        proxy.inject({ match: ofWatches, effect: { kind: 'status', status: 410 } });
        proxy.reset();
      },
      relists: true,
    },
    {
      fault: '410 and then 500 on the list',
      why: 'the new list may fail as well',
      play: () => {
        proxy.inject({
          match: (request) => !request.watch,
          times: 2,
          effect: { kind: 'status', status: 500 },
        });
        proxy.expireWatches();
      },
      relists: true,
    },
    {
      fault: 'a line cut off by the end of the connection',
      why: 'a proxy that was restarted; what was in the line is unknown',
      play: () => proxy.truncateWatches('close'),
      relists: true,
    },
    {
      fault: 'a line cut off in the middle of the stream',
      why: 'never seen, but a parser that throws in the wrong place would end the loop',
      play: () => proxy.truncateWatches('goOn'),
      relists: true,
    },
    {
      fault: 'answers that are not JSON',
      why: 'a gateway in between that speaks HTML',
      play: () => {
        proxy.inject({
          match: ofWatches,
          times: 2,
          effect: { kind: 'status', status: 200, body: '<html>Sign in</html>\n' },
        });
        proxy.reset();
      },
      relists: true,
    },
    {
      fault: 'a slow server',
      why: 'a second of latency delays, and no more',
      play: () => {
        proxy.inject({ times: 2, effect: { kind: 'latency', ms: 1000 } });
        proxy.reset();
      },
      relists: false,
    },
    {
      fault: 'an outage',
      why: 'refused connections; the back-off may have grown to its longest',
      play: () => proxy.stop(),
      recover: async () => {
        // Enough failures for the longest wait.
        await eventually(() => events.filter(({ kind }) => kind === 'failed').length >= 5, {
          timeoutMs: 30_000,
        });
        await proxy.start();
      },
      relists: false,
    },
    {
      fault: 'half-open connections',
      why: 'nothing tells but silence, noticed soon after the limit of 8 s',
      play: () => proxy.freeze(),
      withinMs: 30_000,
      relists: false,
    },
  ];

  it.each(cases)('has every change after $fault ($why)', async ({ play, recover, withinMs, relists }) => {
    const listsBefore = events.filter(({ kind }) => kind === 'listed').length;
    await play();
    await change();
    await recover?.();
    await expectSame(withinMs ?? BOUND_MS);
    // And goes on as if nothing had been.
    await change();
    await expectSame(BOUND_MS);
    const lists = events.filter(({ kind }) => kind === 'listed').length - listsBefore;
    expect(lists > 0, `${lists} lists`).toBe(relists);
  });

  it('pages through a list of more than one page', async () => {
    await Promise.all(Array.from({ length: 12 }, (_, index) => create(`more-${index}`)));
    const small = new Reflector<Item>({
      api: {
        // Pages of 5 instead of 500, through the real server.
        list: (path, options) =>
          direct.list(path, {
            ...options,
            query: { ...options.query, limit: options.query?.['limit'] === undefined ? undefined : 5 },
          }),
        watch: (path, options) => direct.watch(path, options),
      },
      resource: items,
      clock: systemClock,
      random: Math.random,
      namespaces: [namespace.name],
      labelSelector: 'test=yes',
    });
    const end = new AbortController();
    const run = small.run(end.signal);
    expect(await small.synced).toBe(true);
    expect(small.size).toBe(17);
    end.abort();
    await run;
  });

  it('learns its version from bookmarks while nothing happens to its objects', async () => {
    const lines: string[] = [];
    const ownStop = new AbortController();
    const quiet = new Reflector<Item>({
      api: {
        list: (path, options) => through.list(path, options),
        watch: async (path, options) => {
          const stream = await through.watch(path, options);
          return (async function* () {
            for await (const line of stream) {
              lines.push(line);
              yield line;
            }
          })();
        },
      },
      resource: items,
      clock: systemClock,
      random: Math.random,
      namespaces: [namespace.name],
      labelSelector: 'test=no',
      silenceMs: 8000,
      observe: (event) => events.push(event),
    });
    const run = quiet.run(ownStop.signal);
    await quiet.synced;
    const lists = events.filter(({ kind }) => kind === 'listed').length;
    await eventually(
      async () => {
        // Others' objects move the collection's version on.
        await change();
        return lines.some((line) => line.includes('BOOKMARK'));
      },
      { timeoutMs: 60_000, intervalMs: 2000 },
    );
    const from = (url: string): string | null =>
      new URL(url, 'http://host').searchParams.get('resourceVersion');
    await eventually(
      () => {
        const asked = proxy.requests
          .filter(({ url }) => url.includes('test%3Dno') && url.includes('watch'))
          .map(({ url }) => from(url));
        return new Set(asked).size > 1;
      },
      { timeoutMs: 30_000 },
    );
    expect(events.filter(({ kind }) => kind === 'listed').length).toBe(lists);
    ownStop.abort();
    await run;
  });
});
