/**
 * `sluice import`: manifests from what other tools keep of their mappings. Manifests go to standard output, everything
 * that a reader must know to standard error; nothing that was found is dropped without a word.
 */
import { z } from 'zod';
import { readCloudFormation } from '../import/cloudformation.ts';
import { readKubernetes } from '../import/kubernetes.ts';
import { makeManifests, manifestsJson, manifestsYaml, type Manifest } from '../import/manifests.ts';
import type { Note, Reading, Settings } from '../import/model.ts';
import { readTerraform } from '../import/terraform.ts';
import { messageOf } from '../lib/errors.ts';
import { UsageError, exitCodes, type Command, type Io } from './command.ts';
import { optionsHelp, parseOptions, type Options, type Values } from './config.ts';
import { manifestNames, readInputs, type Input } from './inputs.ts';
import { choiceType, integerType, switchType, textsType } from './option-types.ts';

/** Readers of files, by the word of the command line; some need all files to follow what one refers to. */
const readers: Readonly<
  Record<string, (text: string, settings: Settings, all: readonly string[]) => Reading>
> = {
  cfn: readCloudFormation,
  sam: readCloudFormation,
  terraform: readTerraform,
  ack: readKubernetes,
  crossplane: readKubernetes,
};

/** Files of a folder that a reader takes. */
const filesOfFolder: Readonly<Record<string, RegExp>> = {
  terraform: /[.](tf|tofu)$/,
  ack: manifestNames,
  crossplane: manifestNames,
};

/** Exit status when something that was found is not among the manifests as it is. */
export const incomplete = 3;

const options = {
  filename: {
    type: textsType,
    value: 'FILE',
    short: 'f',
    multiple: true,
    help: 'The file to read, a folder of .tf files or manifests, or - for standard input. May be repeated.',
  },
  set: {
    type: textsType.refine((pairs) => pairs.every((pair) => pair.indexOf('=') > 0), 'must be NAME=VALUE'),
    value: 'NAME=VALUE',
    multiple: true,
    help: 'A value that the file leaves open: a parameter, or the name of a placeholder. May be repeated.',
  },
  all: { type: switchType, help: 'aws: every mapping of the account and Region.' },
  function: {
    type: z.string().optional(),
    value: 'NAME',
    help: 'aws: the mappings of this function, a name or ARN with its version or alias.',
  },
  source: { type: z.string().optional(), value: 'ARN', help: 'aws: the mappings of this event source.' },
  region: {
    type: z.string().optional(),
    value: 'REGION',
    help: 'aws: the Region. Default: that of --source, of AWS_REGION, or of the profile.',
  },
  quick: { type: switchType, help: 'aws: list only; look up neither tags nor functions nor queues.' },
  'aws-requests-per-second': {
    type: integerType(1, 15, 5),
    value: 'N',
    help: 'aws: calls per second, of the 15 that the control plane of AWS Lambda takes of an account and Region. Default 5.',
  },
  namespace: {
    type: z.string().optional(),
    value: 'NAME',
    short: 'n',
    help: 'Namespace of the manifests. Default: none is written.',
  },
  class: {
    type: z.string().optional(),
    value: 'NAME',
    help: '`className` of the manifests. Default: none is written.',
  },
  adopt: {
    type: choiceType(['IfExists', 'Never'], 'IfExists'),
    value: 'POLICY',
    help: '`adoptionPolicy` of the manifests: IfExists takes over the live mapping, Never does not. Default IfExists.',
  },
  output: {
    type: choiceType(['yaml', 'json'], 'yaml'),
    value: 'FORMAT',
    short: 'o',
    help: 'yaml, or json for one List. Default yaml.',
  },
} as const satisfies Options;

