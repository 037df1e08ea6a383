/**
 * Leader election by a Lease, with client-go's rules: a candidate takes the Lease when nobody holds it or when it has
 * itself seen no change of it for the lease duration, on its own monotonic clock; so neither another machine's clock
 * nor a jump of its own matters. The leader renews every retry period by compare-and-swap on what it wrote last
 * (fast path), and reads first when that fails (slow path).
 *
 *     following ──took the Lease──▸ leading ──renew deadline passed, or taken by another──▸ stopping ──▸ following
 *                                      └──── signal ──▸ stopping ──▸ released
 *
 * It guarantees that work under leadership is told to stop before others may lead, as far as clocks run at the same
 * rate within 15/10; that on a clean stop the Lease is released only after that work has ended; and that `leads()`
 * is false from the renew deadline on even if timers are late. A write that has already been sent when leadership
 * ends is not called back: what needs a fence needs its own.
 */
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { anySignal } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import { heldSpec, releasedSpec, type Lease, type LeaseAccess } from './lease.ts';
import { microTime } from './resource.ts';

/** What an election did. `name` is the Lease's, the label of `leader_election_master_status`. */
export type LeaderElectionEvent = { readonly name: string } &
  /** This process leads from now on (`leader_election_master_status` 1). */
  (
    | { readonly kind: 'started' }
    /** This process leads no more (0). */
    | { readonly kind: 'stopped'; readonly cause: 'signal' | 'lost' | 'finished' }
    /** Another holder, or none (empty), was seen; this process itself included. */
    | { readonly kind: 'leaderChanged'; readonly identity: string }
    /** An attempt to take, renew or release failed. */
    | { readonly kind: 'attemptFailed'; readonly message: string }
  );

/** Times of an election, in milliseconds. */
export interface ElectionTimes {
  /** How long others wait after the last change they saw; default 15,000. */
  readonly leaseDurationMs: number;
  /** How long the leader goes on without a successful renewal; below the lease duration; default 10,000. */
  readonly renewDeadlineMs: number;
  /** Between two attempts; default 2,000. */
  readonly retryPeriodMs: number;
}

export const defaultElectionTimes: ElectionTimes = {
  leaseDurationMs: 15_000,
  renewDeadlineMs: 10_000,
  retryPeriodMs: 2000,
};

export interface LeaderElectorOptions {
  readonly lease: LeaseAccess;
  /** The name for events and metrics. */
  readonly name: string;
  /** Unique to this process's life, such as the pod's name and a random part. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly times?: Partial<ElectionTimes>;
  readonly observe?: (event: LeaderElectionEvent) => void;
}

/** client-go waits up to this many retry periods more between attempts to take the Lease. */
const JITTER = 1.2;

export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #times: ElectionTimes;
  #observed: Lease | undefined;
  /** When `#observed` last was seen to differ, monotonic. */
  #observedMs = 0;
  /** Until when this process may act as the leader, monotonic; in the past when it does not lead. */
  #leadsUntilMs = Number.NEGATIVE_INFINITY;
  #leading = false;
  #reported: string | undefined;

  /** Throws `RangeError` for times that cannot work. */
  constructor(options: LeaderElectorOptions) {
    const times = { ...defaultElectionTimes, ...options.times };
    if (times.leaseDurationMs <= times.renewDeadlineMs) {
      throw new RangeError(
        `\`leaseDuration\` must be longer than \`renewDeadline\` (${times.renewDeadlineMs} ms); found ${times.leaseDurationMs} ms`,
      );
    }
    if (times.renewDeadlineMs <= times.retryPeriodMs * JITTER) {
      throw new RangeError(
        `\`renewDeadline\` must be longer than ${JITTER} times \`retryPeriod\` (${times.retryPeriodMs} ms); found ${times.renewDeadlineMs} ms`,
      );
    }
    if (times.retryPeriodMs <= 0) {
      throw new RangeError(`\`retryPeriod\` must be above 0; found ${times.retryPeriodMs} ms`);
    }
    if (options.identity === '') throw new RangeError('`identity` must not be empty');
    this.#options = options;
    this.#times = times;
  }

