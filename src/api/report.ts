/**
 * The PollerReport resource: what one member says of the mappings that it runs. The member writes it, on change
 * only; the controller sums it up in each mapping's status. Texts are short, so that a report of a thousand mappings
 * stays below a megabyte.
 */
import { effectiveSchema } from './mapping.ts';
import type { apiVersion, ObjectMeta } from './meta.ts';
import { integer, list, object, oneOf, string, time, type TypeOf } from './schema.ts';

/** Format of `report`. A reader passes over a newer one than it knows. */
export const reportFormatVersion = 1;

/** Longest message of a report entry, in characters; longer ones are cut by the writer. */
export const reportMessageLength = 256;

const reason = string('Reason, of the documented table.', { maxLength: 64 });
const message = string('Message for a person.', { maxLength: reportMessageLength });

const health = (text: string) =>
  object(
    text,
    { status: oneOf('Whether it is well.', ['True', 'False', 'Unknown']), reason, message },
    { required: ['status', 'reason'] },
  );

/** One mapping in a report. */
export const reportEntrySchema = object(
  'One mapping that the member runs.',
  {
    namespace: string('Namespace of the mapping.', { maxLength: 63 }),
    name: string('Name of the mapping.', { minLength: 1, maxLength: 253 }),
    uid: string('UID of the mapping.', { maxLength: 64 }),
    generation: integer('Generation that the member runs.', { minimum: 0, format: 'int64' }),
    state: oneOf('State of the mapping in this member.', [
      'Starting',
      'Running',
      'Paused',
      'Draining',
      'Failed',
    ]),
    reason,
    message,
    sourceHealthy: health('Do reads succeed.'),
    targetHealthy: health('Do invocations succeed.'),
    warnings: list(
      'What works but is probably not meant.',
      object('One warning.', { reason, message }, { required: ['reason', 'message'] }),
      { maxItems: 8 },
    ),
    effective: effectiveSchema,
    since: time('When the state was reached.'),
  },
  { required: ['namespace', 'name', 'uid', 'generation', 'state'] },
);

export const reportBodySchema = object(
  'What one member runs.',
  {
    formatVersion: integer('Format of this object.', { minimum: 1 }),
    member: string('Name of the member.', { minLength: 1, maxLength: 253 }),
    pool: string('Pool of the member.', { minLength: 1, maxLength: 63 }),
    version: string('Version of Sluice that the member runs.', { maxLength: 64 }),
    // Written whole by one owner: a map by uid would be tracked field by field, and could not be applied empty.
    mappings: list('Mappings that the member runs.', reportEntrySchema, { maxItems: 2000 }),
  },
  { required: ['formatVersion', 'member', 'pool', 'version', 'mappings'] },
);

export type ReportEntry = TypeOf<typeof reportEntrySchema>;
export type ReportBody = TypeOf<typeof reportBodySchema>;
export type ReportedState = ReportEntry['state'];

/** Health of a source or target as a member sees it. */
export type ReportedHealth = NonNullable<ReportEntry['sourceHealthy']>;

/** The resource as the API server stores it. */
export interface PollerReport {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'PollerReport';
  readonly metadata: ObjectMeta;
  readonly report: ReportBody;
}

/** Schema of the whole resource but for metadata. */
export const reportSchema = object(
  'What one member of the poller fleet runs; written by the member.',
  { report: reportBodySchema },
  { required: ['report'] },
);