export const importCommand: Command = {
  name: 'import',
  summary: 'Write manifests for the mappings of other tools.',
  help: `Usage: sluice import cfn|sam|terraform|ack|crossplane -f FILE [-f FILE ...] [options]
       sluice import aws --all|--function NAME|--source ARN [options]

Reads the event source mappings of a file, or of an AWS account, and writes a manifest for each to standard output, ready for review and
\`kubectl apply\`. Standard error says what could not be taken over and why.

  cfn, sam   CloudFormation (also what the CDK synthesizes) and SAM templates, YAML or JSON: resources of type
             AWS::Lambda::EventSourceMapping, and events of AWS::Serverless::Function that Lambda polls (SQS, Kinesis,
             DynamoDB, MSK, MQ, SelfManagedKafka, DocumentDB). An event that SAM refuses is refused with the reason.
  terraform  A state, a plan or state in JSON (\`terraform show -json\`), or .tf files, also a folder of them: resources
             aws_lambda_event_source_mapping. Only state and plan show what modules and \`for_each\` make.
  ack        EventSourceMappings of the group lambda.services.k8s.aws.
  crossplane EventSourceMappings of Crossplane's AWS providers, also those of a namespace.
  aws        Live mappings, with their UUIDs, grouped by function. Reads only. Tells which belong to another tool by their
             tags, and writes those whose function or queue does not exist as comments. Credentials and endpoint are
             those of the AWS SDK's environment.

What only the deployed stack knows is written as a placeholder, such as
arn:aws:sqs:::PLACEHOLDER_OrdersQueue_Arn, and named on standard error. Give the value with --set OrdersQueue.Arn=…, or
replace it in the manifest. ARNs without Region and account are completed from \`aws\` of the mapping or its class.

The manifests adopt the live mapping (\`adoptionPolicy: IfExists\`), so that applying them changes nothing in AWS where
they describe it. Take the mapping out of the other tool's hands before, or both will write to it.

Options:
${optionsHelp(options)}
Exit status: 0 everything was taken over, 1 a file could not be read, 2 wrong command line, 3 something was found that
could not be taken over; the manifests of the rest are written all the same.

Examples:
  sluice import sam -f template.yaml
  sluice import cfn -f template.json --set OrdersQueue.Arn=arn:aws:sqs:eu-west-1:123456789012:orders
  terraform show -json | sluice import terraform -f - -o json
  kubectl get eventsourcemappings.lambda.services.k8s.aws -A -o yaml | sluice import ack -f -
  sluice import aws --all --region eu-west-1 -n billing > mappings.yaml
  cdk synth | sluice import cfn -f - -n billing | sluice validate -f -
`,
  options,
  async run(argv, io) {
    const { values, positionals } = await parseOptions(options, argv, io.env, 1);
    const [kind] = positionals;
    if (kind === 'aws') return importLive(values, io);
    for (const flag of ['all', 'function', 'source', 'region', 'quick'] as const) {
      if (values[flag] !== undefined && values[flag] !== false)
        throw new UsageError(`\`--${flag}\` is only for \`sluice import aws\``);
    }
    const read = kind !== undefined && Object.hasOwn(readers, kind) ? readers[kind] : undefined;
    if (kind === undefined || read === undefined)
      throw new UsageError(`what to import must be one of ${[...Object.keys(readers), 'aws'].join(', ')}`);
    if (values.filename.length === 0) throw new UsageError('`-f` must name a file or - for standard input');
    const settings = new GivenValues(values.set);
    const names = filesOfFolder[kind];
    const ofFolder = names && { names, none: `no file in it matches ${names.source}` };
    const inputs: Input[] = [];
    for (const name of values.filename)
      inputs.push(...(await readInputs(name, { stdin: '-', ofFolder }, io)));
    const all = inputs.map(({ text }) => text);
    const found = inputs.map(({ file, text }): Located => {
      try {
        return { file, reading: read(text, settings, all) };
      } catch (error) {
        throw new Error(`${file}: ${messageOf(error)}`, { cause: error });
      }
    });
    for (const name of settings.unused)
      await io.err(`note: --set ${name}=… was asked for by nothing in ${values.filename.join(', ')}\n`);
    return writeManifests(kind, found, values, io);
  },
};

