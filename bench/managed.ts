/**
 * `npm run bench -- managed`: what mappings in Managed mode cost. A real API server, the bundled controller, and a stub
 * of Lambda's API that takes 50 ms a call, without a limit and with one of 15 calls a second. For each number of
 * objects: create all, delete all, create them again, restart the controller, and delete once more.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startControlPlane, type ControlPlane } from '../test/support/control-plane.ts';
import { applyCrds } from '../test/support/shared-control-plane.ts';
import { imageEnvironment } from './candidates.ts';
import { managedTable, managedVerdicts, type ManagedRow, type RecordedManagedRun } from './managed-report.ts';
import { ManagedStub } from './managed-stub.ts';
import { cpuSeconds, memoryMiB, start, type Started } from './processes.ts';
import { buildRelease } from './release.ts';
import { machineLine, type Machine } from './report.ts';

const namespace = 'bench';
const collection = `/apis/sluice.dev/v1alpha1/namespaces/${namespace}/eventsourcemappings`;
const metricsPort = 19_787;

/**
 * Runs it; the arguments are numbers of objects, each with both servers or with that of `--limit`, and `--record FILE`
 * for the results as JSON. Whether every target is met.
 */
export async function runManaged(args: readonly string[]): Promise<boolean> {
  const { numbers, limits, record } = readArguments(args);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sluice-bench-'));
  const rows: ManagedRow[] = [];
  const machine = machineBefore();
  try {
    const release = buildRelease(folder);
    await using controlPlane = await startControlPlane();
    await applyCrds(controlPlane);
    await post(controlPlane, '/api/v1/namespaces', { metadata: { name: namespace } });
    await post(controlPlane, '/apis/sluice.dev/v1alpha1/mappingclasses', {
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'MappingClass',
      metadata: { name: 'bench' },
      spec: { namespaces: [namespace] },
    });
    for (const objects of numbers) {
      for (const limit of limits) {
        for await (const row of measure(controlPlane, release, objects, limit)) {
          rows.push(row);
          process.stderr.write(`${JSON.stringify(row)}\n`);
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const run: RecordedManagedRun = { machine: { ...machine, loadAfter: os.loadavg()[0] ?? 0 }, rows };
  if (record !== undefined) writeFileSync(record, `${JSON.stringify(run, null, 2)}\n`);
  const found = managedVerdicts(rows);
  process.stdout.write(
    `${machineLine(run.machine)}\n\n${managedTable([rows])}\n${found.map(({ line }) => line).join('')}`,
  );
  return found.every(({ isMet }) => isMet);
}

function readArguments(args: readonly string[]): {
  readonly numbers: readonly number[];
  readonly limits: readonly (number | null)[];
  readonly record: string | undefined;
} {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { record: { type: 'string' }, limit: { type: 'string' } },
  });
  const numbers = positionals.length === 0 ? [500, 1000] : positionals.map(Number);
  if (!numbers.every((number) => Number.isInteger(number) && number > 0))
    throw new Error(`after \`managed\` come numbers of objects; found ${positionals.join(' ')}`);
  const limit = values.limit === undefined || values.limit === 'none' ? null : Number(values.limit);
  if (limit !== null && !(limit >= 1))
    throw new Error(`\`--limit\` must be calls a second or none; found ${values.limit}`);
  return { numbers, limits: values.limit === undefined ? [15, null] : [limit], record: values.record };
}

function machineBefore(): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: os.cpus()[0]?.model.trim() ?? '',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    node: process.version,
    loadBefore: os.loadavg()[0] ?? 0,
    loadAfter: 0,
  };
}

