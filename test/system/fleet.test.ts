import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordsOf } from '../support/consumer.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet } from '../support/fleet.ts';
import { conditionOf } from '../support/kube.ts';
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

const orders = { resource: 'eventsourcemappings.sluice.dev', name: 'orders' };

describe('a fleet on a real API server', () => {
  it('delivers, follows an edit, reports it, and leaves nothing behind on deletion', async () => {
    await using fleet = await testFleet(sharedControlPlane(), aws);
    await using sink = await startHttpSink();
    const queue = await createQueue(aws);
    await fleet.serve('orders', sink);
    await fleet.start(['a', 'b']);
    await fleet.namespace.apply(fleet.mapping('orders', queue, 'orders', { batchSize: 1 }));
    const ready = await fleet.namespace.waitForCondition(orders, { type: 'Ready', reason: 'Serving' });
    expect(ready.status).toMatchObject({
      state: 'Running',
      effective: { values: { batchSize: 1 }, origins: { batchSize: 'spec' } },
    });
    await queue.send(['1', '2']);
    await eventually(() => sink.requests.length === 2);

    const filterCriteria = { filters: [{ pattern: '{"body":{"keep":[true]}}' }] };
    await fleet.namespace.apply(fleet.mapping('orders', queue, 'orders', { batchSize: 10, filterCriteria }));
    await fleet.namespace.waitForCondition(orders, { type: 'Ready' });
    await queue.send(['{"keep":true}', '{"keep":false}']);
    await eventually(() => queue.isEmpty());
    const later = sink.requests.slice(2).flatMap((request) => recordsOf(request));
    expect(later.map((record) => record.body)).toEqual(['{"keep":true}']);

    await fleet.namespace.delete(orders);
    await fleet.namespace.waitForAbsence(orders);
    // A long poll that was under way may still end by itself.
    await eventually(
      async () => {
        const values = await Promise.all(fleet.pollers.map((poller) => poller.metric('sluice_polls_total')));
        return values.every((value) => value === undefined);
      },
      { timeoutMs: 30_000, what: 'the end of the series of a deleted mapping' },
    );
    await queue.send(['after the end']);
    await eventually(async () => (await queue.counts()).visible === 1);
  });

  it('stops receiving while no endpoint is ready, and goes on when one is', async () => {
    await using fleet = await testFleet(sharedControlPlane(), aws);
    await using sink = await startHttpSink();
    const queue = await createQueue(aws);
    await fleet.serve('orders', sink, false);
    await fleet.start(['a']);
    await queue.send(['1', '2', '3']);
    await fleet.namespace.apply(fleet.mapping('orders', queue, 'orders'));
    await fleet.namespace.waitForCondition(orders, {
      type: 'TargetHealthy',
      status: 'False',
      reason: 'NoReadyEndpoint',
    });
    expect(sink.requests).toHaveLength(0);
    await fleet.serve('orders', sink, true);
    await eventually(() => queue.isEmpty(), { timeoutMs: 20_000 });
    const records = sink.requests.flatMap((request) => recordsOf(request));
    expect(records.map((record) => record.attributes['ApproximateReceiveCount'])).toEqual(['1', '1', '1']);
  });

  it('moves a mapping to another member when its own is killed', async () => {
    await using fleet = await testFleet(sharedControlPlane(), aws);
    await using sink = await startHttpSink();
    const queue = await createQueue(aws, { visibilitySeconds: 2 });
    await fleet.serve('orders', sink);
    await fleet.start(['a', 'b']);
    await fleet.namespace.apply(fleet.mapping('orders', queue, 'orders'));
    const ready = await fleet.namespace.waitForCondition(orders, { type: 'Ready' });
    const { members } = (ready.status?.['poller'] ?? {}) as { members: readonly { name: string }[] };
    const owner = fleet.pollers.find((poller) => poller.lines[0]?.['member'] === members[0]?.name);
    await owner?.process.kill();
    await queue.send(['after the crash']);
    await eventually(() => queue.isEmpty(), { timeoutMs: 40_000, what: 'delivery by the other member' });
    expect(sink.requests.flatMap((request) => recordsOf(request)).map((record) => record.body)).toEqual([
      'after the crash',
    ]);
  });

  it('warns in condition and Event when messages become visible before the target may be done', async () => {
    await using fleet = await testFleet(sharedControlPlane(), aws);
    await using sink = await startHttpSink();
    const queue = await createQueue(aws, { visibilitySeconds: 2 });
    await fleet.serve('orders', sink);
    await fleet.start(['a']);
    await fleet.namespace.apply([
      fleet.mapping('orders', queue, 'orders', {
        filterCriteria: { filters: [{ pattern: '{"body":["keep"]}' }] },
      }),
      fleet.mapping('copies', queue, 'orders'),
    ]);
    // The most telling of several warnings is the condition's reason; the message has them all.
    await eventually(async () => {
      const object = await fleet.namespace.get(orders);
      const message = object === undefined ? '' : (conditionOf(object, 'SourceHealthy')?.message ?? '');
      expect(message).toContain('visibility time-out');
      expect(message).toContain('another mapping reads this queue');
      return true;
    });
    await eventually(async () => {
      const list = ['-n', fleet.namespace.name, 'get', 'events.events.k8s.io', '-o', 'json'];
      const { items } = JSON.parse((await fleet.controlPlane.kubectl(list)).stdout) as {
        items: readonly { reason: string; regarding: { name: string } }[];
      };
      const reasons = items
        .filter(({ regarding }) => regarding.name === 'orders')
        .map(({ reason }) => reason);
      return reasons.some(
        (reason) => reason === 'VisibilityTimeoutTooShort' || reason === 'FilterDeletesOnSharedQueue',
      );
    });
  });
});