/** The values of `--set`, and which of them nobody asked for. */
class GivenValues extends Map<string, string> {
  readonly #used = new Set<string>();

  constructor(pairs: readonly string[]) {
    super();
    for (const pair of pairs) this.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
  }

  override get(name: string): string | undefined {
    this.#used.add(name);
    return super.get(name);
  }

  get unused(): readonly string[] {
    return [...this.keys()].filter((name) => !this.#used.has(name));
  }
}

async function importLive(values: Values<typeof options>, io: Io): Promise<number> {
  for (const flag of ['filename', 'set'] as const) {
    if (values[flag].length > 0) throw new UsageError(`\`--${flag}\` is not for \`sluice import aws\``);
  }
  // The SDK takes longer to load than a file takes to read.
  const { readAccount } = await import('./import-aws.ts');
  const requestsPerSecond = values['aws-requests-per-second'];
  const reading = await readAccount({ ...values, requestsPerSecond }, io);
  return writeManifests('aws', [{ file: 'aws', reading }], values, io);
}

interface Located {
  readonly file: string;
  readonly reading: Reading;
}

type ImportValues = Pick<Values<typeof options>, 'namespace' | 'class' | 'adopt' | 'output'>;

/** Writes manifests and notes; resolves with the exit status. */
async function writeManifests(
  kind: string,
  found: readonly Located[],
  values: ImportValues,
  io: Io,
): Promise<number> {
  // Over all files together, so that names stay unique.
  const owners = found.flatMap(({ file, reading }) => reading.mappings.map(() => file));
  const { manifests, notes: problems } = makeManifests(
    { mappings: found.flatMap(({ reading }) => reading.mappings), notes: [] },
    { namespace: values.namespace, className: values.class, adoption: values.adopt },
  );
  const notes = [
    ...found.flatMap(({ file, reading }) => reading.notes.map((note) => ({ ...note, file }))),
    ...problems.map((note) => {
      const index = manifests.findIndex(({ subject }) => subject === note.subject);
      return { ...note, file: owners[index] ?? '' };
    }),
  ];
  if (values.output === 'json') await io.out(manifestsJson(manifests));
  else if (manifests.length > 0) {
    const files = found.map(({ file }) => (file === '-' ? 'standard input' : file)).join(', ');
    await io.out(
      manifestsYaml(manifests, [
        `Written by \`sluice import ${kind}\` from ${files}. Review before you apply.`,
      ]),
    );
  }
  await io.err(`${[...notes.map(noteText), summary(manifests, notes, kind === 'aws')].join('\n')}\n`);
  return notes.some(({ kind: one }) => one === 'refused') ? incomplete : exitCodes.ok;
}

const words: Readonly<Record<Note['kind'], string>> = {
  info: 'note: ',
  placeholder: 'placeholder: ',
  'not-polled': 'not polled: ',
  owned: 'owned: ',
  orphan: 'orphan: ',
  refused: 'not imported: ',
};

function noteText(note: Note & { readonly file: string }): string {
  const place = note.line === undefined ? note.file : `${note.file}:${note.line}`;
  return `${place}: ${words[note.kind]}${note.subject}: ${note.message}`;
}

function summary(manifests: readonly Manifest[], notes: readonly Note[], isLive: boolean): string {
  const count = (kind: Note['kind']): number => notes.filter((note) => note.kind === kind).length;
  const valid = manifests.filter(({ problems }) => problems.length === 0).length;
  const parts = [
    `${valid} manifests`,
    `${count('refused')} not imported`,
    ...(isLive
      ? [`${count('owned')} owned by other tools`, `${count('orphan')} orphans`]
      : [`${count('placeholder')} placeholders`, `${count('not-polled')} not polled`]),
  ];
  return parts.join(', ');
}
