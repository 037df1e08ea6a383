/**
 * `sluice demo`: the main job with nothing but this checkout. An embedded SQS server, an example consumer, a
 * producer, and two mappings of `examples/` run by the very engine of `sluice run`; figures come from the ledgers of
 * producer and consumer alone. With `--cluster` the same through `kubectl apply` on a real API server.
 */
import { randomUUID } from 'node:crypto';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { systemClock } from '../lib/clock.ts';
import { messageOf, never, SluiceError } from '../lib/errors.ts';
import { createLog } from '../telemetry/log.ts';
import { exitCodes, type Command, type Io } from './command.ts';
import { optionsHelp, parseOptions, type Options } from './config.ts';
import { integerType, switchType } from './option-types.ts';
import { startConsumer, type Route } from './demo/consumer.ts';
import { Ledger, type Totals } from './demo/ledger.ts';
import { produce, type Line, type Message } from './demo/producer.ts';
import { plainLine, progress, table, type Row } from './demo/view.ts';
import { readManifests } from './run-files.ts';
import { parseServices, startLocal } from './local.ts';

const options = {
  duration: {
    type: integerType(1, 3600, 20),
    value: 'SECONDS',
    help: 'How long messages are produced, in seconds. Default 20.',
  },
  rate: {
    type: integerType(1, 2000, 100),
    value: 'N',
    help: 'Messages a second, over both queues. Default 100.',
  },
  json: { type: switchType, help: 'Print nothing but one line of JSON at the end.' },
  cluster: {
    type: switchType,
    help: 'Run in a real control plane (etcd and kube-apiserver on this machine) instead of without one.',
  },
} as const satisfies Options;

export const demoCommand: Command = {
  name: 'demo',
  summary: 'Show the main job on an embedded SQS server, without an account.',
  help: `Usage: sluice demo [options]

Starts an SQS server in this process, an HTTP consumer that refuses some messages, and a producer; runs the mappings
of examples/sqs-http (a filter and partial batch responses) and examples/sqs-fifo-http (ordered groups); and counts on
both ends that nothing was lost, doubled or reordered. Needs neither an AWS account nor a cluster.

Examples:
  sluice demo
  sluice demo --duration 60 --rate 500
  sluice demo --json

Options:
${optionsHelp(options)}`,
  options,
  run: runDemo,
};

/** The environment that stands for AWS in the demo. */
export interface Stage extends AsyncDisposable {
  readonly sqs: SQSClient;
  readonly env: Readonly<Record<string, string>>;
  readonly queueUrls: Readonly<Record<'orders' | 'payments', string>>;
}

/** What runs the mappings: this process, or a cluster. */
export interface Runtime extends AsyncDisposable {
  /** Lines about what runs and where to look. */
  readonly notes: readonly string[];
  /** Invocations under way by mapping, where that is known. */
  inFlight(mapping: string): number;
}

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const region = 'eu-west-1';
/** Messages that are refused come again after this time: short, so that a demo shows it. */
const visibilitySeconds = 3;

async function runDemo(argv: readonly string[], io: Io): Promise<number> {
  const { values } = await parseOptions(options, argv, io.env);
  const say = (text: string): Promise<void> | void => (values.json ? undefined : io.out(text));
  const clock = systemClock;
  const ledgers = { orders: new Ledger(), payments: new Ledger() };
  const routes: Readonly<Record<string, Route>> = {
    '/orders': { ledger: ledgers.orders, refuses: 'messages', share: 0.05 },
    '/payments': { ledger: ledgers.payments, refuses: 'batch', share: 0.03 },
  };
  await say('Starting an SQS server and a consumer on this machine\n');
  await using stage = await startStage();
  await using consumer = await startConsumer({ random: Math.random, now: () => clock.now() }, routes);
  const manifests = [join(examples, 'sqs-http/mapping.yaml'), join(examples, 'sqs-fifo-http/mapping.yaml')];
  await using runtime = values.cluster
    ? await (
        await import('./demo/cluster.ts')
      ).startCluster({ stage, consumerUrl: consumer.url, manifests, say }, io.signal)
    : await startHere(stage, consumer.url, manifests, io.signal);
  for (const note of runtime.notes) await say(`${note}\n`);
  await say('\n');

  const lines: readonly Line[] = [
    { queueUrl: stage.queueUrls.orders, ledger: ledgers.orders, make: makeOrder },
    { queueUrl: stage.queueUrls.payments, ledger: ledgers.payments, make: makePayment },
  ];
  const rows = rowsOf(ledgers, runtime);
  const startMs = clock.monotonic();
  const show = viewer(io, values.json, values.duration * 1000);
  const stopView = new AbortController();
  const viewing = (async () => {
    while (!stopView.signal.aborted) {
      show(clock.monotonic() - startMs, rows());
      await clock.sleep(io.isTTY ? 500 : 2000, stopView.signal);
    }
  })();
  try {
    await produce(
      { clock, sqs: stage.sqs },
      lines,
      { rate: values.rate, durationMs: values.duration * 1000 },
      io.signal,
    );
    await settled(stage, ledgers, io.signal);
  } finally {
    stopView.abort();
    await viewing;
  }
  const elapsedMs = clock.monotonic() - startMs;
  show(elapsedMs, rows());
  const result = summarize(ledgers, elapsedMs, io.signal.aborted);
  if (values.json) {
    await io.out(`${JSON.stringify(result)}\n`);
  } else {
    await io.out(endText(result));
  }
  return result.lost === 0 && result.leaked === 0 && result.outOfOrder === 0
    ? exitCodes.ok
    : exitCodes.failed;
}

