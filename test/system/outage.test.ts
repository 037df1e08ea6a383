import { afterAll, beforeAll, expect, it } from 'vitest';
import { bodiesOf } from '../support/consumer.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet } from '../support/fleet.ts';
import { startHttpSink } from '../support/http-sink.ts';
import { createQueue } from '../support/queues.ts';
import type { AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { applyCrds } from '../support/shared-control-plane.ts';

let aws: AwsServer;
beforeAll(async () => {
  aws = await startFauxqs();
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
});

it('goes on delivering while the API server is away for a minute, and follows edits again afterwards', async () => {
  await using controlPlane = await startControlPlane();
  await applyCrds(controlPlane);
  await using fleet = await testFleet(controlPlane, aws);
  await using sink = await startHttpSink();
  const queue = await createQueue(aws);
  const orders = { resource: 'eventsourcemappings.sluice.dev', name: 'orders' };
  await fleet.serve('orders', sink);
  await fleet.start(['a', 'b']);
  await fleet.namespace.apply(fleet.mapping('orders', queue, 'orders'));
  await fleet.namespace.waitForCondition(orders, { type: 'Ready' });
  await controlPlane.stopApiServer('kill');
  const endMs = performance.now() + 60_000;
  for (let round = 0; performance.now() < endMs; round++) {
    await queue.send([`away-${round}`]);
    await eventually(() => bodiesOf(sink).includes(`away-${round}`), { timeoutMs: 10_000 });
    // One message now and then: what counts is that the last one arrives as the first did.
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
  for (const poller of fleet.pollers) expect(poller.process.end).toBeUndefined();
  await controlPlane.startApiServer();
  // The controller gave its leadership up, as client-go does, and is started again by its Deployment.
  if (fleet.controller?.process.end !== undefined) fleet.startController();
  await fleet.namespace.apply(fleet.mapping('orders', queue, 'orders', { batchSize: 3 }));
  const ready = await fleet.namespace.waitForCondition(orders, { type: 'Ready' }, 60_000);
  expect(ready.status).toMatchObject({ effective: { values: { batchSize: 3 } } });
});
