import { describe, expect, test } from 'vitest';
import type { ReportBody } from '../../../src/api/report.ts';
import { Reporter } from '../../../src/fleet/reporter.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** A store that takes time, may fail, and keeps what was written. */
function setUp() {
  const clock = new VirtualClock();
  const written: string[] = [];
  const failures: { readonly message: string; readonly delayMs: number }[] = [];
  const server = {
    isAway: false,
    hangs: false,
    removed: 0,
    version: 'one',
    stored: undefined as string | undefined,
  };
  const answer = async (signal: AbortSignal): Promise<void> => {
    if (server.hangs) await clock.sleep(3_600_000, signal);
    if (server.isAway || signal.aborted) throw new Error('no answer');
  };
  const build = (): ReportBody => ({
    formatVersion: 1,
    member: 'poller-a',
    pool: 'default',
    version: server.version,
    mappings: [],
  });
  const reporter = new Reporter({
    clock,
    random: () => 0,
    store: {
      async write(report, signal) {
        await answer(signal);
        written.push(report.version);
        server.stored = String(written.length);
        return server.stored;
      },
      async version(signal) {
        await answer(signal);
        return server.stored;
      },
      async remove(signal) {
        await answer(signal);
        server.removed++;
      },
    },
    build,
    onFailure: (message, delayMs) => failures.push({ message, delayMs }),
    intervalMs: 1000,
  });
  const stop = new AbortController();
  const running = reporter.run(stop.signal);
  const change = (version: string): void => {
    server.version = version;
    reporter.touch();
  };
  return { clock, server, reporter, written, failures, stop, running, change };
}

describe('Reporter', () => {
  test('writes at once, and a change after a quiet time at once as well', async () => {
    const { clock, written, change } = setUp();
    await clock.settle();
    expect(written).toEqual(['one']);
    await clock.advance(5000);
    change('two');
    await clock.settle();
    expect(written).toEqual(['one', 'two']);
  });

  test('a burst of changes is one more write, of the last of them', async () => {
    const { clock, written, change } = setUp();
    await clock.settle();
    for (let n = 0; n < 100; n++) {
      change(`burst ${n}`);
      await clock.advance(5);
    }
    await clock.advance(2000);
    expect(written).toEqual(['one', 'burst 99']);
  });

  test('a touch without a change writes nothing', async () => {
    const { clock, written, reporter } = setUp();
    for (let n = 0; n < 5; n++) {
      await clock.advance(3000);
      reporter.touch();
    }
    expect(written).toEqual(['one']);
  });

  test('a write that fails is tried again with back-off, with what is true by then', async () => {
    const { clock, server, written, failures, change } = setUp();
    await clock.settle();
    server.isAway = true;
    change('two');
    await clock.advance(60_000);
    expect(written).toEqual(['one']);
    expect(failures.map(({ delayMs }) => delayMs)).toEqual([
      500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000,
    ]);
    server.isAway = false;
    change('three');
    await clock.advance(15_000);
    expect(written).toEqual(['one', 'three']);
  });

  test.each([
    { stored: undefined, why: 'somebody deleted it' },
    { stored: 'another', why: 'a namesake wrote over it' },
  ])('what is not as it wrote it is back after ten seconds: $why', async ({ stored }) => {
    const { clock, server, written } = setUp();
    await clock.settle();
    server.stored = stored;
    await clock.advance(11_000);
    expect(written).toEqual(['one', 'one']);
    await clock.advance(20 * 60_000);
    expect(written).toHaveLength(2);
  });

  test('writes nothing without a change, also while nobody answers its look', async () => {
    const { clock, server, written, failures } = setUp();
    await clock.advance(20 * 60_000);
    server.isAway = true;
    await clock.advance(60_000);
    expect(written).toEqual(['one']);
    expect(failures).toEqual([]);
  });

  test('sees within ten seconds what time alone has changed', async () => {
    const { clock, server, written } = setUp();
    await clock.settle();
    server.version = 'two';
    await clock.advance(11_000);
    expect(written).toEqual(['one', 'two']);
  });

  test('a change does not wait for a look that hangs', async () => {
    const { clock, server, written, change } = setUp();
    await clock.settle();
    server.hangs = true;
    await clock.advance(15_000);
    server.hangs = false;
    change('two');
    await clock.settle();
    expect(written).toEqual(['one', 'two']);
  });

  test('takes the report away when it stops', async () => {
    const { clock, server, stop, running } = setUp();
    await clock.settle();
    stop.abort();
    await clock.runUntil(running);
    expect(server.removed).toBe(1);
    expect(clock.sleepers).toBe(0);
  });

  test('stops within five seconds although nobody answers, and in the middle of a write', async () => {
    const { clock, server, failures, stop, running } = setUp();
    await clock.settle();
    server.hangs = true;
    stop.abort();
    await clock.runUntil(running);
    expect(clock.monotonic()).toBe(5000);
    expect(server.removed).toBe(0);
    expect(failures).toMatchObject([{ message: 'no answer' }]);
  });
});
