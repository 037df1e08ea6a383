/**
 * Settling any number of records by calls of ten. Pure but for `call`. Records with the same receipt are one entry;
 * each of them gets its result. A call that fails leaves its ten records unsettled; only when every call failed is
 * the error thrown, so that what succeeded is never forgotten.
 */
import type { SluiceError } from '../../lib/errors.ts';
import type { QueueRecord, Unsettled } from '../../poller/ports.ts';
import type { BatchEntry, BatchFailure, BatchResult } from './transport.ts';

const entriesMax = 10;
/** Calls under way at once for one settle: enough to hide latency, few enough not to starve the others. */
const callsAtOnce = 8;

/** Names of the entries of one call. */
const entryIds = Array.from({ length: entriesMax }, (_, index) => String(index));

const throttleCodes = /Throttl|TooManyRequests|SlowDown|RequestLimitExceeded|OverLimit/i;

/** Sends `records` through `call` and resolves with those that were not carried out. */
export async function inTens(
  records: readonly QueueRecord[],
  call: (entries: readonly BatchEntry[]) => Promise<BatchResult>,
  classify: (error: unknown) => SluiceError,
): Promise<readonly Unsettled<QueueRecord>[]> {
  if (records.length <= entriesMax && areDistinct(records)) return await inOne(records, call, classify);
  const byReceipt = Map.groupBy(records, (record) => record.receipt);
  const groups = [...byReceipt.values()];
  const chunks: (readonly QueueRecord[])[][] = [];
  for (let at = 0; at < groups.length; at += entriesMax) chunks.push(groups.slice(at, at + entriesMax));

  const unsettled: Unsettled<QueueRecord>[] = [];
  const errors: SluiceError[] = [];
  const work = chunks.values();
  const worker = async (): Promise<void> => {
    // All workers draw from one iterator, so each chunk is sent once.
    for (const chunk of work) {
      const entries = chunk.flatMap((group, index) =>
        group[0] === undefined ? [] : { id: String(index), receipt: group[0].receipt },
      );
      try {
        const { done, failed } = await call(entries);
        unsettled.push(...leftOver(chunk, done, failed));
      } catch (error) {
        const classified = classify(error);
        errors.push(classified);
        const retryable = classified.retry.kind !== 'never';
        for (const record of chunk.flat()) unsettled.push({ record, code: classified.reason, retryable });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(callsAtOnce, chunks.length) }, worker));
  const [first] = errors;
  if (first !== undefined && errors.length === chunks.length) throw first;
  return unsettled;
}

/** What a full receive comes to: one call, one entry for each record. */
async function inOne(
  records: readonly QueueRecord[],
  call: (entries: readonly BatchEntry[]) => Promise<BatchResult>,
  classify: (error: unknown) => SluiceError,
): Promise<readonly Unsettled<QueueRecord>[]> {
  if (records.length === 0) return [];
  let result: BatchResult;
  try {
    result = await call(
      records.map(({ receipt }, index) => ({ id: entryIds[index] ?? String(index), receipt })),
    );
  } catch (error) {
    throw classify(error);
  }
  const { done, failed } = result;
  if (failed.length === 0 && done.length === records.length && done.every((id, at) => id === entryIds[at]))
    return [];
  return leftOver(
    records.map((record) => [record]),
    done,
    failed,
  );
}

/** Of at most ten: each with each, since a Set would hash every receipt whole, and their first characters differ. */
function areDistinct(records: readonly QueueRecord[]): boolean {
  for (let at = 1; at < records.length; at++)
    for (let other = 0; other < at; other++)
      if (records[at]?.receipt === records[other]?.receipt) return false;
  return true;
}

function leftOver(
  chunk: readonly (readonly QueueRecord[])[],
  done: readonly string[],
  failed: readonly BatchFailure[],
): Unsettled<QueueRecord>[] {
  const succeeded = new Set(done);
  const failures = new Map(failed.map((failure) => [failure.id, failure]));
  return chunk.flatMap((group, index) => {
    const failure = failures.get(String(index));
    if (failure === undefined && succeeded.has(String(index))) return [];
    // In neither list: nobody knows, and both calls may be repeated.
    const code =
      failure === undefined ? 'MissingResult' : failure.code.replace(/^AWS\.SimpleQueueService\./, '');
    const retryable = failure === undefined || isRetryable(code, failure);
    return group.map((record) => ({ record, code, retryable }));
  });
}

/** A sender's fault does not pass by itself, unless it is that we send too much. */
function isRetryable(code: string, failure: BatchFailure): boolean {
  if (throttleCodes.test(code)) return true;
  // Some servers blame themselves for a stale receipt.
  if (code === 'ReceiptHandleIsInvalid' || code === 'MessageNotInflight') return false;
  return !failure.senderFault;
}
