/**
 * Follows what CloudWatch says of live mappings: in rounds, all places of a round at once, the metrics of a place 500 to
 * a call. What it finds goes out as events; it never touches a mapping, and nobody waits for it.
 *
 * - Sums of minutes that come late, or still grow, are counted when they come, each once (`ledger.ts`). Counting begins
 *   with the first whole minute after the start.
 * - A round that fails at one place ends there, is told, and is made good by a longer window next time, up to three hours.
 * - Series of mappings that are gone, or whose metrics are followed no more, end with the next round; so do gauges
 *   without a new value for a quarter of an hour.
 */
import type { Clock } from '../../../lib/clock.ts';
import { messageOf, SluiceError } from '../../../lib/errors.ts';
import type { EmitCloudWatch, FollowedSeries } from './events.ts';
import { Ledger } from './ledger.ts';
import { periodSeconds, type AskMetricData, type MetricData, type Window } from './metric-data.ts';
import { queriesOf, seriesKey, type FollowedMapping, type Query, type Reader } from './queries.ts';

/** An identity in a Region, with its mappings. */
export interface FollowedPlace {
  /** Told to people; the same for the same identity and Region. */
  readonly name: string;
  readonly mappings: readonly FollowedMapping[];
  /** The API there; let go with `using`. May throw what the configuration forbids. */
  readonly open: () => { readonly ask: AskMetricData } & Disposable;
}

export interface FollowerOptions {
  readonly clock: Clock;
  /** From the begin of one round to that of the next. */
  readonly intervalMs: number;
  /** What is followed now, each place once. */
  readonly places: () => readonly FollowedPlace[];
  /** Must not throw. */
  readonly emit: EmitCloudWatch;
}

const periodMs = periodSeconds * 1000;
/** How late a data point may come and still count. */
const lateMs = 30 * 60_000;
/** The longest window: 500 metrics of so many minutes stay below the 100,800 data points of a call. */
const longestMs = 3 * 3_600_000;
/** How old the newest value of a gauge may be. */
const staleMs = 15 * 60_000;
/** Pages of one call: with so many a token leads nowhere. */
const mostPages = 50;
/** Places that are asked at the same time. */
const placesAtOnce = 8;

/** What is known of a place from round to round. */
interface PlaceState {
  /** The begin of the last round that was whole; before there was one, of the first. */
  wholeMs: number;
  failure: string | undefined;
}

/** A series that is shown. */
interface Shown {
  readonly uuid: string;
  readonly series: FollowedSeries;
  /** Of a gauge, the time of its value. */
  atMs: number | undefined;
}

