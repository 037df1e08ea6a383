/**
 * `sluice import aws`: manifests for live mappings. Reads only: lists mappings, and looks up their tags, functions and
 * queues, so many calls a second as the user allows.
 */
import {
  GetEventSourceMappingCommand,
  GetFunctionConfigurationCommand,
  ListEventSourceMappingsCommand,
  ListTagsCommand,
  type EventSourceMappingConfiguration,
  type LambdaClient,
} from '@aws-sdk/client-lambda';
import { GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { parseArn } from '../api/arn.ts';
import { AwsClients } from '../aws/clients.ts';
import { installationIdentity } from '../aws/credentials.ts';
import { regionOfProfile } from '../aws/region.ts';
import { readLive, type LiveMapping } from '../import/live.ts';
import type { Note, Reading } from '../import/model.ts';
import { systemClock, type Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { UsageError, type Io } from './command.ts';
import { awsFromEnv } from './engine.ts';
import { paceOf, progressOf } from './look-ups.ts';
import { sluiceVersion } from './version.ts';

export interface LiveChoice {
  readonly all: boolean;
  readonly function: string | undefined;
  readonly source: string | undefined;
  readonly region: string | undefined;
  /** Neither tags nor functions nor queues are looked up. */
  readonly quick: boolean;
  readonly requestsPerSecond: number;
}

/** Look-ups under way at once; the pace bounds them. */
const workers = 8;

/** Reads the live mappings of one account and Region. */
export async function readAccount(choice: LiveChoice, io: Io, clock: Clock = systemClock): Promise<Reading> {
  if ([choice.all, choice.function !== undefined, choice.source !== undefined].filter(Boolean).length === 0)
    throw new UsageError('one of `--all`, `--function` and `--source` must be set');
  if (choice.all && (choice.function !== undefined || choice.source !== undefined))
    throw new UsageError('`--all` must stand without `--function` and `--source`');
  const fromEnv = awsFromEnv(io.env);
  const region =
    choice.region ?? (parseArn(choice.source ?? '')?.region || fromEnv.region || (await regionOfProfile()));
  if (region === undefined)
    throw new UsageError('`--region` must be set, or AWS_REGION, or a profile with a Region');
  await using clients = new AwsClients({ version: sluiceVersion(), clock, ...fromEnv, region });
  const place = { region, identity: installationIdentity };
  using lambda = clients.lambda(place, 'control');
  using sqs = clients.sqs(place, 'control');
  const account = new Account({ lambda: lambda.client, sqs: sqs.client, choice, io, clock });
  const configurations = await account.list();
  if (choice.quick)
    return readLive(
      configurations.map((configuration) => ({ configuration: { ...configuration }, gone: [] })),
    );
  const live = await account.lookUp(configurations);
  const reading = readLive(live);
  return { mappings: reading.mappings, notes: [...reading.notes, ...account.notes()] };
}

interface AccountParts {
  readonly lambda: LambdaClient;
  readonly sqs: SQSClient;
  readonly choice: LiveChoice;
  readonly io: Io;
  readonly clock: Clock;
}

/** A thing that several mappings share is looked up once. */
type Verdicts = Map<string, Promise<boolean>>;

class Account {
  readonly #parts: AccountParts;
  readonly #paced: (signal: AbortSignal) => Promise<void>;
  readonly #progress: (text: string) => Promise<void>;
  readonly #functions: Verdicts = new Map();
  readonly #sources: Verdicts = new Map();
  /** What could not be looked up, by action, with AWS's words. */
  readonly #unseen = new Map<string, string>();

  constructor(parts: AccountParts) {
    this.#parts = parts;
    const { clock, choice, io } = parts;
    this.#paced = paceOf(clock, choice.requestsPerSecond);
    this.#progress = progressOf(clock, io);
  }

  /** Every mapping of the choice, by pages of 100. */
  async list(): Promise<readonly EventSourceMappingConfiguration[]> {
    const { lambda, choice, io } = this.#parts;
    const found: EventSourceMappingConfiguration[] = [];
    let marker: string | undefined;
    do {
      await this.#paced(io.signal);
      const page = await lambda.send(
        new ListEventSourceMappingsCommand({
          EventSourceArn: choice.source,
          FunctionName: choice.function,
          Marker: marker,
          MaxItems: 100,
        }),
        { abortSignal: io.signal },
      );
      found.push(...(page.EventSourceMappings ?? []));
      // A page may be empty and still have a successor.
      marker = page.NextMarker === '' ? undefined : page.NextMarker;
      await this.#progress(`Listed ${found.length} mappings`);
    } while (marker !== undefined);
    return found;
  }

  /** Tags, encrypted filters, and whether function and queue exist, for each. */
  async lookUp(configurations: readonly EventSourceMappingConfiguration[]): Promise<readonly LiveMapping[]> {
    const live: LiveMapping[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      for (let index = next++; index < configurations.length; index = next++) {
        const configuration = configurations[index];
        if (configuration !== undefined) live.push(await this.#lookUpOne(configuration));
        await this.#progress(`Looked at ${live.length} of ${configurations.length} mappings`);
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    return live;
  }

  notes(): readonly Note[] {
    return [...this.#unseen].map(([action, why]) => ({
      kind: 'info',
      subject: action,
      message: `what it would tell is not known: ${why}`,
    }));
  }

  async #lookUpOne(listed: EventSourceMappingConfiguration): Promise<LiveMapping> {
    const { lambda, io } = this.#parts;
    const {
      UUID: uuid = '',
      EventSourceMappingArn: arn = '',
      FunctionArn: target = '',
      EventSourceArn: source = '',
    } = listed;
    // List does not decrypt filters.
    const isHidden = listed.KMSKeyArn !== undefined && listed.FilterCriteria === undefined;
    const whole = isHidden
      ? await this.#ask('lambda:GetEventSourceMapping', () =>
          lambda.send(new GetEventSourceMappingCommand({ UUID: uuid }), { abortSignal: io.signal }),
        )
      : undefined;
    const answer = await this.#ask('lambda:ListTags', () =>
      lambda.send(new ListTagsCommand({ Resource: arn }), { abortSignal: io.signal }),
    );
    const { $metadata: _, ...configuration } = { $metadata: undefined, ...(whole ?? listed) };
    const gone: ('function' | 'source')[] = [];
    if (!(await once(this.#functions, target, () => this.#hasFunction(target)))) gone.push('function');
    if (!(await once(this.#sources, source, () => this.#hasQueue(source)))) gone.push('source');
    return { configuration, tags: answer?.Tags, gone };
  }

  async #hasFunction(arn: string): Promise<boolean> {
    const { lambda, io } = this.#parts;
    const found = await this.#ask(
      'lambda:GetFunctionConfiguration',
      () =>
        lambda.send(new GetFunctionConfigurationCommand({ FunctionName: arn }), { abortSignal: io.signal }),
      ['ResourceNotFoundException'],
    );
    return found !== 'gone';
  }

  /** Only queues are looked for; of other sources AWS tells by the state of the mapping. */
  async #hasQueue(text: string): Promise<boolean> {
    const arn = parseArn(text);
    if (arn?.service !== 'sqs') return true;
    const { sqs, io } = this.#parts;
    const input = { QueueName: arn.resource, QueueOwnerAWSAccountId: arn.accountID };
    const found = await this.#ask(
      'sqs:GetQueueUrl',
      () => sqs.send(new GetQueueUrlCommand(input), { abortSignal: io.signal }),
      ['QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue'],
    );
    return found !== 'gone';
  }

  /** An answer; `gone` for the given errors; undefined where the call fails otherwise, which is told at the end. */
  async #ask<T>(action: string, send: () => Promise<T>): Promise<T | undefined>;
  async #ask<T>(
    action: string,
    send: () => Promise<T>,
    gone: readonly string[],
  ): Promise<T | 'gone' | undefined>;
  async #ask<T>(
    action: string,
    send: () => Promise<T>,
    gone: readonly string[] = [],
  ): Promise<T | 'gone' | undefined> {
    await this.#paced(this.#parts.io.signal);
    try {
      return await send();
    } catch (error) {
      this.#parts.io.signal.throwIfAborted();
      if (error instanceof Error && gone.includes(error.name)) return 'gone';
      if (!this.#unseen.has(action)) this.#unseen.set(action, messageOf(error));
      return undefined;
    }
  }
}

function once(verdicts: Verdicts, key: string, ask: () => Promise<boolean>): Promise<boolean> {
  let verdict = verdicts.get(key);
  if (verdict === undefined) {
    verdict = ask();
    verdicts.set(key, verdict);
  }
  return verdict;
}
