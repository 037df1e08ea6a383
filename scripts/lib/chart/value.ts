/**
 * A small builder for the values of a chart. One description of a value gives its comment and default in
 * `values.yaml`, its part of `values.schema.json` and its line in the reference. It holds what JSON Schema of draft 7
 * can say, which both Helm 3 and 4 check; what depends on two values is said by `templates/_validate.tpl`.
 */

/** Part of a JSON schema. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** One value with everything below it. */
export interface Value {
  /** One or more sentences, with unit and bounds. */
  readonly text: string;
  /** Type as the reference shows it. */
  readonly type: string;
  readonly schema: JsonSchema;
  /** Absent where the chart has no default: such a value is in the schema and the reference only. */
  readonly initial?: unknown;
  /** Members, of a group. */
  readonly fields?: Fields;
  /** What each entry of a map holds. */
  readonly entry?: Value;
  /** YAML that shows how the value may be set; a comment in `values.yaml`. */
  readonly example?: string;
}

export type Fields = Readonly<Record<string, Value>>;

interface TextLimits {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

/** Text. An empty default stays allowed, whatever the pattern. */
export function text(words: string, initial: string, limits: TextLimits = {}): Value {
  const { pattern } = limits;
  const open = initial === '' && pattern !== undefined;
  const schema = { type: 'string', ...limits, ...(open ? { pattern: `^$|${pattern}` } : {}) };
  return { text: words, type: 'string', schema, initial };
}

/** One of some words. */
export function choice(words: string, options: readonly string[], initial: string): Value {
  return {
    text: words,
    type: options.map((option) => `\`${option}\``).join(', '),
    schema: { type: 'string', enum: options },
    initial,
  };
}

/** A whole number. */
export function integer(words: string, initial: number, minimum: number, maximum: number): Value {
  return { text: words, type: 'integer', schema: { type: 'integer', minimum, maximum }, initial };
}

/** A yes or no. */
export function flag(words: string, initial: boolean): Value {
  return { text: words, type: 'boolean', schema: { type: 'boolean' }, initial };
}

/** A group of values; other names in it are refused. */
export function group(words: string, fields: Fields): Value {
  return { text: words, type: 'object', schema: closed(fields), fields };
}

/** Entries with names of the user's. */
export function entries(
  words: string,
  entry: Value,
  options: { readonly names?: string; readonly initial?: unknown; readonly example?: string } = {},
): Value {
  return {
    text: words,
    type: `map of ${entry.type}`,
    schema: {
      type: 'object',
      // `propertyNames` would say it, but Helm 4 then names a wrong place.
      ...(options.names === undefined
        ? { additionalProperties: entry.schema }
        : { additionalProperties: false, patternProperties: { [options.names]: entry.schema } }),
    },
    initial: options.initial ?? {},
    entry,
    ...(options.example === undefined ? {} : { example: options.example }),
  };
}

/** A list. */
export function list(
  words: string,
  item: JsonSchema,
  options: {
    readonly type: string;
    readonly initial?: readonly unknown[];
    readonly unique?: boolean;
    readonly example?: string;
  },
): Value {
  return {
    text: words,
    type: `list of ${options.type}`,
    schema: { type: 'array', items: item, ...(options.unique === true ? { uniqueItems: true } : {}) },
    initial: options.initial ?? [],
    ...(options.example === undefined ? {} : { example: options.example }),
  };
}

/** A value in a shape that is described elsewhere, such as one of Kubernetes. */
export function shaped(
  words: string,
  type: string,
  schema: JsonSchema,
  initial: unknown,
  example?: string,
): Value {
  return { text: words, type, schema, initial, ...(example === undefined ? {} : { example }) };
}

/** Schema of an object that has these members and no other. */
export function closed(fields: Fields): JsonSchema {
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, described(value)])),
  };
}

/** The schema of a value with its description and default, as editors show them. */
export function described(value: Value): JsonSchema {
  const { text: description, schema, initial } = value;
  return { description, ...(initial === undefined ? {} : { default: initial }), ...schema };
}

/** The defaults of values, as Helm has them. */
export function defaultsOf(fields: Fields): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, { fields: inner, initial }]) => {
      if (inner !== undefined) return [[name, defaultsOf(inner)]];
      return initial === undefined ? [] : [[name, initial]];
    }),
  );
}
