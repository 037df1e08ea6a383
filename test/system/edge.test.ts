import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { eventually } from '../support/eventually.ts';
import { startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sluice, startRun } from '../support/sluice.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** What `sluice run` makes of surroundings and edits that nobody plans for. */
let aws: AwsServer;
beforeAll(async () => {
  aws = await startFauxqs();
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
});

const mapping = (queue: TestQueue, sink: HttpSink, spec: Record<string, unknown> = {}): string =>
  stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name: 'orders' },
    spec: {
      mode: 'Poller',
      eventSourceARN: queue.arn,
      poller: { target: { http: { url: `${sink.url}/` } } },
      ...spec,
    },
  });

describe('a state folder that cannot be used ends the start before a message is taken', () => {
  it.each([
    { why: 'a file is in its place', below: 'mapping.yaml' },
    { why: 'a file is on the way to it', below: 'mapping.yaml/state' },
    { why: 'the file system takes none', absolute: '/proc/sluice/state' },
  ])('$why', async ({ below, absolute }) => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await queue.send(['untouched']);
    using folder = tempFolder();
    const file = folder.write('mapping.yaml', mapping(queue, sink));
    const state = absolute ?? `${folder.path}/${below}`;
    const { code, stderr } = await sluice(['run', '-f', file, '--state-dir', state], {
      env: awsEnvironment(aws),
    });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('`--state-dir` must be') });
    expect(stderr).toContain(state);
    expect(sink.requests).toEqual([]);
    expect((await queue.take()).map(({ receiveCount }) => receiveCount)).toEqual([1]);
  });
});

describe('an edit', () => {
  it('that hands the only mapping to AWS stops the poller', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await using run = startRun(mapping(queue, sink), {
      env: awsEnvironment(aws),
      args: ['--drain-receive-seconds', '0'],
    });
    await run.sluice.logged('Opened the source');
    run.write(mapping(queue, sink, { mode: 'Managed', functionName: 'consumer' }));
    await run.sluice.logged('Took changed manifests over');
    await run.sluice.logged('Changed state', { state: 'draining' });
    await queue.send(['for AWS']);
    // The last long poll may bring it; it goes back undelivered.
    run.sluice.process.signal('SIGTERM');
    expect((await run.sluice.process.ended).code).toBe(0);
    expect(sink.requests).toEqual([]);
    expect(await queue.isEmpty()).toBe(false);
  });
});

describe('an edit of the queue', () => {
  it('of an idle mapping is in force before the last poll of the former queue has ended, and loses nothing', async () => {
    const [former, next] = [await createQueue(aws), await createQueue(aws)];
    await using sink = await startHttpSink();
    await using run = startRun(mapping(former, sink), { env: awsEnvironment(aws) });
    await run.sluice.logged('Opened the source');
    await next.send(['in the next queue']);
    // A poll of 20 s has just begun.
    run.write(mapping(next, sink));
    await eventually(() => sink.requests.length === 1, { timeoutMs: 14_000 });
    expect(sink.requests[0]?.body).toContain(`"eventSourceARN":"${next.arn}"`);
    await eventually(() => next.isEmpty());
    // What the former poll may bring still goes back, undelivered.
    await former.send(['late']);
    await eventually(async () => (await former.counts()).visible === 1, { timeoutMs: 30_000 });
    expect(sink.requests).toHaveLength(1);
  });
});

describe('the environment', () => {
  it('gives the Region by a profile, for a partial ARN as well', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await queue.send(['there']);
    using folder = tempFolder();
    const { AWS_REGION, ...env } = awsEnvironment(aws);
    // With a profile the SDK takes no keys from the environment.
    const keys = 'aws_access_key_id = test\naws_secret_access_key = test\n';
    const config = folder.write('config', `[profile dev]\nregion = ${AWS_REGION ?? ''}\n${keys}`);
    await using _ = startRun(mapping(queue, sink, { eventSourceARN: `arn:aws:sqs:::${queue.name}` }), {
      env: {
        ...env,
        AWS_REGION: undefined,
        AWS_DEFAULT_REGION: undefined,
        AWS_CONFIG_FILE: config,
        AWS_PROFILE: 'dev',
      },
    });
    await eventually(() => sink.requests.length === 1, { timeoutMs: 20_000 });
    expect(sink.requests[0]?.body).toContain(`"eventSourceARN":"${queue.arn}"`);
  });

  it('with a profile that is not there leaves the queue alone and says which was looked for', async () => {
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    await queue.send(['untouched']);
    await using run = startRun(mapping(queue, sink), {
      env: {
        ...awsEnvironment(aws),
        AWS_PROFILE: 'prod-eu',
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        AWS_EC2_METADATA_DISABLED: 'true',
      },
    });
    const { detail } = await run.sluice.logged('Could not read the source', {
      reason: 'AwsCredentialsMissing',
    });
    expect(detail).toContain('looked for in the profile prod-eu of AWS_PROFILE');
    expect(sink.requests).toEqual([]);
  });

  it('with an endpoint that is no URL ends the start', async () => {
    using folder = tempFolder();
    const queue = await createQueue(aws);
    await using sink = await startHttpSink();
    const { code, stderr } = await sluice(
      ['run', '-f', folder.write('m.yaml', mapping(queue, sink)), '--state-dir', folder.path],
      { env: { ...awsEnvironment(aws), AWS_ENDPOINT_URL: 'localhost:4566' } },
    );
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining(
        '`AWS_ENDPOINT_URL` must be an http or https URL, found localhost:4566',
      ),
    });
  });
});
