import https from 'node:https';
import { describe, expect, test } from 'vitest';
import { AwsClients, type AwsClientKind } from '../../../src/aws/clients.ts';
import { assumedCredentials, installationIdentity, roleIdentity } from '../../../src/aws/credentials.ts';
import { agentProxy, proxyFor, proxyFromEnv } from '../../../src/aws/proxy.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { sources } from '../../../src/sources/index.ts';
import { startConnectProxy } from '../../support/connect-proxy.ts';
import { startHttpSink } from '../../support/http-sink.ts';

const sqs = new URL('https://sqs.eu-west-1.amazonaws.com/');

describe('the proxy of the environment', () => {
  test.each([
    { env: {}, url: undefined, why: 'none' },
    { env: { HTTPS_PROXY: '' }, url: undefined, why: 'an empty variable is none' },
    { env: { HTTP_PROXY: 'http://p:1' }, url: undefined, why: 'that for http is not for https' },
    { env: { HTTPS_PROXY: 'http://p:1' }, url: 'http://p:1/', why: 'upper case' },
    { env: { https_proxy: 'http://p:1' }, url: 'http://p:1/', why: 'lower case' },
    {
      env: { https_proxy: 'http://lower:1', HTTPS_PROXY: 'http://upper:1' },
      url: 'http://lower:1/',
      why: 'lower case wins',
    },
    { env: { HTTPS_PROXY: 'https://p:1' }, url: 'https://p:1/', why: 'one that speaks TLS' },
    { env: { HTTPS_PROXY: 'p:3128' }, url: 'http://p:3128/', why: 'without a scheme it is an http one' },
  ])('$why', ({ env, url }) => {
    expect(proxyFor(proxyFromEnv(env), sqs)?.url).toBe(url);
  });

  test('carries its credentials, decoded', () => {
    const proxy = proxyFor(proxyFromEnv({ HTTPS_PROXY: 'http://me:p%40ss@proxy:1' }), sqs);
    expect(proxy?.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
    expect(proxy?.origin).toBe('http://proxy:1');
  });

  test.each([
    { value: 'socks5://p:1', text: ', found socks5://p:1' },
    { value: 'http://', text: ', found http://' },
    { value: 'socks5://me:secret@p:1', text: '' },
  ])('is refused by its variable when it cannot be used: $value', ({ value, text }) => {
    expect(() => proxyFromEnv({ https_proxy: value })).toThrow(
      new RegExp(`^\`https_proxy\` must be an http or https URL${text.replaceAll('/', '\\/')}$`),
    );
  });
});

/** What both clients must agree on: Node's agents, which the SDK uses, and Sluice's own reading. */
const exceptions = [
  { noProxy: '', host: 'a.example.com', direct: false, why: 'no exception' },
  { noProxy: '*', host: 'a.example.com', direct: true, why: 'everything' },
  { noProxy: 'a.example.com', host: 'a.example.com', direct: true, why: 'a name' },
  { noProxy: 'A.Example.COM', host: 'a.example.com', direct: true, why: 'in any case' },
  { noProxy: 'example.com', host: 'a.example.com', direct: true, why: 'what is below a name' },
  { noProxy: '.example.com', host: 'a.example.com', direct: true, why: 'with a leading dot' },
  { noProxy: '*.example.com', host: 'a.example.com', direct: true, why: 'with a star' },
  { noProxy: '.example.com', host: 'example.com', direct: true, why: 'the name itself, too' },
  { noProxy: 'example.com', host: 'badexample.com', direct: false, why: 'not what only ends so' },
  {
    noProxy: 'other.com, example.com',
    host: 'a.example.com',
    direct: true,
    why: 'one of a list with blanks',
  },
  { noProxy: 'a.example.com:443', host: 'a.example.com', direct: true, why: 'a host at its port' },
  { noProxy: 'a.example.com:8443', host: 'a.example.com', direct: false, why: 'at another port' },
  { noProxy: 'example.com:443', host: 'a.example.com', direct: false, why: 'a port goes with the very host' },
  { noProxy: '192.0.2.7:443', host: '192.0.2.7', direct: true, why: 'an address at its port' },
  { noProxy: '192.0.2.7', host: '192.0.2.7', direct: true, why: 'an address' },
  { noProxy: '192.0.2.7', host: '192.0.2.8', direct: false, why: 'another address' },
  { noProxy: '10.0.0.0/8', host: '10.255.1.2', direct: true, why: 'a range of addresses' },
  { noProxy: '10.0.0.0/8', host: '11.0.0.1', direct: false, why: 'outside of the range' },
  { noProxy: '10.1.2.3/32', host: '10.1.2.3', direct: true, why: 'a range of one' },
  { noProxy: '0.0.0.0/0', host: '203.0.113.9', direct: true, why: 'the range of all' },
  { noProxy: '10.0.0.0/8', host: 'a.example.com', direct: false, why: 'a name is not resolved for it' },
];

describe('NO_PROXY', () => {
  test.each(exceptions)('$noProxy and $host: $why', async ({ noProxy, host, direct }) => {
    await using proxy = await startConnectProxy({ route: () => undefined });
    const settings = proxyFromEnv({ HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: noProxy });
    expect(proxyFor(settings, new URL(`https://${host}/`)) === undefined).toBe(direct);

    const agent = new https.Agent({
      ...agentProxy(settings),
      lookup: (_name, _options, callback) => callback(new Error('direct'), '', 4),
      // Nothing leaves this machine, neither to a name nor to an address.
      localAddress: '127.0.0.1',
    });
    await new Promise<void>((resolve) =>
      https.get({ host, agent, path: '/' }).once('error', () => resolve()),
    );
    expect(proxy.requests.length === 0).toBe(direct);
  });
});

describe('a role', () => {
  test.each([
    {
      region: 'eu-west-1',
      partition: 'aws',
      host: 'sts.eu-west-1.amazonaws.com',
      why: 'in the Region of the mapping',
    },
    {
      region: 'us-gov-east-1',
      partition: 'aws-us-gov',
      host: 'sts.us-gov-east-1.amazonaws.com',
      why: 'GovCloud',
    },
    { region: 'cn-north-1', partition: 'aws-cn', host: 'sts.cn-north-1.amazonaws.com.cn', why: 'China' },
    {
      region: 'us-isob-east-1',
      partition: 'aws-iso-b',
      host: 'sts.us-isob-east-1.sc2s.sgov.gov',
      why: 'ISO-B',
    },
  ])('of $partition is assumed at $host: $why', async ({ region, partition, host }) => {
    await using proxy = await startConnectProxy({ route: () => undefined });
    const identity = roleIdentity(`arn:${partition}:iam::111122223333:role/reader`, 'prod', 'shop');
    if (identity.kind !== 'Role') throw new Error('a role was asked for');
    const assumed = assumedCredentials(
      systemClock,
      identity,
      async () => ({ accessKeyId: 'AKIDTEST', secretAccessKey: 'k' }),
      { region, proxy: proxyFromEnv({ HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` }) },
    );
    await expect(assumed()).rejects.toMatchObject({ reason: 'AssumeRoleFailed' });
    expect([...proxy.hosts]).toEqual([`${host}:443`]);
  });
});

describe.each<AwsClientKind>(['signed', 'sdk'])('a plain http endpoint, by the %s client', (pollClient) => {
  const receive = async (proxy: string): Promise<unknown> => {
    await using clients = new AwsClients({
      version: '0.0.0',
      clock: systemClock,
      pollClient,
      endpoints: { all: 'http://sqs.internal.example:9324' },
      proxy: proxyFromEnv({ http_proxy: proxy }),
      credentials: async () => ({ accessKeyId: 'AKIDTEST', secretAccessKey: 'k' }),
    });
    const eventSourceARN = 'arn:aws:sqs:eu-west-1:111122223333:jobs';
    const source = sources.sqs.openQueue({ eventSourceARN }, { clients, identity: installationIdentity });
    try {
      return await source.receive({ max: 1, waitSeconds: 0 }, new AbortController().signal);
    } finally {
      await source.close();
    }
  };

  test('is asked of the proxy by its whole URL, with the signature for the service', async () => {
    await using sink = await startHttpSink({ answer: { kind: 'reply', body: {} } });
    await using proxy = await startConnectProxy({ credentials: 'me:secret', route: () => sink.port });
    expect(await receive(`http://me:secret@127.0.0.1:${proxy.port}`)).toEqual([]);
    expect(proxy.requests).toMatchObject([{ line: 'POST http://sqs.internal.example:9324/' }]);
    expect(sink.requests[0]?.headers.host).toBe('sqs.internal.example:9324');
    expect(sink.requests[0]?.headers.authorization).toContain('Credential=AKIDTEST/');
    expect(sink.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  test('fails without a word of the credentials when the proxy refuses them', async () => {
    await using proxy = await startConnectProxy({ credentials: 'me:secret', route: () => undefined });
    const failure = await receive(`http://me:wrong-secret@127.0.0.1:${proxy.port}`).catch(
      (error: unknown) => error,
    );
    expect(failure).toHaveProperty('message', expect.stringContaining('407'));
    expect(String(failure)).not.toContain('wrong-secret');
  });
});
