/**
 * A small builder for Kubernetes structural schemas. One description of a field gives its TypeScript type
 * (`TypeOf`), its part of the CRD (`node`), its line in the reference page and its offline check
 * (`structure.ts` interprets the very node that the API server gets, so that both give the same verdict).
 *
 * It holds only what a structural schema may hold: no unions of objects, no references, RE2 patterns.
 */

/** The part of a JSON schema that Kubernetes calls structural and Sluice uses. */
export interface SchemaNode {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly format?: 'int32' | 'int64' | 'date-time';
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode;
  readonly required?: readonly string[];
  readonly 'x-kubernetes-int-or-string'?: true;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-preserve-unknown-fields'?: true;
  readonly 'x-kubernetes-validations'?: readonly ValidationNode[];
}

/** One CEL rule as the CRD carries it. */
export interface ValidationNode {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
  readonly reason?:
    | 'FieldValueInvalid'
    | 'FieldValueForbidden'
    | 'FieldValueRequired'
    | 'FieldValueDuplicate';
  readonly optionalOldSelf?: boolean;
}

/** What the reference page and the comparison with AWS's API know of a field beyond its structure. */
export interface FieldFacts {
  /** Unit of a number, as `seconds`. */
  readonly unit?: string;
  /** Default in words; it is applied by the engine or by AWS, never written into `spec`. */
  readonly defaults?: string;
  /** Event sources that take the field; absent means all. */
  readonly sources?: string;
  /** AWS cannot change the field of a live mapping. */
  readonly createOnly?: true;
  /** AWS's member name where it is not the field's name with a capital first letter. */
  readonly member?: string;
  /** A ceiling that AWS raises now and then: warned about, never enforced by the CRD. */
  readonly ceiling?: number;
  /** Values known today of an open set: others are warned about, never refused by the CRD. */
  readonly known?: readonly string[];
}

declare const carried: unique symbol;

/** A schema node that also carries the type of the values it accepts. */
export interface Schema<T> {
  readonly node: SchemaNode;
  readonly facts: FieldFacts;
  /** Schemas of the properties or items, for walks that need `facts`. */
  readonly properties?: Readonly<Record<string, Schema<unknown>>>;
  readonly items?: Schema<unknown>;
  readonly [carried]?: T;
}

/** The TypeScript type of the values a schema accepts. */
export type TypeOf<S> = S extends Schema<infer T> ? T : never;

type Properties = Readonly<Record<string, Schema<unknown>>>;
type Flat<T> = { readonly [K in keyof T]: T[K] };
type ObjectOf<P extends Properties, R extends keyof P> = Flat<
  { readonly [K in R]: TypeOf<P[K]> } & { readonly [K in Exclude<keyof P, R>]?: TypeOf<P[K]> }
>;

interface TextLimits extends FieldFacts {
  readonly minLength?: number;
  readonly maxLength: number;
  readonly pattern?: string;
}

interface NumberLimits extends FieldFacts {
  readonly minimum: number;
  readonly maximum?: number;
  readonly format?: 'int32' | 'int64';
}

interface ListLimits extends FieldFacts {
  readonly minItems?: number;
  readonly maxItems: number;
  readonly type?: 'atomic' | 'set';
  /** Keys of a map-like list; excludes `type`. */
  readonly keys?: readonly string[];
}

/** A text field. */
export function string(text: string, limits: TextLimits): Schema<string> {
  const { minLength, maxLength, pattern, ...facts } = limits;
  const size = { ...(minLength === undefined ? {} : { minLength }), maxLength };
  const node: SchemaNode = { type: 'string', ...size, ...(pattern === undefined ? {} : { pattern }) };
  return { node: { description: describe(text, facts, textWords(limits)), ...node }, facts };
}

/** A text field that takes one of a closed set of values. */
export function oneOf<const V extends readonly string[]>(
  text: string,
  values: V,
  facts: FieldFacts = {},
): Schema<V[number]> {
  const node: SchemaNode = { type: 'string', enum: values };
  return { node: { description: describe(text, facts, `One of ${values.join(', ')}.`), ...node }, facts };
}

/** A point in time, RFC 3339. */
export function time(text: string, facts: FieldFacts = {}): Schema<string> {
  return {
    node: { description: describe(text, facts, 'RFC 3339.'), type: 'string', format: 'date-time' },
    facts,
  };
}

/** A whole number. `ceiling` is a bound that AWS raises; `maximum` one that does not move. */
export function integer(text: string, limits: NumberLimits): Schema<number> {
  const { minimum, maximum, format = 'int32', ...facts } = limits;
  const node: SchemaNode = {
    type: 'integer',
    format,
    minimum,
    ...(maximum === undefined ? {} : { maximum }),
  };
  return { node: { description: describe(text, facts, numberWords(limits)), ...node }, facts };
}

