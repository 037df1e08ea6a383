/**
 * A real API server, with strict field validation, gives the verdict of `sluice validate` on every case of every
 * constraint and rule, and names the same field.
 */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { kinds, type KindDefinition } from '../../src/api/crd.ts';
import { apiVersion } from '../../src/api/meta.ts';
import { pathText } from '../../src/api/problem.ts';
import { validateText } from '../../src/api/validate.ts';
import { testNamespace } from '../support/kube.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import type { Json } from '../support/schema/bases.ts';
import { metadataCases } from '../support/schema/metadata-cases.ts';
import { schemaCases, type SchemaCase } from '../support/schema/cases.ts';

interface Verdict {
  readonly accepted: boolean;
  /** What the server said of the object. */
  readonly text: string;
  readonly fields: readonly string[];
}

const strict = 'dryRun=All&fieldValidation=Strict';
const parallel = 8;

test.each(kinds.map((kind) => [kind.name.kind, kind] as const))(
  'the API server agrees with sluice validate on every case of %s',
  async (name, kind) => {
    const cases = schemaCases().filter((one) => one.kind === name);
    expect(cases.length).toBeGreaterThan(0);
    await using namespace = await testNamespace(sharedControlPlane());
    const queue = [...cases];
    const disagreements: string[] = [];
    const work = async (): Promise<void> => {
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
        disagreements.push(...(await disagreementsOf(namespace.name, kind, one)));
      }
    };
    await Promise.all(Array.from({ length: parallel }, work));
    expect(disagreements).toEqual([]);
  },
);

test('the API server agrees with sluice validate on metadata', async () => {
  await using namespace = await testNamespace(sharedControlPlane());
  const [kind] = kinds.filter(({ name }) => name.kind === 'EventSourceMapping');
  if (kind === undefined) throw new Error('there is no such kind');
  const verdicts = metadataCases.map(async ({ metadata }) => {
    const object = {
      apiVersion,
      kind: 'EventSourceMapping',
      metadata: { name: 'orders', ...metadata },
      spec: { mode: 'Managed', eventSourceARN: 'arn:aws:sqs:::orders', functionName: 'orders' },
    };
    const { accepted } = await ask(`${folderOf(namespace.name, kind)}?${strict}`, 'POST', object);
    return { metadata, accepted };
  });
  expect(await Promise.all(verdicts)).toEqual(
    metadataCases.map(({ metadata, field }) => ({ metadata, accepted: field === undefined })),
  );
});

test('kubectl reads scalars as sluice validate does', async () => {
  const controlPlane = sharedControlPlane();
  await using namespace = await testNamespace(controlPlane);
  const read = scalars.map(async (scalar) => {
    const text = [
      `apiVersion: ${apiVersion}`,
      'kind: EventSourceMapping',
      'metadata: {name: orders}',
      'spec:',
      '  mode: Managed',
      '  functionName: orders',
      '  eventSourceARN: arn:aws:kinesis:::stream/orders',
      '  startingPosition: LATEST',
      `  batchSize: ${scalar}`,
    ].join('\n');
    const args = [
      '-n',
      namespace.name,
      'create',
      '--dry-run=server',
      '--validate=strict',
      '-o',
      'json',
      '-f',
      '-',
    ];
    const { code, stdout } = await controlPlane.kubectl(args, { input: text });
    const theirs =
      code === 0 ? (JSON.parse(stdout) as { spec: { batchSize: unknown } }).spec.batchSize : 'refused';
    const [ours] = validateText(text);
    const isFine = ours?.kind === 'checked' && ours.problems.length === 0;
    const batchSize = isFine ? (ours.value as { spec: { batchSize: unknown } }).spec.batchSize : 'refused';
    return [scalar, { kubectl: theirs, sluice: batchSize }] as const;
  });
  const all = await Promise.all(read);
  expect(all.map(([scalar, { sluice }]) => [scalar, sluice])).toEqual(
    all.map(([scalar, { kubectl }]) => [scalar, kubectl]),
  );
});

