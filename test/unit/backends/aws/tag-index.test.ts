import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AwsClients } from '../../../../src/aws/clients.ts';
import { installationIdentity } from '../../../../src/aws/credentials.ts';
import { taggingAddress } from '../../../../src/aws/sigv4-endpoint.ts';
import { tagIndex, type TagIndex } from '../../../../src/backends/aws/tag-index.ts';
import { reply, startHttpSink, type HttpSink } from '../../../support/http-sink.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const { signal } = new AbortController();
const credentials = { accessKeyId: 'AKIDTEST', secretAccessKey: 'top-secret' };
const arn = 'arn:aws:lambda:eu-west-1:000000000000:event-source-mapping:u';

describe('the index of tags', () => {
  let sink: HttpSink;
  let clients: AwsClients;
  let index: TagIndex;
  let calls: object[];

  beforeEach(async () => {
    sink = await startHttpSink();
    clients = new AwsClients({
      version: '1.2.3',
      clock: new VirtualClock(),
      endpoints: { all: sink.url },
      credentials: async () => credentials,
    });
    calls = [];
    const { client } = clients.signedTagging({ region: 'eu-west-1', identity: installationIdentity });
    index = tagIndex(client, 'prod', (call) => calls.push(call));
  });
  afterEach(async () => {
    await clients[Symbol.asyncDispose]();
    await sink[Symbol.asyncDispose]();
  });

  it('is asked for the mappings of the cluster alone, signed for its own service', async () => {
    sink.answer(reply(200, '{"ResourceTagMappingList":[],"PaginationToken":""}'));
    expect(await index(undefined, signal)).toEqual({ tags: new Map(), next: undefined });
    const [request] = sink.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'ResourceGroupsTaggingAPI_20170126.GetResources',
    });
    expect(request?.headers.authorization).toContain('/eu-west-1/tagging/aws4_request');
    expect(JSON.parse(request?.body ?? '')).toEqual({
      ResourceTypeFilters: ['lambda:event-source-mapping'],
      TagFilters: [{ Key: 'sluice.dev/cluster', Values: ['prod'] }],
      ResourcesPerPage: 100,
    });
    expect(calls).toEqual([{ operation: 'GetResources', code: 'OK' }]);
  });

  it('is read page by page', async () => {
    sink.answer(
      reply(
        200,
        JSON.stringify({
          PaginationToken: 'more',
          ResourceTagMappingList: [
            { ResourceARN: arn, Tags: [{ Key: 'a', Value: 'b' }, { Key: 'odd' }, null] },
            { ResourceARN: 7, Tags: [] },
            { ResourceARN: 'without-tags' },
          ],
        }),
      ),
    );
    const { tags, next } = await index('from here', signal);
    expect([...tags]).toEqual([[arn, { a: 'b' }]]);
    expect(next).toBe('more');
    expect(JSON.parse(sink.requests[0]?.body ?? '')).toMatchObject({ PaginationToken: 'from here' });
  });

  it.each([
    {
      why: 'a refusal',
      status: 400,
      body: '{"__type":"AccessDeniedException"}',
      code: 'AccessDeniedException',
    },
    { why: 'an answer that is not JSON', status: 200, body: '<html>', code: 'SyntaxError' },
  ])('rejects, and tells of, $why', async ({ status, body, code }) => {
    sink.answer(reply(status, body));
    await expect(index(undefined, signal)).rejects.toMatchObject({ name: code });
    expect(calls).toEqual([{ operation: 'GetResources', code }]);
  });
});

describe('the address of the index of tags', () => {
  it.each([
    { why: 'of AWS', config: {}, origin: 'https://tagging.eu-west-1.amazonaws.com' },
    {
      why: 'for FIPS',
      config: { useFipsEndpoint: true },
      origin: 'https://tagging-fips.eu-west-1.amazonaws.com',
    },
    {
      why: 'over IPv6',
      config: { useDualstackEndpoint: true },
      origin: 'https://tagging.eu-west-1.api.aws',
    },
    {
      why: 'in China',
      config: { region: 'cn-north-1' },
      origin: 'https://tagging.cn-north-1.amazonaws.com.cn',
    },
    { why: 'that was given', config: { endpoint: 'http://127.0.0.1:4566' }, origin: 'http://127.0.0.1:4566' },
  ])('is the one $why', async ({ config, origin }) => {
    expect(await taggingAddress({ region: 'eu-west-1', ...config })).toEqual({ origin, path: '/' });
  });

  it('is unknown where Lambda alone has an address of its own', async () => {
    await expect(taggingAddress({ region: 'eu-west-1' }, 'https://vpce-1.lambda.example')).rejects.toThrow(
      'No address',
    );
  });
});
