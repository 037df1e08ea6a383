/**
 * The URL of a queue, from its ARN. It is built rather than asked for: a role made for Lambda may receive, delete and
 * read attributes, but not `sqs:GetQueueUrl`. Behind a custom endpoint a server may name its queues otherwise
 * (`/queue/NAME`); so when a built URL is not known there, the service is asked once.
 */
import type { Arn } from '../../api/arn.ts';
import { dnsSuffixOf } from '../../aws/partition.ts';

/** The URL that follows from the ARN. The name is a queue's (`[A-Za-z0-9_.-]`), so nothing needs to be escaped. */
export function queueUrlOf(queue: Arn, endpoint: string | undefined): string {
  const host = endpoint ?? `https://sqs.${queue.region}.${dnsSuffixOf(queue.partition)}`;
  return `${host}/${queue.accountID}/${queue.resource}`;
}
