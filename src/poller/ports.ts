/**
 * What the engine needs from the world: a source, a target, a byte budget. The engine knows no vendor; rooms
 * `sources` and `targets` implement these ports, `fleet` joins them, and the simulation implements them again in
 * memory. Every call takes a signal and ends soon after it aborts.
 */

/** What filters, batches and verdicts see of a record; the engine never looks into it further. */
export interface SourceRecord {
  /** What `batchItemFailures` names: the SQS message id. Not unique: a queue may hand a message out twice. */
  readonly id: string;
  /** The record as it stands in the Lambda event, as JSON text. */
  readonly json: string;
  /** Length of `json` in UTF-8 bytes. */
  readonly bytes: number;
  /** The value that filter patterns match, decoded on demand since most mappings have no filter. */
  readonly filterable: () => unknown;
  /** An X-Ray header (`Root=…`) that the producer attached, if any. */
  readonly traceHeader?: string | undefined;
}

/** A message in our hands: invisible to others until its visibility ends. */
export interface QueueRecord extends SourceRecord {
  /** Names this one delivery of the message to us, for settling and extending. */
  readonly receipt: string;
  /** The ordered group it belongs to (FIFO), or undefined where the queue keeps no order. */
  readonly lane: string | undefined;
  /** How often the message has been received, this time included. */
  readonly receiveCount: number;
  /** When it was sent, epoch milliseconds. */
  readonly sentAtMs: number;
}

/** What the queue says of itself; read at start and now and then. */
export interface QueueFacts {
  readonly fifo: boolean;
  readonly visibilityTimeoutMs: number;
  /** Receives before the queue's redrive policy moves a message on; undefined without a policy. */
  readonly maxReceiveCount?: number | undefined;
  /** Approximate counts: visible, in flight, delayed. */
  readonly backlog: { readonly visible: number; readonly inFlight: number; readonly delayed: number };
}

export interface ReceiveRequest {
  /** Most records to take, 1 to `limits.receiveMax`. */
  readonly max: number;
  /** Long-poll time in whole seconds, 0 to 20. */
  readonly waitSeconds: number;
  /** Visibility for these messages instead of the queue's own, in whole seconds; undefined keeps the queue's. */
  readonly visibilitySeconds?: number | undefined;
  /**
   * Set if each record will be asked for its `filterable`: the members of it that count. What a source decoded on the
   * way is worth keeping until then, and what does not count may be left undefined.
   */
  readonly filteredBy?: ReadonlySet<string> | undefined;
}

/** A record whose deletion or extension did not succeed. */
export interface Unsettled<R extends SourceRecord> {
  readonly record: R;
  /** The service's code, such as `ReceiptHandleIsInvalid` or `InternalError`. */
  readonly code: string;
  /** False when trying this record again cannot help: the receipt is stale or the message is gone. */
  readonly retryable: boolean;
}

/**
 * A queue. Failures of a whole call are thrown as `SluiceError` with a documented reason and retry; failures of single
 * records are values. A time-out after the service acted is thrown like any other: the caller may repeat every call.
 */
export interface QueueSource {
  readonly type: string;
  readonly limits: {
    /** Records to a receive call (SQS: 10). */
    readonly receiveMax: number;
    /** Longest total time a message may stay invisible from its receive (SQS: 12 h). */
    readonly holdMaxMs: number;
  };
  describe(signal: AbortSignal): Promise<QueueFacts>;
  receive(request: ReceiveRequest, signal: AbortSignal): Promise<readonly QueueRecord[]>;
  /** Deletes; any number of records, in as few calls as the service allows. Resolves with those that remain. */
  settle(records: readonly QueueRecord[], signal: AbortSignal): Promise<readonly Unsettled<QueueRecord>[]>;
  /** Keeps invisible for `seconds` from now; 0 makes visible at once. Resolves with those that were not changed. */
  extend(
    records: readonly QueueRecord[],
    seconds: number,
    signal: AbortSignal,
  ): Promise<readonly Unsettled<QueueRecord>[]>;
  /** The whole event for the target, as JSON text. */
  envelope(records: readonly SourceRecord[]): string;
  /** Bytes that `envelope` adds around `count` records. */
  envelopeBytes(count: number): number;
  close(): Promise<void>;
}

/** One call of the target. */
export interface Invocation {
  /** Idempotency key: the same for identical repeats of a batch, never reused for another one. */
  readonly id: string;
  /** The exact event, as the source's `envelope` gives it. */
  readonly event: string;
  readonly records: readonly SourceRecord[];
  /** 1 for the first call of this batch. */
  readonly attempt: number;
}

/**
 * What a call returned. `throttled`, `unreachable` and `refused` mean that the target did not process the batch: the
 * attempt is not spent and the engine brakes. `failed` is a function error: the attempt is spent.
 */
export type Outcome =
  | {
      readonly kind: 'delivered';
      readonly statusCode: number;
      /** The parsed answer; undefined when it was empty. */
      readonly response: ParsedResponse;
      readonly executedVersion?: string | undefined;
    }
  | {
      readonly kind: 'failed';
      /** `FunctionError` or `Timeout`, and so on: a documented reason. */
      readonly reason: string;
      /** What Lambda calls `FunctionError`: `Unhandled`, `Handled`, or a header's value. */
      readonly functionError: string;
      readonly statusCode?: number | undefined;
      /** For people; without payload or secrets. */
      readonly message: string;
    }
  | {
      readonly kind: 'throttled';
      readonly reason: string;
      readonly message: string;
      /** What the target asked for, in milliseconds. */
      readonly retryAfterMs?: number | undefined;
    }
  | { readonly kind: 'unreachable' | 'refused'; readonly reason: string; readonly message: string };

/** A target's answer before it is judged: nothing, JSON, or something that is not JSON. */
export type ParsedResponse =
  | { readonly kind: 'empty' }
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'other' };

export interface Target {
  readonly type: string;
  /** Longest time a call may take, in milliseconds; the engine keeps messages invisible at least as long. */
  readonly timeoutMs: number;
  /** Never throws: whatever happens is an outcome. When `signal` aborts the outcome is `unreachable`. */
  invoke(invocation: Invocation, signal: AbortSignal): Promise<Outcome>;
  /** Most calls that it takes at once now, where it knows: that many batches are taken in hand, and no more. */
  capacity?(): number | undefined;
  /** Undefined while calls may be made; else why the engine must not receive (no ready endpoint). */
  unready?(): { readonly reason: string; readonly message: string } | undefined;
  close(): Promise<void>;
}

/**
 * A compiled filter: does a record's `filterable()` value match any pattern? What is undecided, because finding out
 * would take too long, is delivered: that can be repaired, a deletion cannot.
 */
export interface Matches {
  (value: unknown): boolean | 'undecided';
  /** The members of the value that decide; without it, all may. */
  readonly members?: ReadonlySet<string>;
}

/** Bytes of message data that the whole process may hold; shared by all mappings. */
export interface ByteBudget {
  readonly limit: number;
  readonly used: number;
  /**
   * Resolves when `bytes` were reserved, first come first served, or rejects when `signal` aborts. A reservation
   * larger than the limit is granted when nothing else is held, so it cannot wait for ever; one of 0 bytes waits
   * until there is any room.
   */
  reserve(bytes: number, signal: AbortSignal): Promise<void>;
  /** Reserves at once if that takes nobody's turn, else returns false: the way that costs no promise. */
  tryReserve(bytes: number): boolean;
  /** Corrects a reservation to what really arrived (may exceed the limit for a moment) or gives it back. */
  adjust(delta: number): void;
}
