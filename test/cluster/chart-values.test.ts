import { describe, expect, it } from 'vitest';
import { tryRender, type ChartValues, type HelmName } from '../support/helm.ts';
import { isAbsent } from '../support/servers/absent.ts';

/** Values that cannot be meant so: each is refused before anything is made, by a message that names it. */
interface Case {
  readonly why: string;
  readonly values: ChartValues;
  /** What the message must hold: the value's name, and what is allowed where the schema can say it. */
  readonly says: readonly RegExp[];
}

const least = { clusterID: 'test' };

const bySchema: readonly Case[] = [
  { why: 'a value that is not there', values: { replicas: 3 }, says: [/replicas/] },
  { why: 'a slip in a name', values: { controller: { replica: 3 } }, says: [/controller/, /replica\b/] },
  {
    why: 'a slip in a pool',
    values: { pools: { default: { bufferMiB: 1 } } },
    says: [/pools.default/, /bufferMiB/],
  },
  {
    why: 'a number as text',
    values: { controller: { replicas: '2' } },
    says: [/controller.replicas/, /integer/],
  },
  { why: 'a fraction of a pod', values: { poller: { replicas: 1.5 } }, says: [/poller.replicas/, /integer/] },
  { why: 'less than nothing', values: { poller: { replicas: -1 } }, says: [/poller.replicas/, /0/] },
  { why: 'a switch as text', values: { crds: { install: 'no' } }, says: [/crds.install/, /boolean/] },
  { why: 'an unknown scope', values: { scope: 'namespace' }, says: [/scope/, /cluster/, /namespaces/] },
  { why: 'an unknown level', values: { logLevel: 'trace' }, says: [/logLevel/, /debug/] },
  {
    why: 'an unknown identity',
    values: { poller: { identity: { type: 'irsa' } } },
    says: [/poller.identity.type/, /IRSA/],
  },
  {
    why: 'a role that is none',
    values: { controller: { identity: { type: 'IRSA', roleARN: 'sluice' } } },
    says: [/controller.identity.roleARN/],
  },
  { why: 'a Region that is none', values: { aws: { region: 'Ireland' } }, says: [/aws.region/] },
  {
    why: 'an endpoint without a scheme',
    values: { aws: { endpointURL: 'localhost:4566' } },
    says: [/aws.endpointURL/],
  },
  { why: 'a digest without its kind', values: { image: { digest: 'abc' } }, says: [/image.digest/] },
  {
    why: 'an unknown pull policy',
    values: { image: { pullPolicy: 'always' } },
    says: [/image.pullPolicy/, /Always/],
  },
  { why: 'one namespace as text', values: { watchNamespaces: 'shop' }, says: [/watchNamespaces/, /array/] },
  {
    why: 'a namespace that cannot be',
    values: { scope: 'namespaces', watchNamespaces: ['Shop'] },
    says: [/watchNamespaces/],
  },
  {
    why: 'a namespace twice',
    values: { scope: 'namespaces', watchNamespaces: ['a', 'a'] },
    says: [/watchNamespaces/],
  },
  { why: 'a pool that cannot be a label', values: { pools: { 'My pool': {} } }, says: [/pools/, /My pool/] },
  {
    why: 'more calls than an account has',
    values: { controller: { awsRequestsPerSecond: 16 } },
    says: [/controller.awsRequestsPerSecond/, /15/],
  },
  {
    why: 'a buffer too small for a batch',
    values: { poller: { bufferMib: 1 } },
    says: [/poller.bufferMib/, /16/],
  },
  {
    why: 'an unknown client',
    values: { poller: { awsClient: 'cli' } },
    says: [/poller.awsClient/, /signed/],
  },
  {
    why: 'Secrets without a namespace',
    values: { poller: { secretAccess: [{ names: ['ca'] }] } },
    says: [/poller.secretAccess/, /namespace/],
  },
  {
    why: 'a slip in a toleration',
    values: { poller: { tolerations: [{ keys: 'a' }] } },
    says: [/poller.tolerations/, /keys/],
  },
  {
    why: 'a slip within an affinity',
    values: { controller: { affinity: { nodeAffinity: { required: {} } } } },
    says: [/controller.affinity.nodeAffinity/, /required/],
  },
  {
    why: 'a slip in resources',
    values: { poller: { resources: { limit: {} } } },
    says: [/poller.resources/, /limit\b/],
  },
  {
    why: 'an environment as a map',
    values: { poller: { extraEnv: { A: 'b' } } },
    says: [/poller.extraEnv/, /array/],
  },
  {
    why: 'a slip in a class',
    values: { classes: { standard: { spec: { namespace: ['a'] } } } },
    says: [/classes.standard.spec/, /namespace\b/],
  },
  {
    why: 'an account that is none',
    values: { classes: { standard: { spec: { aws: { accountID: '1' } } } } },
    says: [/classes.standard.spec.aws.accountID/],
  },
  {
    why: 'an unknown way to render',
    values: { metrics: { podMonitor: { renderMode: 'maybe' } } },
    says: [/metrics.podMonitor.renderMode/, /skipIfMissing/],
  },
  {
    why: 'a port that is none',
    values: { networkPolicy: { web: { ports: [70_000] } } },
    says: [/networkPolicy.web.ports/],
  },
  { why: 'a name that cannot be', values: { fullnameOverride: 'Sluice_1' }, says: [/fullnameOverride/] },
];

