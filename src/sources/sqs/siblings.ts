/**
 * Does AWS Lambda read this queue as well? Two readers of one queue share its messages, which a person must know.
 * A warning only: it never fails, and without the permission the answer is that nobody knows.
 */
import { paginateListEventSourceMappings, type LambdaClient } from '@aws-sdk/client-lambda';
import { classifyWith, controlReasons } from '../../aws/classify.ts';

/** A live AWS mapping of the queue. */
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

/** The AWS mappings that read the queue now. */
export async function findSiblings(
  client: LambdaClient,
  queueArn: string,
  signal: AbortSignal,
): Promise<Siblings> {
  try {
    const live: Sibling[] = [];
    const pages = paginateListEventSourceMappings(
      { client },
      { EventSourceArn: queueArn },
      { abortSignal: signal },
    );
    for await (const page of pages) {
      for (const mapping of page.EventSourceMappings ?? []) {
        const state = mapping.State ?? 'Unknown';
        if (restingStates.has(state)) continue;
        live.push({ uuid: mapping.UUID ?? '', functionARN: mapping.FunctionArn ?? '', state });
      }
    }
    return { kind: 'known', live };
  } catch (error) {
    const { reason, message } = classifyWith(controlReasons, error, {
      action: 'lambda:ListEventSourceMappings',
      resource: queueArn,
    });
    return { kind: 'unknown', reason, message };
  }
}
