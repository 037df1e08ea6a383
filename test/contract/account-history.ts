import type { Reason } from '../../src/api/conditions.ts';
import {
  ControlError,
  type AccountApi,
  type Configuration,
  type MappingApi,
  type Tags,
} from '../../src/backends/aws/client.ts';
import { backoff, SluiceError } from '../../src/lib/errors.ts';
import type { Random } from '../../src/lib/random.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';

const longestLagMs = 5000;

/** One state of something, from a time on until the next one. */
export interface Version<T> {
  readonly fromMs: number;
  toMs: number;
  readonly value: T;
}

export class History<T> {
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

export interface Life {
  readonly uuid: string;
  readonly arn: string;
  readonly source: string;
  readonly configurations: History<Configuration | undefined>;
  readonly tags: History<Tags>;
}

export interface Identity {
  readonly name: string;
  mayList: boolean;
  /** When it last could list. */
  mightListMs: number;
}

/** An account with a memory. */
export class Account {
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

const functionARN = 'arn:aws:lambda:eu-central-1:000000000000:function:consumer';

function sourceOf(index: number): string {
  return `arn:aws:sqs:eu-central-1:000000000000:queue-${index}`;
}

function hex(random: Random, digits: number): string {
  return Array.from({ length: digits }, () => Math.floor(16 * random()).toString(16)).join('');
}
