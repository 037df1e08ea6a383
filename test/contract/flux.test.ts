import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { argoCdEngine, type ArgoCdEngine } from '../support/argocd-lua.ts';
import { repository } from '../support/markdown.ts';
import { isAbsent } from '../support/servers/absent.ts';

/**
 * The health check of `deploy/flux` by Flux's own CEL, over the objects that were captured for Argo CD. Flux looks at
 * the generation first, then at the expressions in a fixed order; what none of them says is in progress.
 */
interface HealthCheck {
  readonly kind: string;
  readonly current: string;
  readonly failed: string;
  readonly inProgress: string;
}
interface Kustomization {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly dependsOn?: readonly { readonly name: string }[];
    readonly healthCheckExprs?: readonly HealthCheck[];
  };
}

const file = path.join(repository, 'deploy/flux/kustomizations.yaml');
const kustomizations = parseAllDocuments(fs.readFileSync(file, 'utf8')).map(
  (document) => document.toJS() as Kustomization,
);
const check = kustomizations
  .flatMap(({ spec }) => spec.healthCheckExprs ?? [])
  .find(({ kind }) => kind === 'EventSourceMapping');
const testdata = path.join(
  repository,
  'deploy/argocd/resource_customizations/sluice.dev/EventSourceMapping/testdata',
);

describe.skipIf(isAbsent('argocd-lua'))('the health check of a mapping in Flux', () => {
  let engine: ArgoCdEngine;
  beforeAll(async () => {
    engine = await argoCdEngine();
  }, 300_000);

  async function healthOf(object: object): Promise<string> {
    const { metadata, status } = object as {
      readonly metadata?: { readonly generation?: number };
      readonly status?: { readonly observedGeneration?: number };
    };
    const seen = status?.observedGeneration;
    if (seen !== undefined && seen !== metadata?.generation) return 'InProgress';
    const expressions = [check?.inProgress, check?.failed, check?.current];
    const answers = await engine.ask(
      expressions.map((expression) => ({ kind: 'cel', expression: expression ?? '', object })),
    );
    const index = answers.findIndex(({ holds, error }) => error !== undefined || holds === true);
    return answers[index]?.error ?? ['InProgress', 'Failed', 'Current'][index] ?? 'InProgress';
  }

  const sameAs: Readonly<Record<string, string>> = {
    progressing: 'InProgress',
    degraded: 'Failed',
    healthy: 'Current',
    // A brake is no failure: what was asked for is still in force.
    suspended: 'Current',
  };
  it.each(fs.readdirSync(testdata))('says the same as that of Argo CD: %s', async (name) => {
    const object = parse(fs.readFileSync(path.join(testdata, name), 'utf8')) as object;
    expect(await healthOf(object)).toBe(sameAs[name.split('-')[0] ?? '']);
  });

  it.each([
    { why: 'nothing was written yet', status: {} },
    { why: 'there is no condition', status: { observedGeneration: 1, conditions: [] } },
    {
      why: 'it is not ready',
      status: { observedGeneration: 1, conditions: [{ type: 'Ready', status: 'False' }] },
    },
  ])('is in progress when $why', async ({ status }) => {
    expect(await healthOf({ metadata: { generation: 1 }, status })).toBe('InProgress');
  });
});

describe('the Kustomizations', () => {
  it('wait for each other: CRDs, Sluice, mappings', () => {
    const order = kustomizations.map(({ metadata, spec }) => ({
      name: metadata.name,
      after: spec.dependsOn?.map(({ name }) => name),
    }));
    expect(order).toEqual([
      { name: 'sluice-crds', after: undefined },
      { name: 'sluice', after: ['sluice-crds'] },
      { name: 'shop', after: ['sluice'] },
    ]);
  });
});
