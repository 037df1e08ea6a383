import { describe, expect, test } from 'vitest';
import { AwsClients } from '../../../../src/aws/clients.ts';
import { installationIdentity } from '../../../../src/aws/credentials.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { findSiblings, oneByOneMax, type Siblings } from '../../../../src/sources/sqs/siblings.ts';
import { reply, startHttpSink, type HttpSink } from '../../../support/http-sink.ts';
import { invokeError } from '../../../support/lambda-endpoint.ts';

const arn = 'arn:aws:sqs:eu-west-1:111122223333:jobs';
const functionArn = 'arn:aws:lambda:eu-west-1:111122223333:function:f';

async function siblingsAt(
  lambda: HttpSink,
  queues: readonly string[] = [arn],
): Promise<Map<string, Siblings>> {
  await using clients = new AwsClients({
    version: '0.0.0',
    clock: systemClock,
    endpoints: { lambda: lambda.url },
    credentials: async () => ({ accessKeyId: 'AKIDTEST', secretAccessKey: 's' }),
  });
  const { client } = clients.lambda({ region: 'eu-west-1', identity: installationIdentity }, 'control');
  const { signal } = new AbortController();
  const found = new Map<string, Siblings>();
  let turns = 0;
  const turn = async (): Promise<void> => {
    turns++;
  };
  await findSiblings({ client, turn, signal }, queues, (queueArn, siblings) => found.set(queueArn, siblings));
  // A call of AWS is made in its turn only.
  expect(turns).toBe(lambda.requests.length);
  return found;
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
    expect((await siblingsAt(lambda)).get(arn)).toEqual({
      kind: 'known',
      live: [
        { uuid: '1', functionARN: functionArn, state: 'Enabled' },
        { uuid: '3', functionARN: functionArn, state: 'Updating' },
      ],
    });
    expect(lambda.requests[0]?.path).toContain(`EventSourceArn=${encodeURIComponent(arn)}`);
  });

  test('of a few queues are asked for one by one', async () => {
    await using lambda = await startHttpSink({ answer: reply(200, { EventSourceMappings: [] }) });
    const queues = Array.from({ length: 3 }, (_, at) => `${arn}-${at}`);
    expect([...(await siblingsAt(lambda, queues)).keys()]).toEqual(queues);
    expect(
      lambda.requests.map(({ path }) => new URL(path, 'http://l').searchParams.get('EventSourceArn')),
    ).toEqual(queues);
  });

  test('of many queues are found in the list of all mappings', async () => {
    await using lambda = await startHttpSink();
    lambda.answerNext(
      reply(200, {
        EventSourceMappings: [
          { ...(mapping('1', 'Enabled') as object), EventSourceArn: `${arn}-7` },
          { ...(mapping('2', 'Enabled') as object), EventSourceArn: `${arn}-other` },
          { UUID: '3', State: 'Enabled' },
        ],
        NextMarker: 'next',
      }),
      reply(200, {
        EventSourceMappings: [{ ...(mapping('4', 'Enabled') as object), EventSourceArn: `${arn}-7` }],
      }),
    );
    const queues = Array.from({ length: oneByOneMax + 1 }, (_, at) => `${arn}-${at}`);
    const found = await siblingsAt(lambda, queues);
    expect([...found.keys()]).toEqual(queues);
    for (const [queueArn, siblings] of found) {
      const uuids = siblings.kind === 'known' ? siblings.live.map(({ uuid }) => uuid) : undefined;
      expect(uuids).toEqual(queueArn.endsWith('-7') ? ['1', '4'] : []);
    }
    expect(lambda.requests[0]?.path).not.toContain('EventSourceArn');
  });

  test('are unknown, not an error, without the permission to look', async () => {
    await using lambda = await startHttpSink({ answer: invokeError('AccessDeniedException', 403) });
    expect((await siblingsAt(lambda)).get(arn)).toMatchObject({ kind: 'unknown', reason: 'AwsAccessDenied' });
  });
});
