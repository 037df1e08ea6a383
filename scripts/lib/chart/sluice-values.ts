/** Every value of the chart `sluice`: the one source of its defaults, comments, schema and reference. */
import { classSpecSchema } from '../../../src/api/class.ts';
import type { SchemaNode } from '../../../src/api/schema.ts';
import { shape } from './kube-shapes.ts';
import { labelMap, podFields } from './pod-values.ts';
import {
  choice,
  closed,
  entries,
  flag,
  group,
  integer,
  list,
  shaped,
  text,
  type Fields,
  type JsonSchema,
  type Value,
} from './value.ts';

const label = '[a-z0-9]([a-z0-9-]*[a-z0-9])?';
const namespaceName: JsonSchema = { type: 'string', minLength: 1, maxLength: 63, pattern: `^${label}$` };
const objectName: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 253,
  pattern: `^${label}(\\.${label})*$`,
};
/** Names of objects, as keys of a map. */
const names = `^${label}(\\.${label})*$`;

const replicas = (words: string): Value => integer(words, 2, 0, 1000);

/** Objects of namespaces by their names, which is how rights on them are given. */
const byNamespace = (words: string, kind: string, example: string): Value =>
  list(
    words,
    {
      ...closed({
        namespace: shaped(
          `Namespace of the ${kind} and of the mappings.`,
          'string',
          namespaceName,
          undefined,
        ),
        names: list('Their names.', objectName, { type: 'string', unique: true }),
      }),
      required: ['namespace', 'names'],
    },
    { type: 'object', example: `- namespace: shop\n  names: ${example}` },
  );

/** Who may be what at AWS: of the controller and of each pool. */
const serviceAccountAccess = byNamespace(
  "ServiceAccounts of tenants as which AWS may be called, for classes with `aws.identity: ServiceAccount`. Each must have the annotation `eks.amazonaws.com/role-arn`. Tokens of no other can be asked for, and in `scope: cluster` a ValidatingAdmissionPolicy lets them be for AWS's STS alone.",
  'ServiceAccounts',
  '[orders-consumer]',
);

const controllerFields: Fields = {
  enabled: flag(
    'Run it. A release without it has pollers only: further pools beside a release that has one, in the same namespace.',
    true,
  ),
  replicas: replicas('Pods. One leads, the others take over.'),
  workers: integer('Mappings that are reconciled at the same time.', 20, 1, 100),
  driftIntervalSeconds: integer(
    'Within which a change of an AWS mapping by somebody else is found, in seconds.',
    300,
    1,
    86_400,
  ),
  deletionHold: group('When many deletions at once wait to be confirmed.', {
    percent: integer(
      'Deletions of more than this share of all live AWS mappings within 10 minutes are held; 100 holds none.',
      20,
      0,
      100,
    ),
    over: integer('So many deletions at once are never held.', 10, 0, 100_000),
  }),
  awsRequestsPerSecond: integer(
    'The most calls of the control plane of AWS Lambda per second, of the 15 that an account and Region have. They start at 5 and slow down when AWS refuses one.',
    15,
    1,
    15,
  ),
  cloudWatchMetrics: group(
    'What CloudWatch counts for mappings in Managed mode, on `/metrics` with `origin="cloudwatch"`. AWS bills each metric asked for, $0.01 per 1,000 in most Regions; see docs/explanation/managed-cost.md. The controller needs `cloudwatch:GetMetricData`.',
    {
      enabled: flag('Ask CloudWatch.', false),
      intervalSeconds: integer(
        'How often it is asked, in seconds; half the interval costs twice as much.',
        300,
        60,
        3600,
      ),
    },
  ),
  leaderElection: group("Times of leader election; those of Kubernetes' own controllers.", {
    leaseDurationSeconds: integer('How long others wait for a silent leader, in seconds.', 15, 1, 600),
    renewDeadlineSeconds: integer(
      'How long the leader goes on without renewing, in seconds; less than the lease duration.',
      10,
      1,
      600,
    ),
    retryPeriodSeconds: integer(
      'Time between two attempts to take or renew the Lease, in seconds.',
      2,
      1,
      600,
    ),
  }),
  terminationGracePeriodSeconds: integer('Time to end in order, in seconds.', 30, 1, 3600),
  serviceAccountAccess,
  ...podFields({ requests: { cpu: '50m', memory: '192Mi' }, limits: { memory: '384Mi' } }),
};

