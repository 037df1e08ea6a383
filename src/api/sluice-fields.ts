/**
 * Sluice's own half of `spec`: who runs the mapping, as whom, and what the in-cluster poller does.
 * `poller` is legal and inert in Managed mode, so that a switch is a one-field change.
 */
import { integer, intOrString, map, object, oneOf, opaque, string } from './schema.ts';

/** Form of a Kubernetes object's name. */
export const namePattern = '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$';

/** Who runs a mapping. */
export const modes = ['Managed', 'Poller'] as const;
export type Mode = (typeof modes)[number];

const objectName = (text: string) => string(text, { minLength: 1, maxLength: 253, pattern: namePattern });
const dataKey = (text: string, defaults?: string) =>
  string(text, {
    minLength: 1,
    maxLength: 253,
    pattern: '^[-._a-zA-Z0-9]+$',
    ...(defaults === undefined ? {} : { defaults }),
  });

const http = object('An HTTP target; exactly one of `service` and `url`.', {
  service: object(
    'A Service of the namespace of the mapping. ExternalName and selectorless Services are refused.',
    {
      name: string('Name of the Service.', {
        minLength: 1,
        maxLength: 63,
        pattern: '^[a-z]([a-z0-9-]*[a-z0-9])?$',
      }),
      port: intOrString('Number or name of the port: 1 to 65535, or a name of the Service.'),
      path: string('Path of the request, with an optional query.', {
        maxLength: 1024,
        pattern: '^/[!-"$-~]*$',
        defaults: '`/`; for LambdaInvoke `/2015-03-31/functions/function/invocations`',
      }),
      scheme: oneOf('How to connect.', ['http', 'https'], { defaults: 'http' }),
    },
    { required: ['name', 'port'] },
  ),
  url: string('URL of the target, only what the class allows. Without user name, password or fragment.', {
    minLength: 1,
    maxLength: 2048,
    pattern: '^https?://[!-"$-.0->A-~]+([/?][!-"$-~]*)?$',
  }),
  timeoutSeconds: integer('Time from sending to the last byte of the answer.', {
    minimum: 1,
    maximum: 900,
    unit: 'seconds',
    defaults: '30',
  }),
  format: oneOf(
    "Lambda posts the exact Lambda event; LambdaInvoke speaks Lambda's Invoke API, one invocation at a time to each endpoint; CloudEvents posts a CloudEvents 1.0 batch.",
    ['Lambda', 'LambdaInvoke', 'CloudEvents'],
    { defaults: 'Lambda' },
  ),
  headers: map(
    'Fixed headers of every request. Names that HTTP or Sluice sets (Host, Content-Type, Connection, Idempotency-Key, traceparent and the like) are refused.',
    object('Exactly one of `value` and `valueFrom`.', {
      value: string('The value itself.', { maxLength: 4096, pattern: '^[\\t -~]*$' }),
      valueFrom: object(
        'Where the value comes from.',
        {
          secretKeyRef: object(
            'A key of a Secret in the namespace of the mapping; followed when it changes.',
            { name: objectName('Name of the Secret.'), key: dataKey('Key in the Secret.') },
            { required: ['name', 'key'] },
          ),
        },
        { required: ['secretKeyRef'] },
      ),
    }),
    { maxProperties: 32 },
  ),
  tls: object('TLS of an https target.', {
    caSecretRef: object(
      'Certificates to trust, in a Secret of the namespace of the mapping; followed when it changes.',
      { name: objectName('Name of the Secret.'), key: dataKey('Key in the Secret.', '`ca.crt`') },
      { required: ['name'] },
    ),
    clientCertSecretRef: object(
      'A Secret of type kubernetes.io/tls with the client certificate and its key; followed when it changes.',
      { name: objectName('Name of the Secret.') },
      { required: ['name'] },
    ),
    serverName: string('Name to ask for and to check.', {
      minLength: 1,
      maxLength: 253,
      pattern: '^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$',
      defaults: 'the host of the target',
    }),
  }),
});

