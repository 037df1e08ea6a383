/**
 * Manifests of ACK and Crossplane → mappings. Fields are read by `fields.ts`; this adds what the two keep elsewhere: the
 * UUID, the Region, deletion policies, and references to other objects, which are followed within the same files.
 */
import { parseArn } from '../api/arn.ts';
import { isRecord } from '../api/structure.ts';
import { readYaml } from '../api/yaml.ts';
import { SluiceError, never } from '../lib/errors.ts';
import { plainName, readFields } from './fields.ts';
import { concat, holeOr, placeholderName, type Note, type Reading, type Settings } from './model.ts';
import { placeholderOf } from './placeholders.ts';

type Members = Readonly<Record<string, unknown>>;

interface Resource {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly value: Members;
  readonly line: number;
}

/** What an object that is referred to stands for: service, where its name is, and what comes before it in the ARN. */
const referred: Readonly<
  Record<string, readonly [service: string, names: readonly string[], prefix: string]>
> = {
  Queue: ['sqs', ['queueName', 'name'], ''],
  Stream: ['kinesis', ['name'], 'stream/'],
  Topic: ['sns', ['name'], ''],
  Bucket: ['s3', ['name', 'bucket'], ''],
};

/** Reads one file; `all` are the texts of the files given together. */
export function readKubernetes(text: string, settings: Settings, all: readonly string[]): Reading {
  const others = all.flatMap(resourcesOf);
  const readings = resourcesOf(text).map((resource) => readResource(resource, others, settings));
  return {
    mappings: readings.flatMap(({ mappings }) => mappings),
    notes: readings.flatMap(({ notes }) => notes),
  };
}

function resourcesOf(text: string): readonly Resource[] {
  return readYaml(text).flatMap((document): readonly Resource[] => {
    if (document.kind === 'unreadable') {
      const [fault] = document.faults;
      throw new SluiceError('InvalidSpec', `line ${fault?.line ?? 1}: ${fault?.message ?? ''}`, never);
    }
    const { value, lineOf } = document;
    const items =
      isRecord(value) && value['kind'] === 'List' && Array.isArray(value['items']) ? value['items'] : [value];
    return items.flatMap((item: unknown, index): readonly Resource[] => {
      if (!isRecord(item) || typeof item['apiVersion'] !== 'string' || typeof item['kind'] !== 'string')
        return [];
      const metadata = isRecord(item['metadata']) ? item['metadata'] : {};
      const name = textOf(metadata['name']) ?? textOf(metadata['generateName']) ?? 'mapping';
      const line = lineOf(items.length > 1 ? ['items', index] : []);
      return [{ group: item['apiVersion'].split('/')[0] ?? '', kind: item['kind'], name, value: item, line }];
    });
  });
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
const nothing: Reading = { mappings: [], notes: [] };

function readResource(resource: Resource, others: readonly Resource[], settings: Settings): Reading {
  const { group, kind, name: subject, line } = resource;
  const only = (noteKind: Note['kind'], message: string): Reading => ({
    mappings: [],
    notes: [{ kind: noteKind, subject, message, line }],
  });
  if (group === 'services.k8s.aws' && kind === 'AdoptedResource')
    return only('info', 'an AdoptedResource brings its object into the cluster: import that one');
  if (group === 'apiextensions.crossplane.io' && kind === 'Composition')
    return only('info', 'a Composition may make mappings: import what it made, from the cluster');
  if (kind !== 'EventSourceMapping') return nothing;
  if (group === 'lambda.services.k8s.aws') return readAck(resource, others, settings);
  if (/^lambda[.]aws[.].*(upbound[.]io|crossplane[.]io)$/.test(group))
    return readCrossplane(resource, others, settings);
  if (group === 'sluice.dev') return only('info', 'it is a mapping of Sluice already');
  return only('refused', `an EventSourceMapping of ${group} is not known`);
}

const metadataOf = ({ value }: Resource): Members => (isRecord(value['metadata']) ? value['metadata'] : {});
const annotationsOf = (resource: Resource): Members => {
  const { annotations } = metadataOf(resource);
  return isRecord(annotations) ? annotations : {};
};
const partOf = (value: unknown, name: string): Members => {
  const part = isRecord(value) ? value[name] : undefined;
  return isRecord(part) ? part : {};
};

function readAck(resource: Resource, others: readonly Resource[], settings: Settings): Reading {
  const spec = partOf(resource.value, 'spec');
  const annotations = annotationsOf(resource);
  const { functionRef, eventSourceRef, queueRefs, ...fields } = spec;
  const follow = (reference: unknown, kinds: readonly string[]): unknown =>
    followed(textOf(partOf(reference, 'from')['name']), kinds, others, settings);
  const queues = Array.isArray(queueRefs) ? queueRefs.map((one) => follow(one, [])) : [];
  const members = {
    ...fields,
    ...(functionRef === undefined ? {} : { functionName: follow(functionRef, ['Function']) }),
    ...(eventSourceRef === undefined
      ? {}
      : { eventSourceARN: follow(eventSourceRef, Object.keys(referred)) }),
    ...(queues.length === 0 ? {} : { queues }),
  };
  const uuid = textOf(partOf(resource.value, 'status')['uuid']) ?? adoptionUuid(annotations);
  return finish(resource, members, {
    uuid,
    region: textOf(annotations['services.k8s.aws/region']),
    isRetained: annotations['services.k8s.aws/deletion-policy'] === 'retain',
    isObserved: annotations['services.k8s.aws/read-only'] === 'true',
    notes: [],
  });
}

function adoptionUuid(annotations: Members): string | undefined {
  try {
    const fields: unknown = JSON.parse(textOf(annotations['services.k8s.aws/adoption-fields']) ?? '{}');
    return isRecord(fields) ? textOf(fields['uuid']) : undefined;
  } catch {
    return undefined;
  }
}

function readCrossplane(resource: Resource, others: readonly Resource[], settings: Settings): Reading {
  const spec = partOf(resource.value, 'spec');
  const given = { ...partOf(spec, 'initProvider'), ...partOf(spec, 'forProvider') };
  const notes: Note[] = [];
  const note = (kind: Note['kind'], message: string): void => {
    notes.push({ kind, subject: resource.name, message, line: resource.line });
  };
  const members: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const target = /^(.*)(Ref|Selector)$/.exec(name);
    if (target === null) {
      if (name !== 'region' && name !== 'tagsAll') members[name] = value;
      continue;
    }
    const [, field = '', how] = target;
    if (given[field] !== undefined || (how === 'Selector' && given[`${field}Ref`] !== undefined)) continue;
    const kinds = plainName(field) === 'functionname' ? ['Function', 'Alias'] : Object.keys(referred);
    const labels = JSON.stringify(partOf(value, 'matchLabels'));
    members[field] =
      how === 'Ref'
        ? followed(textOf(isRecord(value) ? value['name'] : undefined), kinds, others, settings)
        : holeOr(
            { name: placeholderName(field), text: `${field} of the object with labels ${labels}` },
            settings,
          );
  }
  const provider = textOf(partOf(spec, 'providerConfigRef')['name']);
  if (provider !== undefined && provider !== 'default')
    note(
      'info',
      `its provider config is ${provider}: account and identity are \`aws\` of the mapping or its class here`,
    );
  const policies = spec['managementPolicies'];
  const external = textOf(annotationsOf(resource)['crossplane.io/external-name']);
  if (annotationsOf(resource)['crossplane.io/paused'] === 'true')
    note('info', 'it is paused; set `sluice.dev/paused: reconcile` if it is to stay so');
  return finish(resource, members, {
    uuid: external ?? textOf(partOf(partOf(resource.value, 'status'), 'atProvider')['uuid']),
    region: textOf(given['region']),
    isRetained:
      spec['deletionPolicy'] === 'Orphan' ||
      (Array.isArray(policies) && !policies.includes('*') && !policies.includes('Delete')),
    isObserved: Array.isArray(policies) && policies.length === 1 && policies[0] === 'Observe',
    notes,
  });
}

