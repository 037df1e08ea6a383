/**
 * The MappingClass resource: who may use what. It belongs to the cluster's admin; a namespace that no class admits
 * may do nothing.
 */
import type { apiVersion, ObjectMeta } from './meta.ts';
import { integer, list, map, object, oneOf, string, type TypeOf } from './schema.ts';
import { modes } from './sluice-fields.ts';

/** Marks the class of mappings without `className`, with the value `true`. At most one class has it. */
export const defaultClassAnnotation = 'sluice.dev/is-default-class';

const labelKey = string('Key of a label.', { minLength: 1, maxLength: 317 });
const labelValue = string('Value of a label.', { maxLength: 63 });

const pattern = (text: string) => string(text, { minLength: 1, maxLength: 512 });
const patternText =
  '`*` stands for any run of characters and `{namespace}` for the namespace of the mapping.';

/** Schema of `spec`, without the rules between fields. */
export const classSpecSchema = object('Who may use the class and what they may do.', {
  namespaces: list(
    'Namespaces that may use the class. Without this and `namespaceSelector` nobody may.',
    string('Name of a namespace.', {
      minLength: 1,
      maxLength: 63,
      pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$',
    }),
    { maxItems: 500, type: 'set' },
  ),
  namespaceSelector: object(
    'Labels of the namespaces that may use the class; the empty selector admits all.',
    {
      matchLabels: map('Labels that must be there.', labelValue, { maxProperties: 32 }),
      matchExpressions: list(
        'Conditions on labels, joined by and.',
        object(
          'One condition.',
          {
            key: labelKey,
            operator: oneOf('How the label is compared.', ['In', 'NotIn', 'Exists', 'DoesNotExist']),
            values: list('Values of In and NotIn.', labelValue, { maxItems: 64 }),
          },
          { required: ['key', 'operator'] },
        ),
        { maxItems: 32 },
      ),
    },
  ),
  modes: list('Modes that are allowed.', oneOf('A mode.', modes), {
    minItems: 1,
    maxItems: 2,
    type: 'set',
    defaults: 'both',
  }),
  pool: string('The poller Deployment that serves the class.', {
    minLength: 1,
    maxLength: 63,
    pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$',
    defaults: '`default`',
  }),
  aws: object('Place and identity at AWS.', {
    region: string('Region of partial ARNs.', {
      minLength: 1,
      maxLength: 32,
      pattern: '^[a-z]{2,}(-[a-z]+)+-[0-9]+$',
    }),
    accountID: string('Account of partial ARNs.', { minLength: 12, maxLength: 12, pattern: '^[0-9]{12}$' }),
    identity: oneOf(
      "Installation is the pod's own (IRSA or Pod Identity); Role assumes `roleARN`; ServiceAccount uses the tenant's.",
      ['Installation', 'Role', 'ServiceAccount'],
      { defaults: 'Installation' },
    ),
    roleARN: string('Role to assume; `{namespace}` stands for the namespace of the mapping.', {
      minLength: 20,
      maxLength: 512,
      pattern: '^arn:[a-z][a-z0-9-]*:iam::[0-9]{12}:role/[!-~]+$',
    }),
  }),
  sources: object('Event sources that are allowed.', {
    allowedARNs: list(`ARNs of sources. ${patternText}`, pattern('One pattern.'), {
      maxItems: 100,
      defaults: 'any source that the identity can read',
    }),
  }),
  targets: object('HTTP targets that are allowed besides Services of the namespace.', {
    allowedURLs: list(`URLs. ${patternText}`, pattern('One pattern.'), { maxItems: 100, defaults: 'none' }),
  }),
  destinations: object('Failure destinations that are allowed.', {
    allowedARNs: list(`ARNs of destinations. ${patternText}`, pattern('One pattern.'), {
      maxItems: 100,
      defaults: 'any destination that the identity can write to',
    }),
  }),
  additionalParameters: object("Members of AWS's API that this release does not know.", {
    allowedNames: list(
      'Names that mappings may have in `additionalParameters`. `*` stands for any run of characters.',
      string('One name or pattern.', { minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9*]+$' }),
      { maxItems: 32, defaults: 'none' },
    ),
  }),
  quotas: object('Limits of each namespace.', {
    mappings: integer('Mappings of this class.', { minimum: 0, unit: 'mappings', defaults: 'no limit' }),
    concurrency: integer('Invocations that run at once in Poller mode.', {
      minimum: 1,
      unit: 'invocations',
      defaults: 'no limit',
    }),
    bytesInFlight: integer('Event bytes in flight in Poller mode.', {
      minimum: 1048576,
      format: 'int64',
      unit: 'bytes',
      defaults: 'no limit',
    }),
  }),
});

export type MappingClassSpec = TypeOf<typeof classSpecSchema>;

/** The resource as the API server stores it. */
export interface MappingClass {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'MappingClass';
  readonly metadata: ObjectMeta;
  readonly spec: MappingClassSpec;
}

/** Schema of the whole resource but for metadata. */
export const classSchema = object(
  'Who may run mappings, as whom, and against what.',
  { spec: classSpecSchema },
  { required: ['spec'] },
);

/** Name of the pool of a class that names none. */
export const defaultPool = 'default';

/** True for the class that serves mappings without `className`. */
export function isDefaultClass(mappingClass: MappingClass): boolean {
  return mappingClass.metadata.annotations?.[defaultClassAnnotation] === 'true';
}
