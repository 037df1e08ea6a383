import { describe, expect, it } from 'vitest';
import type { EventSourceMapping } from '../../../../src/api/mapping.ts';
import { AwsBackend } from '../../../../src/backends/aws/backend.ts';
import type { AccountApi, MappingApi } from '../../../../src/backends/aws/client.ts';
import { tagsOf } from '../../../../src/backends/aws/ownership.ts';
import { AdaptivePace } from '../../../../src/backends/aws/pace.ts';
import { AccountView } from '../../../../src/backends/aws/sweep.ts';
import type { TagPage } from '../../../../src/backends/aws/tag-index.ts';
import type { Release } from '../../../../src/controller/backend.ts';
import { CountedAccount } from '../../../support/counted-account.ts';
import { aMapping, subjectOf } from '../../../support/mappings.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const { signal } = new AbortController();
const clusterID = 'test';
const foreign = {
  'sluice.dev/cluster': 'another',
  'sluice.dev/namespace': 'shop',
  'sluice.dev/name': 'orders',
};

/** A cluster's mappings at AWS as a controller finds them that has just started: nobody has read a tag yet. */
class World {
  readonly clock = new VirtualClock();
  readonly account = new CountedAccount();
  readonly mappings: EventSourceMapping[] = [];
  readonly backend: AwsBackend;
  readonly api: MappingApi & AccountApi;
  readonly view: AccountView;
  pages = 0;
  /** What the index shows; undefined for what is so. */
  shown: TagPage['tags'] | undefined;
  /** Called before each page; what it throws is the answer. */
  beforePage: () => void | Promise<void> = () => undefined;

  constructor(ours: number) {
    const { clock, account } = this;
    this.view = new AccountView({
      clock,
      random: () => 0,
      pace: new AdaptivePace({ clock, ceiling: 15 }),
      intervalMs: 300_000,
      expected: () => ours,
      onChanged: () => undefined,
    });
    this.api = {
      ...account.api,
      tagged: async (token) => {
        this.pages++;
        const all = [...(this.shown ?? this.live())];
        await this.beforePage();
        const from = Number(token ?? 0);
        const next = from + 100 < all.length ? String(from + 100) : undefined;
        return { tags: new Map(all.slice(from, from + 100)), next };
      },
    };
    const seen = this.view.apiFor(this.api, 'installation');
    this.backend = new AwsBackend({
      clusterID,
      recheckMs: 1000,
      api: () => ({ ...seen, [Symbol.dispose]: () => undefined }),
    });
  }

  static async of(count: number, ours = count): Promise<World> {
    const world = new World(ours);
    for (let index = 0; index < count; index++) {
      const metadata = { ...aMapping().metadata, name: `m-${index}` };
      const spec = {
        eventSourceARN: `arn:aws:sqs:eu-west-1:000000000000:q-${index}`,
        functionName: 'f',
      };
      const created = await world.account.memory.create({
        EventSourceArn: spec.eventSourceARN,
        FunctionName: spec.functionName,
        Tags: tagsOf(clusterID, metadata),
      });
      const [uuid = '', arn = ''] = [created.UUID, created.EventSourceMappingArn];
      const status = { observedGeneration: 1, mapping: { uuid, arn } };
      world.mappings.push(aMapping({ metadata, spec, status }));
    }
    world.account.memory.settle();
    world.account.memory.writes.length = 0;
    return world;
  }

  live(): TagPage['tags'] {
    return new Map(
      this.account.memory.all.map(({ configuration, tags }) => [
        configuration.EventSourceMappingArn ?? '',
        { ...tags },
      ]),
    );
  }

  /** One step of the deletion of each, a few at a time as the workers do. */
  async release(mappings: readonly EventSourceMapping[] = this.mappings): Promise<Release[]> {
    const released: Release[] = [];
    for (let at = 0; at < mappings.length; at += 10) {
      const some = mappings.slice(at, at + 10);
      released.push(
        ...(await Promise.all(
          some.map((mapping) => this.backend.release(subjectOf(mapping), () => 'Delete', signal)),
        )),
      );
    }
    return released;
  }

  uuid(index: number): string {
    return this.mappings[index]?.status?.mapping?.uuid ?? '';
  }
}