/** Fields of Sluice, by their name in `spec`. */
export const sluiceFields = {
  mode: oneOf('Who runs the mapping: Managed is AWS Lambda, Poller is this cluster.', modes),
  handoverTo: oneOf(
    'Must equal the new `mode` in the edit that changes it, so that no slip moves production traffic.',
    modes,
  ),
  className: string('Name of the MappingClass.', {
    minLength: 1,
    maxLength: 253,
    pattern: namePattern,
    defaults: 'the class marked as default',
  }),
  poller: object('What the in-cluster poller does; inert in Managed mode.', {
    target: object('What is invoked.', { http }, { defaults: '`functionName`' }),
    unmatched: oneOf(
      "What becomes of SQS messages that no filter matches: Delete is AWS's way, Release leaves them to others.",
      ['Delete', 'Release'],
      {
        defaults: 'Delete',
        sources: 'SQS',
      },
    ),
    maximumHoldSeconds: integer(
      'How long a message is held by extension while its target throttles or is away.',
      {
        minimum: 0,
        maximum: 43200,
        unit: 'seconds',
        defaults: '900',
        sources: 'SQS',
      },
    ),
    rateLimit: object(
      'Most that is delivered, over the whole fleet.',
      {
        batchesPerSecond: integer('Batches.', { minimum: 1, maximum: 1000000, unit: 'batches per second' }),
        recordsPerSecond: integer('Records.', { minimum: 1, maximum: 100000000, unit: 'records per second' }),
      },
      { minProperties: 1, defaults: 'none' },
    ),
    checkpoint: object('The stored position of a stream.', {
      name: string('Key of the position; it survives delete and rebuild.', {
        minLength: 1,
        maxLength: 253,
        pattern: '^[a-zA-Z0-9]([a-zA-Z0-9._/-]*[a-zA-Z0-9])?$',
        defaults: 'clusterID/namespace/name',
      }),
    }),
  }),
  aws: object('Place and identity, within what the class allows.', {
    region: string('AWS Region.', {
      minLength: 1,
      maxLength: 32,
      pattern: '^[a-z]{2,}(-[a-z]+)+-[0-9]+$',
      defaults: "the ARN's, else the class's",
    }),
    accountID: string('AWS account.', {
      minLength: 12,
      maxLength: 12,
      pattern: '^[0-9]{12}$',
      defaults: "the ARN's, else the class's",
    }),
    roleARN: string('Role to assume.', {
      minLength: 20,
      maxLength: 512,
      pattern: '^arn:[a-z][a-z0-9-]*:iam::[0-9]{12}:role/[!-~]+$',
      defaults: "the class's identity",
    }),
    serviceAccountName: string('ServiceAccount of the namespace whose identity is used.', {
      minLength: 1,
      maxLength: 253,
      pattern: namePattern,
      defaults: "the class's identity",
    }),
  }),
  additionalParameters: opaque<Readonly<Record<string, unknown>>>(
    "Members of AWS's API that this release does not know, by their names in the API, such as `NewMember`; passed on as they are, and compared with what AWS shows of them. Only those that the class allows; none that has a field here. One that is removed stays as it is at AWS. Managed mode only.",
  ),
  managementPolicy: oneOf(
    'Full keeps AWS in step; Observe only reports status and drift, without one write.',
    ['Full', 'Observe'],
    {
      defaults: 'Full',
    },
  ),
  adoptionPolicy: oneOf(
    'Whether an existing AWS mapping of the same source and function may be taken over.',
    ['Never', 'IfExists'],
    {
      defaults: 'Never',
    },
  ),
  deletionPolicy: oneOf(
    'What becomes of the AWS mapping when this object is deleted.',
    ['Delete', 'Retain', 'Disable'],
    {
      defaults: 'Delete; Retain for an adopted one',
    },
  ),
  replacementPolicy: oneOf(
    'What a change of a field does that AWS cannot change on a live mapping.',
    ['Never', 'Recreate'],
    {
      defaults: 'Never',
    },
  ),
} as const;
