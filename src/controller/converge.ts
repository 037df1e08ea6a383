/** Observe, plan, act: one step of a live mapping towards what is desired, as the situation it ends in. */
import type { Reason } from '../api/conditions.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import type { Backend, Difference, ExternalBackend, Observation, Subject } from './backend.ts';
import type { ReconcilerEvent } from './events.ts';
import { failureOf, nextOf, refOf, type Next, type ReconcilerDeps } from './pass.ts';
import { paths, plan, type Action } from './plan.ts';
import { replacing } from './replace.ts';
import { differsIn, earlier, type Situation } from './drafts.ts';

/**
 * Failures in a row after which what could not be looked at counts as not in force. Until then `Ready` stays, or
 * every throttled call of AWS would make the health of an application flap.
 */
const doubtfulFailures = 6;

/** A situation and when to look again. */
export interface Step {
  readonly situation: Situation;
  readonly next: Next;
}

/** One step; a failure becomes a situation. Throws only what is not about the mapping. */
export async function converge(
  deps: ReconcilerDeps,
  key: string,
  backend: Backend | ExternalBackend,
  subject: Subject,
  signal: AbortSignal,
): Promise<Step> {
  let observation: Observation | undefined;
  try {
    observation = await backend.observe(subject, signal);
    const action = plan(observation, subject.effective.values);
    if (isFoundAgain(subject, observation)) deps.emit(foundAgain(subject, observation));
    const situation = isTakenOver(subject, observation)
      ? takenOver(deps, subject, observation)
      : await act(deps, backend, subject, observation, action, signal);
    const briefMs = observation.kind === 'changing' ? observation.briefMs : undefined;
    return {
      situation,
      next: briefMs === undefined ? nextOf(situation, backend.recheckMs) : { kind: 'after', ms: briefMs },
    };
  } catch (error) {
    const failure = failureOf(error, signal);
    const { reason, message, terminal } = failure;
    if (isPassing(deps, subject.mapping, reason)) {
      const facts = observation !== undefined && 'facts' in observation ? observation.facts : undefined;
      const situation: Situation = {
        kind: 'progressing',
        message,
        ...(facts === undefined ? {} : { facts }),
      };
      return { situation, next: { kind: 'retry', atLeastMs: failure.atLeastMs } };
    }
    deps.emit({ kind: 'step-failed', mapping: refOf(subject.mapping), reason, message, terminal });
    const facts = observation !== undefined && 'facts' in observation ? observation.facts : undefined;
    const seen = facts === undefined ? {} : { facts };
    const situation: Situation = terminal
      ? { kind: 'stalled', reason, message, ...seen }
      : {
          kind: 'retrying',
          reason,
          message,
          ...seen,
          doubtful: observation === undefined && deps.failures(key) < doubtfulFailures,
        };
    return { situation, next: nextOf(situation, backend.recheckMs, failure.atLeastMs) };
  }
}

/** How long the rights of a new role may take to be known everywhere at AWS (AWS: IAM, eventual consistency). */
const propagationMs = 120_000;

/**
 * Whether a refusal is no failure yet: another change is under way at AWS, or what a role may do has not got around.
 * The time is that of `Reconciling`, so that it does not begin anew with a new leader.
 */
function isPassing(deps: ReconcilerDeps, mapping: EventSourceMapping, reason: Reason): boolean {
  if (reason === 'Progressing') return true;
  if (reason !== 'ExecutionRoleAccessDenied') return false;
  const since = mapping.status?.conditions?.find(({ type }) => type === 'Reconciling');
  return since?.status !== 'True' || deps.clock.now() - Date.parse(since.lastTransitionTime) < propagationMs;
}

async function act(
  deps: ReconcilerDeps,
  backend: Backend | ExternalBackend,
  subject: Subject,
  observation: Observation,
  action: Action,
  signal: AbortSignal,
): Promise<Situation> {
  if (action.kind === 'none') {
    const isObserved = subject.effective.values.managementPolicy === 'Observe' && 'create' in backend;
    return isObserved ? observed(deps, subject, observation) : situationOf(observation);
  }
  if (action.kind === 'refuse') return refused(observation, action);
  // Only what is kept outside the cluster can be missing or drifted.
  if (!('create' in backend)) return situationOf(observation);
  const mapping = refOf(subject.mapping);
  switch (action.kind) {
    case 'create': {
      const facts = await backend.create(subject, signal);
      const uuid = facts.mapping?.uuid;
      deps.emit({
        kind: 'acted',
        mapping,
        action: 'created',
        uuid,
        detail: `Created the AWS mapping ${uuid ?? ''}`,
      });
      return { kind: 'progressing', facts, message: 'The AWS mapping is being created' };
    }
    case 'replace':
      return replace(deps, backend, subject, observation, action.differences, signal);
    case 'update': {
      const { differences } = action;
      // With an edit in hand the difference is ours; without one somebody changed the AWS mapping.
      const foreign = subject.mapping.status?.observedGeneration === subject.mapping.metadata.generation;
      if (foreign) deps.emit(driftFound(subject, observation, differences));
      const facts = await backend.update(subject, differences, signal);
      const uuid = facts.mapping?.uuid;
      const detail = `Updated ${paths(differences)} of the AWS mapping ${uuid ?? ''}`;
      deps.emit({ kind: 'acted', mapping, action: 'updated', uuid, detail });
      if (foreign)
        deps.emit({ kind: 'drift-corrected', mapping, paths: differences.map(({ path }) => path) });
      const message = `The AWS mapping is being updated: ${paths(differences)}`;
      return { kind: 'progressing', facts, message, ...(foreign ? { differences } : {}) };
    }
  }
}