/** Ways to write a number, or what looks like one. */
const scalars = [
  '17',
  '017',
  '0o17',
  '0x1F',
  '0b11',
  '1_000',
  '+5',
  '-5',
  '1e2',
  '1.0',
  '089',
  '0_17',
  'yes',
  '~',
  '"5"',
];

async function disagreementsOf(
  namespace: string,
  kind: KindDefinition,
  one: SchemaCase,
): Promise<readonly string[]> {
  const judge = await judgeOf(namespace, kind, one);
  const found: string[] = [];
  for (const object of one.accept) {
    const verdict = await judge(object);
    if (!verdict.accepted) found.push(`${one.name}: refused what must be accepted: ${verdict.text}`);
  }
  for (const object of one.reject) {
    const verdict = await judge(object);
    if (verdict.accepted)
      found.push(`${one.name}: accepted what must be refused: ${JSON.stringify(object).slice(0, 300)}`);
    else if (!namesField(verdict, pathText(one.field))) {
      found.push(`${one.name}: must name ${pathText(one.field)}, but says ${verdict.text}`);
    }
  }
  return found;
}

/** How the server is asked: by create, by update of a stored object, or by an update of its status. */
async function judgeOf(
  namespace: string,
  kind: KindDefinition,
  one: SchemaCase,
): Promise<(object: Json) => Promise<Verdict>> {
  const folder = folderOf(namespace, kind);
  const isStatus = one.field[0] === 'status';
  const stored = one.old ?? (isStatus ? one.accept[0] : undefined);
  if (stored === undefined) return (object) => ask(`${folder}?${strict}`, 'POST', placed(object, namespace));
  const name = `stored-${randomUUID()}`;
  const cluster = sharedControlPlane();
  const made = await cluster.request(folder, { method: 'POST', body: placed(stored, namespace, name) });
  expect(made).toMatchObject({ status: 201 });
  const { resourceVersion } = (made.body as { metadata: { resourceVersion: string } }).metadata;
  const target = `${folder}/${name}${isStatus ? '/status' : ''}?${strict}`;
  return (object) => ask(target, 'PUT', placed(object, namespace, name, resourceVersion));
}

async function ask(path: string, method: 'POST' | 'PUT', body: Json): Promise<Verdict> {
  const answer = await sharedControlPlane().request(path, { method, body });
  const status = answer.body as { message?: string; details?: { causes?: readonly { field?: string }[] } };
  return {
    accepted: answer.status === 200 || answer.status === 201,
    text: status.message ?? '',
    fields: (status.details?.causes ?? []).map((cause) => cause.field ?? ''),
  };
}

/** Unknown fields and numbers that are too big are named in the message alone; keys of maps are written with a dot or in brackets. */
function namesField(verdict: Verdict, field: string): boolean {
  const plain = (text: string): string => text.replaceAll(/\["?([^\]"]*)"?\]/g, '.$1');
  const wanted = plain(field);
  return (
    verdict.fields.some((one) => plain(one) === wanted) ||
    plain(verdict.text).includes(`unknown field "${wanted}"`) ||
    verdict.text.includes(`format int32 in ${wanted}`)
  );
}

/** The object in the namespace of the test, and with the name and version of the stored one. */
function placed(object: Json, namespace: string, name?: string, resourceVersion?: string): Json {
  const metadata = object['metadata'] as Json;
  return {
    ...object,
    metadata: {
      ...metadata,
      ...('namespace' in metadata ? { namespace } : {}),
      ...(name === undefined ? {} : { name }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

function folderOf(namespace: string, kind: KindDefinition): string {
  const place = kind.name.namespaced ? `/namespaces/${namespace}` : '';
  return `/apis/${apiVersion}${place}/${kind.name.plural}`;
}
