import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { compared } from '../support/gitops.ts';
import {
  chartFolder,
  helm as runHelm,
  objectsOf,
  renderText,
  type ChartName,
  type ChartValues,
  type HelmName,
} from '../support/helm.ts';
import { conditionOf, TestNamespace, type KubeObject } from '../support/kube.ts';
import { placeOfObject } from '../support/kube-places.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { startSluice } from '../support/sluice.ts';

/**
 * The life of a release on a real API server, in Helm 4, which applies server-side, and in Helm 3: install, upgrade,
 * rollback, uninstall. What users made must outlive all of them. The control plane is its own, since CRDs come and go.
 */
const system = 'sluice-system';
const clusterID = 'test';
const crdNames = ['eventsourcemappings', 'mappingcheckpoints', 'mappingclasses', 'pollerreports'].map(
  (plural) => `${plural}.sluice.dev`,
);
const standard = { standard: { default: true, spec: { namespaces: ['shop'] } } };
const mapping = {
  apiVersion: 'sluice.dev/v1alpha1',
  kind: 'EventSourceMapping',
  metadata: { name: 'orders' },
  spec: {
    mode: 'Poller',
    eventSourceARN: 'arn:aws:sqs:eu-west-1:000000000000:orders',
    functionName: 'orders',
  },
};
const esm = { resource: 'eventsourcemappings.sluice.dev', name: 'orders' };

let controlPlane: ControlPlane;
let shop: TestNamespace;
beforeAll(async () => {
  controlPlane = await startControlPlane();
  for (const name of [system, 'shop']) {
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    await controlPlane.request('/api/v1/namespaces', { method: 'POST', body });
  }
  shop = new TestNamespace(controlPlane, 'shop');
});
afterAll(() => controlPlane?.[Symbol.asyncDispose]());

function helm(
  name: HelmName,
  args: readonly string[],
  values?: ChartValues,
  kubeconfig = controlPlane.kubeconfig,
): Promise<string> {
  const given = values === undefined ? {} : { input: JSON.stringify(values) };
  const flags = values === undefined ? [] : ['--values', '-'];
  return runHelm([...args, '--namespace', system, ...flags], { helm: name, kubeconfig, ...given });
}

const install = (
  name: HelmName,
  release: string,
  values: ChartValues,
  chart: ChartName = 'sluice',
): Promise<string> => helm(name, ['install', release, chartFolder(chart)], values);
const upgrade = (name: HelmName, values: ChartValues): Promise<string> =>
  helm(name, ['upgrade', 'sluice', chartFolder()], values);

/** Where the lists of kinds are. */
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const places = {
  classes: '/apis/sluice.dev/v1alpha1/mappingclasses',
  clusterRoles: `${rbac}/clusterroles`,
  clusterRoleBindings: `${rbac}/clusterrolebindings`,
  crds: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  deployments: `/apis/apps/v1/namespaces/${system}/deployments`,
  budgets: `/apis/policy/v1/namespaces/${system}/poddisruptionbudgets`,
  roles: `${rbac}/namespaces/${system}/roles`,
  roleBindings: `${rbac}/namespaces/${system}/rolebindings`,
  accounts: `/api/v1/namespaces/${system}/serviceaccounts`,
  rolesInShop: `${rbac}/namespaces/shop/roles`,
} as const;

async function objects(kind: keyof typeof places): Promise<readonly KubeObject[]> {
  const { body } = await controlPlane.request(places[kind]);
  return (body as { items?: readonly KubeObject[] }).items ?? [];
}

/** Names of what belongs to Sluice. */
async function names(kind: keyof typeof places): Promise<readonly string[]> {
  const own = (await objects(kind)).filter(
    ({ metadata }) => metadata.labels?.['app.kubernetes.io/part-of'] === 'sluice',
  );
  return own.map(({ metadata }) => metadata.name).toSorted();
}

async function deployment(name: string): Promise<KubeObject | undefined> {
  return (await objects('deployments')).find(({ metadata }) => metadata.name === name);
}

const established = (): Promise<boolean> =>
  eventually(async () => {
    const ready = (await objects('crds')).filter((crd) => conditionOf(crd, 'Established')?.status === 'True');
    return ready.length === crdNames.length;
  });

/**
 * A CRD that is deleted before its objects can be listed stays for good: the API server finds its storage initializing
 * and never looks again.
 */
const listed = (): Promise<boolean> =>
  eventually(async () => {
    for (const { metadata } of await objects('crds')) {
      const [plural = ''] = metadata.name.split('.');
      const { status } = await controlPlane.request(`/apis/sluice.dev/v1alpha1/${plural}`);
      if (status !== 200) throw new Error(`${plural}: ${status}`);
    }
    return true;
  });

