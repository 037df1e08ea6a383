import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ControlError, type AccountApi, type MappingApi } from '../../../../src/backends/aws/client.ts';
import { AdaptivePace, pacedApi } from '../../../../src/backends/aws/pace.ts';
import { after, backoff, SluiceError, type Retry } from '../../../../src/lib/errors.ts';
import { seededRandom } from '../../../../src/lib/random.ts';
import { MemoryMappingApi } from '../../../support/memory-mapping-api.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const { signal } = new AbortController();

/** The most starts within any second. */
function busiestSecond(starts: readonly number[]): number {
  return Math.max(0, ...starts.map((from) => starts.filter((at) => at >= from && at < from + 1000).length));
}

/** Starts of `count` calls that all want to go at once, against a server that refuses above a rate. */
async function run(
  clock: VirtualClock,
  pace: AdaptivePace,
  count: number,
  refusesAbove = Infinity,
): Promise<{ readonly starts: number[]; readonly refused: number }> {
  const starts: number[] = [];
  const accepted: number[] = [];
  let refused = 0;
  const one = async (): Promise<void> => {
    await pace.take(signal);
    const nowMs = clock.monotonic();
    starts.push(nowMs);
    if (accepted.filter((at) => at > nowMs - 1000).length < refusesAbove) {
      accepted.push(nowMs);
      return;
    }
    refused++;
    pace.refused();
  };
  await clock.runUntil(Promise.all(Array.from({ length: count }, one)));
  return { starts, refused };
}

describe('the pace of calls to an account and Region', () => {
  it('starts at 5 a second and is at the ceiling within ten seconds of demand', async () => {
    const clock = new VirtualClock();
    const pace = new AdaptivePace({ clock, ceiling: 15 });
    expect(pace.perSecond).toBe(5);
    const { starts } = await run(clock, pace, 300);
    expect(starts.filter((at) => at < 1000).length).toBeLessThanOrEqual(15);
    expect(pace.perSecond).toBe(15);
    expect(starts.filter((at) => at >= 10_000 && at < 11_000)).toHaveLength(15);
  });

  it('does not grow while nothing has to wait', async () => {
    const clock = new VirtualClock();
    const pace = new AdaptivePace({ clock, ceiling: 15 });
    for (let count = 0; count < 50; count++) {
      await pace.take(signal);
      await clock.advance(1000);
    }
    expect(pace.perSecond).toBe(5);
  });

  it('never lets more start within a second than the ceiling, whatever is asked for and refused', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), count: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 5000 }) }),
      fc.record({ kind: fc.constant('refuse' as const) }),
    );
    const ceilings = fc.integer({ min: 1, max: 20 });
    await fc.assert(
      fc.asyncProperty(ceilings, fc.array(step, { maxLength: 30 }), async (ceiling, steps) => {
        const clock = new VirtualClock();
        const pace = new AdaptivePace({ clock, ceiling });
        const starts: number[] = [];
        const asked: Promise<void>[] = [];
        for (const each of steps) {
          if (each.kind === 'wait') await clock.advance(each.ms);
          else if (each.kind === 'refuse') pace.refused();
          else
            for (let count = 0; count < each.count; count++)
              asked.push(pace.take(signal).then(() => void starts.push(clock.monotonic())));
        }
        await clock.runUntil(Promise.all(asked));
        expect(starts).toHaveLength(asked.length);
        expect(busiestSecond(starts)).toBeLessThanOrEqual(ceiling);
        expect(starts).toEqual(starts.toSorted((a, b) => a - b));
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    { limit: 12, why: 'others use a part of the 15' },
    { limit: 6, why: 'others use most of it' },
    { limit: 3, why: 'less than it starts with' },
  ])('finds $limit a second with few refusals: $why', async ({ limit }) => {
    const clock = new VirtualClock();
    const pace = new AdaptivePace({ clock, ceiling: 15 });
    const { refused } = await run(clock, pace, 100 * limit, limit);
    expect(refused / (100 * limit)).toBeLessThan(0.08);
    expect(clock.monotonic()).toBeLessThan(1.3 * 100 * 1000);
  });

  it('falls back at once on a refusal, and takes refusals of one moment for one', async () => {
    const clock = new VirtualClock();
    const pace = new AdaptivePace({ clock, ceiling: 15 });
    await run(clock, pace, 200);
    pace.refused();
    expect(pace.perSecond).toBe(12);
    pace.refused();
    expect(pace.perSecond).toBe(12);
    await clock.advance(300);
    pace.refused();
    expect(pace.perSecond).toBeCloseTo(9.6);
  });

  it('lets go of one that gives up, without letting others pass', async () => {
    const clock = new VirtualClock();
    const pace = new AdaptivePace({ clock, ceiling: 1 });
    await pace.take(signal);
    const impatient = new AbortController();
    const order: string[] = [];
    const first = pace.take(signal).then(() => order.push('first'));
    const second = pace.take(impatient.signal).then(() => order.push('second'));
    const third = pace.take(signal).then(() => order.push('third'));
    impatient.abort();
    await clock.settle();
    expect(order).toEqual(['second']);
    await clock.runUntil(Promise.all([first, second, third]));
    expect(order).toEqual(['second', 'first', 'third']);
    expect(clock.monotonic()).toBe(2000);
    expect(pace.waiting).toBe(0);
  });
});

