/**
 * The world of the bench in one process: SQS (JSON 1.0), an HTTP target, Lambda's Invoke, and a control door for the
 * driver. Started as a child process; says its port on standard output.
 */
import { headerOf, listen, type Request, type Respond } from './http-server.ts';
import { Queue } from './queue.ts';

const queues = new Map<string, Queue>();
const calls = new Map<string, number>();
let targetCalls = 0;
let pace: { readonly timer: NodeJS.Timeout } | undefined;

const queueOf = (url: string): Queue => {
  const name = url.slice(url.lastIndexOf('/') + 1);
  const queue = queues.get(name);
  if (queue === undefined) throw new Error(`no queue ${name}`);
  return queue;
};

interface Entry {
  readonly Id: string;
  readonly ReceiptHandle: string;
  readonly VisibilityTimeout?: number;
}

function sqs(operation: string, request: Request, respond: Respond, isGone: () => boolean): void {
  calls.set(operation, (calls.get(operation) ?? 0) + 1);
  const input = JSON.parse(request.body.toString()) as {
    readonly QueueUrl?: string;
    readonly QueueName?: string;
    readonly MaxNumberOfMessages?: number;
    readonly WaitTimeSeconds?: number;
    readonly Entries?: readonly Entry[];
    readonly ReceiptHandle?: string;
    readonly VisibilityTimeout?: number;
  };
  if (operation === 'GetQueueUrl') {
    respond(200, JSON.stringify({ QueueUrl: `http://127.0.0.1:${port}/000000000000/${input.QueueName}` }));
    return;
  }
  const queue = queueOf(input.QueueUrl ?? '');
  switch (operation) {
    case 'ReceiveMessage':
      queue.receive(
        input.MaxNumberOfMessages ?? 1,
        (input.WaitTimeSeconds ?? 0) * 1000,
        (messages) => respond(200, messages === '' ? '{}' : `{"Messages":[${messages}]}`),
        isGone,
      );
      return;
    case 'DeleteMessageBatch':
    case 'ChangeMessageVisibilityBatch': {
      const carryOut = ({ ReceiptHandle, VisibilityTimeout = 0 }: Entry): boolean =>
        operation === 'DeleteMessageBatch'
          ? queue.delete(ReceiptHandle)
          : queue.change(ReceiptHandle, VisibilityTimeout * 1000);
      const entries = (input.Entries ?? []).map((entry) => ({ Id: entry.Id, done: carryOut(entry) }));
      respond(
        200,
        JSON.stringify({
          Successful: entries.filter(({ done }) => done).map(({ Id }) => ({ Id })),
          Failed: entries
            .filter(({ done }) => !done)
            .map(({ Id }) => ({ Id, Code: 'ReceiptHandleIsInvalid', SenderFault: true })),
        }),
      );
      return;
    }
    case 'DeleteMessage':
      queue.delete(input.ReceiptHandle ?? '');
      respond(200, '{}');
      return;
    case 'ChangeMessageVisibility':
      queue.change(input.ReceiptHandle ?? '', (input.VisibilityTimeout ?? 0) * 1000);
      respond(200, '{}');
      return;
    case 'GetQueueAttributes':
      respond(200, JSON.stringify({ Attributes: { VisibilityTimeout: '30' } }));
      return;
    default:
      respond(400, JSON.stringify({ __type: 'UnsupportedOperation', message: operation }));
  }
}

/** The target: ticks off every record. `/throttled/NAME` refuses every fiftieth call. */
function target(path: string, request: Request, respond: Respond): void {
  targetCalls++;
  if (path.startsWith('/throttled/') && targetCalls % 50 === 0) {
    respond(429, '{}', 'Retry-After: 0\r\n');
    return;
  }
  const queue = queueOf(path.replace(/\/invocations$/, ''));
  const nowMs = performance.now();
  const { Records } = JSON.parse(request.body.toString()) as {
    readonly Records: readonly { readonly messageId: string; readonly body: string }[];
  };
  for (const { messageId } of Records) queue.tick(messageId, nowMs);
  respond(200, '{}');
}

/** The driver's commands. */
function control(url: URL, respond: Respond): void {
  const number = (name: string): number => Number(url.searchParams.get(name) ?? 0);
  const name = url.searchParams.get('queue') ?? '';
  switch (url.pathname) {
    case '/_/create':
      for (let made = 0; made < Math.max(1, number('count')); made++)
        queues.set(
          number('count') > 0 ? `${name}-${made}` : name,
          new Queue(number('visibility') * 1000 || 30_000),
        );
      break;
    case '/_/prepare':
      queueOf(name).prepare(number('count'), number('bytes'));
      break;
    case '/_/release':
      calls.clear();
      targetCalls = 0;
      queueOf(name).release();
      break;
    case '/_/forget':
      queueOf(name).forget();
      break;
    case '/_/pace':
      startPace(queueOf(name), number('rate'), number('count'), number('bytes'));
      break;
    case '/_/drop':
      for (const each of queues.keys()) if (each === name || each.startsWith(`${name}-`)) queues.delete(each);
      break;
    default:
  }
  const cpu = process.cpuUsage();
  let polls = 0;
  for (const queue of queues.values()) polls += queue.polls;
  const queue = queues.get(name);
  respond(
    200,
    JSON.stringify({
      ...(queue === undefined
        ? {}
        : {
            sent: queue.sent,
            delivered: queue.delivered,
            deleted: queue.deleted,
            doubled: queue.doubled,
            redelivered: queue.redelivered,
            unknown: queue.unknown,
            latencies: url.searchParams.has('latencies') ? queue.latencies : [],
          }),
      polls,
      targetCalls,
      calls: Object.fromEntries(calls),
      cpuMs: (cpu.user + cpu.system) / 1000,
    }),
  );
}

function startPace(queue: Queue, rate: number, count: number, bytes: number): void {
  queue.prepare(0, bytes);
  const startedAtMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.min(count, Math.floor(((performance.now() - startedAtMs) * rate) / 1000));
    while (sent < due) {
      queue.prepare(1, bytes);
      queue.release();
      sent++;
    }
    if (sent >= count) clearInterval(timer);
  }, 1);
  pace = { timer };
}

const port = await listen((request, respond, connection) => {
  try {
    const { path } = request;
    if (path.startsWith('/_/')) control(new URL(path, 'http://stub'), respond);
    else if (/^\/2015-03-31\/functions\/[^/]+\/configuration/.test(path)) respond(200, '{"Timeout":30}');
    else if (path.startsWith('/2015-03-31/event-source-mappings')) respond(200, '{"EventSourceMappings":[]}');
    else if (path.startsWith('/2015-03-31/') || path.startsWith('/sink/') || path.startsWith('/throttled/'))
      target(path, request, respond);
    else {
      const operation = headerOf(request, 'x-amz-target:')?.replace(/^.*\./, '') ?? '';
      sqs(operation, request, respond, () => connection.destroyed);
    }
  } catch (error) {
    respond(400, JSON.stringify({ __type: 'StubError', message: String(error) }));
  }
});

setInterval(() => {
  for (const queue of queues.values()) queue.look();
}, 100);
// The driver holds the other end: without it there is nothing to do.
process.stdin.resume();
process.stdin.on('end', () => {
  clearInterval(pace?.timer);
  process.exit(0);
});
console.log(port);
