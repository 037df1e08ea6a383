import { beforeEach, describe, expect, it } from 'vitest';
import {
  LeaderElector,
  type ElectionTimes,
  type LeaderElectionEvent,
} from '../../../src/kube/leader-election.ts';
import { leaseAccess, type Lease, type LeaseSpec } from '../../../src/kube/lease.ts';
import { leases, microTime } from '../../../src/kube/resource.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { FakeKubeApi, fail, type FakeRequest } from '../../support/fake-kube-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const never = new AbortController().signal;
const path = leases.object('sluice', 'controller');

let clock: VirtualClock;
let api: FakeKubeApi;
let events: LeaderElectionEvent[];

beforeEach(() => {
  clock = new VirtualClock();
  api = new FakeKubeApi(clock);
  events = [];
});

function elector(
  identity: string,
  options: { clock?: Clock; times?: Partial<ElectionTimes> } = {},
): LeaderElector {
  return new LeaderElector({
    lease: leaseAccess(api, 'sluice', 'controller', 5000),
    name: 'sluice-controller',
    identity,
    clock: options.clock ?? clock,
    random: seededRandom(7),
    observe: (event) => events.push(event),
    ...(options.times === undefined ? {} : { times: options.times }),
  });
}

async function store(spec: LeaseSpec | undefined): Promise<void> {
  await api.create(
    leases.collection('sluice'),
    { metadata: { name: 'controller' }, ...(spec === undefined ? {} : { spec }) },
    { signal: never },
  );
  api.requests.length = 0;
}

const stored = (): Promise<Lease> => api.get<Lease>(path, { signal: never });
const verbs = (): FakeRequest['verb'][] => api.requests.map(({ verb }) => verb);

/** Runs an elector whose work is to write down when it leads. */
function candidate(identity: string, options: { clock?: Clock; windUpMs?: number } = {}) {
  const stop = new AbortController();
  const spans: { fromMs: number; toldMs?: number; toMs?: number }[] = [];
  const own = elector(identity, options);
  const run = own.run(async (leading) => {
    const span: (typeof spans)[number] = { fromMs: clock.monotonic() };
    spans.push(span);
    await new Promise<void>((resolve) => leading.addEventListener('abort', () => resolve(), { once: true }));
    span.toldMs = clock.monotonic();
    await clock.sleep(options.windUpMs ?? 0);
    span.toMs = clock.monotonic();
  }, stop.signal);
  return { identity, elector: own, run, stop, spans };
}

