/** The demo's producer: sends messages at a rate, and writes each into its ledger before it can be seen by anybody. */
import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../../lib/clock.ts';
import type { Ledger, Sent } from './ledger.ts';

export interface Message {
  readonly sent: Sent;
  readonly body: string;
}

export interface Line {
  readonly queueUrl: string;
  readonly ledger: Ledger;
  /** Makes the n-th message of this queue. */
  readonly make: (n: number, nowMs: number) => Message;
}

/** Sends to the queues in turn, `rate` messages a second in all, until the time is over or the signal aborts. */
export async function produce(
  deps: { readonly clock: Clock; readonly sqs: SQSClient },
  lines: readonly Line[],
  plan: { readonly rate: number; readonly durationMs: number },
  signal: AbortSignal,
): Promise<void> {
  const { clock, sqs } = deps;
  const startMs = clock.monotonic();
  let sent = 0;
  while (!signal.aborted) {
    const elapsedMs = Math.min(clock.monotonic() - startMs, plan.durationMs);
    const due = Math.floor((elapsedMs / 1000) * plan.rate);
    const pending = new Map<Line, Message[]>(lines.map((line) => [line, []]));
    for (; sent < due; sent++) {
      const line = lines[sent % lines.length];
      if (line !== undefined)
        pending.get(line)?.push(line.make(Math.floor(sent / lines.length), clock.now()));
    }
    for (const [line, messages] of pending) {
      for (let from = 0; from < messages.length; from += 10)
        await sendBatch(sqs, line, messages.slice(from, from + 10));
    }
    if (elapsedMs >= plan.durationMs) return;
    await clock.sleep(50, signal);
  }
}

async function sendBatch(sqs: SQSClient, line: Line, messages: readonly Message[]): Promise<void> {
  for (const message of messages) line.ledger.sent(message.sent);
  await sqs.send(
    new SendMessageBatchCommand({
      QueueUrl: line.queueUrl,
      Entries: messages.map((message, index) => ({
        Id: String(index),
        MessageBody: message.body,
        ...(message.sent.group === undefined
          ? {}
          : { MessageGroupId: message.sent.group.name, MessageDeduplicationId: message.sent.id }),
      })),
    }),
  );
}
