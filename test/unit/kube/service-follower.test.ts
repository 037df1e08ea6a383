import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ServiceRef, ServiceState } from '../../../src/fleet/ports.ts';
import {
  KubeServiceFollower,
  serviceState,
  type EndpointSlice,
  type Service,
} from '../../../src/kube/service-follower.ts';
import { FakeKubeApi, fail } from '../../support/fake-kube-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

type ServiceSpec = NonNullable<Service['spec']>;

const ref: ServiceRef = { namespace: 'shop', name: 'consumer', port: 80 };

function aService(spec: Partial<ServiceSpec> = {}, name = 'consumer'): Service {
  return {
    metadata: { name, namespace: 'shop' },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80 }], ...spec },
  };
}

function aSlice(more: Partial<EndpointSlice> = {}, name = 'consumer-1', service = 'consumer'): EndpointSlice {
  return {
    metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    ...more,
  };
}

const at = (...addresses: string[]) => addresses.map((address) => ({ addresses: [address] }));

interface Row {
  readonly why: string;
  readonly port?: number | string;
  readonly service?: Service | undefined;
  readonly slices?: readonly EndpointSlice[];
  /** Endpoints as `address:port`, or the reason and a part of the message. */
  readonly expected: readonly string[] | { readonly reason: string; readonly message: string };
}

const refused = (message: string, reason = 'ServiceNotPermitted') => ({ reason, message });

const rows: readonly Row[] = [
  { why: 'a ready pod is reached at the port of its slice', expected: ['10.0.0.1:8080'] },
  { why: 'the port can be named', port: 'http', expected: ['10.0.0.1:8080'] },
  {
    why: 'no Service',
    service: undefined,
    expected: refused('there is no Service shop/consumer', 'ServiceNotFound'),
  },
  {
    why: 'an ExternalName leads out of the namespace',
    service: aService({ type: 'ExternalName' }),
    expected: refused('ExternalName'),
  },
  {
    why: 'endpoints written by hand could lead anywhere',
    service: aService({ selector: {} }),
    expected: refused('selector'),
  },
  {
    why: 'a port that it does not have',
    port: 81,
    expected: refused('has no TCP port 81; its ports: 80 http'),
  },
  { why: 'a Service without ports', service: aService({ ports: [] }), expected: refused('its ports: none') },
  {
    why: 'a UDP port of the same number is another one',
    service: aService({
      ports: [
        { name: 'udp', port: 80, protocol: 'UDP' },
        { name: 'http', port: 80, protocol: 'TCP' },
      ],
    }),
    slices: [
      aSlice({
        ports: [
          { name: 'udp', port: 9, protocol: 'UDP' },
          { name: 'http', port: 8080, protocol: 'TCP' },
        ],
      }),
    ],
    expected: ['10.0.0.1:8080'],
  },
  { why: 'no slice yet', slices: [], expected: [] },
  {
    why: 'a pod that is not ready is left out',
    slices: [aSlice({ endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: false } }] })],
    expected: [],
  },
  {
    why: 'an absent `ready` means ready',
    slices: [aSlice({ endpoints: at('10.0.0.1') })],
    expected: ['10.0.0.1:8080'],
  },
  {
    why: 'a null `ready` means ready',
    slices: [aSlice({ endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: null } }] })],
    expected: ['10.0.0.1:8080'],
  },
  {
    why: 'a pod that ends is left out although it is still ready, so that no call fails in a rollout',
    slices: [
      aSlice({
        endpoints: [
          { addresses: ['10.0.0.1'], conditions: { ready: true, terminating: true } },
          ...at('10.0.0.2'),
        ],
      }),
    ],
    expected: ['10.0.0.2:8080'],
  },
  {
    why: 'the same pod in two slices counts once',
    slices: [aSlice(), aSlice({}, 'consumer-2')],
    expected: ['10.0.0.1:8080'],
  },
  {
    why: 'slices have ports of their own, in a rollout that changes the port',
    slices: [
      aSlice(),
      aSlice({ endpoints: at('10.0.0.2'), ports: [{ name: 'http', port: 9090 }] }, 'consumer-2'),
    ],
    expected: ['10.0.0.1:8080', '10.0.0.2:9090'],
  },
  {
    why: 'a nameless port matches a slice’s null name',
    service: aService({ ports: [{ port: 80 }] }),
    slices: [aSlice({ ports: [{ name: null, port: 8080 }] })],
    expected: ['10.0.0.1:8080'],
  },
  {
    why: 'a slice without this port has nothing to offer',
    slices: [aSlice({ ports: [{ name: 'metrics', port: 9 }] })],
    expected: [],
  },
  {
    why: 'a slice whose port is null allows all ports, which names none',
    slices: [aSlice({ ports: [{ name: 'http', port: null }] })],
    expected: [],
  },
  {
    why: 'names are not addresses',
    slices: [aSlice({ addressType: 'FQDN', endpoints: at('evil.example') })],
    expected: [],
  },
  {
    why: 'IPv6',
    slices: [aSlice({ addressType: 'IPv6', endpoints: at('fd00::1') })],
    expected: ['fd00::1:8080'],
  },
];

