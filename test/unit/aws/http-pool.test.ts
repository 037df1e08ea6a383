import { expect, test } from 'vitest';
import { HttpPool } from '../../../src/aws/http-pool.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { reply, startHttpSink, type HttpSink } from '../../support/http-sink.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const never = new AbortController().signal;

async function open(options: { readonly connections?: number; readonly clock?: VirtualClock } = {}): Promise<
  AsyncDisposable & {
    readonly sink: HttpSink;
    readonly pool: HttpPool;
    readonly post: (signal?: AbortSignal) => Promise<string>;
  }
> {
  const sink = await startHttpSink({ answer: reply(200, 'ok') });
  const pool = new HttpPool(sink.url, options.clock ?? systemClock, options.connections ?? 100);
  const post = async (signal = never): Promise<string> => {
    const request = { path: '/', headers: ['x-a', 'b'], body: Buffer.from('body') };
    return (await pool.post(request, 5000, signal)).body.toString();
  };
  const dispose = async (): Promise<void> => {
    await pool.destroy();
    await sink.stop();
  };
  return { sink, pool, post, [Symbol.asyncDispose]: dispose };
}

test('calls one after another share a connection', async () => {
  await using wire = await open();
  const { sink, post } = wire;
  for (let call = 0; call < 5; call++) expect(await post()).toBe('ok');
  expect(sink.connections).toBe(1);
  expect(sink.requests[0]).toMatchObject({ method: 'POST', body: 'body', headers: { 'x-a': 'b' } });
});

test('each call under way has a connection of its own, and those beyond the most wait for one', async () => {
  await using wire = await open({ connections: 3 });
  const { sink, post } = wire;
  let letGo: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  sink.answer(async () => {
    await gate;
    return reply(200, 'ok');
  });
  const calls = Array.from({ length: 5 }, () => post());
  await eventually(() => sink.inFlight === 3);
  letGo();
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 5 }, () => 'ok'));
  expect([sink.connections, sink.maxInFlight]).toEqual([3, 3]);
});

test('a call that waits for a connection ends with its signal', async () => {
  await using wire = await open({ connections: 1 });
  const { sink, pool, post } = wire;
  sink.answer({ kind: 'hang' });
  const first = post().catch((error: unknown) => error);
  await eventually(() => sink.inFlight === 1);
  const controller = new AbortController();
  const second = post(controller.signal);
  controller.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  await pool.destroy();
  expect(await first).toBeInstanceOf(Error);
});

test('a call that was given up leaves no connection for others', async () => {
  await using wire = await open();
  const { sink, post } = wire;
  await post();
  sink.answerNext({ kind: 'hang' });
  const controller = new AbortController();
  const given = post(controller.signal);
  await eventually(() => sink.inFlight === 1);
  controller.abort(new Error('enough'));
  await expect(given).rejects.toThrow('enough');
  expect(await post()).toBe('ok');
  expect(sink.connections).toBe(2);
  await eventually(() => sink.inFlight === 0);
});

test('a server that comes back is called again', async () => {
  await using wire = await open();
  const { sink, post } = wire;
  await post();
  await sink.stop();
  await expect(post()).rejects.toThrow(/ECONNREFUSED|closed/);
  await sink.restart();
  expect(await post()).toBe('ok');
});

test('any number of calls keep one sleeper for their deadlines, and each ends at its own', async () => {
  const clock = new VirtualClock();
  await using wire = await open({ clock });
  const { sink, pool, post } = wire;
  sink.answer({ kind: 'hang' });
  const ends: string[] = [];
  const watch = (name: string): void =>
    void post().catch(({ name: error }: Error) => ends.push(`${name} ${error}`));
  watch('first');
  await clock.advance(1000);
  watch('second');
  expect(clock.sleepers).toBe(1);
  await clock.advance(3999);
  expect(ends).toEqual([]);
  await clock.advance(1);
  expect(ends).toEqual(['first DeadlineError']);
  await clock.advance(1000);
  expect(ends).toEqual(['first DeadlineError', 'second DeadlineError']);
  await pool.destroy();
  expect(clock.sleepers).toBe(0);
});

test('a large answer in many pieces comes whole', async () => {
  await using wire = await open();
  const { sink, post } = wire;
  sink.answerNext({ kind: 'huge', bytes: 3_000_000 });
  expect((await post()).length).toBe(3_000_000);
});

test('an answer without an end is cut off', async () => {
  await using wire = await open();
  const { sink, post } = wire;
  sink.answerNext({ kind: 'huge', bytes: 80_000_000 });
  await expect(post()).rejects.toThrow(/larger than/);
});
