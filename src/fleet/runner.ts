/**
 * Runs the mappings that a member owns: opens, swaps and drains their pollers. It is told what is wanted as a whole
 * (`set`) and brings each mapping there on its own, never two changes of one mapping at once, the newest wish winning.
 *
 * Guarantees: a change of the spec that keeps the source is made in place, so that nothing in flight is lost and no
 * message waits; a change of the source drains the old poller before the new one starts; a mapping that cannot be
 * opened is reported with its reason and does not disturb the others.
 *
 * States of one mapping: Starting → Running ⇄ Paused; any → Draining → gone; or Failed until its work changes.
 */
import type { ReportedState } from '../api/report.ts';
import { backoffMs, type BackoffPolicy } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { TaskGroup } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import type { Emit, PollerEvent } from '../poller/events.ts';
import { workKey, type Work } from './work.ts';

/** A mapping that was opened: what runs it and what is known of it. */
export interface Opened {
  /** Equal keys mean that the source can stay open over a change of the spec. */
  readonly sourceKey: string;
  start(): void;
  pause(): void;
  resume(): void;
  /** Takes over another spec in place; only for equal source keys. Throws when the new spec cannot be opened. */
  reconfigure(work: Work): Promise<void>;
  drain(graceMs: number): Promise<void>;
}

/** Makes pollers. Throws `SluiceError` with a documented reason when the work cannot be run as it is. */
export interface Opener {
  sourceKey(work: Work): string;
  open(work: Work, emit: Emit): Promise<Opened>;
}

/** How one mapping stands in this member. */
export interface Standing {
  readonly work: Work;
  readonly state: ReportedState;
  /** Why it is in this state; `Serving` while it runs. */
  readonly reason: string;
  readonly message: string;
  readonly sinceMs: number;
}

export interface RunnerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly opener: Opener;
  /** Told of every engine event, with the mapping that it is about. */
  readonly emit: (work: Work, event: PollerEvent) => void;
  /** Told when a mapping's standing changed, or with undefined when it is gone. */
  readonly onStanding: (key: string, standing: Standing | undefined) => void;
  readonly onError: (error: unknown) => void;
  /** How long a poller that is removed or replaced may finish what it has in flight. */
  readonly drainGraceMs: number;
}

interface Slot {
  wanted: Work | undefined;
  current: { readonly opened: Opened; work: Work } | undefined;
  standing: Standing | undefined;
  busy: boolean;
  failures: number;
  /** Ends the wait for the next try of a mapping that could not be opened. */
  retry: AbortController | undefined;
}

/** What is missing (a Secret, an answer of AWS) may come without a change of the spec, so every failure is tried again. */
const RETRY: BackoffPolicy = { initialMs: 2000, factor: 2, maxMs: 60_000, jitter: 0.3 };

