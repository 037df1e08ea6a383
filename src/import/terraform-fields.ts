/**
 * One mapping of Terraform, from HCL, state or plan: its attributes as our fields. State and plan hold zeros where AWS
 * says nothing; those are no values. Pure.
 */
import { parseArn } from '../api/arn.ts';
import { plainName, readFields } from './fields.ts';
import { Unknown, type Note, type Reading } from './model.ts';
import { placeholderOf } from './placeholders.ts';

/** Types of resources that are mappings. */
export const mappingTypes: readonly string[] = [
  'aws_lambda_event_source_mapping',
  'awscc_lambda_event_source_mapping',
];

/** What Terraform says about a resource itself, not about the mapping. */
export const metaArguments: readonly string[] = [
  'count',
  'depends_on',
  'for_each',
  'lifecycle',
  'provider',
  'provisioner',
  'timeouts',
];

/** Attributes that AWS reports. */
const reported = [
  'arn',
  'id',
  'uuid',
  'functionarn',
  'eventsourcemappingid',
  'eventsourcemappingarn',
  'lastmodified',
  'lastprocessingresult',
  'region',
  'state',
  'statetransitionreason',
  'tagsall',
];

export interface TerraformMapping {
  readonly subject: string;
  readonly line?: number | undefined;
  readonly values: Readonly<Record<string, unknown>>;
  /** Whether the values are those of a state or plan, with a zero for nothing. */
  readonly hasZeros?: boolean;
}

/** Reads one mapping. */
export function readTerraformMapping(mapping: TerraformMapping): Reading {
  const { subject, line, values } = mapping;
  const given = mapping.hasZeros === true ? withoutZeros(values) : values;
  const tags = given['tags_all'] ?? given['tags'];
  const { spec, notes, holes } = readFields(
    { ...given, ...(tags === undefined ? {} : { tags }) },
    { subject, line, ignored: reported },
  );
  const told: Note[] = [...notes];
  if (mapping.hasZeros === true && isWindowUnsure(values)) {
    const message =
      '`maximumBatchingWindowInSeconds` is 0 or was never set, which the state does not tell apart; it was left out';
    told.push({ kind: 'info', subject, message, line });
  }
  const { uuid, region } = given;
  const comments = [
    ...holes.map((hole) => `${placeholderOf(hole)} stands for ${hole.text}`),
    ...notes.flatMap(({ kind, message }) => (kind === 'refused' ? [message] : [])),
  ];
  const found = {
    subject,
    name: subject.replace(/(?:aws|awscc)_lambda_event_source_mapping[.]/, ''),
    line,
    spec: { ...place(spec, region), ...spec },
    ...(typeof uuid === 'string' && uuid !== '' ? { uuid } : {}),
    comments,
  };
  return { mappings: [found], notes: told };
}

/** The Region of the resource, where the ARN of the source does not tell it. */
function place(spec: Readonly<Record<string, unknown>>, region: unknown): Readonly<Record<string, unknown>> {
  if (typeof region !== 'string' || region === '') return {};
  const source = spec['eventSourceARN'];
  const known = typeof source === 'string' ? parseArn(source)?.region : '';
  return known === '' ? { aws: { region } } : {};
}

/** Whole numbers whose 0 is no value of AWS's, or its default for every source. */
const meaningless = new Set([
  'batchsize',
  'maximumbatchingwindowinseconds',
  'maximumrecordageinseconds',
  'parallelizationfactor',
  'tumblingwindowinseconds',
  'maximumconcurrency',
  'minimumpollers',
  'maximumpollers',
]);

function withoutZeros(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const hasRetries = ['kinesis', 'dynamodb', 'kafka', undefined].includes(serviceOf(values));
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      const plain = plainName(name);
      if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return [];
      if (value === 0 && (meaningless.has(plain) || (plain === 'maximumretryattempts' && !hasRetries)))
        return [];
      if (value === false && plain === 'bisectbatchonfunctionerror') return [];
      if (Array.isArray(value))
        return [[name, value.map((one: unknown) => (isPlain(one) ? withoutZeros(one) : one))]];
      return [[name, isPlain(value) ? withoutZeros(value) : value]];
    }),
  );
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Unknown);
}

function serviceOf(values: Readonly<Record<string, unknown>>): string | undefined {
  const source = values['event_source_arn'];
  return typeof source === 'string' ? parseArn(source)?.service : undefined;
}

/** For brokers and DocumentDB an unset window is half a second, and 0 another setting. */
function isWindowUnsure(values: Readonly<Record<string, unknown>>): boolean {
  const isSlow = ['kafka', 'mq', 'rds'].includes(serviceOf(values) ?? '');
  const hasServers = Array.isArray(values['self_managed_event_source'])
    ? values['self_managed_event_source'].length > 0
    : false;
  return (isSlow || hasServers) && values['maximum_batching_window_in_seconds'] === 0;
}
