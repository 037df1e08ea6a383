/**
 * The queue loop of one mapping: receive → filter → batch → invoke → delete or leave.
 *
 * States: starting → running ⇄ paused; any → draining → stopped.
 *
 * Guarantees
 * - A message is deleted only after the target succeeded with it, or because no filter matches it (`unmatched`).
 * - A message is received only while a delivery slot and bytes for it are free. What is in hand is kept invisible
 *   while it waits, runs or is held back; a function error leaves it to the queue's own visibility and redrive.
 * - A target that throttles, refuses or is away brakes the mapping: nothing more is received, the batches in hand are
 *   held up to `maximumHoldMs`, one batch probes. An outage shorter than that costs no receive count.
 * - FIFO: batches of a group run one after another, and what fails takes the later records of its group with it.
 * - `reconfigure` loses nothing; `drain` ends within its grace.
 *
 * It does not: retry function errors (the queue does), close its ports (their maker does), log or count (events do).
 *
 * All parts run in one thread and meet in `#pump`, which starts whatever may start; `#ring` looks at all deadlines.
 */
import type { Clock } from '../lib/clock.ts';
import { messageOf, SluiceError } from '../lib/errors.ts';
import { deferred, TaskGroup, type Deferred } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import { Alarm } from './alarm.ts';
import { Calls } from './calls.ts';
import { Describer } from './describer.ts';
import { Dispatcher } from './dispatcher.ts';
import type { Emit, PollerState } from './events.ts';
import { Hands } from './hands.ts';
import type { Loop } from './loop.ts';
import type { ByteBudget, Matches, QueueFacts, QueueSource, Target } from './ports.ts';
import { Reader } from './reader.ts';
import { QUEUE_RULES, type QueueRules } from './rules.ts';
import { effectiveOf, type Effective, type QueuePollerSettings, type Reconfiguration } from './settings.ts';
import { Settler } from './settler.ts';

export type { QueuePollerSettings, Reconfiguration } from './settings.ts';

export interface QueuePollerDeps {
  readonly source: QueueSource;
  readonly target: Target;
  /** The compiled filter; undefined = every record matches. */
  readonly matches: Matches | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** The one budget of the process. */
  readonly budget: ByteBudget;
  readonly emit: Emit;
  /** A new idempotency key, unique for ever. */
  readonly newId: () => string;
  /** Told what the queue says of itself, at start and about once a minute. */
  readonly onFacts?: ((facts: QueueFacts) => void) | undefined;
  readonly rules?: QueueRules | undefined;
}

/** Beyond the longest poll there is. */
const LONG_POLL_MS = 21_000;
/** After the grace, calls that give messages back may take this long. */
const RELEASE_GRACE_MS = 2000;

export class QueuePoller {
  readonly #deps: QueuePollerDeps;
  readonly #tasks: TaskGroup;
  readonly #alarm: Alarm;
  readonly #calls: Calls;
  readonly #receiveCalls: Calls;
  readonly #hands: Hands;
  readonly #dispatcher: Dispatcher;
  readonly #reader: Reader;
  readonly #settler: Settler;
  readonly #describer: Describer;

  #config: Reconfiguration;
  #facts: QueueFacts | undefined;
  #effective: Effective;
  #phase: 'new' | 'starting' | 'running' | 'draining' | 'stopped' = 'new';
  #paused = false;
  #pumping = false;
  #drain: { readonly done: Promise<void>; receivesByMs: number; graceByMs: number } | undefined;
  #idle: Deferred<void> | undefined;
  #quiet: Deferred<void> | undefined;

