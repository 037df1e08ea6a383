/**
 * One account and Region, read by one List for all mappings instead of a Get for each: 100 to a call. Every identity
 * and every mapping of the place shares the sweeps; one is under way at a time, and those that want a newer one wait
 * for it together.
 *
 * - For drift a sweep is read once in the interval. Whose mapping it shows changed is told to `onChanged` at once.
 * - States that pass are seen by sweeps too, as often as the rate of calls bears; few of them, by Gets.
 * - Where a List is dearer than the Gets (a large account with few mappings of ours) Gets are used throughout.
 *
 * It never takes List's word for what costs something: a mapping that a sweep does not show, or shows as Deleting for
 * long, is asked for by Get, unless it was on its way out; encrypted filters are read by Get, more seldom; and what is
 * read `now` never comes from here.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { ControlError, type AccountApi, type Configuration, type MappingApi, type Tags } from './client.ts';
import { isEncrypted, isSettled, KnownMappings, lagMs, type Entry } from './known.ts';
import type { AdaptivePace } from './pace.ts';
import { isSameFunction } from './same.ts';
import { TagSweep } from './tag-sweep.ts';

export interface SweepOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly pace: AdaptivePace;
  /** Within which a change at AWS is found. */
  readonly intervalMs: number;
  /** How many mappings of ours there are about. */
  readonly expected: () => number;
  /** Mappings, by UUID, that are not what they were in the sweep before. */
  readonly onChanged: (uuids: readonly string[]) => void;
}

type Api = MappingApi & AccountApi;

/** Of the interval: what is left is for the sweep itself and the passes that follow. */
const driftShare = 0.75;
/** How old a sweep may be to say that a source has no mapping yet; AWS refuses a second one anyway. */
const candidatesMs = 60_000;
/** How old an answer may be that is as good as a new one, if nothing was written since. */
const justMs = 3000;
/** How long what this process has read or written of tags is relied on. */
const tagsMs = 600_000;
/** Encrypted filters are read in one of so many intervals. */
const blindIntervals = 6;
/** Shortest time between two sweeps for states that pass. */
const settleGapMs = 1500;
const longestGapMs = 15_000;
/** The share of the calls that sweeps for states may take while others wait for theirs. */
const settleShare = 0.08;
/** List may show a mapping as Deleting that Get no longer finds. */
const doubtfulDeletingMs = 60_000;
const dearMs = 3_600_000;
/** Stands for the source of a mapping of which nothing was known. */
const anySource = '';

interface Done {
  readonly startedMs: number;
  readonly pages: number;
  readonly by: string;
}

export class AccountView {
  readonly #options: SweepOptions;
  readonly #known: KnownMappings;
  readonly #index: TagSweep;
  #last: Done | undefined;
  #running: Promise<void> | undefined;
  #startedMs = -Infinity;
  /** Until when sweeps cost more than Gets. */
  #dearUntilMs = -Infinity;
  /** Until when an identity may not list. */
  readonly #denied = new Map<string, number>();
  /** When a write to a mapping of a source ended in doubt: until a later sweep List by source has to say. */
  readonly #doubtful = new Map<string, number>();
  #wroteMs = -Infinity;
  /** The same for any source. */
  #doubtMs = -Infinity;

  constructor(options: SweepOptions, known = new KnownMappings()) {
    this.#options = options;
    this.#known = known;
    this.#index = new TagSweep(options);
  }

  /** The account, once a mapping of it was seen. */
  get accountID(): string | undefined {
    return this.#known.accountID;
  }

