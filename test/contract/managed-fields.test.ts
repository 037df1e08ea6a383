import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awsFields } from '../../src/api/aws-fields.ts';
import type { EventSourceMapping, EventSourceMappingSpec } from '../../src/api/mapping.ts';
import type { Schema } from '../../src/api/schema.ts';
import { AwsBackend } from '../../src/backends/aws/backend.ts';
import { mappingApi, type MappingApi } from '../../src/backends/aws/client.ts';
import { fields } from '../../src/backends/aws/translate.ts';
import type { Difference, Facts } from '../../src/controller/backend.ts';
import { eventually } from '../support/eventually.ts';
import {
  fieldRows,
  rowName,
  sourceSpecs,
  type FieldRow,
  type FieldServer,
} from '../support/managed-fields.ts';
import { startMappingEndpoint } from '../support/mapping-endpoint.ts';
import { aMapping, subjectOf } from '../support/mappings.ts';
import { sqsClient } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { queueArn, testAccount, type AwsServer } from '../support/servers/aws-server.ts';
import { lambdaWithConsumer } from '../support/servers/consumer-function.ts';
import { startLocalEmu } from '../support/servers/localemu.ts';
import { startMiniStack } from '../support/servers/ministack.ts';

const { signal } = new AbortController();

describe('the table of AWS’s half', () => {
  const leaves = (schema: Schema<unknown>, at: string): readonly string[] =>
    Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
      const path = at === '' ? name : `${at}.${name}`;
      return child.properties === undefined ? [path] : leaves(child, path);
    });
  const every = leaves({ node: {}, facts: {}, properties: awsFields }, '').filter((path) => path !== 'tags');
  const covers = (row: string, path: string): boolean => path === row || path.startsWith(`${row}.`);

  it('has a row for every field of the CRD', () => {
    expect(every.length).toBeGreaterThan(30);
    expect(every.filter((path) => !fields.some((field) => covers(field.path, path)))).toEqual([]);
  });

  it('has no row of something that is no field', () => {
    expect(fields.map(({ path }) => path).filter((row) => !every.some((path) => covers(row, path)))).toEqual(
      [],
    );
  });

  it('says in its page which fields are driven against an endpoint of ours alone', () => {
    const page = readFileSync(new URL('../../docs/reference/managed-mode.md', import.meta.url), 'utf8');
    const [, section = ''] = page.split('## Fields that no emulator knows');
    const [list = ''] = section.split('\n## ');
    const listed = [...list.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, path = '']) => path);
    const emulated = new Set(fieldRows.filter(({ server }) => server !== 'endpoint').map(({ path }) => path));
    const alone = fieldRows.map(({ path }) => path).filter((path) => !emulated.has(path));
    expect(new Set(listed)).toEqual(new Set(alone));
  });

  it('is driven whole: set, changed and cleared', () => {
    const driven = new Set(fieldRows.map(({ path }) => path));
    expect(fields.map(({ path }) => path).filter((path) => !driven.has(path))).toEqual([]);
  });
});

/** A server with a function `consumer`; `fresh` gives a source that no other row uses. */
interface World extends AsyncDisposable {
  readonly api: MappingApi;
  fresh(source: FieldRow['source']): Promise<Partial<EventSourceMappingSpec>>;
  /** Lets changing states pass where nothing else does. */
  settle(): void;
  /** What creates and updates asked for; empty where it is not seen. */
  requests(): readonly object[];
}

const worlds: Readonly<Record<FieldServer, { skip: boolean; start: () => Promise<World> }>> = {
  LocalEmu: { skip: isAbsent('localemu'), start: localEmuWorld },
  MiniStack: { skip: isAbsent('ministack'), start: miniStackWorld },
  endpoint: { skip: false, start: endpointWorld },
};

