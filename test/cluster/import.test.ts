/**
 * `sluice import`, then `kubectl apply`, and no write to AWS: for what each tool keeps of a mapping that it has made.
 * CloudFormation makes its own here, SAM's by SAM's translator; those of Terraform, ACK and the console are made by the
 * calls that these tools send. All AWS calls of importers and controller go through a proxy that counts.
 */
import {
  CreateEventSourceMappingCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  type CreateEventSourceMappingCommandInput,
} from '@aws-sdk/client-lambda';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startAwsFaultProxy, type AwsFaultProxy } from '../support/aws-fault-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import type { KubeObject } from '../support/kube.ts';
import { sqsClient } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { awsEnvironment, queueArn, testAccount, type AwsServer } from '../support/servers/aws-server.ts';
import { lambdaWithConsumer } from '../support/servers/consumer-function.ts';
import { deployStack, translateSam, type Template } from '../support/servers/cloudformation.ts';
import { kinesisArn, createStream } from '../support/servers/kinesis.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import { sluice } from '../support/sluice.ts';
import { tempFolder } from '../support/temp-folder.ts';

const resource = 'eventsourcemappings.sluice.dev';
const role = `arn:aws:iam::${testAccount.accountId}:role/consumer`;
const pattern = '{"body": {"kind": ["order"]}}';

/** What all examples say of their two mappings, so that a difference would be a fault of the importer. */
const resources = (tool: string): Record<string, unknown> => ({
  Orders: { Type: 'AWS::SQS::Queue', Properties: { QueueName: `${tool}-orders` } },
  Clicks: { Type: 'AWS::Kinesis::Stream', Properties: { Name: `${tool}-clicks`, ShardCount: 1 } },
});
const code = 'exports.handler = async () => ({});';

const cloudFormation: Template = {
  Resources: {
    ...resources('cfn'),
    Consumer: {
      Type: 'AWS::Lambda::Function',
      Properties: {
        FunctionName: 'cfn-consumer',
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: role,
        Code: { ZipFile: code },
      },
    },
    OrdersMapping: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: {
        EventSourceArn: { 'Fn::GetAtt': ['Orders', 'Arn'] },
        FunctionName: { Ref: 'Consumer' },
        BatchSize: 5,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        ScalingConfig: { MaximumConcurrency: 4 },
        FilterCriteria: { Filters: [{ Pattern: pattern }] },
      },
    },
    ClicksMapping: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: {
        EventSourceArn: { 'Fn::GetAtt': ['Clicks', 'Arn'] },
        FunctionName: { 'Fn::GetAtt': ['Consumer', 'Arn'] },
        StartingPosition: 'TRIM_HORIZON',
        BatchSize: 100,
        BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: 3,
        DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['Orders', 'Arn'] } } },
      },
    },
  },
};

const sam: Template = {
  Transform: 'AWS::Serverless-2016-10-31',
  Resources: {
    ...resources('sam'),
    Consumer: {
      Type: 'AWS::Serverless::Function',
      Properties: {
        FunctionName: 'sam-consumer',
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: role,
        InlineCode: code,
        AutoPublishAlias: 'live',
        Events: {
          Orders: {
            Type: 'SQS',
            Properties: {
              Queue: { 'Fn::GetAtt': ['Orders', 'Arn'] },
              BatchSize: 5,
              FunctionResponseTypes: ['ReportBatchItemFailures'],
              ScalingConfig: { MaximumConcurrency: 4 },
              FilterCriteria: { Filters: [{ Pattern: pattern }] },
            },
          },
          Clicks: {
            Type: 'Kinesis',
            Properties: {
              Stream: { 'Fn::GetAtt': ['Clicks', 'Arn'] },
              StartingPosition: 'TRIM_HORIZON',
              BatchSize: 100,
              MaximumRetryAttempts: 3,
            },
          },
        },
      },
    },
  },
};