const pollerFields: Fields = {
  replicas: replicas('Pods.'),
  scaledExternally: flag('Leave the number of pods to an HPA or to KEDA.', false),
  bufferMib: integer(
    'Message data that a pod may hold, in MiB; receiving waits for room. Raise the memory limit with it.',
    128,
    16,
    65_536,
  ),
  concurrency: integer(
    'Most invocations at once of a mapping without `scalingConfig.maximumConcurrency`.',
    100,
    1,
    10_000,
  ),
  graceSeconds: integer(
    "Time to finish what is in flight after SIGTERM, in seconds. The pod's `terminationGracePeriodSeconds` is the sum of this, `drainReceiveSeconds` and 10.",
    110,
    0,
    3600,
  ),
  drainReceiveSeconds: integer(
    'How long outstanding long polls may end by themselves after SIGTERM, in seconds: one that is cut off can hide a message until its visibility ends.',
    20,
    0,
    20,
  ),
  secretRefreshSeconds: integer(
    'How often the Secrets of HTTP targets are read again, in seconds.',
    60,
    1,
    3600,
  ),
  awsClient: choice(
    "What receives and deletes messages: Sluice's own signed requests, several times cheaper, or the AWS SDK.",
    ['signed', 'sdk'],
    'signed',
  ),
  secretAccess: byNamespace(
    'Secrets that mappings may name, for headers and TLS of HTTP targets. Nothing else can be read; a Secret is never listed.',
    'Secrets',
    '[orders-ca, orders-token]',
  ),
  serviceAccountAccess,
  ...podFields({ requests: { cpu: '100m', memory: '320Mi' }, limits: { memory: '640Mi' } }),
};

/** The same values without defaults: what a pool leaves out it has from `poller`. */
const pool: Value = group('A pool; it has the values of `poller`.', withoutDefaults(pollerFields));

const mappingClass: Value = group('A class.', {
  default: flag('Serves mappings that name no class. At most one class does.', false),
  spec: shaped('`spec` of the MappingClass.', 'MappingClassSpec', strict(classSpecSchema.node), undefined),
});

const monitor = (kind: string): Fields => ({
  enabled: flag(`Make a ${kind}.`, false),
  renderMode: choice(
    'Where the cluster does not know the kind: leave it out, fail, or make it all the same. Without a cluster (`helm template`) it knows only what `--api-versions` says.',
    ['skipIfMissing', 'failIfMissing', 'alwaysRender'],
    'skipIfMissing',
  ),
  interval: text("Time between two scrapes, such as `30s`. Empty: Prometheus' own.", '', {
    pattern: '^([0-9]+(ms|s|m|h))+$',
  }),
  labels: labelMap('Labels by which Prometheus finds it.'),
});

const webPeers = [
  { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } },
  { ipBlock: { cidr: '::/0', except: ['fd00:ec2::/32', 'fe80::/10'] } },
];
const peers = (words: string, initial: readonly unknown[]): Value =>
  list(words, shape('V1NetworkPolicyPeer'), { type: 'NetworkPolicyPeer', initial });
const ports = (initial: readonly number[]): Value =>
  list('TCP ports.', { type: 'integer', minimum: 1, maximum: 65_535 }, { type: 'integer', initial });

