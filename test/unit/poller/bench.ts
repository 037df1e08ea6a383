/**
 * A bench for one poller: a queue and a target that do what a test says, on a virtual clock, and a list of what
 * happened. The queue is simple (no order, no visibility of its own); the simulation has the real one.
 */
import type { PollerEvent } from '../../../src/poller/events.ts';
import { createByteBudget } from '../../../src/poller/byte-budget.ts';
import type {
  ByteBudget,
  Invocation,
  Matches,
  Outcome,
  QueueFacts,
  QueueRecord,
  ReceiveRequest,
  Target,
  Unsettled,
} from '../../../src/poller/ports.ts';
import { QueuePoller, type QueuePollerSettings } from '../../../src/poller/queue-poller.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { aRecord } from './records.ts';

export const OK: Outcome = { kind: 'delivered', statusCode: 200, response: { kind: 'empty' } };
export const FAILED: Outcome = {
  kind: 'failed',
  reason: 'FunctionError',
  functionError: 'Unhandled',
  message: 'boom',
};
export const UNREACHABLE: Outcome = { kind: 'unreachable', reason: 'TargetUnreachable', message: 'away' };
export const throttled = (retryAfterMs?: number): Outcome => ({
  kind: 'throttled',
  reason: 'TargetThrottled',
  message: 'busy',
  retryAfterMs,
});
export const json = (value: unknown): Outcome => ({
  kind: 'delivered',
  statusCode: 200,
  response: { kind: 'json', value },
});

export interface BenchOptions extends Partial<QueuePollerSettings> {
  readonly fifo?: boolean;
  readonly visibilityMs?: number;
  readonly timeoutMs?: number;
  readonly budget?: ByteBudget;
  readonly matches?: Matches;
}

export interface Call {
  readonly ids: string;
  readonly invocation: Invocation;
  readonly atMs: number;
  readonly end: (outcome: Outcome) => void;
  ended: boolean;
}

export class Bench {
  readonly clock = new VirtualClock();
  readonly events: PollerEvent[] = [];
  readonly receives: (ReceiveRequest & { readonly atMs: number })[] = [];
  /** `a,b` for each delete call. */
  readonly deletes: string[] = [];
  /** `a,b=30` for each extension, with its seconds. */
  readonly extensions: string[] = [];
  readonly calls: Call[] = [];
  readonly budget: ByteBudget;
  readonly poller: QueuePoller;
  readonly settings: QueuePollerSettings;
  readonly target: Target;
  readonly facts: QueueFacts;
  unready: { readonly reason: string; readonly message: string } | undefined;
  /** Answers of the target to coming calls; without one a call waits for `end`. */
  answers: Outcome[] = [];
  /** Failures of the source's coming calls. */
  readonly failing: { receive: unknown[]; settle: unknown[]; extend: unknown[]; describe: unknown[] } = {
    receive: [],
    settle: [],
    extend: [],
    describe: [],
  };
  describes = 0;
  hangReceives = false;
  openReceives = 0;
  readonly #queue: QueueRecord[] = [];
  readonly #polls = new Set<() => void>();

  constructor(options: BenchOptions = {}) {
    const { fifo = false, visibilityMs = 30_000, timeoutMs = 10_000, budget, matches, ...settings } = options;
    this.budget = budget ?? createByteBudget(64 * 1024 * 1024);
    this.facts = {
      fifo,
      visibilityTimeoutMs: visibilityMs,
      backlog: { visible: 0, inFlight: 0, delayed: 0 },
    };
    this.settings = {
      batchSize: 10,
      windowMs: 0,
      maximumConcurrency: undefined,
      reportBatchItemFailures: false,
      unmatched: 'Delete',
      maximumHoldMs: 900_000,
      ...settings,
    };
    this.target = this.newTarget(timeoutMs);
    let ids = 0;
    this.poller = new QueuePoller(
      {
        source: {
          type: 'bench',
          limits: { receiveMax: 10, holdMaxMs: 43_200_000 },
          describe: async () => {
            this.describes++;
            throwFirst(this.failing.describe);
            return this.facts;
          },
          receive: (request, signal) => this.#receive(request, signal),
          settle: async (records) => {
            this.deletes.push(idsOf(records));
            return throwFirst(this.failing.settle, records) ?? [];
          },
          extend: async (records, seconds) => {
            this.extensions.push(`${idsOf(records)}=${seconds}`);
            return throwFirst(this.failing.extend, records) ?? [];
          },
          envelope: (records) => `{"Records":[${records.map((record) => record.json).join(',')}]}`,
          envelopeBytes: (count) => 14 + Math.max(0, count - 1),
          close: async () => {},
        },
        target: this.target,
        matches,
        clock: this.clock,
        random: () => 0,
        budget: this.budget,
        emit: (event) => this.events.push(event),
        newId: () => `id${++ids}`,
      },
      this.settings,
    );
  }

