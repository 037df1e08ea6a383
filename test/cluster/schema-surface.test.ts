/** What users of kubectl see of the resources, asked of a real API server. */
import { expect, test } from 'vitest';
import { aMapping } from '../support/builders.ts';
import { established } from '../support/established.ts';
import { testNamespace, type TestNamespace } from '../support/kube.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';

const cluster = sharedControlPlane();

async function stored(namespace: TestNamespace, name: string) {
  const made = await cluster.request(
    `/apis/sluice.dev/v1alpha1/namespaces/${namespace.name}/eventsourcemappings`,
    { method: 'POST', body: aMapping({ functionName: name }, { name, namespace: namespace.name }) },
  );
  expect(made).toMatchObject({ status: 201 });
  return made.body as { readonly spec: unknown; readonly status: unknown };
}

async function get(namespace: TestNamespace, ...args: readonly string[]): Promise<string> {
  const answer = await cluster.kubectl(['get', '-n', namespace.name, ...args]);
  expect(answer).toMatchObject({ code: 0 });
  return answer.stdout.trim();
}

const columns = (table: string): readonly string[] => table.split('\n')[0]?.trim().split(/\s+/) ?? [];

test('a mapping that nobody has looked at says so in its status', async () => {
  await using namespace = await testNamespace(cluster);
  const made = await stored(namespace, 'fresh');
  expect(made.status).toEqual({ observedGeneration: -1 });
});

test('the API server adds nothing to the spec', async () => {
  await using namespace = await testNamespace(cluster);
  const made = await stored(namespace, 'untouched');
  expect(made.spec).toEqual(aMapping({ functionName: 'untouched' }).spec);
});

test('kubectl knows the short name, the category and the columns', async () => {
  await using namespace = await testNamespace(cluster);
  await stored(namespace, 'columns');
  const narrow = ['NAME', 'READY', 'MODE', 'SOURCE', 'TARGET', 'STATE', 'AGE'];
  expect(columns(await get(namespace, 'esm'))).toEqual(narrow);
  expect(columns(await get(namespace, 'esm', '-o', 'wide'))).toEqual([
    ...narrow,
    'REASON',
    'MESSAGE',
    'UUID',
  ]);
  expect(await get(namespace, 'sluice', '-o', 'name')).toContain('eventsourcemapping.sluice.dev/columns');
});

test('mappings are selected by the fields that select them', async () => {
  await using namespace = await testNamespace(cluster);
  await stored(namespace, 'selected');
  await stored(namespace, 'other');
  const selector = 'spec.functionName=selected,spec.mode=Poller';
  const found = await get(namespace, 'esm', '-o', 'name', '--field-selector', selector);
  expect(found).toBe('eventsourcemapping.sluice.dev/selected');
});

test('kubectl explain tells unit, bounds and default of a field', async () => {
  const answer = await cluster.kubectl(['explain', 'esm.spec.poller.maximumHoldSeconds']);
  const text = answer.stdout.replaceAll(/\s+/g, ' ');
  expect(text).toContain('Unit: seconds. Between 0 and 43200. Default: 900.');
});

test('the resource lives beside another group that has the same kind and plural', async () => {
  await using namespace = await testNamespace(cluster);
  const crd = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const other = 'eventsourcemappings.lambda.services.k8s.aws';
  const made = await cluster.request(crd, { method: 'POST', body: otherCrd(other) });
  expect(made).toMatchObject({ status: 201 });
  try {
    await established(cluster, [`crd/${other}`]);
    await stored(namespace, 'ours');
    const theirs = {
      apiVersion: 'lambda.services.k8s.aws/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name: 'theirs' },
    };
    await namespace.apply(theirs);
    expect(await get(namespace, 'esm', '-o', 'name')).toBe('eventsourcemapping.sluice.dev/ours');
    expect(await get(namespace, 'eventsourcemappings.sluice.dev', '-o', 'name')).toBe(
      'eventsourcemapping.sluice.dev/ours',
    );
    expect(await get(namespace, other, '-o', 'name')).toBe(
      'eventsourcemapping.lambda.services.k8s.aws/theirs',
    );
  } finally {
    // Left behind, it would make the plural alone ambiguous for the tests that follow.
    await cluster.kubectl(['delete', 'crd', other, '--wait=true']);
  }
});

/** A CRD with the names that AWS's own controllers use for mappings. */
function otherCrd(name: string) {
  const [plural, ...group] = name.split('.');
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group: group.join('.'),
      scope: 'Namespaced',
      names: {
        plural,
        singular: 'eventsourcemapping',
        kind: 'EventSourceMapping',
        listKind: 'EventSourceMappingList',
      },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  };
}
