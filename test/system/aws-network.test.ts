/**
 * AWS by its own names, as from a closed network: every name is reached by a proxy alone, over TLS of a test's
 * authority. So what is called where is seen from outside: Regions, partitions, FIPS, dual-stack, profiles.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { makeCertificate } from '../support/certificates.ts';
import { startConnectProxy, type ConnectProxy } from '../support/connect-proxy.ts';
import { bodiesOf } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { reply, startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { invokedName, returned, startLambdaEndpoint } from '../support/lambda-endpoint.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { testAccount, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { startRun } from '../support/sluice.ts';

const credentials = 'proxy-user:pr0xy-s3cret';
const authority = makeCertificate({ name: 'Test CA', isAuthority: true });
const certificate = makeCertificate({
  name: 'aws',
  names: ['amazonaws.com', 'amazonaws.com.cn', 'api.aws'].flatMap((suffix) =>
    ['sqs', 'lambda', 'sts'].flatMap((service) =>
      ['eu-central-1', 'us-gov-west-1', 'us-east-1', 'cn-north-1'].flatMap((region) => [
        `${service}.${region}.${suffix}`,
        `${service}-fips.${region}.${suffix}`,
      ]),
    ),
  ),
  issuer: authority,
});

let aws: AwsServer;
let lambda: HttpSink;
let sts: HttpSink;
let proxy: ConnectProxy;
let folder: string;
/** TLS in front of each of the three. */
const fronts: Front[] = [];

interface Front extends AsyncDisposable {
  readonly port: number;
}