const main = `
resource "aws_sqs_queue" "orders" { name = "terraform-orders" }

resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn        = aws_sqs_queue.orders.arn
  function_name           = "consumer"
  batch_size              = 5
  function_response_types = ["ReportBatchItemFailures"]
  scaling_config { maximum_concurrency = 4 }
  filter_criteria {
    filter { pattern = jsonencode({ body = { kind = ["order"] } }) }
  }
  tags = { team = "web" }
}
`;

/** As \`terraform show -json\` prints a state: zeros where AWS says nothing. */
const state = (uuid: string): string =>
  JSON.stringify({
    format_version: '1.0',
    terraform_version: '1.13.0',
    values: {
      root_module: {
        resources: [
          {
            address: 'aws_lambda_event_source_mapping.clicks',
            mode: 'managed',
            type: 'aws_lambda_event_source_mapping',
            name: 'clicks',
            values: {
              id: uuid,
              uuid,
              batch_size: 100,
              bisect_batch_on_function_error: false,
              destination_config: [{ on_failure: [] }],
              enabled: true,
              event_source_arn: kinesisArn('terraform-clicks'),
              filter_criteria: [],
              function_arn: `arn:aws:lambda:${testAccount.region}:${testAccount.accountId}:function:consumer`,
              function_name: 'consumer',
              function_response_types: [],
              kms_key_arn: '',
              maximum_batching_window_in_seconds: 0,
              maximum_record_age_in_seconds: -1,
              maximum_retry_attempts: -1,
              parallelization_factor: 1,
              queues: null,
              scaling_config: [],
              starting_position: 'LATEST',
              starting_position_timestamp: '',
              state: 'Enabled',
              state_transition_reason: 'USER_INITIATED',
              tags: {},
              tags_all: {},
              topics: null,
              tumbling_window_in_seconds: 0,
            },
          },
        ],
      },
    },
  });

const ack = (uuid: string): string => `
apiVersion: v1
kind: List
items:
  - apiVersion: lambda.services.k8s.aws/v1alpha1
    kind: EventSourceMapping
    metadata: { name: ack-orders, finalizers: [finalizers.lambda.services.k8s.aws/EventSourceMapping] }
    spec:
      eventSourceRef: { from: { name: ack-queue } }
      functionRef: { from: { name: ack-function } }
      batchSize: 5
      enabled: true
      functionResponseTypes: [ReportBatchItemFailures]
      scalingConfig: { maximumConcurrency: 4 }
      filterCriteria: { filters: [{ pattern: '${pattern}' }] }
      maximumBatchingWindowInSeconds: 0
    status:
      uuid: ${uuid}
      state: Enabled
      ackResourceMetadata: { ownerAccountID: '${testAccount.accountId}', region: ${testAccount.region} }
  - apiVersion: lambda.services.k8s.aws/v1alpha1
    kind: EventSourceMapping
    metadata: { name: ack-clicks, annotations: { services.k8s.aws/deletion-policy: retain } }
    spec:
      eventSourceARN: ${kinesisArn('ack-clicks')}
      functionName: consumer
      startingPosition: LATEST
      batchSize: 100
  - apiVersion: sqs.services.k8s.aws/v1alpha1
    kind: Queue
    metadata: { name: ack-queue }
    spec: { queueName: ack-orders }
  - apiVersion: lambda.services.k8s.aws/v1alpha1
    kind: Function
    metadata: { name: ack-function }
    spec: { name: consumer }
`;

/** What an importer is given: words of the command line, and files. */
interface Example {
  readonly args: readonly string[];
  readonly files: Readonly<Record<string, string>>;
}

