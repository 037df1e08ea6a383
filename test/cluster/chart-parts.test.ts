import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { kinds } from '../../src/api/crd.ts';
import { validateText } from '../../src/api/validate.ts';
import { chartProfile } from '../support/chart-profiles.ts';
import {
  chartFolder,
  helm,
  renderChart,
  tryRender,
  type ChartName,
  type RenderedObject,
} from '../support/helm.ts';
import { repository } from '../support/markdown.ts';
import { isAbsent } from '../support/servers/absent.ts';

/** Parts of the rendered chart that an API server takes whatever they say: identities, policies, monitors, metadata. */
const clusterID = 'test';

interface Container {
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
}

function found(objects: readonly RenderedObject[], kind: string, name: string): RenderedObject {
  const object = objects.find((one) => one.kind === kind && one.metadata.name === name);
  if (object === undefined) throw new Error(`there is no ${kind} ${name}`);
  return object;
}

function environmentOf(objects: readonly RenderedObject[], name: string): ReadonlyMap<string, unknown> {
  const spec = found(objects, 'Deployment', name)['spec'] as {
    template: { spec: { containers: readonly Container[] } };
  };
  const [container] = spec.template.spec.containers;
  return new Map((container?.env ?? []).map((entry) => [entry.name, entry.value ?? entry.valueFrom]));
}

describe.skipIf(isAbsent('helm'))('identity', () => {
  const role = 'eks.amazonaws.com/role-arn';

  it('by IRSA is an annotation of each ServiceAccount, and nothing in the pods', async () => {
    const objects = await renderChart(chartProfile('irsa').values);
    expect(found(objects, 'ServiceAccount', 'sluice-controller').metadata.annotations).toEqual({
      [role]: 'arn:aws:iam::000000000000:role/sluice-controller',
    });
    expect(found(objects, 'ServiceAccount', 'sluice-poller-default').metadata.annotations).toEqual({
      [role]: 'arn:aws:iam::000000000000:role/sluice-poller',
      'eks.amazonaws.com/token-expiration': '3600',
    });
    expect([...environmentOf(objects, 'sluice-controller')]).toEqual([['AWS_REGION', 'eu-west-1']]);
  });

  it('of a pool is its own', async () => {
    const objects = await renderChart(chartProfile('pools').values);
    const accounts = objects.filter(({ kind }) => kind === 'ServiceAccount');
    expect(accounts.map(({ metadata }) => [metadata.name, metadata.annotations?.[role]])).toEqual([
      ['sluice-controller', undefined],
      ['sluice-poller-canary', undefined],
      ['sluice-poller-default', undefined],
      ['sluice-poller-payments', 'arn:aws:iam::000000000000:role/sluice-payments'],
    ]);
  });

  it('by Pod Identity leaves no trace but the way to the agent', async () => {
    const objects = await renderChart(chartProfile('pod-identity').values);
    for (const object of objects.filter(({ kind }) => kind === 'ServiceAccount'))
      expect(object.metadata.annotations).toBeUndefined();
    expect(environmentOf(objects, 'sluice-poller-default').has('AWS_ACCESS_KEY_ID')).toBe(false);
    expect(egressOf(objects, 'sluice-controller')).toContainEqual(agent);
  });

  it('by a Secret is a reference to its keys, of which the token may be missing', async () => {
    const environment = environmentOf(
      await renderChart(chartProfile('laptop').values),
      'sluice-poller-default',
    );
    const key = (name: string): object => ({ secretKeyRef: { name: 'aws-test-key', key: name } });
    expect(environment.get('AWS_ACCESS_KEY_ID')).toEqual(key('AWS_ACCESS_KEY_ID'));
    expect(environment.get('AWS_SECRET_ACCESS_KEY')).toEqual(key('AWS_SECRET_ACCESS_KEY'));
    expect(environment.get('AWS_SESSION_TOKEN')).toEqual({
      secretKeyRef: { name: 'aws-test-key', key: 'AWS_SESSION_TOKEN', optional: true },
    });
    expect(environment.get('AWS_ENDPOINT_URL')).toBe('http://emulator.aws.svc:4566');
  });
});

const agent = {
  to: [{ ipBlock: { cidr: '169.254.170.23/32' } }, { ipBlock: { cidr: 'fd00:ec2::23/128' } }],
  ports: [{ port: 80 }],
};

function egressOf(objects: readonly RenderedObject[], name: string): readonly object[] {
  return (found(objects, 'NetworkPolicy', name)['spec'] as { egress: readonly object[] }).egress;
}

