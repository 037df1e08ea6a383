/**
 * Takes the facts about event source mappings (members, types, ranges, enums) out of AWS's public API model and
 * writes them to test/golden/lambda-api-model.json. The model is the file
 * `botocore/data/lambda/2015-03-31/service-2.json.gz` of the Python package botocore.
 *
 *   node scripts/lambda-api-model.ts SERVICE-2.json.gz BOTOCORE-VERSION
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

interface Shape {
  readonly type: string;
  readonly members?: Readonly<Record<string, { readonly shape: string }>>;
  readonly member?: { readonly shape: string };
  readonly key?: { readonly shape: string };
  readonly value?: { readonly shape: string };
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

interface Model {
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** What the snapshot keeps of one member. */
interface Facts {
  readonly type: string;
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

const [file, version] = process.argv.slice(2);
if (file === undefined || version === undefined) {
  throw new Error('usage: lambda-api-model.ts SERVICE-2.json.gz BOTOCORE-VERSION');
}
const bytes = readFileSync(file);
const model = JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')) as Model;

function factsOf(shape: Shape): Facts {
  const { type, min, max, pattern } = shape;
  return {
    type,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(pattern === undefined ? {} : { pattern }),
    ...(shape.enum === undefined ? {} : { enum: shape.enum.toSorted() }),
  };
}

/** Members by path: `FilterCriteria.Filters[].Pattern`. */
function members(name: string, at: string): readonly (readonly [string, Facts])[] {
  const shape = model.shapes[name];
  if (shape === undefined) throw new Error(`the model has no shape ${name}`);
  const own: readonly (readonly [string, Facts])[] = at === '' ? [] : [[at, factsOf(shape)]];
  const children = Object.entries(shape.members ?? {}).flatMap(([member, { shape: child }]) =>
    members(child, at === '' ? member : `${at}.${member}`),
  );
  const items = shape.member === undefined ? [] : members(shape.member.shape, `${at}[]`);
  const keys = shape.key === undefined ? [] : members(shape.key.shape, `${at}{key}`);
  const values = shape.value === undefined ? [] : members(shape.value.shape, `${at}{}`);
  return [...own, ...children, ...items, ...keys, ...values];
}

const snapshot = {
  about:
    "Facts of AWS Lambda's public API model about event source mappings. Regenerate: node scripts/lambda-api-model.ts",
  source: `botocore ${version}, lambda 2015-03-31`,
  date: new Date().toISOString().slice(0, 10),
  create: Object.fromEntries(members('CreateEventSourceMappingRequest', '')),
  update: Object.keys(Object.fromEntries(members('UpdateEventSourceMappingRequest', ''))).toSorted(),
};
const target = path.resolve(import.meta.dirname, '../test/golden/lambda-api-model.json');
writeFileSync(target, `${JSON.stringify(snapshot, null, 2)}\n`);
