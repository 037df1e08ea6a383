/**
 * Writes Kubernetes Events (events.k8s.io/v1) behind a queue. `record` never blocks, never throws and never fails its
 * caller: an Event is a courtesy, the condition holds the fact. Its queue is bounded, its rate limited
 * (`event-limits.ts`); repeats count up the series of the first Event. A few are written at a time, those of one object
 * in their order. What the API server refuses is given up, what it cannot take now is tried again for about two minutes.
 */
import type { Clock } from '../lib/clock.ts';
import { backoffMs } from '../lib/backoff.ts';
import { messageOf } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import type { ApiClient } from './api-client.ts';
import { EventLimits, LruMap, type EventContent } from './event-limits.ts';
import { isKubeError } from './kube-error.ts';
import { events, microTime } from './resource.ts';

/** What became of events; for `sluice_*` metrics. */
export type EventRecorderEvent =
  | { readonly kind: 'written'; readonly reason: string; readonly repeated: boolean }
  | {
      readonly kind: 'dropped';
      readonly reason: string;
      readonly cause: 'queueFull' | 'rateLimited' | 'stopped';
    }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

export interface EventRecorderOptions {
  readonly api: Pick<ApiClient, 'create' | 'patch'>;
  readonly clock: Clock;
  readonly random: Random;
  /** A qualified name such as `sluice.dev/controller`. */
  readonly reportingController: string;
  /** The pod. */
  readonly reportingInstance: string;
  /** Takes secrets out of a note before it goes anywhere. */
  readonly redact?: (note: string) => string;
  readonly observe?: (event: EventRecorderEvent) => void;
  /** Events that wait at most; default 1000. More are dropped. */
  readonly capacity?: number;
}

const MAX_NOTE_BYTES = 1024;
const MAX_ATTEMPTS = 12;
const BACKOFF = { initialMs: 500, factor: 2, maxMs: 15_000, jitter: 0.5 };
/** A series that has been quiet for longer is over, and the next event starts a new one. client-go waits 6 minutes. */
const SERIES_END_MS = 360_000;
const CALL_TIMEOUT_MS = 10_000;
const FLUSH_MS = 3000;
/** Written at a time: one would fall behind a controller that makes fifteen mappings a second. */
const WRITERS = 4;

interface Queued {
  readonly content: EventContent;
  readonly object: string;
  readonly series: string;
  readonly note: string;
  readonly atMs: number;
}