  /** Whether this process may act as the leader at this very moment. Cheap: ask before each side effect. */
  leads(): boolean {
    return this.#leading && this.#options.clock.monotonic() < this.#leadsUntilMs;
  }

  /** The holder last seen; empty when nobody holds the Lease, undefined before the first look. */
  get leader(): string | undefined {
    return this.#observed === undefined ? undefined : holderOf(this.#observed);
  }

  /**
   * Takes part until `signal` aborts. Whenever this process leads, `lead` runs with a signal that aborts at the end
   * of leadership; it must then end soon, and leadership is given up when it returns. Rejects with what `lead` threw.
   */
  async run(lead: (leading: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.#acquire(signal))) return;
      await this.#lead(lead, signal);
    }
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    const { clock, random } = this.#options;
    while (!signal.aborted) {
      if (await this.tryAcquireOrRenew(signal)) return true;
      await clock.sleep(this.#times.retryPeriodMs * (1 + JITTER * random()), signal);
    }
    return false;
  }

  async #lead(lead: (leading: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    this.#leading = true;
    this.#emit({ kind: 'started' });
    const lost = new AbortController();
    const finished = new AbortController();
    const renewing = this.#renewUntil(finished.signal, lost);
    let cause: 'signal' | 'lost' | 'finished' = 'finished';
    try {
      // The Lease is renewed on while the work winds up, so that nobody else starts meanwhile.
      await lead(anySignal(signal, lost.signal));
    } finally {
      if (lost.signal.aborted) cause = 'lost';
      else if (signal.aborted) cause = 'signal';
      finished.abort();
      await renewing;
      this.#leading = false;
      this.#emit({ kind: 'stopped', cause });
      if (cause !== 'lost') await this.#release();
      this.#leadsUntilMs = Number.NEGATIVE_INFINITY;
    }
  }

  async #renewUntil(finished: AbortSignal, lost: AbortController): Promise<void> {
    const { clock } = this.#options;
    while (!finished.aborted) {
      await clock.sleep(this.#times.retryPeriodMs, finished);
      if (finished.aborted) return;
      if (await this.#renewInTime(finished)) continue;
      if (finished.aborted) return;
      this.#leading = false;
      lost.abort();
      return;
    }
  }

  /** Attempts to renew until the deadline; false when leadership is lost. */
  async #renewInTime(finished: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    while (!finished.aborted) {
      const leftMs = this.#leadsUntilMs - clock.monotonic();
      if (leftMs <= 0) return false;
      // A request that hangs must not carry us over the deadline.
      const deadline = new AbortController();
      const over = new AbortController();
      const timer = clock.sleep(leftMs, over.signal).then(() => deadline.abort());
      const renewed = await this.tryAcquireOrRenew(anySignal(finished, deadline.signal));
      over.abort();
      await timer;
      if (renewed) return true;
      // The Lease is another's: waiting for the deadline would only be time in which two believe that they lead.
      if (this.leader !== this.#options.identity && this.leader !== '' && this.#observed !== undefined) {
        return false;
      }
      await clock.sleep(
        Math.min(this.#times.retryPeriodMs, Math.max(0, this.#leadsUntilMs - clock.monotonic())),
        finished,
      );
    }
    return false;
  }

