/**
 * What is known of the mappings of an account and Region, from answers to writes, from Gets and from the pages of the
 * sweeps, each with the time it is of. Pure but for its own memory: times are arguments. It calls nobody.
 *
 * What is older never overwrites what is newer: a page that was asked for before a write was answered says nothing of
 * what the write did. List may lag behind; by the time of the last modification a lagging answer is told. Where there
 * is none to compare with, since a write ended in doubt or AWS answered NotFound, List is not heard for as long as it
 * may lag; a UUID is never given twice, so what is gone does not come back.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Configuration, Tags } from './client.ts';
import { arnOf } from './facts.ts';

export interface Entry {
  readonly configuration: Configuration;
  /** The time that the configuration is of. */
  readonly atMs: number;
  /** Our last write to it. */
  readonly wroteMs: number | undefined;
  /** The last Get, which also shows what List hides. */
  readonly gotMs: number | undefined;
  /** A whole sweep begun at this time did not show it. */
  readonly missingMs: number | undefined;
}

interface KnownTags {
  readonly tags: Tags | undefined;
  /** When they were read. */
  readonly atMs: number;
  /** The last write to them that has ended: what was asked for before says nothing of it. */
  readonly wroteMs: number;
}

/** How long List may go on showing what was before a change. */
export const lagMs = 30_000;
/** Longer than any call with its repeats: no answer of before is still on its way. */
const silencedMs = 300_000;
/** How long List may not show a mapping that was just made. */
const unlistedMs = 10_000;
/** What is missing for so long without a question about it interests nobody. */
const forgottenMs = 3_600_000;

export class KnownMappings {
  readonly #entries = new Map<string, Entry>();
  readonly #unsettled = new Set<string>();
  readonly #tags = new Map<string, KnownTags>();
  /** Up to when what was asked for says nothing of a mapping: in doubt, or gone, at this time. In order of time. */
  readonly #silenced = new Map<string, number>();
  /** Asked for by somebody: these are kept when a sweep misses them, until it is clear what became of them. */
  readonly #asked = new Set<string>();
  #accountID: string | undefined;

  /** Of the mappings that were seen. */
  get accountID(): string | undefined {
    return this.#accountID;
  }

  entry(uuid: string): Entry | undefined {
    return this.#entries.get(uuid);
  }

  /** Mappings that were asked for and are on their way to another state. */
  get unsettled(): number {
    return this.#unsettled.size;
  }

