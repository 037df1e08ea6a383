/**
 * Looks every ten minutes whether AWS Lambda reads the queues of this process as well, for all mappings of a Region and
 * identity together: a question for each of a thousand queues would cost more than their polls.
 */
import type { AwsClients } from '../aws/clients.ts';
import { identityKey, type AwsIdentity } from '../aws/credentials.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { findSiblings, type Siblings } from '../sources/sqs/siblings.ts';

export interface SiblingWatchDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly clients: Pick<AwsClients, 'lambda'>;
  readonly onError: (error: unknown) => void;
}

/** Who asks AWS, and where. */
export interface SiblingPlace {
  readonly region: string | undefined;
  readonly identity: AwsIdentity;
}

type Told = (siblings: Siblings) => void;

interface Queue {
  /** Those who want to know. */
  readonly followers: Set<Told>;
  /** What the last look found. */
  last: Siblings | undefined;
}

interface Group {
  /** By ARN. */
  readonly queues: Map<string, Queue>;
  /** Queues that were not looked at since they came. */
  readonly fresh: Set<string>;
  readonly stop: AbortController;
  /** Ends the sleep when there is a fresh queue. */
  wake: AbortController;
  ended: Promise<void>;
}

const intervalMs = 10 * 60_000;
/** Between two calls of this process: all processes of an account and Region share 15 calls a second. */
const paceMs = 1000;

export class SiblingWatch {
  readonly #deps: SiblingWatchDeps;
  readonly #groups = new Map<string, Group>();
  #nextTurnMs = 0;

  constructor(deps: SiblingWatchDeps) {
    this.#deps = deps;
  }

  /** Tells `told` soon, and at each look, until the returned function is called; that resolves when no look goes on. */
  follow(place: SiblingPlace, queueArn: string, told: Told): () => Promise<void> {
    const key = `${place.region} ${identityKey(place.identity)}`;
    const group = this.#groups.get(key) ?? this.#begin(key, place);
    const known = group.queues.get(queueArn);
    if (known === undefined) {
      group.queues.set(queueArn, { followers: new Set([told]), last: undefined });
      group.fresh.add(queueArn);
      group.wake.abort('fresh');
    } else {
      known.followers.add(told);
      if (known.last !== undefined) told(known.last);
    }
    return async () => {
      const followers = group.queues.get(queueArn)?.followers;
      followers?.delete(told);
      if (followers?.size === 0) group.queues.delete(queueArn);
      if (group.queues.size > 0) return;
      if (this.#groups.get(key) === group) this.#groups.delete(key);
      group.stop.abort('nobody follows');
      await group.ended;
    };
  }

  #begin(key: string, place: SiblingPlace): Group {
    const group: Group = {
      queues: new Map(),
      fresh: new Set(),
      stop: new AbortController(),
      wake: new AbortController(),
      ended: Promise.resolve(),
    };
    this.#groups.set(key, group);
    group.ended = this.#look(group, place).catch((error: unknown) => this.#deps.onError(error));
    return group;
  }

  async #look(group: Group, place: SiblingPlace): Promise<void> {
    const { clock, random, clients } = this.#deps;
    const { signal } = group.stop;
    // Who follows now is in the group when this has yielded.
    await Promise.resolve();
    using lease = clients.lambda(place, 'control');
    const search = { client: lease.client, turn: (until: AbortSignal) => this.#turn(until), signal };
    const tell = (queueArn: string, siblings: Siblings): void => {
      const queue = group.queues.get(queueArn);
      if (queue === undefined) return;
      queue.last = siblings;
      for (const told of queue.followers) told(siblings);
    };
    let allAtMs = -Infinity;
    while (!signal.aborted) {
      const nowMs = clock.monotonic();
      const isRound = nowMs >= allAtMs;
      if (isRound) allAtMs = nowMs + intervalMs * (0.9 + 0.2 * random());
      const queues = [...(isRound ? group.queues.keys() : group.fresh)];
      group.fresh.clear();
      group.wake = new AbortController();
      if (queues.length > 0) await findSiblings(search, queues, tell);
      else await clock.sleep(allAtMs - nowMs, AbortSignal.any([signal, group.wake.signal]));
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const nowMs = clock.monotonic();
    const atMs = Math.max(nowMs, this.#nextTurnMs);
    this.#nextTurnMs = atMs + paceMs;
    if (atMs > nowMs) await clock.sleep(atMs - nowMs, signal);
  }
}
