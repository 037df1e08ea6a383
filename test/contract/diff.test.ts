import { stringify } from 'yaml';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventSourceMappingSpec } from '../../src/api/mapping.ts';
import { MappingEndpoint } from '../support/mapping-endpoint.ts';
import { awsEnvironment, queueArn, testAccount } from '../support/servers/aws-server.ts';
import { sluice } from '../support/sluice.ts';

/** `sluice diff` as a process over Lambda's API on loopback. */
let endpoint: MappingEndpoint;
beforeAll(async () => {
  endpoint = new MappingEndpoint();
  await endpoint.start();
});
afterAll(() => endpoint[Symbol.asyncDispose]());

const ours = (name: string) => ({
  'sluice.dev/cluster': 'prod',
  'sluice.dev/namespace': 'shop',
  'sluice.dev/name': name,
  'sluice.dev/uid': '5a1c0de0-0000-4000-8000-000000000001',
});
const manifest = (name: string, spec: Partial<EventSourceMappingSpec> = {}): string =>
  `---\n${stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name, namespace: 'shop' },
    spec: { mode: 'Managed', eventSourceARN: queueArn(name), functionName: 'consumer', ...spec },
  })}`;
const diff = (input: string, ...args: readonly string[]) => {
  const server = { ...testAccount, endpoint: endpoint.endpoint, [Symbol.asyncDispose]: async () => {} };
  return sluice(['diff', '-f', '-', '--cluster-id', 'prod', '--aws-requests-per-second', '15', ...args], {
    env: awsEnvironment(server),
    input,
  });
};

describe('sluice diff', () => {
  beforeEach(async () => {
    for (const { configuration } of endpoint.api.all) await endpoint.api.delete(configuration.UUID ?? '');
    endpoint.api.settle();
    for (const name of ['same', 'wide'])
      await endpoint.api.create({
        EventSourceArn: queueArn(name),
        FunctionName: 'consumer',
        Tags: ours(name),
      });
    await endpoint.api.create({
      EventSourceArn: queueArn('theirs'),
      FunctionName: 'consumer',
      Tags: { ...ours('theirs'), 'sluice.dev/cluster': 'test' },
    });
    await endpoint.api.create({ EventSourceArn: queueArn('nobodys'), FunctionName: 'consumer' });
    endpoint.api.settle();
    endpoint.api.writes.length = 0;
  });

  it('ends with 0 and says nothing while all is as it is to be', async () => {
    const { code, stdout, stderr } = await diff(
      manifest('same') + manifest('nobodys', { adoptionPolicy: 'IfExists' }),
    );
    expect([code, stdout, stderr]).toEqual([0, '', '2 none\n']);
  });

  it('ends with 1 and shows what would be created and changed, and writes nothing', async () => {
    const { code, stdout, stderr } = await diff(
      manifest('same') + manifest('wide', { batchSize: 5 }) + manifest('new'),
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^update shop\/wide \([0-9a-f-]{36}\)\n {2}- batchSize: 10\n {2}[+] batchSize: 5\ncreate shop\/new\n {2}[+] eventSourceARN: "arn:aws:sqs:.*:new"\n {2}[+] functionName: "consumer"\n$/,
    );
    expect(stderr).toBe('1 create, 1 update, 1 none\n');
    expect(endpoint.api.writes).toEqual([]);
  });

  it('ends with 3 and says why for what would be refused', async () => {
    const { code, stdout } = await diff(
      manifest('theirs') + manifest('nobodys') + manifest('new'),
      '-o',
      'json',
    );
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject([
      {
        mapping: 'shop/theirs',
        action: 'refused',
        message: expect.stringMatching(/^ForeignOwner: .*shop\/theirs of cluster test/) as string,
      },
      {
        mapping: 'shop/nobodys',
        action: 'refused',
        message: expect.stringMatching(/^Conflict: .*adoptionPolicy: IfExists/) as string,
      },
      { mapping: 'shop/new', action: 'create' },
    ]);
  });

  it('ends with 3 for what it cannot find out', async () => {
    const partial = manifest('partial', { eventSourceARN: 'arn:aws:sqs:::partial' });
    const unknown = await diff(partial);
    expect([unknown.code, unknown.stdout]).toEqual([3, expect.stringMatching(/^unknown shop\/partial: /)]);
    expect(await diff(partial, '--account-id', testAccount.accountId)).toMatchObject({ code: 1 });
  });
});
