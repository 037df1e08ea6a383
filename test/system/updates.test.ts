/**
 * docs/how-to/update-without-downtime.md, section by section as it stands there, while numbered messages flow: nothing
 * is lost, and nothing comes twice but what the page says. MiniStack polls the queues and streams of live mappings and
 * runs the functions; what a cluster polls is on ElasticMQ.
 */
import fs from 'node:fs';
import path from 'node:path';
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { startAwsFaultProxy, type AwsFaultProxy } from '../support/aws-fault-proxy.ts';
import { awsCli } from '../support/aws-cli.ts';
import { ConsumerLedger, recordsOf } from '../support/consumer.ts';
import { runPage } from '../support/doc-page.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import { startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { aMapping } from '../support/mappings.ts';
import { blocksOf, readPage } from '../support/markdown.ts';
import { createQueue, sqsClient, TestQueue } from '../support/queues.ts';
import { TestReconciler } from '../support/reconciler.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { awsEnvironment, queueArn, testAccount, type AwsServer } from '../support/servers/aws-server.ts';
import { startElasticMq } from '../support/servers/elasticmq.ts';
import { createStream, kinesisArn, putRecords } from '../support/servers/kinesis.ts';
import { lambdaZip } from '../support/servers/lambda-zip.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import { tempFolder, type TempFolder } from '../support/temp-folder.ts';

const page = 'docs/how-to/update-without-downtime.md';
const resource = 'eventsourcemappings.sluice.dev';

type Send = (bodies: readonly string[]) => Promise<unknown>;

/** Numbered messages, some every few milliseconds until it is told to stop. */
class Producer {
  /** Where the next ones go. */
  to: Send;
  readonly #each: number;
  #sent = 0;
  #going = true;
  readonly #done: Promise<void>;

  constructor(to: Send, each: number) {
    this.to = to;
    this.#each = each;
    this.#done = this.#run();
  }

  /** Stops, and gives how many were sent: 0 and up. */
  async stop(): Promise<number> {
    this.#going = false;
    await this.#done;
    return this.#sent;
  }

