/** `sluice diff`: what applying manifests would change in AWS. Reads only: it calls List, Get and ListTags. */
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { completeArn, parseArn, parseFunctionName } from '../api/arn.ts';
import { effective } from '../api/effective.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { AwsClients } from '../aws/clients.ts';
import { installationIdentity } from '../aws/credentials.ts';
import { regionOfProfile } from '../aws/region.ts';
import { AwsBackend } from '../backends/aws/backend.ts';
import { mappingApi } from '../backends/aws/client.ts';
import { systemClock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Command, Io } from './command.ts';
import { optionsHelp, parseOptions, type Options, type Values } from './config.ts';
import { changeOf, changeText, mappingLabel, withoutAws, type Change } from './diff-report.ts';
import { awsFromEnv } from './engine.ts';
import { paceOf, progressOf } from './look-ups.ts';
import { manifestsOption, readMappings } from './mapping-files.ts';
import { accountIDType, choiceType, integerType } from './option-types.ts';
import { sluiceVersion } from './version.ts';

/** As `kubectl diff`: 0 no difference, 1 differences, above 1 an error. */
const diffCodes = { same: 0, different: 1, failed: 3 } as const;

const options = {
  filename: manifestsOption,
  'cluster-id': {
    type: z.string().min(1),
    value: 'ID',
    help: 'The --cluster-id of the controller: whose mappings are ours, by their tags. Required.',
  },
  namespace: {
    type: z.string().min(1).optional(),
    value: 'NAME',
    short: 'n',
    help: 'Namespace of manifests that name none. Default: default.',
  },
  region: {
    type: z.string().optional(),
    value: 'REGION',
    help: 'Region of ARNs that name none. Default: that of AWS_REGION or of the profile.',
  },
  'account-id': {
    type: accountIDType,
    value: 'ID',
    help: 'Account of ARNs that name none. Default: that of the function.',
  },
  'aws-requests-per-second': {
    type: integerType(1, 15, 5),
    value: 'N',
    help: 'Calls per second, of the 15 that the control plane of AWS Lambda takes of an account and Region. Default 5.',
  },
  output: {
    type: choiceType(['text', 'json'], 'text'),
    value: 'FORMAT',
    short: 'o',
    help: 'text or json. Default text.',
  },
} as const satisfies Options;

export const diffCommand: Command = {
  name: 'diff',
  summary: 'Show what applying manifests would change in AWS.',
  help: `Usage: sluice diff -f FILE [-f FILE ...] --cluster-id ID [options]

Compares the mappings in Managed mode of the given manifests with the live ones, as the controller does, and shows what
it would do about each: create, update with every field, replace, or refuse and why. Changes nothing: it lists and reads
mappings and their tags. Needs no cluster. AWS is called with the environment and credentials chain of the SDK; roles of
mappings and classes are not assumed.

Options:
${optionsHelp(options)}
Exit status, as of \`kubectl diff\`: 0 nothing would change, 1 something would, 2 wrong command line or unreadable file,
3 a manifest is not valid, would be refused, or could not be compared.

Examples:
  sluice diff -f mapping.yaml --cluster-id prod-eu
  sluice diff -f deploy/ -n billing --cluster-id prod-eu -o json
  sluice import aws --all | sluice diff -f - --cluster-id prod-eu
`,
  options,
  async run(argv, io) {
    const { values } = await parseOptions(options, argv, io.env);
    const read = await readMappings(values.filename, io);
    if (read === undefined) return diffCodes.failed;
    const mappings = read.map((mapping): EventSourceMapping => {
      const namespace = mapping.metadata.namespace ?? values.namespace ?? 'default';
      return { ...mapping, metadata: { ...mapping.metadata, namespace } };
    });
    const changes = await compare(mappings, values, io);
    if (values.output === 'json') await io.out(`${JSON.stringify(changes, null, 2)}\n`);
    else {
      for (const change of changes) {
        if (change.action !== 'none' || change.message !== undefined) await io.out(changeText(change));
      }
      await io.err(summary(changes));
    }
    if (changes.some(({ action }) => action === 'refused' || action === 'unknown')) return diffCodes.failed;
    const isSame = changes.every(({ action }) => action === 'none' || action === 'skipped');
    return isSame ? diffCodes.same : diffCodes.different;
  },
};

