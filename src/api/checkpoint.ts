/**
 * The MappingCheckpoint resource: how far a stream has been read. Pollers write it, by compare-and-swap on
 * `metadata.resourceVersion`; the slot's epoch in it fences a reader that lost its slot. Queues need none.
 */
import type { apiVersion, ObjectMeta } from './meta.ts';
import { boolean, integer, list, object, string, time, type TypeOf } from './schema.ts';

/** Format of `checkpoint`. A reader refuses a newer one than it knows. */
export const checkpointFormatVersion = 1;

export const checkpointBodySchema = object(
  'Positions of a stream.',
  {
    formatVersion: integer('Format of this object.', { minimum: 1 }),
    name: string('Checkpoint name: key of the positions, `poller.checkpoint.name` of the mapping.', {
      minLength: 1,
      maxLength: 512,
    }),
    source: string('ARN, or cluster and topic, of the source; positions of another source are never used.', {
      minLength: 1,
      maxLength: 1024,
    }),
    slot: integer('Slot that owns the lanes of this object.', { minimum: 0 }),
    epoch: integer('Epoch of the slot at the last write; a lower one is never written over a higher one.', {
      minimum: 0,
      format: 'int64',
    }),
    owner: string('Member that wrote last.', { maxLength: 253 }),
    updatedAt: time('When it was written.'),
    lanes: list(
      'One entry per lane.',
      object(
        'Position of one lane.',
        {
          lane: string('Shard or partition.', { minLength: 1, maxLength: 256 }),
          position: string('Everything up to and including this position is settled; opaque.', {
            maxLength: 4096,
          }),
          ended: boolean('The lane was read to its end.'),
        },
        { required: ['lane'] },
      ),
      { maxItems: 10000, keys: ['lane'] },
    ),
  },
  { required: ['formatVersion', 'name', 'source', 'epoch', 'lanes'] },
);

export type CheckpointBody = TypeOf<typeof checkpointBodySchema>;

/** The resource as the API server stores it. */
export interface MappingCheckpoint {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'MappingCheckpoint';
  readonly metadata: ObjectMeta;
  readonly checkpoint: CheckpointBody;
}

/** Schema of the whole resource but for metadata. */
export const checkpointSchema = object(
  'How far a stream has been read; written by pollers.',
  { checkpoint: checkpointBodySchema },
  { required: ['checkpoint'] },
);