/** Ends TLS and hands the bytes on to a port of this machine. */
async function startFront(to: number): Promise<Front> {
  const sockets = new Set<net.Socket>();
  const keep = (socket: net.Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const server = tls.createServer({ key: certificate.keyPem, cert: certificate.certPem }, (socket) => {
    const upstream = net.connect(to, '127.0.0.1');
    keep(socket);
    keep(upstream);
    socket.pipe(upstream).pipe(socket);
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-aws-'));
  writeFileSync(path.join(folder, 'ca.pem'), authority.certPem);
  writeFileSync(path.join(folder, 'token'), 'a.web.identity');
  [aws, lambda, sts] = await Promise.all([startFauxqs(), startLambdaEndpoint(), startHttpSink()]);
  sts.answer(() => {
    const result = `<Credentials><AccessKeyId>ASIATEST</AccessKeyId><SecretAccessKey>k</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>`;
    const xml = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>${result}</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
    return reply(200, xml, { 'content-type': 'text/xml' });
  });
  const [forSqs, forLambda, forSts] = await Promise.all([
    startFront(Number(new URL(aws.endpoint).port)),
    startFront(lambda.port),
    startFront(sts.port),
  ]);
  fronts.push(forSqs, forLambda, forSts);
  proxy = await startConnectProxy({
    credentials,
    route: (to) => {
      if (!/\.(amazonaws\.com(\.cn)?|api\.aws):443$/.test(to)) return undefined;
      const service = to.split(/[.-]/)[0];
      return { sqs: forSqs.port, lambda: forLambda.port, sts: forSts.port }[service ?? ''];
    },
  });
});
afterAll(async () => {
  for (const each of [proxy, ...fronts, sts, lambda, aws]) await each?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** The environment of a process that reaches AWS by the proxy alone. */
const environment = (
  more: Readonly<Record<string, string | undefined>> = {},
): Record<string, string | undefined> => ({
  AWS_ENDPOINT_URL: undefined,
  AWS_REGION: testAccount.region,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
  HTTPS_PROXY: `http://${credentials}@127.0.0.1:${proxy.port}`,
  HTTP_PROXY: `http://${credentials}@127.0.0.1:${proxy.port}`,
  NODE_EXTRA_CA_CERTS: path.join(folder, 'ca.pem'),
  ...more,
});

function mappingYaml(name: string, queue: TestQueue | string, target: object): string {
  return stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name },
    spec: {
      mode: 'Poller',
      eventSourceARN: typeof queue === 'string' ? queue : queue.arn,
      scalingConfig: { maximumConcurrency: 2 },
      ...target,
    },
  });
}
/** Keys of the profile: it goes before those of the environment. */
function credentialsFile(): string {
  const file = path.join(folder, 'credentials');
  writeFileSync(file, '[shop]\naws_access_key_id = test\naws_secret_access_key = test\n');
  return file;
}
const toUrl = (url: string): object => ({ poller: { target: { http: { url } } } });

describe('behind a proxy', () => {
  it.each(['signed', 'sdk'])(
    'SQS, Lambda and STS are reached by it, targets are not, and nothing shows its password: %s client',
    async (client) => {
      const [orders, invoices] = await Promise.all([createQueue(aws), createQueue(aws)]);
      await using sink = await startHttpSink();
      lambda.answer(returned(null));
      const manifests = [
        mappingYaml('orders', orders, toUrl(`${sink.url}/in`)),
        mappingYaml('invoices', invoices, { functionName: 'printer' }),
      ].join('---\n');
      // As a pod with a role of its own: the chain of credentials goes through the proxy, too.
      const identity = {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_WEB_IDENTITY_TOKEN_FILE: path.join(folder, 'token'),
        AWS_ROLE_ARN: 'arn:aws:iam::000000000000:role/sluice',
      };
      proxy.requests.length = 0;
      await using run = startRun(manifests, { env: environment(identity), args: ['--aws-client', client] });
      await orders.send([client]);
      await invoices.send([client]);
      await eventually(
        async () => {
          if (run.sluice.process.end !== undefined) throw new Error(run.sluice.process.tail());
          return (await orders.isEmpty()) && (await invoices.isEmpty());
        },
        { timeoutMs: 30_000, what: 'an empty queue' },
      );
      expect([...proxy.hosts].toSorted((one, other) => one.localeCompare(other))).toEqual([
        'lambda.eu-central-1.amazonaws.com:443',
        'sqs.eu-central-1.amazonaws.com:443',
        'sts.eu-central-1.amazonaws.com:443',
      ]);
      expect(proxy.requests.every(({ line }) => line.startsWith('CONNECT '))).toBe(true);
      expect(bodiesOf(sink)).toEqual([client]);
      expect(lambda.requests.map((request) => invokedName(request.path))).toContain('printer');
      const { stdout, stderr } = run.sluice.process;
      for (const secret of ['pr0xy-s3cret', Buffer.from(credentials).toString('base64')]) {
        expect(stdout + stderr).not.toContain(secret);
      }
    },
  );

  it('that refuses, the source is unreachable, and says so without the password', async () => {
    const queue = await createQueue(aws);
    await using run = startRun(mappingYaml('orders', queue, toUrl('http://127.0.0.1:1/')), {
      env: environment({ HTTPS_PROXY: `http://proxy-user:wr0ng-s3cret@127.0.0.1:${proxy.port}` }),
    });
    const line = await eventually(
      () => run.sluice.lines.find(({ reason }) => reason === 'SourceUnreachable'),
      { timeoutMs: 20_000, what: 'a line about the source' },
    );
    expect(JSON.stringify(line)).toContain('407');
    expect(run.sluice.process.stdout + run.sluice.process.stderr).not.toContain('wr0ng-s3cret');
    await run.sluice.process.kill();
  });

  it('what NO_PROXY names is reached directly', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    proxy.requests.length = 0;
    await using run = startRun(mappingYaml('orders', queue, toUrl(sink.url)), {
      env: environment({ AWS_ENDPOINT_URL: aws.endpoint, NO_PROXY: '127.0.0.0/8,.svc' }),
    });
    await queue.send(['direct']);
    await eventually(() => bodiesOf(sink).includes('direct'), { timeoutMs: 20_000 });
    expect(run.sluice.process.end).toBeUndefined();
    expect(proxy.requests).toEqual([]);
    await run.sluice.process.kill();
  });
});

