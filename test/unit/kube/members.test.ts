import { beforeEach, describe, expect, it } from 'vitest';
import { leaseAccess, type Lease } from '../../../src/kube/lease.ts';
import { LiveMembers } from '../../../src/kube/live-members.ts';
import {
  MemberLease,
  readMember,
  type Member,
  type MemberLeaseEvent,
} from '../../../src/kube/member-lease.ts';
import { Reflector } from '../../../src/kube/reflector.ts';
import { leases } from '../../../src/kube/resource.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { FakeKubeApi, fail } from '../../support/fake-kube-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const never = new AbortController().signal;
const path = (name: string): string => leases.object('sluice', `sluice-poller-${name}`);

let clock: VirtualClock;
let api: FakeKubeApi;
let events: MemberLeaseEvent[];

beforeEach(() => {
  clock = new VirtualClock();
  api = new FakeKubeApi(clock);
  events = [];
});

interface Running {
  readonly lease: MemberLease;
  readonly stop: AbortController;
  readonly run: Promise<void>;
}

function member(identity: string, options: { readonly clock?: Clock; readonly pool?: string } = {}): Running {
  const stop = new AbortController();
  const lease = new MemberLease({
    identity,
    pool: options.pool ?? 'default',
    version: '0.1.0',
    capacity: 4,
    lease: leaseAccess(api, 'sluice', `sluice-poller-${identity}`, 5000),
    clock: options.clock ?? clock,
    observe: (event) => events.push(event),
    owner: { apiVersion: 'v1', kind: 'Pod', name: identity, uid: `uid-${identity}` },
  });
  return { lease, stop, run: lease.run(stop.signal) };
}

async function end(...all: readonly Running[]): Promise<void> {
  for (const { stop } of all) stop.abort();
  await clock.runUntil(Promise.all(all.map(({ run }) => run)));
}

