/**
 * What the API server says of an object's metadata under strict field validation: unknown fields, names, labels and
 * annotations. Pure. It knows nothing of owners and times, which nobody writes by hand.
 */
import { foundText, nearest, pathText, type Finding, type Path } from './problem.ts';
import { isRecord } from './structure.ts';

/** Fields of ObjectMeta. */
const fields: readonly string[] = [
  'name',
  'generateName',
  'namespace',
  'labels',
  'annotations',
  'finalizers',
  'ownerReferences',
  'managedFields',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'resourceVersion',
  'selfLink',
  'uid',
];

const objectName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const labelName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const keyName = /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const maximumAnnotationBytes = 256 * 1024;

/** Every problem of `metadata`; paths begin with it. */
export function checkMetadata(metadata: Readonly<Record<string, unknown>>): readonly Finding[] {
  return [
    ...unknownFields(metadata),
    ...nameFindings(metadata),
    ...namespaceFindings(metadata['namespace']),
    ...texts('labels', metadata['labels']),
    ...texts('annotations', metadata['annotations']),
  ];
}

function unknownFields(metadata: Readonly<Record<string, unknown>>): readonly Finding[] {
  return Object.keys(metadata)
    .filter((name) => !fields.includes(name))
    .map((name) => {
      const path = ['metadata', name];
      const meant = nearest(name, fields);
      const hint = meant === undefined ? '' : `; did you mean \`${meant}\`?`;
      return { path, message: `\`${pathText(path)}\` is not a known field${hint}`, atKey: true };
    });
}

function nameFindings(metadata: Readonly<Record<string, unknown>>): readonly Finding[] {
  const path = ['metadata', 'name'];
  const { name } = metadata;
  if (name === undefined && typeof metadata['generateName'] === 'string') return [];
  if (name === undefined) return [{ path, message: '`metadata.name` must be set' }];
  if (typeof name === 'string' && name.length <= 253 && objectName.test(name)) return [];
  const message = '`metadata.name` must be a DNS subdomain: at most 253 of a-z, 0-9, - and .';
  return [{ path, message, found: foundText(name) }];
}

function namespaceFindings(namespace: unknown): readonly Finding[] {
  // Null and the empty text leave it to kubectl.
  if (namespace === undefined || namespace === null || namespace === '') return [];
  if (typeof namespace === 'string' && namespace.length <= 63 && labelName.test(namespace)) return [];
  const message = '`metadata.namespace` must be a DNS label: at most 63 of a-z, 0-9 and -';
  return [{ path: ['metadata', 'namespace'], message, found: foundText(namespace) }];
}

function texts(field: 'labels' | 'annotations', value: unknown): readonly Finding[] {
  const at: Path = ['metadata', field];
  if (value === undefined || value === null) return [];
  if (!isRecord(value))
    return [{ path: at, message: `\`${pathText(at)}\` must be an object`, found: foundText(value) }];
  const findings = Object.entries(value).flatMap(([key, text]): readonly Finding[] => {
    const path = [...at, key];
    const named = `\`${pathText(path)}\``;
    if (!isQualified(field === 'annotations' ? key.toLowerCase() : key))
      return [{ path, message: `${named} must have a key of the form PREFIX/NAME or NAME`, atKey: true }];
    // The API server takes null for an empty text.
    if (text === null) return [];
    if (typeof text !== 'string')
      return [{ path, message: `${named} must be a text; put it in quotes`, found: foundText(text) }];
    if (field === 'annotations' || text === '' || (text.length <= 63 && keyName.test(text))) return [];
    const message = `${named} must have at most 63 letters, digits, -, _ and ., and begin and end with a letter or digit`;
    return [{ path, message, found: foundText(text) }];
  });
  const bytes = Object.entries(value).reduce(
    (sum, [key, text]) =>
      sum + Buffer.byteLength(key) + Buffer.byteLength(typeof text === 'string' ? text : ''),
    0,
  );
  if (field === 'labels' || bytes <= maximumAnnotationBytes) return findings;
  return [...findings, { path: at, message: `\`${pathText(at)}\` must have at most 256 KiB in all` }];
}

/** `name`, or `dns.subdomain/name`. The API server looks at annotations without regard to case. */
function isQualified(key: string): boolean {
  const parts = key.split('/');
  const name = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? parts[0] : undefined;
  if (parts.length > 2 || name.length > 63 || !keyName.test(name)) return false;
  return prefix === undefined || (prefix.length <= 253 && objectName.test(prefix));
}