async function dropCrds(): Promise<void> {
  await listed();
  for (const name of crdNames) await controlPlane.request(`${places.crds}/${name}`, { method: 'DELETE' });
  await crdsGone();
}

function crdsGone(): Promise<boolean> {
  return eventually(
    async () => {
      const left = await objects('crds');
      if (left.length > 0)
        throw new Error(JSON.stringify(left.map(({ metadata, status }) => ({ metadata, status }))));
      return true;
    },
    { timeoutMs: 30_000, what: 'the end of the CRDs' },
  );
}

describe.each<HelmName>(['helm', 'helm3'])('%s', (name) => {
  describe.skipIf(isAbsent(name))('on a real API server', () => {
    it('installs, and refuses classes before their CRD is there', async () => {
      await expect(install(name, 'sluice', { clusterID, classes: standard })).rejects.toThrow(
        'ensure CRDs are installed first',
      );
      const notes = await install(name, 'sluice', { clusterID });
      expect(notes).toContain('without a MappingClass nobody may do anything');
      expect(await names('deployments')).toEqual(['sluice-controller', 'sluice-poller-default']);
      await established();
      await shop.apply(mapping);
    });

    it('upgrades to other values', async () => {
      const notes = await upgrade(name, {
        clusterID,
        classes: standard,
        controller: { replicas: 3 },
        poller: { replicas: 1, resources: { requests: { cpu: 1 }, limits: null } },
        pools: { payments: { bufferMib: 256 } },
        commonLabels: { team: 'platform' },
      });
      expect(notes).toContain('Classes: standard');
      expect(await names('classes')).toEqual(['standard']);
      expect(await names('deployments')).toEqual([
        'sluice-controller',
        'sluice-poller-default',
        'sluice-poller-payments',
      ]);
      expect(await names('budgets')).toEqual(['sluice-controller']);
      expect(await deployment('sluice-controller')).toMatchObject({
        metadata: { labels: { team: 'platform' } },
        spec: { replicas: 3 },
      });
    });

    it('rolls back', async () => {
      await helm(name, ['rollback', 'sluice', '1']);
      expect(await names('deployments')).toEqual(['sluice-controller', 'sluice-poller-default']);
      expect(await names('budgets')).toEqual(['sluice-controller', 'sluice-poller-default']);
      expect(await names('classes')).toEqual([]);
      const controller = await deployment('sluice-controller');
      expect(controller?.spec).toMatchObject({ replicas: 2 });
      expect(controller?.metadata.labels).not.toHaveProperty('team');
    });

    it('uninstalls; CRDs and mappings stay', async () => {
      await helm(name, ['uninstall', 'sluice']);
      const kinds = ['deployments', 'accounts', 'roles', 'roleBindings', 'budgets'] as const;
      for (const kind of [...kinds, 'clusterRoles', 'clusterRoleBindings'] as const)
        expect(await names(kind)).toEqual([]);
      expect(await names('crds')).toEqual(crdNames);
      expect(await shop.get(esm)).toMatchObject({ spec: mapping.spec });
    });

    it('finds the CRDs that were kept, under another name only where it is told so', async () => {
      await install(name, 'sluice', { clusterID, classes: standard });
      await helm(name, ['uninstall', 'sluice']);
      await expect(install(name, 'other', { clusterID })).rejects.toThrow('invalid ownership metadata');
      await helm(name, ['install', 'other', chartFolder(), '--take-ownership'], { clusterID });
      expect(await names('deployments')).toEqual(['other-sluice-controller', 'other-sluice-poller-default']);
      expect(await shop.get(esm)).toMatchObject({ spec: mapping.spec });
    });

    it('takes CRDs and mappings away where it is told so', async () => {
      await helm(name, ['upgrade', 'other', chartFolder()], { clusterID, crds: { keep: false } });
      await listed();
      await helm(name, ['uninstall', 'other']);
      expect(await crdsGone()).toBe(true);
    });
  });
});

