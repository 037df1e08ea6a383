/**
 * The wire of a queue: the five calls that the source makes of SQS, whatever speaks them. A transport knows requests
 * and answers; tens, duplicates and the meaning of errors are the source's. It throws what its client throws, in a
 * form that `aws/classify.ts` understands.
 */
import type { QueueRecord, ReceiveRequest } from '../../poller/ports.ts';
import type { QueueOrigin } from './record.ts';

/** One entry of a batch call; ids are unique within the call. */
export interface BatchEntry {
  readonly id: string;
  readonly receipt: string;
}

/** An entry that the service did not carry out. */
export interface BatchFailure {
  readonly id: string;
  readonly code: string;
  readonly senderFault: boolean;
  readonly message: string;
}

/** What became of a batch call. Entries in neither list were lost by the service. */
export interface BatchResult {
  readonly done: readonly string[];
  readonly failed: readonly BatchFailure[];
}

export interface SqsTransport {
  /** The queue's URL as the service names it. */
  findQueueUrl(name: string, accountID: string, signal: AbortSignal): Promise<string>;
  attributes(queueUrl: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /**
   * Receives with all system and message attributes. Makes the records itself: a transport that holds the answer as
   * text may cut them from it.
   */
  receive(
    queueUrl: string,
    queue: QueueOrigin,
    request: ReceiveRequest,
    signal: AbortSignal,
  ): Promise<readonly QueueRecord[]>;
  /** At most ten entries. */
  deleteBatch(queueUrl: string, entries: readonly BatchEntry[], signal: AbortSignal): Promise<BatchResult>;
  /** At most ten entries, all to the same time from now. */
  changeVisibilityBatch(
    queueUrl: string,
    entries: readonly BatchEntry[],
    seconds: number,
    signal: AbortSignal,
  ): Promise<BatchResult>;
  close(): Promise<void>;
}
