import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { renderChart, type ChartName, type ChartValues } from '../support/helm.ts';
import { testNamespace } from '../support/kube.ts';
import { repository } from '../support/markdown.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';

/**
 * `deploy/argocd` as an admin uses it: the Applications, whose structure test/cluster/examples.test.ts has checked by
 * an API server, and the patch of Argo CD's configuration.
 */
interface Application {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly source: {
      readonly path: string;
      readonly helm?: { readonly valuesObject: ChartValues };
    };
    readonly destination: { readonly namespace: string };
    readonly ignoreDifferences?: unknown;
    readonly syncPolicy: { readonly syncOptions: readonly string[] };
  };
}

const applications = parseAllDocuments(
  fs.readFileSync(path.join(repository, 'deploy/argocd/application.yaml'), 'utf8'),
).map((document) => document.toJS() as Application);
const wave = ({ metadata }: Application): number =>
  Number(metadata.annotations['argocd.argoproj.io/sync-wave']);

describe('the Applications', () => {
  it('are synced in the order CRDs, Sluice, mappings, server-side and without ignored differences', () => {
    expect(applications.map(({ metadata }) => metadata.name)).toEqual(['sluice-crds', 'sluice', 'shop']);
    expect(applications.map(wave)).toEqual([-2, -1, 0]);
    for (const { spec } of applications) {
      expect(spec.syncPolicy.syncOptions).toContain('ServerSideApply=true');
      expect(spec.ignoreDifferences).toBeUndefined();
    }
  });

  it.skipIf(isAbsent('helm'))(
    'are the charts with values that they take, each object in one of them',
    async () => {
      const rendered = await Promise.all(
        applications
          .filter(({ spec }) => spec.source.path.startsWith('helm/'))
          .map(({ spec, metadata }) =>
            renderChart(spec.source.helm?.valuesObject ?? {}, {
              chart: path.basename(spec.source.path) as ChartName,
              release: metadata.name,
              namespace: spec.destination.namespace,
            }),
          ),
      );
      const [crds = [], sluice = []] = rendered.map((objects) => objects.map(({ kind }) => kind));
      expect(new Set(crds)).toEqual(new Set(['CustomResourceDefinition']));
      expect(sluice).toEqual(expect.arrayContaining(['Deployment', 'MappingClass']));
      expect(sluice).not.toContain('CustomResourceDefinition');
    },
  );
});

it('argocd-cm.yaml is laid over the configuration that is there', async () => {
  const controlPlane = sharedControlPlane();
  await using namespace = await testNamespace(controlPlane);
  const own = { 'resource.customizations.health.example.com_Widget': 'return {}', url: 'https://cd' };
  await namespace.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'argocd-cm' },
    data: own,
  });
  const args = ['patch', 'configmap', 'argocd-cm', '--patch-file', 'deploy/argocd/argocd-cm.yaml'];
  const { code, stderr } = await controlPlane.kubectl(['-n', namespace.name, ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { body } = await controlPlane.request(`/api/v1/namespaces/${namespace.name}/configmaps/argocd-cm`);
  const { data } = body as { readonly data: Readonly<Record<string, string>> };
  expect(data).toMatchObject(own);
  expect(
    Object.keys(data)
      .filter((key) => !(key in own))
      .toSorted(),
  ).toEqual([
    'resource.customizations.actions.sluice.dev_EventSourceMapping',
    'resource.customizations.health.argoproj.io_Application',
    'resource.customizations.health.sluice.dev_EventSourceMapping',
  ]);
});
