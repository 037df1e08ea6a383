import {
  ControlError,
  type Configuration,
  type Freshness,
  type MappingApi,
} from '../../src/backends/aws/client.ts';
import { KnownMappings } from '../../src/backends/aws/known.ts';
import { AdaptivePace } from '../../src/backends/aws/pace.ts';
import { AccountView } from '../../src/backends/aws/sweep.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Account, type Identity, type Life } from './account-history.ts';
import { intervalMs, Judge, listAges, shown, sweepMs } from './account-judge.ts';

/**
 * What a reader of an account may be told, checked against everything that the account ever was. An account keeps all
 * versions of its mappings with their times; two identities of one process read and write it, others change it by hand,
 * calls are slow, fail, lose their answers, and List may lag. A seed names a run.
 *
 * An answer is right when it was true at some moment between the earliest that its freshness allows and its arrival,
 * and no earlier than the last write of this process that had been answered when it was asked for.
 */
export interface LabOptions {
  readonly seed: number;
  /** Whether the view is in between; without it every read is the account's own answer. */
  readonly viewed: boolean;
  /** A planted bug. */
  readonly mutant?: Mutant;
}

/** A planted bug: in what is remembered, in what readers are given, or in whom the view takes them for. */
export interface Mutant {
  readonly known?: () => KnownMappings;
  readonly wrap?: (api: MappingApi) => MappingApi;
  readonly identity?: string;
}

export interface LabResult {
  /** What was read against the contract, the first of each kind; empty when all was right. */
  readonly violations: readonly string[];
  /** Reads that were answered, by what was asked. */
  readonly answered: Readonly<Record<string, number>>;
}

const steps = 70;

