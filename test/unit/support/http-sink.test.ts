import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type SinkAnswer, reply, startHttpSink } from '../../support/http-sink.ts';

const post = (url: string, body: unknown, signal?: AbortSignal): Promise<Response> =>
  fetch(url, { method: 'POST', body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }) });

describe('HttpSink', () => {
  test('keeps requests in order and answers by script, queued answers first', async () => {
    await using sink = await startHttpSink({ answer: (request) => reply(200, { echo: request.json() }) });
    sink.answerNext(reply(503, 'later', { 'retry-after': '7' }));
    const first = await post(`${sink.url}/a`, 1);
    expect([first.status, first.headers.get('retry-after'), await first.text()]).toEqual([503, '7', 'later']);
    expect(await (await post(`${sink.url}/b`, 2)).json()).toEqual({ echo: 2 });
    expect(sink.requests.map((request) => [request.number, request.path, request.json()])).toEqual([
      [1, '/a', 1],
      [2, '/b', 2],
    ]);
  });

  test.each<{ answer: SinkAnswer; why: string }>([
    { answer: { kind: 'reset' }, why: 'the connection is reset' },
    { answer: { kind: 'truncated' }, why: 'the body ends before its length' },
    { answer: { kind: 'garbage' }, why: 'the answer is no HTTP' },
  ])('$answer.kind breaks the call but not the ledger: $why', async ({ answer }) => {
    await using sink = await startHttpSink({ answer });
    await expect(post(sink.url, 1).then((response) => response.text())).rejects.toThrow(
      /fetch failed|terminated/,
    );
    expect(sink.requests).toHaveLength(1);
    await eventually(() => sink.inFlight === 0);
  });

  test.each<SinkAnswer>([{ kind: 'hang' }, { kind: 'drip', everyMs: 5 }])(
    '$kind never ends',
    async (answer) => {
      await using sink = await startHttpSink({ answer });
      const abort = new AbortController();
      const call = post(sink.url, 1, abort.signal).then((response) => response.text());
      await eventually(() => sink.inFlight === 1);
      abort.abort();
      await expect(call).rejects.toThrow('aborted');
    },
  );

  test('huge streams as many bytes as asked for', async () => {
    await using sink = await startHttpSink({ answer: { kind: 'huge', bytes: 1_000_001 } });
    const body = await (await post(sink.url, 1)).text();
    expect(body).toHaveLength(1_000_001);
  });

  test('a stopped sink refuses, a restarted one answers on the same port with its ledger kept', async () => {
    await using sink = await startHttpSink();
    await post(sink.url, 1);
    const port = sink.port;
    await sink.stop();
    await expect(post(sink.url, 2)).rejects.toThrow('fetch failed');
    await sink.restart();
    expect(sink.port).toBe(port);
    await post(sink.url, 3);
    expect(sink.requests.map((request) => request.json())).toEqual([1, 3]);
  });
});
