/**
 * A queue whose events are CloudEvents batches instead of Lambda events: the JSON batch of CloudEvents 1.0, one event
 * for each record. Sizes are those of this encoding, so that batches are cut by what is really sent. Filters still see
 * the record of the Lambda event, and settling is the queue's own.
 *
 * What is kept in memory is the record of the Lambda event; the CloudEvent is made when its size is needed, and again
 * for each call.
 */
import type { QueueSource, SourceRecord } from '../poller/ports.ts';

/** Wraps `source`; `eventOf` is the CloudEvent of a record as JSON text, and must be the same each time. */
export function asCloudEvents(source: QueueSource, eventOf: (record: SourceRecord) => string): QueueSource {
  return {
    ...source,
    receive: async (request, signal) => {
      const records = await source.receive(request, signal);
      return records.map((record) => ({ ...record, bytes: Buffer.byteLength(eventOf(record)) }));
    },
    envelope: (records) => `[${records.map(eventOf).join(',')}]`,
    envelopeBytes: (count) => '[]'.length + Math.max(0, count - 1),
  };
}
