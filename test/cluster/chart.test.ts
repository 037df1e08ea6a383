import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import type { Command } from '../../src/cli/command.ts';
import { parseOptions } from '../../src/cli/config.ts';
import { chartProfile, chartProfiles, type Profile } from '../support/chart-profiles.ts';
import {
  chartFolder,
  clusterScoped,
  objectsOf,
  renderChart,
  renderText,
  tryRender,
  type ChartValues,
  type RenderedObject,
} from '../support/helm.ts';
import { testNamespace, type TestNamespace } from '../support/kube.ts';
import { placeOfObject } from '../support/kube-places.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';

/** What the charts become with every profile of values, as Helm makes it and as a real API server takes it. */
const controlPlane = sharedControlPlane();
const profiles = chartProfiles();
const clusterID = 'test';

interface PodSpec {
  readonly serviceAccountName: string;
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly {
    readonly args: readonly string[];
    readonly image: string;
    readonly env?: readonly { readonly name: string; readonly value?: string }[];
    readonly volumeMounts?: readonly object[];
  }[];
}

interface Deployment extends RenderedObject {
  readonly spec: {
    readonly replicas?: number;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: {
        readonly labels: Readonly<Record<string, string>>;
        readonly annotations?: Readonly<Record<string, string>>;
      };
      readonly spec: PodSpec;
    };
  };
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

const deploymentsOf = (objects: readonly RenderedObject[]): readonly Deployment[] =>
  objects.filter((object): object is Deployment => object.kind === 'Deployment');
const ofKind = (objects: readonly RenderedObject[], kind: string): readonly RenderedObject[] =>
  objects.filter((object) => object.kind === kind);
