/**
 * From the members of a mapping as AWS's API, CloudFormation, Terraform, ACK or Crossplane spell them to our `spec`.
 * Names are compared without case and punctuation (`EventSourceArn`, `event_source_arn` and `eventSourceARN` are one),
 * so that a field which our schema gains is taken over at once. What has no place in `spec` is told, never dropped.
 */
import { awsFields } from '../api/aws-fields.ts';
import { foundText, nearest } from '../api/problem.ts';
import type { Schema } from '../api/schema.ts';
import { isRecord } from '../api/structure.ts';
import { Unknown, type Hole, type Note } from './model.ts';
import {
  arnText,
  functionText,
  plainText,
  placeholderOf,
  placeholderPrefix,
  type WrittenArn,
} from './placeholders.ts';

/** How other tools name what our `spec` names otherwise, by our path, all in the plain form of `plainName`. */
const aliases: Readonly<Record<string, readonly string[]>> = {
  sourceAccessConfigurations: ['sourceaccessconfiguration'],
  'filterCriteria.filters': ['filter'],
  'destinationConfig.onFailure.destination': ['destinationarn'],
  'amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs': ['accessconfig'],
  'amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfigs': [
    'schemavalidationconfig',
  ],
  'selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs': ['accessconfig'],
  'selfManagedKafkaEventSourceConfig.schemaRegistryConfig.schemaValidationConfigs': [
    'schemavalidationconfig',
  ],
};

export interface FieldOptions {
  /** What the mapping is called in notes. */
  readonly subject: string;
  readonly line?: number | undefined;
  /** Names that are meant for others, in the plain form of `plainName`: passed over without a word. */
  readonly ignored?: readonly string[];
  /** Service of the source, where the file tells by other means than the ARN. */
  readonly service?: string | undefined;
  /** Service of the failure destination, likewise. */
  readonly destinationService?: string | undefined;
}

/** The part of `spec` that was found, and what is to be told of it. */
export interface ReadFields {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly notes: readonly Note[];
  /** Placeholders in it. */
  readonly holes: readonly Hole[];
}

/** A name without case and punctuation. */
export const plainName = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** Reads the members of one mapping. */
export function readFields(members: Readonly<Record<string, unknown>>, options: FieldOptions): ReadFields {
  const reader = new Reader(members, options);
  const spec = reader.object(awsFields, members, '', options.ignored ?? []);
  return { spec, notes: reader.notes, holes: [...reader.holes.values()] };
}

class Reader {
  readonly notes: Note[] = [];
  readonly holes = new Map<string, Hole>();
  readonly #options: FieldOptions;
  readonly #service: string;

  constructor(members: Readonly<Record<string, unknown>>, options: FieldOptions) {
    this.#options = options;
    this.#service = options.service ?? guessService(members);
  }

