/** Values that controller and pollers have in common: their identity, their pods and what surrounds them. */
import { shape } from './kube-shapes.ts';
import {
  choice,
  entries,
  flag,
  group,
  integer,
  list,
  shaped,
  text,
  type Fields,
  type Value,
} from './value.ts';

/** The models of Kubernetes that values refer to. */
export const podModels: readonly string[] = [
  'V1Affinity',
  'V1EnvVar',
  'V1LocalObjectReference',
  'V1NetworkPolicyEgressRule',
  'V1NetworkPolicyPeer',
  'V1PodSecurityContext',
  'V1ResourceRequirements',
  'V1SecurityContext',
  'V1Toleration',
  'V1TopologySpreadConstraint',
  'V1Volume',
  'V1VolumeMount',
];

const anyText: Value = text('Value.', '');

/** Labels or annotations. */
export const labelMap = (words: string): Value => entries(words, anyText);

const probe = (words: string, periodSeconds: number, failureThreshold: number): Value =>
  group(words, {
    periodSeconds: integer('How often it is asked, in seconds.', periodSeconds, 1, 300),
    timeoutSeconds: integer('How long it may take to answer, in seconds.', 5, 1, 60),
    failureThreshold: integer('Failures in a row that count.', failureThreshold, 1, 100),
  });

/** Fields of a component's pods. `memory` is what they may use. */
export function podFields(resources: object): Fields {
  return {
    identity: group('Who its pods are at AWS.', {
      type: choice(
        '`PodIdentity`: by an EKS Pod Identity association (or the role of the node), which needs nothing here. `IRSA`: the role `roleARN`, as an annotation of the ServiceAccount. `Secret`: an access key in the Secret `secretName`, for emulators and clusters on a laptop only.',
        ['PodIdentity', 'IRSA', 'Secret'],
        'PodIdentity',
      ),
      roleARN: text('Role of IRSA.', '', { pattern: '^arn:[a-z][a-z0-9-]*:iam::[0-9]{12}:role/[!-~]+$' }),
      secretName: text(
        "Secret of the release's namespace with the keys `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if need be, `AWS_SESSION_TOKEN`.",
        '',
        { maxLength: 253 },
      ),
    }),
    serviceAccount: group('Its ServiceAccount.', {
      create: flag('Make it.', true),
      name: text('Its name. Empty: that of the Deployment if it is made here, otherwise `default`.', '', {
        maxLength: 253,
      }),
      annotations: labelMap('Further annotations.'),
    }),
    resources: shaped(
      'CPU and memory of the container.',
      'ResourceRequirements',
      shape('V1ResourceRequirements'),
      resources,
    ),
    podDisruptionBudget: group(
      'Keeps a drain of nodes from taking all pods at once. Made where there is more than one pod.',
      {
        enabled: flag('Make it.', true),
        maxUnavailable: shaped(
          'Most pods that a drain may take at once.',
          'integer or string',
          { type: ['integer', 'string'], minimum: 0, pattern: '^[0-9]+%?$' },
          1,
        ),
      },
    ),
    probes: group(
      'How the kubelet asks whether a pod lives and is ready. None of them depends on AWS or the API server.',
      {
        startup: probe('Until it has answered once.', 2, 30),
        liveness: probe('Then: does it live.', 10, 6),
        readiness: probe('May it be counted on during a rollout.', 5, 3),
      },
    ),
    spread: flag('Spread pods over zones and nodes, as far as possible.', true),
    topologySpreadConstraints: list('Further rules of spreading.', shape('V1TopologySpreadConstraint'), {
      type: 'TopologySpreadConstraint',
    }),
    revisionHistoryLimit: integer('Old ReplicaSets that are kept, for `kubectl rollout undo`.', 3, 0, 100),
    priorityClassName: text('PriorityClass of the pods.', '', { maxLength: 253 }),
    nodeSelector: entries('Labels of the nodes that may run it.', anyText, {
      initial: { 'kubernetes.io/os': 'linux' },
    }),
    tolerations: list('Taints that its pods tolerate.', shape('V1Toleration'), { type: 'Toleration' }),
    affinity: shaped('Where its pods would rather be.', 'Affinity', shape('V1Affinity'), {}),
    podSecurityContext: shaped(
      'Rights of the pod; the default passes Pod Security `restricted`.',
      'PodSecurityContext',
      shape('V1PodSecurityContext'),
      { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    ),
    securityContext: shaped(
      'Rights of the container; the default passes Pod Security `restricted`.',
      'SecurityContext',
      shape('V1SecurityContext'),
      { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    ),
    podLabels: labelMap('Further labels of the pods.'),
    podAnnotations: labelMap('Further annotations of the pods.'),
    extraArgs: list(
      'Further flags, after those of the chart.',
      { type: 'string', minLength: 1 },
      { type: 'string' },
    ),
    extraEnv: list('Further environment variables, such as `HTTPS_PROXY`.', shape('V1EnvVar'), {
      type: 'EnvVar',
    }),
    extraVolumes: list('Further volumes of the pods.', shape('V1Volume'), { type: 'Volume' }),
    extraVolumeMounts: list('Further mounts of the container.', shape('V1VolumeMount'), {
      type: 'VolumeMount',
    }),
  };
}
