/**
 * Live mappings as AWS describes them → mappings of ours. What AWS fills in by itself is left out, so that a manifest
 * says what somebody chose; leaving it out means the same. Tells who else owns a mapping, and which are orphans. Pure.
 */
import { parseArn, parseFunctionName } from '../api/arn.ts';
import { isRecord } from '../api/structure.ts';
import { readFields } from './fields.ts';
import type { FoundMapping, Note, Reading } from './model.ts';

/** A mapping as AWS describes it: a member of what ListEventSourceMappings and GetEventSourceMapping return. */
export type Configuration = Readonly<Record<string, unknown>>;

export interface LiveMapping {
  readonly configuration: Configuration;
  /** Its tags; undefined where they were not read. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** What of it is gone; empty where nothing is, or where nobody looked. */
  readonly gone: readonly ('function' | 'source')[];
}

/** Who owns a mapping, by its tags. */
export type Owner =
  | { readonly kind: 'sluice'; readonly name: string }
  /** Another tool, and what it calls the mapping. */
  | { readonly kind: 'other'; readonly tool: string; readonly name: string }
  | { readonly kind: 'nobody' };

/** The owner that the tags name. */
export function ownerOf(tags: Readonly<Record<string, string>>): Owner {
  const tag = (key: string): string | undefined => (Object.hasOwn(tags, key) ? tags[key] : undefined);
  const cluster = tag('sluice.dev/cluster');
  if (cluster !== undefined)
    return {
      kind: 'sluice',
      name: `${tag('sluice.dev/namespace') ?? '?'}/${tag('sluice.dev/name') ?? '?'} of cluster ${cluster}`,
    };
  const stack = tag('aws:cloudformation:stack-name');
  if (stack !== undefined) {
    const logical = tag('aws:cloudformation:logical-id');
    return { kind: 'other', tool: 'CloudFormation', name: `${logical ?? 'a resource'} of stack ${stack}` };
  }
  if (tag('services.k8s.aws/controller-version') !== undefined)
    return {
      kind: 'other',
      tool: 'ACK',
      name: `an object of namespace ${tag('services.k8s.aws/namespace') ?? '?'}`,
    };
  const crossplane = tag('crossplane-name');
  if (crossplane !== undefined) return { kind: 'other', tool: 'Crossplane', name: crossplane };
  // Neither has a tag of its own, but these are what their users set.
  for (const [key, value] of Object.entries(tags)) {
    const text = `${key}=${value}`;
    const tool = /terraform|opentofu|pulumi/i.exec(text)?.[0];
    if (tool !== undefined) return { kind: 'other', tool, name: `the tag ${text}` };
  }
  return { kind: 'nobody' };
}

/** Reads live mappings, grouped by function. */
export function readLive(live: readonly LiveMapping[]): Reading {
  const readings = live
    .map((one) => ({ one, subject: subjectOf(one.configuration) }))
    .toSorted((left, right) => compare(left.subject, right.subject))
    .map(({ one, subject }) => readOne(one, subject));
  return {
    mappings: readings.flatMap(({ mappings }) => mappings),
    notes: readings.flatMap(({ notes }) => notes),
  };
}

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

const textOf = (configuration: Configuration, name: string): string => {
  const value = configuration[name];
  return typeof value === 'string' ? value : '';
};

/** Function and source in short, which also names the object. */
function subjectOf(configuration: Configuration): string {
  const target = parseFunctionName(textOf(configuration, 'FunctionArn'));
  const arn = parseArn(textOf(configuration, 'EventSourceArn'));
  const qualifier = target?.qualifier === undefined ? '' : `:${target.qualifier}`;
  const source = arn === undefined ? 'kafka' : sourceName(arn.service, arn.resource);
  const detail = [configuration['Topics'], configuration['Queues']].flatMap((list) =>
    Array.isArray(list) ? list.map(String) : [],
  );
  return [`${target?.name ?? 'function'}${qualifier}`, source, ...detail].join('/');
}

function sourceName(service: string, resource: string): string {
  if (service === 'dynamodb') return resource.split('/')[1] ?? resource;
  if (service === 'mq') return resource.split(':')[1] ?? resource;
  if (service === 'kafka') return resource.split('/')[1] ?? resource;
  return resource.replace(/^(?:stream\/|cluster:)/, '').replace(/\/consumer\/([^:]*).*$/, '/$1');
}

