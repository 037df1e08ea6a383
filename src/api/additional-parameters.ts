/**
 * Members of AWS's API that this release does not know, by their names there, which `spec.additionalParameters` passes
 * on. Pure. What a release knows has a field of its own, and is refused here: two places for one value would quarrel.
 */
import { awsFields } from './aws-fields.ts';
import type { MappingClass } from './class.ts';
import { matchesGlob } from './class-patterns.ts';
import type { EventSourceMappingSpec } from './mapping.ts';

/** Values by the names of their members. */
export type AdditionalParameters = Readonly<Record<string, unknown>>;

/** Why they may not be passed on. */
export interface ParameterProblem {
  readonly reason: 'InvalidSpec' | 'ClassNotPermitted';
  /** For a person: field, value found, what is allowed. */
  readonly message: string;
}

/** Fields of the spec by the member that they are at AWS. */
const known: ReadonlyMap<string, string> = new Map([
  ...Object.entries(awsFields).map(
    ([field, { facts }]) => [facts.member ?? field.charAt(0).toUpperCase() + field.slice(1), field] as const,
  ),
  // AWS's own, and Sluice's to say.
  ['UUID', 'status.mapping.uuid'],
]);

/** What is wrong with the parameters of a mapping in this class; the first is enough. */
export function parameterProblem(
  { additionalParameters }: EventSourceMappingSpec,
  { metadata, spec: { additionalParameters: rule } }: MappingClass,
): ParameterProblem | undefined {
  const allowed = rule?.allowedNames ?? [];
  for (const name of Object.keys(additionalParameters ?? {})) {
    if (!/^[A-Z][A-Za-z0-9]{0,63}$/.test(name)) {
      return {
        reason: 'InvalidSpec',
        message: `\`additionalParameters\` must have names of members of AWS's API, letters and digits that begin with a capital; found ${quote(name)}`,
      };
    }
    const field = known.get(name);
    if (field !== undefined) {
      return {
        reason: 'InvalidSpec',
        message: `\`additionalParameters\` must not have ${quote(name)}, which is \`${field}\` here`,
      };
    }
    if (!allowed.some((pattern) => matchesGlob(pattern, name))) {
      const those = allowed.length === 0 ? 'none' : allowed.join(', ');
      return {
        reason: 'ClassNotPermitted',
        message: `\`additionalParameters\`: MappingClass ${quote(metadata.name)} allows ${those}; found ${quote(name)}`,
      };
    }
  }
  return undefined;
}

const quote = (value: string): string => JSON.stringify(value);
