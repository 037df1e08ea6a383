/** What it means for the records of a source that its AWS mapping is deleted and made anew. Pure. */
import type { Effective } from '../api/effective.ts';
import type { EventSourceMappingSpec } from '../api/mapping.ts';
import type { Difference } from './backend.ts';
import { paths } from './plan.ts';

/** What a person reads while a mapping is replaced: why, and which gap or overlap it brings. */
export function replacing(
  uuid: string,
  differences: readonly Difference[],
  effective: Effective,
  spec: EventSourceMappingSpec,
): string {
  const fixed = differences.filter(({ createOnly }) => createOnly);
  return `Replacing the AWS mapping ${uuid}, since ${paths(fixed)} cannot be changed on it. ${meaning(effective, spec)}`;
}

function meaning({ source, values }: Effective, spec: EventSourceMappingSpec): string {
  switch (source) {
    case 'sqs':
    case 'sqs-fifo':
    case 'mq':
      return 'Messages wait in the queue until the new one reads';
    case 'msk':
    case 'kafka': {
      const config = spec.amazonManagedKafkaEventSourceConfig ?? spec.selfManagedKafkaEventSourceConfig;
      if (config?.consumerGroupID !== undefined)
        return 'The new one goes on from the offsets that the consumer group has committed';
      return position(values.startingPosition);
    }
    case 'kinesis':
    case 'kinesis-consumer':
    case 'dynamodb':
    case 'docdb':
    case 'unknown':
      return position(values.startingPosition);
  }
}

function position(startingPosition: string | undefined): string {
  if (startingPosition === 'LATEST')
    return 'Its position is lost: records that arrive before the new one reads are not delivered';
  if (startingPosition === 'AT_TIMESTAMP')
    return 'Its position is lost: records since `startingPositionTimestamp` are delivered again';
  return 'Its position is lost: all records that the source still has are delivered again';
}
