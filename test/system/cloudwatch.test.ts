/** What CloudWatch counts for a live mapping, on /metrics of a real controller: MiniStack's CloudWatch over the wire. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsClients } from '../../src/aws/clients.ts';
import { installationIdentity } from '../../src/aws/credentials.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import { conditionOf } from '../support/kube.ts';
import { startMappingEndpoint, type MappingEndpoint } from '../support/mapping-endpoint.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { queueArn, testAccount, type AwsServer } from '../support/servers/aws-server.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';

const skip = isAbsent('ministack');
const resource = 'eventsourcemappings.sluice.dev';
const minuteMs = 60_000;
const flags = ['--leader-elect', 'false'];
let aws: AwsServer;
let lambda: MappingEndpoint;
let fleet: TestFleet;

beforeAll(async () => {
  if (skip) return;
  aws = await startMiniStack();
  lambda = await startMappingEndpoint();
  fleet = await testFleet(sharedControlPlane(), aws, { env: { AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint } });
});

afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await lambda?.[Symbol.asyncDispose]();
  await aws?.[Symbol.asyncDispose]();
});

/** Each of the minutes to come gets the value, so that the first that a new controller counts is among them. */
async function putMetric(name: string, uuid: string, value: number): Promise<void> {
  await using clients = new AwsClients({
    version: 'test',
    clock: systemClock,
    region: testAccount.region,
    endpoints: { all: aws.endpoint },
    credentials: async () => testAccount.credentials,
  });
  const nextMs = Math.ceil(Date.now() / minuteMs) * minuteMs;
  const body = JSON.stringify({
    Namespace: 'AWS/Lambda',
    MetricData: [0, 1, 2, 3].map((minute) => ({
      MetricName: name,
      Dimensions: [{ Name: 'EventSourceMappingUUID', Value: uuid }],
      Timestamp: (nextMs + minute * minuteMs) / 1000,
      Value: value,
    })),
  });
  const { client } = clients.signedCloudWatch({ identity: installationIdentity });
  await client.send(client.prepare('PutMetricData', body), 10_000, new AbortController().signal);
}

describe('a controller with --cloudwatch-metrics', () => {
  it.skipIf(skip)('shows what CloudWatch counts for a mapping, until the mapping is gone', async () => {
    const first = fleet.startController(flags);
    await fleet.namespace.apply({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name: 'orders', namespace: fleet.namespace.name },
      spec: {
        mode: 'Managed',
        className: fleet.className,
        eventSourceARN: queueArn('orders'),
        functionName: 'consumer',
        metricsConfig: { metrics: ['EventCount'] },
      },
    });
    const uuid = await eventually(
      async () => {
        lambda.api.settle();
        const mapping = await fleet.namespace.get({ resource, name: 'orders' });
        if (mapping === undefined || conditionOf(mapping, 'Ready')?.status !== 'True')
          throw new Error(JSON.stringify(mapping));
        return (mapping.status as { readonly mapping?: { readonly uuid?: string } }).mapping?.uuid;
      },
      { timeoutMs: 30_000 },
    );
    expect(await first.metric('sluice_cloudwatch_metrics_requested_total')).toBe(0);
    await first.process.stop();

    await putMetric('PolledEventCount', uuid, 7);
    const second = fleet.startController([...flags, '--cloudwatch-metrics', 'true']);
    const labels = {
      namespace: fleet.namespace.name,
      mapping: 'orders',
      source_type: 'sqs',
      origin: 'cloudwatch',
    };
    const polled = await eventually(() => second.metric('sluice_polled_events_total', labels), {
      timeoutMs: 30_000,
    });
    expect(polled).toBeGreaterThan(0);
    expect(polled % 7).toBe(0);
    expect(await second.metric('sluice_deleted_events_total', labels)).toBe(0);
    // It has four metrics, and a round may have passed meanwhile.
    const requested = (await second.metric('sluice_cloudwatch_metrics_requested_total')) ?? 0;
    expect(requested % 4).toBe(0);
    expect(await second.metric('sluice_aws_requests_total', { operation: 'GetMetricData', code: 'OK' })).toBe(
      requested / 4,
    );

    const mapping = fleet.namespace.delete({ resource, name: 'orders' });
    await eventually(
      async () => {
        lambda.api.settle();
        return (await second.metric('sluice_polled_events_total', labels)) === undefined;
      },
      { timeoutMs: 30_000 },
    );
    await mapping;
  });
});
