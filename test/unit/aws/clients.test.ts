import { ListQueuesCommand } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { AwsClients, type AwsClientsOptions } from '../../../src/aws/clients.ts';
import { installationIdentity, roleIdentity } from '../../../src/aws/credentials.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { reply, startHttpSink } from '../../support/http-sink.ts';

function clientsWith(options: Partial<AwsClientsOptions> = {}): AwsClients {
  return new AwsClients({
    version: '1.2.3',
    clock: systemClock,
    region: 'eu-west-1',
    credentials: async () => ({ accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' }),
    ...options,
  });
}

test('the same service, use, Region and identity share one client; any other does not', async () => {
  await using clients = clientsWith();
  const here = { region: 'eu-west-1', identity: installationIdentity };
  const poll = clients.sqs(here, 'poll');
  expect(clients.sqs({ identity: installationIdentity }, 'poll').client).toBe(poll.client);
  const others = [
    clients.sqs(here, 'control'),
    clients.sqs({ ...here, region: 'us-east-1' }, 'poll'),
    clients.sqs({ ...here, identity: roleIdentity('arn:aws:iam::111122223333:role/a', 'c', 'n') }, 'poll'),
    clients.sqs({ ...here, identity: roleIdentity('arn:aws:iam::111122223333:role/a', 'c', 'm') }, 'poll'),
  ];
  expect(new Set([poll, ...others].map((lease) => lease.client)).size).toBe(5);
});

test('a client is closed when the last of its users lets go, and no sooner', async () => {
  await using clients = clientsWith();
  const place = { identity: installationIdentity };
  const [first, second] = [clients.sqs(place, 'poll'), clients.sqs(place, 'poll')];
  first.release();
  first.release();
  expect(clients.size).toBe(1);
  second.release();
  expect(clients.size).toBe(0);
  expect(clients.sqs(place, 'poll').client).not.toBe(first.client);
});

test('without a Region anywhere the field to set is named', async () => {
  await using clients = clientsWith({ region: undefined });
  expect(() => clients.sqs({ identity: installationIdentity }, 'poll')).toThrow(/`aws.region` must be set/);
});

test('requests go to the custom endpoint, signed for the Region, with the version in the user agent', async () => {
  await using sink = await startHttpSink({ answer: reply(200, { QueueUrls: [] }) });
  await using clients = clientsWith({ endpoints: { sqs: sink.url } });
  const lease = clients.sqs({ region: 'eu-central-1', identity: installationIdentity }, 'control');
  await lease.client.send(new ListQueuesCommand({}));
  expect(lease.endpoint).toBe(sink.url);
  const [request] = sink.requests;
  expect(request?.headers['user-agent']).toContain('sluice/1.2.3');
  expect(request?.headers.authorization).toMatch(/Credential=AKIDTEST\/\d{8}\/eu-central-1\/sqs\//);
});

test('the SDK repeats failed control calls, and never those of the poll loop', async () => {
  await using sink = await startHttpSink({ answer: reply(500, { __type: 'InternalError' }) });
  await using clients = clientsWith({ endpoints: { all: sink.url } });
  const place = { identity: installationIdentity };
  await expect(clients.sqs(place, 'poll').client.send(new ListQueuesCommand({}))).rejects.toMatchObject({
    name: 'InternalError',
  });
  expect(sink.requests.length).toBe(1);
  await expect(clients.sqs(place, 'control').client.send(new ListQueuesCommand({}))).rejects.toMatchObject({
    name: 'InternalError',
  });
  expect(sink.requests.length).toBe(4);
});

test('connections are kept alive between calls', async () => {
  await using sink = await startHttpSink({ answer: reply(200, { QueueUrls: [] }) });
  await using clients = clientsWith({ endpoints: { all: sink.url } });
  const { client } = clients.sqs({ identity: installationIdentity }, 'poll');
  await client.send(new ListQueuesCommand({}));
  await client.send(new ListQueuesCommand({}));
  expect(sink.connections).toBe(1);
});
