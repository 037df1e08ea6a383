/**
 * The poller fleet as a backend: sums up what live members report of a mapping. It never polls and never tells a
 * member what to do, since members read the mappings themselves; so a mapping is never missing here, only not served
 * yet. Reports of members whose Lease has run out count for nothing.
 */
import { isReason, type Reason } from '../../api/conditions.ts';
import type { EventSourceMapping } from '../../api/mapping.ts';
import type { ReportedHealth } from '../../api/report.ts';
import type { Backend, Facts, Health, Observation, Subject } from '../../controller/backend.ts';
import { ownerOf } from '../../fleet/assignment.ts';
import type { FleetView, MemberEntry } from '../../fleet/fleet-view.ts';
import type { Clock } from '../../lib/clock.ts';

/** Reasons of a member that no retry of its own mends; with others it goes on trying. */
const lasting: ReadonlySet<Reason> = new Set<Reason>([
  'InvalidSpec',
  'NotSupported',
  'IncompleteARN',
  'WrongRegion',
  'UrlNotPermitted',
  'ServiceNotFound',
  'ServiceNotPermitted',
  'SecretNotFound',
  'SecretNotPermitted',
  'SecretInvalid',
]);

/**
 * How long a mapping may be on its way from one member to another. Until then it counts as in force, or each rollout
 * of the pollers would make the health of every application flap, with two writes and an Event for each mapping.
 */
const moveGraceMs = 15_000;

export class ClusterBackend implements Backend {
  readonly mode = 'Poller';
  /** Leases and reports tell of every change. */
  readonly recheckMs = undefined;
  readonly #fleet: FleetView;
  readonly #clock: Clock;
  /** Monotonic time since when a mapping has been changing, by uid, oldest first. */
  readonly #changing = new Map<string, number>();

  constructor(fleet: FleetView, clock: Clock) {
    this.#fleet = fleet;
    this.#clock = clock;
  }

  observe({ mapping, pool }: Subject): Promise<Observation> {
    const { uid = '', generation = 0 } = mapping.metadata;
    const members = this.#fleet.liveMembers(pool);
    const entries = this.#fleet.entriesOf(uid);
    const owner = ownerOf(uid, members);
    const enabled = mapping.spec.enabled !== false;
    return Promise.resolve(this.#timed(uid, observationOf({ pool, owner, entries, generation, enabled })));
  }

  /** Live members that have it still: one leaves its report only when nothing of it is in flight any more. */
  readersOf({ metadata }: EventSourceMapping): readonly string[] {
    return this.#fleet.entriesOf(metadata.uid ?? '').map(({ member }) => member);
  }

  /** Tells of a change that is under way how much longer it counts as a short one. */
  #timed(uid: string, observation: Observation): Observation {
    if (observation.kind !== 'changing') {
      this.#changing.delete(uid);
      return observation;
    }
    const nowMs = this.#clock.monotonic();
    const sinceMs = this.#changing.get(uid) ?? nowMs;
    if (sinceMs === nowMs) {
      this.#prune(nowMs);
      this.#changing.set(uid, nowMs);
    }
    const briefMs = sinceMs + moveGraceMs - nowMs;
    return briefMs > 0 ? { ...observation, briefMs } : observation;
  }

  /** Mappings that were deleted midway are never observed again. By then the others have been told as not ready. */
  #prune(nowMs: number): void {
    for (const [uid, sinceMs] of this.#changing) {
      if (nowMs - sinceMs < 10 * moveGraceMs) return;
      this.#changing.delete(uid);
    }
  }
}

/** What an observation of the fleet is made of. */
export interface Sighting {
  readonly pool: string;
  /** Who is to run it; undefined when the pool has no live member. */
  readonly owner: string | undefined;
  readonly entries: readonly MemberEntry[];
  readonly generation: number;
  readonly enabled: boolean;
}