describe('calls that are repeated', () => {
  const failing = (
    kind: 'throttled' | 'unavailable' | 'rejected',
    reason: string,
    times: number,
    retry: Retry = backoff,
  ) => {
    const api = new MemoryMappingApi();
    let left = times;
    let calls = 0;
    api.before = () => {
      calls++;
      if (left-- > 0) throw new ControlError({ kind, error: new SluiceError(reason, 'not now', retry) });
    };
    return { api, calls: () => calls };
  };

  const paced = (api: MappingApi) => {
    const clock = new VirtualClock();
    let refusals = 0;
    const all: MappingApi & AccountApi = {
      page: () => Promise.resolve({ mappings: [], next: undefined }),
      get: (uuid) => api.get(uuid, signal),
      list: (source) => api.list(source, signal),
      listByFunction: (name) => api.listByFunction(name, signal),
      create: (input) => api.create(input, signal),
      update: (uuid, input) => api.update(uuid, input, signal),
      delete: (uuid) => api.delete(uuid, signal),
      tags: (arn) => api.tags(arn, signal),
      tag: (arn, tags) => api.tag(arn, tags, signal),
      untag: (arn, keys) => api.untag(arn, keys, signal),
    };
    const onRefused = (): void => void refusals++;
    return {
      clock,
      refusals: () => refusals,
      api: pacedApi(all, { clock, random: seededRandom(1), onRefused }),
    };
  };

  it.each([
    { seconds: 3, calls: 2, leastMs: 3000, why: 'no sooner than AWS asks for' },
    { seconds: 0.01, calls: 2, leastMs: 250, why: 'no sooner than without' },
    { seconds: 9, calls: 1, leastMs: 0, why: 'longer than a worker waits: the reconciler comes back' },
  ])('are made again after a Retry-After of $seconds s: $why', async ({ seconds, calls, leastMs }) => {
    const { api, calls: made } = failing('throttled', 'AwsThrottled', 1, after(seconds * 1000));
    const world = paced(api);
    await world.clock.runUntil(world.api.get('none', signal).catch(() => undefined));
    expect(made()).toBe(calls);
    expect(world.clock.monotonic()).toBeGreaterThanOrEqual(leastMs);
    expect(world.clock.monotonic()).toBeLessThanOrEqual(Math.max(leastMs, 500));
  });

  const get = (api: MappingApi): Promise<unknown> => api.get('none', signal);
  const create = (api: MappingApi): Promise<unknown> =>
    api.create({ EventSourceArn: 'arn:aws:sqs:eu-west-1:1:q', FunctionName: 'f' }, signal);

  it.each([
    {
      call: get,
      kind: 'throttled',
      reason: 'AwsThrottled',
      times: 3,
      calls: 4,
      ok: true,
      why: 'refused reads wait',
    },
    {
      call: create,
      kind: 'throttled',
      reason: 'AwsThrottled',
      times: 3,
      calls: 4,
      ok: true,
      why: 'a refused write was not done',
    },
    {
      call: get,
      kind: 'throttled',
      reason: 'AwsThrottled',
      times: 99,
      calls: 6,
      ok: false,
      why: 'not for ever',
    },
    {
      call: get,
      kind: 'throttled',
      reason: 'KmsThrottled',
      times: 1,
      calls: 1,
      ok: false,
      why: 'not the rate of these calls',
    },
    {
      call: get,
      kind: 'unavailable',
      reason: 'AwsFailed',
      times: 2,
      calls: 3,
      ok: true,
      why: 'a read may be repeated',
    },
    {
      call: create,
      kind: 'unavailable',
      reason: 'AwsFailed',
      times: 1,
      calls: 1,
      ok: false,
      why: 'a write may have happened',
    },
    {
      call: get,
      kind: 'rejected',
      reason: 'AwsRejected',
      times: 1,
      calls: 1,
      ok: false,
      why: 'no retry helps',
    },
  ] as const)('$why', async ({ call, kind, reason, times, calls, ok }) => {
    const server = failing(kind, reason, times);
    const { clock, api, refusals } = paced(server.api);
    const ended = call(api).then(
      () => true,
      () => false,
    );
    expect(await clock.runUntil(ended)).toBe(ok);
    expect(server.calls()).toBe(calls);
    expect(refusals()).toBe(reason === 'AwsThrottled' ? Math.min(times, calls) : 0);
  });
});