interface Around {
  readonly uuid: string | undefined;
  readonly region: string | undefined;
  readonly isRetained: boolean;
  readonly isObserved: boolean;
  readonly notes: readonly Note[];
}

function finish(resource: Resource, members: Members, around: Around): Reading {
  const { name: subject, line } = resource;
  const { spec, notes, holes } = readFields(members, { subject, line });
  const source = spec['eventSourceARN'];
  const needsRegion = typeof source !== 'string' || parseArn(source)?.region === '';
  const uuid = around.uuid !== undefined && isUuid.test(around.uuid) ? around.uuid : undefined;
  const found = {
    subject,
    line,
    namespace: textOf(metadataOf(resource)['namespace']),
    uuid,
    spec: {
      ...(around.isObserved ? { managementPolicy: 'Observe' } : {}),
      ...(around.isRetained ? { deletionPolicy: 'Retain' } : {}),
      ...(needsRegion && around.region !== undefined ? { aws: { region: around.region } } : {}),
      ...spec,
    },
    comments: [
      ...holes.map((hole) => `${placeholderOf(hole)} stands for ${hole.text}`),
      ...notes.flatMap(({ kind, message }) => (kind === 'refused' ? [message] : [])),
    ],
  };
  return { mappings: [found], notes: [...around.notes, ...notes] };
}

const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The function or source that a reference means, as far as the files tell. */
function followed(
  name: string | undefined,
  kinds: readonly string[],
  others: readonly Resource[],
  settings: Settings,
): unknown {
  const text = `the object ${name ?? ''} that it refers to`;
  if (name === undefined) return undefined;
  const set = settings.get(name);
  if (set !== undefined) return set;
  const target = others.find((one) => one.name === name && kinds.includes(one.kind));
  if (target === undefined) return holeOr({ name: placeholderName(name), text }, settings);
  const spec = partOf(target.value, 'spec');
  const fields = { ...spec, ...partOf(spec, 'forProvider') };
  const external = textOf(annotationsOf(target)['crossplane.io/external-name']);
  const isCrossplane = isRecord(spec['forProvider']);
  if (target.kind === 'Function')
    return external ?? textOf(fields['name']) ?? (isCrossplane ? name : undefined);
  const [service = '', names = [], prefix = ''] = referred[target.kind] ?? [];
  const named = names.map((key) => textOf(fields[key])).find((one) => one !== undefined);
  const fifo = fields['fifoQueue'] === true || fields['fifoQueue'] === 'true';
  const known = named ?? (isCrossplane && service !== 'sqs' ? (external ?? name) : undefined);
  return known === undefined
    ? holeOr({ name: placeholderName(name), text, service, fifo }, settings)
    : concat([`arn:aws:${service}:::${prefix}`, known]);
}
