/** Types of options: what a flag, a variable or a key of the file may hold, each with a message that says so. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseListenAddress } from '../http/server.ts';

/** A switch: present or absent as a flag; `true` or `false` elsewhere. */
export const switchType = z
  .unknown()
  .refine(
    (value) =>
      value === undefined || value === true || value === false || value === 'true' || value === 'false',
    'must be true or false',
  )
  .transform((value) => value === true || value === 'true');

/** A whole number between bounds, with a default. */
export function integerType(min: number, max: number, initial: number): z.ZodType<number> {
  return z
    .unknown()
    .transform((value) => (value === undefined ? initial : wholeNumber(value)))
    .refine(
      (number) => number !== undefined && number >= min && number <= max,
      `must be a whole number from ${min} to ${max}`,
    )
    .transform((number) => number ?? initial);
}

function wholeNumber(value: unknown): number | undefined {
  const isText = typeof value === 'string' && /^-?\d+$/.test(value);
  return isText || (typeof value === 'number' && Number.isSafeInteger(value)) ? Number(value) : undefined;
}

/** One of some words, with a default. */
export function choiceType<const W extends readonly [string, ...string[]]>(
  words: W,
  initial: W[number],
): z.ZodType<W[number]> {
  return z
    .enum(words)
    .optional()
    .transform((word) => word ?? initial);
}

/** Words of a list given as `a,b`, as repeated flags, or as a YAML list. */
export const listType = z
  .unknown()
  .transform((value) => (value === undefined ? [] : [value].flat()))
  .refine((parts) => parts.every((part) => typeof part === 'string'), 'must be text or a list of texts')
  .transform((parts) =>
    parts
      .filter((part) => typeof part === 'string')
      .flatMap((part) => part.split(','))
      .map((word) => word.trim())
      .filter((word) => word !== ''),
  );

/** Texts of repeated flags, as they are. */
export const textsType = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .transform((value) => (value === undefined ? [] : [value].flat()));

/** The id of an AWS account. */
export const accountIDType = z
  .string()
  .regex(/^\d{12}$/, 'must be 12 digits')
  .optional();

const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Names of namespaces, as a list. */
export const namespacesType = listType.refine(
  (names) => names.every((name) => namespaceName.test(name)),
  'must be names of namespaces: lower-case letters, digits and `-`, at most 63',
);

/** Where to listen, with a default. */
export function addressType(initial: string): z.ZodType<string> {
  return z
    .string()
    .optional()
    .transform((address) => address ?? initial)
    .refine(
      (address) => parseListenAddress(address) !== undefined,
      'must be HOST:PORT or :PORT, with a port up to 65535',
    );
}

/** A name that can be part of the name of an object in Kubernetes. */
export const objectNameType = z
  .string()
  .max(200)
  .regex(
    /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    'must be of lower-case letters, digits, `-` and `.`, and begin and end with a letter or digit',
  );

/** The host's name as it can be part of the name of an object in Kubernetes. */
export function objectName(host: string): string {
  const name = host.toLowerCase().replaceAll(/[^-a-z0-9.]+/g, '-');
  return name.slice(0, 200).replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '') || 'sluice';
}

/** An IP address. */
export const ipType = z.string().refine((text) => isIP(text) !== 0, 'must be an IP address');