const shown = (state: ServiceState): readonly string[] | { reason: string; message: string } =>
  state.kind === 'ready'
    ? state.endpoints.map(({ address, port }) => `${address}:${port}`)
    : { reason: state.reason, message: state.message };
/** What a message says beside its reason is compared by its part alone. */
const cut = (found: ReturnType<typeof shown>, expected: Row['expected']): ReturnType<typeof shown> => {
  if (!('reason' in found) || !('reason' in expected)) return found;
  return found.message.includes(expected.message) ? { ...found, message: expected.message } : found;
};

test.each(rows)('$why', (row) => {
  const service = 'service' in row ? row.service : aService();
  const state = serviceState({ ...ref, port: row.port ?? 80 }, service, row.slices ?? [aSlice()]);
  expect(cut(shown(state), row.expected)).toEqual(row.expected);
});

describe('KubeServiceFollower', () => {
  const services = '/api/v1/namespaces/shop/services';
  const slices = '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices';
  const { signal } = new AbortController();
  let clock: VirtualClock;
  let api: FakeKubeApi;
  let follower: KubeServiceFollower;
  let errors: unknown[];

  const newFollower = (addressOverride?: string): KubeServiceFollower =>
    new KubeServiceFollower({
      api,
      clock,
      random: () => 0,
      observe: () => undefined,
      onError: (error) => errors.push(error),
      addressOverride,
    });
  /** Follows and keeps what is told. */
  const follow = (name = 'consumer', by = follower) => {
    const told: ReturnType<typeof shown>[] = [];
    const handle = by.follow({ ...ref, name }, (state) => told.push(shown(state)));
    return { told, stop: () => handle[Symbol.dispose]() };
  };

  beforeEach(async () => {
    clock = new VirtualClock();
    api = new FakeKubeApi(clock);
    errors = [];
    follower = newFollower();
    await api.create(services, aService(), { signal });
    await api.create(slices, aSlice(), { signal });
    api.requests.length = 0;
  });
  afterEach(async () => {
    const ended = follower[Symbol.asyncDispose]();
    await clock.runUntil(ended);
    if (errors.length > 0) throw new AggregateError(errors, 'a watch ended with an error');
  });

  test('tells the state as soon as it is known, and each change once', async () => {
    const { told } = follow();
    expect(told).toEqual([]);
    await clock.advance(10);
    expect(told).toEqual([['10.0.0.1:8080']]);
    await api.replace(`${slices}/consumer-1`, aSlice({ endpoints: at('10.0.0.2') }), { signal });
    await api.create(services, aService({}, 'other'), { signal });
    await clock.advance(10);
    expect(told).toEqual([['10.0.0.1:8080'], ['10.0.0.2:8080']]);
    await api.delete(`${services}/consumer`, { signal });
    await clock.advance(10);
    expect(told.at(-1)).toMatchObject({ reason: 'ServiceNotFound' });
    expect(told).toHaveLength(3);
  });

  test('never tells from inside `follow`, known or not', async () => {
    follow();
    await clock.advance(10);
    const second = follow();
    expect(second.told).toEqual([]);
    await clock.settle();
    expect(second.told).toEqual([['10.0.0.1:8080']]);
  });

  test('a slice that changes its owner is told to both', async () => {
    await api.create(services, aService({}, 'other'), { signal });
    const [consumer, other] = [follow(), follow('other')];
    await clock.advance(10);
    await api.replace(`${slices}/consumer-1`, aSlice({}, 'consumer-1', 'other'), { signal });
    await clock.advance(10);
    expect([consumer.told.at(-1), other.told.at(-1)]).toEqual([[], ['10.0.0.1:8080']]);
  });

  test('shares two watches per namespace, and closes them with the last follower', async () => {
    const all = [follow(), follow(), follow('other')];
    await clock.advance(10);
    expect(api.openWatches).toBe(2);
    for (const each of all.slice(1)) each.stop();
    await clock.advance(10);
    expect(api.openWatches).toBe(2);
    all[0]?.stop();
    await clock.advance(10);
    expect(api.openWatches).toBe(0);
  });

  test('a follower that lets go twice does not close the watches of the next one', async () => {
    const first = follow();
    await clock.advance(10);
    first.stop();
    const second = follow();
    await clock.advance(10);
    first.stop();
    await api.replace(`${slices}/consumer-1`, aSlice({ endpoints: at('10.0.0.2') }), { signal });
    await clock.advance(10);
    expect(second.told).toEqual([['10.0.0.1:8080'], ['10.0.0.2:8080']]);
    expect(first.told).toEqual([['10.0.0.1:8080']]);
  });

  test('keeps what it knows while the API server is away, and catches up afterwards', async () => {
    const { told } = follow();
    await clock.advance(10);
    let isAway = true;
    api.before = ({ verb }) => {
      if (isAway && verb !== 'update') throw fail('ConnectionFailed', 0, 'refused');
    };
    api.breakWatches();
    await clock.advance(60_000);
    await api.replace(`${slices}/consumer-1`, aSlice({ endpoints: at('10.0.0.2') }), { signal });
    await clock.advance(60_000);
    expect(told).toEqual([['10.0.0.1:8080']]);
    isAway = false;
    await clock.advance(10_000);
    expect(told).toEqual([['10.0.0.1:8080'], ['10.0.0.2:8080']]);
  });

  test('says what it may not read, and goes on when it may', async () => {
    let allowed = false;
    api.before = ({ path }) => {
      if (!allowed && path.startsWith(slices)) throw fail('Forbidden', 403, 'no');
    };
    const { told } = follow();
    await clock.advance(20_000);
    expect(told).toMatchObject([{ reason: 'ServiceNotPermitted' }]);
    expect(told[0]).toMatchObject({
      message: expect.stringContaining('the endpointslices of the namespace shop'),
    });
    const later = follow();
    await clock.settle();
    expect(later.told).toEqual(told);
    allowed = true;
    await clock.advance(10_000);
    expect([told.at(-1), later.told.at(-1)]).toEqual([['10.0.0.1:8080'], ['10.0.0.1:8080']]);
  });

  test('an override leads to one address, once for each port', async () => {
    await api.replace(`${slices}/consumer-1`, aSlice({ endpoints: at('10.0.0.1', '10.0.0.2') }), { signal });
    const overridden = newFollower('127.0.0.1');
    const { told } = follow('consumer', overridden);
    await clock.advance(10);
    expect(told).toEqual([['127.0.0.1:8080']]);
    await clock.runUntil(overridden[Symbol.asyncDispose]());
  });
});