function readOne({ configuration, tags, gone }: LiveMapping, subject: string): Reading {
  const uuid = textOf(configuration, 'UUID');
  const state = textOf(configuration, 'State');
  const notes: Note[] = [];
  const note = (kind: Note['kind'], message: string): void => {
    notes.push({ kind, subject, message });
  };
  if (state === 'Deleting') {
    note('info', `${uuid} is being deleted`);
    return { mappings: [], notes };
  }
  const owner = ownerOf(tags ?? {});
  if (owner.kind === 'sluice') {
    note('info', `${uuid} is Sluice's already: ${owner.name}`);
    return { mappings: [], notes };
  }
  const fields = readFields(membersOf(configuration, tags), { subject, ignored: reported });
  notes.push(...fields.notes);
  const comments = [uuid];
  const say = (kind: Note['kind'], message: string): void => {
    note(kind, `${uuid} ${message}`);
    comments.push(`It ${message}`);
  };
  if (owner.kind === 'other')
    say('owned', `belongs to ${owner.tool}: ${owner.name}; take it out of its hands before you apply`);
  const error = configuration['FilterCriteriaError'];
  if (isRecord(error)) say('refused', `has filters that may not be read: ${textOf(error, 'Message')}`);
  const reason = textOf(configuration, 'StateTransitionReason');
  if (state.startsWith('Disabl') && !/^(?:user action|user_initiated|)$/i.test(reason))
    say('info', `was switched off by AWS: ${reason}`);
  const result = textOf(configuration, 'LastProcessingResult');
  if (result.startsWith('PROBLEM')) say('info', `does not work: ${result}`);
  const withheld = gone.map((what) => `the ${what} does not exist`);
  for (const why of withheld) note('orphan', `${uuid} is an orphan: ${why}`);
  const mapping: FoundMapping = { subject, uuid, spec: fields.spec, comments, withheld };
  return { mappings: [mapping], notes };
}

/** Members that say how the mapping stands, or that are read otherwise, in the plain form of `plainName`. */
const reported = [
  'uuid',
  'eventsourcemappingarn',
  'filtercriteriaerror',
  'functionarn',
  'lastmodified',
  'lastprocessingresult',
  'state',
  'statetransitionreason',
];

function membersOf(
  configuration: Configuration,
  tags: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, unknown>> {
  const service = parseArn(textOf(configuration, 'EventSourceArn'))?.service ?? 'self';
  const uuid = textOf(configuration, 'UUID');
  const userTags = Object.entries(tags ?? {}).filter(([key]) => !/^(?:aws:|sluice[.]dev\/)/.test(key));
  const members: Record<string, unknown> = {
    FunctionName: configuration['FunctionArn'],
    ...(textOf(configuration, 'State').startsWith('Disabl') ? { Enabled: false } : {}),
    ...(userTags.length === 0 ? {} : { Tags: Object.fromEntries(userTags) }),
  };
  for (const [name, value] of Object.entries(configuration)) {
    if (isDefault(name, value, service) || isEmpty(value)) continue;
    members[name] = isRecord(value) && !(value instanceof Date) ? withoutUuid(value, uuid) : value;
  }
  return members;
}

/** AWS fills the consumer group in with the UUID where nobody chose one. */
function withoutUuid(value: Readonly<Record<string, unknown>>, uuid: string): unknown {
  const { ConsumerGroupId: group, ...rest } = value;
  if (group !== uuid) return value;
  return Object.keys(rest).length === 0 ? undefined : rest;
}

const streams = ['kinesis', 'dynamodb'];

/** What AWS returns where nobody set anything and clears a field to. */
function isDefault(name: string, value: unknown, service: string): boolean {
  switch (name) {
    case 'BatchSize':
      return value === (service === 'sqs' ? 10 : 100);
    case 'MaximumBatchingWindowInSeconds':
      // For brokers and DocumentDB an absent window is half a second, and 0 was chosen.
      return value === 0 && [...streams, 'sqs'].includes(service);
    case 'MaximumRetryAttempts':
    case 'MaximumRecordAgeInSeconds':
      return value === -1;
    case 'ParallelizationFactor':
      return value === 1;
    case 'TumblingWindowInSeconds':
      return value === 0;
    case 'BisectBatchOnFunctionError':
      return value === false;
    default:
      return false;
  }
}

/** Lists and objects with nothing in them, however deep: `{OnFailure: {}}`. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isRecord(value) && !(value instanceof Date) && Object.values(value).every(isEmpty);
}
