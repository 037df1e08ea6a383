import { CreateFunctionCommand, LambdaClient, ListEventSourceMappingsCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import { startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import type { AwsServer } from '../support/servers/aws-server.ts';
import { lambdaZip } from '../support/servers/lambda-zip.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';

const orders = { resource: 'eventsourcemappings.sluice.dev', name: 'orders' };

/** A new leader within seconds of a killed one. */
const quickElection = [
  '--lease-duration-seconds=4',
  '--renew-deadline-seconds=3',
  '--retry-period-seconds=1',
];

/** Sends a message every few milliseconds until it is told to stop. */
class Producer {
  readonly ids: string[] = [];
  readonly #queue: TestQueue;
  #going = true;
  readonly #done: Promise<void>;

  constructor(queue: TestQueue) {
    this.#queue = queue;
    this.#done = this.#run();
  }

  async stop(): Promise<readonly string[]> {
    this.#going = false;
    await this.#done;
    return this.ids;
  }

  async #run(): Promise<void> {
    while (this.#going) {
      this.ids.push(...(await this.#queue.send(['a', 'b', 'c'])));
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  }
}

/** One function for both sides; it tells the sink what it was given. */
describe.skipIf(isAbsent('ministack'))('a mapping that changes hands under load', () => {
  let aws: AwsServer;
  let lambda: LambdaClient;
  let sink: HttpSink;
  beforeAll(async () => {
    aws = await startMiniStack();
    sink = await startHttpSink();
    lambda = new LambdaClient({
      endpoint: aws.endpoint,
      region: aws.region,
      credentials: { ...aws.credentials },
    });
    const code = `export const handler = async (event) => {
      const ids = event.Records.map(({ messageId }) => messageId);
      const answer = await fetch('http://127.0.0.1:${sink.port}/', { method: 'POST', body: JSON.stringify(ids) });
      if (!answer.ok) throw new Error('not told');
    };`;
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'orders',
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: `arn:aws:iam::${aws.accountId}:role/lambda`,
        Code: { ZipFile: lambdaZip(code) },
        Timeout: 10,
      }),
    );
  });
  afterAll(async () => {
    lambda?.destroy();
    await sink?.[Symbol.asyncDispose]();
    await aws?.[Symbol.asyncDispose]();
  });

  const atAws = async (queue: TestQueue): Promise<readonly (string | undefined)[]> =>
    (
      (await lambda.send(new ListEventSourceMappingsCommand({ EventSourceArn: queue.arn })))
        .EventSourceMappings ?? []
    ).map(({ State }) => State);

  const apply = async (fleet: TestFleet, queue: TestQueue, mode: 'Managed' | 'Poller'): Promise<void> => {
    await fleet.namespace.apply(
      fleet.mapping('orders', queue, 'unused', {
        mode,
        handoverTo: mode,
        functionName: 'orders',
        poller: {},
        batchSize: 5,
      }),
    );
  };

  const delivered = (): readonly string[] =>
    sink.requests.flatMap(({ body }) => JSON.parse(body) as string[]);
  const flows = async (): Promise<void> => {
    const before = delivered().length;
    await eventually(() => delivered().length > before + 10, { timeoutMs: 30_000, what: 'deliveries' });
  };

  it('delivers every message, and is read by one side at a time', async () => {
    await using fleet = await testFleet(sharedControlPlane(), aws);
    const queue = await createQueue(aws, { visibilitySeconds: 60 });
    fleet.startController(quickElection);
    fleet.startPoller('a');
    await Promise.all(fleet.processes.map((process) => process.logged('Started', {}, 30_000)));
    await apply(fleet, queue, 'Managed');
    await fleet.namespace.waitForCondition(orders, { type: 'Ready', reason: 'Serving' });
    expect(await atAws(queue)).toEqual(['Enabled']);
    const producer = new Producer(queue);
    await flows();

    await apply(fleet, queue, 'Poller');
    const polled = await fleet.namespace.waitForCondition(orders, { type: 'Ready', reason: 'Serving' });
    expect(polled.status).toMatchObject({ state: 'Running', poller: { members: [{ name: 'a' }] } });
    expect(polled.metadata.finalizers).toBeUndefined();
    expect(await atAws(queue)).toEqual([]);
    await flows();

    await apply(fleet, queue, 'Managed');
    // A controller that is killed within the hand-over leaves it to the next one.
    await fleet.namespace.waitForCondition(orders, { type: 'HandingOver', reason: 'HandoverInProgress' });
    await fleet.controller?.process.kill();
    expect(await atAws(queue)).toEqual([]);
    fleet.startController(quickElection);
    const managed = await fleet.namespace.waitForCondition(
      orders,
      { type: 'Ready', reason: 'Serving' },
      60_000,
    );
    expect(managed.status).toMatchObject({ state: 'Enabled' });
    expect(await atAws(queue)).toEqual(['Enabled']);
    await flows();

    const sent = await producer.stop();
    await eventually(() => queue.isEmpty(), { timeoutMs: 60_000, what: 'an empty queue' });
    expect(delivered().toSorted()).toEqual(sent.toSorted());
  });
});