async function startHere(
  stage: Stage,
  consumerUrl: string,
  manifests: readonly string[],
  signal: AbortSignal,
): Promise<Runtime> {
  const address = new URL(consumerUrl).host;
  // The view is on the terminal: only what a person must know may come between.
  const log = createLog('error', (line) => void process.stderr.write(line), { component: 'demo' });
  const local = await startLocal({
    log,
    env: stage.env,
    services: parseServices([`orders-consumer=${address}`, `payments-consumer=${address}`]),
    accountID: undefined,
    metricsAddress: '127.0.0.1:0',
    bufferBytes: 128 * 1024 * 1024,
    concurrencyCeiling: 100,
  });
  await local.apply(await readManifests(manifests), signal);
  return {
    notes: [
      ...manifests.map((file) => `Running ${file}`),
      `Metrics  ${local.url}/metrics`,
      `Consumer ${consumerUrl}`,
    ],
    inFlight: (mapping) => local.inFlight(mapping),
    async [Symbol.asyncDispose]() {
      await local.engine.drain(5000, 1000);
      await local[Symbol.asyncDispose]();
    },
  };
}

/** What leads a person's tools to AWS (a profile, endpoints, a proxy) would lead the demo away from its own server. */
function leaveAws(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(env)) if (name.startsWith('AWS_')) delete env[name];
  env['AWS_CONFIG_FILE'] = env['AWS_SHARED_CREDENTIALS_FILE'] = devNull;
  env['AWS_EC2_METADATA_DISABLED'] = 'true';
  // kubectl may need the proxy itself.
  for (const name of ['NO_PROXY', 'no_proxy'])
    env[name] = [env[name], '127.0.0.1'].filter((part) => (part ?? '') !== '').join(',');
}