  /** The API of an identity, answering from what all of them have seen where the caller allows it. */
  apiFor(api: Api, identity: string): MappingApi {
    const { clock } = this.#options;
    const known = this.#known;
    const read = async (uuid: string, signal: AbortSignal): Promise<Configuration | undefined> => {
      const atMs = clock.monotonic();
      const found = await api.get(uuid, signal);
      if (found === undefined) known.gone(uuid, atMs);
      else known.got(found, atMs);
      return found;
    };
    /** After a failure nobody knows what was done, unless it was refused for the rate of calls. */
    const write = async <T extends Configuration | undefined>(
      uuid: string,
      work: () => Promise<T>,
      source?: string,
    ): Promise<T> => {
      const sentMs = clock.monotonic();
      try {
        const answer = await work();
        this.#wroteMs = clock.monotonic();
        if (answer === undefined) known.gone(uuid, sentMs);
        else known.wrote(answer, this.#wroteMs, sentMs);
        return answer;
      } catch (error) {
        if (!wasRefused(error)) this.#doubt(uuid, source);
        throw error;
      }
    };
    const writeTags = async (
      arn: string,
      work: () => Promise<void>,
      after: (tags: Tags) => Tags,
    ): Promise<void> => {
      const before = known.tagsSince(arn, clock.monotonic() - tagsMs);
      const wrote = (tags: Tags | undefined): void =>
        // What was read before the write is no newer for it.
        known.wroteTags(arn, tags, before?.atMs ?? -Infinity, clock.monotonic());
      wrote(undefined);
      this.#index.forget(arn);
      try {
        await work();
      } catch (error) {
        wrote(undefined);
        throw error;
      }
      wrote(before === undefined ? undefined : after(before.tags));
    };
    const candidates = async (
      source: string | undefined,
      signal: AbortSignal,
      isWanted: (configuration: Configuration) => boolean,
    ): Promise<readonly Configuration[] | undefined> => {
      if (this.#isInDoubt(source)) return undefined;
      const since = clock.monotonic() - candidatesMs;
      if (!(await this.#sweptSince(api, identity, since, signal)) || this.#isInDoubt(source))
        return undefined;
      // What another identity has listed is not shown to one that may not list.
      return this.#last?.by === identity ? [...known.present()].filter(isWanted) : undefined;
    };

    return {
      get: async (uuid, signal, freshness = 'now') => {
        if (freshness === 'now') return read(uuid, signal);
        const entry = known.entry(uuid);
        if (freshness === 'just') {
          const isNew =
            entry?.gotMs === entry?.atMs && (entry?.atMs ?? -Infinity) >= clock.monotonic() - justMs;
          return entry !== undefined && isNew ? entry.configuration : read(uuid, signal);
        }
        known.asked(uuid);
        if (!this.#pays(identity))
          return entry !== undefined && this.#isPassing(entry) ? entry.configuration : read(uuid, signal);
        const seen = entry ?? (await this.#firstSeen(api, identity, uuid, signal));
        if (seen === undefined || (await this.#mustBeRead(api, identity, seen, signal)))
          return read(uuid, signal);
        // A sweep may have been waited for: not known any more, or not shown, is not gone.
        const { configuration, missingMs } = known.entry(uuid) ?? {};
        if (configuration !== undefined && missingMs === undefined) return configuration;
        if (missingMs === undefined || configuration?.State !== 'Deleting') return read(uuid, signal);
        known.gone(uuid, missingMs);
        return undefined;
      },
      list: async (source, signal, freshness = 'now') => {
        const found =
          freshness === 'recent'
            ? await candidates(source, signal, ({ EventSourceArn: arn }) => arn === source)
            : undefined;
        return found ?? api.list(source, signal);
      },
      listByFunction: async (name, signal, freshness = 'now') => {
        const found =
          freshness === 'recent'
            ? await candidates(undefined, signal, ({ FunctionArn: arn = '' }) => isSameFunction(name, arn))
            : undefined;
        return found ?? api.listByFunction(name, signal);
      },
      create: async (input, signal) => {
        const configuration = await write('', () => api.create(input, signal), input.EventSourceArn);
        const { EventSourceMappingArn: arn } = configuration;
        if (arn !== undefined) known.tagged(arn, input.Tags ?? {}, clock.monotonic());
        return configuration;
      },
      update: (uuid, input, signal) => write(uuid, () => api.update(uuid, input, signal)),
      delete: (uuid, signal) => write(uuid, () => api.delete(uuid, signal)),
      tags: async (arn, signal, freshness = 'now', presumed, isProof) => {
        const nowMs = clock.monotonic();
        const age = freshness === 'recent' ? tagsMs : justMs;
        const seen = freshness === 'now' ? undefined : known.tagsSince(arn, nowMs - age);
        if (seen !== undefined) return seen.tags;
        if (freshness === 'recent' && presumed !== undefined) return presumed;
        if (freshness === 'recent' && isProof !== undefined) {
          const shown = await this.#index.tagsOf(api, identity, arn, signal);
          if (shown !== undefined && isProof(shown)) return shown;
        }
        const tags = await api.tags(arn, signal);
        known.tagged(arn, tags, nowMs);
        return tags;
      },
      tag: (arn, tags, signal) =>
        writeTags(
          arn,
          () => api.tag(arn, tags, signal),
          (before) => ({ ...before, ...tags }),
        ),
      untag: (arn, keys, signal) =>
        writeTags(
          arn,
          () => api.untag(arn, keys, signal),
          (before) => Object.fromEntries(Object.entries(before).filter(([key]) => !keys.includes(key))),
        ),
    };
  }

  /** Neither what is known of the mapping nor what a sweep has shown of its source is to be believed. */
  #doubt(uuid: string, ofCreate: string | undefined): void {
    const nowMs = this.#options.clock.monotonic();
    const source = ofCreate ?? this.#known.entry(uuid)?.configuration.EventSourceArn ?? anySource;
    this.#doubtful.set(source, nowMs);
    this.#doubtMs = nowMs;
    if (uuid !== '') this.#known.doubted(uuid, nowMs);
  }

  /** Whether the last sweep may not show what was done to the mappings of a source, or of any. */
  #isInDoubt(source: string | undefined): boolean {
    const of = (one: string): number => this.#doubtful.get(one) ?? -Infinity;
    const doubtMs = source === undefined ? this.#doubtMs : Math.max(of(source), of(anySource));
    return doubtMs > (this.#last?.startedMs ?? -Infinity) - lagMs;
  }

  /** Of a mapping that nothing is known of: the first sweep serves all that ask at the start. */
  async #firstSeen(api: Api, by: string, uuid: string, signal: AbortSignal): Promise<Entry | undefined> {
    if (this.#last === undefined) await this.#sweptSince(api, by, -Infinity, signal);
    this.#known.asked(uuid);
    return this.#known.entry(uuid);
  }

  /** Whether only a Get can tell. On the way it starts a sweep, without waiting, if it is time for one. */
  async #mustBeRead(api: Api, by: string, entry: Entry, signal: AbortSignal): Promise<boolean> {
    const { intervalMs, random } = this.#options;
    const nowMs = this.#options.clock.monotonic();
    const { configuration, missingMs, atMs, gotMs, wroteMs = atMs } = entry;
    // On its way out and no longer shown: gone. Anything else that is not shown may be List's fault.
    if (missingMs !== undefined) return configuration.State !== 'Deleting';
    const pages = this.#last?.pages ?? 1;
    if (!isSettled(configuration)) {
      // Only what a sweep has shown so late: one that nobody has looked for yet is for the next sweep.
      const isDoubtful = configuration.State === 'Deleting' && atMs - wroteMs > doubtfulDeletingMs;
      if (this.#known.unsettled <= pages || isDoubtful) return !this.#isPassing(entry);
      if (nowMs - this.#startedMs >= this.#gapMs(pages)) this.#startUnheard(api, by, signal);
      return false;
    }
    const sweptMs = this.#last?.startedMs ?? -Infinity;
    const dueMs = intervalMs * driftShare * (1 - 0.1 * random());
    // A sweep that does not come about must not pass for one without changes.
    if (nowMs - Math.max(sweptMs, atMs) > 2 * intervalMs) {
      if (!(await this.#sweptSince(api, by, nowMs - intervalMs, signal))) return true;
    } else if (nowMs - sweptMs >= dueMs && nowMs - this.#startedMs >= dueMs / 4)
      this.#startUnheard(api, by, signal);
    return isEncrypted(configuration) && nowMs - (gotMs ?? -Infinity) >= blindIntervals * intervalMs;
  }

  /** On its way to another state, and asked for so lately that it is too early to ask again. */
  #isPassing({ configuration, missingMs, atMs, gotMs = -Infinity, wroteMs = atMs }: Entry): boolean {
    if (isSettled(configuration) || missingMs !== undefined) return false;
    const nowMs = this.#options.clock.monotonic();
    const spacingMs = Math.min(longestGapMs, Math.max(settleGapMs / 2, (nowMs - wroteMs) / 3));
    return nowMs - Math.max(gotMs, wroteMs) < spacingMs;
  }

  #gapMs(pages: number): number {
    const { clock, pace } = this.#options;
    // States that take minutes are not asked for every second.
    const patientMs = Math.min(longestGapMs, (clock.monotonic() - this.#wroteMs) / 4);
    const shareMs = pace.waiting === 0 ? 0 : (pages * 1000) / (settleShare * pace.perSecond);
    return Math.max(settleGapMs, patientMs, shareMs);
  }

  /** Whether a sweep costs fewer calls than asking for each mapping of ours. */
  #pays(identity: string): boolean {
    const nowMs = this.#options.clock.monotonic();
    if (nowMs < this.#dearUntilMs || nowMs < (this.#denied.get(identity) ?? -Infinity)) return false;
    return this.#options.expected() >= (this.#last?.pages ?? 2);
  }

  /** Sees to a whole sweep that began no earlier than `sinceMs`; false where there can be none. */
  async #sweptSince(api: Api, by: string, sinceMs: number, signal: AbortSignal): Promise<boolean> {
    while (this.#pays(by)) {
      if (this.#last !== undefined && this.#last.startedMs >= sinceMs) return true;
      await (this.#running ?? this.#start(api, by, signal));
      signal.throwIfAborted();
    }
    return false;
  }

  /** Nobody waits for it: should it fail, the next one that is waited for says so. */
  #startUnheard(api: Api, by: string, signal: AbortSignal): void {
    if (this.#running === undefined) this.#start(api, by, signal).catch(() => undefined);
  }

  #start(api: Api, by: string, signal: AbortSignal): Promise<void> {
    const running = this.#sweep(api, by, signal).finally(() => {
      this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #sweep(api: Api, by: string, signal: AbortSignal): Promise<void> {
    const { clock, expected, intervalMs, onChanged } = this.#options;
    const startedMs = clock.monotonic();
    this.#startedMs = startedMs;
    const seen = new Set<string>();
    const changed: string[] = [];
    let pages = 0;
    try {
      for (let marker: string | undefined; pages === 0 || marker !== undefined; pages++) {
        if (pages > 0 && pages >= Math.max(2, expected())) {
          this.#dearUntilMs = clock.monotonic() + dearMs;
          return;
        }
        const atMs = clock.monotonic();
        const page = await api.page(marker, signal);
        for (const configuration of page.mappings) {
          const { UUID: uuid = '' } = configuration;
          seen.add(uuid);
          if (this.#known.listed(configuration, atMs)) changed.push(uuid);
        }
        marker = page.next;
      }
    } catch (error) {
      if (!(error instanceof ControlError) || error.failure.kind !== 'denied') throw error;
      this.#denied.set(by, clock.monotonic() + intervalMs);
      return;
    }
    changed.push(...this.#known.swept(seen, startedMs));
    this.#known.dropTags(startedMs - tagsMs);
    for (const [source, doubtMs] of this.#doubtful)
      if (doubtMs < startedMs - lagMs) this.#doubtful.delete(source);
    this.#last = { startedMs, pages, by };
    if (changed.length > 0) onChanged(changed);
  }
}

function wasRefused(error: unknown): boolean {
  return error instanceof ControlError && error.failure.kind === 'throttled';
}
