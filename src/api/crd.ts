/**
 * CustomResourceDefinitions from the schemas and rules. Pure; `scripts/generate.ts` writes them to `crds/`.
 */
import { checkpointSchema } from './checkpoint.ts';
import { classSchema } from './class.ts';
import { mappingSchema } from './mapping.ts';
import { group, resources, version, type ResourceName } from './meta.ts';
import type { Rule } from './rule.ts';
import { checkpointRules, classRules, mappingRules } from './rules.ts';
import { reportSchema } from './report.ts';
import type { Schema, SchemaNode, ValidationNode } from './schema.ts';

interface Column {
  readonly name: string;
  readonly type: 'string' | 'date' | 'integer';
  readonly jsonPath: string;
  readonly description: string;
  readonly priority?: number;
}

/** A kind with everything that its CRD is made of. */
export interface KindDefinition {
  readonly name: ResourceName;
  readonly schema: Schema<unknown>;
  readonly rules: readonly Rule[];
  readonly columns: readonly Column[];
  readonly selectable: readonly string[];
  readonly status: boolean;
}

const condition = (type: string, field: string): string =>
  `.status.conditions[?(@.type=="${type}")].${field}`;
const age: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since creation.',
};

/** Every kind of the group. */
export const kinds: readonly KindDefinition[] = [
  {
    name: resources.mapping,
    schema: mappingSchema,
    rules: mappingRules,
    columns: [
      {
        name: 'Ready',
        type: 'string',
        jsonPath: condition('Ready', 'status'),
        description: 'Is the desired configuration in force.',
      },
      { name: 'Mode', type: 'string', jsonPath: '.spec.mode', description: 'Who runs the mapping.' },
      { name: 'Source', type: 'string', jsonPath: '.status.source', description: 'The event source.' },
      { name: 'Target', type: 'string', jsonPath: '.status.target', description: 'What is invoked.' },
      {
        name: 'State',
        type: 'string',
        jsonPath: '.status.state',
        description: 'State at AWS or in the pollers.',
      },
      age,
      {
        name: 'Reason',
        type: 'string',
        jsonPath: condition('Ready', 'reason'),
        description: 'Why it is, or is not, ready.',
        priority: 1,
      },
      {
        name: 'Message',
        type: 'string',
        jsonPath: condition('Ready', 'message'),
        description: 'The same for a person.',
        priority: 1,
      },
      {
        name: 'UUID',
        type: 'string',
        jsonPath: '.status.mapping.uuid',
        description: 'UUID of the AWS mapping.',
        priority: 1,
      },
    ],
    selectable: ['.spec.mode', '.spec.eventSourceARN', '.spec.functionName', '.spec.className'],
    status: true,
  },
  {
    name: resources.class,
    schema: classSchema,
    rules: classRules,
    columns: [
      { name: 'Pool', type: 'string', jsonPath: '.spec.pool', description: 'The pollers that serve it.' },
      {
        name: 'Identity',
        type: 'string',
        jsonPath: '.spec.aws.identity',
        description: 'As whom AWS is called.',
      },
      age,
    ],
    selectable: [],
    status: false,
  },
  {
    name: resources.checkpoint,
    schema: checkpointSchema,
    rules: checkpointRules,
    columns: [
      { name: 'Checkpoint', type: 'string', jsonPath: '.checkpoint.name', description: 'Checkpoint name.' },
      {
        name: 'Slot',
        type: 'integer',
        jsonPath: '.checkpoint.slot',
        description: 'Slot that owns the lanes.',
      },
      { name: 'Epoch', type: 'integer', jsonPath: '.checkpoint.epoch', description: 'Epoch of the slot.' },
      age,
    ],
    selectable: ['.checkpoint.name'],
    status: false,
  },
  {
    name: resources.report,
    schema: reportSchema,
    rules: [],
    columns: [
      { name: 'Pool', type: 'string', jsonPath: '.report.pool', description: 'Pool of the member.' },
      { name: 'Version', type: 'string', jsonPath: '.report.version', description: 'Version of the member.' },
      age,
    ],
    selectable: ['.report.pool'],
    status: false,
  },
];

/** The structural schema of a kind with its rules in place, as the API server gets it. */
export function openApiSchema(kind: KindDefinition): SchemaNode {
  const ruled = kind.rules.reduce(
    (node, rule) => attach(node, rule.at.split(/\.|(?=\[\])|(?=\{\})/), rule),
    kind.schema.node,
  );
  const properties: Record<string, SchemaNode> = {
    apiVersion: { type: 'string', description: `Version of the schema: ${group}/${version}.` },
    kind: { type: 'string', description: `Kind of the object: ${kind.name.kind}.` },
    metadata: { type: 'object' },
    ...ruled.properties,
  };
  return { ...ruled, properties };
}

/** A whole CustomResourceDefinition, ready to be written as YAML. */
export function customResourceDefinition(kind: KindDefinition): Readonly<Record<string, unknown>> {
  const { name } = kind;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${name.plural}.${group}`,
      labels: { 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/part-of': 'sluice' },
    },
    spec: {
      group,
      names: {
        kind: name.kind,
        listKind: `${name.kind}List`,
        plural: name.plural,
        singular: name.singular,
        ...(name.shortNames.length === 0 ? {} : { shortNames: [...name.shortNames] }),
        categories: ['sluice'],
      },
      scope: name.namespaced ? 'Namespaced' : 'Cluster',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          ...(kind.status ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: kind.columns,
          ...(kind.selectable.length === 0
            ? {}
            : { selectableFields: kind.selectable.map((jsonPath) => ({ jsonPath })) }),
          schema: { openAPIV3Schema: openApiSchema(kind) },
        },
      ],
    },
  };
}

/** The CEL of a rule as the CRD carries it. */
export function validationOf(rule: Rule): ValidationNode {
  return {
    rule: rule.cel,
    message: rule.message,
    ...(rule.fieldPath === undefined ? {} : { fieldPath: rule.fieldPath }),
    ...(rule.reason === undefined ? {} : { reason: rule.reason }),
  };
}

function attach(node: SchemaNode, path: readonly string[], rule: Rule): SchemaNode {
  const [head, ...rest] = path;
  if (head === undefined) {
    return {
      ...node,
      'x-kubernetes-validations': [...(node['x-kubernetes-validations'] ?? []), validationOf(rule)],
    };
  }
  if (head === '[]' && node.items !== undefined) return { ...node, items: attach(node.items, rest, rule) };
  if (head === '{}' && node.additionalProperties !== undefined) {
    return { ...node, additionalProperties: attach(node.additionalProperties, rest, rule) };
  }
  const child = node.properties?.[head];
  if (child === undefined)
    throw new Error(`The rule "${rule.name}" is at "${rule.at}", which the schema does not have.`);
  return { ...node, properties: { ...node.properties, [head]: attach(child, rest, rule) } };
}