describe('places', () => {
  it.each([
    {
      arns: ['arn:aws-us-gov:sqs:us-gov-west-1', 'arn:aws-cn:sqs:cn-north-1'],
      env: {},
      hosts: ['sqs.us-gov-west-1.amazonaws.com:443', 'sqs.cn-north-1.amazonaws.com.cn:443'],
      why: 'partitions, by the ARN',
    },
    {
      arns: ['arn:aws:sqs:us-east-1'],
      env: { AWS_USE_FIPS_ENDPOINT: 'true' },
      hosts: ['sqs-fips.us-east-1.amazonaws.com:443'],
      why: 'FIPS',
    },
    {
      arns: ['arn:aws:sqs:us-east-1'],
      env: { AWS_USE_DUALSTACK_ENDPOINT: 'true' },
      hosts: ['sqs.us-east-1.api.aws:443'],
      why: 'dual-stack',
    },
    {
      arns: ['arn:aws:sqs:us-east-1'],
      env: {
        AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
        AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1',
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true',
      },
      hosts: ['sqs.us-east-1.amazonaws.com:443'],
      why: 'custom endpoints that are not to be used',
    },
  ])('$why: queues are asked for at $hosts', async ({ arns, env, hosts }) => {
    const target = toUrl('http://127.0.0.1:1/');
    const manifests = arns.map((arn, index) =>
      mappingYaml(`orders-${index}`, `${arn}:000000000000:q`, target),
    );
    proxy.requests.length = 0;
    await using run = startRun(manifests.join('---\n'), { env: environment(env) });
    const asked = (): readonly string[] => [...proxy.hosts].filter((host) => host.startsWith('sqs'));
    await eventually(() => asked().length === hosts.length, { timeoutMs: 20_000, what: 'calls of SQS' });
    expect(new Set(asked())).toEqual(new Set(hosts));
    await run.sluice.process.kill();
  });

  it('are those of the profile, where the environment says nothing: that of the service before that of all', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    const config = path.join(folder, 'config');
    const lines = [
      '[profile shop]',
      'endpoint_url = http://127.0.0.1:1',
      'services = here',
      '[services here]',
      'sqs =',
      `  endpoint_url = ${aws.endpoint}`,
    ];
    writeFileSync(config, lines.join('\n'));
    await using run = startRun(mappingYaml('orders', queue, toUrl(sink.url)), {
      env: environment({
        AWS_CONFIG_FILE: config,
        AWS_PROFILE: 'shop',
        AWS_SHARED_CREDENTIALS_FILE: credentialsFile(),
        NO_PROXY: '127.0.0.1',
      }),
    });
    await queue.send(['by profile']);
    await eventually(
      () => {
        if (run.sluice.process.end !== undefined) throw new Error(run.sluice.process.tail());
        return bodiesOf(sink).includes('by profile');
      },
      { timeoutMs: 20_000, what: 'the delivery' },
    );
    expect(bodiesOf(sink)).toEqual(['by profile']);
    await run.sluice.process.kill();
  });

  it('FIPS and a custom endpoint exclude each other, which is said', async () => {
    const queue = await createQueue(aws);
    await using run = startRun(mappingYaml('orders', queue, toUrl('http://127.0.0.1:1/')), {
      env: environment({ AWS_ENDPOINT_URL: aws.endpoint, AWS_USE_FIPS_ENDPOINT: 'true' }),
    });
    const line = await eventually(
      () => run.sluice.lines.find((each) => JSON.stringify(each).includes('FIPS and custom endpoint')),
      { timeoutMs: 20_000, what: 'a line about FIPS' },
    );
    expect(line).toMatchObject({ level: expect.stringMatching(/warn|error/) as string });
    await run.sluice.process.kill();
  });
});
