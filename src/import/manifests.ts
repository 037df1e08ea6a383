/**
 * From mappings that a reader found to manifests: names, mode, adoption, and the verdict of `sluice validate`. A mapping
 * that would not be valid is not given as a manifest but as a comment with the reasons: nothing is dropped. Pure.
 */
import { stringify } from 'yaml';
import { checkObject, checkSpec, kindNamed } from '../api/check.ts';
import type { EventSourceMapping, EventSourceMappingSpec } from '../api/mapping.ts';
import { annotations, apiVersion } from '../api/meta.ts';
import { compileFilterCriteria } from '../filter/filter-criteria.ts';
import type { FoundMapping, Note, Reading } from './model.ts';

export interface ManifestOptions {
  readonly namespace?: string | undefined;
  readonly className?: string | undefined;
  /** `adoptionPolicy` of every manifest. */
  readonly adoption: 'IfExists' | 'Never';
}

/** One mapping as a manifest, and why it must not be applied, if so. */
export interface Manifest {
  readonly subject: string;
  readonly object: EventSourceMapping;
  readonly comments: readonly string[];
  readonly problems: readonly string[];
}

export interface Manifests {
  readonly manifests: readonly Manifest[];
  readonly notes: readonly Note[];
}

/** Makes the manifests of what was read, in its order. */
export function makeManifests(reading: Reading, options: ManifestOptions): Manifests {
  const notes = [...reading.notes];
  const taken = new Set<string>();
  const manifests = reading.mappings.map((found): Manifest => {
    const name = freeName(objectName(found.name ?? found.subject), taken);
    const object = manifestOf(found, name, options);
    const problems = problemsOf(object);
    for (const message of problems)
      notes.push({ kind: 'refused', subject: found.subject, message, line: found.line });
    return {
      subject: found.subject,
      object,
      comments: found.comments ?? [],
      problems: [...problems, ...(found.withheld ?? [])],
    };
  });
  return { manifests, notes };
}

function manifestOf(found: FoundMapping, name: string, options: ManifestOptions): EventSourceMapping {
  const { aws, managementPolicy, deletionPolicy, ...fields } = found.spec;
  const namespace = options.namespace ?? found.namespace;
  const spec = {
    mode: 'Managed',
    ...(options.className === undefined ? {} : { className: options.className }),
    ...(options.adoption === 'Never' ? {} : { adoptionPolicy: options.adoption }),
    ...(managementPolicy === undefined ? {} : { managementPolicy }),
    ...(deletionPolicy === undefined ? {} : { deletionPolicy }),
    ...(aws === undefined ? {} : { aws }),
    ...fields,
  };
  return {
    apiVersion,
    kind: 'EventSourceMapping',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(found.uuid === undefined || options.adoption === 'Never'
        ? {}
        : { annotations: { [annotations.adoptUUID]: found.uuid } }),
    },
    // `problemsOf` tells what a reader put in that does not fit; nobody else uses such an object.
    spec: spec as unknown as EventSourceMappingSpec,
  };
}

function problemsOf(object: EventSourceMapping): readonly string[] {
  const kind = kindNamed('EventSourceMapping');
  if (kind === undefined) return [];
  const { fits, findings } = checkObject(kind, object);
  const more = fits ? checkSpec(object.spec, { patternProblem }) : [];
  return [...findings, ...more].map(({ message, found }) =>
    found === undefined || message.includes(found) ? message : `${message}; found ${found}`,
  );
}

function patternProblem(pattern: string): string | undefined {
  const result = compileFilterCriteria([pattern]);
  return result.ok ? undefined : result.problems.map(({ error }) => error.message).join('; ');
}

/** A name that Kubernetes takes: `OrdersFunction.MyQueue` is `orders-function-my-queue`. */
export function objectName(text: string): string {
  const words = text
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63);
  return words.replaceAll(/^-+|-+$/g, '') || 'mapping';
}

function freeName(name: string, taken: Set<string>): string {
  let free = name;
  for (let count = 2; taken.has(free); count++) free = `${name.slice(0, 58)}-${count}`;
  taken.add(free);
  return free;
}

/** The manifests as YAML documents; `header` lines begin the text as comments. */
export function manifestsYaml(manifests: readonly Manifest[], header: readonly string[]): string {
  const documents = manifests.map(({ object, comments, problems }) => {
    const text = stringify(object, { lineWidth: 0 });
    if (problems.length === 0) return `${asComment(comments)}${text}`;
    const why = [
      'Not to be applied as it is, and therefore a comment:',
      ...problems.map((one) => `- ${one}`),
    ];
    return asComment([...why, ...comments, ...text.trimEnd().split('\n')]);
  });
  return `${asComment(header)}---\n${documents.join('---\n')}`;
}

/** The valid manifests as a List in JSON. */
export function manifestsJson(manifests: readonly Manifest[]): string {
  const items = manifests.filter(({ problems }) => problems.length === 0).map(({ object }) => object);
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2)}\n`;
}

const asComment = (lines: readonly string[]): string =>
  lines.map((line) => `# ${line.replaceAll(/[\r\n]+/g, ' ')}`.trimEnd() + '\n').join('');
