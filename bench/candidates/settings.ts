/** What every loop that is measured against is told, and what those on the SDK share. */
export interface Settings {
  readonly endpoint: string;
  readonly region: string;
  readonly queueUrls: readonly string[];
  /** Where events are posted. */
  readonly target: string;
  readonly lanes: number;
  readonly batch: number;
  /** The target speaks Lambda's API, so calls of it are signed. */
  readonly lambda: boolean;
}

export function readSettings(): Settings {
  return JSON.parse(process.argv[2] ?? '') as Settings;
}

interface Message {
  readonly MessageId?: string | undefined;
  readonly ReceiptHandle?: string | undefined;
  readonly Body?: string | undefined;
  readonly MD5OfBody?: string | undefined;
  readonly Attributes?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The event that Lambda would make of the messages. */
export function eventOf(messages: readonly Message[]): string {
  const Records = messages.map(({ MessageId, ReceiptHandle, Body, MD5OfBody, Attributes }) => ({
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: Attributes,
    messageAttributes: {},
    md5OfBody: MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:eu-west-1:000000000000:bench',
    awsRegion: 'eu-west-1',
  }));
  return JSON.stringify({ Records });
}

/** Posts an event and reads the answer. */
export async function post(target: string, body: string): Promise<void> {
  const answer = await fetch(target, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`status ${answer.status}`);
}
