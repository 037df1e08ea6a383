/** What applying a manifest would change in AWS, as `sluice diff` tells it. Pure. */
import { awsFields } from '../api/aws-fields.ts';
import type { Effective } from '../api/effective.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { ownershipTags } from '../backends/aws/ownership.ts';
import type { Difference, Observation } from '../controller/backend.ts';
import { plan } from '../controller/plan.ts';

/** One field as it is and as it would be; what is absent is undefined. */
export interface FieldChange {
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** What would become of one mapping. */
export interface Change {
  /** `namespace/name` of the object. */
  readonly mapping: string;
  /**
   * `none`, `create`, `update` and `replace` (delete, then create) are what the controller would do. `skipped` is not
   * AWS's business; `unknown` could not be found out; `refused` would end as Stalled.
   */
  readonly action: 'none' | 'create' | 'update' | 'replace' | 'skipped' | 'unknown' | 'refused';
  readonly uuid?: string;
  readonly fields: readonly FieldChange[];
  /** What else there is to know. */
  readonly message?: string;
}

/** The name of an object as messages show it. */
export function mappingLabel({ metadata }: EventSourceMapping): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** Why nobody needs to ask AWS about a mapping, or undefined. */
export function withoutAws(mapping: EventSourceMapping): Change | undefined {
  if (mapping.spec.mode === 'Managed') return undefined;
  const message = 'it is in Poller mode, and AWS has no part in it';
  return { mapping: mappingLabel(mapping), fields: [], action: 'skipped', message };
}

/** What the controller would do about what was observed. */
export function changeOf(
  mapping: EventSourceMapping,
  { values }: Effective,
  observation: Observation,
): Change {
  const uuid = 'facts' in observation ? observation.facts?.mapping?.uuid : undefined;
  const about = { mapping: mappingLabel(mapping), ...(uuid === undefined ? {} : { uuid }) };
  if (observation.kind === 'changing')
    return {
      ...about,
      action: 'unknown',
      fields: [],
      message: `${observation.message}; ask again when it has settled`,
    };
  const seen = withoutUid(mapping, observation);
  const action = plan(seen, values);
  switch (action.kind) {
    case 'none':
      return { ...about, action: 'none', fields: [], ...observedOnly(seen) };
    case 'create':
      return { ...about, action: 'create', fields: desiredFields(mapping) };
    case 'update':
    case 'replace':
      return {
        ...about,
        action: action.kind,
        fields: action.differences.map(fieldChange),
        ...adoption(observation),
      };
    case 'refuse':
      return { ...about, action: 'refused', fields: [], message: `${action.reason}: ${action.message}` };
  }
}

/** A file does not know the uid that its object has; the tag of it is advisory. */
function withoutUid({ metadata }: EventSourceMapping, observation: Observation): Observation {
  if (observation.kind !== 'drifted' || metadata.uid !== undefined) return observation;
  const differences = observation.differences.filter(({ path }) => path !== `tags.${ownershipTags.uid}`);
  return differences.length === 0
    ? { kind: 'current', facts: observation.facts }
    : { ...observation, differences };
}

const fieldChange = ({ path, observed, desired }: Difference): FieldChange => ({
  path,
  from: observed,
  to: desired,
});

function observedOnly(observation: Observation): { readonly message?: string } {
  if (observation.kind === 'missing') return { message: 'it is only observed, and AWS has no such mapping' };
  if (observation.kind !== 'drifted') return {};
  const paths = observation.differences.map(({ path }) => path).join(', ');
  return { message: `it is only observed: AWS differs in ${paths}, and nothing is changed` };
}

/** A mapping without our tags is tagged before it is changed for the first time. */
function adoption(observation: Observation): { readonly message?: string } {
  return observation.kind === 'drifted' && !observation.claimed
    ? { message: "it is taken over, and gets Sluice's tags" }
    : {};
}

/** What a create sets, as the manifest says it. */
function desiredFields({ spec }: EventSourceMapping): readonly FieldChange[] {
  return Object.entries(spec).flatMap(([path, to]) =>
    Object.hasOwn(awsFields, path) ? [{ path, from: undefined, to }] : [],
  );
}

/** Lines for people; a change of a text of JSON is shown as it is. */
export function changeText(change: Change): string {
  const { action, mapping, uuid, fields, message } = change;
  const head = `${action} ${mapping}${uuid === undefined ? '' : ` (${uuid})`}${message === undefined ? '' : `: ${message}`}`;
  const lines = fields.flatMap(({ path, from, to }) => [
    ...(from === undefined ? [] : [`  - ${path}: ${JSON.stringify(from)}`]),
    ...(to === undefined ? [] : [`  + ${path}: ${JSON.stringify(to)}`]),
  ]);
  return [head, ...lines].map((line) => `${line}\n`).join('');
}
