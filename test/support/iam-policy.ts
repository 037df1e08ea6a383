/**
 * What a policy allows, as far as the policies of `sluice iam` go: actions, resources with wildcards, and the
 * conditions StringEquals, StringEqualsIfExists and ArnLike. Anything else is an error, not a yes.
 */
import type { PolicyDocument } from '../../src/iam/policy.ts';

export interface AccessRequest {
  readonly action: string;
  readonly resource: string;
  /** Condition keys that the request has. */
  readonly context?: Readonly<Record<string, string>>;
}

export function allows(document: PolicyDocument, { action, resource, context = {} }: AccessRequest): boolean {
  return document.Statement.some((statement) => {
    const {
      Effect,
      Action,
      Resource,
      Condition = {},
    } = statement as {
      readonly Effect: string;
      readonly Action: string | readonly string[];
      readonly Resource: string | readonly string[];
      readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
    };
    if (Effect !== 'Allow') throw new Error(`Effect ${Effect}`);
    return (
      [Action].flat().includes(action) &&
      [Resource].flat().some((pattern) => matches(pattern, resource)) &&
      Object.entries(Condition).every(([operator, keys]) =>
        Object.entries(keys).every(([key, wanted]) => holds(operator, context[key], [wanted].flat())),
      )
    );
  });
}

function holds(operator: string, found: string | undefined, wanted: readonly string[]): boolean {
  switch (operator) {
    case 'StringEquals':
      return found !== undefined && wanted.includes(found);
    case 'StringEqualsIfExists':
      return found === undefined || wanted.includes(found);
    case 'ArnLike':
      return found !== undefined && wanted.some((pattern) => matches(pattern, found));
    default:
      throw new Error(`operator ${operator}`);
  }
}

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}