describe.each(Object.keys(worlds) as FieldServer[])('on %s', (name) => {
  const { skip, start } = worlds[name];
  let world: World;
  beforeAll(async () => {
    if (!skip) world = await start();
  }, 120_000);
  afterAll(() => world?.[Symbol.asyncDispose]());

  const backend = new AwsBackend({
    clusterID: 'test',
    recheckMs: 1000,
    api: () => ({ ...world.api, [Symbol.dispose]: () => undefined }),
  });
  const shownBy = async (row: FieldRow, mapping: EventSourceMapping): Promise<unknown> => {
    const found = await world.api.get(mapping.status?.mapping?.uuid ?? '', signal);
    return found === undefined ? 'gone' : row.member(found);
  };
  /** Waits until the server is done, then gives what it still differs in. */
  const differences = (mapping: EventSourceMapping): Promise<readonly Difference[]> =>
    eventually(
      async () => {
        world.settle();
        const observation = await backend.observe(subjectOf(mapping), signal);
        if (observation.kind === 'current') return [];
        return observation.kind === 'drifted' ? observation.differences : undefined;
      },
      { timeoutMs: 30_000, intervalMs: 100 },
    );
  const updated = async (mapping: EventSourceMapping): Promise<void> => {
    const found = await differences(mapping);
    if (found.length > 0) await backend.update(subjectOf(mapping), found, signal);
    expect(await differences(mapping)).toEqual([]);
  };

  it
    .skipIf(skip)
    .each(fieldRows.filter(({ server }) => server === name).map((row) => [rowName(row), row] as const))(
    '%s',
    // States take their seconds there.
    { concurrent: name === 'LocalEmu' },
    async (_, row) => {
      const base = { ...sourceSpecs[row.source], ...(await world.fresh(row.source)), ...row.base };
      const metadataName = `m-${randomUUID().slice(0, 8)}`;
      const mapping = (more: Partial<EventSourceMappingSpec>, facts?: Facts): EventSourceMapping => ({
        ...aMapping({ metadata: { name: metadataName }, status: statusOf(facts) }),
        spec: { mode: 'Managed', functionName: 'consumer', ...base, ...more },
      });
      const [set, change, ...clear] = row.shown;

      const facts = await backend.create(subjectOf(mapping(row.set)), signal);
      expect(await differences(mapping(row.set, facts))).toEqual(
        // MiniStack has one default batch size for all sources.
        name === 'MiniStack' && row.path !== 'batchSize'
          ? [expect.objectContaining({ path: 'batchSize' })]
          : [],
      );
      await updated(mapping(row.set, facts));
      expect(await shownBy(row, mapping(row.set, facts))).toEqual(set);

      const edited = mapping(row.change, facts);
      if (row.createOnly === true) {
        const found = await differences(edited);
        expect(found).toContainEqual(expect.objectContaining({ path: row.path, createOnly: true }));
        return;
      }
      await updated(edited);
      expect(await shownBy(row, edited)).toEqual(change);

      if (clear.length === 0) return;
      await updated(mapping({}, facts));
      expect(await shownBy(row, mapping({}, facts))).toEqual(clear[0]);
      if (row.clears !== undefined) expect(world.requests().at(-1)).toEqual(row.clears);
    },
  );
});

function statusOf(facts: Facts | undefined): EventSourceMapping['status'] {
  return { observedGeneration: 1, ...(facts?.mapping === undefined ? {} : { mapping: facts.mapping }) };
}

function lambdaClient(server: Pick<AwsServer, 'endpoint'>): LambdaClient {
  return new LambdaClient({
    endpoint: server.endpoint,
    region: testAccount.region,
    credentials: { ...testAccount.credentials },
  });
}

async function localEmuWorld(): Promise<World> {
  const server = await startLocalEmu();
  const lambda = await lambdaWithConsumer(server);
  const sqs = sqsClient(server);
  return {
    api: mappingApi(lambda, () => Promise.resolve()),
    fresh: async () => {
      const name = `q-${randomUUID().slice(0, 8)}`;
      await sqs.send(new CreateQueueCommand({ QueueName: name }));
      return { eventSourceARN: queueArn(name) };
    },
    settle: () => undefined,
    requests: () => [],
    [Symbol.asyncDispose]: async () => {
      lambda.destroy();
      sqs.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function miniStackWorld(): Promise<World> {
  const server = await startMiniStack();
  const lambda = await lambdaWithConsumer(server);
  return {
    api: mappingApi(lambda, () => Promise.resolve()),
    fresh: async (source) => {
      const name = `s-${randomUUID().slice(0, 8)}`;
      if (source === 'kinesis') {
        await call(server, 'kinesis', 'Kinesis_20131202.CreateStream', { StreamName: name, ShardCount: 1 });
        return { eventSourceARN: `arn:aws:kinesis:${server.region}:${server.accountId}:stream/${name}` };
      }
      const made = await call(server, 'dynamodb', 'DynamoDB_20120810.CreateTable', {
        TableName: name,
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
        BillingMode: 'PAY_PER_REQUEST',
        StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
      });
      const { TableDescription: table } = made as { TableDescription: { LatestStreamArn: string } };
      return { eventSourceARN: table.LatestStreamArn };
    },
    settle: () => undefined,
    requests: () => [],
    [Symbol.asyncDispose]: async () => {
      lambda.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function endpointWorld(): Promise<World> {
  const endpoint = await startMappingEndpoint();
  const lambda = lambdaClient(endpoint);
  let made = 0;
  return {
    api: mappingApi(lambda, () => Promise.resolve()),
    // One function for each mapping, so that sources may be the same.
    fresh: () => Promise.resolve({ functionName: `consumer-${++made}` }),
    settle: () => endpoint.api.settle(),
    requests: () => endpoint.requests.map(({ body }) => body),
    [Symbol.asyncDispose]: async () => {
      lambda.destroy();
      await endpoint[Symbol.asyncDispose]();
    },
  };
}

/** A call of a JSON service, which needs no client of its own. */
async function call(server: AwsServer, service: string, target: string, body: object): Promise<unknown> {
  const credential = `test/20260101/${server.region}/${service}/aws4_request`;
  const response = await fetch(server.endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': target,
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=x`,
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
  return response.json();
}
