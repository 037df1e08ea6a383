/**
 * What to do about an observation. Pure, and the only place that chooses. It does not carry anything out, and knows
 * nothing of AWS or of the fleet.
 */
import type { EffectiveValues } from '../api/effective.ts';
import type { EventSourceMappingSpec } from '../api/mapping.ts';
import type { Reason } from '../api/conditions.ts';
import type { Difference, Observation, ReleasePolicy } from './backend.ts';

export type Action =
  /** Nothing: it is as desired, or changes by itself. */
  | { readonly kind: 'none' }
  | { readonly kind: 'create' }
  | { readonly kind: 'update'; readonly differences: readonly Difference[] }
  /** Delete it, and create it anew when it is gone. */
  | { readonly kind: 'replace'; readonly differences: readonly Difference[] }
  /** Nothing may be done until somebody changes something. */
  | { readonly kind: 'refuse'; readonly reason: Reason; readonly message: string };

/** What the spec allows. */
export type Policies = Pick<EffectiveValues, 'managementPolicy' | 'replacementPolicy'>;

const cautious: Policies = { managementPolicy: 'Full', replacementPolicy: 'Never' };

/** The one action that brings what was observed closer to what is desired; none under the policy Observe. */
export function plan(observation: Observation, policies: Policies = cautious): Action {
  if (policies.managementPolicy === 'Observe' && observation.kind !== 'refused') return { kind: 'none' };
  switch (observation.kind) {
    case 'missing':
      return { kind: 'create' };
    case 'drifted':
      return planChange(observation, policies);
    case 'refused':
      return { kind: 'refuse', reason: observation.reason, message: observation.message };
    case 'current':
    case 'changing':
    case 'unserved':
      return { kind: 'none' };
  }
}

function planChange(
  { differences, claimed }: Extract<Observation, { readonly kind: 'drifted' }>,
  { replacementPolicy }: Policies,
): Action {
  const fixed = differences.filter(({ createOnly }) => createOnly);
  if (fixed.length === 0) return { kind: 'update', differences };
  // What was adopted and never changed since may be in production as it is: a manifest that does not fit must not
  // delete it.
  if (replacementPolicy === 'Recreate' && claimed) return { kind: 'replace', differences };
  // Not even the other fields are changed: half an edit is no state that anybody asked for.
  const [first] = fixed;
  const remedy = claimed ? 'undo the change, or set `replacementPolicy: Recreate`' : 'correct the spec';
  return {
    kind: 'refuse',
    reason: 'CreateOnlyFieldChanged',
    message: `${paths(fixed)} must stay as it is on a live AWS mapping: ${shown(first?.observed)}; found ${shown(first?.desired)}; ${remedy}`,
  };
}

/** What becomes of the AWS mapping when the object is deleted; an adopted one outlives it by default. */
export function releasePolicy(spec: EventSourceMappingSpec, adopted: boolean): ReleasePolicy {
  return spec.deletionPolicy ?? (adopted ? 'Retain' : 'Delete');
}

/**
 * What becomes of it when the cluster takes the mapping over. It must stop reading in any case, or both would compete
 * for the records, so what is not to be deleted is disabled.
 */
export function handoverPolicy(spec: EventSourceMappingSpec, adopted: boolean): ReleasePolicy {
  return releasePolicy(spec, adopted) === 'Delete' ? 'Delete' : 'Disable';
}

/** The paths of differences, as messages show them. */
export function paths(differences: readonly Difference[]): string {
  return differences.map(({ path }) => `\`${path}\``).join(', ');
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
