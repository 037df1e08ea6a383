/** What users of kubectl see of the resources, asked of a real API server. */
import { expect, test } from 'vitest';
import { aMapping } from '../support/builders.ts';
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
