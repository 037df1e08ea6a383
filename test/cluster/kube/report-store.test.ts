import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReportBody, ReportEntry } from '../../../src/api/report.ts';
import { ApiClient } from '../../../src/kube/api-client.ts';
import { loadAccess } from '../../../src/kube/kube-config.ts';
import { kubeReportStore } from '../../../src/kube/report-store.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { testNamespace, type TestNamespace } from '../../support/kube.ts';
import { sharedControlPlane } from '../../support/shared-control-plane.ts';

let namespace: TestNamespace;
let api: ApiClient;
const { signal } = new AbortController();

beforeAll(async () => {
  namespace = await testNamespace(sharedControlPlane());
  const access = await loadAccess({ kubeconfig: sharedControlPlane().kubeconfig });
  api = new ApiClient({ access, clock: systemClock });
});
afterAll(async () => {
  await api.close();
  await namespace[Symbol.asyncDispose]();
});

const entry = (index: number): ReportEntry => ({
  namespace: 'shop',
  name: `orders-${index}`,
  uid: `5a1c0de0-0000-4000-8000-${String(index).padStart(12, '0')}`,
  generation: 1,
  state: 'Running',
});

const reportOf = (mappings: readonly ReportEntry[]): ReportBody => ({
  formatVersion: 1,
  member: 'a',
  pool: 'default',
  version: '1',
  mappings,
});

describe('a report on a real API server', () => {
  it('can say that the member runs nothing any more', async () => {
    const store = kubeReportStore({ api, namespace: namespace.name, name: 'a' });
    await store.write(reportOf([entry(1), entry(2)]), signal);
    await store.write(reportOf([]), signal);
    const stored = await namespace.get({ resource: 'pollerreports.sluice.dev', name: 'a' });
    expect(stored?.['report']).toEqual(reportOf([]));
  });

  it('keeps its version when the same is written again, and has none when it is gone', async () => {
    const store = kubeReportStore({ api, namespace: namespace.name, name: 'b' });
    expect(await store.version(signal)).toBeUndefined();
    const version = await store.write(reportOf([entry(1)]), signal);
    expect(version).toMatch(/^\d+$/);
    expect(await store.write(reportOf([entry(1)]), signal)).toBe(version);
    expect(await store.version(signal)).toBe(version);
    await store.remove(signal);
    expect(await store.version(signal)).toBeUndefined();
  });

  it('is not much larger as an object than what it says', async () => {
    const store = kubeReportStore({ api, namespace: namespace.name, name: 'c' });
    const report = reportOf(Array.from({ length: 300 }, (_, index) => entry(index)));
    await store.write(report, signal);
    const { body } = await sharedControlPlane().request(
      `/apis/sluice.dev/v1alpha1/namespaces/${namespace.name}/pollerreports/c`,
    );
    expect(JSON.stringify(body).length).toBeLessThan(JSON.stringify(report).length + 2000);
  });
});