  /**
   * One attempt to take the Lease, or to renew it if it is ours; true when it is ours now. Never rejects. Public for
   * tests: `run` is what others call.
   */
  async tryAcquireOrRenew(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#attempt(signal);
    } catch (error) {
      if (!signal.aborted) this.#emit({ kind: 'attemptFailed', message: messageOf(error) });
      return false;
    } finally {
      this.#reportLeader();
    }
  }

  async #attempt(signal: AbortSignal): Promise<boolean> {
    const { clock, lease } = this.#options;
    if (this.#observed !== undefined && this.#isOurs(this.#observed) && this.#isValid()) {
      // Fast path: nobody can have taken a Lease that we have kept valid, so what we wrote last is what is stored.
      const sentMs = clock.monotonic();
      try {
        const written = await lease.replace(this.#observed, { spec: this.#nextSpec(this.#observed) }, signal);
        this.#own(written, sentMs);
        return true;
      } catch (error) {
        if (signal.aborted) throw error;
        this.#emit({ kind: 'attemptFailed', message: messageOf(error) });
      }
    }
    const stored = await lease.read(signal);
    const sentMs = clock.monotonic();
    if (stored === undefined) {
      this.#own(await lease.create({ spec: this.#nextSpec(undefined) }, signal), sentMs);
      return true;
    }
    this.#look(stored);
    if (holderOf(stored) !== '' && !this.#isOurs(stored) && this.#isValid()) return false;
    this.#own(await lease.replace(stored, { spec: this.#nextSpec(stored) }, signal), sentMs);
    return true;
  }

  #nextSpec(current: Lease | undefined): Lease['spec'] & object {
    const { clock, identity } = this.#options;
    const nowMs = clock.now();
    const ours = current !== undefined && this.#isOurs(current);
    const transitions = current?.spec?.leaseTransitions ?? 0;
    return heldSpec({
      identity,
      durationMs: this.#times.leaseDurationMs,
      acquireTime: ours ? (current.spec?.acquireTime ?? microTime(nowMs)) : microTime(nowMs),
      nowMs,
      transitions: current === undefined || ours ? transitions : transitions + 1,
    });
  }

  /** A Lease as it is stored: the time counts from when we first saw this content. */
  #look(stored: Lease): void {
    const same =
      this.#observed !== undefined && JSON.stringify(this.#observed.spec) === JSON.stringify(stored.spec);
    this.#observed = stored;
    if (!same) this.#observedMs = this.#options.clock.monotonic();
  }

  #own(written: Lease, sentMs: number): void {
    this.#observed = written;
    this.#observedMs = this.#options.clock.monotonic();
    // From before it was sent: others count from when it arrived, which is later.
    this.#leadsUntilMs = sentMs + this.#times.renewDeadlineMs;
  }

  /** Whether the observed Lease still binds others, by its own duration. */
  #isValid(): boolean {
    const seconds = this.#observed?.spec?.leaseDurationSeconds ?? 0;
    return this.#observedMs + seconds * 1000 > this.#options.clock.monotonic();
  }

  #isOurs(lease: Lease): boolean {
    return holderOf(lease) === this.#options.identity;
  }

  async #release(): Promise<void> {
    const { clock, lease } = this.#options;
    const observed = this.#observed;
    if (observed === undefined || !this.#isOurs(observed)) return;
    // The process is on its way out: one attempt, bounded, and the others wait the duration out if it fails.
    const deadline = new AbortController();
    const sent = new AbortController();
    const timer = clock.sleep(this.#times.renewDeadlineMs, sent.signal).then(() => deadline.abort());
    try {
      // A renewal that was broken off may have been stored, so what we know may be old.
      const stored = await lease.read(deadline.signal);
      if (stored === undefined || !this.#isOurs(stored)) return;
      const written = await lease.replace(
        stored,
        { spec: releasedSpec(stored, clock.now()) },
        deadline.signal,
      );
      this.#look(written);
      this.#reportLeader();
    } catch (error) {
      this.#emit({ kind: 'attemptFailed', message: messageOf(error) });
    } finally {
      sent.abort();
      await timer;
    }
  }

  #reportLeader(): void {
    const leader = this.leader;
    if (leader === undefined || leader === this.#reported) return;
    this.#reported = leader;
    this.#emit({ kind: 'leaderChanged', identity: leader });
  }

  #emit(event: Unnamed<LeaderElectionEvent>): void {
    this.#options.observe?.({ name: this.#options.name, ...event });
  }
}

type Unnamed<E> = E extends LeaderElectionEvent ? Omit<E, 'name'> : never;

function holderOf(lease: Lease): string {
  return lease.spec?.holderIdentity ?? '';
}