describe.skipIf(isAbsent('helm'))('a NetworkPolicy', () => {
  const everyPod = { to: [{ namespaceSelector: {} }] };

  it('lets pollers reach targets, and the controller not', async () => {
    const objects = await renderChart({ clusterID, networkPolicy: { enabled: true } });
    expect(egressOf(objects, 'sluice-poller-default')).toContainEqual(everyPod);
    expect(egressOf(objects, 'sluice-controller')).not.toContainEqual(everyPod);
    // DNS, the API server, AWS, the Pod Identity agent.
    expect(egressOf(objects, 'sluice-controller')).toHaveLength(4);
  });

  it('never opens the metadata service of a node', async () => {
    const objects = await renderChart({ clusterID, networkPolicy: { enabled: true } });
    const blocks = egressOf(objects, 'sluice-poller-default').flatMap(
      (rule) => (rule as { to?: { ipBlock?: { cidr: string; except?: string[] } }[] }).to ?? [],
    );
    const open = blocks.filter(
      ({ ipBlock }) => ipBlock?.cidr === '0.0.0.0/0' && ipBlock.except?.includes('169.254.0.0/16') !== true,
    );
    expect(blocks.some(({ ipBlock }) => ipBlock?.cidr === '0.0.0.0/0')).toBe(true);
    expect(open).toEqual([]);
  });

  it('opens the way to the Pod Identity agent for those who use it', async () => {
    const objects = await renderChart({ ...chartProfile('irsa').values, networkPolicy: { enabled: true } });
    expect(egressOf(objects, 'sluice-controller')).not.toContainEqual(agent);
  });

  it('of some namespaces opens the way to their pods alone', async () => {
    const objects = await renderChart(chartProfile('network-policy-namespaces').values);
    const names = { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['shop', 'billing'] };
    expect(egressOf(objects, 'sluice-poller-default')).toContainEqual({
      to: [{ namespaceSelector: { matchExpressions: [names] } }],
    });
    expect(found(objects, 'NetworkPolicy', 'sluice-poller-default')['spec']).not.toHaveProperty('ingress');
  });

  it('takes what is listed in the place of its own', async () => {
    const egress = egressOf(
      await renderChart(chartProfile('network-policy').values),
      'sluice-poller-default',
    );
    expect(egress).toContainEqual({ to: [{ ipBlock: { cidr: '10.0.0.1/32' } }], ports: [{ port: 443 }] });
    expect(egress).toContainEqual({
      to: [{ ipBlock: { cidr: '10.1.0.0/16' } }],
      ports: [{ port: 3128, protocol: 'TCP' }],
    });
    expect(egress).not.toContainEqual(everyPod);
    expect(egress).not.toContainEqual(agent);
  });
});

describe.skipIf(isAbsent('helm'))('a PodMonitor', () => {
  it('finds every pod of the release by the port that it has', async () => {
    const objects = await renderChart(chartProfile('pod-monitor').values);
    expect(found(objects, 'PodMonitor', 'sluice')).toMatchObject({
      metadata: { labels: { release: 'kube-prometheus-stack' } },
      spec: {
        selector: {
          matchLabels: { 'app.kubernetes.io/instance': 'sluice', 'app.kubernetes.io/name': 'sluice' },
        },
        podMetricsEndpoints: [{ port: 'metrics', interval: '30s' }],
      },
    });
  });
});

describe.each<ChartName>(['sluice', 'sluice-crds'])('the chart %s', (chart) => {
  const read = (file: string): string => fs.readFileSync(path.join(repository, file), 'utf8');
  const { version, license } = JSON.parse(read('package.json')) as { version: string; license: string };
  const meta = parse(read(`helm/${chart}/Chart.yaml`)) as {
    readonly version: string;
    readonly appVersion: string;
    readonly annotations: Readonly<Record<string, string>>;
  };

  it.skipIf(isAbsent('helm'))(
    'passes the strict lint of Helm, and is packed without what tests need',
    async () => {
      const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-chart-'));
      try {
        const lint = [
          'lint',
          chartFolder(chart),
          '--strict',
          '--set',
          chart === 'sluice' ? 'clusterID=a' : 'keep=true',
        ];
        expect(await helm(lint)).toContain('0 chart(s) failed');
        await helm(['package', chartFolder(chart), '--destination', dir]);
        expect(fs.readdirSync(dir)).toEqual([`${chart}-${version}.tgz`]);
        const archive = path.join(dir, `${chart}-${version}.tgz`);
        const files = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' });
        expect(files).toContain(`${chart}/values.schema.json`);
        expect(files).toContain('sluice.dev_eventsourcemappings.yaml');
        expect(files).not.toContain('/ci/');
      } finally {
        fs.rmSync(dir, { recursive: true, force: true });
      }
    },
  );

  it('is of the version of Sluice, and says to Artifact Hub what is in it', () => {
    expect([meta.version, meta.appVersion]).toEqual([version, version]);
    expect(meta.annotations).toMatchObject({
      'artifacthub.io/license': license,
      'artifacthub.io/operator': 'true',
      'artifacthub.io/category': 'streaming-messaging',
    });
    const crds = parse(meta.annotations['artifacthub.io/crds'] ?? '') as { name: string; kind: string }[];
    const known = kinds.map(({ name }) => ({ name: `${name.plural}.sluice.dev`, kind: name.kind }));
    for (const { name, kind } of crds) expect(known).toContainEqual({ name, kind });
    expect(crds).toHaveLength(2);
    for (const { kind } of parse(meta.annotations['artifacthub.io/changes'] ?? '') as { kind: string }[])
      expect(['added', 'changed', 'deprecated', 'removed', 'fixed', 'security']).toContain(kind);
  });

  it.skipIf(isAbsent('helm'))('refuses a Kubernetes that is too old, and says so', async () => {
    const { code, stderr } = await tryRender(chart === 'sluice' ? { clusterID } : {}, {
      chart,
      args: ['--kube-version', '1.29.0'],
    });
    expect(code).not.toBe(0);
    expect(stderr).toContain('requires kubeVersion: >=1.30.0-0');
  });
});

it('the examples that Artifact Hub shows are valid', () => {
  const text = fs.readFileSync(path.join(chartFolder(), 'Chart.yaml'), 'utf8');
  const { annotations } = parse(text) as { annotations: Readonly<Record<string, string>> };
  const examples = parse(annotations['artifacthub.io/crdsExamples'] ?? '') as readonly object[];
  expect(examples.length).toBeGreaterThan(1);
  for (const example of examples)
    expect(validateText(JSON.stringify(example))).toMatchObject([{ kind: 'checked', problems: [] }]);
});
