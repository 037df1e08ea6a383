/** Queue attributes, parsed once. Pure; a value that makes no sense counts as absent. */
import type { QueueFacts } from '../../poller/ports.ts';

/** Facts from the answer of GetQueueAttributes. */
export function queueFacts(attributes: Readonly<Record<string, string>>, fifo: boolean): QueueFacts {
  const number = (name: string, otherwise: number): number => {
    const value = Number(attributes[name] ?? '');
    return attributes[name] !== undefined && Number.isFinite(value) && value >= 0 ? value : otherwise;
  };
  const maxReceiveCount = maxReceiveCountOf(attributes['RedrivePolicy']);
  return {
    fifo: attributes['FifoQueue'] === undefined ? fifo : attributes['FifoQueue'] === 'true',
    visibilityTimeoutMs: number('VisibilityTimeout', 30) * 1000,
    ...(maxReceiveCount === undefined ? {} : { maxReceiveCount }),
    backlog: {
      visible: number('ApproximateNumberOfMessages', 0),
      inFlight: number('ApproximateNumberOfMessagesNotVisible', 0),
      delayed: number('ApproximateNumberOfMessagesDelayed', 0),
    },
  };
}

/** The limit is a number or a string, as whoever set the policy wrote it. */
function maxReceiveCountOf(policy: string | undefined): number | undefined {
  if (policy === undefined || policy === '') return undefined;
  try {
    const parsed: unknown = JSON.parse(policy);
    if (typeof parsed !== 'object' || parsed === null || !('maxReceiveCount' in parsed)) return undefined;
    const count = Number(parsed.maxReceiveCount);
    return Number.isInteger(count) && count > 0 ? count : undefined;
  } catch {
    return undefined;
  }
}