describe('a member’s own Lease', () => {
  it('says who, where, which version and how much, and belongs to the pod', async () => {
    const own = member('p1');
    expect(await own.lease.announced).toBe(true);
    const lease = await api.get<Lease>(path('p1'), { signal: never });
    expect(lease).toMatchObject({
      metadata: {
        labels: { 'sluice.dev/pool': 'default', 'app.kubernetes.io/managed-by': 'sluice' },
        annotations: {
          'sluice.dev/version': '0.1.0',
          'sluice.dev/capacity': '4',
          'sluice.dev/member-format': '1',
        },
        ownerReferences: [{ kind: 'Pod', name: 'p1' }],
      },
      spec: { holderIdentity: 'p1', leaseDurationSeconds: 15, leaseTransitions: 0 },
    });
    expect(readMember(lease)).toEqual({ identity: 'p1', pool: 'default', version: '0.1.0', capacity: 4 });
    await end(own);
  });

  it('is renewed every 5 s by one PUT, and deleted on a stop', async () => {
    const own = member('p1');
    await clock.advance(60_000);
    expect(api.requests.map(({ verb }) => verb)).toEqual([
      'get',
      'create',
      ...Array.from({ length: 12 }, () => 'update'),
    ]);
    await end(own);
    await expect(api.get(path('p1'), { signal: never })).rejects.toMatchObject({ reason: 'NotFound' });
    expect(events.map(({ kind }) => kind)).toEqual(['announced', 'released']);
    expect(clock.sleepers).toBe(0);
  });

  it('is tried again every second after a failure, and found again when the answer was lost', async () => {
    let lost = 0;
    const replace = api.replace.bind(api);
    api.replace = async (...call) => {
      const written = await replace(...call);
      if (lost++ < 2) throw fail('ConnectionFailed', 0, 'reset after the write');
      return written as never;
    };
    const own = member('p1');
    await clock.advance(8000);
    expect(events.map(({ kind }) => kind)).toEqual(['announced', 'renewFailed', 'renewFailed']);
    expect((await api.get<Lease>(path('p1'), { signal: never })).spec).toMatchObject({
      holderIdentity: 'p1',
      leaseTransitions: 0,
    });
    await end(own);
  });

  it('knows until when others surely count it as alive, from before the renewal was sent', async () => {
    const own = member('p1');
    await clock.advance(4000);
    expect(own.lease.heldUntilMs).toBe(10_000);
    api.before = () => clock.sleep(3000);
    await clock.advance(4000);
    expect(own.lease.heldUntilMs, 'sent at 5 s').toBe(15_000);
    api.before = () => {
      throw fail('ConnectionFailed', 0, 'refused');
    };
    await clock.advance(60_000);
    expect(own.lease.heldUntilMs).toBeLessThan(clock.monotonic());
    api.before = undefined;
    await end(own);
  });

  it('tells when somebody else had taken it, and takes it back', async () => {
    const own = member('p1');
    await clock.advance(1000);
    const current = await api.get<Lease>(path('p1'), { signal: never });
    await api.replace(
      path('p1'),
      { ...current, spec: { ...current.spec, holderIdentity: 'leader' } },
      { signal: never },
    );
    await clock.advance(6000);
    expect(events).toContainEqual({ kind: 'taken', identity: 'p1', by: 'leader' });
    expect((await api.get<Lease>(path('p1'), { signal: never })).spec).toMatchObject({
      holderIdentity: 'p1',
      leaseTransitions: 1,
    });
    await end(own);
  });

  it('does not delete on a stop what is another’s', async () => {
    const own = member('p1');
    await clock.advance(1000);
    const current = await api.get<Lease>(path('p1'), { signal: never });
    await api.replace(
      path('p1'),
      { ...current, spec: { ...current.spec, holderIdentity: 'leader' } },
      { signal: never },
    );
    await end(own);
    expect((await api.get<Lease>(path('p1'), { signal: never })).spec?.holderIdentity).toBe('leader');
  });

  it('stops within seconds while the API server is away', async () => {
    const own = member('p1');
    await clock.advance(1000);
    api.before = ({ signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    own.stop.abort();
    await clock.runUntil(own.run);
    expect(clock.monotonic()).toBeLessThanOrEqual(7000);
  });
});

describe('who is alive', () => {
  let lists: string[][];
  let stop: AbortController;
  let live: LiveMembers;
  let runs: Promise<unknown>;

  beforeEach(async () => {
    lists = [];
    stop = new AbortController();
    const reflector: Reflector<Lease> = new Reflector<Lease>({
      api,
      resource: leases,
      clock,
      random: seededRandom(3),
      namespaces: ['sluice'],
      labelSelector: 'sluice.dev/pool=default',
      onChange: (change) => live.take(change),
    });
    live = new LiveMembers({
      clock,
      lastContactMs: () => reflector.lastContactMs,
      onChange: (members: readonly Member[]) => lists.push(members.map(({ identity }) => identity)),
    });
    runs = Promise.all([reflector.run(stop.signal), live.run(stop.signal)]);
    await clock.settle();
  });

  async function close(...all: readonly Running[]): Promise<void> {
    api.before = undefined;
    await end(...all);
    stop.abort();
    await clock.runUntil(runs);
  }

  const alive = (): string[] => live.list().map(({ identity }) => identity);
  /** A member that dies without a word. */
  const crash = (name: string): void => {
    const earlier = api.before;
    api.before = (request) => {
      if (request.verb !== 'list' && request.path === path(name)) throw fail('ConnectionFailed', 0, 'dead');
      return earlier?.(request);
    };
  };

  it('are those who announced themselves, of the pool, in a stable order', async () => {
    const all = [member('p2'), member('p1'), member('other', { pool: 'canary' })];
    await clock.advance(2000);
    expect(alive()).toEqual(['p1', 'p2']);
    await clock.advance(600_000);
    expect(lists, 'and nothing is told as long as nothing changes').toEqual([[], ['p2'], ['p1', 'p2']]);
    await close(...all);
  });

  it('one who leaves is gone at once', async () => {
    const [p1, p2] = [member('p1'), member('p2')];
    await clock.advance(2000);
    await end(p2);
    await clock.advance(100);
    expect(alive()).toEqual(['p1']);
    await close(p1);
  });

  it('one who crashes is gone after its duration, within 20 s', async () => {
    const all = [member('p1'), member('p2')];
    await clock.advance(2000);
    crash('p2');
    await clock.advance(12_000);
    expect(alive()).toEqual(['p1', 'p2']);
    await clock.advance(8000);
    expect(lists.at(-1)).toEqual(['p1']);
    await close(...all);
  });

  it('wall clocks do not matter', async () => {
    const ahead: Clock = {
      now: () => clock.now() + 7_200_000,
      monotonic: () => clock.monotonic(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      after: (ms, action) => clock.after(ms, action),
    };
    const all = [member('p1', { clock: ahead }), member('p2')];
    await clock.advance(60_000);
    expect(alive()).toEqual(['p1', 'p2']);
    await close(...all);
  });

  it.each([60_000, 300_000])('nobody is dead because the API server was away for %i ms', async (outageMs) => {
    const all = [member('p1'), member('p2'), member('p3')];
    await clock.advance(10_000);
    lists.length = 0;
    api.before = () => {
      throw fail('ConnectionFailed', 0, 'refused');
    };
    api.breakWatches();
    await clock.advance(outageMs);
    expect(alive()).toEqual(['p1', 'p2', 'p3']);
    api.before = undefined;
    await clock.advance(60_000);
    expect(lists).toEqual([]);
    await close(...all);
  });

  it('who died during an outage is gone soon after it', async () => {
    const all = [member('p1'), member('p2')];
    await clock.advance(10_000);
    api.before = () => {
      throw fail('ConnectionFailed', 0, 'refused');
    };
    api.breakWatches();
    await clock.advance(60_000);
    api.before = undefined;
    crash('p2');
    await clock.advance(25_000);
    expect(alive()).toEqual(['p1']);
    await close(...all);
  });
});

it.each([
  { lease: { metadata: { name: 'x' }, spec: { holderIdentity: 'a' } }, why: 'no pool: another’s Lease' },
  {
    lease: { metadata: { name: 'x', labels: { 'sluice.dev/pool': 'p' } }, spec: { holderIdentity: '' } },
    why: 'released',
  },
  { lease: { metadata: { name: 'x', labels: { 'sluice.dev/pool': 'p' } } }, why: 'no spec' },
])('is no member: $why', ({ lease }) => expect(readMember(lease)).toBeUndefined());

it.each(['', 'lots', '-1', '0', 'Infinity'])('a capacity of "%s" counts as 1', (capacity) => {
  const lease: Lease = {
    metadata: {
      name: 'x',
      labels: { 'sluice.dev/pool': 'p' },
      annotations: { 'sluice.dev/capacity': capacity },
    },
    spec: { holderIdentity: 'a' },
  };
  expect(readMember(lease)?.capacity).toBe(1);
});
