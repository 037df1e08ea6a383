/**
 * The world of the bench in one process: SQS (JSON 1.0), an HTTP target, Lambda's Invoke, and a control door for the
 * driver. Started as a child process; says its port on standard output.
 */
import { listen, type Reply, type Request } from './http-server.ts';
import { Library } from './messages.ts';
import { Queue } from './queue.ts';

const library = new Library();
const queues = new Map<string, Queue>();
const calls = new Map<string, number>();
let targetCalls = 0;
const paces = new Set<NodeJS.Timeout>();

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

interface Input {
  readonly QueueUrl?: string;
  readonly QueueName?: string;
  readonly MaxNumberOfMessages?: number;
  readonly WaitTimeSeconds?: number;
  readonly Entries?: readonly Entry[];
  readonly ReceiptHandle?: string;
  readonly VisibilityTimeout?: number;
}

/** Receives come again and again with the same body. */
const known = new Map<string, Input>();
const knownMax = 10_000;

function inputOf(operation: string, body: Buffer): Input {
  const text = body.toString('latin1', 0, body.length);
  if (operation !== 'ReceiveMessage') return JSON.parse(text) as Input;
  let input = known.get(text);
  if (input === undefined) {
    input = JSON.parse(text) as Input;
    if (known.size >= knownMax) known.clear();
    known.set(text, input);
  }
  return input;
}

function sqs(operation: string, request: Request, reply: Reply): void {
  calls.set(operation, (calls.get(operation) ?? 0) + 1);
  const input = inputOf(operation, request.body);
  if (operation === 'GetQueueUrl') {
    reply.text(200, JSON.stringify({ QueueUrl: `http://127.0.0.1:${port}/000000000000/${input.QueueName}` }));
    return;
  }
  const queue = queueOf(input.QueueUrl ?? '');
  switch (operation) {
    case 'ReceiveMessage':
      queue.receive(input.MaxNumberOfMessages ?? 1, (input.WaitTimeSeconds ?? 0) * 1000, reply);
      return;
    case 'DeleteMessageBatch':
    case 'ChangeMessageVisibilityBatch': {
      const carryOut = ({ ReceiptHandle, VisibilityTimeout = 0 }: Entry): boolean =>
        operation === 'DeleteMessageBatch'
          ? queue.delete(ReceiptHandle)
          : queue.change(ReceiptHandle, VisibilityTimeout * 1000);
      const entries = (input.Entries ?? []).map((entry) => ({ Id: entry.Id, done: carryOut(entry) }));
      const Successful = entries.filter(({ done }) => done).map(({ Id }) => ({ Id }));
      const Failed = entries
        .filter(({ done }) => !done)
        .map(({ Id }) => ({ Id, Code: 'ReceiptHandleIsInvalid', SenderFault: true }));
      reply.text(200, JSON.stringify({ Successful, Failed }));
      return;
    }
    case 'DeleteMessage':
      queue.delete(input.ReceiptHandle ?? '');
      reply.text(200, '{}');
      return;
    case 'ChangeMessageVisibility':
      queue.change(input.ReceiptHandle ?? '', (input.VisibilityTimeout ?? 0) * 1000);
      reply.text(200, '{}');
      return;
    case 'GetQueueAttributes':
      reply.text(200, JSON.stringify({ Attributes: { VisibilityTimeout: '30' } }));
      return;
    default:
      reply.text(400, JSON.stringify({ __type: 'UnsupportedOperation', message: operation }));
  }
}

/** The target: ticks off every record. `/throttled/NAME` refuses every fiftieth call. */
function target(path: string, request: Request, reply: Reply): void {
  targetCalls++;
  if (path.startsWith('/throttled/') && targetCalls % 50 === 0) {
    reply.text(429, '{}', 'Retry-After: 0\r\n');
    return;
  }
  queueOf(path.replace(/\/invocations$/, '')).tick(request.body);
  reply.text(200, '{}');
}

/** The driver's commands. */
function control(url: URL, reply: Reply): void {
  const number = (name: string): number => Number(url.searchParams.get(name) ?? 0);
  const name = url.searchParams.get('queue') ?? '';
  switch (url.pathname) {
    case '/_/create':
      for (let made = 0; made < Math.max(1, number('count')); made++)
        queues.set(
          number('count') > 0 ? `${name}-${made}` : name,
          new Queue(number('visibility') * 1000 || 30_000, library),
        );
      break;
    case '/_/begin':
      calls.clear();
      targetCalls = 0;
      queueOf(name).forget();
      break;
    case '/_/send':
      queueOf(name).send(number('count'), number('bytes'));
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
  for (const [each, { polls: its }] of queues) if (each === name || each.startsWith(`${name}-`)) polls += its;
  const queue = queues.get(name);
  reply.text(
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
            strange: queue.strange,
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
  const startedAtMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.min(count, Math.floor(((performance.now() - startedAtMs) * rate) / 1000));
    for (; sent < due; sent++) queue.send(1, bytes);
    if (sent < count) return;
    clearInterval(timer);
    paces.delete(timer);
  }, 1);
  paces.add(timer);
}

const operationOf = /\r\nx-amz-target: *\w+\.(\w+)/i;

const port = await listen((request, reply) => {
  const { path, head } = request;
  try {
    if (path === '/') sqs(operationOf.exec(head)?.[1] ?? '', request, reply);
    else if (path.startsWith('/sink/') || path.endsWith('/invocations') || path.startsWith('/throttled/'))
      target(path, request, reply);
    else if (path.startsWith('/_/')) control(new URL(path, 'http://stub'), reply);
    else if (path.includes('/configuration')) reply.text(200, '{"Timeout":30}');
    else if (path.startsWith('/2015-03-31/event-source-mappings'))
      reply.text(200, '{"EventSourceMappings":[]}');
    else reply.text(404, '{}');
  } catch (error) {
    reply.text(400, JSON.stringify({ __type: 'StubError', message: String(error) }));
  }
});

setInterval(() => {
  for (const queue of queues.values()) queue.look();
}, 100);
// The driver holds the other end: without it there is nothing to do.
process.stdin.resume();
process.stdin.on('end', () => {
  for (const timer of paces) clearInterval(timer);
  process.exit(0);
});
console.log(port);
