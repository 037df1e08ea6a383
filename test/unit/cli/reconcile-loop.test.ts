import { expect, it } from 'vitest';
import { AwsBackend } from '../../../src/backends/aws/backend.ts';
import { ClusterBackend } from '../../../src/backends/cluster/backend.ts';
import { classBook } from '../../../src/cli/class-book.ts';
import { ReconcileLoop } from '../../../src/cli/reconcile-loop.ts';
import { DeletionHold } from '../../../src/controller/deletion-hold.ts';
import { FleetIndex } from '../../../src/fleet/fleet-view.ts';
import { aClass, aPollerMapping } from '../../support/mappings.ts';
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
