import http from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { startAwsFaultProxy } from '../../support/aws-fault-proxy.ts';
import { eventually } from '../../support/eventually.ts';
import { startHttpSink } from '../../support/http-sink.ts';

it('the fault proxy leaves nothing behind on connections that carry many calls', async () => {
  await using server = await startHttpSink();
  await using proxy = await startAwsFaultProxy(server.url);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const warnings: Error[] = [];
  const warn = (warning: Error): unknown => warnings.push(warning);
  process.on('warning', warn);
  try {
    // More calls in one turn than an emitter may have listeners.
    for (let call = 0; call < 15; call++) {
      const request = http.request(`${proxy.endpoint}/`, { agent, method: 'POST' });
      const answer = await new Promise<http.IncomingMessage>((resolve, reject) =>
        request.once('response', resolve).once('error', reject).end(`call ${call}`),
      );
      await text(answer);
    }
    expect(server.requests).toHaveLength(15);
    expect(new Set(proxy.calls.map(({ headers }) => headers.connection))).toEqual(new Set(['keep-alive']));
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', warn);
    agent.destroy();
  }
});

it('a caller that gives up ends the call for the server, too', async () => {
  await using server = await startHttpSink();
  server.answer({ kind: 'hang' });
  await using proxy = await startAwsFaultProxy(server.url);
  const request = http.request(`${proxy.endpoint}/`, { method: 'POST' }).on('error', () => undefined);
  request.end('poll');
  await eventually(() => server.inFlight === 1);
  request.destroy();
  await eventually(() => server.inFlight === 0);
  expect(proxy.calls).toHaveLength(1);
});
