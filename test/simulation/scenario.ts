/**
 * A scenario of the simulation: plain data, made from a seed alone, so that a part of it can be dropped to find the
 * shortest one that still shows a defect.
 */
import { seededRandom, type Random } from '../../src/lib/random.ts';
import type { QueuePollerSettings } from '../../src/poller/settings.ts';

export interface SimMessage {
  readonly atMs: number;
  readonly group: string | undefined;
  readonly bytes: number;
  /** Whether the filter matches it. */
  readonly matched: boolean;
  /** Whether the function always fails with it. */
  readonly poison: boolean;
}

/** Probabilities of faults, per call or per record. */
export interface Faults {
  readonly describe: number;
  readonly receiveRefused: number;
  /** The service handed messages out, but the answer is lost. */
  readonly receiveLost: number;
  readonly receiveHung: number;
  readonly duplicate: number;
  readonly settleRefused: number;
  /** The service deleted, but the answer is a time-out. */
  readonly settleLost: number;
  readonly settlePartly: number;
  readonly extendRefused: number;
  readonly extendPartly: number;
  readonly receiptStale: number;
  readonly slow: number;
}

/** Weights of what the function does with a call. */
export interface Behaviour {
  readonly success: number;
  readonly failure: number;
  readonly partial: number;
  readonly garbage: number;
  readonly timeout: number;
  readonly slow: number;
  readonly throttle: number;
  readonly unreachable: number;
}

export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
  readonly kind: 'throttled' | 'unreachable' | 'refused' | 'unready';
  readonly retryAfterMs: number | undefined;
}

export type SimAction = { readonly atMs: number; readonly poller: number } & (
  | { readonly kind: 'kill' }
  | { readonly kind: 'restart'; readonly graceMs: number; readonly receiveMs: number }
  | { readonly kind: 'pause'; readonly forMs: number }
  | { readonly kind: 'reconfigure'; readonly settings: QueuePollerSettings; readonly newTarget: boolean }
);

export interface Scenario {
  readonly seed: number;
  readonly fifo: boolean;
  readonly visibilityMs: number;
  readonly maxReceiveCount: number | undefined;
  readonly holdMaxMs: number;
  readonly budgetBytes: number;
  readonly pollers: number;
  readonly targetTimeoutMs: number;
  readonly settings: QueuePollerSettings;
  readonly messages: readonly SimMessage[];
  readonly faults: Faults;
  readonly behaviour: Behaviour;
  readonly outages: readonly Outage[];
  readonly actions: readonly SimAction[];
  /** From here on there are no faults, and everything must come to its end. */
  readonly quietAtMs: number;
}

export const NO_FAULTS: Faults = {
  describe: 0,
  receiveRefused: 0,
  receiveLost: 0,
  receiveHung: 0,
  duplicate: 0,
  settleRefused: 0,
  settleLost: 0,
  settlePartly: 0,
  extendRefused: 0,
  extendPartly: 0,
  receiptStale: 0,
  slow: 0,
};

