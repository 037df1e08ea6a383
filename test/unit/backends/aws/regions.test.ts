import { expect, it } from 'vitest';
import type { EventSourceMapping } from '../../../../src/api/mapping.ts';
import { AwsBackend } from '../../../../src/backends/aws/backend.ts';
import { aMapping, subjectOf } from '../../../support/mappings.ts';
import { MemoryMappingApi } from '../../../support/memory-mapping-api.ts';

const { signal } = new AbortController();

/** A backend over two Regions, and a mapping that was made in the first. */
async function world() {
  // The API in memory names its own Region in ARNs.
  const apis = { 'eu-central-1': new MemoryMappingApi(), 'us-east-1': new MemoryMappingApi() };
  const backend = new AwsBackend({
    clusterID: 'test',
    recheckMs: 1000,
    api: (_identity, _namespace, region) => {
      if (region !== 'eu-central-1' && region !== 'us-east-1') throw new Error(`Region ${String(region)}`);
      return apis[region];
    },
  });
  const made = aMapping();
  const facts = await backend.create(subjectOf(made), signal);
  apis['eu-central-1'].settle();
  const moved: EventSourceMapping = {
    ...made,
    spec: { ...made.spec, eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:orders' },
    status: { observedGeneration: 1, mapping: facts.mapping ?? {} },
  };
  return { apis, backend, moved };
}

it('does not lose sight of a mapping whose source is moved to another Region', async () => {
  const { backend, moved } = await world();
  expect(await backend.observe(subjectOf(moved), signal)).toMatchObject({
    kind: 'drifted',
    differences: [{ path: 'eventSourceARN', createOnly: true }],
  });
});

it('looks in the new Region when the old mapping is gone, and creates there', async () => {
  const { apis, backend, moved } = await world();
  await backend.release(subjectOf(moved), () => 'Delete', signal);
  expect(await backend.observe(subjectOf(moved), signal)).toMatchObject({ kind: 'changing' });
  apis['eu-central-1'].settle();
  expect(apis['eu-central-1'].all).toEqual([]);
  expect(await backend.observe(subjectOf(moved), signal)).toEqual({ kind: 'missing' });
  await backend.create(subjectOf(moved), signal);
  expect(apis['us-east-1'].all).toHaveLength(1);
});