export class CloudWatchFollower {
  readonly #options: FollowerOptions;
  readonly #ledger: Ledger;
  readonly #places = new Map<string, PlaceState>();
  readonly #shown = new Map<string, Shown>();
  /** Mappings that went while a round was under way. */
  readonly #gone = new Set<string>();
  /** The begin of the round. */
  #nowMs = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#ledger = new Ledger(Math.ceil(options.clock.now() / periodMs) * periodMs);
  }

  /** Rounds until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#options;
    while (!signal.aborted) {
      const startedMs = clock.monotonic();
      await this.round(signal);
      await clock.sleep(Math.max(1000, startedMs + intervalMs - clock.monotonic()), signal);
    }
  }

  /** The mapping is gone, and its series with it: nothing of it is told any more. */
  forget(uuid: string): void {
    this.#gone.add(uuid);
    for (const [key, shown] of this.#shown) if (shown.uuid === uuid) this.#shown.delete(key);
  }

  /** One round: all places, and then what has come to its end. */
  async round(signal: AbortSignal): Promise<void> {
    this.#gone.clear();
    const nowMs = this.#options.clock.now();
    this.#nowMs = nowMs;
    const places = this.#options.places();
    const rounds = places.map((place) => ({ place, calls: queriesOf(place.mappings) }));
    const queries = rounds.flatMap(({ calls }) => calls.flat());
    this.#endUnwanted(queries);
    const waiting = rounds.filter(({ calls }) => calls.length > 0);
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift())
        await this.#ask(next.place, next.calls, signal);
    };
    await Promise.all(Array.from({ length: placesAtOnce }, worker));
    if (signal.aborted) return;
    const asked = new Set(queries.map(({ key }) => key));
    this.#ledger.forget((key) => asked.has(key), nowMs - longestMs);
    const names = new Set(places.map(({ name }) => name));
    for (const name of this.#places.keys()) if (!names.has(name)) this.#places.delete(name);
    for (const [key, { series, atMs }] of this.#shown)
      if (atMs !== undefined && atMs < nowMs - staleMs) this.#end(key, series);
  }

  /** Asks for all of one place, until something fails. */
  async #ask(place: FollowedPlace, calls: readonly (readonly Query[])[], signal: AbortSignal): Promise<void> {
    const state = this.#stateOf(place.name);
    const window = windowOf(state.wholeMs, this.#nowMs);
    let problem: Problem | undefined;
    try {
      using api = place.open();
      for (const queries of calls) {
        problem = (await this.#askCall(api.ask, queries, window, signal)) ?? problem;
      }
    } catch (error) {
      if (signal.aborted) return;
      problem = {
        reason: error instanceof SluiceError ? error.reason : 'AwsFailed',
        detail: messageOf(error),
      };
    }
    this.#settle(place.name, state, problem);
  }

  /** All pages of one call; what a single metric met is returned, what the call met is thrown. */
  async #askCall(
    ask: AskMetricData,
    queries: readonly Query[],
    window: Window,
    signal: AbortSignal,
  ): Promise<Problem | undefined> {
    const { emit } = this.#options;
    let problem: Problem | undefined;
    let token: string | undefined;
    const last = new Map<Query, string>();
    for (let pages = 0; pages === 0 || token !== undefined; pages++) {
      if (pages === mostPages)
        return { reason: 'AwsFailed', detail: `there are more than ${mostPages} pages` };
      // Told before: a call whose answer is lost may be billed, too.
      emit({ kind: 'metrics-asked', metrics: queries.length });
      const page = await ask(queries, window, token, signal);
      for (const data of page.data) {
        last.set(data.query, data.status);
        if (data.status === 'Complete' || data.status === 'PartialData') this.#take(data);
        else
          problem ??= {
            reason: 'AwsFailed',
            detail: [`${data.query.metric.name}: ${data.status}`, data.detail]
              .filter((text) => text !== '')
              .join(': '),
          };
      }
      token = page.next;
    }
    // Each page may show a part; the last one that shows a metric says whether that was all.
    if ([...last.values()].includes('PartialData'))
      problem ??= { reason: 'PartialData', detail: 'CloudWatch has not shown all data points' };
    for (const { key } of queries) this.#ledger.close(key, window.fromMs);
    return problem;
  }

  #take({ query, points }: MetricData): void {
    const { emit } = this.#options;
    const readers = query.readers.filter(({ uuid }) => !this.#gone.has(uuid));
    if (query.metric.statistic === 'Sum') {
      const by = this.#ledger.growth(query.key, points);
      for (const reader of readers) {
        const isNew = !this.#shown.has(seriesKey(reader.series));
        if (!isNew && by === 0) continue;
        this.#show(reader, undefined);
        emit({ kind: 'counted', series: reader.series, by });
      }
      return;
    }
    const newest = points.reduce<MetricData['points'][number] | undefined>(
      (best, point) => (best === undefined || point.atMs >= best.atMs ? point : best),
      undefined,
    );
    if (newest === undefined || newest.atMs < this.#nowMs - staleMs) return;
    for (const reader of readers) {
      const shownMs = this.#shown.get(seriesKey(reader.series))?.atMs ?? -Infinity;
      if (newest.atMs < shownMs) continue;
      this.#show(reader, newest.atMs);
      emit({ kind: 'measured', series: reader.series, value: newest.value });
    }
  }

  #settle(name: string, state: PlaceState, problem: Problem | undefined): void {
    const { emit } = this.#options;
    const before = state.failure;
    state.failure = problem?.reason;
    if (problem !== undefined) {
      emit({ kind: 'round-failed', place: name, ...problem, isNew: before !== problem.reason });
      return;
    }
    state.wholeMs = this.#nowMs;
    if (before !== undefined) emit({ kind: 'recovered', place: name });
  }

  #stateOf(name: string): PlaceState {
    let state = this.#places.get(name);
    if (state === undefined) this.#places.set(name, (state = { wholeMs: this.#nowMs, failure: undefined }));
    return state;
  }

  #show({ uuid, series }: Reader, atMs: number | undefined): void {
    this.#shown.set(seriesKey(series), { uuid, series, atMs });
  }

  #endUnwanted(queries: readonly Query[]): void {
    const wanted = new Set(queries.flatMap(({ readers }) => readers.map(({ series }) => seriesKey(series))));
    for (const [key, { series }] of this.#shown) if (!wanted.has(key)) this.#end(key, series);
  }

  #end(key: string, series: FollowedSeries): void {
    this.#shown.delete(key);
    this.#options.emit({ kind: 'ended', series });
  }
}

interface Problem {
  readonly reason: string;
  readonly detail: string;
}

/**
 * Whole minutes, the one under way included: it is counted as far as it has come. And one more, in case AWS's clock is
 * ahead of ours.
 */
function windowOf(wholeMs: number, nowMs: number): Window {
  const fromMs = Math.max(Math.min(wholeMs, nowMs) - lateMs, nowMs - longestMs);
  const minute = (ms: number): number => ms - (ms % periodMs);
  return { fromMs: minute(fromMs), toMs: minute(nowMs) + 2 * periodMs };
}