  object(
    fields: Readonly<Record<string, Schema<unknown>>>,
    members: Readonly<Record<string, unknown>>,
    path: string,
    ignored: readonly string[] = [],
  ): Record<string, unknown> {
    const names = new Map<string, string>();
    for (const name of Object.keys(fields)) {
      names.set(plainName(name), name);
      for (const alias of aliases[below(path, name)] ?? []) names.set(alias, name);
    }
    const found: Record<string, unknown> = {};
    for (const [member, value] of Object.entries(members)) {
      if (value === undefined || value === null || ignored.includes(plainName(member))) continue;
      const name = names.get(plainName(member));
      const field = name === undefined ? undefined : fields[name];
      if (name === undefined || field === undefined) {
        const meant = nearest(member, Object.keys(fields));
        const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
        this.#note(
          'refused',
          `\`${below(path, member)}\` is not a field of a mapping, and was left out${hint}`,
        );
        continue;
      }
      const read = this.#value(field, value, below(path, name));
      if (read !== undefined) found[name] = read;
    }
    // In the order of our schema, so that manifests of all sources look alike.
    return Object.fromEntries(
      Object.keys(fields).flatMap((name) => (name in found ? [[name, found[name]]] : [])),
    );
  }

  #value(field: Schema<unknown>, value: unknown, path: string): unknown {
    const { type, format } = field.node;
    if (value instanceof Unknown && type !== 'string') return this.#leftOut(value, path);
    switch (type) {
      case 'object':
        return this.#object(field, value, path);
      case 'array':
        return this.#list(field, value, path);
      case 'integer':
        return this.#integer(value, path);
      case 'boolean':
        return this.#boolean(value, path);
      case 'string':
      case 'number':
      case undefined:
      default:
        return format === 'date-time' ? this.#time(value, path) : this.#text(field, value, path);
    }
  }

  #object(field: Schema<unknown>, value: unknown, path: string): unknown {
    if (path === 'tags') return this.#tags(value);
    // Terraform and Crossplane keep one block as a list of one.
    const inner: unknown = Array.isArray(value) && value.length <= 1 ? (value[0] ?? undefined) : value;
    if (inner === undefined || inner === null) return undefined;
    if (inner instanceof Unknown) return this.#leftOut(inner, path);
    if (!isRecord(inner)) return this.#wrong('an object', inner, path);
    const read = this.object(field.properties ?? {}, inner, path);
    return Object.keys(read).length === 0 && Object.keys(inner).length > 0 ? undefined : read;
  }

  #list(field: Schema<unknown>, value: unknown, path: string): unknown {
    // Terraform keeps bootstrap servers as `a:9092,b:9092`.
    const isJoined = typeof value === 'string' && path.endsWith('KAFKA_BOOTSTRAP_SERVERS');
    const items: unknown = isJoined ? value.split(',').map((one) => one.trim()) : value;
    if (!Array.isArray(items)) return this.#wrong('a list', value, path);
    const { items: item } = field;
    if (item === undefined) return items;
    return items.flatMap((one, index) => {
      const read =
        one === null || one === undefined ? undefined : this.#value(item, one, `${path}[${index}]`);
      return read === undefined ? [] : [read];
    });
  }

  #tags(value: unknown): unknown {
    const pairs: readonly (readonly [unknown, unknown])[] = Array.isArray(value)
      ? value.map((one: unknown) => {
          const tag = isRecord(one) ? one : {};
          return [tag['Key'] ?? tag['key'], tag['Value'] ?? tag['value']] as const;
        })
      : Object.entries(isRecord(value) ? value : {});
    const tags = new Map<string, string>();
    for (const [key, text] of pairs) {
      if (typeof key !== 'string') {
        this.#note('refused', '`tags` has an entry without a key, which was left out');
        continue;
      }
      const path = `tags[${JSON.stringify(key)}]`;
      if (key.startsWith('aws:') || key.startsWith('sluice.dev/'))
        this.#note('info', `\`${path}\` is reserved, and was left out`);
      else if (key.includes(placeholderPrefix))
        this.#note('refused', `\`${path}\` has a key that is not known, and was left out`);
      // A placeholder in a tag would be written to AWS as it is.
      else if (text instanceof Unknown) this.#leftOut(text, path);
      else tags.set(key, plain(text));
    }
    return tags.size === 0 ? undefined : Object.fromEntries(tags);
  }

  #integer(value: unknown, path: string): unknown {
    const number = typeof value === 'string' && /^-?\d+$/.test(value.trim()) ? Number(value) : value;
    return Number.isSafeInteger(number) ? number : this.#wrong('a whole number', value, path);
  }

  #boolean(value: unknown, path: string): unknown {
    if (typeof value === 'boolean') return value;
    const word = typeof value === 'string' ? value.toLowerCase() : '';
    if (word === 'true' || word === 'false') return word === 'true';
    return this.#wrong('true or false', value, path);
  }

  /** CloudFormation and the API count seconds; Terraform and Kubernetes write RFC 3339. */
  #time(value: unknown, path: string): unknown {
    if (value instanceof Unknown) return this.#leftOut(value, path);
    const seconds = typeof value === 'string' && /^\d+([.]\d+)?$/.test(value) ? Number(value) : value;
    const date =
      value instanceof Date
        ? value
        : typeof seconds === 'number'
          ? new Date(seconds * 1000)
          : new Date(typeof value === 'string' ? value : Number.NaN);
    if (Number.isNaN(date.getTime())) return this.#wrong('a time', value, path);
    return date.toISOString().replace('.000Z', 'Z');
  }

  #text(field: Schema<unknown>, value: unknown, path: string): unknown {
    if (value instanceof Unknown) return this.#unknownText(field, value, path);
    if (typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    return this.#wrong('text', value, path);
  }

  #unknownText(field: Schema<unknown>, value: Unknown, path: string): string | undefined {
    const written = this.#written(value, path);
    const { pattern, enum: words, maxLength = Infinity } = field.node;
    const fits = pattern === undefined || new RegExp(pattern, 'u').test(written.text);
    // The rules of every other field read its text: a placeholder would end as a wrong value of AWS's.
    if (!fits || words !== undefined || written.text.length > maxLength) return this.#leftOut(value, path);
    for (const hole of written.used) this.#placeholder(hole, path);
    if (written.left.length > 0) {
      const names = written.left.map(({ text }) => text).join(', ');
      this.#note(
        'info',
        `\`${path}\`: ${names} left out; \`aws\` of the mapping or its class completes the ARN`,
      );
    }
    return written.text;
  }

  #written(value: Unknown, path: string): WrittenArn {
    if (path === 'eventSourceARN') return arnText(value, serviceOf(value) ?? this.#service);
    if (path === 'functionName') return functionText(value);
    if (path === 'kmsKeyARN') return arnText(value, 'kms');
    if (path === 'destinationConfig.onFailure.destination') {
      const known = value.only?.service ?? this.#options.destinationService;
      return arnText(value, known ?? 'sqs');
    }
    return { text: plainText(value), used: value.parts.filter((part) => typeof part === 'object'), left: [] };
  }

  #placeholder(hole: Hole, path: string): void {
    if (!this.holes.has(hole.name)) this.holes.set(hole.name, hole);
    const hint =
      path.endsWith('destination') && hole.service === undefined ? ' (its service is a guess)' : '';
    this.#note('placeholder', `\`${path}\` holds ${placeholderOf(hole)} for ${hole.text}${hint}`);
  }

  #leftOut(value: Unknown, path: string): undefined {
    const [hole] = value.parts.filter((part) => typeof part === 'object');
    const name = hole?.name ?? 'NAME';
    const text = hole?.text ?? 'an expression';
    const remedy = `give it with \`--set ${name}=VALUE\`, or write it into the manifest`;
    this.#note(
      'refused',
      `\`${path}\` is ${text}, and was left out: a placeholder has no place there; ${remedy}`,
    );
  }

  #wrong(wanted: string, value: unknown, path: string): undefined {
    this.#note('refused', `\`${path}\` must be ${wanted}, not ${foundText(value)}, and was left out`);
  }

  #note(kind: Note['kind'], message: string): void {
    const { subject, line } = this.#options;
    this.notes.push({ kind, subject, message, line });
  }
}

