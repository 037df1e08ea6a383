import { describe, expect, it } from 'vitest';
import { validateText } from '../../../src/api/validate.ts';
import { makeManifests, manifestsJson, manifestsYaml, objectName } from '../../../src/import/manifests.ts';
import type { FoundMapping } from '../../../src/import/model.ts';

const found = (subject: string, spec: Readonly<Record<string, unknown>> = {}): FoundMapping => ({
  subject,
  spec: { eventSourceARN: 'arn:aws:sqs:::orders', functionName: 'orders', ...spec },
});
const make = (...mappings: readonly FoundMapping[]) =>
  makeManifests({ mappings, notes: [] }, { adoption: 'IfExists', namespace: 'billing', className: 'prod' });

describe('a manifest', () => {
  it('adopts the live mapping, by its UUID where that is known', () => {
    const { manifests } = make({ ...found('A'), uuid: '14e0db71-xmpl' });
    expect(manifests[0]?.object).toEqual({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: {
        name: 'a',
        namespace: 'billing',
        annotations: { 'sluice.dev/adopt-uuid': '14e0db71-xmpl' },
      },
      spec: {
        mode: 'Managed',
        className: 'prod',
        adoptionPolicy: 'IfExists',
        eventSourceARN: 'arn:aws:sqs:::orders',
        functionName: 'orders',
      },
    });
  });

  it('adopts nothing when the user says so', () => {
    const reading = { mappings: [{ ...found('A'), uuid: 'u' }], notes: [] };
    const { object } = makeManifests(reading, { adoption: 'Never' }).manifests[0] ?? {};
    expect(object?.spec.adoptionPolicy).toBeUndefined();
    expect(object?.metadata).toEqual({ name: 'a' });
  });

  it.each([
    ['OrdersFunction.MyQueue', 'orders-function-my-queue'],
    ['SQSEvent', 'sqs-event'],
    ['aws_lambda_event_source_mapping.orders["a b"]', 'aws-lambda-event-source-mapping-orders-a-b'],
    ['Ä', 'mapping'],
    [`${'x'.repeat(62)}-y`, 'x'.repeat(62)],
  ])('%s is named %s', (subject, name) => {
    expect(objectName(subject)).toBe(name);
  });

  it('has a name of its own', () => {
    const { manifests } = make(found('A.b'), found('A-b'), found('a_B'));
    expect(manifests.map(({ object }) => object.metadata.name)).toEqual(['a-b', 'a-b-2', 'a-b-3']);
  });

  it('that would not be valid is a comment with the reasons, and is told', () => {
    const { manifests, notes } = make(
      found('Good'),
      found('Wide', { batchSize: 50 }),
      found('Odd', { filterCriteria: { filters: [{ pattern: '{"body": "x"}' }] } }),
    );
    expect(notes.map(({ subject, kind }) => `${subject} ${kind}`)).toEqual(['Wide refused', 'Odd refused']);
    const yaml = manifestsYaml(manifests, ['Header']);
    expect(yaml).toMatch(/^# Header\n---\n/);
    expect(yaml).toContain('# - `maximumBatchingWindowInSeconds` must be at least 1');
    expect(yaml).toContain('#   batchSize: 50\n');
    const documents = validateText(yaml);
    expect(documents.map((one) => (one.kind === 'checked' ? [one.name, one.problems] : one))).toEqual([
      ['good', []],
    ]);
    expect(JSON.parse(manifestsJson(manifests))).toMatchObject({
      kind: 'List',
      items: [{ metadata: { name: 'good' } }],
    });
  });

  it('keeps a comment on one line whatever it says', () => {
    const { manifests } = make({ ...found('A'), comments: ['one\ntwo: {'] });
    expect(manifestsYaml(manifests, [])).toContain('# one two: {\napiVersion');
  });
});
