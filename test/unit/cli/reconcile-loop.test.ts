import { expect, it } from 'vitest';
import { AwsBackend } from '../../../src/backends/aws/backend.ts';
import { ClusterBackend } from '../../../src/backends/cluster/backend.ts';
import { classBook } from '../../../src/cli/class-book.ts';
import { ReconcileLoop } from '../../../src/cli/reconcile-loop.ts';
import { DeletionHold } from '../../../src/controller/deletion-hold.ts';
import { FleetIndex } from '../../../src/fleet/fleet-view.ts';
import { aClass, aMapping, aPollerMapping } from '../../support/mappings.ts';
import { MemoryMappingApi } from '../../support/memory-mapping-api.ts';
import { MemoryStore } from '../../support/reconciler.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** An API server that does not answer. */
class SilentStore extends MemoryStore {
  override writeStatus(_mapping: unknown, _status: unknown, signal?: AbortSignal): Promise<void> {
    return new Promise((_, reject) => {
      signal?.addEventListener('abort', () => reject(new Error('aborted')));
    });
  }
}

it('ends at once when it is told to, whatever still waits in the queue', async () => {
  const clock = new VirtualClock();
  const store = new SilentStore();
  const keys = ['one', 'two', 'three'].map((name) => {
    store.put(aPollerMapping({ metadata: { name, uid: name } }));
    return `shop/${name}`;
  });
  const loop = new ReconcileLoop({
    deps: {
      store,
      classes: classBook({
        classes: () => [aClass()],
        namespaceLabels: () => ({}),
        mappings: () => store.list(),
      }),
      backends: {
        Managed: new AwsBackend({ clusterID: 'test', recheckMs: 1, api: () => new MemoryMappingApi() }),
        Poller: new ClusterBackend(new FleetIndex(() => undefined), clock),
      },
      clock,
      emit: () => undefined,
      problemsOf: () => [],
      deletions: new DeletionHold({ clock, percent: 100, over: 0, mappings: () => [] }),
    },
    random: () => 0,
    workers: 1,
    observe: () => undefined,
    onError: () => undefined,
  });
  for (const key of keys) loop.queue.add(key);
  const stop = new AbortController();
  const running = loop.run(stop.signal);
  await clock.settle();
  expect(loop.queue.snapshot().depth).toBe(2);
  stop.abort();
  await clock.runUntil(running);
  // A key that comes now is for the next leader.
  loop.queue.add('shop/four');
  expect(loop.queue.snapshot().depth).toBe(2);
});

it.each([
  { mappings: 1, looks: 10, why: 'one that changes is looked at every second' },
  {
    mappings: 200,
    looks: 1100,
    why: 'many together are looked at 100 times a second, their first looks aside',
  },
])('$why', async ({ mappings, looks }) => {
  const clock = new VirtualClock();
  const store = new MemoryStore();
  const api = new MemoryMappingApi();
  let gets = 0;
  api.before = (call) => {
    if (call === 'get') gets++;
  };
  const loop = new ReconcileLoop({
    deps: {
      store,
      classes: classBook({
        classes: () => [aClass()],
        namespaceLabels: () => ({}),
        mappings: () => store.list(),
      }),
      backends: {
        Managed: new AwsBackend({ clusterID: 'test', recheckMs: 300_000, api: () => api }),
        Poller: new ClusterBackend(new FleetIndex(() => undefined), clock),
      },
      clock,
      emit: () => undefined,
      problemsOf: () => [],
      deletions: new DeletionHold({ clock, percent: 100, over: 0, mappings: () => [] }),
    },
    random: () => 0,
    workers: 4,
    observe: () => undefined,
    onError: () => undefined,
  });
  for (let index = 0; index < mappings; index++) {
    const name = `m${index}`;
    const eventSourceARN = `arn:aws:sqs:eu-central-1:000000000000:${name}`;
    store.put(aMapping({ metadata: { name, uid: name }, spec: { eventSourceARN } }));
    loop.queue.add(`shop/${name}`);
  }
  const stop = new AbortController();
  const running = loop.run(stop.signal);
  // Nothing settles: each stays Creating.
  await clock.advance(10_500);
  stop.abort();
  await clock.runUntil(running);
  expect(gets).toBeGreaterThanOrEqual(0.7 * looks);
  expect(gets).toBeLessThanOrEqual(1.3 * looks);
});