const irsa = { type: 'IRSA' };
const roleARN = 'arn:aws:iam::000000000000:role/sluice';
const byTemplate: readonly Case[] = [
  {
    why: 'no cluster id',
    values: { clusterID: '' },
    says: [/`clusterID` must be set: .*such as --set clusterID=/],
  },
  {
    why: 'no namespaces to serve',
    values: { scope: 'namespaces' },
    says: [/`watchNamespaces` must name at least one/],
  },
  {
    why: 'namespaces that would be passed over',
    values: { watchNamespaces: ['shop'] },
    says: [/`watchNamespaces` must be empty.*`scope: namespaces`/],
  },
  {
    why: 'nothing to run',
    values: { controller: { enabled: false }, pools: { default: null } },
    says: [/`pools` must hold a pool/],
  },
  {
    why: 'a leader that outlives its Lease',
    values: { controller: { leaderElection: { renewDeadlineSeconds: 15 } } },
    says: [/`controller.leaderElection.renewDeadlineSeconds` must be less than .* 15; found 15/],
  },
  {
    why: 'one attempt to renew',
    values: { controller: { leaderElection: { retryPeriodSeconds: 9 } } },
    says: [/`controller.leaderElection.retryPeriodSeconds` must be less than/],
  },
  {
    why: 'IRSA without a role',
    values: { pools: { pay: { identity: irsa } } },
    says: [/`pools.pay.identity.roleARN` must be set/],
  },
  {
    why: 'a role that nobody takes',
    values: { controller: { identity: { roleARN } } },
    says: [/`controller.identity.roleARN` must be empty unless/],
  },
  {
    why: 'a role for an account of others',
    values: { controller: { identity: { ...irsa, roleARN }, serviceAccount: { create: false } } },
    says: [/`controller.identity.roleARN` must be empty unless/],
  },
  {
    why: 'a key without a Secret',
    values: { poller: { identity: { type: 'Secret' } } },
    says: [/`pools.default.identity.secretName` must be set/],
  },
  {
    why: 'a Secret that nobody reads',
    values: { poller: { identity: { secretName: 'a' } } },
    says: [/`pools.default.identity.secretName` must be empty unless/],
  },
  {
    why: 'two default classes',
    values: { classes: { a: { default: true }, b: { default: true } } },
    says: [/`classes.b.default` must be false: a is/],
  },
  {
    why: 'labels that are not read',
    values: {
      scope: 'namespaces',
      watchNamespaces: ['a'],
      classes: { b: { spec: { namespaceSelector: {} } } },
    },
    says: [/`classes.b.spec.namespaceSelector` must be left out/],
  },
  {
    why: 'Secrets of a namespace that is not served',
    values: {
      scope: 'namespaces',
      watchNamespaces: ['a'],
      poller: { secretAccess: [{ namespace: 'b', names: ['c'] }] },
    },
    says: [/`pools.default.secretAccess` must be about `watchNamespaces`; found the namespace b/],
  },
  {
    why: 'ServiceAccounts of a namespace that is not served',
    values: {
      scope: 'namespaces',
      watchNamespaces: ['a'],
      controller: { serviceAccountAccess: [{ namespace: 'b', names: ['c'] }] },
    },
    says: [/`controller.serviceAccountAccess` must be about `watchNamespaces`; found the namespace b/],
  },
  {
    why: 'two monitors',
    values: { metrics: { podMonitor: { enabled: true }, serviceMonitor: { enabled: true } } },
    says: [/`metrics.serviceMonitor.enabled` must be false/],
  },
  {
    why: 'a monitor that must be and cannot',
    values: { metrics: { podMonitor: { enabled: true, renderMode: 'failIfMissing' } } },
    says: [/`metrics.podMonitor.enabled` must be false, or the CRDs/],
  },
  {
    why: 'one account for two pools',
    values: { poller: { serviceAccount: { name: 'a' } }, pools: { b: {} } },
    says: [/`pools.default.serviceAccount.name` must be another one than that of `pools.b`/],
  },
];

describe.each<HelmName>(['helm', 'helm3'])('%s refuses', (helm) => {
  describe.skipIf(isAbsent(helm))('what cannot be meant so', () => {
    it.each([...bySchema, ...byTemplate])('$why', async ({ values, says }) => {
      const { code, stderr } = await tryRender({ ...least, ...values }, { helm });
      expect(code).not.toBe(0);
      // Helm 4 writes /a/b where Helm 3 writes a.b.
      const message = stderr.replaceAll(/(?<=[\w'])\/(?=\w)/g, '.');
      for (const pattern of says) expect(message).toMatch(pattern);
    });
  });
});

describe.skipIf(isAbsent('helm'))('a chart that has this one as a part', () => {
  it('may hand over what Helm hands to every part', async () => {
    const values = { ...least, enabled: true, global: { anything: { at: 'all' } } };
    expect(await tryRender(values)).toMatchObject({ code: 0 });
  });
});
