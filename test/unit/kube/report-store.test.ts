import { expect, test } from 'vitest';
import type { ReportBody } from '../../../src/api/report.ts';
import { kubeReportStore, type ReportStoreOptions } from '../../../src/kube/report-store.ts';
import type { KubeError } from '../../../src/kube/kube-error.ts';
import { fail } from '../../support/fake-kube-api.ts';

const { signal } = new AbortController();
const report: ReportBody = {
  formatVersion: 1,
  member: 'poller-a',
  pool: 'canary',
  version: '1',
  mappings: [],
};
const path = '/apis/sluice.dev/v1alpha1/namespaces/sluice-system/pollerreports/poller-a';

/** Keeps the calls; the fake API server does not know how to create by apply. */
function setUp(options: Partial<ReportStoreOptions> = {}, problem?: KubeError) {
  const calls: { readonly path: string; readonly patch?: unknown }[] = [];
  const stored = { metadata: { name: 'poller-a', resourceVersion: '7' } };
  const api: ReportStoreOptions['api'] = {
    get: async () => {
      if (problem !== undefined) throw problem;
      return stored as never;
    },
    patch: async (at, patch) => {
      calls.push({ path: at, patch });
      if (problem !== undefined) throw problem;
      return stored as never;
    },
    delete: async (at) => {
      calls.push({ path: at });
      if (problem !== undefined) throw problem;
      return {};
    },
  };
  const store = kubeReportStore({ api, namespace: 'sluice-system', name: 'poller-a', ...options });
  return { store, calls };
}

test('writes the whole report by one forced apply, found by its labels and owned by the pod', async () => {
  const owner = { apiVersion: 'v1', kind: 'Pod', name: 'poller-a', uid: 'u' } as const;
  const { store, calls } = setUp({ owner });
  expect(await store.write(report, signal)).toBe('7');
  expect(calls).toEqual([
    {
      path,
      patch: {
        kind: 'apply',
        force: true,
        fieldManager: 'sluice-poller',
        body: {
          apiVersion: 'sluice.dev/v1alpha1',
          kind: 'PollerReport',
          metadata: {
            name: 'poller-a',
            namespace: 'sluice-system',
            labels: {
              'app.kubernetes.io/managed-by': 'sluice',
              'app.kubernetes.io/component': 'poller',
              'sluice.dev/pool': 'canary',
              'sluice.dev/member': 'poller-a',
            },
            ownerReferences: [owner],
          },
          report,
        },
      },
    },
  ]);
});

test('a long name makes a label that the API server takes', async () => {
  const { store, calls } = setUp({ name: `${'a'.repeat(60)}.-.example` });
  await store.write(report, signal);
  const [call] = calls;
  expect(call?.patch).toMatchObject({
    body: { metadata: { labels: { 'sluice.dev/member': 'a'.repeat(60) } } },
  });
});

test('removes the report, and is content when it is gone already', async () => {
  const { store, calls } = setUp({}, fail('NotFound', 404, 'gone'));
  await store.remove(signal);
  expect(calls).toEqual([{ path }]);
});

test('knows the version of what is stored, and that nothing is', async () => {
  expect(await setUp().store.version(signal)).toBe('7');
  const gone = setUp({}, fail('NotFound', 404, 'gone'));
  expect(await gone.store.version(signal)).toBeUndefined();
});

test('tells every other failure to its caller, who tries again', async () => {
  const { store } = setUp({}, fail('Forbidden', 403, 'no'));
  await expect(store.remove(signal)).rejects.toMatchObject({ reason: 'Forbidden' });
  await expect(store.write(report, signal)).rejects.toMatchObject({ reason: 'Forbidden' });
  await expect(store.version(signal)).rejects.toMatchObject({ reason: 'Forbidden' });
});