describe('deletions of mappings whose tags nobody has read', () => {
  it('cost a call each, and a page of the index for each hundred', async () => {
    const world = await World.of(250);
    const released = await world.release();
    expect(new Set(released.map(({ kind }) => kind))).toEqual(new Set(['changing']));
    expect(world.account.count('delete')).toBe(250);
    expect(world.pages).toBe(3);
    expect(world.account.count('tags')).toBeLessThan(10);
    expect(world.account.count() / 250).toBeLessThan(1.1);
  });

  it('read their tags one by one where there are few, for what the whole index would cost', async () => {
    const world = await World.of(9, 1000);
    await world.release();
    expect(world.pages).toBe(0);
    expect(world.account.count('tags')).toBe(9);
    expect(world.account.count('delete')).toBe(9);
  });

  it('believe AWS Lambda, and not the index, that a mapping is not theirs', async () => {
    const world = await World.of(20);
    const arn = world.mappings[19]?.status?.mapping?.arn ?? '';
    world.shown = new Map([...world.live(), [arn, { ...foreign, 'sluice.dev/cluster': clusterID }]]);
    await world.release();
    expect(world.account.count('delete')).toBe(20);

    const other = await World.of(20);
    other.shown = new Map([...other.live()].slice(0, 19));
    other.account.memory.tamper(other.uuid(19), {}, foreign);
    const released = await other.release();
    expect(released[19]).toEqual({ kind: 'gone', uuid: undefined, policy: 'Retain' });
    expect(other.account.count('delete')).toBe(19);
  });

  it('do not rely on the index for longer than two minutes', async () => {
    const world = await World.of(30);
    await world.release(world.mappings.slice(0, 29));
    expect(world.pages).toBe(1);
    await world.clock.advance(121_000);
    world.account.memory.tamper(world.uuid(29), {}, foreign);
    expect(await world.release(world.mappings.slice(29))).toMatchObject([{ policy: 'Retain' }]);
    expect(world.account.count('delete')).toBe(29);
  });

  it.each(['while it is read', 'since'])('do not rely on it for what was tagged %s', async (when) => {
    const world = await World.of(20);
    const arn = world.mappings[19]?.status?.mapping?.arn ?? '';
    const change = async (): Promise<void> => {
      world.beforePage = () => undefined;
      await world.view.apiFor(world.api, 'installation').tag(arn, foreign, signal);
    };
    if (when !== 'since') world.beforePage = change;
    await world.release(world.mappings.slice(0, 19));
    expect(world.pages).toBe(1);
    if (when === 'since') await change();
    expect(await world.release(world.mappings.slice(19))).toMatchObject([{ policy: 'Retain' }]);
    expect(world.account.count('delete')).toBe(19);
  });

  it('read their tags one by one where the index may not be asked, and ask again after ten minutes', async () => {
    const world = await World.of(60);
    world.beforePage = () => {
      throw new Error('AccessDeniedException');
    };
    await world.release(world.mappings.slice(0, 40));
    expect([world.pages, world.account.count('tags'), world.account.count('delete')]).toEqual([1, 40, 40]);
    world.beforePage = () => undefined;
    await world.clock.advance(601_000);
    await world.release(world.mappings.slice(40));
    expect(world.pages).toBe(2);
    expect(world.account.count('tags')).toBeLessThan(50);
    expect(world.account.count('delete')).toBe(60);
  });

  it('read the tags of a mapping that no status knows, whatever the index shows', async () => {
    const world = await World.of(20);
    const unknown = world.mappings.map((mapping) => ({ ...mapping, status: { observedGeneration: 1 } }));
    await world.release(unknown.slice(0, 5));
    expect(world.pages).toBe(0);
    expect(world.account.count('tags')).toBe(5);
    expect(world.account.count('delete')).toBe(5);
  });

  it('give up an index that shows far more than there is', async () => {
    const world = await World.of(20);
    world.shown = new Map(Array.from({ length: 100_000 }, (_, index) => [`arn-${index}`, {}]));
    await world.release();
    expect(world.pages).toBeLessThan(6);
    expect(world.account.count('delete')).toBe(20);
  });

  it('are not told what another identity was shown', async () => {
    const world = await World.of(20);
    await world.release(world.mappings.slice(0, 10));
    expect(world.pages).toBe(1);
    const arn = world.mappings[15]?.status?.mapping?.arn ?? '';
    world.account.forgetCalls();
    world.beforePage = () => {
      throw new Error('AccessDeniedException');
    };
    await world.view.apiFor(world.api, 'role').tags(arn, signal, 'recent', undefined, () => true);
    expect(world.account.count('tags')).toBe(1);
  });
});
