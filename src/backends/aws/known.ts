/**
 * What is known of the mappings of an account and Region, from answers to writes, from Gets and from the pages of the
 * sweeps, each with the time it is of. Pure but for its own memory: times are arguments. It calls nobody.
 *
 * What is older never overwrites what is newer: a page that was asked for before a write was answered says nothing of
 * what the write did. List may lag behind; by the time of the last modification a lagging answer is told.
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

/** How long List may go on showing what was before a write. */
const lagMs = 30_000;
/** How long List may not show a mapping that was just made. */
const unlistedMs = 10_000;
/** What is missing for so long without a question about it interests nobody. */
const forgottenMs = 3_600_000;

export class KnownMappings {
  readonly #entries = new Map<string, Entry>();
  readonly #unsettled = new Set<string>();
  readonly #tags = new Map<string, { readonly tags: Tags; readonly atMs: number }>();
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

  /** The answer to a write of ours. */
  wrote(configuration: Configuration, atMs: number): void {
    const { UUID: uuid = '' } = configuration;
    this.#asked.add(uuid);
    const gotMs = undefined;
    this.#set(uuid, { configuration, atMs, wroteMs: atMs, gotMs, missingMs: undefined });
  }

  /** The answer to a Get that was sent at `atMs`. */
  got(configuration: Configuration, atMs: number): void {
    const { UUID: uuid = '' } = configuration;
    const before = this.#entries.get(uuid);
    if (before !== undefined && before.atMs > atMs) return;
    const wroteMs = before?.wroteMs;
    this.#set(uuid, { configuration, atMs, wroteMs, gotMs: atMs, missingMs: undefined });
  }

  /** One mapping of a page that was asked for at `atMs`; whether it says anything new of a known mapping. */
  listed(shown: Configuration, atMs: number): boolean {
    const { UUID: uuid = '' } = shown;
    const before = this.#entries.get(uuid);
    if (before === undefined) {
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

  /** Nothing is known of it any more: it is gone, or a write ended in doubt. */
  forget(uuid: string): void {
    this.#entries.delete(uuid);
    this.#unsettled.delete(uuid);
    this.#asked.delete(uuid);
  }

  /** Tags as they were read or written, unless that is longer ago than `since`. */
  tagsSince(arn: string, since: number): Tags | undefined {
    const known = this.#tags.get(arn);
    return known !== undefined && known.atMs >= since ? known.tags : undefined;
  }

  tagged(arn: string, tags: Tags | undefined, atMs: number): void {
    if (tags === undefined) this.#tags.delete(arn);
    else this.#tags.set(arn, { tags, atMs });
  }

  /** Lets go of tags that nobody may rely on any more. */
  dropTags(before: number): void {
    for (const [arn, { atMs }] of this.#tags) if (atMs < before) this.#tags.delete(arn);
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

function isLagging({ configuration, wroteMs }: Entry, shown: Configuration, atMs: number): boolean {
  if (wroteMs === undefined || atMs - wroteMs > lagMs) return false;
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
