/** What is known of the fleet as a whole: who lives, and what the living report. Port and its index, no I/O. */
import type { ReportEntry } from '../api/report.ts';
import { parseReport, type ParsedReport } from './report.ts';

/** What one live member reports of one mapping. */
export interface MemberEntry {
  readonly member: string;
  readonly entry: ReportEntry;
}

/** The fleet as seen now. */
export interface FleetView {
  /** Identities of the live members of a pool, sorted. */
  liveMembers(pool: string): readonly string[];
  /** What live members, of any pool, report of the mapping with this uid; sorted by member. */
  entriesOf(uid: string): readonly MemberEntry[];
}

/** A live member, as its Lease tells. */
export interface LiveMember {
  readonly identity: string;
  readonly pool: string;
}

interface Held {
  readonly member: string;
  readonly entries: ReadonlyMap<string, ReportEntry>;
}

/**
 * The view, kept up to date from Leases and reports. It tells which mappings (`namespace/name`) a change is about;
 * a report that is renewed without a change is about none.
 */
export class FleetIndex implements FleetView {
  readonly #onChange: (keys: ReadonlySet<string>) => void;
  /** By the name of the report object. */
  readonly #reports = new Map<string, Held>();
  /** Names of the report objects that speak of a mapping, by its uid. */
  readonly #byUid = new Map<string, Set<string>>();
  #live = new Set<string>();
  #pools = new Map<string, readonly string[]>();

  constructor(onChange: (keys: ReadonlySet<string>) => void) {
    this.#onChange = onChange;
  }

  liveMembers(pool: string): readonly string[] {
    return this.#pools.get(pool) ?? [];
  }

  entriesOf(uid: string): readonly MemberEntry[] {
    const found: MemberEntry[] = [];
    for (const name of this.#byUid.get(uid) ?? []) {
      const held = this.#reports.get(name);
      const entry = held?.entries.get(uid);
      if (held !== undefined && entry !== undefined && this.#live.has(held.member)) {
        found.push({ member: held.member, entry });
      }
    }
    return found.sort((a, b) => (a.member < b.member ? -1 : 1));
  }

  /** A report object as it is now. One that cannot be read counts as none. */
  put(name: string, report: unknown): ParsedReport {
    const parsed = parseReport(report);
    const before = this.#reports.get(name)?.entries ?? new Map<string, ReportEntry>();
    const entries =
      parsed.kind === 'report'
        ? new Map(parsed.report.mappings.map((entry) => [entry.uid, entry]))
        : new Map<string, ReportEntry>();
    const member = parsed.kind === 'report' ? parsed.report.member : '';
    this.#reports.set(name, { member, entries });
    this.#relink(name, before, entries);
    return parsed;
  }

  /** The report object is gone. */
  remove(name: string): void {
    const before = this.#reports.get(name)?.entries;
    if (before === undefined) return;
    this.#reports.delete(name);
    this.#relink(name, before, new Map());
  }

  /** The live members as they are now. What this is about depends on pools, which only the caller knows. */
  setMembers(members: readonly LiveMember[]): void {
    this.#live = new Set(members.map(({ identity }) => identity));
    const byPool = Map.groupBy(members, ({ pool }) => pool);
    this.#pools = new Map([...byPool].map(([pool, of]) => [pool, of.map(({ identity }) => identity).sort()]));
  }

  #relink(
    name: string,
    before: ReadonlyMap<string, ReportEntry>,
    after: ReadonlyMap<string, ReportEntry>,
  ): void {
    const changed = new Set<string>();
    for (const [uid, entry] of before) {
      if (after.has(uid)) continue;
      const names = this.#byUid.get(uid);
      names?.delete(name);
      if (names?.size === 0) this.#byUid.delete(uid);
      changed.add(keyOf(entry));
    }
    for (const [uid, entry] of after) {
      let names = this.#byUid.get(uid);
      if (names === undefined) this.#byUid.set(uid, (names = new Set()));
      names.add(name);
      const old = before.get(uid);
      if (old === undefined || JSON.stringify(old) !== JSON.stringify(entry)) changed.add(keyOf(entry));
    }
    if (changed.size > 0) this.#onChange(changed);
  }
}

function keyOf({ namespace, name }: ReportEntry): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}