/**
 * One step of a replacement: the old mapping is deleted. Until it is gone it is seen as changing, then as missing, so
 * that a pass that is cut off is taken up by the next one.
 */
async function replace(
  deps: ReconcilerDeps,
  backend: ExternalBackend,
  subject: Subject,
  observation: Observation,
  differences: readonly Difference[],
  signal: AbortSignal,
): Promise<Situation> {
  const { mapping, effective } = subject;
  const facts = 'facts' in observation ? observation.facts : undefined;
  const uuid = facts?.mapping?.uuid;
  const message = replacing(uuid ?? '', differences, effective, mapping.spec);
  // A step that found the mapping in use is repeated; it is told once.
  if (earlier(mapping, 'Reconciling')?.message !== message)
    deps.emit({ kind: 'acted', mapping: refOf(mapping), action: 'replacing', uuid, detail: message });
  await backend.release(subject, () => 'Delete', signal);
  return { kind: 'progressing', message, differences, ...(facts === undefined ? {} : { facts }) };
}

/** Whether this look is the first at a mapping that the object adopts. */
function isTakenOver({ mapping, effective }: Subject, observation: Observation): boolean {
  const found = 'facts' in observation ? observation.facts?.mapping : undefined;
  return (
    effective.values.managementPolicy === 'Full' &&
    found?.adopted === true &&
    (found.uuid !== mapping.status?.mapping?.uuid || mapping.status?.mapping?.adopted !== true)
  );
}

/**
 * Whether the object meets a mapping that is its own and that it does not know: made in a pass that was cut off, or by
 * the cluster that this one was rebuilt from.
 */
function isFoundAgain({ mapping, effective }: Subject, observation: Observation): boolean {
  const found = 'facts' in observation ? observation.facts?.mapping : undefined;
  return (
    effective.values.managementPolicy === 'Full' &&
    found?.uuid !== undefined &&
    found.adopted !== true &&
    found.uuid !== mapping.status?.mapping?.uuid
  );
}

function foundAgain({ mapping }: Subject, observation: Observation): ReconcilerEvent {
  const uuid = 'facts' in observation ? observation.facts?.mapping?.uuid : undefined;
  const detail = `Took up the AWS mapping ${uuid ?? ''}, which is this object's by its tags`;
  return { kind: 'acted', mapping: refOf(mapping), action: 'adopted', uuid, detail };
}

/** Adoption changes nothing: what differs is told, and brought in step by the next pass. */
function takenOver(deps: ReconcilerDeps, subject: Subject, observation: Observation): Situation {
  const mapping = refOf(subject.mapping);
  const uuid = 'facts' in observation ? observation.facts?.mapping?.uuid : undefined;
  const detail = `Adopted the AWS mapping ${uuid ?? ''}, and changed nothing`;
  deps.emit({ kind: 'acted', mapping, action: 'adopted', uuid, detail });
  if (observation.kind !== 'drifted') return situationOf(observation);
  const { facts, differences } = observation;
  deps.emit(driftFound(subject, observation, differences));
  return { kind: 'progressing', facts, differences, message: `Not as desired yet: ${paths(differences)}` };
}

/** The news that AWS differs; with a switched-off mapping goes why, as long as AWS still says it. */
function driftFound(
  { mapping }: Subject,
  observation: Observation,
  differences: readonly Difference[],
): ReconcilerEvent {
  const fields = differences.map(({ path }) => path);
  const facts = 'facts' in observation ? observation.facts : undefined;
  const stateReason = fields.includes('enabled') ? facts?.mapping?.stateTransitionReason : undefined;
  return {
    kind: 'drift-found',
    mapping: refOf(mapping),
    paths: fields,
    ...(stateReason === undefined ? {} : { stateReason }),
  };
}

/** What is only looked at, told once for each set of fields that differ. */
function observed(deps: ReconcilerDeps, subject: Subject, observation: Observation): Situation {
  if (observation.kind === 'missing') return { kind: 'observed', differences: [] };
  if (observation.kind !== 'drifted') return situationOf(observation);
  const { facts, differences } = observation;
  const told = earlier(subject.mapping, 'Drifted');
  if (told?.status !== 'True' || told.message !== differsIn(differences))
    deps.emit(driftFound(subject, observation, differences));
  return { kind: 'observed', facts, differences };
}

function refused(observation: Observation, action: Extract<Action, { kind: 'refuse' }>): Situation {
  const { reason, message } = action;
  if (observation.kind === 'drifted') {
    return {
      kind: 'stalled',
      reason,
      message,
      facts: observation.facts,
      differences: observation.differences,
    };
  }
  const facts = 'facts' in observation ? observation.facts : undefined;
  return { kind: 'stalled', reason, message, ...(facts === undefined ? {} : { facts }) };
}

/** The situation in which an observation leaves a mapping when nothing is done about it. */
export function situationOf(observation: Observation): Situation {
  switch (observation.kind) {
    case 'current':
      return { kind: 'settled', facts: observation.facts };
    case 'changing':
      return {
        kind: 'progressing',
        facts: observation.facts,
        message: observation.message,
        ...(observation.briefMs === undefined ? {} : { doubtful: true }),
      };
    case 'unserved':
      return observation;
    case 'refused':
      return { ...observation, kind: 'stalled' };
    case 'drifted':
      return {
        kind: 'progressing',
        facts: observation.facts,
        message: `Not as desired: ${paths(observation.differences)}`,
      };
    case 'missing':
      return { kind: 'progressing', message: 'Not there yet' };
  }
}
