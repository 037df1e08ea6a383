import { randomUUID } from 'node:crypto';
import {
  ControlError,
  type Configuration,
  type CreateInput,
  type MappingApi,
  type Tags,
  type UpdateInput,
} from '../../src/backends/aws/client.ts';
import { backoff, never, SluiceError } from '../../src/lib/errors.ts';
import { changed, filledIn, readsTheSame, updateProblem } from './lambda-semantics.ts';
import { testAccount } from './servers/aws-server.ts';

/**
 * Lambda's mapping API in memory: states that pass, 404 after a deletion has passed, 409 for a second mapping of one
 * source and function, 400 while a mapping is in use. It passes the contract suite of the backend, as the emulator does.
 */
export class MemoryMappingApi implements MappingApi {
  /** Writes so far, by the name of the call. */
  readonly writes: string[] = [];
  /** Called before each call; what it throws is the call's answer. */
  before: (call: string) => void = () => undefined;
  /** Called after a create has happened and before its answer: what it throws cuts the answer off. */
  afterCreate: () => void = () => undefined;
  readonly #mappings = new Map<
    string,
    { configuration: Configuration; tags: Record<string, string>; next: string }
  >();

  /** Lets every state pass, as time does. */
  settle(): void {
    for (const [uuid, entry] of this.#mappings) {
      if (entry.next === 'Gone') this.#mappings.delete(uuid);
      else entry.configuration = { ...entry.configuration, State: entry.next };
    }
  }

  get all(): readonly { readonly configuration: Configuration; readonly tags: Tags }[] {
    return [...this.#mappings.values()];
  }

  /** Changes a mapping behind everybody's back. */
  tamper(uuid: string, change: Partial<Configuration>, tags?: Record<string, string>): void {
    const entry = this.#mappings.get(uuid);
    if (entry === undefined) throw new Error(`no mapping ${uuid}`);
    entry.configuration = { ...entry.configuration, ...change };
    if (change.State !== undefined) entry.next = change.State;
    if (tags !== undefined) entry.tags = tags;
  }

  /** Takes a mapping away, as a deletion by somebody else that has come to its end. */
  vanish(uuid: string): void {
    this.#mappings.delete(uuid);
  }

  async get(uuid: string): Promise<Configuration | undefined> {
    this.before('get');
    return this.#mappings.get(uuid)?.configuration;
  }

  async list(eventSourceARN: string): Promise<readonly Configuration[]> {
    this.before('list');
    return this.all
      .map(({ configuration }) => configuration)
      .filter((one) => one.EventSourceArn === eventSourceARN);
  }

  async listByFunction(functionName: string): Promise<readonly Configuration[]> {
    this.before('list');
    const functionARN = functionArn(functionName);
    return this.all
      .map(({ configuration }) => configuration)
      .filter((one) => one.FunctionArn === functionARN);
  }

  async create(input: CreateInput): Promise<Configuration> {
    this.before('create');
    const functionARN = functionArn(input.FunctionName ?? '');
    const twin = this.all.find(
      ({ configuration }) => configuration.FunctionArn === functionARN && readsTheSame(configuration, input),
    );
    if (twin !== undefined) {
      const error = new SluiceError('Conflict', `already exists: ${twin.configuration.UUID ?? ''}`, backoff);
      throw new ControlError({ kind: 'conflict', uuid: twin.configuration.UUID, error });
    }
    this.writes.push('create');
    const uuid = randomUUID();
    const { Tags: tags = {}, FunctionName: _, Enabled: enabled = true, ...members } = input;
    const configuration: Configuration = filledIn({
      ...(members as Configuration),
      UUID: uuid,
      EventSourceMappingArn: `arn:aws:lambda:${testAccount.region}:${testAccount.accountId}:event-source-mapping:${uuid}`,
      FunctionArn: functionARN,
      State: enabled ? 'Creating' : 'Disabled',
    });
    this.#mappings.set(uuid, { configuration, tags: { ...tags }, next: enabled ? 'Enabled' : 'Disabled' });
    this.afterCreate();
    return configuration;
  }

  async update(uuid: string, input: UpdateInput): Promise<Configuration> {
    this.before('update');
    const entry = this.#settled(uuid);
    const problem = updateProblem(input);
    if (problem !== undefined)
      throw new ControlError({ kind: 'rejected', error: new SluiceError('AwsRejected', problem, never) });
    this.writes.push('update');
    const { FunctionName: name, Enabled: enabled } = input;
    const wasEnabled = entry.configuration.State === 'Enabled';
    const toEnabled = enabled ?? wasEnabled;
    const state = toEnabled === wasEnabled ? 'Updating' : toEnabled ? 'Enabling' : 'Disabling';
    entry.configuration = {
      ...changed(entry.configuration, input),
      ...(name === undefined ? {} : { FunctionArn: functionArn(name) }),
      State: state,
    };
    entry.next = toEnabled ? 'Enabled' : 'Disabled';
    return entry.configuration;
  }

  async delete(uuid: string): Promise<Configuration | undefined> {
    this.before('delete');
    if (!this.#mappings.has(uuid)) return undefined;
    const entry = this.#settled(uuid);
    this.writes.push('delete');
    entry.configuration = { ...entry.configuration, State: 'Deleting' };
    entry.next = 'Gone';
    return entry.configuration;
  }

  async tags(arn: string): Promise<Tags> {
    this.before('tags');
    return this.#mappings.get(uuidOf(arn))?.tags ?? {};
  }

  async tag(arn: string, tags: Tags): Promise<void> {
    this.before('tag');
    this.writes.push('tag');
    Object.assign(this.#mappings.get(uuidOf(arn))?.tags ?? {}, tags);
  }

  async untag(arn: string, keys: readonly string[]): Promise<void> {
    this.before('untag');
    this.writes.push('untag');
    const entry = this.#mappings.get(uuidOf(arn));
    if (entry === undefined) return;
    entry.tags = Object.fromEntries(Object.entries(entry.tags).filter(([key]) => !keys.includes(key)));
  }

  [Symbol.dispose](): void {}

  #settled(uuid: string): { configuration: Configuration; tags: Record<string, string>; next: string } {
    const entry = this.#mappings.get(uuid);
    if (entry === undefined) {
      throw new ControlError({
        kind: 'not-found',
        error: new SluiceError('Progressing', `no mapping ${uuid}`, backoff),
      });
    }
    const { State: state } = entry.configuration;
    if (state !== 'Enabled' && state !== 'Disabled') {
      const error = new SluiceError(
        'Progressing',
        'Cannot update the event source mapping because it is in use.',
        backoff,
      );
      throw new ControlError({ kind: 'in-use', error });
    }
    return entry;
  }
}

function uuidOf(arn: string): string {
  return arn.split(':').at(-1) ?? '';
}

function functionArn(name: string): string {
  return name.startsWith('arn:')
    ? name
    : `arn:aws:lambda:${testAccount.region}:${testAccount.accountId}:function:${name}`;
}