describe.skipIf(isAbsent('helm'))('helm template', () => {
  it('makes what `kubectl apply --server-side` takes, twice', async () => {
    const apply = (text: string): ReturnType<ControlPlane['kubectl']> =>
      controlPlane.kubectl(['apply', '--server-side', '--validate=strict', '-f', '-'], { input: text });
    expect(await apply(await renderText({ clusterID }))).toMatchObject({ code: 0 });
    await established();
    const withClasses = await renderText({ clusterID, classes: standard });
    expect(await apply(withClasses)).toMatchObject({ code: 0, stderr: '' });
    expect(await apply(withClasses)).toMatchObject({ code: 0, stderr: '' });
    expect(await names('classes')).toEqual(['standard']);
    // Another tool finds no difference, and need not force anything.
    for (const object of objectsOf(withClasses)) {
      const place = await placeOfObject(controlPlane, system, object);
      const predicted = await controlPlane.request(`${place}?dryRun=All&fieldManager=argocd-controller`, {
        method: 'PATCH',
        contentType: 'application/apply-patch+yaml',
        body: object,
      });
      const live = await controlPlane.request(place);
      expect(compared(predicted.body as KubeObject)).toEqual(compared(live.body as KubeObject));
    }
    const others = await renderText({ clusterID, classes: standard, crds: { install: false } });
    expect(await controlPlane.kubectl(['delete', '-f', '-'], { input: others })).toMatchObject({ code: 0 });
    await dropCrds();
  });
});

describe.skipIf(isAbsent('helm'))('beside a release of the CRDs', () => {
  const crds = { install: false };
  beforeAll(async () => {
    await install('helm', 'sluice-crds', {}, 'sluice-crds');
    await established();
  });

  it('classes come with the first install, and controller and autoscaler are left alone', async () => {
    const values = (batchSize: number): ChartValues => ({
      clusterID,
      crds,
      classes: standard,
      poller: { scaledExternally: true },
      extraObjects: [
        {
          ...mapping,
          metadata: { name: 'orders', namespace: 'shop' },
          // The finalizer comes with Managed mode.
          spec: { ...mapping.spec, mode: 'Managed', batchSize },
        },
      ],
    });
    await install('helm', 'sluice', values(5));
    expect(await names('classes')).toEqual(['standard']);
    const scaled = ['scale', 'deploy/sluice-poller-default', '-n', system, '--replicas=7'];
    expect(await controlPlane.kubectl(scaled)).toMatchObject({ code: 0 });
    await using controller = startSluice(
      `controller --cluster-id ${clusterID} --namespace ${system} --metrics-address 127.0.0.1:0 --kubeconfig`
        .split(' ')
        .concat(controlPlane.kubeconfig),
      // Nobody is there: it writes finalizer and status, and tries again.
      {
        AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
        AWS_ACCESS_KEY_ID: 'a',
        AWS_SECRET_ACCESS_KEY: 'b',
        AWS_REGION: 'eu-west-1',
      },
    );
    await controller.logged('Leading', {}, 30_000);
    const before = await shop.waitForCondition(esm, { type: 'Ready', status: 'False' });
    expect(before.metadata.finalizers).toEqual(['sluice.dev/external-mapping']);

    await upgrade('helm', values(6));
    const after = await shop.get(esm);
    expect(after?.spec).toMatchObject({ batchSize: 6 });
    expect(after?.metadata.finalizers).toEqual(['sluice.dev/external-mapping']);
    expect(after?.status?.['conditions']).toBeDefined();
    expect((await deployment('sluice-poller-default'))?.spec).toMatchObject({ replicas: 7 });

    await controller[Symbol.asyncDispose]();
    await helm('helm', ['uninstall', 'sluice']);
    const place = '/apis/sluice.dev/v1alpha1/namespaces/shop/eventsourcemappings/orders';
    await controlPlane.request(place, { method: 'PATCH', body: { metadata: { finalizers: null } } });
  });

  it('some namespaces are served for somebody who has rights in no other', async () => {
    const group = 'rbac.authorization.k8s.io';
    const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
    for (const namespace of [system, 'shop'])
      await new TestNamespace(controlPlane, namespace).apply([
        { apiVersion: `${group}/v1`, kind: 'Role', metadata: { name: 'owner' }, rules },
        {
          apiVersion: `${group}/v1`,
          kind: 'RoleBinding',
          metadata: { name: 'owner' },
          roleRef: { apiGroup: group, kind: 'Role', name: 'owner' },
          subjects: [{ apiGroup: group, kind: 'User', name: 'owner' }],
        },
      ]);
    const kubeconfig = controlPlane.userKubeconfig({ user: 'owner' });
    const values = { clusterID, scope: 'namespaces', watchNamespaces: ['shop'], classes: standard };
    await helm('helm', ['install', 'sluice', chartFolder()], values, kubeconfig);
    await helm('helm', ['upgrade', 'sluice', chartFolder()], { ...values, logLevel: 'debug' }, kubeconfig);
    const roles = ['sluice-system:sluice-controller', 'sluice-system:sluice-poller'];
    expect(await names('rolesInShop')).toEqual(roles);
    await helm('helm', ['uninstall', 'sluice'], undefined, kubeconfig);
    expect(await names('rolesInShop')).toEqual([]);
  });
});