  async #run(): Promise<void> {
    while (this.#going) {
      const bodies = Array.from({ length: this.#each }, (_, index) =>
        JSON.stringify({ n: this.#sent + index, kind: 'order' }),
      );
      await this.to(bodies);
      this.#sent += bodies.length;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  }
}

/** What became of the numbers below `sent`. */
function tally(sent: number, delivered: readonly number[]) {
  const counts = Map.groupBy(delivered, (n) => n);
  return {
    lost: Array.from({ length: sent }, (_, n) => n).filter((n) => !counts.has(n)),
    twice: [...counts].filter(([, times]) => times.length > 1).map(([n]) => n),
  };
}
const allWell = { lost: [], twice: [] };

describe.skipIf(isAbsent('ministack'))('while messages flow', () => {
  const stack = new AsyncDisposableStack();
  let aws: AwsServer;
  let seen: AwsFaultProxy;
  let lambda: LambdaClient;
  let sink: HttpSink;
  let elasticMq: AwsServer | undefined;
  let fleet: TestFleet;
  let cli: TempFolder;
  let kubeconfig: string;
  const producers: Producer[] = [];
  const produce = (to: Send, each = 2): Producer => {
    const producer = new Producer(to, each);
    producers.push(producer);
    return producer;
  };

  beforeAll(async () => {
    [aws, sink, elasticMq] = await Promise.all([
      startMiniStack(),
      startHttpSink({ answer: { kind: 'reply', delayMs: 30 } }),
      isAbsent('elasticmq') ? undefined : startElasticMq(),
    ]);
    stack.use(aws);
    stack.use(sink);
    if (elasticMq !== undefined) stack.use(elasticMq);
    seen = stack.use(await startAwsFaultProxy(aws.endpoint));
    const { endpoint, region, credentials } = aws;
    lambda = new LambdaClient({ endpoint, region, credentials: { ...credentials } });
    stack.defer(() => lambda.destroy());
    cli = stack.use(awsCli());
    fleet = stack.use(await cluster());
    fleet.startController();
    fleet.startPoller('a');
    // For readers, whose namespace is the one that their kubectl is set to.
    const access = parse(fs.readFileSync(fleet.controlPlane.kubeconfig, 'utf8')) as {
      contexts: { context: { namespace?: string } }[];
    };
    for (const { context } of access.contexts) context.namespace = fleet.namespace.name;
    kubeconfig = stack.use(tempFolder()).write('kubeconfig', stringify(access));
    await Promise.all(fleet.processes.map((process) => process.logged('Started', {}, 30_000)));
    // Those of tests that failed.
    stack.defer(async () => void (await Promise.allSettled(producers.map((producer) => producer.stop()))));
  }, 120_000);
  afterAll(() => stack.disposeAsync());

  /** A cluster as the page has it: its class completes ARNs. */
  async function cluster(clusterID = 'test'): Promise<TestFleet> {
    const made = await testFleet(
      sharedControlPlane(),
      { ...aws, endpoint: seen.endpoint },
      {
        clusterID,
        ...(elasticMq === undefined ? {} : { env: { AWS_ENDPOINT_URL_SQS: elasticMq.endpoint } }),
      },
    );
    await made.namespace.apply({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'MappingClass',
      metadata: { name: made.className },
      spec: {
        namespaces: [made.namespace.name],
        pool: made.className,
        aws: { region: testAccount.region, accountID: testAccount.accountId },
      },
    });
    return made;
  }

  const newQueue = async (name: string, fifo = false, visibilitySeconds = 30): Promise<TestQueue> => {
    const sqs = sqsClient(aws);
    stack.defer(() => sqs.destroy());
    const full = `${name}${fifo ? '.fifo' : ''}`;
    const { QueueUrl = '' } = await sqs.send(
      new CreateQueueCommand({
        QueueName: full,
        Attributes: { VisibilityTimeout: String(visibilitySeconds), ...(fifo ? { FifoQueue: 'true' } : {}) },
      }),
    );
    return new TestQueue(sqs, full, queueArn(full), QueueUrl);
  };

  /** Code that tells the sink the numbers which it was given, under its own path. */
  const codeOf = (where: string): Buffer =>
    lambdaZip(`export const handler = async ({ Records }) => {
      const bodies = Records.map(({ body, kinesis }) => body ?? Buffer.from(kinesis.data, 'base64').toString());
      const numbers = bodies.map((body) => JSON.parse(body).n);
      const answer = await fetch('${sink.url}${where}', { method: 'POST', body: JSON.stringify(numbers) });
      if (!answer.ok) throw new Error('not told');
      return {};
    };`);
  const publish = async (name: string, alias: string): Promise<void> => {
    const { Version } = await lambda.send(new PublishVersionCommand({ FunctionName: name }));
    await lambda.send(new CreateAliasCommand({ FunctionName: name, Name: alias, FunctionVersion: Version }));
  };
  const newFunction = async (name: string, where: string, alias = 'live'): Promise<void> => {
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: name,
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: `arn:aws:iam::${testAccount.accountId}:role/lambda`,
        Code: { ZipFile: codeOf(where) },
        Timeout: 10,
      }),
    );
    // Each invocation at a time is a process of Node, whose start is what takes the time here.
    await lambda.send(
      new PutFunctionConcurrencyCommand({ FunctionName: name, ReservedConcurrentExecutions: 2 }),
    );
    await publish(name, alias);
  };

  /** Names of the page with one of the test's own behind them, since all tests share an account and a namespace. */
  const own =
    (name: string, className = fleet.className) =>
    (text: string): string =>
      text
        .replaceAll(/\b(orders|clicks)\b/g, `$1-${name}`)
        .replaceAll(/^spec:$/gm, `spec:\n  className: ${className}`);
  const follow = (name: string, section: string, files: Readonly<Record<string, Uint8Array>> = {}) =>
    runPage(page, {
      env: {
        ...awsEnvironment(aws),
        KUBECONFIG: kubeconfig,
        KUBECACHEDIR: path.join(fleet.controlPlane.info.dir, 'kubectl-cache'),
        PATH: [cli.path, fleet.controlPlane.info.bin, process.env['PATH']].join(path.delimiter),
      },
      section,
      files,
      translate: own(name),
    });
  /** The mapping that the sections of the page change. */
  const before = blocksOf(readPage(page)).find(({ language }) => language === 'yaml')?.text ?? '';

  const deliveries = (where: string): readonly number[] =>
    sink.requests
      .filter(({ path: at }) => at.startsWith(where))
      .flatMap((request) => request.json() as number[]);
  const flows = async (where: string, more = 8): Promise<void> => {
    const from = deliveries(where).length;
    await eventually(() => deliveries(where).length >= from + more, {
      timeoutMs: 40_000,
      what: `${more} more deliveries under ${where}`,
    });
  };
  const ready = async (name: string, from = fleet): Promise<string> => {
    const object = await from.namespace.waitForCondition({ resource, name }, { type: 'Ready' });
    const { uuid = '' } = (object.status?.['mapping'] ?? {}) as { readonly uuid?: string };
    return uuid;
  };
  /** Ends a flow, and counts when the queues are empty. */
  const count = async (name: string, producer: Producer, queues: readonly TestQueue[]) => {
    const sent = await producer.stop();
    for (const queue of queues)
      await eventually(() => queue.isEmpty(), { timeoutMs: 40_000, what: `an empty queue ${queue.name}` });
    expect(sent).toBeGreaterThan(10);
    return tally(sent, deliveries(`/${name}/`));
  };

  /** The queue and function of a test, and the page's mapping of both, with messages that flow. */
  const begin = async (name: string, change = (manifest: string): string => manifest, each = 2) => {
    // What MiniStack kills comes back after that.
    const queue = await newQueue(`orders-${name}`, false, name === 'latest' ? 15 : 30);
    await newFunction(`orders-${name}`, `/${name}/1`);
    await fleet.namespace.apply(change(own(name)(before)));
    const uuid = await ready(`orders-${name}`);
    const producer = produce((bodies) => queue.send(bodies), each);
    await flows(`/${name}/1`);
    return { queue, uuid, producer };
  };
  const callsAbout = (uuid: string) =>
    seen.calls.filter(({ path: at, operation }) => at.includes(uuid) && !/^(Get|List)/.test(operation));

  it.concurrent('an alias moves to new code, and the mapping is not written', async () => {
    const { queue, uuid, producer } = await begin('alias');
    const written = callsAbout(uuid).length;
    await follow('alias', 'Move an alias to new code', { 'orders-alias.zip': codeOf('/alias/2') });
    await flows('/alias/2');
    expect(await count('alias', producer, [queue])).toEqual(allWell);
    expect(callsAbout(uuid)).toHaveLength(written);
  });

  it.concurrent('$LATEST is changed in place, and only what was running may come twice', async () => {
    const { queue, producer } = await begin('latest', (manifest) => manifest.replace(':live', ''));
    const name = 'orders-latest';
    await lambda.send(new UpdateFunctionCodeCommand({ FunctionName: name, ZipFile: codeOf('/latest/2') }));
    await flows('/latest/2');
    const { lost, twice } = await count('latest', producer, [queue]);
    expect(lost).toEqual([]);
    // MiniStack kills the functions that are running, at most two with ten messages each; AWS lets them end.
    expect(twice.length).toBeLessThanOrEqual(20);
  });

  it.concurrent('functionName is edited in place, and the mapping keeps its UUID', async () => {
    const { queue, uuid, producer } = await begin('function');
    await newFunction('orders-function-next', '/function/2');
    await follow('function', 'Send the messages to another function');
    await flows('/function/2');
    expect(await ready('orders-function')).toBe(uuid);
    expect(await count('function', producer, [queue])).toEqual(allWell);
  });

  it.concurrent('batches, filters and concurrency are changed by one call', async () => {
    const { queue, uuid, producer } = await begin('batches', undefined, 6);
    await follow('batches', 'Change batches, filters and concurrency');
    const calls = callsAbout(uuid).filter(({ operation }) => operation === 'UpdateEventSourceMapping');
    expect(calls.map(({ body }) => Object.keys(JSON.parse(body) as object).toSorted())).toEqual([
      ['BatchSize', 'FilterCriteria', 'ScalingConfig'],
    ]);
    // Batches that were in flight are over.
    await flows('/batches/1', 20);
    const from = sink.requests.length;
    await flows('/batches/1', 20);
    const sizes = sink.requests
      .slice(from)
      .filter(({ path: at }) => at === '/batches/1')
      .map((request) => (request.json() as number[]).length);
    expect(Math.max(...sizes)).toBe(2);
    expect(await count('batches', producer, [queue])).toEqual(allWell);
  });

  it.concurrent('two mappings read the old queue and the new one', async () => {
    const { queue, producer } = await begin('queues');
    const second = await newQueue('orders-queues-2');
    await follow('queues', 'Read both queues');
    producer.to = (bodies) => second.send(bodies);
    await flows('/queues/1');
    await eventually(() => queue.isEmpty(), { timeoutMs: 30_000 });
    expect(await follow('queues', 'Let the old queue go')).toBe(1);
    await flows('/queues/1');
    expect(await count('queues', producer, [queue, second])).toEqual(allWell);
    const { EventSourceMappings } = await lambda.send(
      new ListEventSourceMappingsCommand({ EventSourceArn: queue.arn }),
    );
    expect(EventSourceMappings).toEqual([]);
  });

  it.concurrent('a FIFO queue is left for another one in order', async () => {
    const group = { group: (): string => 'one' };
    const [first, second] = [await newQueue('orders-fifo', true), await newQueue('orders-fifo-2', true)];
    await newFunction('orders-fifo', '/fifo/1');
    const manifest = (name: string, queue: TestQueue, enabled: boolean): string =>
      own('fifo')(before)
        .replace('name: orders-fifo', `name: ${name}`)
        .replace(/eventSourceARN: .*/, `eventSourceARN: ${queue.arn}\n  enabled: ${enabled}`);
    await fleet.namespace.apply(manifest('orders-fifo', first, true));
    await ready('orders-fifo');
    const producer = produce((bodies) => first.send(bodies, group));
    await flows('/fifo/1');
    await fleet.namespace.apply(manifest('orders-fifo-2', second, false));
    await ready('orders-fifo-2');
    producer.to = (bodies) => second.send(bodies, group);
    await eventually(async () => (await first.isEmpty()) && (await second.counts()).visible > 0, {
      timeoutMs: 30_000,
    });
    await fleet.namespace.delete({ resource, name: 'orders-fifo' });
    await fleet.namespace.waitForAbsence({ resource, name: 'orders-fifo' });
    await fleet.namespace.apply(manifest('orders-fifo-2', second, true));
    await flows('/fifo/1');
    expect(await count('fifo', producer, [first, second])).toEqual(allWell);
    const order = deliveries('/fifo/');
    expect(order).toEqual(order.toSorted((left, right) => left - right));
  });

  it.concurrent('Recreate moves to another queue, and what was left in the old one is still there', async () => {
    const { queue, uuid, producer } = await begin('recreate');
    const second = await newQueue('orders-recreate-2');
    await follow('recreate', 'Move to another queue with one object');
    expect(await ready('orders-recreate')).not.toBe(uuid);
    producer.to = (bodies) => second.send(bodies);
    await flows('/recreate/1');
    await eventually(async () => (await queue.counts()).inFlight === 0, { timeoutMs: 30_000 });
    const sent = await producer.stop();
    await eventually(() => second.isEmpty(), { timeoutMs: 30_000 });
    const left: number[] = [];
    for (let taken = await queue.take(); taken.length > 0; taken = await queue.take())
      left.push(...taken.map(({ body }) => (JSON.parse(body) as { n: number }).n));
    expect(tally(sent, [...deliveries('/recreate/'), ...left])).toEqual(allWell);
  });

  it.concurrent('a stream is read anew under another alias, and only the overlap comes twice', async () => {
    await createStream(aws, 'clicks-stream');
    await newFunction('clicks-stream', '/stream/blue', 'blue');
    await lambda.send(
      new UpdateFunctionCodeCommand({ FunctionName: 'clicks-stream', ZipFile: codeOf('/stream/green') }),
    );
    await publish('clicks-stream', 'green');
    await fleet.namespace.apply({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name: 'clicks-stream-blue' },
      spec: {
        mode: 'Managed',
        className: fleet.className,
        eventSourceARN: kinesisArn('clicks-stream'),
        functionName: 'clicks-stream:blue',
        startingPosition: 'LATEST',
        batchSize: 100,
      },
    });
    await ready('clicks-stream-blue');
    const producer = produce((bodies) => putRecords(aws, 'clicks-stream', bodies));
    await flows('/stream/blue');
    await follow('stream', 'Read a stream anew');
    await flows('/stream/green', 20);
    const sent = await producer.stop();
    await eventually(() => tally(sent, deliveries('/stream/green')).lost.length === 0, {
      timeoutMs: 30_000,
      what: 'every record under the second alias',
    });
    for (const alias of ['blue', 'green']) expect(tally(0, deliveries(`/stream/${alias}`)).twice).toEqual([]);
    expect(tally(sent, deliveries('/stream/')).twice).toEqual(
      expect.arrayContaining([...new Set(deliveries('/stream/blue'))]),
    );
  });

  it.concurrent('another cluster takes a mapping over', async () => {
    const { queue, uuid, producer } = await begin('cluster');
    const name = 'orders-cluster';
    await using green = await cluster('green');
    green.startController();
    await green.namespace.apply(
      own('cluster', green.className)(before).replace('spec:', 'spec:\n  adoptionPolicy: IfExists'),
    );
    await green.namespace.waitForCondition({ resource, name }, { type: 'Stalled', reason: 'ForeignOwner' });
    await fleet.namespace.apply(own('cluster')(before).replace('spec:', 'spec:\n  deletionPolicy: Retain'));
    await ready(name);
    await fleet.namespace.delete({ resource, name });
    await fleet.namespace.waitForAbsence({ resource, name });
    await green.namespace.apply(
      own(
        'cluster',
        green.className,
      )(before)
        .replace('spec:', 'spec:\n  adoptionPolicy: IfExists')
        .replace('metadata:', 'metadata:\n  annotations: { sluice.dev/requestedAt: now }'),
    );
    expect(await ready(name, green)).toBe(uuid);
    await flows('/cluster/1');
    expect(await count('cluster', producer, [queue])).toEqual(allWell);
  });

  it.concurrent('an HTTP consumer is rolled out twice, on a standard and a FIFO queue', async (context) => {
    if (elasticMq === undefined) return context.skip('ElasticMQ is not there');
    const ledger = new ConsumerLedger();
    const received: string[] = [];
    const startPod = (): Promise<HttpSink> =>
      startHttpSink({
        answer: (request) => {
          for (const record of recordsOf(request)) {
            received.push(record.attributes['ApproximateReceiveCount'] ?? '');
            const { n } = JSON.parse(record.body) as { n: number };
            ledger.processed({ ...record, body: String(n) });
          }
          return { kind: 'reply', delayMs: 30 };
        },
      });
    const [standard, fifo] = [await createQueue(elasticMq), await createQueue(elasticMq, { fifo: true })];
    const names = { consumer: 'rollout', standard: 'rollout-standard', fifo: 'rollout-fifo' };
    await fleet.namespace.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: names.consumer },
      spec: { selector: { app: names.consumer }, ports: [{ name: 'http', port: 80 }] },
    });
    /** One slice for each pod, since pods of a machine cannot share a port. */
    const endpoint = (pod: HttpSink, isLeaving = false): Promise<void> =>
      fleet.namespace.apply({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name: `${names.consumer}-${pod.port}`,
          labels: { 'kubernetes.io/service-name': names.consumer },
        },
        addressType: 'IPv4',
        endpoints: [
          {
            addresses: ['192.0.2.1'],
            conditions: { ready: !isLeaving, serving: true, terminating: isLeaving },
          },
        ],
        ports: [{ name: 'http', port: pod.port, protocol: 'TCP' }],
      });
    let pod = await startPod();
    await endpoint(pod);
    for (const [name, queue] of [
      [names.standard, standard],
      [names.fifo, fifo],
    ] as const)
      await fleet.namespace.apply(fleet.mapping(name, queue, names.consumer, { batchSize: 5 }));
    for (const name of [names.standard, names.fifo])
      await fleet.namespace.waitForCondition({ resource, name }, { type: 'Ready', reason: 'Serving' });
    const ids: string[] = [];
    let index = 0;
    const producer = produce(async (bodies) => {
      ids.push(...(await standard.send(bodies)));
      ids.push(...(await fifo.send(bodies, { group: () => `g-${index++ % 3}` })));
    });
    const reaches = (target: HttpSink, more: number): Promise<unknown> => {
      const from = target.requests.length;
      return eventually(() => target.requests.length >= from + more, { timeoutMs: 30_000 });
    };
    await reaches(pod, 5);
    for (let rollout = 0; rollout < 2; rollout++) {
      const next = await startPod();
      await endpoint(next);
      await reaches(next, 5);
      await endpoint(pod, true);
      // What preStop is for: nobody begins anything here any more, and what was begun is answered.
      await eventually(
        () => pod.inFlight === 0 && Date.now() - (pod.requests.at(-1)?.receivedAtMs ?? 0) > 800,
        { timeoutMs: 20_000, what: 'an idle pod that leaves' },
      );
      await pod.stop();
      await fleet.namespace.delete({
        resource: 'endpointslices.discovery.k8s.io',
        name: `${names.consumer}-${pod.port}`,
      });
      pod = next;
      await reaches(pod, 5);
    }
    await producer.stop();
    await eventually(async () => (await standard.isEmpty()) && (await fifo.isEmpty()), {
      timeoutMs: 30_000,
    });
    await pod.stop();
    expect(ids.length).toBeGreaterThan(40);
    expect(ids.filter((id) => !ledger.successes.has(id))).toEqual([]);
    expect(ledger.duplicates).toBe(0);
    expect(new Set(received)).toEqual(new Set(['1']));
    expect(ledger.orderOf.size).toBe(3);
    for (const order of ledger.orderOf.values())
      expect(order).toEqual(order.toSorted((left, right) => left - right));
  });
});

describe('Kafka, which no emulator polls', () => {
  it('keeps the consumer group of its own when its mapping is recreated for other topics', async () => {
    const spec = {
      eventSourceARN: `arn:aws:kafka:${testAccount.region}:${testAccount.accountId}:cluster/payments/0b0c1f7e-6f31-4d0e-9d63-6d7f6ed4a6c1-2`,
      functionName: 'payments:live',
      topics: ['payments'],
      startingPosition: 'TRIM_HORIZON' as const,
      amazonManagedKafkaEventSourceConfig: { consumerGroupID: 'payments' },
      replacementPolicy: 'Recreate' as const,
    };
    const world = new TestReconciler();
    world.store.put(aMapping({ spec }));
    await world.settle();
    world.store.edit('shop/orders', { topics: ['payments-v2'] });
    await world.settle();
    expect(world.api.writes).toEqual(['create', 'delete', 'create']);
    expect(world.api.all).toMatchObject([
      {
        configuration: {
          Topics: ['payments-v2'],
          AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'payments' },
          State: 'Enabled',
        },
      },
    ]);
  });
});