async function startStage(): Promise<Stage> {
  const { buildApp } = await import('fauxqs').catch((error: unknown) => {
    throw new SluiceError(
      'NotSupported',
      `the demo runs in a checkout, where the embedded SQS server is installed: ${messageOf(error)}`,
      never,
    );
  });
  const app = buildApp({ logger: false });
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' });
  const env = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: 'demo',
    AWS_SECRET_ACCESS_KEY: 'demo',
  };
  leaveAws(process.env);
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'demo', AWS_SECRET_ACCESS_KEY: 'demo' });
  const sqs = new SQSClient({
    endpoint,
    region,
    credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' },
  });
  const create = async (name: string, attributes: Record<string, string>): Promise<string> => {
    const { QueueUrl } = await sqs.send(
      new CreateQueueCommand({
        QueueName: name,
        Attributes: { VisibilityTimeout: String(visibilitySeconds), ...attributes },
      }),
    );
    return z.string().parse(QueueUrl);
  };
  const queueUrls = {
    orders: await create('orders', {}),
    payments: await create('payments.fifo', { FifoQueue: 'true' }),
  };
  return {
    sqs,
    env,
    queueUrls,
    async [Symbol.asyncDispose]() {
      sqs.destroy();
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

/** Orders: seven of ten are placed and above the filter's limit. */
function makeOrder(n: number, nowMs: number): Message {
  const id = randomUUID();
  const wanted = n % 10 < 7;
  const order = { id, status: n % 10 === 9 ? 'draft' : 'placed', total: wanted || n % 10 === 9 ? 25 + n : 5 };
  return { sent: { id, wanted, sentAtMs: nowMs }, body: JSON.stringify(order) };
}

/** Payments of eight accounts, numbered within each. */
function makePayment(n: number, nowMs: number): Message {
  const id = randomUUID();
  const group = { name: `account-${n % 8}`, sequence: Math.floor(n / 8) + 1 };
  return {
    sent: { id, wanted: true, sentAtMs: nowMs, group },
    body: JSON.stringify({ id, account: group.name, sequence: group.sequence, amount: 10 + (n % 90) }),
  };
}

/** Waits until both queues are empty and every wanted message was processed; gives up after a minute. */
async function settled(
  stage: Stage,
  ledgers: Readonly<Record<'orders' | 'payments', Ledger>>,
  signal: AbortSignal,
): Promise<void> {
  const deadlineMs = systemClock.monotonic() + 60_000;
  while (!signal.aborted && systemClock.monotonic() < deadlineMs) {
    const left = await Promise.all(
      Object.values(stage.queueUrls).map(async (QueueUrl) => {
        const { Attributes = {} } = await stage.sqs.send(
          new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
        );
        return (
          Number(Attributes['ApproximateNumberOfMessages'] ?? 0) +
          Number(Attributes['ApproximateNumberOfMessagesNotVisible'] ?? 0)
        );
      }),
    );
    const missing = Object.values(ledgers).some((ledger) => ledger.totals().missing > 0);
    if (!missing && left.every((count) => count === 0)) return;
    await systemClock.sleep(100, signal);
  }
}

function rowsOf(ledgers: Readonly<Record<string, Ledger>>, runtime: Runtime): () => readonly Row[] {
  const before = new Map<string, { readonly delivered: number; readonly atMs: number }>();
  return () =>
    Object.entries(ledgers).map(([mapping, ledger]) => {
      const totals = ledger.totals();
      const atMs = systemClock.monotonic();
      const last = before.get(mapping);
      before.set(mapping, { delivered: totals.delivered, atMs });
      const rate =
        last === undefined || atMs === last.atMs
          ? 0
          : ((totals.delivered - last.delivered) / (atMs - last.atMs)) * 1000;
      return { mapping, totals, inFlight: runtime.inFlight(mapping), rate };
    });
}

function viewer(
  io: Io,
  quiet: boolean,
  durationMs: number,
): (elapsedMs: number, rows: readonly Row[]) => void {
  let drawn = 0;
  return (elapsedMs, rows) => {
    if (quiet) return;
    const phase = elapsedMs < durationMs ? 'producing' : 'draining';
    if (!io.isTTY) {
      void io.out(plainLine(elapsedMs, phase, rows));
      return;
    }
    const text = `${progress(elapsedMs, durationMs, phase)}\n${table(rows)}`;
    // Up over what was drawn last, and clear from there.
    void io.out(`${drawn === 0 ? '' : `\u001B[${drawn}A\u001B[J`}${text}`);
    drawn = text.split('\n').length - 1;
  };
}

type Result = ReturnType<typeof summarize>;

function summarize(ledgers: Readonly<Record<string, Ledger>>, elapsedMs: number, stopped: boolean) {
  const totals = Object.entries(ledgers).map(([mapping, ledger]) => [mapping, ledger.totals()] as const);
  const sum = (of: (one: Totals) => number): number => totals.reduce((all, [, one]) => all + of(one), 0);
  return {
    produced: sum((one) => one.produced),
    delivered: sum((one) => one.delivered),
    filtered: sum((one) => one.filtered),
    failed: sum((one) => one.failed),
    retried: sum((one) => one.retried),
    // Of a demo that was stopped early, what is missing was still on its way.
    lost: stopped ? 0 : sum((one) => one.missing),
    undelivered: stopped ? sum((one) => one.missing) : 0,
    duplicates: sum((one) => one.duplicates),
    leaked: sum((one) => one.leaked),
    outOfOrder: sum((one) => one.outOfOrder),
    seconds: Math.round(elapsedMs / 100) / 10,
    mappings: Object.fromEntries(totals),
  };
}

function endText(result: Result): string {
  return `
Done after ${result.seconds} s: ${result.produced} messages sent, ${result.delivered} delivered, ${result.filtered} filtered out,
${result.failed} refused by the consumer and ${result.retried} of these delivered later,
${result.lost} lost, ${result.duplicates} duplicates, ${result.outOfOrder} out of order${result.undelivered > 0 ? `; ${result.undelivered} not delivered yet when you stopped it` : ''}.

Try next:
  npx sluice run -f examples/sqs-http/mapping.yaml --service orders-consumer=127.0.0.1:8080   (with your AWS profile)
  npx sluice filter --pattern '{"body":{"status":["placed"]}}' --source sqs --event record.json
  npm run demo -- --cluster                                                                  (a real API server)
`;
}
