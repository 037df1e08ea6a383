import { describe, expect, it } from 'vitest';
import type { EventSourceMapping } from '../../../src/api/mapping.ts';
import { AwsBackend } from '../../../src/backends/aws/backend.ts';
import type { Configuration, CreateInput, Tags, UpdateInput } from '../../../src/backends/aws/client.ts';
import { policiesOf } from '../../../src/iam/policies.ts';
import { documentOf, type PolicyDocument } from '../../../src/iam/policy.ts';
import { allows, type AccessRequest } from '../../support/iam-policy.ts';
import { aMapping, subjectOf } from '../../support/mappings.ts';
import { MemoryMappingApi } from '../../support/memory-mapping-api.ts';
import { testAccount } from '../../support/servers/aws-server.ts';

/** The policy is put in front of Lambda's API, so that what the backend really calls is what it must allow. */
const { region, accountId } = testAccount;
const lambdaArn = (rest: string): string => `arn:aws:lambda:${region}:${accountId}:${rest}`;

class GuardedApi extends MemoryMappingApi {
  readonly #policy: PolicyDocument;
  readonly used = new Set<string>();

  constructor(policy: PolicyDocument) {
    super();
    this.#policy = policy;
  }

  #check(request: AccessRequest): void {
    if (!allows(this.#policy, request)) throw new Error(`denied: ${request.action} on ${request.resource}`);
    this.used.add(request.action);
  }

  #onMapping(action: string, arn: string): void {
    const tags =
      this.all.find(({ configuration }) => configuration.EventSourceMappingArn === arn)?.tags ?? {};
    const context = Object.fromEntries(
      Object.entries(tags).map(([key, value]) => [`aws:ResourceTag/${key}`, value]),
    );
    this.#check({ action: `lambda:${action}`, resource: arn, context });
  }

  override async get(uuid: string): Promise<Configuration | undefined> {
    this.#onMapping('GetEventSourceMapping', lambdaArn(`event-source-mapping:${uuid}`));
    return super.get(uuid);
  }

  override async list(source: string): Promise<readonly Configuration[]> {
    this.#check({ action: 'lambda:ListEventSourceMappings', resource: '*' });
    return super.list(source);
  }

  override async create(input: CreateInput): Promise<Configuration> {
    const tags = Object.entries(input.Tags ?? {}).map(
      ([key, value]) => [`aws:RequestTag/${key}`, value] as const,
    );
    const context = {
      ...Object.fromEntries(tags),
      'lambda:FunctionArn': lambdaArn(`function:${input.FunctionName ?? ''}`),
    };
    this.#check({ action: 'lambda:CreateEventSourceMapping', resource: '*', context });
    // Tags on create are a call of their own to IAM.
    this.#check({ action: 'lambda:TagResource', resource: lambdaArn('event-source-mapping:new') });
    return super.create(input);
  }

  override async update(uuid: string, input: UpdateInput): Promise<Configuration> {
    this.#onMapping('UpdateEventSourceMapping', lambdaArn(`event-source-mapping:${uuid}`));
    return super.update(uuid, input);
  }

  override async delete(uuid: string): Promise<Configuration | undefined> {
    this.#onMapping('DeleteEventSourceMapping', lambdaArn(`event-source-mapping:${uuid}`));
    return super.delete(uuid);
  }

  override async tags(arn: string): Promise<Tags> {
    this.#onMapping('ListTags', arn);
    return super.tags(arn);
  }

  override async tag(arn: string, tags: Tags): Promise<void> {
    this.#onMapping('TagResource', arn);
    return super.tag(arn, tags);
  }

  override async untag(arn: string, keys: readonly string[]): Promise<void> {
    this.#onMapping('UntagResource', arn);
    return super.untag(arn, keys);
  }
}

const { signal } = new AbortController();

/** Lambda's API behind the policy for these mappings, and backends of clusters that call it. */
function guarded(mappings: readonly EventSourceMapping[], clusterID = 'prod') {
  const { policies } = policiesOf(mappings, { place: { region, accountID: accountId }, clusterID });
  const policy = policies.find(({ owner }) => owner.kind === 'controller');
  if (policy === undefined) throw new Error('no policy for the controller');
  const document = documentOf(policy);
  const api = new GuardedApi(document);
  const backend = new AwsBackend({
    clusterID,
    recheckMs: 1000,
    api: () => Object.assign(api, { [Symbol.dispose]: () => undefined }),
  });
  return { api, backend, document };
}

