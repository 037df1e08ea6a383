import { describe, expect, it } from 'vitest';
import { AwsBackend } from '../../../../src/backends/aws/backend.ts';
import { ControlError, type Configuration, type MappingApi } from '../../../../src/backends/aws/client.ts';
import { AdaptivePace } from '../../../../src/backends/aws/pace.ts';
import { AccountView } from '../../../../src/backends/aws/sweep.ts';
import { backoff, SluiceError } from '../../../../src/lib/errors.ts';
import { CountedAccount } from '../../../support/counted-account.ts';
import { aMapping, subjectOf } from '../../../support/mappings.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const { signal } = new AbortController();
const intervalMs = 300_000;

/** A view of an account with `ours` expected mappings, as one identity or several use it. */
class World {
  readonly clock = new VirtualClock();
  readonly account = new CountedAccount();
  readonly changed: string[] = [];
  readonly view: AccountView;
  readonly api: MappingApi;

  constructor(ours = 1000) {
    const { clock } = this;
    const pace = new AdaptivePace({ clock, ceiling: 15 });
    const onChanged = (uuids: readonly string[]): void => void this.changed.push(...uuids);
    this.view = new AccountView({
      clock,
      random: () => 0,
      pace,
      intervalMs,
      expected: () => ours,
      onChanged,
    });
    this.api = this.view.apiFor(this.account.api, 'installation');
  }

  /** Mappings that exist and are settled before anybody looks. */
  async existing(count: number): Promise<string[]> {
    const uuids: string[] = [];
    for (let index = 0; index < count; index++) {
      const created = await this.account.memory.create(input(`old-${index}`));
      uuids.push(created.UUID ?? '');
    }
    this.account.memory.settle();
    this.account.forgetCalls();
    return uuids;
  }

  recent(uuid: string): Promise<Configuration | undefined> {
    return this.api.get(uuid, signal, 'recent');
  }

  /** Time passes, and each mapping is looked at once a second as the controller does with those that change. */
  async lookFor(ms: number, uuids: readonly string[]): Promise<(Configuration | undefined)[]> {
    const seen = new Map<string, Configuration | undefined>(uuids.map((uuid) => [uuid, {}]));
    for (let passed = 0; passed < ms; passed += 1000) {
      await this.clock.advance(1000);
      // What is gone is not asked for again.
      const left = uuids.filter((uuid) => seen.get(uuid) !== undefined);
      await Promise.all(left.map(async (uuid) => seen.set(uuid, await this.recent(uuid))));
      await this.clock.settle();
    }
    return uuids.map((uuid) => seen.get(uuid));
  }
}

function input(name: string): { EventSourceArn: string; FunctionName: string; Tags: Record<string, string> } {
  return {
    EventSourceArn: `arn:aws:sqs:eu-west-1:000000000000:${name}`,
    FunctionName: 'f',
    Tags: { a: 'b' },
  };
}

const state = (configuration: Configuration | undefined): string | undefined => configuration?.State;