export class Runner {
  readonly #deps: RunnerDeps;
  readonly #slots = new Map<string, Slot>();
  readonly #tasks: TaskGroup;
  #closing = false;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    this.#tasks = new TaskGroup(deps.onError);
  }

  /** Says what is wanted: exactly these mappings. Returns at once. */
  set(works: readonly Work[]): void {
    if (this.#closing) return;
    const wanted = new Map(works.map((work) => [workKey(work), work]));
    for (const key of this.#slots.keys()) if (!wanted.has(key)) this.#want(key, undefined);
    for (const [key, work] of wanted) this.#want(key, work);
  }

  standings(): readonly Standing[] {
    return [...this.#slots.values()]
      .map((slot) => slot.standing)
      .filter((standing) => standing !== undefined);
  }

  /** Drains every mapping and resolves when all have stopped; nothing starts any more. */
  async drain(graceMs: number): Promise<void> {
    this.#closing = true;
    for (const [key, slot] of this.#slots) {
      slot.wanted = undefined;
      slot.retry?.abort();
      // A slot at work sees the wish when its step ends; an idle one is drained here.
      if (!slot.busy) this.#kick(key, slot, graceMs);
    }
    await this.#tasks.drained();
  }

  #want(key: string, work: Work | undefined): void {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      if (work === undefined) return;
      this.#slots.set(
        key,
        (slot = {
          wanted: undefined,
          current: undefined,
          standing: undefined,
          busy: false,
          failures: 0,
          retry: undefined,
        }),
      );
    }
    if (work !== undefined && slot.wanted !== undefined && sameWork(slot.wanted, work)) {
      slot.wanted = work;
      return;
    }
    slot.wanted = work;
    slot.failures = 0;
    if (!slot.busy) this.#kick(key, slot, this.#deps.drainGraceMs);
  }

  #kick(key: string, slot: Slot, graceMs: number): void {
    slot.busy = true;
    slot.retry?.abort();
    this.#tasks.run(async () => {
      try {
        for (;;) {
          const wanted = slot.wanted;
          await this.#bring(key, slot, wanted, graceMs);
          if (
            slot.wanted !== wanted &&
            !(slot.wanted !== undefined && wanted !== undefined && sameWork(slot.wanted, wanted))
          )
            continue;
          if (slot.wanted === undefined) this.#slots.delete(key);
          return;
        }
      } finally {
        slot.busy = false;
        if (slot.wanted !== undefined && slot.standing?.state === 'Failed') this.#retryLater(key, slot);
      }
    });
  }

  #retryLater(key: string, slot: Slot): void {
    const retry = new AbortController();
    slot.retry = retry;
    this.#tasks.run(async () => {
      await this.#deps.clock.sleep(backoffMs(RETRY, ++slot.failures, this.#deps.random), retry.signal);
      if (!retry.signal.aborted && !slot.busy) this.#kick(key, slot, this.#deps.drainGraceMs);
    });
  }

  async #bring(key: string, slot: Slot, wanted: Work | undefined, graceMs: number): Promise<void> {
    const { opener, emit } = this.#deps;
    const { current } = slot;
    if (current !== undefined && (wanted === undefined || !this.#canKeep(current.opened, wanted))) {
      this.#stand(key, slot, current.work, 'Draining', 'Draining', 'Finishing what is in flight');
      await current.opened.drain(graceMs);
      slot.current = undefined;
    }
    if (wanted === undefined) {
      slot.standing = undefined;
      this.#deps.onStanding(key, undefined);
      return;
    }
    try {
      if (slot.current === undefined) {
        // A repeated try stays Failed in the eyes of others until it succeeds.
        if (slot.failures === 0)
          this.#stand(key, slot, wanted, 'Starting', 'Progressing', 'Opening the source');
        const opened = await opener.open(wanted, (event) => {
          emit(slot.current?.work ?? wanted, event);
        });
        slot.current = { opened, work: wanted };
        if (wanted.paused === false) opened.start();
      } else {
        await slot.current.opened.reconfigure(wanted);
        slot.current.work = wanted;
        if (wanted.paused !== false) slot.current.opened.pause();
        else slot.current.opened.resume();
      }
      slot.failures = 0;
      if (wanted.paused === false) this.#stand(key, slot, wanted, 'Running', 'Serving', '');
      else this.#stand(key, slot, wanted, 'Paused', wanted.paused, 'No message is taken');
    } catch (error) {
      // An old spec must not go on when the new one cannot run: the user sees the reason and the queue waits.
      await slot.current?.opened.drain(graceMs);
      slot.current = undefined;
      const reason = error instanceof SluiceError ? error.reason : 'MemberFailed';
      this.#stand(key, slot, wanted, 'Failed', reason, messageOf(error));
    }
  }

  #canKeep(opened: Opened, wanted: Work): boolean {
    try {
      return opened.sourceKey === this.#deps.opener.sourceKey(wanted);
    } catch {
      return false;
    }
  }

  #stand(key: string, slot: Slot, work: Work, state: ReportedState, reason: string, message: string): void {
    const sinceMs = slot.standing?.state === state ? slot.standing.sinceMs : this.#deps.clock.now();
    slot.standing = { work, state, reason, message, sinceMs };
    this.#deps.onStanding(key, slot.standing);
  }
}

/** Whether a member may go on as it is: everything that decides how a mapping runs is equal. */
function sameWork(left: Work, right: Work): boolean {
  return (
    left.mapping.metadata.generation === right.mapping.metadata.generation &&
    JSON.stringify({ ...left, mapping: left.mapping.spec }) ===
      JSON.stringify({ ...right, mapping: right.mapping.spec })
  );
}
