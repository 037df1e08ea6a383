/**
 * Whose turn it is at endpoints that take one call at a time: finds a free one of the list as it is now, or waits for
 * one in the order of coming. Knows which are free by the occupancy that all targets of the process share.
 */
import type { Clock } from '../../lib/clock.ts';
import type { EndpointSource } from '../http-endpoints.ts';
import type { EndpointPool } from './endpoint-pool.ts';
import { keyOf, type EndpointPools } from './endpoint-pools.ts';
import type { Occupancy } from './occupancy.ts';

export interface TurnsDeps {
  readonly clock: Clock;
  readonly endpoints: EndpointSource;
  readonly pools: EndpointPools;
  readonly occupancy: Occupancy;
}

export class Turns {
  readonly #deps: TurnsDeps;
  /** Where the search begins, so that calls spread over the endpoints. */
  #offset: number;

  constructor(deps: TurnsDeps, offset: number) {
    this.#deps = deps;
    this.#offset = offset;
  }

  /** An endpoint that is the caller's until `end`, none of `tried`; or undefined when there is none in time. */
  async begin(
    tried: ReadonlySet<string>,
    byMs: number,
    signal: AbortSignal,
  ): Promise<EndpointPool | undefined> {
    const { clock, pools, occupancy } = this.#deps;
    const offset = this.#offset++;
    const wanted = (): readonly string[] => this.#wanted(offset, tried);
    const now = wanted();
    if (now.length === 0) return undefined;
    const key =
      now.find((each) => occupancy.take(each)) ??
      (await occupancy.wait(clock, wanted, byMs - clock.monotonic(), signal));
    if (key === undefined) return undefined;
    const pool = pools.get(key);
    if (pool !== undefined && !signal.aborted) return pool;
    occupancy.free(key);
    return undefined;
  }

  end(pool: EndpointPool): void {
    this.#deps.occupancy.free(keyOf(pool));
  }

  /** The endpoints of now from `offset` on, by their keys; those that are passed over only if there is no other. */
  #wanted(offset: number, tried: ReadonlySet<string>): readonly string[] {
    const { clock, endpoints, pools } = this.#deps;
    const state = endpoints.current();
    if (state.kind === 'unready') return [];
    const all = pools.follow(state.list);
    const start = offset % all.length;
    const turned = [...all.slice(start), ...all.slice(0, start)].filter((pool) => !tried.has(keyOf(pool)));
    const nowMs = clock.monotonic();
    const well = turned.filter((pool) => nowMs >= pool.passedOverUntilMs);
    return (well.length > 0 ? well : turned).map(keyOf);
  }
}
