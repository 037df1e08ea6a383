/** From mappings to policies: one for each function's role, one for the controller, one for the pollers. Pure. */
import { parseFunctionName, type Place } from '../api/arn.ts';
import { classifySource } from '../api/effective.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { PolicyArns } from './arns.ts';
import { functionStatements } from './function-role.ts';
import { documentOf, maximumPolicyLength, merged, policyName, type Policy } from './policy.ts';
import { controllerStatements, metricStatements, pollerStatements } from './sluice.ts';

export interface PolicyOptions {
  readonly place: Place;
  /** The cluster's id, for the conditions of the controller. */
  readonly clusterID: string;
  /** Whether the controller reads CloudWatch's metrics. */
  readonly cloudWatchMetrics?: boolean;
}

export interface Policies {
  readonly policies: readonly Policy[];
  /** What a reader must know. */
  readonly notes: readonly string[];
}

/** The policies that the mappings need. */
export function policiesOf(mappings: readonly EventSourceMapping[], options: PolicyOptions): Policies {
  const arns = new PolicyArns(options.place);
  const managed = mappings.filter(({ spec }) => spec.mode === 'Managed');
  const polled = mappings.filter(({ spec }) => spec.mode === 'Poller');
  const functions = new Map<string, EventSourceMapping[]>();
  for (const mapping of managed) {
    const name = parseFunctionName(mapping.spec.functionName ?? '')?.name ?? '';
    functions.set(name, [...(functions.get(name) ?? []), mapping]);
  }
  const policies: readonly Policy[] = [
    ...[...functions].map(([name, own]) => ({
      owner: { kind: 'function' as const, name },
      statements: merged(own.flatMap((mapping) => functionStatements(mapping, arns))),
    })),
    {
      owner: { kind: 'controller' as const },
      statements: merged([
        ...controllerStatements(managed, options.clusterID, arns),
        ...(options.cloudWatchMetrics === true ? metricStatements(managed) : []),
      ]),
    },
    {
      owner: { kind: 'poller' as const },
      statements: merged(polled.flatMap((mapping) => pollerStatements(mapping, arns))),
    },
  ].filter(({ statements }) => statements.length > 0);
  return {
    policies,
    notes: [...mappings.flatMap(notesOf), ...openNotes(arns), ...policies.flatMap(lengthNotes)],
  };
}

const nameOf = ({ metadata }: EventSourceMapping): string =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;

function notesOf(mapping: EventSourceMapping): readonly string[] {
  const { spec } = mapping;
  const kind = classifySource(spec);
  const isQueue = kind === 'sqs' || kind === 'sqs-fifo';
  const notes: string[] = [];
  if (spec.mode === 'Poller' && !isQueue)
    notes.push('Poller mode of this version reads queues only, so there is no policy for its source');
  if (kind === 'unknown') notes.push('its source is not known to this version, so there is no policy for it');
  if (isQueue)
    notes.push('if the queue has a customer managed key, its reader also needs kms:Decrypt on that key');
  if (spec.kmsKeyARN !== undefined && spec.kmsKeyARN !== '' && spec.mode === 'Managed')
    notes.push('the policy of its KMS key must let the service principal of Lambda decrypt (kms:Decrypt)');
  if ((spec.sourceAccessConfigurations ?? []).length > 0)
    notes.push('secrets with a customer managed key also need kms:Decrypt on that key');
  if (spec.aws?.roleARN !== undefined)
    notes.push(
      `it is used as ${spec.aws.roleARN}: the policy belongs to that role, and Sluice's own needs sts:AssumeRole on it`,
    );
  return notes.map((note) => `${nameOf(mapping)}: ${note}`);
}

function openNotes(arns: PolicyArns): readonly string[] {
  if (arns.open.length === 0) return [];
  const shown = arns.open.slice(0, 3).join(', ');
  return [
    `wildcards stand for Regions and accounts that are not known: ${shown}; give them with --region and --account-id`,
  ];
}

function lengthNotes(policy: Policy): readonly string[] {
  const { length } = JSON.stringify(documentOf(policy));
  return length <= maximumPolicyLength
    ? []
    : [
        `${policyName(policy)} has ${length} characters, and IAM takes ${maximumPolicyLength} in one managed policy: divide the manifests`,
      ];
}
