/**
 * What a call's outcome means for each record: the partial batch response of Lambda, taken literally. Pure. It decides
 * for queues; it neither settles nor retries. Every way in which an answer can be wrong ends as the failure of the
 * whole batch, because acknowledging a record that the function did not finish would lose it.
 */
import type { Outcome, SourceRecord } from './ports.ts';

export type Verdict<R extends SourceRecord> =
  /** Every record is done. */
  | { readonly kind: 'acknowledged' }
  /** The target named the records that failed; only the others are done. */
  | { readonly kind: 'partial'; readonly acknowledged: readonly R[]; readonly left: readonly R[] }
  /** The attempt is spent and no record is done. */
  | { readonly kind: 'left'; readonly reason: string; readonly message: string }
  /** The target did not process the batch: nothing is spent, the same batch is to be tried again. */
  | {
      readonly kind: 'held';
      readonly reason: string;
      readonly message: string;
      readonly retryAfterMs: number | undefined;
    };

/** Judges one outcome. `reportBatchItemFailures` is whether `functionResponseTypes` enables partial responses. */
export function judge<R extends SourceRecord>(
  outcome: Outcome,
  records: readonly R[],
  reportBatchItemFailures: boolean,
): Verdict<R> {
  switch (outcome.kind) {
    case 'delivered':
      // Without the response type Lambda does not look at the answer at all.
      if (!reportBatchItemFailures || outcome.response.kind === 'empty') return { kind: 'acknowledged' };
      if (outcome.response.kind === 'other') return invalid('The answer is not JSON');
      return judgeResponse(outcome.response.value, records);
    case 'failed':
      // A function error makes the answer's body irrelevant, `batchItemFailures` included.
      return { kind: 'left', reason: outcome.reason, message: outcome.message };
    case 'throttled':
      return {
        kind: 'held',
        reason: outcome.reason,
        message: outcome.message,
        retryAfterMs: outcome.retryAfterMs,
      };
    case 'unreachable':
    case 'refused':
      return { kind: 'held', reason: outcome.reason, message: outcome.message, retryAfterMs: undefined };
  }
}

function judgeResponse<R extends SourceRecord>(value: unknown, records: readonly R[]): Verdict<R> {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) {
    return { kind: 'acknowledged' };
  }
  // A text, a number or a filled list cannot be read as a response; Lambda calls that an invalid answer.
  if (typeof value !== 'object' || Array.isArray(value)) {
    return invalid('The answer must be a JSON object, `null` or empty');
  }
  const failures = member(value, 'batchItemFailures');
  if (failures === undefined || failures === null) return { kind: 'acknowledged' };
  if (!Array.isArray(failures)) return invalid('`batchItemFailures` must be a list');
  if (failures.length === 0) return { kind: 'acknowledged' };

  const known = new Set<unknown>();
  for (const record of records) known.add(record.id);
  const failed = new Set<unknown>();
  for (const [index, item] of failures.entries()) {
    // One capture saw `{}` treated as success; failing the batch can only repeat work, never lose it.
    const id: unknown =
      typeof item === 'object' && item !== null ? member(item, 'itemIdentifier') : undefined;
    if (typeof id !== 'string' || id === '') {
      return invalid(`\`batchItemFailures[${index}].itemIdentifier\` must be a text that is not empty`);
    }
    if (!known.has(id)) {
      return invalid(`\`batchItemFailures[${index}].itemIdentifier\` must name a record of the batch`);
    }
    failed.add(id);
  }
  // A queue may hand the same message out twice within a batch: its id then fails both.
  const acknowledged: R[] = [];
  const left: R[] = [];
  for (const record of records) (failed.has(record.id) ? left : acknowledged).push(record);
  return { kind: 'partial', acknowledged, left };
}

function member(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function invalid(message: string): Verdict<never> {
  return { kind: 'left', reason: 'ResponseInvalid', message };
}