/** A value of a tag, which YAML may have read as a number or a yes. */
function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

const below = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** The service in an ARN of which only parts are not known. */
function serviceOf(value: Unknown): string | undefined {
  const [first] = value.parts;
  return (
    value.only?.service ??
    (typeof first === 'string' ? /^arn:[^:]*:([a-z0-9-]+):/.exec(first)?.[1] : undefined)
  );
}

/** The service of the source by what else is set; `placeholder` where nothing tells. */
function guessService(members: Readonly<Record<string, unknown>>): string {
  const has = (name: string): boolean =>
    Object.entries(members).some(
      ([key, value]) =>
        plainName(key) === name &&
        value !== undefined &&
        value !== null &&
        (!Array.isArray(value) || value.length > 0),
    );
  if (has('queues')) return 'mq';
  if (has('documentdbeventsourceconfig')) return 'rds';
  if (has('topics')) return 'kafka';
  if (has('scalingconfig')) return 'sqs';
  const arn = Object.entries(members).find(([key]) => plainName(key) === 'eventsourcearn')?.[1];
  const words = arn instanceof Unknown ? plainText(arn) : '';
  if (/dynamo|ddb|table/i.test(words)) return 'dynamodb';
  if (/kinesis/i.test(words)) return 'kinesis';
  if (/sqs|queue/i.test(words)) return 'sqs';
  return has('startingposition') ? (/stream/i.test(words) ? 'kinesis' : 'placeholder') : 'sqs';
}