function summary(changes: readonly Change[]): string {
  const actions = ['create', 'update', 'replace', 'none', 'refused', 'unknown', 'skipped'] as const;
  const counts = actions.map(
    (action) => [action, changes.filter((one) => one.action === action).length] as const,
  );
  const shown = counts.filter(([, count]) => count > 0).map(([action, count]) => `${count} ${action}`);
  return `${shown.length === 0 ? 'no mappings' : shown.join(', ')}\n`;
}

async function compare(
  mappings: readonly EventSourceMapping[],
  values: Values<typeof options>,
  io: Io,
): Promise<readonly Change[]> {
  const fromEnv = awsFromEnv(io.env);
  const region = values.region ?? (fromEnv.region || (await regionOfProfile()));
  const clock = systemClock;
  await using clients = new AwsClients({ version: sluiceVersion(), clock, ...fromEnv, region });
  const pace = paceOf(clock, values['aws-requests-per-second']);
  const progress = progressOf(clock, io);
  const backend = new AwsBackend({
    clusterID: values['cluster-id'],
    recheckMs: 0,
    api: (_identity, _namespace, at) => {
      const lease = clients.lambda({ region: at ?? region, identity: installationIdentity }, 'control');
      return { ...mappingApi(lease.client, pace), [Symbol.dispose]: () => lease.release() };
    },
  });
  const accounts = new Map<string, Promise<string | undefined>>();
  const changes: Change[] = [];
  for (const mapping of mappings) {
    changes.push(withoutAws(mapping) ?? (await compareOne(mapping)));
    await progress(`Compared ${changes.length} of ${mappings.length} mappings`);
  }
  return changes;

  async function compareOne(mapping: EventSourceMapping): Promise<Change> {
    try {
      const ambient = { region, accountID: values['account-id'] ?? (await accountOf(mapping)) };
      const inForce = effective(mapping.spec, { ambient });
      const source = inForce.values.eventSourceARN;
      if (source !== undefined && completeArn(source, {}).kind !== 'complete')
        throw new Error(
          '`eventSourceARN` names no Region or no account: give them with --region and --account-id',
        );
      const subject = { mapping, effective: inForce, pool: '', identity: { kind: 'Installation' as const } };
      return changeOf(mapping, inForce, await backend.observe(subject, io.signal));
    } catch (error) {
      io.signal.throwIfAborted();
      return { mapping: mappingLabel(mapping), action: 'unknown', fields: [], message: messageOf(error) };
    }
  }

  /** The account of ARNs that name none: the function's, which AWS tells. */
  async function accountOf({ spec }: EventSourceMapping): Promise<string | undefined> {
    const target = parseFunctionName(spec.functionName ?? '');
    const source = parseArn(spec.eventSourceARN ?? '');
    if (spec.aws?.accountID !== undefined || target?.accountID !== undefined) return target?.accountID;
    if (source === undefined || source.accountID !== '' || target === undefined) return undefined;
    const at = spec.aws?.region ?? (target.region || source.region || region);
    const key = JSON.stringify([at, target.name]);
    let account = accounts.get(key);
    if (account === undefined) {
      account = askAccount(target.name, at);
      accounts.set(key, account);
    }
    return account;
  }

  async function askAccount(name: string, at: string | undefined): Promise<string | undefined> {
    using lambda = clients.lambda({ region: at, identity: installationIdentity }, 'control');
    await pace(io.signal);
    const { FunctionArn: arn = '' } = await lambda.client.send(
      new GetFunctionConfigurationCommand({ FunctionName: name }),
      { abortSignal: io.signal },
    );
    return parseArn(arn)?.accountID;
  }
}