  /** Every mapping that the last sweep or something newer shows. */
  *present(): Iterable<Configuration> {
    for (const { configuration, missingMs } of this.#entries.values())
      if (missingMs === undefined) yield configuration;
  }

  asked(uuid: string): void {
    this.#asked.add(uuid);
    const entry = this.#entries.get(uuid);
    if (entry !== undefined) this.#set(uuid, entry);
  }

  /** The answer at `atMs` to a write of ours that was sent at `sentMs`. */
  wrote(configuration: Configuration, atMs: number, sentMs: number): void {
    const { UUID: uuid = '' } = configuration;
    // A Get that was answered meanwhile may have seen more: it was on its way out, and is gone.
    if (this.#silencedAt(uuid) > sentMs) return;
    this.#asked.add(uuid);
    const gotMs = undefined;
    this.#set(uuid, { configuration, atMs, wroteMs: atMs, gotMs, missingMs: undefined });
  }

  /** The answer to a Get that was sent at `atMs`. */
  got(configuration: Configuration, atMs: number): void {
    const { UUID: uuid = '' } = configuration;
    const before = this.#entries.get(uuid);
    if ((before !== undefined && before.atMs > atMs) || this.#silencedAt(uuid) > atMs) return;
    const wroteMs = before?.wroteMs;
    this.#set(uuid, { configuration, atMs, wroteMs, gotMs: atMs, missingMs: undefined });
  }

  /** One mapping of a page that was asked for at `atMs`; whether it says anything new of a known mapping. */
  listed(shown: Configuration, atMs: number): boolean {
    const { UUID: uuid = '' } = shown;
    const before = this.#entries.get(uuid);
    if (before === undefined) {
      if (this.#silencedAt(uuid) >= atMs - lagMs) return false;
      this.#set(uuid, {
        configuration: shown,
        atMs,
        wroteMs: undefined,
        gotMs: undefined,
        missingMs: undefined,
      });
      return false;
    }
    if (isNewer(before, atMs) || isLagging(before, shown, atMs)) return false;
    const configuration = unhidden(before, shown);
    const gotMs = configuration === shown && isBlind(shown) ? undefined : before.gotMs;
    this.#set(uuid, { configuration, atMs, wroteMs: before.wroteMs, gotMs, missingMs: undefined });
    return !isDeepStrictEqual(before.configuration, configuration);
  }

  /** A whole sweep, begun at `atMs`, showed these alone. Those that were asked for and are missing anew. */
  swept(seen: ReadonlySet<string>, atMs: number): readonly string[] {
    const missing: string[] = [];
    for (const [uuid, entry] of this.#entries) {
      const { configuration, wroteMs = -Infinity, missingMs } = entry;
      if (seen.has(uuid) || isNewer(entry, atMs)) continue;
      if (!this.#asked.has(uuid) || atMs - (missingMs ?? atMs) > forgottenMs) {
        this.forget(uuid);
        continue;
      }
      // List may not show yet what was just made.
      const isNew = configuration.State !== 'Deleting' && atMs - wroteMs < unlistedMs;
      if (isNew || missingMs !== undefined) continue;
      this.#set(uuid, { ...entry, missingMs: atMs });
      missing.push(uuid);
    }
    return missing;
  }

  /** A write of ours ended in doubt at `atMs`: nobody knows what was done. */
  doubted(uuid: string, atMs: number): void {
    this.forget(uuid);
    this.#silence(uuid, atMs);
  }

  /** AWS has none of this UUID, in an answer to what was asked at `atMs`. */
  gone(uuid: string, atMs: number): void {
    const entry = this.#entries.get(uuid);
    if (entry !== undefined) this.#tags.delete(arnOf(entry.configuration));
    this.forget(uuid);
    this.#silence(uuid, atMs);
  }

  /** Nothing is known of it any more. */
  forget(uuid: string): void {
    this.#entries.delete(uuid);
    this.#unsettled.delete(uuid);
    this.#asked.delete(uuid);
  }

  /** Tags as they were read, with what was written since, unless they were read longer ago than `since`. */
  tagsSince(arn: string, since: number): { readonly tags: Tags; readonly atMs: number } | undefined {
    const { tags, atMs = -Infinity } = this.#tags.get(arn) ?? {};
    return tags !== undefined && atMs >= since ? { tags, atMs } : undefined;
  }

  /** Tags that were asked for at `atMs`, unless something newer is known. */
  tagged(arn: string, tags: Tags, atMs: number): void {
    const { atMs: knownMs = -Infinity, wroteMs = -Infinity } = this.#tags.get(arn) ?? {};
    if (atMs >= Math.max(knownMs, wroteMs)) this.#tags.set(arn, { tags, atMs, wroteMs });
  }

  /** Tags were written, the last at `wroteMs`, onto those of `atMs`; undefined where the outcome is in doubt. */
  wroteTags(arn: string, tags: Tags | undefined, atMs: number, wroteMs: number): void {
    this.#tags.set(arn, { tags, atMs, wroteMs });
  }

  /** Lets go of tags that nobody may rely on any more. */
  dropTags(before: number): void {
    for (const [arn, { atMs, wroteMs }] of this.#tags)
      if (Math.max(atMs, wroteMs) < before) this.#tags.delete(arn);
  }

  #silencedAt(uuid: string): number {
    return this.#silenced.get(uuid) ?? -Infinity;
  }

  #silence(uuid: string, atMs: number): void {
    for (const [other, sinceMs] of this.#silenced) {
      if (sinceMs > atMs - silencedMs) break;
      this.#silenced.delete(other);
    }
    this.#silenced.delete(uuid);
    this.#silenced.set(uuid, atMs);
  }

  #set(uuid: string, entry: Entry): void {
    this.#entries.set(uuid, entry);
    this.#accountID ??= arnOf(entry.configuration).split(':')[4] || undefined;
    const isOurs = this.#asked.has(uuid) && entry.missingMs === undefined;
    if (isOurs && !isSettled(entry.configuration)) this.#unsettled.add(uuid);
    else this.#unsettled.delete(uuid);
  }
}

/** Whether the state stays as it is. */
export function isSettled({ State: state }: Configuration): boolean {
  return state === 'Enabled' || state === 'Disabled';
}

/** Its filters are encrypted, so that only a Get may show them. */
export function isEncrypted({ KMSKeyArn: key, FilterCriteriaError: error }: Configuration): boolean {
  return Boolean(key) || error !== undefined;
}

/** Encrypted filters: List leaves them out. */
function isBlind(shown: Configuration): boolean {
  return (
    shown.FilterCriteriaError !== undefined ||
    (Boolean(shown.KMSKeyArn) && shown.FilterCriteria === undefined)
  );
}

/** Within one millisecond a write counts as the newer one. */
function isNewer({ atMs, wroteMs = -Infinity }: Entry, thanMs: number): boolean {
  return atMs > thanMs || wroteMs >= thanMs;
}

function isLagging({ configuration, atMs: knownMs }: Entry, shown: Configuration, atMs: number): boolean {
  if (atMs - knownMs > lagMs) return false;
  const [known, told] = [configuration.LastModified, shown.LastModified];
  return known !== undefined && told !== undefined && told < known;
}

/** What a page shows, with the filters that a Get has seen, as long as nothing was modified since. */
function unhidden({ configuration, gotMs }: Entry, shown: Configuration): Configuration {
  if (gotMs === undefined || !isBlind(shown)) return shown;
  if (shown.LastModified?.getTime() !== configuration.LastModified?.getTime()) return shown;
  const { FilterCriteria, FilterCriteriaError } = configuration;
  return {
    ...shown,
    ...(FilterCriteria === undefined ? {} : { FilterCriteria }),
    ...(FilterCriteriaError === undefined ? {} : { FilterCriteriaError }),
  };
}