/** Makes the scenario of a seed. */
export function makeScenario(seed: number): Scenario {
  const random = seededRandom(seed * 7919 + 17);
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const chance = (probability: number): boolean => random() < probability;
  const whole = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));

  const fifo = chance(0.45);
  const quietAtMs = pick(5000, 20_000, 60_000);
  const filtered = chance(0.3) ? 0.4 : 0;
  const poison = chance(0.2) ? 0.15 : 0;
  const groups = whole(1, 4);
  const visibilityMs = pick(0, 1000, 2000, 5000, 30_000, 30_000, 60_000);
  const messages: SimMessage[] = [];
  const count = whole(3, chance(0.2) ? 30 : 14);
  const burst = chance(0.6);
  for (let index = 0; index < count; index++) {
    messages.push({
      atMs: burst ? 0 : whole(0, quietAtMs / 2),
      group: fifo ? `g${whole(1, groups)}` : undefined,
      bytes: pick(100, 100, 300, 900, 2500),
      matched: !chance(filtered),
      poison: chance(poison),
    });
  }
  messages.sort((a, b) => a.atMs - b.atMs);
  // Now and then a call may last longer than the queue lets a message be hidden.
  const tight = chance(0.1);
  const settings = makeSettings(fifo, poison > 0, random);
  // A third of the runs has a quiet source, so that rules without any excuse are tested too.
  const stormy = chance(0.6);
  const fault = (probability: number): number => (stormy && chance(0.35) ? probability : 0);
  return {
    seed,
    fifo,
    visibilityMs,
    maxReceiveCount: poison > 0 || chance(0.4) ? whole(2, 5) : undefined,
    holdMaxMs: tight ? Math.max(60_000, 1.5 * visibilityMs) : 43_200_000,
    budgetBytes: pick(1500, 4000, 20_000, 1_000_000),
    pollers: chance(0.2) ? 2 : 1,
    targetTimeoutMs: tight ? 150_000 : pick(1000, 5000, 30_000),
    settings,
    messages,
    faults: {
      describe: fault(0.3),
      receiveRefused: fault(0.15),
      receiveLost: fault(0.1),
      receiveHung: fault(0.05),
      duplicate: fifo ? 0 : fault(0.1),
      settleRefused: fault(0.3),
      settleLost: fault(0.2),
      settlePartly: fault(0.3),
      extendRefused: fault(0.3),
      extendPartly: fault(0.3),
      receiptStale: fault(0.05),
      slow: fault(0.05),
    },
    behaviour: {
      success: 10,
      failure: chance(0.4) ? 2 : 0,
      partial: chance(0.5) ? 4 : 0,
      garbage: chance(0.2) ? 2 : 0,
      timeout: chance(0.15) ? 1 : 0,
      slow: tight || chance(0.4) ? 3 : 0,
      throttle: chance(0.3) ? 2 : 0,
      unreachable: chance(0.15) ? 2 : 0,
    },
    outages: makeOutages(quietAtMs, random),
    actions: makeActions(quietAtMs, settings, fifo, random),
    quietAtMs,
  };
}

function makeSettings(fifo: boolean, poisoned: boolean, random: Random): QueuePollerSettings {
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const windowMs = fifo ? 0 : pick(0, 0, 0, 500, 2000, 20_000);
  return {
    batchSize: windowMs > 0 ? pick(3, 10, 25) : pick(1, 2, 3, 10),
    windowMs,
    maximumConcurrency: pick(undefined, 1, 2, 2, 5),
    reportBatchItemFailures: poisoned || random() < 0.5,
    // Unmatched messages that are given back stay at the head of their group for ever.
    unmatched: fifo ? 'Delete' : pick('Delete', 'Delete', 'Release'),
    maximumHoldMs: pick(0, 3000, 30_000, 900_000, 900_000),
    concurrencyCeiling: 8,
    maximumEventBytes: pick(1200, 4000, 6_291_456),
  };
}

function makeOutages(quietAtMs: number, random: Random): Outage[] {
  if (random() < 0.5) return [];
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const fromMs = Math.floor((random() * quietAtMs) / 2);
  const toMs = fromMs + Math.floor((random() * quietAtMs) / 2);
  const kind = pick('throttled', 'throttled', 'unreachable', 'refused', 'unready');
  return [{ fromMs, toMs, kind, retryAfterMs: pick(undefined, 50, 2000, 10_000) }];
}

function makeActions(
  quietAtMs: number,
  settings: QueuePollerSettings,
  fifo: boolean,
  random: Random,
): SimAction[] {
  if (random() < 0.5) return [];
  const actions: SimAction[] = [];
  const count = 1 + Math.floor(random() * 3);
  for (let index = 0; index < count; index++) {
    const atMs = Math.floor(random() * quietAtMs * 0.9);
    const which = random();
    const poller = 0;
    if (which < 0.25) actions.push({ atMs, poller, kind: 'kill' });
    else if (which < 0.5) {
      const graceMs = random() < 0.3 ? 0 : 5000;
      actions.push({ atMs, poller, kind: 'restart', graceMs, receiveMs: random() < 0.5 ? 0 : 4000 });
    } else if (which < 0.7) actions.push({ atMs, poller, kind: 'pause', forMs: Math.floor(random() * 5000) });
    else {
      const changed = { ...makeSettings(fifo, true, random), unmatched: settings.unmatched };
      actions.push({ atMs, poller, kind: 'reconfigure', settings: changed, newTarget: random() < 0.5 });
    }
  }
  return actions.sort((a, b) => a.atMs - b.atMs);
}
