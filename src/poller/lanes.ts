/**
 * Order within message groups (lanes). Pure.
 *
 * The queue gives a group to one reader at a time, but one receive may bring more records of a group than one batch
 * takes. So: records of a receive that needs several batches are put together lane by lane, no batch starts while an
 * earlier one with the same lane is unfinished, and what fails takes the later records of its own lane with it.
 */
import type { QueueRecord } from './ports.ts';

/** Lanes of some records; undefined where the queue keeps no order. */
export function lanesOf(records: readonly QueueRecord[]): ReadonlySet<string> | undefined {
  let lanes: Set<string> | undefined;
  for (const record of records) {
    if (record.lane !== undefined) (lanes ??= new Set()).add(record.lane);
  }
  return lanes;
}

/**
 * Puts the records of a receive into an order that splits into few dependent batches: unchanged if one batch takes
 * them all, else lane by lane. The order inside each lane is always that of the receive.
 */
export function arrangeByLane<R extends QueueRecord>(records: readonly R[], batchSize: number): readonly R[] {
  if (records.length <= batchSize) return records;
  const byLane = new Map<string | undefined, R[]>();
  for (const record of records) {
    const lane = byLane.get(record.lane);
    if (lane === undefined) byLane.set(record.lane, [record]);
    else lane.push(record);
  }
  return [...byLane.values()].flat();
}

/** The first waiting batch that shares no lane with a busy one or with one that waits before it. */
export function nextStartable<D extends { readonly lanes: ReadonlySet<string> | undefined }>(
  waiting: readonly D[],
  busy: Iterable<D>,
): D | undefined {
  const first = waiting[0];
  if (first === undefined || first.lanes === undefined) return first;
  const taken = new Set<string>();
  for (const delivery of busy) {
    if (delivery.lanes !== undefined) for (const lane of delivery.lanes) taken.add(lane);
  }
  for (const delivery of waiting) {
    const { lanes } = delivery;
    if (lanes === undefined || lanes.isDisjointFrom(taken)) return delivery;
    for (const lane of lanes) taken.add(lane);
  }
  return undefined;
}

/**
 * Splits off what may not be delivered: the `gone` records, and in each of their lanes every record behind one.
 * `behind` is what must be given back, so that the group begins again with the record that is gone.
 */
export function withoutGone<R extends QueueRecord>(
  records: readonly R[],
  gone: ReadonlySet<QueueRecord>,
): { readonly kept: R[]; readonly behind: R[] } {
  const kept: R[] = [];
  const behind: R[] = [];
  const broken = new Set<string>();
  for (const record of records) {
    if (gone.has(record)) {
      if (record.lane !== undefined) broken.add(record.lane);
    } else if (record.lane !== undefined && broken.has(record.lane)) behind.push(record);
    else kept.push(record);
  }
  return { kept, behind };
}
