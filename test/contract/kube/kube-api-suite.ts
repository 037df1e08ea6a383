import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ApiClient } from '../../../src/kube/api-client.ts';
import { addFinalizer, applyStatus, removeFinalizer } from '../../../src/kube/object-writes.ts';
import { leaseAccess } from '../../../src/kube/lease.ts';
import { resource, type KubeList, type KubeObject, type Resource } from '../../../src/kube/resource.ts';
import { parseWatchEvent } from '../../../src/kube/watch-event.ts';

/** What the plumbing needs of an API server: held against the real one and against the one in memory. */
export type KubeApi = Pick<ApiClient, 'get' | 'list' | 'create' | 'replace' | 'patch' | 'delete' | 'watch'>;

export interface KubeApiSubject {
  readonly api: () => KubeApi;
  /** A namespace that exists and is empty. */
  readonly namespace: () => string;
  /** A namespaced custom kind with a status that takes `conditions`, and a body for it. */
  readonly withStatus: { readonly resource: Resource; readonly body: object };
}

interface Item extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
  readonly status?: object;
}

const items = resource({
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
});
const signal = new AbortController().signal;

/** The suite; `title` names the implementation. */
export function kubeApiSuite(title: string, subject: KubeApiSubject): void {
  const api = (): KubeApi => subject.api();
  const namespace = (): string => subject.namespace();
  const unique = (): string => `item-${randomBytes(4).toString('hex')}`;
  const create = (name: string, labels: Record<string, string> = {}): Promise<Item> =>
    api().create<Item>(items.collection(namespace()), { metadata: { name, labels }, data: {} }, { signal });
  const at = (object: KubeObject): string => items.object(namespace(), object.metadata.name);
  const setData = (object: KubeObject, value: string): Promise<Item> =>
    api().patch<Item>(at(object), { kind: 'merge', body: { data: { value } } }, { signal });

  describe(`the Kubernetes API: ${title}`, () => {
    describe('objects', () => {
      it('are created once, read, and not found when they are not there', async () => {
        const created = await create(unique());
        expect(created.metadata).toMatchObject({ namespace: namespace(), uid: expect.any(String) });
        expect(await api().get<Item>(at(created), { signal })).toMatchObject({
          metadata: { resourceVersion: created.metadata.resourceVersion },
        });
        await expect(create(created.metadata.name)).rejects.toMatchObject({
          reason: 'AlreadyExists',
          status: 409,
        });
        await expect(api().get(items.object(namespace(), 'missing'), { signal })).rejects.toMatchObject({
          reason: 'NotFound',
          status: 404,
        });
      });

      it('are replaced only from their present version', async () => {
        const created = await create(unique());
        const changed = await setData(created, '1');
        await expect(api().replace(at(created), created, { signal })).rejects.toMatchObject({
          reason: 'Conflict',
        });
        const replaced = await api().replace<Item>(
          at(created),
          { ...changed, data: { value: '2' } },
          { signal },
        );
        expect(replaced.data).toEqual({ value: '2' });
        expect(replaced.metadata.resourceVersion).not.toBe(changed.metadata.resourceVersion);
      });

      it('keep their version when a write changes nothing', async () => {
        const changed = await setData(await create(unique()), '1');
        expect((await setData(changed, '1')).metadata.resourceVersion).toBe(changed.metadata.resourceVersion);
      });

      it('lose a field that a merge patch sets to null', async () => {
        const changed = await setData(await create(unique()), '1');
        const patched = await api().patch<Item>(
          at(changed),
          { kind: 'merge', body: { data: { value: null, other: '2' } } },
          { signal },
        );
        expect(patched.data).toEqual({ other: '2' });
      });

      it.each([{ precondition: 'uid' as const }, { precondition: 'resourceVersion' as const }])(
        'are not deleted when their $precondition is another',
        async ({ precondition }) => {
          const created = await create(unique());
          await expect(
            api().delete(at(created), { signal, preconditions: { [precondition]: '1' } }),
          ).rejects.toMatchObject({ reason: 'Conflict' });
          await api().delete(at(created), {
            signal,
            preconditions: { [precondition]: created.metadata[precondition] },
          });
          await expect(api().get(at(created), { signal })).rejects.toMatchObject({ reason: 'NotFound' });
        },
      );
    });

    describe('finalizers', () => {
      it('are added once, keep a deleted object, and let it go when removed', async () => {
        const created = await create(unique());
        const held = await addFinalizer(api(), items, created, 'sluice.dev/test', signal);
        expect(held?.metadata.finalizers).toEqual(['sluice.dev/test']);
        expect(await addFinalizer(api(), items, held ?? created, 'sluice.dev/test', signal)).toBeUndefined();
        const both = await addFinalizer(api(), items, held ?? created, 'sluice.dev/other', signal);
        expect(both?.metadata.finalizers).toEqual(['sluice.dev/test', 'sluice.dev/other']);
        await api().delete(at(created), { signal });
        let deleting = await api().get<Item>(at(created), { signal });
        expect(deleting.metadata.deletionTimestamp).toEqual(expect.any(String));
        deleting = (await removeFinalizer(api(), items, deleting, 'sluice.dev/other', signal)) ?? deleting;
        expect(deleting.metadata.finalizers).toEqual(['sluice.dev/test']);
        await removeFinalizer(api(), items, deleting, 'sluice.dev/test', signal);
        await expect(api().get(at(created), { signal })).rejects.toMatchObject({ reason: 'NotFound' });
        // Once more, from an old copy: it is gone, and that is what was wanted.
        expect(await removeFinalizer(api(), items, deleting, 'sluice.dev/test', signal)).toBeUndefined();
      });

      it('are not touched on an object that changed meanwhile', async () => {
        const created = await create(unique());
        await setData(created, '1');
        await expect(addFinalizer(api(), items, created, 'sluice.dev/test', signal)).rejects.toMatchObject({
          reason: 'Conflict',
          status: 409,
        });
      });
    });

    describe('status', () => {
      const { resource: kind, body } = subject.withStatus;
      const make = (name = unique()): Promise<Item> =>
        api().create<Item>(
          kind.collection(namespace()),
          { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name }, ...body },
          { signal },
        );
      const status = (value: string): object => ({
        conditions: [
          {
            type: 'Ready',
            status: value,
            reason: 'Testing',
            message: '',
            observedGeneration: 1,
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ],
      });

      it('is applied, and nothing is written when it is as wanted', async () => {
        const created = await make();
        const applied = await applyStatus(api(), kind, created, status('True'), signal);
        expect(applied?.status).toMatchObject(status('True'));
        expect(applied?.metadata.generation).toBe(created.metadata.generation);
        expect(
          await applyStatus(api(), kind, applied ?? created, applied?.status ?? {}, signal),
        ).toBeUndefined();
      });

      it('is not applied to another object of the same name', async () => {
        const first = await make();
        await api().delete(kind.object(namespace(), first.metadata.name), { signal });
        await make(first.metadata.name);
        await expect(applyStatus(api(), kind, first, status('True'), signal)).rejects.toMatchObject({
          reason: 'Conflict',
        });
      });

      it('does not bring back an object that is gone', async () => {
        const first = await make();
        await api().delete(kind.object(namespace(), first.metadata.name), { signal });
        await expect(applyStatus(api(), kind, first, status('True'), signal)).rejects.toMatchObject({
          reason: 'NotFound',
        });
      });

      it('is not applied over a newer version', async () => {
        const first = await make();
        const second = await applyStatus(api(), kind, first, status('True'), signal);
        await expect(applyStatus(api(), kind, first, status('False'), signal)).rejects.toMatchObject({
          reason: 'Conflict',
        });
        const third = await applyStatus(api(), kind, second ?? first, status('False'), signal);
        expect(third?.status).toMatchObject(status('False'));
      });
    });

    describe('lists', () => {
      it('come in pages of one version', async () => {
        const label = unique();
        for (let index = 0; index < 5; index++) await create(`${label}-${index}`, { list: label });
        const page = (more: object): Promise<KubeList<Item>> =>
          api().list<KubeList<Item>>(items.collection(namespace()), {
            signal,
            query: { labelSelector: `list=${label}`, limit: 2, ...more },
          });
        const first = await page({});
        const late = await create(`${label}-9`, { list: label });
        const second = await page({ continue: first.metadata.continue });
        const third = await page({ continue: second.metadata.continue });
        expect(
          [first, second, third].flatMap(({ items }) => items.map(({ metadata }) => metadata.name)),
        ).toEqual([0, 1, 2, 3, 4].map((index) => `${label}-${index}`));
        expect(third.metadata.continue ?? '').toBe('');
        expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
        await api().delete(at(late), { signal });
      });
    });

    describe('watches', () => {
      it('bring what happened after a version, of the selected objects, until the time is up', async () => {
        const label = unique();
        const before = await create(`${label}-a`, { watch: label });
        const stream = await api().watch(items.collection(namespace()), {
          signal,
          query: {
            labelSelector: `watch=${label}`,
            resourceVersion: before.metadata.resourceVersion,
            allowWatchBookmarks: true,
            timeoutSeconds: 2,
          },
        });
        await setData(before, '1');
        await create(`${label}-other`);
        const second = await create(`${label}-b`, { watch: label });
        await api().delete(at(second), { signal });
        const seen: string[] = [];
        for await (const line of stream) {
          const event = parseWatchEvent<Item>(line, 0);
          if (event.kind === 'changed' || event.kind === 'deleted') {
            seen.push(`${event.kind} ${event.object.metadata.name}`);
          }
        }
        expect(seen).toEqual([`changed ${label}-a`, `changed ${label}-b`, `deleted ${label}-b`]);
      });

      it('end with `Aborted` when the reader’s signal does', async () => {
        const stop = new AbortController();
        const stream = await api().watch(items.collection(namespace()), { signal: stop.signal });
        const reading = (async () => {
          for await (const _ of stream) stop.abort();
        })();
        const outcome = reading.catch((error: unknown) => error);
        await create(unique());
        expect(await outcome).toMatchObject({ reason: 'Aborted' });
      });

      it('may be left by the reader', async () => {
        const stream = await api().watch(items.collection(namespace()), { signal });
        const created = await create(unique());
        for await (const line of stream) {
          if (line.includes(created.metadata.name)) break;
        }
        expect((await api().get<Item>(at(created), { signal })).metadata.uid).toBe(created.metadata.uid);
      });

      it('from a version that is too old report `Expired`', async () => {
        const outcome = (async () => {
          // Of a kind that did not exist yet at the first version: its watch cache cannot reach back so far.
          const stream = await api().watch(subject.withStatus.resource.collection(namespace()), {
            signal,
            query: { resourceVersion: '1', timeoutSeconds: 2 },
          });
          for await (const line of stream) parseWatchEvent(line, 0);
        })();
        await expect(outcome).rejects.toMatchObject({ reason: 'Expired' });
      });
    });

    describe('Leases', () => {
      it('are created by one, replaced from their present version, and deleted', async () => {
        const lease = leaseAccess(api(), namespace(), unique(), 5000);
        expect(await lease.read(signal)).toBeUndefined();
        const spec = {
          holderIdentity: 'a',
          leaseDurationSeconds: 15,
          acquireTime: '2026-01-01T00:00:00.000000Z',
          renewTime: '2026-01-01T00:00:00.000000Z',
          leaseTransitions: 0,
        };
        const created = await lease.create({ spec, labels: { a: '1' } }, signal);
        expect((await lease.read(signal))?.spec).toEqual(spec);
        await expect(lease.create({ spec }, signal)).rejects.toMatchObject({ reason: 'AlreadyExists' });
        const content = {
          spec: { ...spec, holderIdentity: 'b', leaseTransitions: 1 },
          annotations: { b: '2' },
        };
        const replaced = await lease.replace(created, content, signal);
        expect(replaced).toMatchObject({
          metadata: { labels: { a: '1' }, annotations: { b: '2' } },
          spec: content.spec,
        });
        await expect(lease.replace(created, content, signal)).rejects.toMatchObject({ reason: 'Conflict' });
        await expect(lease.remove(created, signal)).rejects.toMatchObject({ reason: 'Conflict' });
        await lease.remove(replaced, signal);
        expect(await lease.read(signal)).toBeUndefined();
        await lease.remove(replaced, signal);
      });
    });
  });
}