describe('the view of an account', () => {
  it('serves all that ask at the start by one sweep of 100 to a call', async () => {
    const world = new World(10_000);
    const uuids = await world.existing(1050);
    const seen = await Promise.all(uuids.map((uuid) => world.recent(uuid)));
    expect(new Set(seen.map(state))).toEqual(new Set(['Enabled']));
    expect(world.account.count('page')).toBe(11);
    expect(world.account.count()).toBe(11);
  });

  it('finds a change within the interval by one sweep, and tells whose mapping it is', async () => {
    const world = new World();
    const [uuid = '', ...others] = await world.existing(250);
    await world.recent(uuid);
    world.account.memory.tamper(uuid, { BatchSize: 7 });
    world.account.forgetCalls();
    await world.clock.advance(intervalMs * 0.8);
    await Promise.all([uuid, ...others].map((each) => world.recent(each)));
    await world.clock.settle();
    expect(world.changed).toEqual([uuid]);
    expect((await world.recent(uuid))?.BatchSize).toBe(7);
    expect(world.account.count('page')).toBe(3);
    expect(world.account.count()).toBe(3);
  });

  it('costs an idle hour at most sixteen sweeps', async () => {
    const world = new World();
    const uuids = await world.existing(200);
    await Promise.all(uuids.map((uuid) => world.recent(uuid)));
    world.account.forgetCalls();
    for (let minute = 0; minute < 60; minute++) {
      await world.clock.advance(60_000);
      await Promise.all(uuids.map((uuid) => world.recent(uuid)));
      await world.clock.settle();
    }
    expect(world.account.count('page')).toBeLessThanOrEqual(32);
    expect(world.account.count()).toBe(world.account.count('page'));
  });

  it('settles hundreds of new mappings by shared sweeps, at 1.1 calls each', async () => {
    const world = new World();
    const uuids: string[] = [];
    for (let index = 0; index < 300; index++) {
      await world.clock.advance(67);
      await world.api.list(input(`q-${index}`).EventSourceArn, signal, 'recent');
      uuids.push((await world.api.create(input(`q-${index}`), signal)).UUID ?? '');
      await Promise.all(uuids.slice(-50).map((uuid) => world.recent(uuid)));
      if (index % 30 === 0) world.account.memory.settle();
    }
    world.account.memory.settle();
    const seen = await world.lookFor(5000, uuids);
    expect(new Set(seen.map(state))).toEqual(new Set(['Enabled']));
    expect(world.account.count() / 300).toBeLessThan(1.15);
    expect(world.changed.length).toBeGreaterThan(0);
  });

  it('sees deletions through by shared sweeps, and takes what was Deleting and is not shown for gone', async () => {
    const world = new World();
    const uuids = await world.existing(150);
    await Promise.all(uuids.map((uuid) => world.recent(uuid)));
    world.account.forgetCalls();
    for (const uuid of uuids) await world.api.delete(uuid, signal);
    // Hundreds of others were deleted first, so that nobody has looked for long.
    await world.clock.advance(40_000);
    expect(new Set((await world.lookFor(2000, uuids)).map(state))).toEqual(new Set(['Deleting']));
    world.account.memory.settle();
    expect((await world.lookFor(15_000, uuids)).every((seen) => seen === undefined)).toBe(true);
    expect(world.account.count('get')).toBe(0);
    expect(world.account.count('page')).toBeLessThanOrEqual(12);
  });

  it('has a difference that List shows confirmed before anybody acts on it', async () => {
    const world = new World();
    await world.existing(10);
    const recheckMs = intervalMs;
    const api = (): MappingApi & Disposable => ({ ...world.api, [Symbol.dispose]: () => undefined });
    const backend = new AwsBackend({ clusterID: 'test', recheckMs, api });
    const { mapping } = await backend.create(subjectOf(aMapping()), signal);
    world.account.memory.settle();
    const subject = subjectOf(
      aMapping({ status: { observedGeneration: 1, ...(mapping ? { mapping } : {}) } }),
    );
    await world.lookFor(4000, [mapping?.uuid ?? '']);
    expect((await backend.observe(subject, signal)).kind).toBe('current');
    world.account.memory.tamper(mapping?.uuid ?? '', { BatchSize: 3 });
    world.account.freezeList();
    world.account.memory.tamper(mapping?.uuid ?? '', { BatchSize: 10 });
    await world.clock.advance(intervalMs);
    await backend.observe(subject, signal);
    await world.clock.settle();
    expect((await world.recent(mapping?.uuid ?? ''))?.BatchSize).toBe(3);
    expect((await backend.observe(subject, signal)).kind).toBe('current');
  });

  it('asks by Get where List goes on showing a mapping as Deleting', async () => {
    const world = new World();
    const uuids = await world.existing(10);
    await Promise.all(uuids.map((uuid) => world.recent(uuid)));
    for (const uuid of uuids) await world.api.delete(uuid, signal);
    world.account.freezeList();
    world.account.memory.settle();
    const seen = await world.lookFor(90_000, uuids);
    expect(seen.every((one) => one === undefined)).toBe(true);
  });

  it('asks by Get for a live mapping that a sweep does not show', async () => {
    const world = new World();
    const uuids = await world.existing(10);
    const [first = ''] = uuids;
    await Promise.all(uuids.map((uuid) => world.recent(uuid)));
    world.account.freezeList();
    world.account.memory.tamper(first, { BatchSize: 3 });
    world.account.shownByList = (configuration) => (configuration.UUID === first ? undefined : configuration);
    await world.clock.advance(intervalMs);
    await world.recent(first);
    await world.clock.settle();
    expect(world.changed).toEqual([first]);
    expect((await world.recent(first))?.BatchSize).toBe(3);
    expect(world.account.count('get')).toBe(1);
  });

  it('does not take a mapping that was just made for missing', async () => {
    const world = new World();
    await world.existing(10);
    const made: string[] = [];
    world.account.freezeList();
    for (let index = 0; index < 5; index++)
      made.push((await world.api.create(input(`new-${index}`), signal)).UUID ?? '');
    const seen = await world.lookFor(5000, made);
    expect(seen.map(state)).toEqual(Array.from({ length: 5 }, () => 'Creating'));
    expect(world.account.count('get')).toBe(0);
  });

  it('lets no page that was asked for before a write overwrite its answer', async () => {
    const world = new World();
    const uuids = await world.existing(10);
    const [uuid = ''] = uuids;
    await world.recent(uuid);
    const asked = Promise.withResolvers<void>();
    world.account.freezeList();
    world.account.before = (call) => (call === 'page' ? asked.promise : undefined);
    await world.clock.advance(intervalMs);
    await world.recent(uuid);
    await world.api.update(uuid, { BatchSize: 9 }, signal);
    asked.resolve();
    await world.clock.settle();
    expect(await world.recent(uuid)).toMatchObject({ State: 'Updating', BatchSize: 9 });
  });

  it('takes a page that lags behind a write for old, by the time of the last modification', async () => {
    const world = new World();
    const uuids = await world.existing(3);
    for (const uuid of uuids) world.account.memory.tamper(uuid, { LastModified: new Date(1000) });
    await Promise.all(uuids.map((uuid) => world.recent(uuid)));
    world.account.freezeList();
    for (const uuid of uuids) {
      world.account.memory.tamper(uuid, { LastModified: new Date(2000) });
      await world.api.update(uuid, { BatchSize: 9 }, signal);
    }
    const seen = await world.lookFor(4000, uuids);
    expect(seen.map((one) => one?.BatchSize)).toEqual([9, 9, 9]);
    expect(world.account.count('page')).toBeGreaterThan(1);
  });

  it('reads encrypted filters by Get, keeps them while nothing is modified, and reads them again later', async () => {
    const world = new World();
    const [uuid = '', ...others] = await world.existing(5);
    const FilterCriteria = { Filters: [{ Pattern: '{"body":["x"]}' }] };
    const modified = { LastModified: new Date(1000), KMSKeyArn: 'arn:aws:kms:eu-west-1:1:key/k' };
    world.account.memory.tamper(uuid, { ...modified, FilterCriteria });
    world.account.freezeList();
    world.account.shownByList = (configuration) => ({ ...configuration, FilterCriteria: undefined });
    expect(await world.recent(uuid)).toMatchObject({ FilterCriteria });
    for (let round = 0; round < 3; round++) {
      await world.clock.advance(intervalMs);
      await Promise.all([uuid, ...others].map((each) => world.recent(each)));
      await world.clock.settle();
      expect(await world.recent(uuid)).toMatchObject({ FilterCriteria });
    }
    expect(world.account.count('get')).toBe(1);
    expect(world.changed).toEqual([]);
    await world.clock.advance(4 * intervalMs);
    await world.recent(uuid);
    expect(world.account.count('get')).toBe(2);
  });

  it.each([
    { ours: 3, all: 950, gets: 3, why: 'a List of ten pages is dearer than three Gets' },
    { ours: 40, all: 950, gets: 0, why: 'a List of ten pages is cheaper than forty' },
    { ours: 1, all: 50, gets: 1, why: 'one mapping needs one call either way' },
  ])('chooses by count: $why', async ({ ours, all, gets }) => {
    const world = new World(ours);
    const uuids = (await world.existing(all)).slice(0, ours);
    for (const uuid of uuids) await world.recent(uuid);
    world.account.forgetCalls();
    await world.clock.advance(intervalMs);
    for (const uuid of uuids) await world.recent(uuid);
    await world.clock.settle();
    expect(world.account.count('get')).toBe(gets);
    expect(world.account.count('page')).toBe(gets === 0 ? 10 : 0);
  });

  it('reads now what is wanted now, whatever it knows', async () => {
    const world = new World();
    const [uuid = ''] = await world.existing(5);
    await world.recent(uuid);
    world.account.memory.tamper(uuid, { BatchSize: 8 }, { owner: 'other' });
    expect((await world.api.get(uuid, signal))?.BatchSize).toBe(8);
    expect((await world.api.get(uuid, signal, 'just'))?.BatchSize).toBe(8);
    expect(world.account.count('get')).toBe(1);
    await world.api.update(uuid, { BatchSize: 4 }, signal);
    expect((await world.api.get(uuid, signal, 'just'))?.BatchSize).toBe(4);
    expect(world.account.count('get')).toBe(2);
  });

  it('lists the mappings of a source by List after a create that ended in doubt', async () => {
    const world = new World();
    await world.existing(5);
    const { EventSourceArn: source } = input('doubt');
    expect(await world.api.list(source, signal, 'recent')).toEqual([]);
    world.account.memory.afterCreate = () => {
      throw new ControlError({ kind: 'unavailable', error: new SluiceError('AwsFailed', 'cut', backoff) });
    };
    await expect(world.api.create(input('doubt'), signal)).rejects.toThrow('cut');
    expect(await world.api.list(source, signal, 'recent')).toHaveLength(1);
  });

  it('does not bring back what AWS has called gone, although List goes on showing it for a while', async () => {
    const world = new World();
    const [uuid = ''] = await world.existing(5);
    await world.recent(uuid);
    world.account.freezeList();
    world.account.memory.vanish(uuid);
    expect(await world.api.get(uuid, signal)).toBeUndefined();
    expect(await world.lookFor(20_000, [uuid])).toEqual([undefined]);
    await world.clock.advance(intervalMs);
    world.account.thawList();
    expect(await world.recent(uuid)).toBeUndefined();
    expect(await world.api.list(input('old-0').EventSourceArn, signal, 'recent')).toEqual([]);
  });

  it('lists what is of a moment ago by List itself, and the mappings of a function after a write in doubt', async () => {
    const world = new World();
    await world.existing(5);
    expect(await world.api.listByFunction('f', signal, 'recent')).toHaveLength(5);
    await world.account.memory.create(input('new'));
    expect(await world.api.list(input('new').EventSourceArn, signal, 'just')).toHaveLength(1);
    world.account.memory.afterCreate = () => {
      throw new ControlError({ kind: 'unavailable', error: new SluiceError('AwsFailed', 'cut', backoff) });
    };
    await expect(world.api.create(input('doubt'), signal)).rejects.toThrow('cut');
    expect(await world.api.listByFunction('f', signal, 'recent')).toHaveLength(7);
  });

  it('uses Gets where an identity may not list, and shows it no list of another', async () => {
    const world = new World();
    const [uuid = ''] = await world.existing(5);
    const denied = new CountedAccount();
    denied.api.get = (each) => world.account.memory.get(each);
    denied.before = (call) => {
      if (call === 'page' || call === 'list')
        throw new ControlError({ kind: 'denied', error: new SluiceError('AwsAccessDenied', 'no', backoff) });
    };
    const tenant = world.view.apiFor(denied.api, 'tenant');
    expect(state(await tenant.get(uuid, signal, 'recent'))).toBe('Enabled');
    await world.recent(uuid);
    await expect(tenant.list(input('old-0').EventSourceArn, signal, 'recent')).rejects.toThrow('no');
  });

  it('fails a look after two intervals without a sweep, rather than show what is old as current', async () => {
    const world = new World();
    const [uuid = ''] = await world.existing(5);
    await world.recent(uuid);
    world.account.before = (call) => {
      if (call === 'page')
        throw new ControlError({ kind: 'unavailable', error: new SluiceError('AwsFailed', 'down', backoff) });
    };
    await world.clock.advance(intervalMs);
    expect(state(await world.recent(uuid))).toBe('Enabled');
    await world.clock.advance(1.5 * intervalMs);
    await expect(world.recent(uuid)).rejects.toThrow('down');
  });

  it('knows tags that it wrote itself for ten minutes, and presumes none against what it knows', async () => {
    const world = new World();
    const created = await world.api.create(input('tagged'), signal);
    const arn = created.EventSourceMappingArn ?? '';
    expect(await world.api.tags(arn, signal, 'recent', { other: '1' })).toEqual({ a: 'b' });
    await world.api.tag(arn, { c: 'd' }, signal);
    await world.api.untag(arn, ['a'], signal);
    expect(await world.api.tags(arn, signal, 'recent')).toEqual({ c: 'd' });
    expect(world.account.count('tags')).toBe(0);
    await world.clock.advance(601_000);
    expect(await world.api.tags(arn, signal, 'recent', { presumed: '1' })).toEqual({ presumed: '1' });
    expect(await world.api.tags(arn, signal, 'recent')).toEqual({ c: 'd' });
    expect(world.account.count('tags')).toBe(1);
  });
});