/** One run. */
export async function runLab({ seed, viewed, mutant = {} }: LabOptions): Promise<LabResult> {
  const random = seededRandom(seed);
  const clock = new VirtualClock();
  const account = new Account(clock, random);
  const judge = new Judge(account);
  const { signal } = new AbortController();
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(list.length * random())];
  const expected = pick([0, 2, 20, 1000]) ?? 0;
  const view = new AccountView(
    {
      clock,
      random,
      pace: new AdaptivePace({ clock, ceiling: 15 }),
      intervalMs,
      expected: () => expected,
      onChanged: () => undefined,
    },
    (mutant.known ?? (() => new KnownMappings()))(),
  );
  const identities: Identity[] = ['own', 'tenant'].map((name) => ({ name, mayList: true, mightListMs: 0 }));
  const apis = new Map(
    identities.map((identity) => {
      const raw = account.apiFor(identity);
      const api = viewed ? view.apiFor(raw, mutant.identity ?? identity.name) : raw;
      return [identity, (mutant.wrap ?? ((same) => same))(api)] as const;
    }),
  );
  /** Equal keys never run at once, so nobody writes to what is being written to. */
  const busy = new Set<string>();

  const read = async <T>(work: () => Promise<T>, check: (answer: T, askedMs: number) => void) => {
    const askedMs = clock.monotonic();
    try {
      check(await work(), askedMs);
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      const { kind } = error.failure;
      if (kind !== 'denied' && account.faultMs < askedMs) judge.say('a read fails without a fault', kind);
    }
  };
  const write = async (
    life: Life,
    work: () => Promise<unknown>,
    onDone: (version: number) => void,
    onDoubt: (sentMs: number) => void = () => undefined,
  ) => {
    if (busy.has(life.uuid)) return;
    busy.add(life.uuid);
    const sentMs = clock.monotonic();
    try {
      await work();
      onDone(life.configurations.versions.length - 1);
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      if (error.failure.kind !== 'throttled') onDoubt(sentMs);
    } finally {
      busy.delete(life.uuid);
    }
  };
  const touch = (api: MappingApi, life: Life, what: 'update' | 'delete'): Promise<void> => {
    let made: Configuration | undefined;
    const work = async (): Promise<void> => {
      made =
        what === 'update'
          ? await api.update(life.uuid, { BatchSize: Math.ceil(100 * random()) }, signal)
          : await api.delete(life.uuid, signal);
    };
    const onDone = (last: number): void => {
      const { versions } = life.configurations;
      const version = versions.findIndex(({ value }) => value === made);
      judge.floors.set(life.uuid, made === undefined ? last : version);
    };
    return write(life, work, onDone, (sentMs) => judge.doubts.set(life.uuid, sentMs));
  };
  const retag = (api: MappingApi, life: Life): Promise<void> => {
    const key = pick(['team', 'cost']) ?? '';
    const value = `v${Math.floor(1e9 * random())}`;
    const isSet = random() < 0.6;
    const work = () =>
      isSet ? api.tag(life.arn, { [key]: value }, signal) : api.untag(life.arn, [key], signal);
    return write(life, work, () => {
      const { versions } = life.tags;
      const at = versions.findLastIndex((version) => version.value[key] === (isSet ? value : undefined));
      const first = versions
        .slice(0, at)
        .findLastIndex((version) => version.value[key] !== versions[at]?.value[key]);
      const floors = judge.tagFloors.get(life.uuid) ?? new Map<string, number>();
      judge.tagFloors.set(life.uuid, floors.set(key, isSet ? at : first + 1));
    });
  };
  const create = async (api: MappingApi): Promise<void> => {
    const source = pick(account.sources) ?? '';
    try {
      const { UUID: uuid = '' } = await api.create(
        { EventSourceArn: source, FunctionName: 'consumer', Tags: { team: 'a' } },
        signal,
      );
      judge.floors.set(uuid, 1);
      judge.tagFloors.set(uuid, new Map([['team', 1]]));
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
    }
  };
  const get = (api: MappingApi, life: Life, freshness: Freshness): Promise<void> => {
    const promised = judge.promise(life);
    return read(
      () => api.get(life.uuid, signal, freshness),
      (answer, askedMs) => judge.checkGet(life, answer, promised, freshness, askedMs, clock.monotonic()),
    );
  };
  const list = (identity: Identity, api: MappingApi, freshness: Freshness): Promise<void> => {
    const source = random() < 0.7 ? pick(account.sources) : undefined;
    const promised = new Map([...account.lives].map(([uuid, life]) => [uuid, judge.promise(life)]));
    return read(
      () =>
        source === undefined
          ? api.listByFunction('consumer', signal, freshness)
          : api.list(source, signal, freshness),
      (answer, askedMs) => {
        const oldestMs = askedMs - listAges[freshness] - sweepMs;
        if (!identity.mayList && identity.mightListMs < oldestMs)
          judge.say('a list is shown to one who may not list', `${freshness} at ${askedMs}`);
        judge.checkList(source, answer, promised, freshness, askedMs, clock.monotonic());
      },
    );
  };
  const tags = (api: MappingApi, life: Life, freshness: Freshness): Promise<void> => {
    const floors = new Map(judge.tagFloors.get(life.uuid));
    return read(
      () => api.tags(life.arn, signal, freshness),
      (answer, askedMs) => judge.checkTags(life, answer, floors, freshness, askedMs, clock.monotonic()),
    );
  };
  /** What was changed last is what most is asked about. */
  let hot: Life | undefined;
  const anyLife = (): Life | undefined =>
    (random() < 0.4 ? hot : undefined) ?? pick([...account.lives.values()]);
  /** What somebody else does. */
  const meddle = (): void => {
    const life = pick([...account.lives.values()]);
    hot = life ?? hot;
    const dice = random();
    const isSettled = life?.configurations.last?.State === 'Enabled';
    if (dice < 0.3 || life?.configurations.last === undefined) account.make(pick(account.sources) ?? '', {});
    else if (dice < 0.6) {
      if (isSettled) account.change(life, { BatchSize: Math.ceil(100 * random()) }, 'Updating');
    } else if (dice < 0.75) account.vanish(life);
    else if (dice < 0.85) {
      if (isSettled) account.change(life, {}, 'Deleting');
    } else account.retag(life.arn, (before) => ({ ...before, cost: `theirs-${Math.floor(1e9 * random())}` }));
  };

  const one = async (): Promise<void> => {
    const identity = random() < 0.75 ? identities[0] : identities[1];
    const api = identity === undefined ? undefined : apis.get(identity);
    const life = anyLife();
    if (identity === undefined || api === undefined) return;
    const freshness = pick<Freshness>(['now', 'just', 'recent', 'recent']) ?? 'now';
    const dice = random();
    if (dice < 0.1 || life === undefined) await create(api);
    else if (dice < 0.4) await get(api, life, freshness);
    else if (dice < 0.5) await list(identity, api, freshness);
    else if (dice < 0.63) await tags(api, life, freshness);
    else if (dice < 0.71) await touch(api, life, 'update');
    else if (dice < 0.75) await touch(api, life, 'delete');
    else if (dice < 0.86) await retag(api, life);
    else if (dice < 0.95) meddle();
    else if (dice < 0.98)
      account.faults = { refused: 0.3 * random(), failed: 0.2 * random(), lost: 0.3 * random() };
    else {
      if (identity.mayList) identity.mightListMs = clock.monotonic();
      identity.mayList = !identity.mayList;
    }
  };

  for (let count = 3 * random(); count > 0; count--) meddle();
  const hand: Promise<void>[] = [];
  for (let step = 0; step < steps; step++) {
    hand.push(one());
    await clock.advance((pick([0, 20, 100, 500, 3000, 20_000]) ?? 0) * random());
    // What can list can do so until it cannot.
    for (const identity of identities) if (identity.mayList) identity.mightListMs = clock.monotonic();
  }
  account.faults = { refused: 0, failed: 0, lost: 0 };
  await clock.runUntil(Promise.all(hand));

  // Nobody changes anything any more: within two intervals every look gives what there is.
  const [own] = identities;
  const api = own === undefined ? undefined : apis.get(own);
  if (own === undefined || api === undefined) throw new Error('there are two identities');
  own.mayList = true;
  const quietMs = 2 * intervalMs + sweepMs + 15_000;
  for (let passedMs = 0; passedMs < quietMs; passedMs += 5000) {
    const looks = [...account.lives.values()].map((life) => get(api, life, 'recent'));
    await clock.advance(5000);
    await clock.runUntil(Promise.all(looks));
  }
  for (const life of account.lives.values()) {
    const answer = await clock.runUntil(api.get(life.uuid, signal, 'recent'));
    if (answer?.LastModified !== life.configurations.last?.LastModified)
      judge.say('what was done long ago is not seen', shown(answer));
  }
  return {
    violations: [...judge.violations.values()].map((violation) => `seed ${seed}: ${violation}`),
    answered: judge.answered,
  };
}
