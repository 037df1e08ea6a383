/** A member of Lambda's API that is newer than the SDK, over the wire: written, signed with the rest, read, compared. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventSourceMapping, EventSourceMappingSpec } from '../../src/api/mapping.ts';
import { AwsClients } from '../../src/aws/clients.ts';
import { installationIdentity } from '../../src/aws/credentials.ts';
import { AwsBackend } from '../../src/backends/aws/backend.ts';
import { mappingApi, type Configuration, type MappingApi } from '../../src/backends/aws/client.ts';
import type { Observation } from '../../src/controller/backend.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { reply, startHttpSink } from '../support/http-sink.ts';
import { startMappingEndpoint, type MappingEndpoint } from '../support/mapping-endpoint.ts';
import { aMapping, ordersARN, subjectOf } from '../support/mappings.ts';
import { testAccount } from '../support/servers/aws-server.ts';

const { signal } = new AbortController();
let endpoint: MappingEndpoint;
let clients: AwsClients;

const clientsOf = (url: string): AwsClients =>
  new AwsClients({
    version: 'test',
    clock: systemClock,
    region: testAccount.region,
    endpoints: { all: url },
    credentials: async () => testAccount.credentials,
  });
const apiOf = (of: AwsClients): MappingApi =>
  mappingApi(of.lambda({ identity: installationIdentity }, 'paced').client, () => Promise.resolve());

beforeAll(async () => {
  endpoint = await startMappingEndpoint();
  clients = clientsOf(endpoint.endpoint);
});
afterAll(async () => {
  await clients[Symbol.asyncDispose]();
  await endpoint[Symbol.asyncDispose]();
});

const members = (configuration: Configuration | undefined): object => ({ ...configuration });

describe('additionalParameters', () => {
  const backend = (): AwsBackend =>
    new AwsBackend({
      clusterID: 'test',
      recheckMs: 1000,
      api: () => Object.assign({ ...apiOf(clients) }, { [Symbol.dispose]: () => undefined }),
    });
  const observe = (mapping: EventSourceMapping): Promise<Observation> => {
    endpoint.api.settle();
    return backend().observe(subjectOf(mapping), signal);
  };
  const pathsOf = (seen: Observation): readonly string[] =>
    seen.kind === 'drifted' ? seen.differences.map(({ path }) => path) : [seen.kind];
  const spec = (parameters: EventSourceMappingSpec['additionalParameters'], more: object = {}) => ({
    ...aMapping().spec,
    ...more,
    ...(parameters === undefined ? {} : { additionalParameters: parameters }),
  });

  it('are created, shown by Get and by List, found equal, changed alone, and repaired', async () => {
    const NewThing = { Depth: 3, Names: ['a', 'b'] };
    const mapping = aMapping({ spec: spec({ NewThing, NewFlag: true }) });
    const { mapping: facts } = await backend().create(subjectOf(mapping), signal);
    const uuid = facts?.uuid ?? '';
    expect(endpoint.requests.at(-1)?.body).toMatchObject({
      FunctionName: 'consumer',
      NewThing,
      NewFlag: true,
    });
    expect(members(await apiOf(clients).get(uuid, signal))).toMatchObject({ NewThing, NewFlag: true });
    const [listed] = await apiOf(clients).list(ordersARN, signal);
    expect(members(listed)).toMatchObject({ NewThing, NewFlag: true });
    const live = { ...mapping, status: { observedGeneration: 1, mapping: { uuid } } };
    expect(await observe(live)).toMatchObject({ kind: 'current' });

    const edited = { ...live, spec: spec({ NewThing: { ...NewThing, Depth: 4 }, NewFlag: true }) };
    const seen = await observe(edited);
    expect(pathsOf(seen)).toEqual(['additionalParameters.NewThing']);
    if (seen.kind === 'drifted') await backend().update(subjectOf(edited), seen.differences, signal);
    expect(endpoint.requests.at(-1)).toEqual({
      call: 'update',
      body: { NewThing: { Depth: 4, Names: ['a', 'b'] } },
    });
    expect(await observe(edited)).toMatchObject({ kind: 'current' });

    const behind: object = { NewFlag: false };
    endpoint.api.tamper(uuid, behind);
    expect(pathsOf(await observe(edited))).toEqual(['additionalParameters.NewFlag']);
    // AWS may show what it has filled in.
    const filled: object = { NewFlag: true, NewThing: { Depth: 4, Names: ['a', 'b'], Mode: 'Fast' } };
    endpoint.api.tamper(uuid, filled);
    expect(await observe(edited)).toMatchObject({ kind: 'current' });
    endpoint.api.vanish(uuid);
  });

  it('that AWS never shows are sent with each edit, and are no drift between', async () => {
    const mapping = aMapping({ spec: spec({ NewSecret: 'a' }) });
    const { mapping: facts } = await backend().create(subjectOf(mapping), signal);
    const uuid = facts?.uuid ?? '';
    const hiding: object = { NewSecret: undefined };
    endpoint.api.tamper(uuid, hiding);
    const live = { ...mapping, status: { observedGeneration: 1, mapping: { uuid } } };
    expect(await observe(live)).toMatchObject({ kind: 'current' });
    const edited = {
      ...live,
      metadata: { ...live.metadata, generation: 2 },
      spec: spec({ NewSecret: 'b' }),
    };
    expect(pathsOf(await observe(edited))).toEqual(['additionalParameters.NewSecret']);
    expect(await observe({ ...edited, status: { ...live.status, observedGeneration: 2 } })).toMatchObject({
      kind: 'current',
    });
    endpoint.api.vanish(uuid);
  });
});

describe('the request', () => {
  it('is signed over what it holds, and holds the rest as before', async () => {
    await using sink = await startHttpSink({
      answer: reply(202, { UUID: 'u', State: 'Creating', NewThing: [1] }),
    });
    await using own = clientsOf(sink.url);
    const timestamp = new Date('2026-01-01T00:00:00Z');
    const known = { EventSourceArn: ordersARN, FunctionName: 'f', BatchSize: 5 };
    const input = { ...known, StartingPositionTimestamp: timestamp, NewThing: { Depth: 1 } };
    const answer = await apiOf(own).create(input, signal);
    await apiOf(own).update('u', { BatchSize: 6 }, signal);
    const [created, updated] = sink.requests;
    // What the SDK knows is as it writes it.
    expect(created?.json()).toEqual({ ...input, StartingPositionTimestamp: timestamp.getTime() / 1000 });
    expect(created?.headers['content-length']).toBe(String(Buffer.byteLength(created?.body ?? '')));
    expect(created?.headers['x-amz-content-sha256']).toBe(
      createHash('sha256')
        .update(created?.body ?? '')
        .digest('hex'),
    );
    expect(updated?.json()).toEqual({ BatchSize: 6 });
    expect(members(answer)).toMatchObject({ UUID: 'u', State: 'Creating', NewThing: [1] });
  });

  it('fails as it would without: an error, a page of a proxy, and half an answer', async () => {
    await using sink = await startHttpSink({
      answer: reply(
        400,
        { Type: 'User', message: 'NewThing is not valid' },
        { 'x-amzn-errortype': 'InvalidParameterValueException' },
      ),
    });
    await using own = clientsOf(sink.url);
    await expect(apiOf(own).get('u', signal)).rejects.toThrow(/NewThing is not valid/);
    sink.answer({ kind: 'reply', body: '<html></html>' });
    await expect(apiOf(own).get('u', signal)).rejects.toThrow(/cannot be read/);
    sink.answer({ kind: 'truncated' });
    await expect(apiOf(own).get('u', signal)).rejects.toThrow(/GetEventSourceMapping/);
  });
});