interface Series {
  readonly namespace: string;
  readonly name: string;
  readonly count: number;
  readonly lastMs: number;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #limits: EventLimits;
  readonly #series = new LruMap<Series>();
  readonly #queue: Queued[] = [];
  /** Objects an Event of which is being written. */
  readonly #busy = new Set<string>();
  readonly #waiting = new Set<PromiseWithResolvers<void>>();
  #stopped = false;
  #sequence = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#limits = new EventLimits(options.clock);
  }

  /** Events that wait to be written. */
  get pending(): number {
    return this.#queue.length;
  }

  /** Takes an event and returns at once. */
  record(content: EventContent): void {
    const { clock, capacity = 1000, redact } = this.#options;
    if (this.#stopped) return this.#drop(content, 'stopped');
    // Before the limits, so that a storm while the server is away does not use up what may be written later.
    if (this.#queue.length >= capacity) return this.#drop(content, 'queueFull');
    const clean = redact === undefined ? content : { ...content, note: redact(content.note) };
    const decision = this.#limits.decide(clean);
    if (decision.kind === 'drop') return this.#drop(content, 'rateLimited');
    this.#queue.push({
      content: clean,
      object: decision.object,
      series: decision.series,
      note: truncate(decision.note),
      atMs: clock.now(),
    });
    this.#wakeOne();
  }

  /** Writes until the signal aborts, then what still waits, as far as it goes in 3 s. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(
      Array.from({ length: WRITERS }, async () => {
        while (!signal.aborted) {
          const next = this.#take();
          if (next === undefined) await this.#waitForWork(signal);
          else if (!(await this.#writeTaken(next, signal))) this.#queue.unshift(next);
        }
      }),
    );
    this.#stopped = true;
    await this.#flush();
  }

  /** The first that waits of an object that nobody is writing of. */
  #take(): Queued | undefined {
    const at = this.#queue.findIndex(({ object }) => !this.#busy.has(object));
    const [next] = at < 0 ? [] : this.#queue.splice(at, 1);
    if (next !== undefined) this.#busy.add(next.object);
    return next;
  }

  /** The next of the same object is then this writer's own to find. */
  async #writeTaken(next: Queued, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#write(next, signal);
    } finally {
      this.#busy.delete(next.object);
    }
  }

  async #flush(): Promise<void> {
    const deadline = new AbortController();
    const done = new AbortController();
    const timer = this.#options.clock.sleep(FLUSH_MS, done.signal).then(() => deadline.abort());
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (deadline.signal.aborted) this.#drop(next.content, 'stopped');
      else await this.#write(next, deadline.signal);
    }
    done.abort();
    await timer;
  }

  async #waitForWork(signal: AbortSignal): Promise<void> {
    const wake = Promise.withResolvers<void>();
    this.#waiting.add(wake);
    const stop = (): void => wake.resolve();
    signal.addEventListener('abort', stop, { once: true });
    await wake.promise;
    signal.removeEventListener('abort', stop);
    this.#waiting.delete(wake);
  }

  #wakeOne(): void {
    for (const wake of this.#waiting) {
      this.#waiting.delete(wake);
      wake.resolve();
      return;
    }
  }

  /** True when the event was written or given up; false when the signal came between. */
  async #write(queued: Queued, signal: AbortSignal): Promise<boolean> {
    const { clock, random, observe } = this.#options;
    const { reason } = queued.content;
    for (let attempt = 1; ; attempt++) {
      try {
        const repeated = await this.#send(queued, signal);
        observe?.({ kind: 'written', reason, repeated });
        return true;
      } catch (error) {
        if (signal.aborted) return false;
        const refused = isKubeError(error, 'BadRequest', 'Invalid', 'Forbidden', 'NotFound', 'AlreadyExists');
        if (refused || attempt >= MAX_ATTEMPTS) {
          observe?.({ kind: 'failed', reason, message: messageOf(error) });
          return true;
        }
        const askedMs = isKubeError(error) ? Math.min(error.retryAfterMs ?? 0, 60_000) : 0;
        await clock.sleep(Math.max(askedMs, backoffMs(BACKOFF, attempt, random)), signal);
        if (signal.aborted) return false;
      }
    }
  }

  /** True when it counted up a series, false when it made a new Event. */
  async #send(queued: Queued, signal: AbortSignal): Promise<boolean> {
    const { api, clock } = this.#options;
    const known = this.#series.get(queued.series);
    if (known !== undefined && clock.monotonic() - known.lastMs <= SERIES_END_MS) {
      const count = known.count + 1;
      try {
        await api.patch(
          events.object(known.namespace, known.name),
          { kind: 'merge', body: { series: { count, lastObservedTime: microTime(queued.atMs) } } },
          { signal, timeoutMs: CALL_TIMEOUT_MS },
        );
        this.#series.set(queued.series, { ...known, count, lastMs: clock.monotonic() });
        return true;
      } catch (error) {
        // Events live an hour, and anybody may delete them.
        if (!isKubeError(error, 'NotFound')) throw error;
      }
    }
    await this.#create(queued, signal);
    return false;
  }

  async #create(queued: Queued, signal: AbortSignal): Promise<void> {
    const { api, clock, reportingController, reportingInstance } = this.#options;
    const { regarding, type, reason, action } = queued.content;
    // Events about objects without a namespace live in `default`: the API server wants it so.
    const namespace = regarding.namespace ?? 'default';
    const suffix = `${Math.floor(queued.atMs).toString(16)}${(this.#sequence++ & 0xffff).toString(16).padStart(4, '0')}`;
    const name = `${regarding.name.slice(0, 230)}.${suffix}`;
    await api.create(
      events.collection(namespace),
      {
        apiVersion: events.apiVersion,
        kind: events.kind,
        metadata: { name, namespace },
        eventTime: microTime(queued.atMs),
        reportingController,
        reportingInstance: reportingInstance.slice(0, 128),
        action: action.slice(0, 128),
        reason: reason.slice(0, 128),
        regarding,
        note: queued.note,
        type,
      },
      { signal, timeoutMs: CALL_TIMEOUT_MS },
    );
    this.#series.set(queued.series, { namespace, name, count: 1, lastMs: clock.monotonic() });
  }

  #drop(content: EventContent, cause: 'queueFull' | 'rateLimited' | 'stopped'): void {
    this.#options.observe?.({ kind: 'dropped', reason: content.reason, cause });
  }
}

/** The note cut to what the API server takes, 1 kB, at the end of a character. */
function truncate(note: string): string {
  const bytes = Buffer.from(note, 'utf8');
  if (bytes.length <= MAX_NOTE_BYTES) return note;
  const mark = '…';
  let end = MAX_NOTE_BYTES - Buffer.byteLength(mark);
  // Bytes of the form 10xxxxxx continue a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString('utf8') + mark;
}
