import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { seededRandom } from '../../src/lib/random.ts';
import { ConsumerLedger, recordsOf } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { startHttpSink } from '../support/http-sink.ts';
import { createQueue } from '../support/queues.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { startRun } from '../support/sluice.ts';

let aws: AwsServer;
beforeAll(async () => {
  aws = await startFauxqs();
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
});

it.each([
  { kind: 'standard', fifo: false, seed: 1 },
  { kind: 'FIFO', fifo: true, seed: 2 },
])(
  '20 times kill -9 at random points of a $kind queue lose nothing, and repeat at most what was in flight',
  async ({ fifo, seed }) => {
    const ledger = new ConsumerLedger();
    await using sink = await startHttpSink({
      answer: (request) => {
        for (const record of recordsOf(request)) ledger.processed(record);
        return { kind: 'reply', delayMs: 20 };
      },
    });
    const queue = await createQueue(aws, { visibilitySeconds: 2, fifo });
    const manifest = stringify({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name: 'orders' },
      spec: {
        mode: 'Poller',
        eventSourceARN: queue.arn,
        batchSize: 5,
        poller: { target: { http: { url: `${sink.url}/` } } },
      },
    });
    const random = seededRandom(seed);
    const ids: string[] = [];
    let inFlight = 0;
    let sent = 0;
    for (let kill = 0; kill < 20; kill++) {
      await using run = startRun(manifest, { env: awsEnvironment(aws), args: ['--log-level', 'info'] });
      const bodies = Array.from({ length: 30 }, () => String(sent++));
      ids.push(...(await queue.send(bodies, fifo ? { group: (index) => `g-${index % 6}` } : {})));
      const before = sink.requests.length;
      // Somewhere in the middle of the work, counted in calls rather than in time.
      const calls = Math.floor(random() * 6);
      await run.sluice.logged('Opened the source');
      await eventually(async () => sink.requests.length >= before + calls || (await queue.isEmpty()), {
        timeoutMs: 30_000,
        intervalMs: 5,
      });
      await run.sluice.process.kill();
      inFlight += (await queue.counts()).inFlight;
    }
    await using _ = startRun(manifest, { env: awsEnvironment(aws) });
    await eventually(() => queue.isEmpty(), { timeoutMs: 60_000, intervalMs: 200, what: 'an empty queue' });
    expect(ids.filter((id) => !ledger.successes.has(id))).toEqual([]);
    expect(ledger.duplicates).toBeLessThanOrEqual(inFlight);
    for (const order of ledger.orderOf.values())
      expect(order).toEqual(order.toSorted((left, right) => left - right));
  },
);
