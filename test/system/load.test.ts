import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConsumerLedger, unsteady } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet } from '../support/fleet.ts';
import { startHttpSink } from '../support/http-sink.ts';
import { createQueue } from '../support/queues.ts';
import type { AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';

let aws: AwsServer;
beforeAll(async () => {
  aws = await startFauxqs();
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
});

it('loses nothing of 2 × 10,000 messages under errors, throttles and a restart of the target, and keeps FIFO order', async () => {
  await using fleet = await testFleet(sharedControlPlane(), aws);
  const standard = new ConsumerLedger();
  const fifo = new ConsumerLedger();
  await using standardSink = await startHttpSink({ answer: unsteady(standard, 1) });
  await using fifoSink = await startHttpSink({ answer: unsteady(fifo, 2) });
  const queue = await createQueue(aws, { visibilitySeconds: 2 });
  const groups = await createQueue(aws, { fifo: true, visibilitySeconds: 2 });
  await fleet.serve('standard', standardSink);
  await fleet.serve('fifo', fifoSink);
  await fleet.start(['a', 'b']);
  await fleet.namespace.apply([
    fleet.mapping('standard', queue, 'standard', { batchSize: 100, maximumBatchingWindowInSeconds: 1 }),
    fleet.mapping('fifo', groups, 'fifo'),
  ]);
  const numbers = Array.from({ length: 10_000 }, (_, index) => String(index));
  const [standardIds, fifoIds] = await Promise.all([
    queue.send(numbers),
    groups.send(numbers, { group: (index) => `g-${index % 100}` }),
  ]);
  await Promise.all([standardSink.stop(), fifoSink.stop()]);
  await Promise.all([standardSink.restart(), fifoSink.restart()]);
  const empty = async (): Promise<boolean> => (await queue.isEmpty()) && (await groups.isEmpty());
  await eventually(empty, { timeoutMs: 200_000, intervalMs: 500, what: 'two empty queues' });
  expect(standardIds.filter((id) => !standard.successes.has(id))).toEqual([]);
  expect(fifoIds.filter((id) => !fifo.successes.has(id))).toEqual([]);
  expect(fifo.orderOf.size).toBe(100);
  for (const order of fifo.orderOf.values())
    expect(order).toEqual(order.toSorted((left, right) => left - right));
});
