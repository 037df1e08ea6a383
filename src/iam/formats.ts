/** Policies as files of the tools that create them. Pure. */
import { stringify } from 'yaml';
import { documentOf, policyName, type Policy } from './policy.ts';

/** One document for one policy, as `aws iam put-role-policy` takes it, or a list that names each. */
export function policiesJson(policies: readonly Policy[], single: boolean): string {
  const [first] = policies;
  const value =
    single && first !== undefined && policies.length === 1
      ? documentOf(first)
      : policies.map((policy) => ({
          name: policyName(policy),
          owner: policy.owner,
          document: documentOf(policy),
        }));
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** A template with a managed policy each, and their ARNs as outputs. */
export function policiesCloudFormation(policies: readonly Policy[]): string {
  const named = policies.map((policy) => ({ policy, id: logicalId(policyName(policy)) }));
  return stringify(
    {
      AWSTemplateFormatVersion: '2010-09-09',
      Description: 'Policies for Sluice, written by sluice iam.',
      Resources: Object.fromEntries(
        named.map(({ policy, id }) => [
          id,
          {
            Type: 'AWS::IAM::ManagedPolicy',
            Properties: { Description: describe(policy), PolicyDocument: documentOf(policy) },
          },
        ]),
      ),
      Outputs: Object.fromEntries(named.map(({ id }) => [id, { Value: { Ref: id } }])),
    },
    {
      lineWidth: 0,
      aliasDuplicateObjects: false,
      defaultStringType: 'QUOTE_SINGLE',
      defaultKeyType: 'PLAIN',
    },
  );
}

/** A resource `aws_iam_policy` each. */
export function policiesTerraform(policies: readonly Policy[]): string {
  return policies
    .map((policy) => {
      const name = policyName(policy);
      // JSON is an expression of HCL, but for its templates.
      const body = JSON.stringify(documentOf(policy), null, 2)
        .replaceAll('${', '$${')
        .replaceAll('%{', '%%{');
      const lines = body.split('\n').map((line, index) => (index === 0 ? line : `  ${line}`));
      return [
        `resource "aws_iam_policy" "${name.replaceAll(/[^A-Za-z0-9_-]/g, '_')}" {`,
        `  name        = ${JSON.stringify(name)}`,
        `  description = ${JSON.stringify(describe(policy))}`,
        `  policy      = jsonencode(${lines.join('\n')})`,
        '}\n',
      ].join('\n');
    })
    .join('\n');
}

function describe({ owner }: Policy): string {
  if (owner.kind === 'function')
    return `What the execution role of ${owner.name} needs for its event source mappings`;
  return owner.kind === 'controller' ? "What Sluice's controller needs" : "What Sluice's pollers need";
}

const logicalId = (name: string): string =>
  name
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');
