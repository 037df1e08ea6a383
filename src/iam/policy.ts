/** IAM policies as values, and how statements of several mappings become few. Pure. */

/** A statement that allows something. */
export interface Statement {
  readonly Sid: string;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** Whose policy it is. */
export type PolicyOwner =
  /** The execution role of a function, with which Lambda reads its sources. */
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'controller' }
  | { readonly kind: 'poller' };

export interface Policy {
  readonly owner: PolicyOwner;
  readonly statements: readonly Statement[];
}

/** A policy as IAM takes it. */
export interface PolicyDocument {
  readonly Version: '2012-10-17';
  readonly Statement: readonly object[];
}

/** Most characters, without white space, of a managed policy. */
export const maximumPolicyLength = 6144;

/** The document of a policy; lists of one are written as one. */
export function documentOf({ statements }: Policy): PolicyDocument {
  return {
    Version: '2012-10-17',
    Statement: statements.map(({ Sid, Action, Resource, Condition }) => ({
      Sid,
      Effect: 'Allow',
      Action: oneOrAll(Action),
      Resource: oneOrAll(Resource),
      ...(Condition === undefined ? {} : { Condition }),
    })),
  };
}

const oneOrAll = (list: readonly string[]): string | readonly string[] =>
  list.length === 1 ? (list[0] ?? '') : list;

/** Statements of the same actions and conditions as one each, with all their resources, sorted; in first-seen order. */
export function merged(statements: readonly Statement[]): readonly Statement[] {
  const groups = new Map<string, Statement>();
  for (const statement of statements) {
    const { Sid, Action, Resource, Condition } = statement;
    const key = JSON.stringify([Sid, Action, Condition]);
    const former = groups.get(key);
    groups.set(key, { ...statement, Resource: [...(former?.Resource ?? []), ...Resource] });
  }
  return [...groups.values()].map((statement) => ({
    ...statement,
    Resource: withoutCovered([...new Set(statement.Resource)]).toSorted(),
  }));
}

/** `*` covers all others. */
const withoutCovered = (resources: readonly string[]): readonly string[] =>
  resources.includes('*') ? ['*'] : resources;

/** What the policy is called in resources and file names: `sluice-controller`, `orders-sources`. */
export function policyName({ owner }: Policy): string {
  return owner.kind === 'function' ? `${owner.name}-sources` : `sluice-${owner.kind}`;
}
