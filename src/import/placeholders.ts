/**
 * How a value that is not known is written, so that the manifest is valid and nobody takes it for a name: in the letters
 * that names of queues and functions have, and as short as they must be. Pure.
 */
import { createHash } from 'node:crypto';
import type { Hole, Unknown } from './model.ts';

/** Begins every placeholder. */
export const placeholderPrefix = 'PLACEHOLDER_';

/** With the prefix and `.fifo` within the 80 of a queue's name. */
const maximumLength = 60;

/** The placeholder of a hole. */
export function placeholderOf({ name }: Hole): string {
  const text = name.replaceAll('.', '_');
  if (text.length <= maximumLength) return placeholderPrefix + text;
  const mark = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${placeholderPrefix}${text.slice(0, maximumLength - mark.length - 1)}-${mark}`;
}

/** Any text, its holes as placeholders. */
export function plainText(value: Unknown): string {
  return value.parts.map((part) => (typeof part === 'string' ? part : placeholderOf(part))).join('');
}

/** An ARN with what is known of it; Region and account that are not known are left to the class. */
export interface WrittenArn {
  readonly text: string;
  readonly used: readonly Hole[];
  /** Parts of the ARN that were left out. */
  readonly left: readonly Hole[];
}

/** An ARN whose text or parts are not known. `service` says what it is of where the value itself does not. */
export function arnText(value: Unknown, service: string): WrittenArn {
  const holes = value.parts.filter((part) => typeof part === 'object');
  const only = value.only;
  if (only !== undefined)
    return {
      text: `arn:aws:${only.service ?? service}:::${resourceOf(only, service)}`,
      used: [only],
      left: [],
    };
  const split = segments(value);
  if (split === undefined)
    return { text: `arn:aws:${holes[0]?.service ?? service}:::${plainText(value)}`, used: holes, left: [] };
  const [, partition = [], named = [], region = [], account = [], ...rest] = split;
  const left = [...partition, ...region, ...account].filter((part) => typeof part === 'object');
  const known = (parts: Parts, otherwise: string): string =>
    parts.every((part) => typeof part === 'string') ? parts.join('') : otherwise;
  const resource = rest.map((parts) => join(parts)).join(':');
  const head = ['arn', known(partition, 'aws'), known(named, service), known(region, ''), known(account, '')];
  return {
    text: [...head, resource].join(':'),
    used: rest.flat().filter((part) => typeof part === 'object'),
    left,
  };
}

/** A function's name or ARN with what is known of it. */
export function functionText(value: Unknown): WrittenArn {
  const split = segments(value);
  if (split === undefined) {
    const used = value.parts.filter((part) => typeof part === 'object');
    return { text: plainText(value), used, left: [] };
  }
  const { text, used, left } = arnText(value, 'lambda');
  // Without Region and account an ARN says no more than the name does.
  const bare = /^arn:aws:lambda:::function:(.+)$/.exec(text)?.[1];
  return { text: bare ?? text, used, left };
}

type Parts = readonly (string | Hole)[];

const join = (parts: Parts): string =>
  parts.map((part) => (typeof part === 'string' ? part : placeholderOf(part))).join('');

/** The parts between the colons, where the text begins as an ARN and has enough of them. */
function segments(value: Unknown): readonly Parts[] | undefined {
  const [first] = value.parts;
  if (typeof first !== 'string' || !first.startsWith('arn:')) return undefined;
  const found: (string | Hole)[][] = [[]];
  for (const part of value.parts) {
    if (typeof part !== 'string') found.at(-1)?.push(part);
    else {
      for (const [index, text] of part.split(':').entries()) {
        if (index > 0) found.push([]);
        if (text !== '') found.at(-1)?.push(text);
      }
    }
  }
  return found.length >= 6 ? found : undefined;
}

/** The resource part of an ARN as its service has it, so that the rules of the service apply. */
function resourceOf(hole: Hole, hint: string): string {
  const name = placeholderOf(hole);
  switch (hole.service ?? hint) {
    case 'sqs':
      return hole.fifo === true ? `${name}.fifo` : name;
    case 'kinesis':
      return `stream/${name}`;
    case 'dynamodb':
      return `table/${name}/stream/PLACEHOLDER`;
    case 'kafka':
      return `cluster/${name}`;
    case 'mq':
      return `broker:${name}`;
    case 'rds':
      return `cluster:${name}`;
    case 'lambda':
      return `function:${name}`;
    case 'kms':
      return `key/${name}`;
    default:
      return name;
  }
}
