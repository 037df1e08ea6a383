/**
 * Runs the mappings that a member owns: opens, swaps and drains their pollers. It is told what is wanted as a whole
 * (`set`) and brings each mapping there on its own, never two changes of one mapping at once, the newest wish winning.
 *
 * Guarantees: a change of the spec that keeps the source is made in place, so that nothing in flight is lost and no
 * message waits. One that goes to another source waits until the old poller invokes nothing any more, so that the
 * mapping's concurrency holds, but not for its last long poll, which may take 20 s. One that reads the same source in
 * another way drains the old poller to its end first: a source never has two readers of one mapping. A mapping that
 * cannot be opened is reported with its reason and does not disturb the others.
 *
 * States of one mapping: Starting → Running ⇄ Paused; any → Draining → gone; or Failed, from where it is tried again
 * with back-off, and at once when its work changes.
 */
import { isReason } from '../api/conditions.ts';
import type { ReportedState } from '../api/report.ts';
import { backoffMs, type BackoffPolicy } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { SluiceError, messageOf } from '../lib/errors.ts';
import { TaskGroup } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import type { Emit, PollerEvent } from '../poller/events.ts';
import { workKey, type Work } from './work.ts';

/** A mapping that was opened: what runs it and what is known of it. It takes no message before `resume`. */
export interface Opened {
  /** Equal keys mean that the source can stay open over a change of the spec. */
  readonly sourceKey: string;
  /** What is read, in whatever way: two pollers of one mapping never read the same at once. */
  readonly sourceID: string;
  /** Takes messages from now on. */
  resume(): void;
  /** Takes no messages from now on, and gives those back that no call has begun for. */
  pause(): void;
  /** Takes over another spec in place; only for equal source keys. Changes nothing when it throws. */
  reconfigure(work: Work, signal: AbortSignal): Promise<void>;
  /**
   * Ends for good within about `graceMs`. A second call can only shorten the grace; each resolves at the end.
   * `receiveMs` bounds how long polls under way may end by themselves; by default as long as they last.
   */
  drain(graceMs: number, receiveMs?: number): Promise<void>;
  /** After `drain`: resolves when no invocation is under way any more; what a last poll brings goes back. */
  quiet(): Promise<void>;
}

/** Makes pollers. Throws `SluiceError` with a documented reason when the work cannot be run as it is. */
export interface Opener {
  sourceKey(work: Work): string;
  sourceID(work: Work): string;
  /** `signal` aborts when the work is no longer wanted; it is about opening alone, not about what was opened. */
  open(work: Work, emit: Emit, signal: AbortSignal): Promise<Opened>;
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
  /**
   * Told of every engine event, with the mapping that it is about. `former` is true for a poller whose successor is
   * opened already: what it still does counts, how it stands does not. Must not throw.
   */
  readonly emit: (work: Work, event: PollerEvent, former: boolean) => void;
  /** Told when a mapping's standing changed, or with undefined when it is gone. Must not throw. */
  readonly onStanding: (key: string, standing: Standing | undefined) => void;
  readonly onError: (error: unknown) => void;
  /** How long a poller that is removed or replaced may finish what it has in flight. */
  readonly drainGraceMs: number;
}

/** Whom the events of a poller are about. */
interface Speaker {
  work: Work;
  former: boolean;
}

/** A poller that ends. */
interface Leaving {
  readonly opened: Opened;
  readonly speaker: Speaker;
  readonly ended: Promise<void>;
}

interface Slot {
  wanted: Work | undefined;
  current: { readonly opened: Opened; readonly speaker: Speaker } | undefined;
  /** Pollers that end; none of them reads what `current` reads. */
  readonly leaving: Set<Leaving>;
  standing: Standing | undefined;
  /** What is under way to bring the mapping where it is wanted; aborts when the wish changes. */
  step: AbortController | undefined;
  failures: number;
  /** Ends the wait for the next try of a mapping that could not be opened. */
  retry: AbortController | undefined;
}

