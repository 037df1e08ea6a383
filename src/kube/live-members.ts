/**
 * Who is alive, told from the Leases of members as a reflector sees them. A member is alive as long as its Lease has
 * changed within its duration on this process's own monotonic clock: no wall clocks are compared.
 *
 * Only time in contact with the API server counts. While it is away no renewal can arrive, so nobody is declared dead
 * (fail static), and after it is back everybody has time to renew before silence counts again. For a process that
 * has no Lease of its own in the collection, give its reflector a `silenceMs` of 10,000, so that a fleet that died as
 * a whole is noticed in about 20 s.
 */
import type { Clock } from '../lib/clock.ts';
import { readMember, type Member } from './member-lease.ts';
import type { Lease } from './lease.ts';
import type { StoreChange } from './object-store.ts';

interface Sighting {
  readonly lease: Lease;
  readonly member: Member;
  /** Contact time at which the Lease last was seen to change. */
  seenMs: number;
}

export interface LiveMembersOptions {
  readonly clock: Clock;
  /** Monotonic time of the last word from the API server: `Reflector.lastContactMs`. */
  readonly lastContactMs: () => number;
  /** Called with the new list, sorted by identity, when it is another one. */
  readonly onChange?: (members: readonly Member[]) => void;
}

const DEFAULT_DURATION_MS = 15_000;
/**
 * How much of a gap between two words of the server counts. In a live fleet there is a word every 5 s, since each
 * member sees its own renewals; a longer gap was an absence of the server or of this process, and those who are alive
 * then have two thirds of their duration left to be heard.
 */
const LONGEST_GAP_MS = 5000;
const CHECK_MS = 1000;

export class LiveMembers {
  readonly #options: LiveMembersOptions;
  readonly #seen = new Map<string, Sighting>();
  #contactMs = 0;
  #lastContactMs: number;
  #reported: string | undefined;

  constructor(options: LiveMembersOptions) {
    this.#options = options;
    this.#lastContactMs = options.lastContactMs();
  }

  /** To be given to the reflector of Leases as `onChange`. */
  readonly take = (change: StoreChange<Lease>): void => {
    this.#advance();
    const member = change.kind === 'deleted' ? undefined : readMember(change.object);
    if (member === undefined) this.#seen.delete(change.key);
    else this.#seen.set(change.key, { lease: change.object, member, seenMs: this.#contactMs });
    this.#report();
  };

  /** The members that are alive now, sorted by identity. */
  list(): readonly Member[] {
    this.#advance();
    const alive: Member[] = [];
    for (const sighting of this.#seen.values()) {
      const seconds = sighting.lease.spec?.leaseDurationSeconds;
      const durationMs = seconds === undefined ? DEFAULT_DURATION_MS : seconds * 1000;
      if (this.#contactMs < sighting.seenMs + durationMs) alive.push(sighting.member);
    }
    return alive.sort((a, b) => (a.identity < b.identity ? -1 : a.identity > b.identity ? 1 : 0));
  }

  /** Looks for members that have fallen silent, until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#report();
      await this.#options.clock.sleep(CHECK_MS, signal);
    }
  }

  #advance(): void {
    const lastContactMs = this.#options.lastContactMs();
    const gapMs = lastContactMs - this.#lastContactMs;
    if (gapMs <= 0) return;
    this.#lastContactMs = lastContactMs;
    this.#contactMs += Math.min(gapMs, LONGEST_GAP_MS);
  }

  #report(): void {
    const members = this.list();
    const text = JSON.stringify(members);
    if (text === this.#reported) return;
    this.#reported = text;
    this.#options.onChange?.(members);
  }
}
