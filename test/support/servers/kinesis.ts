import { testAccount, type AwsServer } from './aws-server.ts';

/** Streams on an emulator, by the JSON protocol itself: no test needs a client of Kinesis for more. */
export function kinesisArn(name: string): string {
  return `arn:aws:kinesis:${testAccount.region}:${testAccount.accountId}:stream/${name}`;
}

/** Makes a stream with one shard. */
export async function createStream(server: AwsServer, name: string): Promise<void> {
  await call(server, 'CreateStream', { StreamName: name, ShardCount: 1 });
}

/** Puts records, in their order. */
export async function putRecords(server: AwsServer, name: string, data: readonly string[]): Promise<void> {
  const answer = await call(server, 'PutRecords', {
    StreamName: name,
    Records: data.map((text) => ({ PartitionKey: 'all', Data: Buffer.from(text).toString('base64') })),
  });
  const { FailedRecordCount: failed } = answer as { readonly FailedRecordCount?: number };
  if (failed !== undefined && failed > 0) throw new Error(`could not put: ${JSON.stringify(answer)}`);
}

async function call(server: AwsServer, operation: string, body: object): Promise<unknown> {
  const credential = `${server.credentials.accessKeyId}/20260101/${server.region}/kinesis/aws4_request`;
  const response = await fetch(server.endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `Kinesis_20131202.${operation}`,
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=x`,
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${operation}: ${response.status} ${text}`);
  return text === '' ? {} : JSON.parse(text);
}
