/**
 * The register of sources: what kind of source an ARN names, and how to open it. A new source adds one line.
 */
import type { AwsClients } from '../aws/clients.ts';
import type { AwsIdentity } from '../aws/credentials.ts';
import { parseArn } from '../api/arn.ts';
import type { QueueSource } from '../poller/ports.ts';
import { asCloudEvents } from './cloud-events.ts';
import { sqsCloudEvent } from './sqs/cloud-event.ts';
import { sqsDataKey } from './sqs/filterable.ts';
import { sdkTransport } from './sqs/sdk-transport.ts';
import { signedTransport } from './sqs/signed-transport.ts';
import { parseQueueArn, sqsSource } from './sqs/source.ts';

/** What a source is opened from. `eventSourceARN` is complete: partial ones are completed by the caller. */
export interface SourceSpec {
  readonly eventSourceARN: string;
  /** What the target is sent; default the Lambda event. */
  readonly encoding?: Encoding | undefined;
}

/** How records become an event: Lambda's event, or a batch of CloudEvents. */
export type Encoding = 'Lambda' | 'CloudEvents';

export interface SourceContext {
  readonly clients: AwsClients;
  readonly identity: AwsIdentity;
}

interface SourceKind {
  /** Whether the source is one of this kind. */
  readonly accepts: (spec: SourceSpec) => boolean;
  /** The member of a record that filters read as JSON. */
  readonly dataKey: string;
  /** Opens it without a call; throws `SluiceError` for a spec that cannot work. */
  readonly openQueue: (spec: SourceSpec, context: SourceContext) => QueueSource;
}

/** Every source that this release can poll, by its `source_type`. */
export const sources = {
  sqs: {
    accepts: (spec) => parseArn(spec.eventSourceARN)?.service === 'sqs',
    dataKey: sqsDataKey,
    openQueue: (spec, context) => {
      const source = openSqs(spec.eventSourceARN, context);
      return spec.encoding === 'CloudEvents' ? asCloudEvents(source, sqsCloudEvent) : source;
    },
  },
} as const satisfies Readonly<Record<string, SourceKind>>;

function openSqs(arn: string, { clients, identity }: SourceContext): QueueSource {
  const { region } = parseQueueArn(arn);
  const place = { region, identity };
  if (clients.pollClient === 'signed') {
    const lease = clients.signedSqs(place);
    return sqsSource(signedTransport(lease), arn, lease.endpoint);
  }
  const lease = clients.sqs(place, 'poll');
  return sqsSource(sdkTransport(clients.clock, lease), arn, lease.endpoint);
}

export type SourceType = keyof typeof sources;

/** The kind of source that a spec names, or undefined if no kind of this release accepts it. */
export function sourceTypeOf(spec: SourceSpec): SourceType | undefined {
  return (Object.keys(sources) as SourceType[]).find((type) => sources[type].accepts(spec));
}
