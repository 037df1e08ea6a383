/** Metadata of a mapping, and the field that is refused, if any. */
export interface MetadataCase {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly field?: string;
}

export const metadataCases: readonly MetadataCase[] = [
  { metadata: {} },
  { metadata: { creationTimestamp: null, labels: null, annotations: null } },
  { metadata: { labels: { app: '', 'example.com/a_b.c': 'x-Y.z_1', none: null } } },
  { metadata: { annotations: { 'Example.com/Note': 'any text: ü \n 語' } } },
  { metadata: { lables: { a: 'b' } }, field: 'metadata.lables' },
  { metadata: { name: 'Orders' }, field: 'metadata.name' },
  { metadata: { labels: ['a'] }, field: 'metadata.labels' },
  { metadata: { labels: { app: 1 } }, field: 'metadata.labels.app' },
  { metadata: { labels: { app: 'a b' } }, field: 'metadata.labels.app' },
  { metadata: { labels: { app: '-a' } }, field: 'metadata.labels.app' },
  { metadata: { labels: { app: 'a'.repeat(64) } }, field: 'metadata.labels.app' },
  { metadata: { labels: { 'a/b/c': 'x' } }, field: 'metadata.labels["a/b/c"]' },
  { metadata: { labels: { 'Example.com/a': 'x' } }, field: 'metadata.labels["Example.com/a"]' },
  { metadata: { annotations: { on: true } }, field: 'metadata.annotations.on' },
  { metadata: { annotations: { 'a b': 'x' } }, field: 'metadata.annotations["a b"]' },
  { metadata: { annotations: { big: 'ü'.repeat(131_072) } }, field: 'metadata.annotations' },
];
