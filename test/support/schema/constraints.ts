/**
 * Every constraint of a kind's schema, one by one: what the list test demands cases for. Found by walking the
 * schema that the CRD holds, so that a new field cannot be forgotten.
 */
import { openApiSchema, type KindDefinition } from '../../../src/api/crd.ts';
import type { SchemaNode } from '../../../src/api/schema.ts';

export interface Constraint {
  readonly kind: KindDefinition;
  /** `spec.filterCriteria.filters[].pattern`; `[]` for items, `{}` for values of a map. */
  readonly path: readonly string[];
  readonly keyword: string;
  readonly node: SchemaNode;
  /** For `required`: the field. */
  readonly field?: string;
}

/** Unique text of a constraint, also the name of its test. */
export function constraintId({ kind, path, keyword, field }: Constraint): string {
  return `${kind.name.kind} ${path.join('.')} ${keyword}${field === undefined ? '' : ` ${field}`}`;
}

const keywords = [
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
] as const;

/** The constraints of a kind; CEL rules are listed by `kind.rules`. */
export function constraintsOf(kind: KindDefinition): readonly Constraint[] {
  const { properties = {}, required = [] } = openApiSchema(kind);
  const root: SchemaNode = { type: 'object', required, properties: withoutTypeMeta(properties) };
  return walk(kind, root, []);
}

function withoutTypeMeta(
  properties: Readonly<Record<string, SchemaNode>>,
): Readonly<Record<string, SchemaNode>> {
  return Object.fromEntries(
    Object.entries(properties).filter(([name]) => !['apiVersion', 'kind', 'metadata'].includes(name)),
  );
}

function walk(kind: KindDefinition, node: SchemaNode, path: readonly string[]): readonly Constraint[] {
  const own =
    path.length === 0 ? [] : constraintsOfNode(node).map((keyword) => ({ kind, path, keyword, node }));
  const required = (node.required ?? []).map((field) => ({ kind, path, keyword: 'required', node, field }));
  const children = Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    walk(kind, child, [...path, name]),
  );
  const items = node.items === undefined ? [] : walk(kind, node.items, [...path, '[]']);
  const values =
    node.additionalProperties === undefined ? [] : walk(kind, node.additionalProperties, [...path, '{}']);
  return [...own, ...required, ...children, ...items, ...values];
}

function constraintsOfNode(node: SchemaNode): readonly string[] {
  const found: string[] = ['type', ...keywords.filter((keyword) => node[keyword] !== undefined)];
  if (node.properties !== undefined && node['x-kubernetes-preserve-unknown-fields'] !== true)
    found.push('unknown field');
  if (node.format === 'date-time') found.push('format');
  // Where a maximum is set, it is the tighter one.
  if (node.format === 'int32' && node.maximum === undefined) found.push('format');
  const list = node['x-kubernetes-list-type'];
  if (list === 'set' || list === 'map') found.push('list-type');
  return found;
}