async function observed(backend: AwsBackend, mapping: EventSourceMapping) {
  const observation = await backend.observe(subjectOf(mapping), signal);
  if (observation.kind !== 'drifted') throw new Error(JSON.stringify(observation));
  return observation.differences;
}

const actionsOf = (document: PolicyDocument): readonly string[] =>
  document.Statement.flatMap((statement) => ('Action' in statement ? [statement.Action].flat() : [])).map(
    String,
  );

describe('the policy of the controller', () => {
  it('allows a mapping’s whole life, and nothing that this does not take', async () => {
    const mapping = aMapping({ spec: { tags: { team: 'a' } } });
    const { api, backend, document } = guarded([mapping]);
    await backend.create(subjectOf(mapping), signal);
    api.settle();
    expect(await backend.observe(subjectOf(mapping), signal)).toMatchObject({ kind: 'current' });
    const edited = aMapping({ spec: { batchSize: 3, tags: { team: 'b' } } });
    await backend.update(subjectOf(edited), await observed(backend, edited), signal);
    api.settle();
    const uuid = api.all[0]?.configuration.UUID ?? '';
    const known = aMapping({ status: { observedGeneration: 1, mapping: { uuid } } });
    await backend.release(subjectOf(known), () => 'Retain', signal);
    // Without its tags it is nobody's: adopted, its first change tags it.
    const adopting = aMapping({ spec: { adoptionPolicy: 'IfExists', batchSize: 4 } });
    await backend.update(subjectOf(adopting), await observed(backend, adopting), signal);
    api.settle();
    await backend.release(subjectOf(known), () => 'Delete', signal);
    api.settle();
    expect(api.all).toEqual([]);
    expect([...api.used].toSorted()).toEqual([...actionsOf(document)].toSorted());
  });

  it.each<{ why: string; request: AccessRequest }>([
    {
      why: 'a change of another cluster’s mapping',
      request: {
        action: 'lambda:UpdateEventSourceMapping',
        resource: lambdaArn('event-source-mapping:u'),
        context: { 'aws:ResourceTag/sluice.dev/cluster': 'test' },
      },
    },
    {
      why: 'a delete of what has no tags',
      request: { action: 'lambda:DeleteEventSourceMapping', resource: lambdaArn('event-source-mapping:u') },
    },
    {
      why: 'tags on another cluster’s mapping',
      request: {
        action: 'lambda:TagResource',
        resource: lambdaArn('event-source-mapping:u'),
        context: { 'aws:ResourceTag/sluice.dev/cluster': 'test' },
      },
    },
    {
      why: 'tags on a function',
      request: { action: 'lambda:TagResource', resource: lambdaArn('function:consumer') },
    },
    {
      why: 'a mapping to another function',
      request: {
        action: 'lambda:CreateEventSourceMapping',
        resource: '*',
        context: {
          'aws:RequestTag/sluice.dev/cluster': 'prod',
          'lambda:FunctionArn': lambdaArn('function:payroll'),
        },
      },
    },
    {
      why: 'a mapping without the cluster’s tag',
      request: {
        action: 'lambda:CreateEventSourceMapping',
        resource: '*',
        context: { 'lambda:FunctionArn': lambdaArn('function:consumer') },
      },
    },
  ])('does not allow $why', ({ request }) => {
    expect(allows(guarded([aMapping()]).document, request)).toBe(false);
  });

  it('only reads for mappings that are observed', () => {
    const { document } = guarded([aMapping({ spec: { managementPolicy: 'Observe' } })]);
    expect(actionsOf(document)).toEqual([
      'lambda:ListEventSourceMappings',
      'lambda:GetEventSourceMapping',
      'lambda:ListTags',
    ]);
  });

  it('may use the key of encrypted filters', () => {
    const kmsKeyARN = `arn:aws:kms:${region}:${accountId}:key/k`;
    const { document } = guarded([aMapping({ spec: { kmsKeyARN } })]);
    for (const action of ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey'])
      expect(allows(document, { action, resource: kmsKeyARN })).toBe(true);
  });
});