/** A yes or no. */
export function boolean(text: string, facts: FieldFacts = {}): Schema<boolean> {
  return { node: { description: describe(text, facts, ''), type: 'boolean' }, facts };
}

/** A whole number or a text, as the port of a Service. */
export function intOrString(text: string, facts: FieldFacts = {}): Schema<number | string> {
  return { node: { description: describe(text, facts, ''), 'x-kubernetes-int-or-string': true }, facts };
}

/** An object with known properties; those named in `required` must be present. */
export function object<P extends Properties, R extends keyof P & string = never>(
  text: string,
  properties: P,
  options: FieldFacts & { readonly required?: readonly R[]; readonly minProperties?: number } = {},
): Schema<ObjectOf<P, R>> {
  const { required = [], minProperties, ...facts } = options;
  const nodes = Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, schema.node]));
  const node: SchemaNode = {
    description: describe(text, facts, ''),
    type: 'object',
    ...(minProperties === undefined ? {} : { minProperties }),
    ...(required.length === 0 ? {} : { required }),
    properties: nodes,
  };
  return { node, facts, properties };
}

/** An object with free keys. */
export function map<T>(
  text: string,
  value: Schema<T>,
  limits: FieldFacts & { readonly maxProperties: number },
): Schema<Readonly<Record<string, T>>> {
  const { maxProperties, ...facts } = limits;
  const words = `At most ${maxProperties} entries.`;
  const node: SchemaNode = { type: 'object', maxProperties, additionalProperties: value.node };
  return { node: { description: describe(text, facts, words), ...node }, facts, items: value };
}

/** A list; atomic unless `type` or `keys` says otherwise. */
export function list<T>(text: string, item: Schema<T>, limits: ListLimits): Schema<readonly T[]> {
  const { minItems, maxItems, type, keys, ...facts } = limits;
  const kind: SchemaNode =
    keys === undefined
      ? { 'x-kubernetes-list-type': type ?? 'atomic' }
      : { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys };
  const least = minItems === undefined ? {} : { minItems };
  const node: SchemaNode = { type: 'array', ...least, maxItems, ...kind, items: item.node };
  return {
    node: { description: describe(text, facts, listWords(minItems, maxItems)), ...node },
    facts,
    items: item,
  };
}

/** An object whose content another schema describes or that is only shown; kept as it is. */
export function opaque<T extends object>(text: string): Schema<T> {
  return {
    node: { description: text, type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    facts: {},
  };
}

/** The same schema with CEL rules, checked on the value it describes. */
export function withRules<T>(schema: Schema<T>, rules: readonly ValidationNode[]): Schema<T> {
  return rules.length === 0
    ? schema
    : { ...schema, node: { ...schema.node, 'x-kubernetes-validations': rules } };
}

/** The same schema with a constant default that the API server writes. Never used inside `spec`. */
export function withDefault<T>(schema: Schema<T>, value: T): Schema<T> {
  return { ...schema, node: { ...schema.node, default: value } };
}

function describe(text: string, facts: FieldFacts, limits: string): string {
  const parts = [text];
  if (facts.unit !== undefined) parts.push(`Unit: ${facts.unit}.`);
  if (limits !== '') parts.push(limits);
  if (facts.known !== undefined) parts.push(`Known values: ${facts.known.join(', ')}.`);
  if (facts.ceiling !== undefined) parts.push(`AWS takes at most ${facts.ceiling} today.`);
  if (facts.defaults !== undefined) parts.push(`Default: ${facts.defaults}.`);
  if (facts.sources !== undefined) parts.push(`Sources: ${facts.sources}.`);
  if (facts.createOnly === true) parts.push('AWS cannot change it on a live mapping.');
  return parts.join(' ');
}

function numberWords({ minimum, maximum }: NumberLimits): string {
  return maximum === undefined ? `At least ${minimum}.` : `Between ${minimum} and ${maximum}.`;
}

function textWords({ minLength = 0, maxLength }: TextLimits): string {
  return minLength > 0
    ? `Between ${minLength} and ${maxLength} characters.`
    : `At most ${maxLength} characters.`;
}

function listWords(minItems: number | undefined, maxItems: number): string {
  if (minItems === maxItems) return `Exactly ${maxItems} ${maxItems === 1 ? 'item' : 'items'}.`;
  return minItems === undefined ? `At most ${maxItems} items.` : `Between ${minItems} and ${maxItems} items.`;
}