/** What client-go's own table of `tryAcquireOrRenew` holds, by what is stored and what was seen before. */
describe('one attempt', () => {
  it.each<{
    why: string;
    spec: LeaseSpec | undefined | 'no object';
    /** Virtual time between a first look and the attempt that counts. */
    looksMsBefore?: number;
    taken: boolean;
    holder: string;
    transitions: number | undefined;
    verbs: FakeRequest['verb'][];
  }>([
    {
      why: 'there is no Lease: it is created',
      spec: 'no object',
      taken: true,
      holder: 'me',
      transitions: 0,
      verbs: ['get', 'create'],
    },
    {
      why: 'a Lease without a spec is nobody’s',
      spec: undefined,
      taken: true,
      holder: 'me',
      transitions: 1,
      verbs: ['get', 'update'],
    },
    {
      why: 'a Lease without a holder is nobody’s',
      spec: { leaseTransitions: 4 },
      taken: true,
      holder: 'me',
      transitions: 5,
      verbs: ['get', 'update'],
    },
    {
      why: 'a released Lease may be taken at once, however fresh',
      spec: { holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(Date.UTC(2026, 0, 1)) },
      taken: true,
      holder: 'me',
      transitions: 1,
      verbs: ['get', 'update'],
    },
    {
      why: 'another’s Lease that is seen for the first time is respected',
      spec: { holderIdentity: 'other', leaseDurationSeconds: 15 },
      taken: false,
      holder: 'other',
      transitions: undefined,
      verbs: ['get'],
    },
    {
      why: 'and so it is when its renewTime lies in the distant past: that is another clock',
      spec: { holderIdentity: 'other', leaseDurationSeconds: 15, renewTime: microTime(0) },
      taken: false,
      holder: 'other',
      transitions: undefined,
      verbs: ['get'],
    },
    {
      why: 'another’s Lease that has not changed for its duration is taken, also if renewTime lies in the future',
      spec: {
        holderIdentity: 'other',
        leaseDurationSeconds: 15,
        renewTime: microTime(4e12),
        leaseTransitions: 2,
      },
      looksMsBefore: 15_000,
      taken: true,
      holder: 'me',
      transitions: 3,
      verbs: ['get', 'get', 'update'],
    },
    {
      why: 'its own duration counts, not ours: 3 s',
      spec: { holderIdentity: 'other', leaseDurationSeconds: 3 },
      looksMsBefore: 3000,
      taken: true,
      holder: 'me',
      transitions: 1,
      verbs: ['get', 'get', 'update'],
    },
    {
      why: 'its own duration counts, not ours: 60 s',
      spec: { holderIdentity: 'other', leaseDurationSeconds: 60 },
      looksMsBefore: 59_999,
      taken: false,
      holder: 'other',
      transitions: undefined,
      verbs: ['get', 'get'],
    },
    {
      why: 'a Lease with a holder but no duration binds nobody',
      spec: { holderIdentity: 'other' },
      taken: true,
      holder: 'me',
      transitions: 1,
      verbs: ['get', 'update'],
    },
    {
      why: 'our own Lease is renewed without a transition',
      spec: {
        holderIdentity: 'me',
        leaseDurationSeconds: 15,
        leaseTransitions: 6,
        acquireTime: microTime(0),
      },
      taken: true,
      holder: 'me',
      transitions: 6,
      verbs: ['get', 'update'],
    },
  ])('$why', async ({ spec, looksMsBefore, taken, holder, transitions, verbs: expected }) => {
    if (spec !== 'no object') await store(spec);
    const own = elector('me');
    if (looksMsBefore !== undefined) {
      await own.tryAcquireOrRenew(never);
      await clock.advance(looksMsBefore);
    }
    expect(await own.tryAcquireOrRenew(never)).toBe(taken);
    expect(verbs()).toEqual(expected);
    const lease = await stored();
    expect(lease.spec).toMatchObject({ holderIdentity: holder });
    expect(lease.spec?.leaseTransitions).toBe(transitions ?? (spec as LeaseSpec).leaseTransitions);
    expect(own.leader).toBe(holder);
    expect(events.filter(({ kind }) => kind === 'leaderChanged').at(-1)).toMatchObject({ identity: holder });
  });

  it('keeps acquireTime over renewals and moves renewTime on', async () => {
    const own = elector('me');
    await own.tryAcquireOrRenew(never);
    const first = (await stored()).spec;
    await clock.advance(2000);
    await own.tryAcquireOrRenew(never);
    const second = (await stored()).spec;
    expect(second?.acquireTime).toBe(first?.acquireTime);
    expect(second?.renewTime).toBe(microTime(clock.now()));
  });

  it('renews with one PUT as long as nobody interferes (fast path)', async () => {
    const own = elector('me');
    await own.tryAcquireOrRenew(never);
    api.requests.length = 0;
    await clock.advance(2000);
    expect(await own.tryAcquireOrRenew(never)).toBe(true);
    expect(verbs()).toEqual(['update']);
  });

  it('reads again when somebody edited the Lease meanwhile, and keeps the edit (slow path after 409)', async () => {
    const own = elector('me');
    await own.tryAcquireOrRenew(never);
    await api.patch(
      path,
      { kind: 'merge', body: { metadata: { labels: { team: 'a' } } } },
      { signal: never },
    );
    api.requests.length = 0;
    expect(await own.tryAcquireOrRenew(never)).toBe(true);
    expect(verbs()).toEqual(['update', 'get', 'update']);
    const lease = await stored();
    expect(lease.metadata.labels).toEqual({ team: 'a' });
    expect(lease.spec).toMatchObject({ holderIdentity: 'me', leaseTransitions: 0 });
  });

  it('makes the Lease anew when somebody deleted it', async () => {
    const own = elector('me');
    await own.tryAcquireOrRenew(never);
    await api.delete(path, { signal: never });
    expect(await own.tryAcquireOrRenew(never)).toBe(true);
    expect((await stored()).spec?.holderIdentity).toBe('me');
  });

  it('does not take the fast path on a Lease that has run out', async () => {
    const own = elector('me');
    await own.tryAcquireOrRenew(never);
    await clock.advance(15_000);
    api.requests.length = 0;
    await own.tryAcquireOrRenew(never);
    expect(verbs()).toEqual(['get', 'update']);
  });

  it.each([
    { verb: 'create', reason: 'AlreadyExists', why: 'another candidate created it between' },
    { verb: 'update', reason: 'Conflict', why: 'another candidate took it between' },
    { verb: 'get', reason: 'ConnectionFailed', why: 'the API server is away' },
  ] as const)('fails without an exception: $why', async ({ verb, reason }) => {
    if (verb === 'update') await store({});
    api.before = (request) => {
      if (request.verb === verb) throw fail(reason, 409, reason);
    };
    expect(await elector('me').tryAcquireOrRenew(never)).toBe(false);
    expect(events.at(0)).toMatchObject({ kind: 'attemptFailed' });
  });

  it('one of two that try at the same moment gets it', async () => {
    await store({});
    const results = await Promise.all(
      [elector('a'), elector('b')].map((each) => each.tryAcquireOrRenew(never)),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
  });
});

describe('leading', () => {
  it('starts, renews every 2 s, and on a stop ends its work before it releases the Lease', async () => {
    const a = candidate('a', { windUpMs: 20_000 });
    await clock.advance(10_000);
    expect(a.spans).toEqual([{ fromMs: 0 }]);
    expect(verbs().filter((verb) => verb === 'update')).toHaveLength(5);
    const b = candidate('b');
    a.stop.abort();
    await clock.advance(19_000);
    expect(b.spans, 'the work of the first still winds up').toEqual([]);
    await clock.runUntil(a.run);
    expect((await stored()).spec?.holderIdentity).toBe('');
    await clock.advance(5000);
    expect(b.spans[0]?.fromMs, 'without waiting for the duration').toBeLessThan(35_000);
    b.stop.abort();
    await clock.runUntil(b.run);
    expect(events.map(({ kind }) => kind)).toEqual([
      // The first: seen as the leader by itself, and by the second; then the Lease is free.
      'leaderChanged',
      'started',
      'leaderChanged',
      'stopped',
      'leaderChanged',
      // The second.
      'leaderChanged',
      'started',
      'stopped',
      'leaderChanged',
    ]);
    expect(clock.sleepers).toBe(0);
  });

  it('loses leadership at the renew deadline when the API server is away, and says so before others can lead', async () => {
    const a = candidate('a');
    await clock.advance(1000);
    const b = candidate('b');
    await clock.advance(4000);
    // Only for the leader: the other reaches the server.
    api.before = ({ verb, body }) => {
      const holder = (body as Lease | undefined)?.spec?.holderIdentity;
      if (verb === 'update' && holder === 'a') throw fail('ConnectionFailed', 0, 'refused');
    };
    await clock.runUntil(() => b.spans.length > 0);
    const [span] = a.spans;
    // Renewed last at 4 s; so told at 14 s, and taken by the other 15 s after it saw that renewal.
    expect(span?.toldMs).toBe(14_000);
    expect(b.spans[0]?.fromMs).toBeGreaterThanOrEqual(19_000);
    expect(events).toContainEqual({ name: 'sluice-controller', kind: 'stopped', cause: 'lost' });
    for (const each of [a, b]) each.stop.abort();
    await clock.runUntil(Promise.all([a.run, b.run]));
  });

  it('is not carried over the deadline by a request that hangs', async () => {
    const a = candidate('a');
    await clock.advance(5000);
    api.before = ({ signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await clock.advance(8999);
    expect(a.elector.leads()).toBe(true);
    await clock.advance(1);
    expect(a.elector.leads()).toBe(false);
    expect(a.spans[0]?.toldMs).toBe(14_000);
    api.before = undefined;
    a.stop.abort();
    await clock.runUntil(a.run);
  });

  it('counts from when a renewal was sent, not from when its answer came', async () => {
    const a = candidate('a');
    await clock.advance(1000);
    api.before = ({ verb }) => (verb === 'update' ? clock.sleep(3000) : undefined);
    await clock.advance(5000);
    // Sent at 2 s, answered at 5 s; the next is on its way.
    api.before = () => {
      throw fail('ConnectionFailed', 0, 'refused');
    };
    await clock.advance(5999);
    expect(a.elector.leads()).toBe(true);
    await clock.advance(1);
    expect(a.elector.leads()).toBe(false);
    a.stop.abort();
    await clock.runUntil(a.run);
  });

  it('stops at once when the Lease is seen to be another’s', async () => {
    const a = candidate('a');
    await clock.advance(5000);
    const current = await stored();
    await api.replace(
      path,
      { ...current, spec: { ...current.spec, holderIdentity: 'thief' } },
      { signal: never },
    );
    await clock.advance(1500);
    expect(a.spans[0]?.toldMs).toBe(6000);
    a.stop.abort();
    await clock.runUntil(a.run);
    expect((await stored()).spec?.holderIdentity, 'and does not release what is not its own').toBe('thief');
  });

  it('survives single failures within the deadline', async () => {
    const a = candidate('a');
    await clock.advance(1000);
    let requests = 0;
    api.before = () => {
      if (++requests % 3 !== 0) throw fail('InternalError', 500, 'etcd leader changed');
    };
    await clock.advance(120_000);
    expect(a.spans).toEqual([{ fromMs: 0 }]);
    api.before = undefined;
    a.stop.abort();
    await clock.runUntil(a.run);
  });

  it('takes part again after it was lost', async () => {
    const a = candidate('a');
    await clock.advance(1000);
    api.before = () => {
      throw fail('ConnectionFailed', 0, 'refused');
    };
    await clock.advance(60_000);
    expect(a.spans).toHaveLength(1);
    api.before = undefined;
    await clock.advance(20_000);
    expect(a.spans).toHaveLength(2);
    a.stop.abort();
    await clock.runUntil(a.run);
  });

  it('gives leadership up when its work ends, and rejects with what it threw', async () => {
    const own = elector('me');
    await expect(own.run(() => Promise.reject(new Error('broken work')), never)).rejects.toThrow(
      'broken work',
    );
    expect((await stored()).spec?.holderIdentity).toBe('');
    expect(own.leads()).toBe(false);
    expect(clock.sleepers).toBe(0);
  });

  it('does not hang on a stop while the API server is away', async () => {
    const a = candidate('a');
    await clock.advance(1000);
    api.before = ({ signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    a.stop.abort();
    await clock.runUntil(a.run);
    expect(clock.monotonic()).toBeLessThanOrEqual(16_000);
  });

  it('a candidate that waits stops at once', async () => {
    await store({ holderIdentity: 'other', leaseDurationSeconds: 15 });
    const a = candidate('a');
    await clock.settle();
    a.stop.abort();
    await a.run;
    expect(a.spans).toEqual([]);
  });
});

describe('clocks', () => {
  /** A clock that shows another time of day and runs at another rate. */
  const skewed = (offsetMs: number, rate: number): Clock => ({
    now: () => clock.now() + offsetMs,
    monotonic: () => clock.monotonic() * rate,
    sleep: (ms, signal) => clock.sleep(ms / rate, signal),
    after: (ms, action) => clock.after(ms / rate, action),
  });

  it.each([
    { offsets: [-3_600_000, 3_600_000], rates: [1, 1], why: 'an hour apart in each direction' },
    { offsets: [31_536_000_000, 0], rates: [1, 1], why: 'a year ahead' },
    { offsets: [0, 0], rates: [0.9, 1.1], why: 'a slow leader, a fast candidate' },
    { offsets: [0, 0], rates: [1.1, 0.9], why: 'a fast leader, a slow candidate' },
  ])('two never lead at once: $why', async ({ offsets: [a = 0, b = 0], rates: [rateA = 1, rateB = 1] }) => {
    const both = [candidate('a', { clock: skewed(a, rateA) }), candidate('b', { clock: skewed(b, rateB) })];
    // Whoever leads is cut off every minute, and the other must take over.
    for (let minute = 0; minute < 20; minute++) {
      await clock.advance(30_000);
      const leader = both.find(({ elector }) => elector.leads());
      api.before = ({ body }) => {
        const holder = (body as Lease | undefined)?.spec?.holderIdentity;
        if (holder === leader?.identity) throw fail('ConnectionFailed', 0, 'refused');
      };
      await clock.advance(30_000);
      api.before = undefined;
    }
    for (const each of both) each.stop.abort();
    await clock.runUntil(Promise.all(both.map(({ run }) => run)));
    const spans = both.flatMap(({ spans }) => spans).sort((x, y) => x.fromMs - y.fromMs);
    expect(spans.length).toBeGreaterThanOrEqual(20);
    for (const [index, span] of spans.entries()) {
      const next = spans[index + 1];
      if (next !== undefined && span.toMs !== undefined && next.fromMs < span.toMs) {
        throw new Error(`${JSON.stringify(span)} overlaps ${JSON.stringify(next)}`);
      }
    }
  });

  it('a jump of the wall clock changes nothing', async () => {
    const a = candidate('a');
    const b = candidate('b');
    await clock.advance(10_000);
    clock.jumpWallClock(86_400_000);
    await clock.advance(60_000);
    clock.jumpWallClock(-172_800_000);
    await clock.advance(60_000);
    expect(a.spans.length + b.spans.length).toBe(1);
    for (const each of [a, b]) each.stop.abort();
    await clock.runUntil(Promise.all([a.run, b.run]));
  });

  it('a process that was stopped does not lead when it wakes, before any timer has run', async () => {
    let pausedMs = 0;
    const a = candidate('a', {
      clock: {
        now: () => clock.now(),
        monotonic: () => clock.monotonic() + pausedMs,
        sleep: (ms, signal) => clock.sleep(ms, signal),
        after: (ms, action) => clock.after(ms, action),
      },
    });
    await clock.advance(1000);
    expect(a.elector.leads()).toBe(true);
    // Time has passed and no timer has fired yet: what SIGSTOP and a long pause look like from inside.
    pausedMs = 10_000;
    expect(a.elector.leads()).toBe(false);
    a.stop.abort();
    await clock.runUntil(a.run);
    expect(a.elector.leads()).toBe(false);
  });
});

it.each([
  { times: { leaseDurationMs: 10_000 }, field: 'leaseDuration' },
  { times: { renewDeadlineMs: 2400 }, field: 'renewDeadline' },
  { times: { retryPeriodMs: 0 }, field: 'retryPeriod' },
])('refuses times that cannot work: $times', ({ times, field }) => {
  expect(() => elector('me', { times })).toThrow(`\`${field}\` must be`);
});