/** What is missing (a Secret, an answer of AWS) may come without a change of the spec, so every failure is tried again. */
const RETRY: BackoffPolicy = { initialMs: 2000, factor: 2, maxMs: 30_000, jitter: 0.3 };

export class Runner {
  readonly #deps: RunnerDeps;
  readonly #slots = new Map<string, Slot>();
  readonly #tasks: TaskGroup;
  #graceMs: number;
  #receiveMs: number | undefined;
  #closing = false;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    this.#graceMs = deps.drainGraceMs;
    this.#tasks = new TaskGroup(deps.onError);
  }

  /** Says what is wanted: exactly these mappings. Returns at once. */
  set(works: readonly Work[]): void {
    if (this.#closing) return;
    const wanted = new Map(works.map((work) => [workKey(work), work]));
    for (const [key, slot] of this.#slots) if (!wanted.has(key)) this.#want(key, slot, undefined);
    for (const [key, work] of wanted) this.#want(key, this.#slots.get(key) ?? this.#newSlot(key), work);
  }

  standings(): readonly Standing[] {
    return [...this.#slots.values()]
      .map((slot) => slot.standing)
      .filter((standing) => standing !== undefined);
  }

  /**
   * Drains every mapping and resolves when all have stopped; nothing starts any more. What drains already gets the
   * shorter grace of the two, and a later call can shorten it again. A process that ends has less time for long polls
   * than one that hands a mapping over: `receiveMs`.
   */
  async drain(graceMs: number, receiveMs?: number): Promise<void> {
    this.#graceMs = this.#closing ? Math.min(this.#graceMs, graceMs) : graceMs;
    this.#receiveMs = receiveMs;
    this.#closing = true;
    for (const [key, slot] of this.#slots) {
      for (const { opened } of slot.leaving) this.#tasks.run(() => opened.drain(graceMs, receiveMs));
      this.#want(key, slot, undefined);
    }
    await this.#tasks.drained();
  }

  #newSlot(key: string): Slot {
    const slot: Slot = {
      wanted: undefined,
      current: undefined,
      leaving: new Set(),
      standing: undefined,
      step: undefined,
      failures: 0,
      retry: undefined,
    };
    this.#slots.set(key, slot);
    return slot;
  }

  #want(key: string, slot: Slot, work: Work | undefined): void {
    const same =
      work === undefined || slot.wanted === undefined ? work === slot.wanted : sameWork(slot.wanted, work);
    slot.wanted = work;
    if (same) return;
    slot.failures = 0;
    if (slot.step === undefined) this.#kick(key, slot);
    else slot.step.abort();
  }

  /** Brings an idle mapping where it is wanted, again for as long as the wish changes under way. */
  #kick(key: string, slot: Slot): void {
    slot.retry?.abort();
    this.#tasks.run(async () => {
      let step: AbortController;
      do {
        slot.step = step = new AbortController();
        await this.#bring(key, slot, slot.wanted, step.signal);
      } while (step.signal.aborted);
      slot.step = undefined;
      if (slot.wanted === undefined) this.#slots.delete(key);
      else if (slot.standing?.state === 'Failed') this.#retryLater(key, slot);
    });
  }

  #retryLater(key: string, slot: Slot): void {
    const retry = new AbortController();
    slot.retry = retry;
    this.#tasks.run(async () => {
      const { clock, random } = this.#deps;
      await clock.sleep(backoffMs(RETRY, ++slot.failures, random), retry.signal);
      if (!retry.signal.aborted) this.#kick(key, slot);
    });
  }

  async #bring(key: string, slot: Slot, wanted: Work | undefined, signal: AbortSignal): Promise<void> {
    const { opener, emit } = this.#deps;
    const { current } = slot;
    if (current !== undefined && (wanted === undefined || !this.#canKeep(current.opened, wanted))) {
      this.#stand(key, slot, current.speaker.work, 'Draining', 'Draining', 'Finishing what is in flight');
      this.#leave(slot);
      await current.opened.quiet();
    }
    await this.#ended(slot, wanted);
    if (wanted === undefined) {
      slot.standing = undefined;
      this.#deps.onStanding(key, undefined);
      return;
    }
    if (signal.aborted) return;
    try {
      if (slot.current === undefined) {
        // A repeated try stays Failed in the eyes of others until it succeeds.
        if (slot.failures === 0)
          this.#stand(key, slot, wanted, 'Starting', 'Progressing', 'Opening the source');
        for (const leaving of slot.leaving) leaving.speaker.former = true;
        const speaker: Speaker = { work: wanted, former: false };
        const tell = (event: PollerEvent): void => emit(speaker.work, event, speaker.former);
        slot.current = { opened: await opener.open(wanted, tell, signal), speaker };
      } else {
        await slot.current.opened.reconfigure(wanted, signal);
        slot.current.speaker.work = wanted;
      }
    } catch (error) {
      // What is no longer wanted may fail as it likes.
      if (signal.aborted) return;
      this.#stand(key, slot, wanted, 'Failed', reasonOf(error), messageOf(error));
      // An old spec must not go on when the new one cannot run: the user sees the reason and the queue waits.
      await this.#leave(slot)?.ended;
      return;
    }
    slot.failures = 0;
    if (signal.aborted) return;
    if (wanted.paused === false) slot.current.opened.resume();
    else slot.current.opened.pause();
    if (wanted.paused === false) this.#stand(key, slot, wanted, 'Running', 'Serving', '');
    else this.#stand(key, slot, wanted, 'Paused', wanted.paused, 'No message is taken');
  }

  /** Begins to drain what runs. It never fails: what could not be ended in order is told and let go. */
  #leave(slot: Slot): Leaving | undefined {
    const { current } = slot;
    if (current === undefined) return undefined;
    slot.current = undefined;
    const { opened, speaker } = current;
    const leaving: Leaving = {
      opened,
      speaker,
      ended: opened
        .drain(this.#graceMs, this.#receiveMs)
        .catch((error: unknown) => this.#deps.onError(error))
        .finally(() => slot.leaving.delete(leaving)),
    };
    slot.leaving.add(leaving);
    this.#tasks.run(() => leaving.ended);
    return leaving;
  }

  /** Resolves when nothing is left that must not go on beside `wanted`: readers of the same source, or any at all. */
  async #ended(slot: Slot, wanted: Work | undefined): Promise<void> {
    const inTheWay = [...slot.leaving].filter(
      ({ opened }) => wanted === undefined || this.#isSameSource(opened, wanted),
    );
    await Promise.all(inTheWay.map(({ ended }) => ended));
  }

  #canKeep(opened: Opened, wanted: Work): boolean {
    try {
      return opened.sourceKey === this.#deps.opener.sourceKey(wanted);
    } catch {
      return false;
    }
  }

  #isSameSource(opened: Opened, wanted: Work): boolean {
    try {
      return opened.sourceID === this.#deps.opener.sourceID(wanted);
    } catch {
      // A work that cannot be opened reads nothing.
      return false;
    }
  }

  #stand(key: string, slot: Slot, work: Work, state: ReportedState, reason: string, message: string): void {
    const before = slot.standing;
    const isSame = before?.state === state && before.reason === reason && before.message === message;
    // A try that fails as the one before is no news.
    if (isSame && before.work === work) return;
    const sinceMs = before?.state === state ? before.sinceMs : this.#deps.clock.now();
    slot.standing = { work, state, reason, message, sinceMs };
    this.#deps.onStanding(key, slot.standing);
  }
}

/** Only documented reasons reach a report; what has none is told in the message. */
function reasonOf(error: unknown): string {
  return error instanceof SluiceError && isReason(error.reason) ? error.reason : 'MemberFailed';
}

/** Whether a member may go on as it is: everything that decides how a mapping runs is equal. */
function sameWork(left: Work, right: Work): boolean {
  return (
    left.mapping.metadata.generation === right.mapping.metadata.generation &&
    JSON.stringify({ ...left, mapping: left.mapping.spec }) ===
      JSON.stringify({ ...right, mapping: right.mapping.spec })
  );
}