const keyOf = ({ kind, metadata }: RenderedObject): string =>
  `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

describe.skipIf(isAbsent('helm'))('every profile of values', () => {
  /** Namespaces for what the profiles name. */
  let system: TestNamespace;
  let shop: TestNamespace;
  let billing: TestNamespace;
  /** What each became, rendered once. */
  const texts = new Map<string, string>();
  const parsed = new Map<string, readonly RenderedObject[]>();
  let valuesOf: (profile: Profile) => ChartValues;

  beforeAll(async () => {
    system = await testNamespace(controlPlane, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    shop = await testNamespace(controlPlane);
    billing = await testNamespace(controlPlane);
    const moved = chartProfiles({ shop: shop.name, billing: billing.name });
    valuesOf = ({ name }) => moved.find((profile) => profile.name === name)?.values ?? {};
    for (const { name, values } of moved) {
      const text = await renderText(values, { namespace: system.name });
      texts.set(name, text);
      parsed.set(name, objectsOf(text));
    }
  });
  afterAll(async () => {
    for (const namespace of [system, shop, billing]) await namespace?.[Symbol.asyncDispose]();
  });
  const objectsIn = ({ name }: Profile): readonly RenderedObject[] => parsed.get(name) ?? [];

  it('is one of many', () => {
    expect(profiles.length).toBeGreaterThanOrEqual(15);
  });

  it.each(profiles)('$name is taken by the API server', async (profile) => {
    const refused: string[] = [];
    for (const object of objectsIn(profile)) {
      // The kinds of the Prometheus Operator are not there.
      if (object.apiVersion.startsWith('monitoring.')) continue;
      const problem = await dryRun(object, system.name);
      if (problem !== undefined) refused.push(problem);
    }
    expect(refused).toEqual([]);
  });

  it.each(profiles)('$name has pods that Pod Security `restricted` admits', async (profile) => {
    const refused: string[] = [];
    for (const { spec, metadata } of deploymentsOf(objectsIn(profile))) {
      const problem = await tryPod(
        system.name,
        metadata.name,
        spec.template.metadata.labels,
        spec.template.spec,
      );
      if (problem !== undefined) refused.push(problem);
    }
    expect(refused).toEqual([]);
  });

  it('is measured against a namespace that refuses other pods', async () => {
    const values = { clusterID, poller: { securityContext: { allowPrivilegeEscalation: true } } };
    const poller = deploymentsOf(await renderChart(values)).find(({ metadata }) =>
      metadata.name.includes('poller'),
    );
    const spec = poller?.spec.template.spec ?? ({} as PodSpec);
    expect(await tryPod(system.name, 'poller', {}, spec)).toContain('allowPrivilegeEscalation != false');
  });

  it.each(profiles)('$name is the same twice, and the same in Helm 3', async (profile) => {
    const values = valuesOf(profile);
    const namespace = system.name;
    const text = texts.get(profile.name) ?? '';
    expect(await renderText(values, { namespace })).toBe(text);
    if (isAbsent('helm3')) return;
    const byHelm3 = await renderText(values, { namespace, helm: 'helm3' });
    expect(documentsOf(byHelm3)).toEqual(documentsOf(text));
  });

  it.each(profiles)('$name has no hooks and says its namespace', (profile) => {
    const objects = objectsIn(profile);
    const hooks = objects.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined);
    expect(hooks).toEqual([]);
    const vague = objects.filter(
      ({ kind, metadata }) => metadata.namespace === undefined && !clusterScoped.has(kind),
    );
    // Objects of the user's own go where the release goes.
    expect(vague.length === 0 || ['autoscaled', 'extras'].includes(profile.name)).toBe(true);
  });

  it.each(profiles)('$name has pods that are found by what selects them', (profile) => {
    const objects = objectsIn(profile);
    const deployments = deploymentsOf(objects);
    const selectors = deployments.map(({ spec }) => spec.selector.matchLabels);
    for (const [index, { spec }] of deployments.entries()) {
      const matching = selectors.filter((selector) => matches(selector, spec.template.metadata.labels));
      expect(matching).toEqual([selectors[index]]);
    }
    for (const kind of ['PodDisruptionBudget', 'NetworkPolicy']) {
      for (const object of ofKind(objects, kind)) {
        const spec = object['spec'] as Record<string, { matchLabels: Record<string, string> }>;
        expect(selectors).toContainEqual((spec['selector'] ?? spec['podSelector'])?.matchLabels);
      }
    }
  });

  it.each(profiles)('$name has command lines that the processes take', async (profile) => {
    for (const { spec } of deploymentsOf(objectsIn(profile))) {
      const pod = spec.template.spec;
      const [container] = pod.containers;
      const [name = '', ...argv] = container?.args ?? [];
      const command = await commandNamed(name);
      const env = Object.fromEntries((container?.env ?? []).map((entry) => [entry.name, entry.value]));
      const parsed = (await parseOptions(command.options ?? {}, argv, env)).values;
      expect(parsed['cluster-id']).toBe(profile.values['clusterID']);
      const needs =
        name === 'poller' ? Number(parsed['grace-seconds']) + Number(parsed['drain-receive-seconds']) : 0;
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(needs);
    }
  });

  it.each(profiles)('$name never asks for everything, nor to escalate', (profile) => {
    const roles = objectsIn(profile).filter(({ kind }) => kind.endsWith('Role'));
    const words = roles.flatMap((role) =>
      (role['rules'] as Rule[]).flatMap(({ apiGroups, resources, verbs }) => [
        ...apiGroups,
        ...resources,
        ...verbs,
      ]),
    );
    for (const word of ['*', 'bind', 'escalate', 'impersonate', 'pods', 'configmaps'])
      expect(words).not.toContain(word);
    // Tokens of ServiceAccounts are asked for by name, where a tenant's are listed.
    const tokens = roles
      .flatMap(({ rules }) => rules as (Rule & { readonly resourceNames?: readonly string[] })[])
      .filter(({ resources }) => resources.some((word) => word.startsWith('serviceaccounts')));
    for (const { verbs, resources, resourceNames } of tokens) {
      expect(resourceNames?.length).toBeGreaterThan(0);
      expect(verbs).toEqual(resources.includes('serviceaccounts/token') ? ['create'] : ['get']);
    }
    expect(tokens.length > 0).toBe(['namespaces', 'service-accounts'].includes(profile.name));
  });
});

describe.skipIf(isAbsent('helm'))('scope: namespaces', () => {
  const names = ['namespaces', 'namespaces-default-deny', 'network-policy-namespaces'];
  it.each(names)('%s makes nothing that is not in a namespace', async (name) => {
    const objects = await renderChart(chartProfile(name).values);
    expect(objects.filter(({ kind }) => clusterScoped.has(kind)).map(keyOf)).toEqual([]);
    expect(ofKind(objects, 'Role').length).toBeGreaterThan(3);
  });

  it('gives the processes their namespaces and a file of the classes', async () => {
    const { values } = chartProfile('namespaces');
    const objects = await renderChart(values);
    for (const { spec } of deploymentsOf(objects)) {
      const [container] = spec.template.spec.containers;
      expect(container?.args).toContain('--watch-namespaces=shop,billing');
      expect(container?.args).toContain('--classes-file=/etc/sluice/classes.yaml');
      expect(container?.volumeMounts).toEqual([
        { name: 'classes', mountPath: '/etc/sluice', readOnly: true },
      ]);
    }
    const [file] = ofKind(objects, 'ConfigMap');
    const [standard] = objectsOf(
      (file?.['data'] as Record<string, string> | undefined)?.['classes.yaml'] ?? '',
    );
    expect(standard).toMatchObject({
      kind: 'MappingClass',
      metadata: { name: 'standard', annotations: { 'sluice.dev/is-default-class': 'true' } },
      spec: { namespaces: ['shop', 'billing'] },
    });
  });

  it('rolls the pods when a class changes, and only then', async () => {
    const { values } = chartProfile('namespaces');
    const sums = async (changed: ChartValues): Promise<readonly unknown[]> =>
      deploymentsOf(await renderChart({ ...values, ...changed })).map(
        ({ spec }) => spec.template.metadata.annotations?.['checksum/classes'],
      );
    const [before] = await sums({});
    expect(await sums({ logLevel: 'debug' })).toEqual([before, before]);
    const [after] = await sums({ classes: { standard: { spec: { namespaces: ['shop'] } } } });
    expect(after).not.toBe(before);
  });
});

describe.skipIf(isAbsent('helm'))('names', () => {
  const shared = (left: readonly RenderedObject[], right: readonly RenderedObject[]): string[] => {
    const keys = new Set(left.filter(({ kind }) => kind !== 'CustomResourceDefinition').map(keyOf));
    return right.map(keyOf).filter((key) => keys.has(key));
  };
  const values = { ...chartProfile('pools').values, networkPolicy: { enabled: true } };

  it.each([
    { why: 'two namespaces', left: {}, right: { namespace: 'other' } },
    { why: 'one namespace', left: {}, right: { release: 'canary' } },
    {
      why: 'namespaces and names that look alike when they are put together',
      left: { namespace: 'a', release: 'b-sluice' },
      right: { namespace: 'a-b', release: 'sluice' },
    },
  ])('of two releases in $why do not meet', async ({ left, right }) => {
    const objects = await renderChart(values, right);
    expect(objects.length).toBeGreaterThan(10);
    expect(shared(await renderChart(values, left), objects)).toEqual([]);
  });

  it('stay legal with the longest name of a release and of a pool', async () => {
    const longest = {
      clusterID,
      pools: { ['p'.repeat(63)]: {} },
      metrics: { serviceMonitor: { enabled: true, renderMode: 'alwaysRender' } },
    };
    const objects = await renderChart(longest, { release: 'r'.repeat(53) });
    await using namespace = await testNamespace(controlPlane);
    const refused: string[] = [];
    for (const object of objects.filter(({ apiVersion }) => !apiVersion.startsWith('monitoring.'))) {
      const { metadata } = object;
      const here = metadata.namespace === undefined ? {} : { namespace: namespace.name };
      const problem = await dryRun({ ...object, metadata: { ...metadata, ...here } }, namespace.name);
      if (problem !== undefined) refused.push(problem);
    }
    expect(refused).toEqual([]);
  });
});

describe.skipIf(isAbsent('helm'))('rights', () => {
  it('are read from Secrets by name only', async () => {
    const objects = await renderChart(chartProfile('namespaces').values);
    const rules = objects
      .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')
      .flatMap((role) => (role['rules'] as Rule[]).map((rule) => ({ ...rule, in: role.metadata.namespace })))
      .filter(({ resources }) => resources.includes('secrets'));
    expect(rules).toEqual([
      {
        in: 'billing',
        apiGroups: [''],
        resources: ['secrets'],
        resourceNames: ['printer-ca'],
        verbs: ['get'],
      },
      {
        in: 'shop',
        apiGroups: [''],
        resources: ['secrets'],
        resourceNames: ['orders-ca', 'orders-token'],
        verbs: ['get'],
      },
    ]);
  });
});

describe.skipIf(isAbsent('helm'))('what a value does', () => {
  it.each<{
    readonly why: string;
    readonly values: ChartValues;
    readonly kinds: Readonly<Record<string, number>>;
  }>([
    {
      why: 'one pod needs no budget',
      values: { controller: { replicas: 1 } },
      kinds: { PodDisruptionBudget: 1 },
    },
    {
      why: 'a budget may be left out',
      values: { poller: { podDisruptionBudget: { enabled: false } } },
      kinds: { PodDisruptionBudget: 1 },
    },
    {
      why: 'an HPA may make more',
      values: { poller: { replicas: 1, scaledExternally: true } },
      kinds: { PodDisruptionBudget: 2 },
    },
    {
      why: 'no policy without being asked',
      values: {},
      kinds: { NetworkPolicy: 0, PodMonitor: 0, ServiceMonitor: 0, MappingClass: 0 },
    },
    {
      why: 'CRDs from elsewhere',
      values: { crds: { install: false } },
      kinds: { CustomResourceDefinition: 0 },
    },
    { why: 'CRDs from here', values: {}, kinds: { CustomResourceDefinition: 4 } },
    {
      why: 'rights from elsewhere',
      values: { rbac: { create: false }, poller: { secretAccess: [{ namespace: 'a', names: ['b'] }] } },
      kinds: { ClusterRole: 0, ClusterRoleBinding: 0, Role: 0, RoleBinding: 0 },
    },
    {
      why: 'a monitor that the cluster does not know',
      values: { metrics: { podMonitor: { enabled: true } } },
      kinds: { PodMonitor: 0 },
    },
    {
      why: 'no controller',
      values: { controller: { enabled: false } },
      kinds: { Deployment: 1, ServiceAccount: 1, ClusterRoleBinding: 1 },
    },
  ])('$why', async ({ values, kinds }) => {
    const objects = await renderChart({ clusterID, ...values });
    const counts = Object.keys(kinds).map((kind) => [kind, ofKind(objects, kind).length]);
    expect(Object.fromEntries(counts)).toEqual(kinds);
  });

  it('makes a monitor that the cluster knows', async () => {
    const values = { clusterID, metrics: { serviceMonitor: { enabled: true, renderMode: 'failIfMissing' } } };
    const args = ['--api-versions', 'monitoring.coreos.com/v1'];
    const objects = await renderChart(values, { args });
    const [service] = ofKind(objects, 'Service');
    const [monitor] = ofKind(objects, 'ServiceMonitor');
    const labels = { 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/instance': 'sluice' };
    expect(service).toMatchObject({ metadata: { labels }, spec: { clusterIP: 'None', selector: labels } });
    expect(monitor).toMatchObject({
      spec: { selector: { matchLabels: labels }, endpoints: [{ port: 'metrics' }] },
    });
  });

  it('leaves the number of pods to others', async () => {
    const [controller, poller] = deploymentsOf(await renderChart(chartProfile('autoscaled').values));
    expect(controller?.spec.replicas).toBe(2);
    expect(poller?.spec).not.toHaveProperty('replicas');
  });

  it('lets a pool say what `poller` says otherwise, also with false, zero and the empty text', async () => {
    const values = {
      clusterID,
      poller: { replicas: 3, bufferMib: 64, priorityClassName: 'high', nodeSelector: { disk: 'ssd' } },
      pools: { default: { replicas: 0, spread: false, priorityClassName: '', nodeSelector: { zone: 'a' } } },
    };
    const [, poller] = deploymentsOf(await renderChart(values));
    expect(poller?.spec.replicas).toBe(0);
    expect(poller?.spec.template.spec).not.toHaveProperty('topologySpreadConstraints');
    expect(poller?.spec.template.spec).not.toHaveProperty('priorityClassName');
    expect(poller?.spec.template.spec).toMatchObject({
      nodeSelector: { 'kubernetes.io/os': 'linux', disk: 'ssd', zone: 'a' },
    });
    expect(poller?.spec.template.spec.containers[0]?.args).toContain('--buffer-mib=64');
  });

  it('pins the image by its digest, or by the version of the chart', async () => {
    const image = async (values: ChartValues): Promise<string | undefined> =>
      deploymentsOf(await renderChart({ clusterID, ...values }))[0]?.spec.template.spec.containers[0]?.image;
    const { version } = JSON.parse(
      fs.readFileSync(path.join(chartFolder(), '../../package.json'), 'utf8'),
    ) as {
      version: string;
    };
    const digest = `sha256:${'a'.repeat(64)}`;
    expect(await image({})).toBe(`sluice:${version}`);
    expect(await image({ image: { repository: 'r/s', tag: 'x' } })).toBe('r/s:x');
    expect(await image({ image: { tag: 'x', digest } })).toBe(`sluice@${digest}`);
  });

  it('keeps CRDs unless it is told otherwise', async () => {
    const policies = async (keep: boolean): Promise<readonly unknown[]> =>
      ofKind(await renderChart({ clusterID, crds: { keep } }), 'CustomResourceDefinition').map(
        ({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'],
      );
    expect(new Set(await policies(true))).toEqual(new Set(['keep']));
    expect(new Set(await policies(false))).toEqual(new Set([undefined]));
  });
});

describe.skipIf(isAbsent('helm'))('the chart sluice-crds', () => {
  it('has the CRDs of the chart sluice, of which the API server takes each', async () => {
    const alone = await renderChart({}, { chart: 'sluice-crds' });
    const within = ofKind(await renderChart({ clusterID }), 'CustomResourceDefinition');
    const specs = (objects: readonly RenderedObject[]): readonly unknown[] =>
      objects.map(({ metadata, spec }) => ({ name: metadata.name, spec }));
    expect(specs(alone)).toEqual(specs(within));
    for (const object of alone) {
      expect(object.metadata.annotations).toEqual({
        'argocd.argoproj.io/sync-wave': '-5',
        'helm.sh/resource-policy': 'keep',
      });
      expect(await dryRun(object, 'default')).toBeUndefined();
    }
  });

  it('may have the roles for people', async () => {
    const roles = ofKind(
      await renderChart({ aggregateRoles: true }, { chart: 'sluice-crds' }),
      'ClusterRole',
    );
    expect(roles).toHaveLength(2);
    for (const role of roles) expect(await dryRun(role, 'default')).toBeUndefined();
  });

  it('refuses values that it does not know', async () => {
    const { code, stderr } = await tryRender({ keeep: true }, { chart: 'sluice-crds' });
    expect(code).not.toBe(0);
    expect(stderr).toContain('keeep');
  });
});

it('templates ask for nothing that changes from one rendering to the next', () => {
  const folder = path.join(chartFolder(), 'templates');
  const files = fs.readdirSync(folder).filter((name) => /\.(tpl|yaml|txt)$/.test(name));
  const found = files.filter((name) =>
    /\{\{[^}]*\b(lookup|now|rand\w*|genCA|genSelfSignedCert|genPrivateKey|uuidv4|htpasswd|Revision|IsInstall|IsUpgrade)\b/.test(
      fs.readFileSync(path.join(folder, name), 'utf8'),
    ),
  );
  expect(files.length).toBeGreaterThan(8);
  expect(found).toEqual([]);
});

async function commandNamed(name: string): Promise<Command> {
  const found = Object.entries(commands).find(([key]) => key === name)?.[1];
  if (found === undefined) throw new Error(`there is no command ${name}`);
  return found.load();
}

/** The documents of a rendering; their order is Helm's and not always the same. */
const documentsOf = (text: string): readonly string[] =>
  text
    .split(/^---$/m)
    .map((document) => document.trim())
    .filter((document) => document !== '')
    .toSorted();

function matches(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

/** What the API server has taken already. */
const accepted = new Set<string>();

/** Applies an object server-side without storing it; gives what the API server says against it. */
async function dryRun(object: RenderedObject, fallback: string): Promise<string | undefined> {
  // CRDs are large, and the same in every profile.
  const text = JSON.stringify(object);
  if (accepted.has(text)) return undefined;
  const query = 'dryRun=All&fieldValidation=Strict&fieldManager=chart-test&force=true';
  const place = await placeOfObject(controlPlane, fallback, object);
  const { status, body } = await controlPlane.request(`${place}?${query}`, {
    method: 'PATCH',
    contentType: 'application/apply-patch+yaml',
    body: object,
  });
  if (status !== 200 && status !== 201) return `${keyOf(object)}: ${JSON.stringify(body)}`;
  accepted.add(text);
  return undefined;
}

/** Creates a pod without storing it; gives what admission says against it. */
async function tryPod(
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  spec: PodSpec,
): Promise<string | undefined> {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: spec.serviceAccountName } };
  await controlPlane.request(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
    method: 'POST',
    body: account,
  });
  const place = `/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=Strict`;
  const { status, body } = await controlPlane.request(place, {
    method: 'POST',
    body: { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels }, spec },
  });
  return status === 201 ? undefined : JSON.stringify(body);
}
