/** What a mapping's spec asks of the queue loop, and what follows from it for the queue at hand. */
import { MAX_EVENT_BYTES, type BatchLimits } from './batcher.ts';
import type { ConcurrencyBounds } from './concurrency.ts';
import type { Matches, QueueFacts, QueueSource, Target } from './ports.ts';
import { workingVisibilityMs } from './visibility.ts';

export interface QueuePollerSettings {
  /** Most records of a batch, 1 to 10,000; FIFO queues take at most 10. */
  readonly batchSize: number;
  /** How long records may wait for a fuller batch, in milliseconds; ignored for FIFO queues. */
  readonly windowMs: number;
  /** `scalingConfig.maximumConcurrency`; undefined = adapts to the backlog. */
  readonly maximumConcurrency: number | undefined;
  /** Whether `functionResponseTypes` holds `ReportBatchItemFailures`. */
  readonly reportBatchItemFailures: boolean;
  /** What becomes of messages that no filter matches. */
  readonly unmatched: 'Delete' | 'Release';
  /** How long a message is held by extension while its target throttles or is away. */
  readonly maximumHoldMs: number;
  /** Most invocations without `maximumConcurrency`; default 100. */
  readonly concurrencyCeiling?: number | undefined;
  /** Most bytes of one event; default Lambda's 6 MB. */
  readonly maximumEventBytes?: number | undefined;
}

/** What `reconfigure` can change. */
export interface Reconfiguration {
  readonly settings: QueuePollerSettings;
  readonly target: Target;
  /** The compiled filter; undefined = every record matches. */
  readonly matches: Matches | undefined;
}

/** The values in force. */
export interface Effective {
  readonly fifo: boolean;
  readonly batchSize: number;
  readonly windowMs: number;
  readonly visibilityMs: number;
  readonly batchLimits: BatchLimits;
  readonly bounds: ConcurrencyBounds;
}

const DEFAULT_CEILING = 100;

/** Joins the settings with what the queue says of itself; without facts nothing is received yet. */
export function effectiveOf(
  settings: QueuePollerSettings,
  facts: QueueFacts | undefined,
  source: QueueSource,
): Effective {
  const fifo = facts?.fifo === true;
  // A batch of a FIFO queue never holds more than one receive, so that it cannot hold a group twice.
  const batchSize = fifo ? Math.min(settings.batchSize, source.limits.receiveMax) : settings.batchSize;
  const windowMs = fifo ? 0 : settings.windowMs;
  return {
    fifo,
    batchSize,
    windowMs,
    visibilityMs: facts === undefined ? 0 : workingVisibilityMs(facts),
    batchLimits: {
      maxRecords: batchSize,
      windowMs,
      maxBytes: settings.maximumEventBytes ?? MAX_EVENT_BYTES,
      envelopeBytes: (count) => source.envelopeBytes(count),
    },
    bounds: {
      maximumConcurrency: settings.maximumConcurrency,
      ceiling: settings.concurrencyCeiling ?? DEFAULT_CEILING,
    },
  };
}