/** The table: what members report → how the mapping stands. Pure. */
export function observationOf(sighting: Sighting): Observation {
  const { owner, entries, generation, enabled, pool } = sighting;
  const reading = entries.filter(({ entry }) => entry.state === 'Running' || entry.state === 'Starting');
  if (!enabled) {
    const facts = factsOf(sighting, 'Disabled');
    const busy = entries.find(({ entry }) => entry.state !== 'Paused' && entry.state !== 'Failed');
    if (busy === undefined) return { kind: 'current', facts };
    return { kind: 'changing', facts, message: `The member ${busy.member} is still ${busy.entry.state}` };
  }
  if (owner === undefined && reading.length === 0) {
    const message = `No live poller serves the pool ${JSON.stringify(pool)}`;
    return { kind: 'unserved', facts: factsOf(sighting, 'NoMember'), reason: 'NoMember', message };
  }
  const current = entries.filter(({ entry }) => entry.generation === generation);
  const serving =
    current.find(({ entry }) => entry.state === 'Running') ?? current.find(({ member }) => member === owner);
  if (serving === undefined) {
    const old = entries[0];
    const message =
      old === undefined
        ? `The member ${owner ?? ''} has not taken the mapping up yet`
        : `The member ${old.member} still runs generation ${old.entry.generation}`;
    return { kind: 'changing', facts: factsOf(sighting, old?.entry.state ?? 'Pending'), message };
  }
  return servedBy(serving, factsOf(sighting, serving.entry.state));
}

function servedBy({ member, entry }: MemberEntry, facts: Facts): Observation {
  switch (entry.state) {
    case 'Running':
      return openedBy(member, facts);
    case 'Failed': {
      const reason = reasonOf(entry.reason, 'MemberFailed');
      const message = entry.message || `The member ${member} failed`;
      return { kind: lasting.has(reason) ? 'refused' : 'unserved', facts, reason, message };
    }
    case 'Starting':
    case 'Paused':
    case 'Draining':
      return { kind: 'changing', facts, message: `The mapping is ${entry.state} in the member ${member}` };
  }
}

/**
 * Running is not enough: the source must have been read. A target that takes nothing keeps it from being read; it is
 * judged only once the source has told its settings, so the source is open then, and a mapping may be applied before
 * its consumer.
 */
function openedBy(member: string, facts: Facts): Observation {
  const { status, reason, message } = facts.sourceHealthy;
  switch (status) {
    case 'True':
      return { kind: 'current', facts };
    case 'False':
      return { kind: 'unserved', facts, reason, message };
    case 'Unknown':
      if (facts.targetHealthy.status === 'False') return { kind: 'current', facts };
      return { kind: 'changing', facts, message: `The member ${member} is opening the source` };
  }
}

function factsOf({ pool, entries }: Sighting, state: string): Facts {
  const warnings = entries
    .flatMap(({ entry }) => entry.warnings ?? [])
    .filter((warning, index, all) => all.findIndex(({ reason }) => reason === warning.reason) === index)
    .map(({ reason, message }) => ({ reason: reasonOf(reason, 'Unknown'), message }));
  return {
    state,
    poller: {
      pool,
      members: entries.slice(0, 64).map(({ member, entry }) => ({ name: member, state: entry.state })),
    },
    sourceHealthy: worst(entries.map(({ entry }) => entry.sourceHealthy)),
    targetHealthy: worst(entries.map(({ entry }) => entry.targetHealthy)),
    warnings,
  };
}

/** One member's trouble is the mapping's; without any, one success is enough to know. */
function worst(healths: readonly (ReportedHealth | undefined)[]): Health {
  for (const status of ['False', 'True'] as const) {
    const found = healths.find((health) => health?.status === status);
    if (found !== undefined) {
      return { status, reason: reasonOf(found.reason, 'Unknown'), message: found.message ?? found.reason };
    }
  }
  return { status: 'Unknown', reason: 'Unknown', message: 'No member has reported it yet' };
}

/** A member of a later version may give a reason that is not known here. */
function reasonOf(text: string | undefined, fallback: Reason): Reason {
  return text !== undefined && isReason(text) ? text : fallback;
}