/** Every value, in the order of `values.yaml`. */
export const sluiceValues: Fields = {
  clusterID: text(
    '**Required.** Name of this cluster, unique among those that share AWS accounts. It is part of tags and external ids: keep it when you rebuild the cluster, and never reuse it for another.',
    '',
    { maxLength: 64 },
  ),
  scope: choice(
    '`cluster`: mappings of all namespaces, classes are MappingClass objects. `namespaces`: mappings of `watchNamespaces` only, by Roles in these namespaces; nothing cluster-scoped is made, classes are in a file, and the CRDs come from the chart `sluice-crds`.',
    ['cluster', 'namespaces'],
    'cluster',
  ),
  watchNamespaces: list('Namespaces that `scope: namespaces` serves. They must exist.', namespaceName, {
    type: 'string',
    unique: true,
    example: '- shop\n- billing',
  }),
  classes: entries(
    'MappingClasses by name: who may use Sluice, and for what. Without a class nobody may do anything. In `scope: cluster` they are objects, so the CRDs must be there before: install `sluice-crds` first, or add classes in a second step. In `scope: namespaces` they must list `namespaces`.',
    mappingClass,
    {
      names,
      example: `standard:
  default: true
  spec:
    namespaceSelector:
      matchLabels:
        sluice.dev/enabled: "true"
    aws:
      region: eu-west-1
      accountID: "000000000000"`,
    },
  ),
  aws: group('Where AWS is.', {
    region: text(
      'Region of pods, as `AWS_REGION`. Empty: what the surroundings say, such as Pod Identity.',
      '',
      {
        pattern: '^[a-z]{2,}(-[a-z]+)+-[0-9]+$',
      },
    ),
    endpointURL: text('Endpoint of all AWS services, as `AWS_ENDPOINT_URL`: for emulators.', '', {
      pattern: '^https?://[!-~]+$',
    }),
  }),
  logLevel: choice('Least severe level that is logged.', ['debug', 'info', 'warn', 'error'], 'info'),
  image: group('The image of all pods. None is published yet: build one from the Dockerfile.', {
    repository: text('Registry and name.', 'sluice', { minLength: 1 }),
    tag: text('Tag. Empty: the version of Sluice that the chart belongs to.', '', {
      pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$',
    }),
    digest: text('Digest; it goes before the tag.', '', { pattern: '^sha256:[0-9a-f]{64}$' }),
    pullPolicy: choice(
      'When the kubelet asks the registry.',
      ['IfNotPresent', 'Always', 'Never'],
      'IfNotPresent',
    ),
  }),
  imagePullSecrets: list('Secrets for the registry.', shape('V1LocalObjectReference'), {
    type: 'LocalObjectReference',
  }),
  controller: group(
    'The controller: keeps AWS mappings in step and sums up the status of all.',
    controllerFields,
  ),
  poller: group('What all pools have, unless a pool says otherwise.', pollerFields),
  pools: entries(
    'Pools of pollers by name; each is a Deployment with a ServiceAccount and an identity of its own, and serves the classes that name it (`pool`). A pool has the values of `poller`; what it sets goes before, member by member, lists as a whole. `default: null` takes the default pool away.',
    pool,
    {
      names: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
      initial: { default: {} },
      example:
        'payments:\n  replicas: 4\n  identity:\n    type: IRSA\n    roleARN: arn:aws:iam::000000000000:role/sluice-payments',
    },
  ),
  rbac: group('Rights in the cluster.', {
    create: flag('Make Roles and bindings. Otherwise somebody else must.', true),
    aggregateRoles: flag(
      "Let Kubernetes' own roles `view`, `edit` and `admin` reach mappings. In `scope: cluster` only.",
      true,
    ),
  }),
  crds: group('The CRDs. In `scope: cluster` only.', {
    install: flag('Make and upgrade them with this release. Otherwise by the chart `sluice-crds`.', true),
    keep: flag('Keep them, and with them every mapping, when the release is uninstalled.', true),
    annotations: labelMap('Further annotations of the CRDs.'),
  }),
  metrics: group('Who scrapes `/metrics` on port 8080 of every pod. One of the two is enough.', {
    podMonitor: group('PodMonitor of the Prometheus Operator.', monitor('PodMonitor')),
    serviceMonitor: group(
      'ServiceMonitor of the Prometheus Operator, with a headless Service.',
      monitor('ServiceMonitor'),
    ),
  }),
  networkPolicy: group('NetworkPolicies: nothing may come in or go out but what is listed here.', {
    enabled: flag('Make them.', false),
    metricsFrom: peers('Who may scrape. Probes come from the node and are always let through.', [
      { namespaceSelector: {} },
    ]),
    dnsTo: peers('Where DNS is, port 53. Add an `ipBlock` for a cache on the node.', [
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } },
    ]),
    apiServer: group('The API server.', {
      to: peers('Where it is. Empty: anywhere.', []),
      ports: ports([443, 6443]),
    }),
    web: group('AWS, and URLs of targets.', {
      to: peers('Where they are. The metadata services of nodes and pods are not.', webPeers),
      ports: ports([443]),
    }),
    podIdentity: flag(
      'The Pod Identity agent, 169.254.170.23 and fd00:ec2::23, port 80; where a pod uses `PodIdentity`.',
      true,
    ),
    targetsTo: peers(
      'Pods of HTTP targets, all ports. Empty: those of all namespaces, or of `watchNamespaces`.',
      [],
    ),
    extraEgress: list(
      'Further rules for all pods, such as a proxy or an emulator.',
      shape('V1NetworkPolicyEgressRule'),
      {
        type: 'NetworkPolicyEgressRule',
      },
    ),
  }),
  nameOverride: text('The label `app.kubernetes.io/name`. Empty: `sluice`.', '', {
    maxLength: 63,
    pattern: `^${label}$`,
  }),
  fullnameOverride: text('Begin of all names. Empty: the name of the release, with `sluice` in it.', '', {
    maxLength: 63,
    pattern: `^${label}$`,
  }),
  commonLabels: labelMap('Labels of every object and pod.'),
  extraObjects: list(
    'Further objects of the release, as objects or text; templates in them are filled in.',
    { type: ['object', 'string'] },
    {
      type: 'object or string',
      example: '- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: "{{ .Release.Name }}-notes"',
    },
  ),
  enabled: shaped(
    'Read by nobody here: the condition of a chart that has this one as a part.',
    'boolean',
    { type: 'boolean' },
    undefined,
  ),
  global: shaped(
    'Read by nobody here: what Helm hands to every part of a chart.',
    'object',
    { type: 'object' },
    undefined,
  ),
};

function withoutDefaults(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const { initial: _, example: __, ...rest } = value;
      if (value.fields === undefined) return [name, rest];
      const inner = withoutDefaults(value.fields);
      return [name, { ...rest, fields: inner, schema: closed(inner) }];
    }),
  );
}

/** A structural schema of the API as a strict JSON schema. */
function strict(node: SchemaNode): JsonSchema {
  const { properties, items, additionalProperties } = node;
  const kept = Object.entries(node).filter(([keyword]) => !keyword.startsWith('x-') && keyword !== 'format');
  return {
    ...Object.fromEntries(kept),
    ...(items === undefined ? {} : { items: strict(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: strict(additionalProperties) }),
    ...(properties === undefined
      ? {}
      : {
          additionalProperties: false,
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, child]) => [name, strict(child)]),
          ),
        }),
  };
}
