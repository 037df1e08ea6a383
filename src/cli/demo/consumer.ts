/**
 * The demo's HTTP consumer: what a team would write to receive Lambda's SQS event. It refuses some messages at their
 * first sight, so that retries can be seen: by name (`batchItemFailures`) where the mapping reports them, and by a
 * failed answer for the whole batch where it does not.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { messageOf } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import type { Ledger } from './ledger.ts';

const eventSchema = z.object({ Records: z.array(z.object({ messageId: z.string(), body: z.string() })) });
const bodySchema = z.object({ id: z.string() });

export interface Route {
  readonly ledger: Ledger;
  /** `messages` names single messages as failed, `batch` fails the whole batch. */
  readonly refuses: 'messages' | 'batch';
  /** Share of messages (or batches) that are refused at first sight. */
  readonly share: number;
}

export interface Consumer extends AsyncDisposable {
  readonly url: string;
}

export async function startConsumer(
  deps: { readonly random: Random; readonly now: () => number },
  routes: Readonly<Record<string, Route>>,
): Promise<Consumer> {
  const answer = (response: ServerResponse, status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const route = routes[request.url ?? ''];
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (route === undefined) {
      answer(response, 404, { message: 'no such path' });
      return;
    }
    const { Records: records } = eventSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    const messages = records.map((record) => ({
      messageId: record.messageId,
      id: bodySchema.parse(JSON.parse(record.body)).id,
    }));
    const { ledger, refuses, share } = route;
    if (
      refuses === 'batch' &&
      messages.some((message) => ledger.isFirst(message.id)) &&
      deps.random() < share
    ) {
      for (const message of messages) ledger.refused(message.id);
      answer(response, 500, { message: 'refused for the demo' });
      return;
    }
    const failures: { itemIdentifier: string }[] = [];
    for (const message of messages) {
      if (refuses === 'messages' && ledger.isFirst(message.id) && deps.random() < share) {
        ledger.refused(message.id);
        failures.push({ itemIdentifier: message.messageId });
      } else {
        ledger.processed(message.id, deps.now());
      }
    }
    answer(response, 200, { batchItemFailures: failures });
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => answer(response, 400, { message: messageOf(error) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
