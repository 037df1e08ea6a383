import { describe, expect, test } from 'vitest';
import { Runner, type Standing } from '../../../src/fleet/runner.ts';
import type { Work } from '../../../src/fleet/work.ts';
import { never, SluiceError } from '../../../src/lib/errors.ts';
import type { PollerEvent } from '../../../src/poller/events.ts';
import { aWork, FakeOpener } from '../../support/pollers.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

function setUp() {
  const clock = new VirtualClock();
  const opener = new FakeOpener(clock);
  /** What was told of a mapping: its state, or `gone`. */
  const told: string[] = [];
  const events: { readonly work: Work; readonly event: PollerEvent; readonly former: boolean }[] = [];
  const errors: unknown[] = [];
  const runner = new Runner({
    clock,
    random: () => 0,
    opener,
    emit: (work, event, former) => events.push({ work, event, former }),
    onStanding: (key, standing) => told.push(`${key} ${standing?.state ?? 'gone'}`),
    onError: (error) => errors.push(error),
    drainGraceMs: 60_000,
  });
  const standing = (): Standing | undefined => runner.standings()[0];
  return { clock, opener, runner, told, events, errors, standing };
}

const denied = new SluiceError('SecretNotFound', 'there is no Secret shop/ca', never);

describe('Runner', () => {
  test('opens what is wanted, runs it, and forgets what is no longer wanted', async () => {
    const { clock, runner, opener, told } = setUp();
    runner.set([aWork('a'), aWork('b')]);
    await clock.settle();
    expect(runner.standings()).toMatchObject([
      { state: 'Running', reason: 'Serving' },
      { state: 'Running', reason: 'Serving' },
    ]);
    runner.set([aWork('b')]);
    await clock.settle();
    expect(runner.standings().map(({ work }) => work.mapping.metadata.name)).toEqual(['b']);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['ended', 'taking']);
    expect(told.filter((line) => line.startsWith('uid-a'))).toEqual([
      'uid-a Starting',
      'uid-a Running',
      'uid-a Draining',
      'uid-a gone',
    ]);
  });

  test('the same wish again changes nothing and tells nothing', async () => {
    const { clock, runner, opener, told } = setUp();
    runner.set([aWork('a')]);
    await clock.settle();
    const before = [...told];
    runner.set([aWork('a')]);
    await clock.settle();
    expect(opener.tries).toEqual(['1 ok']);
    expect(told).toEqual(before);
  });

  test('a change that keeps the source is made in place', async () => {
    const { clock, runner, opener, standing } = setUp();
    runner.set([aWork('a')]);
    await clock.settle();
    runner.set([aWork('a', { generation: 2 })]);
    await clock.settle();
    expect(opener.pollers).toHaveLength(1);
    expect(opener.pollers[0]).toMatchObject({ state: 'taking', generation: 2 });
    expect(standing()).toMatchObject({
      state: 'Running',
      work: { mapping: { metadata: { generation: 2 } } },
    });
  });

  test('a change of the class alone, under the same generation, is taken over too', async () => {
    const { clock, runner, opener } = setUp();
    runner.set([aWork('a')]);
    await clock.settle();
    runner.set([aWork('a', { allowedURLs: ['https://example.com/'] })]);
    await clock.settle();
    expect(opener.pollers[0]?.works).toHaveLength(2);
  });

  test('another source is opened when the old poller invokes nothing, while its last poll goes on', async () => {
    const { clock, runner, opener, standing } = setUp();
    opener.drainMs = 20_000;
    opener.busyMs = 3000;
    runner.set([aWork('a')]);
    await clock.settle();
    runner.set([aWork('a', { generation: 2, queue: 'other' })]);
    await clock.advance(2999);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['draining']);
    expect(standing()?.state).toBe('Draining');
    await clock.advance(1);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['draining', 'taking']);
    expect(standing()).toMatchObject({
      state: 'Running',
      work: { mapping: { metadata: { generation: 2 } } },
    });
    await clock.advance(17_000);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['ended', 'taking']);
  });

  test('the same source read by another identity is drained to the end first: it never has two readers', async () => {
    const { clock, runner, opener, standing } = setUp();
    opener.drainMs = 5000;
    runner.set([aWork('a')]);
    await clock.settle();
    const roleARN = 'arn:aws:iam::000000000000:role/a';
    runner.set([aWork('a', { generation: 2, identity: { kind: 'Role', roleARN } })]);
    await clock.advance(4999);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['draining']);
    expect(standing()?.state).toBe('Draining');
    await clock.advance(1);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['ended', 'taking']);
    expect(standing()?.state).toBe('Running');
  });

  test('a source that is wanted again while its former reader still drains waits for that one', async () => {
    const { clock, runner, opener } = setUp();
    opener.drainMs = 20_000;
    runner.set([aWork('a')]);
    await clock.settle();
    runner.set([aWork('a', { generation: 2, queue: 'other' })]);
    await clock.advance(5000);
    runner.set([aWork('a', { generation: 3 })]);
    await clock.advance(14_999);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['draining', 'draining']);
    await clock.advance(1);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['ended', 'draining', 'taking']);
    await clock.advance(20_000);
    expect(opener.alive).toMatchObject([{ state: 'taking', generation: 3 }]);
  });

  test('a mapping that is removed is gone only when its former readers are', async () => {
    const { clock, runner, opener, told } = setUp();
    opener.drainMs = 20_000;
    runner.set([aWork('a')]);
    await clock.settle();
    runner.set([aWork('a', { generation: 2, queue: 'other' })]);
    await clock.advance(19_000);
    opener.drainMs = 0;
    runner.set([]);
    await clock.advance(999);
    expect(told.at(-1)).toBe('uid-a Draining');
    await clock.advance(1);
    expect(told.at(-1)).toBe('uid-a gone');
    expect(opener.alive).toEqual([]);
  });

  test('events of a former reader carry its own work, and that it is the former one', async () => {
    const { clock, runner, opener, events } = setUp();
    opener.drainMs = 20_000;
    runner.set([aWork('a')]);
    await clock.settle();
    runner.set([aWork('a', { generation: 2, queue: 'other' })]);
    await clock.settle();
    for (const poller of opener.pollers) poller.emit({ kind: 'source-opened' });
    expect(events.map(({ work, former }) => [work.mapping.metadata.generation, former])).toEqual([
      [1, true],
      [2, false],
    ]);
    await clock.runUntil(runner.drain(0));
  });

  test('the newest of many wishes wins, and those between are cut off', async () => {
    const { clock, runner, opener } = setUp();
    opener.openMs = 1000;
    for (const generation of [1, 2, 3, 4]) {
      runner.set([aWork('a', { generation })]);
      await clock.advance(10);
    }
    await clock.advance(1000);
    expect(opener.tries).toEqual(['1 cut off', '2 cut off', '3 cut off', '4 ok']);
    expect(opener.alive).toMatchObject([{ state: 'taking', generation: 4 }]);
  });

  test('a wish that is taken back while it is carried out leaves nothing open', async () => {
    const { clock, runner, opener, told } = setUp();
    opener.openMs = 1000;
    runner.set([aWork('a')]);
    await clock.advance(500);
    runner.set([]);
    await clock.settle();
    expect(opener.alive).toEqual([]);
    expect(runner.standings()).toEqual([]);
    expect(told).toEqual(['uid-a Starting', 'uid-a gone']);
  });

  test('a wish that comes back while its former self drains is opened after the drain', async () => {
    const { clock, runner, opener } = setUp();
    opener.drainMs = 3000;
    runner.set([aWork('a')]);
    await clock.settle();
    runner.set([]);
    await clock.advance(1000);
    runner.set([aWork('a')]);
    await clock.advance(1999);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['draining']);
    await clock.advance(1);
    expect(opener.pollers.map(({ state }) => state)).toEqual(['ended', 'taking']);
    expect(runner.standings()).toMatchObject([{ state: 'Running' }]);
  });

  test('what cannot be opened is Failed with its reason, told once, tried again with back-off, and disturbs nobody', async () => {
    const { clock, runner, opener, told, standing } = setUp();
    opener.problem = ({ mapping }) => (mapping.metadata.name === 'a' ? denied : undefined);
    runner.set([aWork('a'), aWork('b')]);
    await clock.settle();
    const since = clock.now();
    expect(standing()).toMatchObject({ state: 'Failed', reason: 'SecretNotFound', message: denied.message });
    expect(runner.standings()[1]?.state).toBe('Running');
    const triesOfA = (): number => opener.tries.filter((line) => line === '1 failed').length;
    const counts: number[] = [];
    for (const ms of [1999, 1, 3999, 1, 7999, 1]) {
      await clock.advance(ms);
      counts.push(triesOfA());
    }
    expect(counts).toEqual([1, 2, 2, 3, 3, 4]);
    expect(told.filter((line) => line === 'uid-a Failed')).toHaveLength(1);
    expect(standing()?.sinceMs).toBe(since);
    opener.problem = () => undefined;
    await clock.advance(60_000);
    expect(standing()).toMatchObject({ state: 'Running', reason: 'Serving', message: '' });
  });

  test('a change of a failed mapping is tried at once', async () => {
    const { clock, runner, opener, standing } = setUp();
    opener.problem = ({ mapping }) => (mapping.metadata.generation === 1 ? denied : undefined);
    runner.set([aWork('a')]);
    await clock.advance(60_000);
    runner.set([aWork('a', { generation: 2 })]);
    await clock.settle();
    expect(standing()?.state).toBe('Running');
  });

  test('a spec that cannot run stops the former one, whose messages would go where nobody wants them', async () => {
    const { clock, runner, opener, standing } = setUp();
    opener.drainMs = 1000;
    runner.set([aWork('a')]);
    await clock.settle();
    opener.problem = ({ mapping }) => (mapping.metadata.generation === 2 ? denied : undefined);
    runner.set([aWork('a', { generation: 2 })]);
    await clock.settle();
    // The reason is known at once, although what is in flight is still being finished.
    expect(standing()).toMatchObject({ state: 'Failed', reason: 'SecretNotFound' });
    expect(opener.pollers.map(({ state }) => state)).toEqual(['draining']);
    await clock.advance(1000);
    expect(opener.alive).toEqual([]);
    runner.set([aWork('a', { generation: 3 })]);
    await clock.settle();
    expect(standing()?.state).toBe('Running');
  });

  test('an error without a documented reason is MemberFailed', async () => {
    const { clock, runner, opener, standing } = setUp();
    opener.problem = () => new SluiceError('ConnectionFailed', 'no answer', never);
    runner.set([aWork('a')]);
    await clock.settle();
    expect(standing()).toMatchObject({ state: 'Failed', reason: 'MemberFailed', message: 'no answer' });
    runner.set([]);
    await clock.settle();
  });

  test('a drain that fails is told, and the mapping goes on to where it is wanted', async () => {
    const { clock, runner, opener, errors, standing } = setUp();
    runner.set([aWork('a')]);
    await clock.settle();
    opener.drainError = new Error('socket');
    runner.set([aWork('a', { generation: 2, queue: 'other' })]);
    await clock.settle();
    expect(errors).toEqual([opener.drainError]);
    expect(standing()?.state).toBe('Running');
    expect(opener.pollers.at(-1)?.state).toBe('taking');
  });

  test('pauses before and after the start, and resumes in place', async () => {
    const { clock, runner, opener, standing } = setUp();
    runner.set([aWork('a', { paused: 'Disabled' })]);
    await clock.settle();
    expect(opener.pollers[0]?.state).toBe('paused');
    expect(standing()).toMatchObject({ state: 'Paused', reason: 'Disabled' });
    runner.set([aWork('a')]);
    await clock.settle();
    expect(opener.pollers[0]?.state).toBe('taking');
    runner.set([aWork('a', { paused: 'PausedDelivery' })]);
    await clock.settle();
    expect(opener.pollers[0]?.state).toBe('paused');
    expect(standing()).toMatchObject({ state: 'Paused', reason: 'PausedDelivery' });
    expect(opener.pollers).toHaveLength(1);
  });

  test('events carry the work that is in force', async () => {
    const { clock, runner, opener, events } = setUp();
    runner.set([aWork('a')]);
    await clock.settle();
    runner.set([aWork('a', { generation: 2 })]);
    await clock.settle();
    opener.pollers[0]?.emit({ kind: 'source-opened' });
    expect(events).toMatchObject([{ work: { mapping: { metadata: { generation: 2 } } } }]);
  });

  describe('drain', () => {
    test('ends everything within its own grace, and nothing starts any more', async () => {
      const { clock, runner, opener } = setUp();
      opener.drainMs = 30_000;
      runner.set([aWork('a'), aWork('b', { paused: 'Disabled' })]);
      await clock.settle();
      const drained = runner.drain(5000);
      runner.set([aWork('c')]);
      await clock.runUntil(drained, { limitMs: 5000 });
      expect(clock.monotonic()).toBe(5000);
      expect(opener.pollers.map(({ state }) => state)).toEqual(['ended', 'ended']);
      expect(runner.standings()).toEqual([]);
    });

    test('cuts the grace of former readers short, too', async () => {
      const { clock, runner, opener } = setUp();
      opener.drainMs = 60_000;
      runner.set([aWork('a')]);
      await clock.settle();
      runner.set([aWork('a', { generation: 2, queue: 'other' })]);
      await clock.advance(1000);
      expect(opener.pollers.map(({ state }) => state)).toEqual(['draining', 'taking']);
      await clock.runUntil(runner.drain(2000));
      expect(clock.monotonic()).toBe(3000);
      expect(opener.alive).toEqual([]);
    });

    test('cuts the longer grace of a removal short', async () => {
      const { clock, runner, opener } = setUp();
      opener.drainMs = 60_000;
      runner.set([aWork('a')]);
      await clock.settle();
      runner.set([]);
      await clock.advance(1000);
      await clock.runUntil(runner.drain(2000));
      expect(clock.monotonic()).toBe(3000);
    });

    test('does not wait for what is being opened, nor for the next try of what failed', async () => {
      const { clock, runner, opener } = setUp();
      opener.problem = ({ mapping }) => (mapping.metadata.name === 'a' ? denied : undefined);
      runner.set([aWork('a')]);
      await clock.settle();
      opener.openMs = 60_000;
      runner.set([aWork('a'), aWork('b')]);
      await clock.advance(10);
      await clock.runUntil(runner.drain(1000));
      expect(clock.monotonic()).toBe(10);
      expect(clock.sleepers).toBe(0);
      expect(opener.alive).toEqual([]);
    });
  });
});
