/**
 * What Sluice's own processes do at AWS for the mappings of a set of manifests: the controller for those in Managed
 * mode, the pollers for those in Poller mode. Writes of the controller are bound to its own mappings by their tags.
 */
import { classifySource } from '../api/effective.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import type { PolicyArns } from './arns.ts';
import type { Statement } from './policy.ts';

/** Tag of the cluster whose a mapping is. */
const clusterTag = 'sluice.dev/cluster';

/** The statement of a controller with `--cloudwatch-metrics`, where there is anything to ask for. */
export function metricStatements(mappings: readonly EventSourceMapping[]): readonly Statement[] {
  // It knows no resource.
  const statement = { Sid: 'ReadMetrics', Action: ['cloudwatch:GetMetricData'], Resource: ['*'] };
  return mappings.slice(0, 1).map(() => statement);
}

/** The statements of the controller for mappings in Managed mode. */
export function controllerStatements(
  mappings: readonly EventSourceMapping[],
  clusterID: string,
  arns: PolicyArns,
): readonly Statement[] {
  const written = mappings.filter(({ spec }) => spec.managementPolicy !== 'Observe');
  const functions = written.flatMap((mapping) => arns.function(mapping) ?? []);
  return [
    ...mappings.flatMap((mapping) => [
      // List knows no resource.
      { Sid: 'ListMappings', Action: ['lambda:ListEventSourceMappings'], Resource: ['*'] },
      {
        Sid: 'ReadMappings',
        Action: ['lambda:GetEventSourceMapping', 'lambda:ListTags'],
        Resource: [everyMapping(mapping, arns)],
      },
      ...keyStatements(mapping, arns),
    ]),
    // Neither does Create: which functions and whose tags is said by conditions.
    ...written.slice(0, 1).map(() => ({
      Sid: 'CreateMappings',
      Action: ['lambda:CreateEventSourceMapping'],
      Resource: ['*'],
      Condition: {
        ArnLike: { 'lambda:FunctionArn': [...new Set(functions)].toSorted() },
        StringEquals: { [`aws:RequestTag/${clusterTag}`]: clusterID },
      },
    })),
    ...written.flatMap((mapping) => [
      {
        Sid: 'ChangeOwnMappings',
        Action: [
          'lambda:UpdateEventSourceMapping',
          'lambda:DeleteEventSourceMapping',
          'lambda:UntagResource',
        ],
        Resource: [everyMapping(mapping, arns)],
        Condition: { StringEquals: { [`aws:ResourceTag/${clusterTag}`]: clusterID } },
      },
      {
        // A new mapping has no tags yet, nor has one that is adopted; another cluster's has.
        Sid: 'TagNobodysMappings',
        Action: ['lambda:TagResource'],
        Resource: [everyMapping(mapping, arns)],
        Condition: { StringEqualsIfExists: { [`aws:ResourceTag/${clusterTag}`]: clusterID } },
      },
    ]),
  ];
}

/** The UUID is AWS's choice. */
const everyMapping = (mapping: EventSourceMapping, arns: PolicyArns): string =>
  arns.at(mapping, 'lambda', 'event-source-mapping:*');

/** Encrypted filters are encrypted and read in the name of the caller. */
function keyStatements({ spec, ...rest }: EventSourceMapping, arns: PolicyArns): readonly Statement[] {
  if (spec.kmsKeyARN === undefined || spec.kmsKeyARN === '') return [];
  return [
    {
      Sid: 'EncryptFilters',
      Action: ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey'],
      Resource: [arns.of(spec.kmsKeyARN, { spec, ...rest })],
    },
  ];
}

/** The statements of the pollers for one mapping in Poller mode. */
export function pollerStatements(mapping: EventSourceMapping, arns: PolicyArns): readonly Statement[] {
  const { spec } = mapping;
  const kind = classifySource(spec);
  if (spec.eventSourceARN === undefined || (kind !== 'sqs' && kind !== 'sqs-fifo')) return [];
  const isHttp = spec.poller?.target?.http !== undefined;
  const target = isHttp ? undefined : arns.function(mapping);
  return [
    {
      Sid: 'ReadQueues',
      Action: [
        'sqs:GetQueueUrl',
        'sqs:GetQueueAttributes',
        'sqs:ReceiveMessage',
        'sqs:DeleteMessage',
        'sqs:ChangeMessageVisibility',
      ],
      Resource: [arns.of(spec.eventSourceARN, mapping)],
    },
    ...(target === undefined
      ? []
      : [
          {
            Sid: 'InvokeFunctions',
            Action: ['lambda:InvokeFunction', 'lambda:GetFunctionConfiguration'],
            Resource: [target],
          },
        ]),
    { Sid: 'WarnOfOtherReaders', Action: ['lambda:ListEventSourceMappings'], Resource: ['*'] },
  ];
}
