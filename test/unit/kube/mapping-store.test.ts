import { beforeEach, expect, it } from 'vitest';
import type { EventSourceMapping } from '../../../src/api/mapping.ts';
import { finalizer } from '../../../src/api/meta.ts';
import { eventSourceMappings, KubeMappingStore } from '../../../src/kube/mapping-store.ts';
import { FakeKubeApi } from '../../support/fake-kube-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const never = new AbortController().signal;
const path = eventSourceMappings.object('n', 'orders');

let api: FakeKubeApi;
/** What the watch has brought: the test says when. */
let cached: EventSourceMapping | undefined;
let store: KubeMappingStore;

const stored = (): Promise<EventSourceMapping> => api.get<EventSourceMapping>(path, { signal: never });
const status = (observedGeneration: number): NonNullable<EventSourceMapping['status']> => ({
  observedGeneration,
  conditions: [],
});

async function create(): Promise<EventSourceMapping> {
  return api.create<EventSourceMapping>(
    eventSourceMappings.collection('n'),
    { metadata: { name: 'orders', managedFields: [{}] }, spec: { mode: 'Managed' } },
    { signal: never },
  );
}

beforeEach(async () => {
  api = new FakeKubeApi(new VirtualClock());
  store = new KubeMappingStore(api, { get: () => cached });
  cached = await create();
});

it('gives what it has written itself until the watch has brought it', async () => {
  await store.writeStatus(cached as EventSourceMapping, status(1), never);
  expect(store.get('n/orders')?.status).toEqual(status(1));
  expect(store.get('n/orders')?.metadata).not.toHaveProperty('managedFields');
  await api.patch(path, { kind: 'merge', body: { metadata: { labels: { a: '1' } } } }, { signal: never });
  cached = await stored();
  expect(store.get('n/orders')?.metadata.labels).toEqual({ a: '1' });
});

it('writes the status of a pass that has stored the finalizer', async () => {
  const read = store.get('n/orders') as EventSourceMapping;
  const held = await store.setFinalizer(read, true, never);
  expect(held.metadata.finalizers).toEqual([finalizer]);
  await store.writeStatus(read, status(1), never);
  expect(await stored()).toMatchObject({ metadata: { finalizers: [finalizer] }, status: status(1) });
});

it('does not write a status over what somebody else has changed since, also after its own finalizer', async () => {
  const read = store.get('n/orders') as EventSourceMapping;
  await store.setFinalizer(read, true, never);
  await api.patch(path, { kind: 'merge', body: { spec: { enabled: false } } }, { signal: never });
  await expect(store.writeStatus(read, status(1), never)).rejects.toMatchObject({ reason: 'Conflict' });
  expect(await stored()).not.toHaveProperty('status');
});

it('writes nothing when nothing would change', async () => {
  await store.writeStatus(store.get('n/orders') as EventSourceMapping, status(1), never);
  const before = api.requests.length;
  await store.writeStatus(store.get('n/orders') as EventSourceMapping, status(1), never);
  await store.setFinalizer(store.get('n/orders') as EventSourceMapping, false, never);
  expect(api.requests).toHaveLength(before);
});

it('does not mind that the mapping is gone', async () => {
  const read = store.get('n/orders') as EventSourceMapping;
  await api.delete(path, { signal: never });
  await store.writeStatus(read, status(1), never);
  cached = undefined;
  expect(store.get('n/orders')).toBeUndefined();
});

it('keeps nothing of an earlier mapping of the same name', async () => {
  await store.writeStatus(store.get('n/orders') as EventSourceMapping, status(7), never);
  await api.delete(path, { signal: never });
  cached = await create();
  expect(store.get('n/orders')).not.toHaveProperty('status');
  await store.writeStatus(store.get('n/orders') as EventSourceMapping, status(1), never);
  expect((await stored()).status).toEqual(status(1));
});
