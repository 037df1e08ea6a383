/**
 * Processes that die by kill -9 in the middle of their work, on a standard and a FIFO queue at once: nothing is lost,
 * the order of each group is kept, and what comes again is at most what SQS counted as in flight when they died.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { seededRandom } from '../../src/lib/random.ts';
import { ConsumerLedger, recordsOf } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet } from '../support/fleet.ts';
import { startHttpSink, type HttpSink } from '../support/http-sink.ts';
import { createQueue, type TestQueue } from '../support/queues.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import { startRun, type Sluice } from '../support/sluice.ts';

let aws: AwsServer;
beforeAll(async () => {
  aws = await startFauxqs();
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
});

/** Two queues, a producer that remembers what it sent, and a consumer that remembers what it processed. */
class Flow implements AsyncDisposable {
  readonly queues: { readonly standard: TestQueue; readonly fifo: TestQueue };
  readonly sink: HttpSink;
  readonly ledger: ConsumerLedger;
  readonly #ids: string[] = [];
  #sent = 0;
  #inFlight = 0;

  constructor(queues: Flow['queues'], sink: HttpSink, ledger: ConsumerLedger) {
    this.queues = queues;
    this.sink = sink;
    this.ledger = ledger;
  }

  async send(count: number): Promise<void> {
    const bodies = Array.from({ length: count }, () => String(this.#sent++));
    this.#ids.push(...(await this.queues.standard.send(bodies)));
    this.#ids.push(...(await this.queues.fifo.send(bodies, { group: (index) => `g-${index % 6}` })));
  }

  /** Somewhere in the middle of the work, counted in calls rather than in time. */
  async calls(count: number): Promise<void> {
    const before = this.sink.requests.length;
    await eventually(async () => this.sink.requests.length >= before + count || (await this.#isEmpty()), {
      timeoutMs: 60_000,
      intervalMs: 5,
      what: `${count} more calls`,
    });
  }

  /** A process that read these queues has died: what is in flight now may come again. */
  async died(queues: readonly TestQueue[]): Promise<void> {
    for (const queue of queues) this.#inFlight += (await queue.counts()).inFlight;
  }

  /** Waits for the end and compares what was sent with what was processed. */
  async settle() {
    const options = { timeoutMs: 60_000, intervalMs: 200, what: 'two empty queues' };
    await eventually(() => this.#isEmpty(), options);
    const groups = [...this.ledger.orderOf];
    return {
      lost: this.#ids.filter((id) => !this.ledger.successes.has(id)),
      duplicatesTooMany: Math.max(0, this.ledger.duplicates - this.#inFlight),
      groups: groups.length,
      disordered: groups.filter(([, order]) => order.some((body, at) => body < (order[at - 1] ?? -1))),
    };
  }

  async #isEmpty(): Promise<boolean> {
    return (await this.queues.standard.isEmpty()) && (await this.queues.fifo.isEmpty());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sink[Symbol.asyncDispose]();
  }
}

async function startFlow(): Promise<Flow> {
  const ledger = new ConsumerLedger();
  const sink = await startHttpSink({
    answer: (request) => {
      for (const record of recordsOf(request)) ledger.processed(record);
      return { kind: 'reply', delayMs: 20 };
    },
  });
  const queues = {
    standard: await createQueue(aws, { visibilitySeconds: 3 }),
    fifo: await createQueue(aws, { visibilitySeconds: 3, fifo: true }),
  };
  return new Flow(queues, sink, ledger);
}

const allWell = { lost: [], duplicatesTooMany: 0, groups: 6, disordered: [] };

it('10 times kill -9 of sluice run lose nothing, and repeat at most what was in flight', async () => {
  await using flow = await startFlow();
  const { standard, fifo } = flow.queues;
  const manifest = [standard, fifo]
    .map((queue) =>
      stringify({
        apiVersion: 'sluice.dev/v1alpha1',
        kind: 'EventSourceMapping',
        metadata: { name: queue === fifo ? 'fifo' : 'standard' },
        spec: {
          mode: 'Poller',
          eventSourceARN: queue.arn,
          batchSize: 5,
          poller: { target: { http: { url: `${flow.sink.url}/` } } },
        },
      }),
    )
    .join('---\n');
  const random = seededRandom(1);
  for (let kill = 0; kill < 10; kill++) {
    await using run = startRun(manifest, { env: awsEnvironment(aws) });
    await flow.send(24);
    await flow.calls(Math.floor(random() * 12));
    await run.sluice.process.kill();
    await flow.died([standard, fifo]);
  }
  await using _ = startRun(manifest, { env: awsEnvironment(aws) });
  expect(await flow.settle()).toEqual(allWell);
});

it('20 times kill -9 of one of two pollers on a real API server lose nothing, and repeat at most what was in flight', async () => {
  await using flow = await startFlow();
  await using fleet = await testFleet(sharedControlPlane(), aws);
  await fleet.serve('consumer', flow.sink);
  await fleet.start(['a', 'b']);
  for (const name of ['standard', 'fifo'] as const)
    await fleet.namespace.apply(fleet.mapping(name, flow.queues[name], 'consumer', { batchSize: 5 }));
  for (const name of ['standard', 'fifo'])
    await fleet.namespace.waitForCondition(
      { resource: 'eventsourcemappings.sluice.dev', name },
      { type: 'Ready', reason: 'Serving' },
    );
  const members = new Map<string, Sluice>(fleet.pollers.map((poller, index) => ['ab'.charAt(index), poller]));
  const opened = (poller: Sluice | undefined): readonly TestQueue[] =>
    (['standard', 'fifo'] as const)
      .filter((name) =>
        poller?.lines.some(
          ({ message, mapping }) =>
            message === 'Opened the source' && mapping === `${fleet.namespace.name}/${name}`,
        ),
      )
      .map((name) => flow.queues[name]);
  const random = seededRandom(2);
  let hits = 0;
  for (let kill = 0; kill < 20; kill++) {
    await flow.send(12);
    await flow.calls(1 + Math.floor(random() * 6));
    const member = random() < 0.5 ? 'a' : 'b';
    const victim = members.get(member);
    await victim?.process.kill();
    const queues = opened(victim);
    if (queues.length > 0) hits++;
    await flow.died(queues);
    // As a pod whose container starts again: under its name, whose Lease it still has.
    members.set(member, fleet.startPoller(member));
  }
  expect(await flow.settle()).toEqual(allWell);
  // Some meet a member that has nothing to do, or is just starting; most must not.
  expect(hits).toBeGreaterThanOrEqual(5);
});
