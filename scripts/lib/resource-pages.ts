/** Reference pages of the resources: every field with type, bounds, default, sources, and every rule. */
import { kinds, openApiSchema, type KindDefinition } from '../../src/api/crd.ts';
import { annotations, apiVersion } from '../../src/api/meta.ts';
import { defaultClassAnnotation } from '../../src/api/class.ts';
import type { SchemaNode } from '../../src/api/schema.ts';
import { cell, heading, page, table } from './markdown.ts';
import type { GeneratedFile } from './generated.ts';

/** Kinds that users write; the other two are written by pollers. */
const written = ['EventSourceMapping', 'MappingClass'];

export function resourcePages(): readonly GeneratedFile[] {
  return kinds
    .filter((kind) => written.includes(kind.name.kind))
    .map((kind) => ({ path: `docs/reference/${kind.name.singular}.md`, text: resourcePage(kind) }));
}

function resourcePage(kind: KindDefinition): string {
  const { name } = kind;
  const schema = openApiSchema(kind);
  const parts = Object.entries(schema.properties ?? {}).filter(
    ([part]) => part === 'spec' || part === 'status',
  );
  const short = name.shortNames.length === 0 ? '' : ` Short name: \`${name.shortNames.join('`, `')}\`.`;
  return page(
    name.kind,
    `${schema.description ?? ''}\n\n\`apiVersion: ${apiVersion}\`, ${name.namespaced ? 'namespaced' : 'cluster-scoped'}. ` +
      `Full name for kubectl: \`${name.plural}.sluice.dev\`.${short} Category: \`sluice\`.`,
    annotationPart(kind),
    ...parts.flatMap(([part, node]) => [
      heading(`\`${part}\``),
      node.description ?? '',
      table(['Field', 'Type', 'Meaning'], rows(node, part)),
    ]),
    heading('Rules'),
    'The API server and `sluice validate` refuse an object that breaks one of them.',
    table(
      ['Field', 'Rule'],
      kind.rules.map((rule) => [`\`${rule.at}${rule.fieldPath ?? ''}\``, cell(rule.message)]),
    ),
    ...columnPart(kind),
  );
}

function annotationPart(kind: KindDefinition): string {
  const rowsOf: Readonly<Record<string, readonly string[][]>> = {
    EventSourceMapping: [
      [
        `\`${annotations.paused}\``,
        '`reconcile`: nothing is changed. `delivery`: no record is taken either. Deletion works all the same.',
      ],
      [
        `\`${annotations.requestedAt}\``,
        'Any new value asks for one pass; echoed in `status.lastHandledReconcileAt`.',
      ],
      [
        `\`${annotations.adoptUUID}\``,
        'UUID of the AWS mapping to adopt where source and function do not name exactly one.',
      ],
      [
        `\`${annotations.confirmDeletion}\``,
        '`true` lets a deletion go on that is held, since many mappings were deleted at once.',
      ],
      [`\`${annotations.forceFinalize}\``, '`true` gives the AWS mapping up and lets the object go.'],
    ],
    MappingClass: [
      [
        `\`${defaultClassAnnotation}\``,
        '`true`: serves mappings without `className`. At most one class has it.',
      ],
    ],
  };
  return `${heading('Annotations')}\n\n${table(['Annotation', 'Meaning'], rowsOf[kind.name.kind] ?? [])}`;
}

function columnPart(kind: KindDefinition): readonly string[] {
  const fields = kind.selectable.map((path) => `\`${path.slice(1)}\``).join(', ');
  return [
    heading('Columns of `kubectl get`'),
    table(
      ['Column', 'Shows'],
      kind.columns.map((column) => [
        `${column.name}${column.priority === 1 ? ' (with `-o wide`)' : ''}`,
        cell(column.description),
      ]),
    ),
    ...(fields === '' ? [] : [`Field selectors: ${fields}.`]),
  ];
}

function rows(node: SchemaNode, path: string): string[][] {
  const required = new Set(node.required ?? []);
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const at = path === 'spec' || path === 'status' ? name : `${path}.${name}`;
    const must = required.has(name) ? '**Required.** ' : '';
    return [[`\`${at}\``, typeText(child), must + cell(child.description ?? '')], ...below(child, at)];
  });
}

function below(node: SchemaNode, at: string): string[][] {
  if (node.items !== undefined) return rows(node.items, `${at}[]`);
  if (node.additionalProperties !== undefined) return rows(node.additionalProperties, `${at}.*`);
  return rows(node, at);
}

function typeText(node: SchemaNode): string {
  if (node['x-kubernetes-int-or-string'] === true) return 'integer or string';
  if (node.type === 'array') return `list of ${node.items === undefined ? 'values' : typeText(node.items)}`;
  if (node.additionalProperties !== undefined) return `map of ${typeText(node.additionalProperties)}`;
  return node.format === 'date-time' ? 'time' : (node.type ?? 'any');
}
