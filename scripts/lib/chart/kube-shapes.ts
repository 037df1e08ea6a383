/**
 * Strict JSON schemas of Kubernetes' own shapes (tolerations, volumes …), from the models of
 * `@kubernetes/client-node`, which are made from Kubernetes' OpenAPI. They say which members there are and of which
 * type; what is required is left to the API server.
 */
import * as kubernetes from '@kubernetes/client-node';
import type { JsonSchema } from './value.ts';

interface Attribute {
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}

interface Model {
  getAttributeTypeMap(): readonly Attribute[];
}

/** Name of a shape among the definitions of a schema. */
const nameOf = (model: string): string => model.replace(/^(?:Core)?V1(?=[A-Z])/, '');

/** A reference to one of the definitions that `kubeDefinitions` gives. */
export const shape = (model: string): JsonSchema => ({ $ref: `#/definitions/${nameOf(model)}` });

/** The definitions of these models and of all that they are made of. */
export function kubeDefinitions(models: readonly string[]): Readonly<Record<string, JsonSchema>> {
  const found = new Map<string, JsonSchema>();
  const visit = (model: string): void => {
    if (found.has(model)) return;
    // Taken before its members are visited, since shapes may hold themselves.
    found.set(model, {});
    found.set(model, schemaOf(model, visit));
  };
  for (const model of models) visit(model);
  return Object.fromEntries(
    [...found]
      .map(([model, schema]) => [nameOf(model), schema] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function schemaOf(model: string, visit: (model: string) => void): JsonSchema {
  const attributes = modelNamed(model).getAttributeTypeMap();
  const isQuantities = model.endsWith('ResourceRequirements');
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      attributes.map((attribute) => [attribute.baseName, typeSchema(attribute, isQuantities, visit)]),
    ),
  };
}

function typeSchema(
  { type, format }: Omit<Attribute, 'baseName'>,
  isQuantities: boolean,
  visit: (model: string) => void,
): JsonSchema {
  const item = /^Array<(.+)>$/.exec(type)?.[1];
  if (item !== undefined)
    return { type: 'array', items: typeSchema({ type: item, format: '' }, isQuantities, visit) };
  const entry = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1];
  if (entry !== undefined) {
    // Half a CPU is often written as 0.5.
    const values = isQuantities && entry === 'string' ? { type: ['string', 'number'] } : undefined;
    return {
      type: 'object',
      additionalProperties: values ?? typeSchema({ type: entry, format: '' }, false, visit),
    };
  }
  switch (type) {
    case 'string':
    case 'boolean':
      return { type };
    case 'number':
      return { type: format.startsWith('int') ? 'integer' : 'number' };
    case 'IntOrString':
      return { type: ['integer', 'string'] };
    case 'Date':
    case 'V1MicroTime':
      return { type: 'string' };
    case 'any':
      return {};
    default:
      visit(type);
      return shape(type);
  }
}

function modelNamed(name: string): Model {
  const model: unknown = Object.entries(kubernetes).find(([key]) => key === name)?.[1];
  if (typeof model === 'function' && 'getAttributeTypeMap' in model) return model as unknown as Model;
  throw new Error(`\`@kubernetes/client-node\` has no model ${name}`);
}
