/** The options of `sluice controller`: one table for flags, environment, file and help. */
import { z } from 'zod';
import { clusterOptions } from './cluster-options.ts';
import { commonOptions, type Options } from './config.ts';
import { choiceType, integerType } from './option-types.ts';

export const controllerOptions = {
  ...commonOptions,
  ...clusterOptions,
  identity: {
    type: z.string().min(1).max(253).optional(),
    value: 'NAME',
    help: "This process in leader election and Events. Default: the host's name and a random part.",
  },
  'leader-elect': {
    type: choiceType(['true', 'false'], 'true'),
    value: 'BOOL',
    help: 'Work only while holding the Lease `sluice-controller`: true or false. Default true.',
  },
  'lease-duration-seconds': {
    type: integerType(1, 600, 15),
    value: 'N',
    help: 'How long others wait for a silent leader, in seconds. Default 15.',
  },
  'renew-deadline-seconds': {
    type: integerType(1, 600, 10),
    value: 'N',
    help: 'How long the leader goes on without renewing, in seconds; less than the lease duration. Default 10.',
  },
  'retry-period-seconds': {
    type: integerType(1, 600, 2),
    value: 'N',
    help: 'Time between two attempts to take or renew the Lease, in seconds. Default 2.',
  },
  workers: {
    type: integerType(1, 100, 20),
    value: 'N',
    help: 'Mappings that are reconciled at the same time. Default 20.',
  },
  'drift-interval-seconds': {
    type: integerType(1, 86_400, 300),
    value: 'N',
    help: 'Within which a change of an AWS mapping by somebody else is found, in seconds. Default 300.',
  },
  'deletion-hold-percent': {
    type: integerType(0, 100, 20),
    value: 'N',
    help: 'Deletions of more than this share of all live AWS mappings within 10 minutes are held until confirmed; 100 holds none. Default 20.',
  },
  'deletion-hold-over': {
    type: integerType(0, 100_000, 10),
    value: 'N',
    help: 'So many deletions at once are never held. Default 10.',
  },
  'aws-requests-per-second': {
    type: integerType(1, 15, 15),
    value: 'N',
    help: 'The most calls of the control plane of AWS Lambda per second, of the 15 that an account and Region have. They start at 5 and slow down when AWS refuses one. Default 15.',
  },
  'cloudwatch-metrics': {
    type: choiceType(['true', 'false'], 'false'),
    value: 'BOOL',
    help: 'Show on /metrics, with `origin="cloudwatch"`, what CloudWatch counts for mappings in Managed mode: true or false. AWS bills each metric asked for, $0.01 per 1,000 in most Regions: with the default interval 8,640 in 30 days, so some $0.35 for an SQS mapping with four of them. Default false.',
  },
  'cloudwatch-metrics-interval-seconds': {
    type: integerType(60, 3600, 300),
    value: 'N',
    help: 'How often CloudWatch is asked, in seconds; half the interval costs twice as much. Default 300.',
  },
} as const satisfies Options;
