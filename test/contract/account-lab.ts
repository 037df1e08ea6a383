import type {
  AccountApi,
  Configuration,
  Freshness,
  MappingApi,
  Tags,
} from '../../src/backends/aws/client.ts';
import { ControlError } from '../../src/backends/aws/client.ts';
import { KnownMappings } from '../../src/backends/aws/known.ts';
import { AdaptivePace } from '../../src/backends/aws/pace.ts';
import { AccountView } from '../../src/backends/aws/sweep.ts';
import type { Reason } from '../../src/api/conditions.ts';
import { backoff, SluiceError } from '../../src/lib/errors.ts';
import { seededRandom, type Random } from '../../src/lib/random.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

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

const intervalMs = 30_000;
const longestLagMs = 5000;
/** The longest that a sweep of a few pages takes. */
const sweepMs = 20_000;
/** How old an answer may be. Settled mappings: two intervals, after which a sweep is waited for. */
const ages: Readonly<Record<Freshness, number>> = {
  now: 0,
  just: 3000,
  recent: 2 * intervalMs + sweepMs,
};
/** A list may be of a minute ago, and show what was made ten seconds before that. */
const listAges: Readonly<Record<Freshness, number>> = { now: 0, just: 0, recent: 70_000 };
const tagAges: Readonly<Record<Freshness, number>> = { now: 0, just: 3000, recent: 600_000 };
const steps = 70;

/** One state of something, from a time on until the next one. */
interface Version<T> {
  readonly fromMs: number;
  toMs: number;
  readonly value: T;
}

class History<T> {
  readonly versions: Version<T>[] = [];

  put(value: T, fromMs: number): void {
    const last = this.versions.at(-1);
    if (last !== undefined) last.toMs = fromMs;
    this.versions.push({ fromMs, toMs: Infinity, value });
  }

  get last(): T | undefined {
    return this.versions.at(-1)?.value;
  }

  at(atMs: number): T | undefined {
    return this.versions.findLast(({ fromMs }) => fromMs <= atMs)?.value;
  }

  /** The versions that were true at some moment between the two. */
  between(fromMs: number, toMs: number): readonly Version<T>[] {
    return this.versions.filter((version) => version.fromMs <= toMs && version.toMs >= fromMs);
  }
}

interface Life {
  readonly uuid: string;
  readonly arn: string;
  readonly source: string;
  readonly configurations: History<Configuration | undefined>;
  readonly tags: History<Tags>;
}

interface Identity {
  readonly name: string;
  mayList: boolean;
  /** When it last could list. */
  mightListMs: number;
}

/** An account with a memory. */
class Account {
  readonly lives = new Map<string, Life>();
  faults = { refused: 0, failed: 0, lost: 0 };
  /** When a fault last met a call. */
  faultMs = -Infinity;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #lags: boolean;
  /** List overlooks a mapping now and then, as one that pages by number does while others go. */
  readonly overlooks: boolean;
  #modified = 0;

  constructor(clock: VirtualClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.#lags = random() < 0.5;
    this.overlooks = random() < 0.3;
  }

  get lagMs(): number {
    return this.#lags ? longestLagMs : 0;
  }

  get sources(): readonly string[] {
    return [0, 1, 2, 3].map(sourceOf);
  }

