/**
 * Does AWS Lambda read these queues as well? Two readers of one queue share its messages, which a person must know.
 * A warning only: it never fails, and without the permission the answer is that nobody knows.
 */
import { paginateListEventSourceMappings, type LambdaClient } from '@aws-sdk/client-lambda';
import { classifyWith, controlReasons } from '../../aws/classify.ts';

/** A live AWS mapping of a queue. */
export interface Sibling {
  readonly uuid: string;
  readonly functionARN: string;
  readonly state: string;
}

export type Siblings =
  | { readonly kind: 'known'; readonly live: readonly Sibling[] }
  | { readonly kind: 'unknown'; readonly reason: string; readonly message: string };

/** States in which a mapping takes no messages and is not about to. */
const restingStates: ReadonlySet<string> = new Set(['Disabled', 'Disabling', 'Deleting']);
/**
 * Queues that are asked for one by one. The mappings of the whole account, a hundred to a call, are soon cheaper, and
 * the calls of all its tools share 15 a second.
 */
export const oneByOneMax = 20;

export interface SiblingSearch {
  readonly client: LambdaClient;
  /** Waits for one's turn before each call. */
  readonly turn: (signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

/** The AWS mappings that read the queues now. `found` is told once of each queue, in any order; not after an abort. */
export async function findSiblings(
  search: SiblingSearch,
  queueArns: readonly string[],
  found: (queueArn: string, siblings: Siblings) => void,
): Promise<void> {
  const groups = queueArns.length > oneByOneMax ? [queueArns] : queueArns.map((queueArn) => [queueArn]);
  for (const group of groups) {
    const siblings = await siblingsOf(search, group);
    if (search.signal.aborted) return;
    for (const queueArn of group) found(queueArn, siblings(queueArn));
  }
}

/** Of one queue by a question about it, of several by one about all. */
async function siblingsOf(
  { client, turn, signal }: SiblingSearch,
  queueArns: readonly string[],
): Promise<(queueArn: string) => Siblings> {
  const only = queueArns.length === 1 ? queueArns[0] : undefined;
  try {
    const live = new Map<string, Sibling[]>(queueArns.map((queueArn) => [queueArn, []]));
    await turn(signal);
    const pages = paginateListEventSourceMappings(
      { client },
      only === undefined ? {} : { EventSourceArn: only },
      { abortSignal: signal },
    );
    for await (const page of pages) {
      for (const mapping of page.EventSourceMappings ?? []) {
        const state = mapping.State ?? 'Unknown';
        if (restingStates.has(state)) continue;
        const sibling = { uuid: mapping.UUID ?? '', functionARN: mapping.FunctionArn ?? '', state };
        live.get(only ?? mapping.EventSourceArn ?? '')?.push(sibling);
      }
      if (page.NextMarker !== undefined) await turn(signal);
    }
    return (queueArn) => ({ kind: 'known', live: live.get(queueArn) ?? [] });
  } catch (error) {
    return (queueArn) => {
      const { reason, message } = classifyWith(controlReasons, error, {
        action: 'lambda:ListEventSourceMappings',
        resource: queueArn,
      });
      return { kind: 'unknown', reason, message };
    };
  }
}
