import { describe, expect, test } from 'vitest';
import { AwsClients } from '../../../src/aws/clients.ts';
import { installationIdentity } from '../../../src/aws/credentials.ts';
import { SiblingWatch } from '../../../src/fleet/sibling-watch.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { reply, startHttpSink } from '../../support/http-sink.ts';

const place = { region: 'eu-west-1', identity: installationIdentity };
const arn = (at: number): string => `arn:aws:sqs:eu-west-1:111122223333:jobs-${at}`;

async function watchAt(url: string): Promise<{ readonly watch: SiblingWatch; readonly clients: AwsClients }> {
  const clients = new AwsClients({
    version: '0.0.0',
    clock: systemClock,
    endpoints: { lambda: url },
    credentials: async () => ({ accessKeyId: 'AKIDTEST', secretAccessKey: 's' }),
  });
  const onError = (error: unknown): never => {
    throw error;
  };
  return { clients, watch: new SiblingWatch({ clock: systemClock, random: Math.random, clients, onError }) };
}

describe('the watch for other readers', () => {
  test('looks once for all queues of a Region and identity, and again for one that comes later', async () => {
    await using lambda = await startHttpSink({ answer: reply(200, { EventSourceMappings: [] }) });
    const { watch, clients } = await watchAt(lambda.url);
    await using _ = clients;
    const told = new Map<number, number>();
    const follow = (at: number): (() => Promise<void>) =>
      watch.follow(place, arn(at), ({ kind }) => {
        expect(kind).toBe('known');
        told.set(at, (told.get(at) ?? 0) + 1);
      });
    const ends = Array.from({ length: 100 }, (_unused, at) => follow(at));
    await expect.poll(() => told.size).toBe(100);
    expect(lambda.requests).toHaveLength(1);

    ends.push(follow(100));
    await expect.poll(() => told.get(100), { timeout: 5000 }).toBe(1);
    expect(lambda.requests).toHaveLength(2);
    expect(lambda.requests[1]?.path).toContain(encodeURIComponent(arn(100)));
    expect([...told.values()].every((times) => times === 1)).toBe(true);
    await Promise.all(ends.map((end) => end()));
  });

  test('ends with its last follower, a call under way included, and begins anew with the next', async () => {
    let hangs = true;
    await using lambda = await startHttpSink({
      answer: () => (hangs ? { kind: 'hang' } : reply(200, { EventSourceMappings: [] })),
    });
    const { watch, clients } = await watchAt(lambda.url);
    await using _ = clients;
    let told = 0;
    const end = watch.follow(place, arn(1), () => told++);
    await expect.poll(() => lambda.requests.length).toBe(1);
    await end();
    expect(told).toBe(0);

    hangs = false;
    const again = watch.follow(place, arn(1), () => told++);
    await expect.poll(() => told, { timeout: 5000 }).toBe(1);
    await again();
  });
});
