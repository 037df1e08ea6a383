/**
 * What the runner opens, without sources and targets: pollers that know whether they take messages, with time to open
 * and to drain under the virtual clock.
 */
import type { Opened, Opener } from '../../src/fleet/runner.ts';
import type { Work } from '../../src/fleet/work.ts';
import { anySignal } from '../../src/lib/lifecycle.ts';
import type { Emit } from '../../src/poller/events.ts';
import { aMapping } from './builders.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Work on the mapping `name`, which reads the queue of `queue`. */
export function aWork(
  name: string,
  more: Partial<Work> & { readonly generation?: number; readonly queue?: string } = {},
): Work {
  const { generation = 1, queue = name, ...rest } = more;
  const mapping = aMapping(
    { eventSourceARN: `arn:aws:sqs:eu-west-1:000000000000:${queue}` },
    { name, uid: `uid-${name}`, generation },
  );
  return {
    mapping,
    place: {},
    identity: { kind: 'Installation' },
    allowedURLs: 'any',
    allowLoopback: false,
    sharedSource: false,
    paused: false,
    ...rest,
  };
}

export class FakePoller implements Opened {
  readonly sourceKey: string;
  readonly sourceID: string;
  readonly emit: Emit;
  state: 'opened' | 'taking' | 'paused' | 'draining' | 'ended' = 'opened';
  /** The work in force, newest last. */
  readonly works: Work[];
  readonly #opener: FakeOpener;
  #end = new AbortController();

  constructor(opener: FakeOpener, work: Work, emit: Emit) {
    this.#opener = opener;
    this.sourceKey = opener.sourceKey(work);
    this.sourceID = opener.sourceID(work);
    this.works = [work];
    this.emit = emit;
  }

  get generation(): number | undefined {
    return this.works.at(-1)?.mapping.metadata.generation;
  }

  resume(): void {
    this.state = 'taking';
  }

  pause(): void {
    this.state = 'paused';
  }

  async reconfigure(work: Work, signal: AbortSignal): Promise<void> {
    await this.#opener.wait(work, signal);
    this.works.push(work);
  }

  async drain(graceMs: number): Promise<void> {
    this.state = 'draining';
    const { clock, drainMs, drainError } = this.#opener;
    const before = this.#end;
    this.#end = new AbortController();
    const endsInMs = Math.min(drainMs, graceMs);
    if (endsInMs > 0) await clock.sleep(endsInMs, anySignal(before.signal, this.#end.signal));
    before.abort();
    if (drainError !== undefined) throw drainError;
    this.state = 'ended';
  }

  async quiet(): Promise<void> {
    const { clock, busyMs } = this.#opener;
    if (busyMs > 0) await clock.sleep(busyMs, this.#end.signal);
  }
}

export class FakeOpener implements Opener {
  readonly clock: VirtualClock;
  /** Every poller that was opened, in order. */
  readonly pollers: FakePoller[] = [];
  /** Tries to open or reconfigure: generation and outcome. */
  readonly tries: string[] = [];
  /** How long opening takes, and draining if it gets the grace. */
  openMs = 0;
  drainMs = 0;
  /** How long invocations are under way after a drain began. */
  busyMs = 0;
  drainError: Error | undefined;
  /** Why a work cannot be run. */
  problem: (work: Work) => Error | undefined = () => undefined;

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  sourceKey(work: Work): string {
    return JSON.stringify([this.sourceID(work), work.identity]);
  }

  sourceID(work: Work): string {
    return work.mapping.spec.eventSourceARN ?? '';
  }

  async open(work: Work, emit: Emit, signal: AbortSignal): Promise<Opened> {
    await this.wait(work, signal);
    const poller = new FakePoller(this, work, emit);
    this.pollers.push(poller);
    return poller;
  }

  /** Those that are not ended. */
  get alive(): readonly FakePoller[] {
    return this.pollers.filter(({ state }) => state !== 'ended');
  }

  async wait(work: Work, signal: AbortSignal): Promise<void> {
    const { generation } = work.mapping.metadata;
    if (this.openMs > 0) await this.clock.sleep(this.openMs, signal);
    if (signal.aborted) {
      this.tries.push(`${generation} cut off`);
      throw new Error('cut off');
    }
    const problem = this.problem(work);
    this.tries.push(`${generation} ${problem === undefined ? 'ok' : 'failed'}`);
    if (problem !== undefined) throw problem;
  }
}