  make(source: string, tags: Tags): Configuration {
    const uuid = `${hex(this.#random, 8)}-0000-4000-8000-${hex(this.#random, 12)}`;
    const arn = `arn:aws:lambda:eu-central-1:000000000000:event-source-mapping:${uuid}`;
    const life: Life = { uuid, arn, source, configurations: new History(), tags: new History() };
    life.configurations.put(undefined, -Infinity);
    life.tags.put({}, -Infinity);
    life.tags.put(tags, this.#clock.monotonic());
    this.lives.set(uuid, life);
    return this.change(
      life,
      {
        UUID: uuid,
        EventSourceMappingArn: arn,
        EventSourceArn: source,
        FunctionArn: functionARN,
        BatchSize: 10,
      },
      'Creating',
    );
  }

  /** A change that takes its time. */
  change(life: Life, change: Partial<Configuration>, state: string): Configuration {
    const next: Configuration = {
      ...life.configurations.last,
      ...change,
      State: state,
      LastModified: new Date(++this.#modified),
    };
    life.configurations.put(next, this.#clock.monotonic());
    this.#clock.after(500 + 15_000 * this.#random(), () => {
      // Somebody may have been quicker.
      if (life.configurations.last !== next) return;
      if (state === 'Deleting') this.vanish(life);
      else {
        const settled = { ...next, State: 'Enabled', LastModified: new Date(++this.#modified) };
        life.configurations.put(settled, this.#clock.monotonic());
      }
    });
    return next;
  }

  vanish(life: Life): void {
    life.configurations.put(undefined, this.#clock.monotonic());
    life.tags.put({}, this.#clock.monotonic());
  }

  apiFor(identity: Identity): MappingApi & AccountApi {
    const call = async <T>(work: () => T, lists = false): Promise<T> => {
      await this.#wait();
      if (lists && !identity.mayList) throw this.#failure('denied', 'AwsAccessDenied');
      const dice = this.#random();
      const { refused, failed, lost } = this.faults;
      if (dice < refused) throw this.#fault('throttled', 'AwsThrottled');
      if (dice < refused + failed) throw this.#fault('unavailable', 'AwsFailed');
      const answer = work();
      await this.#wait();
      if (dice > 1 - lost) throw this.#fault('unavailable', 'AwsUnreachable');
      return answer;
    };
    const page = (marker: string | undefined, wanted: (configuration: Configuration) => boolean) =>
      call(() => this.#page(marker, wanted), true);
    const list = async (wanted: (configuration: Configuration) => boolean) => {
      const found: Configuration[] = [];
      let marker: string | undefined;
      do {
        const { mappings, next } = await page(marker, wanted);
        found.push(...mappings);
        marker = next;
      } while (marker !== undefined);
      return found;
    };
    const settled = (uuid: string): Life => {
      const life = this.#live(uuid);
      if (life?.configurations.last === undefined) throw this.#failure('not-found', 'Progressing');
      if (life.configurations.last.State !== 'Enabled') throw this.#failure('in-use', 'Progressing');
      return life;
    };
    return {
      page: (marker) => page(marker, () => true),
      get: (uuid) => call(() => this.#live(uuid)?.configurations.last),
      list: (source) => list((configuration) => configuration.EventSourceArn === source),
      listByFunction: () => list(() => true),
      create: (input) => call(() => this.make(input.EventSourceArn ?? '', input.Tags ?? {})),
      update: (uuid, { BatchSize }) => call(() => this.change(settled(uuid), { BatchSize }, 'Updating')),
      delete: (uuid) =>
        call(() =>
          this.#live(uuid)?.configurations.last === undefined
            ? undefined
            : this.change(settled(uuid), {}, 'Deleting'),
        ),
      tags: (arn) => call(() => this.lifeOf(arn)?.tags.last ?? {}),
      tag: (arn, tags) => call(() => this.retag(arn, (before) => ({ ...before, ...tags }))),
      untag: (arn, keys) =>
        call(() =>
          this.retag(arn, (before) =>
            Object.fromEntries(Object.entries(before).filter(([key]) => !keys.includes(key))),
          ),
        ),
    };
  }

  retag(arn: string, after: (before: Tags) => Tags): void {
    const life = this.lifeOf(arn);
    if (life?.configurations.last === undefined) throw this.#failure('not-found', 'Progressing');
    life.tags.put(after(life.tags.last ?? {}), this.#clock.monotonic());
  }

  lifeOf(arn: string): Life | undefined {
    return this.#live(arn.split(':').at(-1) ?? '');
  }

  #live(uuid: string): Life | undefined {
    return this.lives.get(uuid);
  }

  /** Three to a page, in the order of UUIDs: the marker is the last one, as in a list by key. */
  #page(marker: string | undefined, wanted: (configuration: Configuration) => boolean) {
    const atMs = this.#clock.monotonic() - (this.#random() < 0.5 ? 0 : this.lagMs * this.#random());
    const all = [...this.lives.values()]
      .filter(({ uuid }) => marker === undefined || uuid > marker)
      .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1))
      .flatMap(({ configurations }) => configurations.at(atMs) ?? [])
      .filter((one) => wanted(one) && !this.#overlooks(one));
    const mappings = all.slice(0, 3);
    return { mappings, next: all.length > 3 ? mappings.at(-1)?.UUID : undefined };
  }

  #overlooks({ State }: Configuration): boolean {
    return this.overlooks && State !== 'Deleting' && this.#random() < 0.03;
  }

  #wait(): Promise<void> {
    const ms = this.#random() < 0.05 ? 4000 : 80;
    return this.#clock.sleep(ms * this.#random());
  }

  #fault(kind: 'throttled' | 'unavailable', reason: Reason): ControlError {
    this.faultMs = this.#clock.monotonic();
    return this.#failure(kind, reason);
  }

  #failure(kind: ControlError['failure']['kind'], reason: Reason): ControlError {
    const error = new SluiceError(reason, reason, backoff);
    return new ControlError(kind === 'conflict' ? { kind, uuid: undefined, error } : { kind, error });
  }
}

/** Everything that was promised up to now. */
class Judge {
  readonly violations = new Map<string, string>();
  readonly answered: Record<string, number> = {};
  /** Of the last write that was answered: the version that it made. */
  readonly floors = new Map<string, number>();
  readonly tagFloors = new Map<string, Map<string, number>>();
  /** When the last write was sent that ended in doubt. */
  readonly doubts = new Map<string, number>();
  readonly gone = new Set<string>();
  readonly #account: Account;

  constructor(account: Account) {
    this.#account = account;
  }

  say(rule: string, detail: string): void {
    if (!this.violations.has(rule)) this.violations.set(rule, `${rule}: ${detail}`);
  }

  count(what: string): void {
    this.answered[what] = (this.answered[what] ?? 0) + 1;
  }

  /** What has to hold of a mapping's answers from now on. */
  promise(life: Life): { readonly floor: number; readonly doubtMs: number; readonly isGone: boolean } {
    return {
      floor: this.floors.get(life.uuid) ?? 0,
      doubtMs: this.doubts.get(life.uuid) ?? -Infinity,
      isGone: this.gone.has(life.uuid),
    };
  }

  /** Whether a mapping could be shown so, or not at all, to somebody who takes what was true since `earliestMs`. */
  isRight(
    life: Life,
    answer: Configuration | undefined,
    { floor, doubtMs, isGone }: ReturnType<Judge['promise']>,
    earliestMs: number,
    answeredMs: number,
  ): string | undefined {
    if (isGone && answer !== undefined) return 'what was gone is shown again';
    const { versions } = life.configurations;
    const sinceMs = Math.max(earliestMs, doubtMs - this.#account.lagMs);
    const right = life.configurations
      .between(sinceMs, answeredMs)
      .filter(({ value }) => value?.LastModified === answer?.LastModified);
    if (right.length === 0)
      return doubtMs - this.#account.lagMs > earliestMs
        ? 'what was before a write in doubt is shown'
        : 'an answer is too old';
    return right.every((version) => versions.indexOf(version) < floor)
      ? 'an own write is not seen'
      : undefined;
  }

  checkGet(
    life: Life,
    answer: Configuration | undefined,
    promised: ReturnType<Judge['promise']>,
    freshness: Freshness,
    askedMs: number,
    answeredMs: number,
  ): void {
    this.count(`get ${freshness}`);
    // What is on its way is asked for again at once, and nobody acts upon it.
    const isPassing = answer !== undefined && answer.State !== 'Enabled';
    const ageMs = freshness === 'recent' && isPassing ? Infinity : ages[freshness];
    const lagMs = freshness === 'recent' ? this.#account.lagMs : 0;
    // What is on its way out and not listed is taken for gone: nobody can take it back.
    const isLeaving = ({ value }: Version<Configuration | undefined>) => value?.State === 'Deleting';
    const passes =
      answer === undefined &&
      freshness === 'recent' &&
      life.configurations.between(askedMs, answeredMs).some(isLeaving);
    const wrong = passes
      ? undefined
      : this.isRight(life, answer, promised, askedMs - ageMs - lagMs, answeredMs);
    if (wrong !== undefined) this.say(wrong, `get ${freshness} at ${askedMs}: ${shown(answer)}`);
    if (answer === undefined && life.configurations.last === undefined) this.gone.add(life.uuid);
  }

  checkList(
    source: string | undefined,
    answer: readonly Configuration[],
    promised: ReadonlyMap<string, Pick<ReturnType<Judge['promise']>, 'floor' | 'isGone'>>,
    freshness: Freshness,
    askedMs: number,
    answeredMs: number,
  ): void {
    this.count(`list ${freshness}`);
    const earliestMs = askedMs - listAges[freshness] - this.#account.lagMs;
    if (new Set(answer.map(({ UUID }) => UUID)).size < answer.length)
      this.say('a list shows a mapping twice', `${askedMs}`);
    for (const life of this.#account.lives.values()) {
      if (source !== undefined && life.source !== source) continue;
      const found = answer.find(({ UUID }) => UUID === life.uuid);
      const known = promised.get(life.uuid) ?? { floor: 0, isGone: false };
      const about = `list ${freshness} of ${source ?? 'all'} at ${askedMs}: ${shown(found)}`;
      if (found !== undefined) {
        // What List itself shows late nobody can mend: a direct list promises no more.
        const strict = freshness === 'recent' && this.#account.lagMs === 0;
        const promises = strict ? known : { floor: 0, isGone: false };
        const passes = freshness === 'recent' && found.State !== 'Enabled';
        const sinceMs = passes ? -Infinity : earliestMs;
        const wrong = this.isRight(life, found, { ...promises, doubtMs: -Infinity }, sinceMs, answeredMs);
        if (wrong !== undefined) this.say(`${wrong}, in a list`, about);
      } else if (
        !this.#account.overlooks &&
        (life.configurations.between(earliestMs, answeredMs).every(({ value }) => value !== undefined) ||
          (this.#account.lagMs === 0 && known.floor > 0 && isThere(life, askedMs, answeredMs)))
      )
        this.say('a list misses a mapping', `${about} ${life.uuid}`);
    }
  }

  checkTags(
    life: Life,
    answer: Tags,
    floors: ReadonlyMap<string, number>,
    freshness: Freshness,
    askedMs: number,
    answeredMs: number,
  ): void {
    this.count(`tags ${freshness}`);
    const { versions } = life.tags;
    const right = life.tags.between(askedMs - tagAges[freshness], answeredMs);
    const keys = new Set(right.flatMap(({ value }) => Object.keys(value)).concat(Object.keys(answer)));
    for (const key of keys) {
      const fits = right.filter(({ value }) => value[key] === answer[key]);
      if (fits.length === 0)
        this.say('tags are too old', `${freshness} at ${askedMs}: ${key}=${answer[key]}`);
      else if (fits.every((version) => versions.indexOf(version) < (floors.get(key) ?? 0)))
        this.say('an own tag is not seen', `${freshness} at ${askedMs}: ${key}=${answer[key]}`);
    }
  }
}

function isThere({ configurations }: Life, fromMs: number, toMs: number): boolean {
  return configurations.between(fromMs, toMs).every(({ value }) => value !== undefined);
}

const functionARN = 'arn:aws:lambda:eu-central-1:000000000000:function:consumer';

function sourceOf(index: number): string {
  return `arn:aws:sqs:eu-central-1:000000000000:queue-${index}`;
}

function hex(random: Random, digits: number): string {
  return Array.from({ length: digits }, () => Math.floor(16 * random()).toString(16)).join('');
}

function shown(configuration: Configuration | undefined): string {
  if (configuration === undefined) return 'nothing';
  return `${configuration.UUID} ${configuration.State} version ${configuration.LastModified?.getTime()}`;
}

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