async function* measure(
  controlPlane: ControlPlane,
  release: string,
  objects: number,
  limit: number | null,
): AsyncGenerator<ManagedRow> {
  await using stub = new ManagedStub({ latencyMs: 50, stateMs: 2000, perSecond: limit ?? undefined });
  const endpoint = await stub.start();
  let controller = await lead(controlPlane, release, endpoint);
  const phase = async (name: string, work: () => Promise<void>): Promise<ManagedRow> => {
    const [cpu, api, startedMs] = [cpuSeconds(controller.pid), await apiCalls(), performance.now()];
    stub.take();
    const before = controller;
    await work();
    const isSame = before === controller;
    const seconds = (performance.now() - startedMs) / 1000;
    const { calls, all, refused, rates } = stub.take();
    const requests = JSON.stringify(await apiCallsByMethod());
    process.stderr.write(
      `${name}: ${JSON.stringify(calls)}; calls in each 5 s: ${rates.join(' ')}; API server so far: ${requests}\n`,
    );
    return {
      objects,
      limit,
      phase: name,
      seconds,
      awsPerObject: all / objects,
      refusedPercent: all === 0 ? 0 : (100 * refused) / all,
      apiPerObject: ((await apiCalls()) - (isSame ? api : 0)) / objects,
      cpuMsPerObject: (1000 * (cpuSeconds(controller.pid) - (isSame ? cpu : 0))) / objects,
      mib: memoryMiB(controller.pid).most,
    };
  };
  const create = async (): Promise<void> => {
    await inParallel(objects, (index) => post(controlPlane, collection, manifest(index)));
    await until(async () => (await ready(controlPlane)) === objects);
  };
  const remove = async (): Promise<void> => {
    await controlPlane.request(collection, { method: 'DELETE' });
    await until(async () => (await count(controlPlane)) === 0);
    if (stub.mappings > 0) throw new Error(`${stub.mappings} mappings are left`);
  };
  try {
    yield await phase('create', create);
    yield await phase('idle for 20 s', () => sleep(20_000));
    yield await phase('delete', remove);
    yield await phase('create again', create);
    yield await phase('restart', async () => {
      await controller[Symbol.asyncDispose]();
      controller = await lead(controlPlane, release, endpoint);
      await until(async () => (await metric('controller_runtime_reconcile_total')) >= objects);
    });
    yield await phase('delete after a restart', remove);
  } finally {
    await controller[Symbol.asyncDispose]();
  }
}

async function lead(controlPlane: ControlPlane, release: string, endpoint: string): Promise<Started> {
  const controller = start(
    [
      release,
      'controller',
      '--cluster-id=bench',
      '--namespace=default',
      `--kubeconfig=${controlPlane.info.kubeconfig}`,
      `--metrics-address=127.0.0.1:${metricsPort}`,
      '--leader-elect=false',
      '--deletion-hold-percent=100',
      '--log-level=warn',
    ],
    {
      ...imageEnvironment(),
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'bench',
      AWS_SECRET_ACCESS_KEY: 'bench',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
  );
  await until(async () => {
    if (controller.exited()) throw new Error(controller.errors());
    const answer = await fetch(`http://127.0.0.1:${metricsPort}/readyz`).catch(() => undefined);
    return answer?.ok === true;
  });
  return controller;
}

function manifest(index: number): object {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name: `m-${index}`, labels: { team: 'bench' } },
    spec: {
      mode: 'Managed',
      className: 'bench',
      eventSourceARN: `arn:aws:sqs:eu-central-1:000000000000:queue-${index}`,
      functionName: 'consumer',
      batchSize: 10,
    },
  };
}

interface Listed {
  readonly items?: readonly {
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }[];
}

async function ready(controlPlane: ControlPlane): Promise<number> {
  const { body } = await controlPlane.request(collection);
  const isReady = ({ status }: NonNullable<Listed['items']>[number]): boolean =>
    status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ===
    true;
  return ((body as Listed).items ?? []).filter(isReady).length;
}

async function count(controlPlane: ControlPlane): Promise<number> {
  const { body } = await controlPlane.request(`${collection}?limit=1`);
  return ((body as Listed).items ?? []).length;
}

async function post(controlPlane: ControlPlane, where: string, body: object): Promise<void> {
  const { status, body: answer } = await controlPlane.request(where, { method: 'POST', body });
  if (status !== 201) throw new Error(`${where}: ${status} ${JSON.stringify(answer)}`);
}

async function inParallel(number: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < number; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

async function until(isReached: () => Promise<boolean>): Promise<void> {
  const startedMs = performance.now();
  while (!(await isReached())) {
    if (performance.now() - startedMs > 600_000) throw new Error('not reached within ten minutes');
    await sleep(500);
  }
}

const apiCalls = (): Promise<number> => metric('rest_client_requests_total');

async function metric(name: string): Promise<number> {
  return (await series(name)).reduce((sum, { value }) => sum + value, 0);
}

async function apiCallsByMethod(): Promise<Readonly<Record<string, number>>> {
  const sums: Record<string, number> = {};
  for (const { labels, value } of await series('rest_client_requests_total')) {
    const kind = `${/method="(\w+)"/.exec(labels)?.[1] ?? ''} ${/code="([^"]+)"/.exec(labels)?.[1] ?? ''}`;
    sums[kind] = (sums[kind] ?? 0) + value;
  }
  return sums;
}

async function series(name: string): Promise<readonly { readonly labels: string; readonly value: number }[]> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => {
      const at = line.lastIndexOf(' ');
      return { labels: line.slice(name.length, at), value: Number(line.slice(at + 1)) };
    });
}
