import { beforeEach, describe, expect, it } from 'vitest';
import { EventLimits, LruMap, type EventContent } from '../../../src/kube/event-limits.ts';
import { EventRecorder, type EventRecorderEvent } from '../../../src/kube/event-recorder.ts';
import { events as eventResource, type KubeList, type KubeObject } from '../../../src/kube/resource.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { FakeKubeApi, fail } from '../../support/fake-kube-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

interface Stored extends KubeObject {
  readonly note: string;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

const never = new AbortController().signal;

function event(changes: Partial<EventContent> & { readonly name?: string } = {}): EventContent {
  const { name = 'orders', ...rest } = changes;
  return {
    regarding: {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      namespace: 'n',
      name,
      uid: name,
    },
    type: 'Warning',
    reason: 'TargetUnreachable',
    action: 'Invoke',
    note: 'refused',
    ...rest,
  };
}

describe('limits', () => {
  it('one object: 25 at once, then one in five minutes', async () => {
    const clock = new VirtualClock();
    const limits = new EventLimits(clock);
    // Different reasons, so that nothing is combined.
    const decide = (index: number): string => limits.decide(event({ reason: `Reason${index}` })).kind;
    expect(
      Array.from({ length: 27 }, (_, index) => decide(index)).filter((kind) => kind === 'write'),
    ).toHaveLength(25);
    await clock.advance(299_000);
    expect(decide(100)).toBe('drop');
    await clock.advance(1000);
    expect(decide(101)).toBe('write');
    expect(decide(102)).toBe('drop');
  });

  it('another object has its own', () => {
    const limits = new EventLimits(new VirtualClock());
    for (let index = 0; index < 30; index++) limits.decide(event());
    expect(limits.decide(event()).kind).toBe('drop');
    expect(limits.decide(event({ name: 'invoices' })).kind).toBe('write');
  });

  it('more than 10 that differ only in their note become one series', () => {
    const limits = new EventLimits(new VirtualClock());
    const decisions = Array.from({ length: 14 }, (_, index) =>
      limits.decide(event({ note: `attempt ${index}` })),
    );
    const series = decisions.map((decision) => (decision.kind === 'write' ? decision.series : ''));
    expect(new Set(series.slice(0, 10)).size).toBe(10);
    expect(new Set(series.slice(10)).size).toBe(1);
    expect(decisions[10]).toMatchObject({ note: '(combined from similar events): attempt 10' });
    // A note that has its own series keeps it.
    expect(limits.decide(event({ note: 'attempt 3' }))).toMatchObject({
      series: series[3],
      note: 'attempt 3',
    });
  });

  it('combining ends after ten quiet minutes', async () => {
    const clock = new VirtualClock();
    const limits = new EventLimits(clock);
    for (let index = 0; index < 12; index++) limits.decide(event({ note: `attempt ${index}` }));
    await clock.advance(600_001);
    expect(limits.decide(event({ note: 'attempt 99' }))).toMatchObject({ note: 'attempt 99' });
  });

  it('remembers a bounded number of objects, and drops the one unused for longest', () => {
    const map = new LruMap<number>();
    for (let index = 0; index < 5000; index++) {
      map.set(`key-${index}`, index);
      map.set('used', 0);
    }
    expect(map.size).toBe(4096);
    expect(map.get('used')).toBe(0);
    expect(map.get('key-0')).toBeUndefined();
  });
});

describe('the recorder', () => {
  let clock: VirtualClock;
  let api: FakeKubeApi;
  let seen: EventRecorderEvent[];
  let stop: AbortController;

  beforeEach(() => {
    clock = new VirtualClock();
    api = new FakeKubeApi(clock);
    seen = [];
    stop = new AbortController();
  });

  function recorder(options: { redact?: (note: string) => string; capacity?: number } = {}): EventRecorder {
    return new EventRecorder({
      api,
      clock,
      random: seededRandom(1),
      reportingController: 'sluice.dev/controller',
      reportingInstance: 'pod-1',
      observe: (each) => seen.push(each),
      ...options,
    });
  }

  const stored = async (namespace = 'n'): Promise<readonly Stored[]> =>
    (await api.list<KubeList<Stored>>(eventResource.collection(namespace), { signal: never })).items;

  async function finish(run: Promise<void>): Promise<void> {
    stop.abort();
    await clock.runUntil(run);
    expect(clock.sleepers).toBe(0);
  }

  it('writes one Event and counts repeats up in its series', async () => {
    const own = recorder();
    const run = own.run(stop.signal);
    own.record(event());
    await clock.advance(1000);
    own.record(event());
    await clock.advance(1000);
    own.record(event());
    await clock.settle();
    expect(await stored()).toEqual([
      expect.objectContaining({
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'sluice.dev/controller',
        reportingInstance: 'pod-1',
        action: 'Invoke',
        reason: 'TargetUnreachable',
        type: 'Warning',
        note: 'refused',
        regarding: event().regarding,
        series: { count: 3, lastObservedTime: '2026-01-01T00:00:02.000000Z' },
      }),
    ]);
    await finish(run);
  });

  it.each([
    { between: async () => clock.advance(360_001), why: 'after six quiet minutes' },
    {
      between: async () => {
        for (const { metadata } of await stored()) {
          await api.delete(eventResource.object('n', metadata.name), { signal: never });
        }
      },
      why: 'when the first Event was deleted',
    },
  ])('starts a new series $why', async ({ between }) => {
    const own = recorder();
    const run = own.run(stop.signal);
    own.record(event());
    await clock.settle();
    const [first] = await stored();
    await between();
    own.record(event());
    await clock.settle();
    const last = (await stored()).at(-1);
    expect(last?.metadata.name).not.toBe(first?.metadata.name);
    expect(last).not.toHaveProperty('series');
    await finish(run);
  });

  it('puts Events about objects without a namespace into `default`', async () => {
    const own = recorder();
    const run = own.run(stop.signal);
    own.record(
      event({ regarding: { apiVersion: 'sluice.dev/v1alpha1', kind: 'MappingClass', name: 'shared' } }),
    );
    await clock.settle();
    expect(await stored('default')).toHaveLength(1);
    await finish(run);
  });

  it.each([
    { note: 'x'.repeat(5000), why: 'ASCII' },
    { note: 'ü'.repeat(5000), why: 'characters of two bytes' },
    { note: '🚰'.repeat(5000), why: 'characters of four bytes' },
  ])('cuts a note to 1 kB at the end of a character ($why)', async ({ note }) => {
    const own = recorder();
    const run = own.run(stop.signal);
    own.record(event({ note }));
    await clock.settle();
    const written = (await stored())[0]?.note ?? '';
    expect(Buffer.byteLength(written)).toBeLessThanOrEqual(1024);
    expect(Buffer.byteLength(written)).toBeGreaterThan(1015);
    expect(note.startsWith(written.slice(0, -1))).toBe(true);
    await finish(run);
  });

  it('redacts a note before anything else sees it', async () => {
    const own = recorder({ redact: (note) => note.replaceAll('hunter2', '***') });
    const run = own.run(stop.signal);
    own.record(event({ note: 'password hunter2 was refused' }));
    await clock.settle();
    expect((await stored())[0]?.note).toBe('password *** was refused');
    await finish(run);
  });

  it('writes a few at a time, those of one object in their order', async () => {
    const own = recorder();
    const run = own.run(stop.signal);
    const open: string[] = [];
    let release = (): void => undefined;
    api.before = async ({ verb, body }) => {
      if (verb !== 'create') return;
      open.push((body as Stored).note);
      await new Promise<void>((resolve) => {
        const earlier = release;
        release = () => {
          earlier();
          resolve();
        };
      });
    };
    for (const note of ['a1', 'a2', 'b1', 'c1', 'd1', 'e1'])
      own.record(event({ name: note.slice(0, 1), note, reason: note }));
    await clock.settle();
    expect(open).toEqual(['a1', 'b1', 'c1', 'd1']);
    release();
    await clock.settle();
    expect(open.slice(4).toSorted()).toEqual(['a2', 'e1']);
    release();
    await clock.settle();
    expect(await stored()).toHaveLength(6);
    api.before = undefined;
    await finish(run);
  });

  it('never blocks and never throws while the API server is away, and writes later what waited', async () => {
    const own = recorder({ capacity: 10 });
    const run = own.run(stop.signal);
    api.before = () => {
      throw fail('ConnectionFailed', 0, 'refused');
    };
    for (let index = 0; index < 20; index++) own.record(event({ name: `mapping-${index}` }));
    expect(own.pending).toBe(10);
    expect(seen.filter((each) => each.kind === 'dropped' && each.cause === 'queueFull')).toHaveLength(10);
    await clock.advance(60_000);
    api.before = undefined;
    await clock.advance(30_000);
    expect(await stored()).toHaveLength(10);
    await finish(run);
  });

  it('gives up what the API server refuses, at once', async () => {
    const own = recorder();
    const run = own.run(stop.signal);
    api.before = ({ verb }) => {
      if (verb === 'create') throw fail('Forbidden', 403, 'namespace is being terminated');
    };
    own.record(event());
    await clock.settle();
    expect(seen).toEqual([
      { kind: 'failed', reason: 'TargetUnreachable', message: 'namespace is being terminated' },
    ]);
    api.before = undefined;
    own.record(event());
    await clock.settle();
    expect(await stored()).toHaveLength(1);
    await finish(run);
  });

  it('gives up after about two minutes what cannot be written', async () => {
    const own = recorder();
    const run = own.run(stop.signal);
    api.before = () => {
      throw fail('InternalError', 500, 'etcd');
    };
    own.record(event());
    await clock.runUntil(() => seen.length > 0, { limitMs: 180_000 });
    expect(seen).toEqual([{ kind: 'failed', reason: 'TargetUnreachable', message: 'etcd' }]);
    expect(clock.monotonic()).toBeGreaterThan(45_000);
    await finish(run);
  });

  it('on a stop writes what waits, but not for longer than 3 s, and takes nothing more', async () => {
    const own = recorder();
    const run = own.run(stop.signal);
    await clock.settle();
    stop.abort();
    own.record(event());
    await clock.runUntil(run);
    expect(await stored()).toHaveLength(1);
    own.record(event());
    expect(seen.at(-1)).toEqual({ kind: 'dropped', reason: 'TargetUnreachable', cause: 'stopped' });

    const stuck = recorder();
    stop = new AbortController();
    api.before = ({ signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const stuckRun = stuck.run(stop.signal);
    stuck.record(event({ name: 'a' }));
    stuck.record(event({ name: 'b' }));
    await clock.settle();
    stop.abort();
    await clock.runUntil(stuckRun, { limitMs: 4000 });
    expect(stuck.pending).toBe(0);
  });
});
