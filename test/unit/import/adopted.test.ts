import { describe, expect, it } from 'vitest';
import { effective } from '../../../src/api/effective.ts';
import { AwsBackend } from '../../../src/backends/aws/backend.ts';
import type { CreateInput } from '../../../src/backends/aws/client.ts';
import { readCloudFormation } from '../../../src/import/cloudformation.ts';
import { readKubernetes } from '../../../src/import/kubernetes.ts';
import { makeManifests } from '../../../src/import/manifests.ts';
import type { Reading, Settings } from '../../../src/import/model.ts';
import { readTerraform } from '../../../src/import/terraform.ts';
import { MemoryMappingApi } from '../../support/memory-mapping-api.ts';
import { queueArn, testAccount } from '../../support/servers/aws-server.ts';

/** What the other tool made of its file, and what the manifest of that file makes of it: nothing. */
const made: CreateInput = {
  EventSourceArn: queueArn('orders'),
  FunctionName: 'consumer',
  BatchSize: 5,
  FunctionResponseTypes: ['ReportBatchItemFailures'],
  ScalingConfig: { MaximumConcurrency: 4 },
  FilterCriteria: { Filters: [{ Pattern: '{"body":{"kind":["order"]}}' }] },
  Tags: { team: 'web' },
};
const pattern = '{"body": {"kind": ["order"]}}';
const none: Settings = new Map();
const sam = `Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}
  Consumer:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: consumer
      Events:
        Orders:
          Type: SQS
          Properties:
            Queue: !GetAtt Queue.Arn
            BatchSize: 5
            Enabled: true
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 4}
            FilterCriteria: {Filters: [{Pattern: '${pattern}'}]}
`;
const cfn = `Resources:
  Orders:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !Sub 'arn:\${AWS::Partition}:sqs:\${AWS::Region}:\${AWS::AccountId}:orders'
      FunctionName: consumer
      BatchSize: 5
      FunctionResponseTypes: [ReportBatchItemFailures]
      ScalingConfig: {MaximumConcurrency: 4}
      FilterCriteria: {Filters: [{Pattern: '${pattern}'}]}
      Tags: [{Key: team, Value: web}]
`;
const terraform = `resource "aws_lambda_event_source_mapping" "orders" {
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
resource "aws_sqs_queue" "orders" { name = "orders" }
`;
const ack = `apiVersion: lambda.services.k8s.aws/v1alpha1
kind: EventSourceMapping
metadata: {name: orders}
spec:
  eventSourceARN: ${queueArn('orders')}
  functionName: consumer
  batchSize: 5
  functionResponseTypes: [ReportBatchItemFailures]
  scalingConfig: {maximumConcurrency: 4}
  filterCriteria: {filters: [{pattern: '${pattern}'}]}
  tags: {team: web}
`;
const crossplane = `apiVersion: lambda.aws.upbound.io/v1beta1
kind: EventSourceMapping
metadata: {name: orders}
spec:
  forProvider:
    region: ${testAccount.region}
    eventSourceArn: ${queueArn('orders')}
    functionName: consumer
    batchSize: 5
    functionResponseTypes: [ReportBatchItemFailures]
    scalingConfig: [{maximumConcurrency: 4}]
    filterCriteria: [{filter: [{pattern: '${pattern}'}]}]
    tags: {team: web}
`;

describe('applying what was imported writes nothing to AWS', () => {
  it.each<{ tool: string; reading: Reading }>([
    { tool: 'SAM', reading: readCloudFormation(sam, none) },
    { tool: 'CloudFormation', reading: readCloudFormation(cfn, none) },
    { tool: 'Terraform', reading: readTerraform(terraform, none, [terraform]) },
    { tool: 'ACK', reading: readKubernetes(ack, none, [ack]) },
    { tool: 'Crossplane', reading: readKubernetes(crossplane, none, [crossplane]) },
  ])('from $tool', async ({ reading }) => {
    const api = new MemoryMappingApi();
    await api.create(made);
    api.settle();
    api.writes.length = 0;
    const { manifests, notes } = makeManifests(reading, { adoption: 'IfExists', namespace: 'shop' });
    expect(notes.filter(({ kind }) => kind !== 'info')).toEqual([]);
    const [mapping] = manifests.map(({ object }) => object);
    if (mapping === undefined) throw new Error('no manifest');
    const backend = new AwsBackend({
      clusterID: 'prod',
      recheckMs: 1000,
      api: () => Object.assign(api, { [Symbol.dispose]: () => undefined }),
    });
    const ambient = { region: testAccount.region, accountID: testAccount.accountId };
    const subject = {
      mapping,
      effective: effective(mapping.spec, { ambient }),
      pool: 'default',
      identity: { kind: 'Installation' as const },
    };
    const observation = await backend.observe(subject, new AbortController().signal);
    expect(observation).toMatchObject({ kind: 'current', facts: { mapping: { adopted: true } } });
    expect(api.writes).toEqual([]);
  });
});
