/**
 * `sluice run`: the mappings of files on this machine, with the same engine as in a cluster, and neither cluster nor
 * class. Files are watched; a change is taken over without losing a message.
 */
import { access, constants, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { systemClock } from '../lib/clock.ts';
import { messageOf, never, SluiceError } from '../lib/errors.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import { exitCodes, UsageError, type Command, type Io } from './command.ts';
import { commonOptions, optionsHelp, parseOptions, type Options } from './config.ts';
import { engineOptions, engineSettings } from './engine.ts';
import { mappingName, parseServices, startLocal, type Local } from './local.ts';
import { accountIDType, addressType, integerType, listType } from './option-types.ts';
import { readManifests, type Manifests } from './run-files.ts';

const options = {
  file: {
    type: listType,
    value: 'PATH',
    short: 'f',
    multiple: true,
    help: 'Manifest or folder of manifests; may be repeated. Required.',
  },
  service: {
    type: listType,
    value: 'NAME=HOST:PORT',
    multiple: true,
    help: 'Where a Service that a mapping names is on this machine, as `orders=127.0.0.1:8080` or `shop/orders=127.0.0.1:8080`.',
  },
  'account-id': {
    type: accountIDType,
    value: 'ID',
    help: 'Account of partial ARNs. Default: that in which the queue is found.',
  },
  'state-dir': {
    type: z.string().default('.sluice'),
    value: 'DIR',
    help: 'Where this process keeps what it must remember, and writes run.json with its addresses. Default `.sluice`.',
  },
  'metrics-address': {
    type: addressType('127.0.0.1:0'),
    value: 'HOST:PORT',
    help: 'Where /metrics, /healthz and /readyz listen. Default: a free port of this machine.',
  },
  'grace-seconds': {
    type: integerType(0, 3600, 30),
    value: 'N',
    help: 'Time to finish what is in flight after SIGTERM, in seconds. Default 30.',
  },
  'drain-receive-seconds': {
    type: integerType(0, 20, 1),
    value: 'N',
    help: 'How long outstanding long polls may end by themselves after SIGTERM, in seconds. Default 1.',
  },
  ...commonOptions,
  ...engineOptions,
} as const satisfies Options;

/** Rounds of looking at the files after which what was missing at AWS is looked for again. */
const lookAgainRounds = 10;

export const runCommand: Command = {
  name: 'run',
  summary: 'Run the mappings of files on this machine, without a cluster.',
  help: `Usage: sluice run -f FILE [options]

Runs the EventSourceMappings in Poller mode of the given manifests until SIGTERM or Ctrl-C. AWS is called with the
environment and credentials chain of the SDK (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL, …). No MappingClass is needed,
and targets on this machine are allowed. Changed files are taken over while it runs.

Examples:
  sluice run -f mapping.yaml
  sluice run -f examples/sqs-http --service orders-consumer=127.0.0.1:8080
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_REGION=eu-west-1 sluice run -f mapping.yaml

Options:
${optionsHelp(options)}`,
  run: runFiles,
};

async function runFiles(argv: readonly string[], io: Io): Promise<number> {
  const { values } = await parseOptions(options, argv, io.env);
  if (values.file.length === 0) throw new UsageError('`-f FILE` is required');
  const log = createLog(values['log-level'], (line) => void io.out(line), { component: 'run' });
  const services = parseServices(values.service);
  const first = await readManifests(values.file);
  // Before anything is received: a process that cannot run as asked must not begin.
  await makeStateFolder(values['state-dir']);
  await using local = await startLocal({
    log,
    env: io.env,
    services,
    accountID: values['account-id'],
    metricsAddress: values['metrics-address'],
    ...engineSettings(values),
  });
  const isComplete = await local.apply(first, io.signal);
  const runFile = await writeRunFile(values['state-dir'], local, first);
  await watchFiles(values.file, { manifests: first, isComplete }, local, log, io.signal);
  log.info('Draining', { reason: String(io.signal.reason) });
  await local.engine.drain(values['grace-seconds'] * 1000, values['drain-receive-seconds'] * 1000);
  await rm(runFile, { force: true });
  log.info('Stopped');
  return exitCodes.ok;
}

/** Takes changed files over, and looks again for what was missing at AWS, until the signal aborts. */
async function watchFiles(
  paths: readonly string[],
  applied: { readonly manifests: Manifests; readonly isComplete: boolean },
  local: Local,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let { manifests: former, isComplete } = applied;
  let complaint = '';
  for (let round = 1; !signal.aborted; round++) {
    await systemClock.sleep(1000, signal);
    if (signal.aborted) return;
    try {
      const manifests = await readManifests(paths, former);
      const isChanged = manifests !== former;
      if (isChanged || (!isComplete && round % lookAgainRounds === 0)) {
        isComplete = await local.apply(manifests, signal);
        former = manifests;
        if (isChanged)
          log.info('Took changed manifests over', { mappings: manifests.mappings.map(mappingName) });
      }
      complaint = '';
    } catch (error) {
      // What runs goes on: a half-saved file must not stop delivery.
      if (messageOf(error) !== complaint)
        log.error('Changed manifests cannot be used, the former ones stay in force', {
          detail: messageOf(error),
        });
      complaint = messageOf(error);
    }
  }
}

/** SQS keeps all positions itself, so the only thing to remember is where this process can be asked. */
async function writeRunFile(folder: string, local: Local, manifests: Manifests): Promise<string> {
  const file = join(folder, 'run.json');
  const mappings = manifests.mappings.map(mappingName);
  const facts = { pid: process.pid, metrics: `${local.url}/metrics`, mappings };
  await writeFile(file, `${JSON.stringify(facts, null, 2)}\n`);
  return file;
}

async function makeStateFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
    if (!(await stat(folder)).isDirectory()) throw new Error('it is not a folder');
    await access(folder, constants.W_OK);
  } catch (error) {
    throw new SluiceError(
      'InvalidSpec',
      `\`--state-dir\` must be a folder that can be written, found ${folder}: ${messageOf(error)}`,
      never,
    );
  }
}

/** With its parents. Node's own way of doing that never ends on file systems that refuse, such as /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await mkdir(folder);
  }
}
