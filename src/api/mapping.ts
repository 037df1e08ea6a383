/**
 * The EventSourceMapping resource: its schema and the types that follow from it. `spec` is the user's alone;
 * the controller is the only writer of `status`.
 */
import { awsFields } from './aws-fields.ts';
import { conditionsSchema } from './conditions.ts';
import type { apiVersion, ObjectMeta } from './meta.ts';
import {
  boolean,
  integer,
  list,
  map,
  object,
  opaque,
  oneOf,
  string,
  withDefault,
  type TypeOf,
} from './schema.ts';
import { sluiceFields } from './sluice-fields.ts';

export { modes, type Mode } from './sluice-fields.ts';

/** Schema of `spec`, without the rules between fields (those are in `rules.ts`). */
export const specSchema = object(
  'The desired mapping: members of AWS CreateEventSourceMapping, and how Sluice runs it.',
  { ...sluiceFields, ...awsFields },
  { required: ['mode'] },
);

/** Where a value in force comes from. */
export const origins = ['spec', 'default', 'class', 'arn'] as const;
export type Origin = (typeof origins)[number];

/** A value in force as status shows it: the shape of `spec` without its gaps. */
export type EffectiveObject = Readonly<Record<string, unknown>>;

/** Values in force, and by dotted field path where each comes from. */
export const effectiveSchema = object('The values in force and where they come from.', {
  values: opaque<EffectiveObject>('Values in force, in the shape of `spec`.'),
  origins: map('Origin of each value, by field path.', oneOf('Origin.', origins), { maxProperties: 128 }),
});

const shown = (text: string, maxLength: number) => string(text, { maxLength });

/** Schema of `status`. */
export const statusSchema = object('What Sluice knows of the mapping.', {
  observedGeneration: integer('Generation of the spec that this status is about; -1 before the first look.', {
    minimum: -1,
    format: 'int64',
  }),
  conditions: conditionsSchema,
  state: shown(
    "State in one word, for the printer column: AWS's own in Managed mode, that of the members in Poller mode.",
    64,
  ),
  source: shown('The source in short, for the printer column.', 256),
  target: shown('The target in short, for the printer column.', 256),
  className: shown('The MappingClass in use.', 253),
  effective: effectiveSchema,
  mapping: object('The AWS mapping, in Managed mode.', {
    uuid: shown('Its UUID.', 64),
    arn: shown('Its ARN.', 512),
    functionARN: shown('The function that it invokes, with its qualifier.', 512),
    state: shown('Its state.', 64),
    stateTransitionReason: shown("Why it is in this state, in AWS's words.", 1024),
    lastProcessingResult: shown('Result of the last invocation; AWS gives none for SQS.', 1024),
    lastModified: shown('When AWS last changed it, RFC 3339.', 64),
    adopted: boolean('Whether it existed before and was taken over.'),
    tagKeys: list(
      'Keys of the tags that were set from `spec.tags`, and are removed with them; other tags are left alone.',
      string('Key of a tag.', { maxLength: 128 }),
      { maxItems: 100 },
    ),
    filterCriteriaError: object('Why AWS cannot show the filters.', {
      errorCode: shown('Code of the error.', 256),
      message: shown('Message of the error.', 1024),
    }),
  }),
  poller: object('Who runs the mapping, in Poller mode.', {
    pool: shown('The pool that serves it.', 253),
    members: list(
      'Members that run it.',
      object(
        'One member.',
        { name: shown('Name of the member.', 253), state: shown('State of the mapping there.', 64) },
        { required: ['name'] },
      ),
      { maxItems: 64, keys: ['name'] },
    ),
  }),
  callerARN: shown(
    'As whom AWS is called in Managed mode: the ARN that sts:GetCallerIdentity gives, where it can be had.',
    2048,
  ),
  lastHandledReconcileAt: shown('Last handled value of the annotation sluice.dev/requestedAt.', 256),
});

export type EventSourceMappingSpec = TypeOf<typeof specSchema>;
export type EventSourceMappingStatus = TypeOf<typeof statusSchema>;
export type EffectiveStatus = TypeOf<typeof effectiveSchema>;
export type PollerSpec = NonNullable<EventSourceMappingSpec['poller']>;
export type HttpTarget = NonNullable<NonNullable<PollerSpec['target']>['http']>;
export type HttpService = NonNullable<HttpTarget['service']>;

/** The resource as the API server stores it. */
export interface EventSourceMapping {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'EventSourceMapping';
  readonly metadata: ObjectMeta;
  readonly spec: EventSourceMappingSpec;
  readonly status?: EventSourceMappingStatus;
}

/** Schema of the whole resource but for metadata. */
export const mappingSchema = object(
  'An event source mapping: a source joined to a target, run by AWS Lambda or by this cluster.',
  { spec: specSchema, status: withDefault(statusSchema, { observedGeneration: -1 }) },
  { required: ['spec'] },
);
