/** `sluice iam`: the least policies that the mappings of manifests need. Reads files only; asks nothing of AWS. */
import { z } from 'zod';
import type { EventSourceMapping } from '../api/mapping.ts';
import { policiesCloudFormation, policiesJson, policiesTerraform } from '../iam/formats.ts';
import { policiesOf } from '../iam/policies.ts';
import { UsageError, exitCodes, type Command } from './command.ts';
import { optionsHelp, parseOptions, type Options } from './config.ts';
import { manifestsOption, readMappings } from './mapping-files.ts';
import { accountIDType, choiceType, switchType } from './option-types.ts';

const options = {
  filename: manifestsOption,
  for: {
    type: choiceType(['all', 'function', 'controller', 'poller'], 'all'),
    value: 'WHOM',
    help: 'Whose policies: function (the execution role of each), controller, poller, or all. Default all.',
  },
  'cluster-id': {
    type: z.string().min(1).optional(),
    value: 'ID',
    help: 'The --cluster-id of the controller, for its tag conditions. Required for mappings in Managed mode.',
  },
  region: {
    type: z.string().optional(),
    value: 'REGION',
    help: 'Region of ARNs that name none. Default: a wildcard.',
  },
  'account-id': {
    type: accountIDType,
    value: 'ID',
    help: 'Account of ARNs that name none. Default: a wildcard.',
  },
  'cloudwatch-metrics': {
    type: switchType,
    help: 'For a controller with --cloudwatch-metrics true.',
  },
  output: {
    type: choiceType(['json', 'cloudformation', 'terraform'], 'json'),
    value: 'FORMAT',
    short: 'o',
    help: 'json, cloudformation or terraform. Default json.',
  },
} as const satisfies Options;

export const iamCommand: Command = {
  name: 'iam',
  summary: 'Write the least IAM policies that mappings need.',
  help: `Usage: sluice iam -f FILE [-f FILE ...] [--for WHOM] [-o json|cloudformation|terraform]

Writes the least IAM policies for the EventSourceMappings of the given manifests to standard output:

  function    for the execution role of each function of a mapping in Managed mode: reading its sources, secrets, and
              failure destinations, which Lambda does in the name of the function
  controller  for Sluice's controller: its writes are bound by tag conditions to the mappings of its own cluster
  poller      for Sluice's pollers, and \`sluice run\`: the queues, and the functions that are targets

Standard error tells what the manifests do not show, such as keys of encrypted queues. One policy alone is written as a
bare policy document, several as a list that names each. Needs neither a cluster nor AWS.

Options:
${optionsHelp(options)}
Exit status: 0 written, 1 a manifest is not valid or no mapping needs such a policy, 2 wrong command line or unreadable
file.

Examples:
  sluice iam -f deploy/ --cluster-id prod-eu --account-id 123456789012 --region eu-west-1
  sluice iam -f mapping.yaml --cluster-id prod-eu --for controller > controller-policy.json
  sluice iam -f mapping.yaml --for poller -o terraform > poller.tf
`,
  options,
  async run(argv, io) {
    const { values } = await parseOptions(options, argv, io.env);
    const mappings = await readMappings(values.filename, io);
    if (mappings === undefined) return exitCodes.failed;
    const wanted = mappings.filter((mapping) => isWanted(mapping, values.for));
    const needsID = wanted.some(({ spec }) => spec.mode === 'Managed') && values.for !== 'function';
    if (needsID && values['cluster-id'] === undefined)
      throw new UsageError('`--cluster-id` must be set for the policy of the controller');
    const { policies, notes } = policiesOf(wanted, {
      place: { region: values.region, accountID: values['account-id'] },
      clusterID: values['cluster-id'] ?? '',
      cloudWatchMetrics: values['cloudwatch-metrics'],
    });
    const chosen = policies.filter(({ owner }) => values.for === 'all' || owner.kind === values.for);
    for (const note of notes) await io.err(`note: ${note}\n`);
    if (chosen.length === 0) {
      await io.err('no mapping needs such a policy\n');
      return exitCodes.failed;
    }
    const formats = {
      json: () => policiesJson(chosen, values.for !== 'all'),
      cloudformation: () => policiesCloudFormation(chosen),
      terraform: () => policiesTerraform(chosen),
    };
    await io.out(formats[values.output]());
    return exitCodes.ok;
  },
};

function isWanted({ spec }: EventSourceMapping, whom: 'all' | 'function' | 'controller' | 'poller'): boolean {
  if (whom === 'all') return true;
  return spec.mode === (whom === 'poller' ? 'Poller' : 'Managed');
}
