/**
 * What this release does not do yet. The schema accepts the whole language; what is asked for and not built ends as
 * `Stalled`, reason `NotSupported`, with the field named, and is never ignored in silence. Pure.
 */
import { classifySource, type SourceKind } from './effective.ts';
import type { EventSourceMappingSpec } from './mapping.ts';

/** A field that asks for something not built. */
export interface Unsupported {
  /** Dotted path below `spec`. */
  readonly path: string;
  readonly message: string;
}

/** Sources that the in-cluster poller reads; in Managed mode any source is AWS's to read. */
const built: ReadonlySet<SourceKind> = new Set(['sqs', 'sqs-fifo']);

const words: Readonly<Record<SourceKind, string>> = {
  sqs: 'SQS',
  'sqs-fifo': 'SQS FIFO',
  kinesis: 'Kinesis',
  'kinesis-consumer': 'Kinesis with enhanced fan-out',
  dynamodb: 'DynamoDB Streams',
  msk: 'Amazon MSK',
  kafka: 'self-managed Kafka',
  mq: 'Amazon MQ',
  docdb: 'Amazon DocumentDB',
  unknown: 'this service',
};

/** Every field of the spec that this release does not do; empty when it can run. */
export function supported(spec: EventSourceMappingSpec): readonly Unsupported[] {
  const found: Unsupported[] = [];
  const no = (path: string, what: string): void => {
    found.push({ path, message: `\`${path}\`: ${what} is not supported by this release` });
  };

  if (spec.mode === 'Poller') {
    // Who asks for Observe must not get deliveries.
    if (spec.managementPolicy === 'Observe') no('managementPolicy', '`Observe` in Poller mode');
    const source = classifySource(spec);
    if (!built.has(source)) {
      no(
        spec.eventSourceARN === undefined ? 'selfManagedEventSource' : 'eventSourceARN',
        `${words[source]} as a source in Poller mode`,
      );
    }
    if (spec.provisionedPollerConfig !== undefined)
      no('provisionedPollerConfig', 'provisioned mode in Poller mode');
    if (spec.poller?.rateLimit !== undefined) no('poller.rateLimit', 'a rate limit');
  }
  return found;
}