  newTarget(timeoutMs = 10_000): Target {
    return {
      type: 'bench',
      timeoutMs,
      unready: () => this.unready,
      invoke: (invocation, signal) =>
        new Promise((resolve) => {
          const call: Call = {
            ids: idsOf(invocation.records),
            invocation,
            atMs: this.clock.monotonic(),
            ended: false,
            end: (outcome) => {
              call.ended = true;
              resolve(outcome);
            },
          };
          this.calls.push(call);
          signal.addEventListener('abort', () => call.end(UNREACHABLE), { once: true });
          const answer = this.answers.shift();
          if (answer !== undefined) call.end(answer);
        }),
      close: async () => {},
    };
  }

  async start(): Promise<this> {
    this.poller.start();
    await this.clock.settle();
    return this;
  }

  /** Sends messages: `A1` goes to group A of a FIFO queue. */
  async send(...ids: readonly string[]): Promise<void> {
    this.push(...ids.map((id) => aRecord(id, { lane: this.facts.fifo ? id[0] : undefined })));
    await this.clock.settle();
  }

  push(...records: readonly QueueRecord[]): void {
    this.#queue.push(...records);
    for (const poll of this.#polls) poll();
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  /** Ends the oldest call that runs. */
  async answer(outcome: Outcome): Promise<void> {
    this.running[0]?.end(outcome);
    await this.clock.settle();
  }

  get running(): readonly Call[] {
    return this.calls.filter(({ ended }) => !ended);
  }

  /** The records of every call so far. */
  get invoked(): readonly string[] {
    return this.calls.map(({ ids }) => ids);
  }

  of<K extends PollerEvent['kind']>(kind: K): readonly Extract<PollerEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<PollerEvent, { kind: K }> => event.kind === kind);
  }

  async #receive(request: ReceiveRequest, signal: AbortSignal): Promise<readonly QueueRecord[]> {
    this.receives.push({ ...request, atMs: this.clock.monotonic() });
    this.openReceives++;
    try {
      throwFirst(this.failing.receive);
      if (this.#queue.length === 0 || this.hangReceives) {
        const woken = new AbortController();
        const wake = (): void => woken.abort('woken');
        if (!this.hangReceives) this.#polls.add(wake);
        signal.addEventListener('abort', wake, { once: true });
        await this.clock.sleep(this.hangReceives ? 3_600_000 : request.waitSeconds * 1000, woken.signal);
        this.#polls.delete(wake);
        if (signal.aborted) throw new Error('aborted');
      }
      return this.#queue.splice(0, request.max);
    } finally {
      this.openReceives--;
    }
  }
}

function idsOf(records: readonly { readonly id: string }[]): string {
  return records.map(({ id }) => id).join(',');
}

/** Throws what is planned for this call, or gives the failures of single records that are. */
function throwFirst(
  failing: unknown[],
  records: readonly QueueRecord[] = [],
): Unsettled<QueueRecord>[] | undefined {
  if (failing.length === 0) return undefined;
  const first = failing.shift();
  if (typeof first !== 'function') throw first;
  return records.flatMap((record) => first(record) ?? []) as Unsettled<QueueRecord>[];
}
