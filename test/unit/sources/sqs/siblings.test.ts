import { describe, expect, test } from 'vitest';
import { AwsClients } from '../../../../src/aws/clients.ts';
import { installationIdentity } from '../../../../src/aws/credentials.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { findSiblings, type Siblings } from '../../../../src/sources/sqs/siblings.ts';
import { reply, startHttpSink, type HttpSink } from '../../../support/http-sink.ts';
import { invokeError } from '../../../support/lambda-endpoint.ts';

const arn = 'arn:aws:sqs:eu-west-1:111122223333:jobs';
const functionArn = 'arn:aws:lambda:eu-west-1:111122223333:function:f';

async function siblingsAt(lambda: HttpSink): Promise<Siblings> {
  await using clients = new AwsClients({
    version: '0.0.0',
    clock: systemClock,
    endpoints: { lambda: lambda.url },
    credentials: async () => ({ accessKeyId: 'AKIDTEST', secretAccessKey: 's' }),
  });
  const { client } = clients.lambda({ region: 'eu-west-1', identity: installationIdentity }, 'control');
  return findSiblings(client, arn, new AbortController().signal);
}

const mapping = (UUID: string, State: string): unknown => ({
  UUID,
  State,
  FunctionArn: functionArn,
  EventSourceArn: arn,
});

describe('AWS mappings of the same queue', () => {
  test('are those that take messages, over all pages, empty ones included', async () => {
    await using lambda = await startHttpSink();
    lambda.answerNext(
      reply(200, { EventSourceMappings: [], NextMarker: 'next' }),
      reply(200, {
        EventSourceMappings: [
          mapping('1', 'Enabled'),
          mapping('2', 'Disabled'),
          mapping('3', 'Updating'),
          mapping('4', 'Deleting'),
        ],
      }),
    );
    expect(await siblingsAt(lambda)).toEqual({
      kind: 'known',
      live: [
        { uuid: '1', functionARN: functionArn, state: 'Enabled' },
        { uuid: '3', functionARN: functionArn, state: 'Updating' },
      ],
    });
    expect(lambda.requests[0]?.path).toContain(`EventSourceArn=${encodeURIComponent(arn)}`);
  });

  test('are unknown, not an error, without the permission to look', async () => {
    await using lambda = await startHttpSink({ answer: invokeError('AccessDeniedException', 403) });
    expect(await siblingsAt(lambda)).toMatchObject({ kind: 'unknown', reason: 'AwsAccessDenied' });
  });
});