  constructor(deps: QueuePollerDeps, settings: QueuePollerSettings) {
    this.#deps = deps;
    this.#config = { settings, target: deps.target, matches: deps.matches };
    this.#effective = effectiveOf(settings, undefined, deps.source);
    this.#tasks = new TaskGroup((error) => this.#report(error, 0));
    this.#alarm = new Alarm(deps.clock, () => this.#ring());
    this.#calls = new Calls(deps.clock, this.#alarm);
    this.#receiveCalls = new Calls(deps.clock, this.#alarm);
    const loop = this.#makeLoop();
    this.#hands = new Hands(loop, (bytes) => this.#reader.unreserve(bytes));
    this.#settler = new Settler(loop, this.#hands, () => this.#dispatcher.running);
    this.#dispatcher = new Dispatcher(loop, this.#hands, this.#settler);
    this.#reader = new Reader(loop, {
      budget: deps.budget,
      hands: this.#hands,
      dispatcher: this.#dispatcher,
      settler: this.#settler,
      receiveCalls: this.#receiveCalls,
      onArrival: (nowMs) => this.#describer.arrived(nowMs),
    });
    this.#describer = new Describer(
      loop,
      (facts) => this.#learnt(facts),
      () => !this.#paused && this.#reader.bringsNothing && this.#hands.isEmpty,
    );
  }

  get state(): PollerState {
    if (this.#phase === 'draining' || this.#phase === 'stopped') return this.#phase;
    if (this.#paused) return 'paused';
    return this.#phase === 'running' ? 'running' : 'starting';
  }

  /** What the queue last said of itself. */
  get facts(): QueueFacts | undefined {
    return this.#facts;
  }

  /** Invocations under way, and how many may be. */
  get invocations(): { readonly running: number; readonly limit: number } {
    return { running: this.#dispatcher.running, limit: this.#dispatcher.limit };
  }

  /** Begins to read. Later calls do nothing. */
  start(): void {
    if (this.#phase !== 'new') return;
    this.#phase = 'starting';
    this.#tellState();
    this.#tasks.run(() => this.#openSource());
  }

  /**
   * Takes over another spec of the same source. Invocations under way end with what they began with; what waits goes
   * to the new target, in batches of the new size. Resolves when the former target has no call under way any more, so
   * that it can be closed.
   */
  reconfigure(to: Reconfiguration): Promise<void> {
    const nowMs = this.#deps.clock.monotonic();
    const former = this.#config.target;
    this.#config = to;
    this.#measure(nowMs);
    const ended = this.#dispatcher.reconfigured(former, nowMs);
    // Deadlines may have become shorter: the hold, the window.
    this.#alarm.by(nowMs);
    this.#pump();
    return ended;
  }

  /** Stops receiving and gives untouched messages back. Resolves when nothing is in hand, or on `resume`. */
  pause(): Promise<void> {
    if (!this.#paused && this.#drain === undefined) {
      this.#paused = true;
      this.#tellState();
      this.#hands.giveBack('Paused');
    }
    return this.#idled();
  }

  /** Goes on after `pause`; starts a poller that was never started. */
  resume(): void {
    if (this.#drain !== undefined) return;
    const wasPaused = this.#paused;
    this.#paused = false;
    if (this.#phase === 'new') {
      this.start();
      return;
    }
    if (!wasPaused) return;
    this.#tellState();
    this.#idle?.resolve();
    this.#idle = undefined;
    this.#pump();
  }

  /**
   * Ends for good within about `graceMs`: no more receives, untouched messages visible at once, invocations finished
   * and their messages deleted. What still runs after the grace is abandoned to the queue's visibility. Long polls under
   * way may end by themselves for `receiveMs`, by default as long as they last: one that is cut off can swallow a
   * message until its visibility ends. A second call can only shorten both.
   */
  drain(graceMs: number, receiveMs = LONG_POLL_MS): Promise<void> {
    const nowMs = this.#deps.clock.monotonic();
    const graceByMs = nowMs + graceMs;
    const receivesByMs = nowMs + Math.min(graceMs, receiveMs);
    if (this.#drain !== undefined) {
      this.#drain.graceByMs = Math.min(this.#drain.graceByMs, graceByMs);
      this.#drain.receivesByMs = Math.min(this.#drain.receivesByMs, receivesByMs);
      this.#alarm.by(nowMs);
      return this.#drain.done;
    }
    const done = this.#idled().then(async () => {
      await this.#tasks.drained();
      this.#phase = 'stopped';
      this.#alarm.stop();
      this.#tellState();
    });
    this.#drain = { done, receivesByMs, graceByMs };
    const opening = this.#phase === 'starting';
    this.#phase = 'draining';
    this.#tellState();
    this.#describer.stop();
    this.#reader.stop();
    if (opening) this.#calls.abort();
    this.#hands.giveBack('Draining');
    this.#alarm.by(nowMs);
    this.#checkIdle();
    return done;
  }

  /** After `drain`: resolves when no invocation is under way. Polls may be, and deletions that are tried again. */
  quiet(): Promise<void> {
    this.#quiet ??= deferred();
    const { promise } = this.#quiet;
    this.#checkIdle();
    return promise;
  }

  /** Stops at once: what runs is abandoned, what waits is given back. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }

  /** Starts whatever may start now. */
  #pump(): void {
    // What starts below may end at once and come here again; the loop under way sees its effect.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      this.#startAll();
    } finally {
      this.#pumping = false;
    }
    this.#checkIdle();
  }

  #startAll(): void {
    const nowMs = this.#deps.clock.monotonic();
    const mayRead = this.#phase === 'running' && !this.#paused;
    if (mayRead) this.#dispatcher.start(nowMs);
    // Behind it, since a call that has just begun is one that deletions may wait for.
    this.#settler.start(nowMs);
    if (mayRead && this.#facts !== undefined) this.#reader.start(this.#facts, nowMs);
    this.#reader.returnGrant();
  }

  /** A deadline has come: looks at all of them, then says when to look again. */
  #ring(): void {
    const nowMs = this.#deps.clock.monotonic();
    const nextMs = Math.min(
      this.#receiveCalls.expire(nowMs),
      this.#calls.expire(nowMs),
      this.#drainDeadlines(nowMs),
      this.#hands.keep(nowMs, this.#dispatcher.braked, (delivery) => this.#settler.retry(delivery, nowMs)),
      this.#hands.closeDue(nowMs),
      this.#describer.refresh(nowMs),
    );
    // The pump asks for its own deadlines: brake, back-off and pace.
    this.#pump();
    this.#alarm.by(nextMs);
  }

  async #openSource(): Promise<void> {
    await this.#describer.open((error) => this.#reader.failed(error));
    if (this.#phase !== 'starting') return;
    this.#phase = 'running';
    if (!this.#paused) this.#tellState();
    this.#pump();
  }

  #learnt(facts: QueueFacts): void {
    this.#facts = facts;
    this.#measure(this.#deps.clock.monotonic());
    this.#deps.onFacts?.(facts);
  }

  #measure(nowMs: number): void {
    this.#effective = effectiveOf(this.#config.settings, this.#facts, this.#deps.source);
    this.#hands.resize(nowMs);
  }

  #drainDeadlines(nowMs: number): number {
    if (this.#drain === undefined) return Infinity;
    const { receivesByMs, graceByMs } = this.#drain;
    if (receivesByMs <= nowMs) this.#receiveCalls.abort();
    if (graceByMs <= nowMs) this.#dispatcher.abandon(nowMs);
    if (graceByMs + RELEASE_GRACE_MS <= nowMs) this.#calls.abort();
    return [receivesByMs, graceByMs, graceByMs + RELEASE_GRACE_MS].find((atMs) => atMs > nowMs) ?? Infinity;
  }

  /** Resolves when nothing is in hand and no receive is under way. */
  #idled(): Promise<void> {
    this.#idle ??= deferred();
    const { promise } = this.#idle;
    this.#checkIdle();
    return promise;
  }

  #checkIdle(): void {
    if (this.#drain !== undefined && this.#dispatcher.running === 0) this.#quiet?.resolve();
    if (this.#idle === undefined || this.#reader.receiving > 0 || !this.#hands.isEmpty) return;
    this.#idle.resolve();
    this.#idle = undefined;
  }

  #report(error: unknown, delayMs: number): void {
    const reason = error instanceof SluiceError ? error.reason : 'SourceFailed';
    // The queue's in-flight quota is no failure: it passes when messages are deleted, ours among them.
    if (reason === 'OverLimit') return;
    this.#deps.emit({ kind: 'source-failed', reason, message: messageOf(error), delayMs });
  }

  #tellState(): void {
    this.#deps.emit({ kind: 'state-changed', state: this.state });
  }

  #makeLoop(): Loop {
    const { source, clock, random, emit, newId, rules } = this.#deps;
    // Getters, since the spec and the facts change under way.
    const current = {
      config: () => this.#config,
      facts: () => this.#facts,
      effective: () => this.#effective,
      closing: (): Loop['closing'] => {
        if (this.#drain !== undefined) return 'Draining';
        return this.#paused ? 'Paused' : undefined;
      },
    };
    return {
      source,
      clock,
      random,
      emit,
      newId,
      rules: rules ?? QUEUE_RULES,
      alarm: this.#alarm,
      calls: this.#calls,
      run: (task) => this.#tasks.run(task),
      pump: () => this.#pump(),
      report: (error, delayMs) => this.#report(error, delayMs),
      get config() {
        return current.config();
      },
      get facts() {
        return current.facts();
      },
      get effective() {
        return current.effective();
      },
      get closing() {
        return current.closing();
      },
    };
  }
}
