/**
 * An SQS queue as the engine's `QueueSource`, over any transport. Standard and FIFO. Every call may be repeated: a
 * second delete of a message succeeds or reports it as gone. A receive that is aborted may leave messages invisible
 * until their visibility timeout, since the service may have given them out already.
 */
import { parseArn, type Arn } from '../../api/arn.ts';
import { classifyQueueError } from '../../aws/classify.ts';
import { never, SluiceError } from '../../lib/errors.ts';
import type { QueueRecord, QueueSource, ReceiveRequest, Unsettled } from '../../poller/ports.ts';
import { inTens } from './batch-calls.ts';
import { queueFacts } from './facts.ts';
import { queueUrlOf } from './queue-url.ts';
import { envelope, envelopeBytes, type QueueOrigin } from './record.ts';
import type { SqsTransport } from './transport.ts';

/** Longest visibility that SQS takes, counted from the receive: 12 hours. */
const holdMaxSeconds = 43_200;

/** The parts of a complete queue ARN. Throws `InvalidSpec` for anything else. */
export function parseQueueArn(text: string): Arn {
  const arn = parseArn(text);
  if (arn === undefined || arn.service !== 'sqs' || !/^[\w.-]{1,80}$/.test(arn.resource)) {
    throw new SluiceError(
      'InvalidSpec',
      `\`eventSourceARN\` must be the ARN of an SQS queue, found ${text}`,
      never,
    );
  }
  if (arn.region === '' || arn.accountID === '') {
    throw new SluiceError(
      'IncompleteARN',
      `\`eventSourceARN\` must name Region and account, found ${text}`,
      never,
    );
  }
  return arn;
}

/** Opens the queue of an ARN. `endpoint` is the custom endpoint of the transport, if any. */
export function sqsSource(
  transport: SqsTransport,
  queueArn: string,
  endpoint: string | undefined,
): QueueSource {
  const arn = parseQueueArn(queueArn);
  const queue: QueueOrigin = { arn: queueArn, region: arn.region, fifo: arn.resource.endsWith('.fifo') };
  let url = queueUrlOf(arn, endpoint);
  /** Behind AWS's own endpoint a built URL is right; elsewhere the server is asked when it does not know it. */
  let mayAsk = endpoint !== undefined;

  const classify = (action: string) => (error: unknown) =>
    classifyQueueError(error, { action: `sqs:${action}`, resource: queueArn });

  /** The URL by which the server knows the queue, if it differs from ours. */
  const findOtherUrl = async (signal: AbortSignal): Promise<string | undefined> => {
    try {
      const found = await transport.findQueueUrl(arn.resource, arn.accountID, signal);
      mayAsk = false;
      return found === '' || found === url ? undefined : found;
    } catch {
      // Not found, or not permitted: the first answer stands. The queue may come later, so it is asked again then.
      return undefined;
    }
  };

  const withUrl = async <T>(
    action: string,
    signal: AbortSignal,
    call: (url: string) => Promise<T>,
  ): Promise<T> => {
    try {
      return await call(url);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const classified = classify(action)(error);
      if (!mayAsk || classified.reason !== 'QueueNotFound') throw classified;
      const found = await findOtherUrl(signal);
      if (found === undefined) throw classified;
      url = found;
    }
    try {
      return await call(url);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw classify(action)(error);
    }
  };

  const settleWith = (
    action: string,
    records: readonly QueueRecord[],
    signal: AbortSignal,
    call: (
      url: string,
      entries: Parameters<SqsTransport['deleteBatch']>[1],
    ) => ReturnType<SqsTransport['deleteBatch']>,
  ): Promise<readonly Unsettled<QueueRecord>[]> =>
    inTens(
      records,
      (entries) => withUrl(action, signal, (queueUrl) => call(queueUrl, entries)),
      classify(action),
    );

  return {
    type: 'sqs',
    limits: { receiveMax: 10, holdMaxMs: holdMaxSeconds * 1000 },
    describe: (signal) =>
      withUrl('GetQueueAttributes', signal, async (queueUrl) =>
        queueFacts(await transport.attributes(queueUrl, signal), queue.fifo),
      ),
    receive: (request, signal) =>
      withUrl('ReceiveMessage', signal, (queueUrl) =>
        transport.receive(queueUrl, queue, withinLimits(request), signal),
      ),
    settle: (records, signal) =>
      settleWith('DeleteMessage', records, signal, (queueUrl, entries) =>
        transport.deleteBatch(queueUrl, entries, signal),
      ),
    extend: (records, seconds, signal) =>
      settleWith('ChangeMessageVisibility', records, signal, (queueUrl, entries) =>
        transport.changeVisibilityBatch(queueUrl, entries, wholeSeconds(seconds), signal),
      ),
    envelope,
    envelopeBytes,
    close: () => transport.close(),
  };
}

function withinLimits(request: ReceiveRequest): ReceiveRequest {
  return {
    ...request,
    max: Math.min(10, Math.max(1, Math.floor(request.max))),
    waitSeconds: Math.min(20, Math.max(0, Math.floor(request.waitSeconds))),
    visibilitySeconds:
      request.visibilitySeconds === undefined ? undefined : wholeSeconds(request.visibilitySeconds),
  };
}

function wholeSeconds(seconds: number): number {
  return Math.min(holdMaxSeconds, Math.max(0, Math.ceil(seconds)));
}
