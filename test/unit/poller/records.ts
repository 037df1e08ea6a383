import type { QueueRecord } from '../../../src/poller/ports.ts';

/** A queue record of `bytes`; what a test does not care about is filled in. */
export function aRecord(id: string, given: Partial<QueueRecord> = {}): QueueRecord {
  const json = given.json ?? `{"messageId":"${id}"}`;
  return {
    id,
    json,
    bytes: json.length,
    filterable: () => undefined,
    receipt: `${id}#1`,
    lane: undefined,
    receiveCount: 1,
    sentAtMs: 0,
    ...given,
  };
}

export function recordsOf(...ids: readonly string[]): QueueRecord[] {
  return ids.map((id) => aRecord(id));
}