describe.skipIf(isAbsent('ministack'))('import, then kubectl apply,', () => {
  const stack = new AsyncDisposableStack();
  let aws: AwsServer;
  let lambda: LambdaClient;
  let seen: AwsFaultProxy;
  let fleet: TestFleet;

  beforeAll(async () => {
    aws = stack.use(await startMiniStack());
    seen = stack.use(await startAwsFaultProxy(aws.endpoint));
    lambda = await lambdaWithConsumer(aws);
    stack.defer(() => lambda.destroy());
    using sqs = disposable(sqsClient(aws));
    for (const name of ['terraform-orders', 'ack-orders', 'live-orders'])
      await sqs.client.send(new CreateQueueCommand({ QueueName: name }));
    for (const name of ['terraform-clicks', 'ack-clicks', 'live-clicks']) await createStream(aws, name);
    fleet = stack.use(await testFleet(sharedControlPlane(), { ...aws, endpoint: seen.endpoint }));
    await fleet.namespace.apply({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'MappingClass',
      metadata: { name: fleet.className },
      spec: {
        namespaces: [fleet.namespace.name],
        aws: { region: testAccount.region, accountID: testAccount.accountId },
      },
    });
    fleet.startController(['--drift-interval-seconds=3', '--aws-requests-per-second=15']);
    await fleet.controller?.logged('Leading', {}, 30_000);
  }, 120_000);
  afterAll(() => stack.disposeAsync());
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(fleet.controller?.process.tail(40));
  });

  const make = async (members: CreateEventSourceMappingCommandInput): Promise<string> => {
    const { UUID: uuid = '' } = await lambda.send(new CreateEventSourceMappingCommand(members));
    return uuid;
  };
  const orders = (tool: string, more: object = {}): Promise<string> =>
    make({
      EventSourceArn: queueArn(`${tool}-orders`),
      FunctionName: 'consumer',
      BatchSize: 5,
      Enabled: true,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 4 },
      FilterCriteria: { Filters: [{ Pattern: '{"body":{"kind":["order"]}}' }] },
      ...more,
    });
  const clicks = (tool: string, more: object = {}): Promise<string> =>
    make({
      EventSourceArn: kinesisArn(`${tool}-clicks`),
      FunctionName: 'consumer',
      StartingPosition: 'LATEST',
      BatchSize: 100,
      ...more,
    });

  /** Everything that anybody wrote to AWS through the proxy. */
  const writes = (): readonly string[] =>
    seen.calls
      .map(({ operation, path }) => `${operation} ${path}`)
      .filter((call) => !/^(Get|List|Describe|GET )/.test(call));

  /** The UUIDs of the live mappings of a tool's queue and stream. */
  const live = async (tool: string): Promise<readonly string[]> => {
    const all = (await lambda.send(new ListEventSourceMappingsCommand({}))).EventSourceMappings ?? [];
    return all
      .filter(({ EventSourceArn = '' }) => EventSourceArn.includes(`${tool}-`))
      .map(({ UUID = '' }) => UUID)
      .toSorted();
  };

  const tools: Readonly<Record<string, () => Promise<Example>>> = {
    cfn: async () => {
      await deployStack(aws, 'cfn', cloudFormation);
      return { args: ['cfn'], files: { 'template.json': JSON.stringify(cloudFormation) } };
    },
    sam: async () => {
      await deployStack(aws, 'sam', await translateSam(aws, sam));
      return { args: ['sam'], files: { 'template.json': JSON.stringify(sam) } };
    },
    terraform: async () => {
      await orders('terraform', { Tags: { team: 'web' } });
      const files = { 'main.tf': main, 'state.json': state(await clicks('terraform')) };
      return { args: ['terraform'], files };
    },
    ack: async () => {
      const Tags = { 'services.k8s.aws/controller-version': 'lambda-v1.14.1' };
      await clicks('ack', { Tags });
      return { args: ['ack'], files: { 'mappings.yaml': ack(await orders('ack', { Tags })) } };
    },
    live: async () => {
      await orders('live', { Tags: { team: 'web' } });
      await clicks('live', { DestinationConfig: { OnFailure: { Destination: queueArn('live-orders') } } });
      return { args: ['aws'], files: {} };
    },
  };

  const imported = async ({ args, files }: Example): Promise<string> => {
    using folder = tempFolder();
    const given = Object.entries(files).flatMap(([name, text]) => ['-f', folder.write(name, text)]);
    const env = awsEnvironment({ ...aws, endpoint: seen.endpoint });
    const common = [...given, '--class', fleet.className];
    const one = async (...more: readonly string[]): Promise<string> => {
      const { code: exit, stdout, stderr } = await sluice(['import', ...args, ...common, ...more], { env });
      expect(stderr).not.toMatch(/refused|placeholder: /);
      expect([exit, exit === 0 ? '' : stderr]).toEqual([0, '']);
      return stdout;
    };
    if (args[0] !== 'aws') return await one();
    const sources = [queueArn('live-orders'), kinesisArn('live-clicks')];
    return (await Promise.all(sources.map((source) => one('--source', source)))).join('---\n');
  };

  const kubectl = async (...args: readonly string[]): Promise<string> => {
    const {
      code: exit,
      stdout,
      stderr,
    } = await fleet.controlPlane.kubectl(['-n', fleet.namespace.name, ...args]);
    expect([exit, stderr]).toEqual([0, '']);
    return stdout;
  };
  const objects = async (): Promise<readonly KubeObject[]> =>
    (JSON.parse(await kubectl('get', resource, '-o', 'json')) as { items: readonly KubeObject[] }).items;

  const names: readonly (readonly [string, string])[] = [
    ['of CloudFormation', 'cfn'],
    ['of SAM', 'sam'],
    ['of Terraform', 'terraform'],
    ['of ACK', 'ack'],
    ['that are live', 'live'],
  ];
  it.concurrent.for(names)('takes over mappings %s without a write to AWS', async ([, tool], context) => {
    if (tool === 'sam' && isAbsent('localemu'))
      return context.skip('the translator of SAM is a part of LocalEmu');
    const manifests = await imported((await tools[tool]?.()) ?? { args: [], files: {} });
    const uuids = await live(tool);
    expect(uuids).toHaveLength(2);
    const applied = await fleet.namespace.tryApply(manifests);
    expect([applied.code, applied.stderr]).toEqual([0, '']);
    const made = applied.stdout.trim().split('\n');
    expect(made).toHaveLength(2);
    const adopted = await Promise.all(
      made.map(async (line) => {
        const name = /[/](\S+) created$/.exec(line)?.[1] ?? line;
        const ready = await fleet.namespace.waitForCondition({ resource, name }, { type: 'Ready' });
        return ready.status?.['mapping'] as { readonly uuid: string; readonly adopted?: boolean };
      }),
    );
    expect(adopted.map(({ uuid }) => uuid).toSorted()).toEqual(uuids);
    expect(adopted.map((mapping) => mapping.adopted)).toEqual([true, true]);
  });

  it('has written nothing, and writes nothing with later looks, nor when the objects are deleted', async () => {
    const count = (await objects()).length;
    expect(count).toBeGreaterThanOrEqual(8);
    await kubectl('annotate', resource, '--all', 'sluice.dev/requestedAt=again');
    await eventually(
      async () => (await objects()).every(({ status }) => status?.['lastHandledReconcileAt'] === 'again'),
      { timeoutMs: 30_000, intervalMs: 250 },
    );
    expect(writes()).toEqual([]);

    const [kept] = await objects();
    const name = kept?.metadata.name ?? '';
    await kubectl('delete', resource, '--field-selector', `metadata.name!=${name}`);
    expect(await objects()).toHaveLength(1);
    const { EventSourceMappings = [] } = await lambda.send(new ListEventSourceMappingsCommand({}));
    expect(EventSourceMappings.map(({ State }) => State)).toEqual(
      Array.from({ length: count }, () => 'Enabled'),
    );
    expect(writes()).toEqual([]);

    // What was counted is what would have been seen.
    await kubectl('patch', `${resource}/${name}`, '--type=merge', '-p', '{"spec":{"batchSize":7}}');
    await fleet.namespace.waitForCondition({ resource, name }, { type: 'Ready' });
    expect(writes().map((call) => call.split(' ')[0])).toEqual(['TagResource', 'UpdateEventSourceMapping']);
  });
});

function disposable<T extends { destroy(): void }>(client: T): { readonly client: T } & Disposable {
  return { client, [Symbol.dispose]: () => client.destroy() };
}
