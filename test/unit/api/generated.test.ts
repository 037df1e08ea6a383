import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { generatedFiles } from '../../../scripts/lib/generated.ts';
import { conditionTypes, isReason, reasons } from '../../../src/api/conditions.ts';
import { customResourceDefinition, kinds, openApiSchema } from '../../../src/api/crd.ts';
import { reportFormatVersion, reportMessageLength, type PollerReport } from '../../../src/api/report.ts';
import type { SchemaNode } from '../../../src/api/schema.ts';

const root = new URL('../../../', import.meta.url);

/** Every node of a schema with its path, but for what Kubernetes itself defines. */
function nodes(node: SchemaNode, path: string): readonly (readonly [string, SchemaNode])[] {
  const children = Object.entries(node.properties ?? {}).filter(
    ([name]) => path !== '' || name !== 'metadata',
  );
  return [
    [path, node],
    ...children.flatMap(([name, child]) => nodes(child, `${path}.${name}`)),
    ...(node.items === undefined ? [] : nodes(node.items, `${path}[]`)),
    ...(node.additionalProperties === undefined ? [] : nodes(node.additionalProperties, `${path}{}`)),
  ];
}

test.each(generatedFiles().map((file) => [file.path, file.text] as const))(
  '%s is up to date',
  (path, text) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(text);
  },
);

describe.each(kinds.map((kind) => [kind.name.kind, kind] as const))('the CRD of %s', (_, kind) => {
  const all = nodes(openApiSchema(kind), '');
  const inSpec = all.filter(([path]) => path.startsWith('.spec'));

  test('describes every field', () => {
    expect(all.filter(([, node]) => (node.description ?? '').length < 5).map(([path]) => path)).toEqual([]);
  });

  test('bounds every text, list and map, so that CEL stays cheap', () => {
    const open = all.filter(
      ([path, node]) =>
        !['.apiVersion', '.kind'].includes(path) &&
        ((node.type === 'string' &&
          node.enum === undefined &&
          node.format === undefined &&
          node.maxLength === undefined) ||
          (node.type === 'array' && node.maxItems === undefined) ||
          (node.additionalProperties !== undefined && node.maxProperties === undefined)),
    );
    expect(open.map(([path]) => path)).toEqual([]);
  });

  test('gives every whole number a format and a lower bound, and says its unit in the name or the description', () => {
    const numbers = all.filter(([, node]) => node.type === 'integer');
    expect(numbers.filter(([, node]) => node.format === undefined || node.minimum === undefined)).toEqual([]);
    const unitless = inSpec.filter(
      ([, node]) => node.type === 'integer' && !/Unit: /.test(node.description ?? ''),
    );
    expect(unitless.map(([path]) => path)).toEqual([]);
  });

  test("writes no default into the spec, which is the user's alone", () => {
    expect(inSpec.filter(([, node]) => node.default !== undefined)).toEqual([]);
  });

  test('stays below 200 KB', () => {
    expect(JSON.stringify(customResourceDefinition(kind)).length).toBeLessThan(200_000);
    const file = generatedFiles().find((one) => one.path === `crds/sluice.dev_${kind.name.plural}.yaml`);
    expect(file?.text.length).toBeLessThan(200_000);
  });
});

test('every reason is CamelCase and says what it means and what to do', () => {
  for (const [name, { description, fix }] of Object.entries(reasons)) {
    expect(name).toMatch(/^[A-Z][A-Za-z]+$/);
    expect(description).toMatch(/\.$/);
    expect(fix).toMatch(/\.$/);
  }
  expect(isReason('Serving')).toBe(true);
  expect(isReason('toString')).toBe(false);
});

test('every reason of the table is given somewhere in the code', () => {
  const folder = new URL('src/', root);
  const code = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== 'api/conditions.ts')
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
    .join('\n');
  const words = new Set(code.match(/\b[A-Z][A-Za-z]+\b/g));
  expect(Object.keys(reasons).filter((name) => !words.has(name))).toEqual([]);
});

test('the conditions are the closed list of the design', () => {
  expect(Object.keys(conditionTypes).toSorted()).toEqual(
    [
      'Ready',
      'Reconciling',
      'Stalled',
      'SourceHealthy',
      'TargetHealthy',
      'Drifted',
      'Blocked',
      'Paused',
      'HandingOver',
    ].toSorted(),
  );
});

test('a report of a thousand mappings in trouble stays below a megabyte', () => {
  const message = 'm'.repeat(reportMessageLength / 2);
  const health = { status: 'False', reason: 'SourceAccessDenied', message } as const;
  const report: PollerReport = {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'PollerReport',
    metadata: { name: 'sluice-poller-abcdefgh' },
    report: {
      formatVersion: reportFormatVersion,
      member: 'sluice-poller-abcdefgh',
      pool: 'default',
      version: '0.1.0',
      mappings: Array.from({ length: 1000 }, (_, index) => ({
        namespace: 'a-namespace',
        name: `a-mapping-of-some-length-${index}`,
        uid: '01234567-89ab-cdef-0123-456789abcdef',
        generation: 12,
        state: 'Failed' as const,
        reason: 'SourceAccessDenied',
        message,
        sourceHealthy: health,
        targetHealthy: health,
        since: '2026-01-31T12:00:00Z',
      })),
    },
  };
  expect(JSON.stringify(report).length).toBeLessThan(1_000_000);
});
