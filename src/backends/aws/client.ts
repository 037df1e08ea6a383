/**
 * AWS Lambda's API of event source mappings, as far as the backend uses it, over the SDK. Thin: it pages, classes
 * errors, and adds no meaning. A mapping that does not exist is a value; everything else that fails is thrown.
 *
 * All control-plane calls of an account and Region share 15 requests a second with everybody else's, so calls are
 * paced (spec/lifecycle.md, limits).
 */
import {
  CreateEventSourceMappingCommand,
  DeleteEventSourceMappingCommand,
  GetEventSourceMappingCommand,
  ListEventSourceMappingsCommand,
  ListTagsCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateEventSourceMappingCommand,
  type CreateEventSourceMappingCommandInput,
  type EventSourceMappingConfiguration,
  type LambdaClient,
  type ListEventSourceMappingsCommandInput,
  type UpdateEventSourceMappingCommandInput,
} from '@aws-sdk/client-lambda';
import { classifyControlError, type ControlFailure } from '../../aws/classify-control.ts';
import { withDeadline } from '../../aws/deadline.ts';
import type { Clock } from '../../lib/clock.ts';
import type { SluiceError } from '../../lib/errors.ts';
import type { TagIndex } from './tag-index.ts';

/** A mapping as AWS describes it. */
export type Configuration = EventSourceMappingConfiguration;
export type CreateInput = CreateEventSourceMappingCommandInput;
export type UpdateInput = Omit<UpdateEventSourceMappingCommandInput, 'UUID'>;
export type Tags = Readonly<Record<string, string>>;

/** What the control plane refused, as an error that carries its kind. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly failure: ControlFailure;

  constructor(failure: ControlFailure) {
    super(failure.error.message, { cause: failure.error });
    this.failure = failure;
  }
}

/**
 * The calls of the backend. Failures are thrown as `ControlError`. Where a call names a freshness, an implementation
 * may answer from what it has read before; `now`, which is the default, is always AWS's own answer.
 */
export interface MappingApi {
  get(uuid: string, signal: AbortSignal, freshness?: Freshness): Promise<Configuration | undefined>;
  /** Every mapping of a source. */
  list(eventSourceARN: string, signal: AbortSignal, freshness?: Freshness): Promise<readonly Configuration[]>;
  /** Every mapping of a function, the only way to find those of self-managed Kafka. */
  listByFunction(
    functionName: string,
    signal: AbortSignal,
    freshness?: Freshness,
  ): Promise<readonly Configuration[]>;
  create(input: CreateInput, signal: AbortSignal): Promise<Configuration>;
  update(uuid: string, input: UpdateInput, signal: AbortSignal): Promise<Configuration>;
  /** Undefined when it is gone already. */
  delete(uuid: string, signal: AbortSignal): Promise<Configuration | undefined>;
  /**
   * Where `recent` will do and nothing is known, `presumed` stands for what was read or written before; and what an
   * index of tags shows will do that `isProof` takes for one.
   */
  tags(
    arn: string,
    signal: AbortSignal,
    freshness?: Freshness,
    presumed?: Tags,
    isProof?: (tags: Tags) => boolean,
  ): Promise<Tags>;
  tag(arn: string, tags: Tags, signal: AbortSignal): Promise<void>;
  untag(arn: string, keys: readonly string[], signal: AbortSignal): Promise<void>;
}

/** One page of all mappings of the account and Region. */
export interface Page {
  readonly mappings: readonly Configuration[];
  /** Where the next page begins; undefined after the last one. */
  readonly next: string | undefined;
}

/** All mappings of an account and Region, whoever made them. */
export interface AccountApi {
  /** A page of up to 100; `marker` is undefined for the first. */
  page(marker: string | undefined, signal: AbortSignal): Promise<Page>;
  /** The mappings of the cluster by the index of tags, if there is one. */
  readonly tagged?: TagIndex;
}

/** How old an answer may be: `now` is read anew, `just` may be of a moment ago, `recent` of the last look at all. */
export type Freshness = 'now' | 'just' | 'recent';

/** How long a call may last, the answer's body included: the SDK's own time-outs end with the head. */
const deadlineMs = 30_000;

/**
 * The API over an SDK client. `pace` resolves when the next call may be made. With a clock each call has a deadline, so
 * that a server which begins an answer and falls silent holds nobody up.
 */
export function mappingApi(
  client: LambdaClient,
  pace: (signal: AbortSignal) => Promise<void>,
  clock?: Clock,
): MappingApi & AccountApi {
  const call = async <T>(
    action: string,
    resource: string,
    signal: AbortSignal,
    send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> => {
    await pace(signal);
    try {
      if (clock === undefined) return await send({ abortSignal: signal });
      return await withDeadline(clock, deadlineMs, signal, (limited) => send({ abortSignal: limited }));
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ControlError(classifyControlError(error, { action: `lambda:${action}`, resource }));
    }
  };
  const orGone = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (error instanceof ControlError && error.failure.kind === 'not-found') return undefined;
      throw error;
    }
  };
  const page = async (
    query: ListEventSourceMappingsCommandInput,
    resource: string,
    signal: AbortSignal,
  ): Promise<Page> => {
    const input = { ...query, MaxItems: 100 };
    const answer = await call('ListEventSourceMappings', resource, signal, (options) =>
      client.send(new ListEventSourceMappingsCommand(input), options),
    );
    return {
      mappings: answer.EventSourceMappings ?? [],
      next: answer.NextMarker === '' ? undefined : answer.NextMarker,
    };
  };
  const list = async (
    query: ListEventSourceMappingsCommandInput,
    resource: string,
    signal: AbortSignal,
  ): Promise<readonly Configuration[]> => {
    const found: Configuration[] = [];
    let marker: string | undefined;
    do {
      // A page may be empty and still have a successor.
      const { mappings, next } = await page({ ...query, Marker: marker }, resource, signal);
      found.push(...mappings);
      marker = next;
    } while (marker !== undefined);
    return found;
  };
  return {
    page: (marker, signal) => page({ Marker: marker }, '*', signal),
    get: (uuid, signal) =>
      orGone(
        call('GetEventSourceMapping', uuid, signal, (options) =>
          client.send(new GetEventSourceMappingCommand({ UUID: uuid }), options),
        ),
      ),
    list: (eventSourceARN, signal) => list({ EventSourceArn: eventSourceARN }, eventSourceARN, signal),
    listByFunction: (functionName, signal) => list({ FunctionName: functionName }, functionName, signal),
    create: (input, signal) =>
      call('CreateEventSourceMapping', input.EventSourceArn ?? '', signal, (options) =>
        client.send(new CreateEventSourceMappingCommand(input), options),
      ),
    update: (uuid, input, signal) =>
      call('UpdateEventSourceMapping', uuid, signal, (options) =>
        client.send(new UpdateEventSourceMappingCommand({ ...input, UUID: uuid }), options),
      ),
    delete: (uuid, signal) =>
      orGone(
        call('DeleteEventSourceMapping', uuid, signal, (options) =>
          client.send(new DeleteEventSourceMappingCommand({ UUID: uuid }), options),
        ),
      ),
    async tags(arn, signal) {
      const answer = await orGone(
        call('ListTags', arn, signal, (options) =>
          client.send(new ListTagsCommand({ Resource: arn }), options),
        ),
      );
      return answer?.Tags ?? {};
    },
    async tag(arn, tags, signal) {
      await call('TagResource', arn, signal, async (options) =>
        done(await client.send(new TagResourceCommand({ Resource: arn, Tags: { ...tags } }), options)),
      );
    },
    async untag(arn, keys, signal) {
      await call('UntagResource', arn, signal, async (options) =>
        done(await client.send(new UntagResourceCommand({ Resource: arn, TagKeys: [...keys] }), options)),
      );
    },
  };
}

/**
 * Throws unless a call without an answer was carried out. The SDK reads no body where none is expected, so that any
 * page with status 200 would pass for success; Lambda answers 204.
 */
function done({ $metadata }: { readonly $metadata: { readonly httpStatusCode?: number | undefined } }): void {
  if ($metadata.httpStatusCode !== 204)
    throw Object.assign(new SyntaxError('not an answer of AWS Lambda'), { $metadata });
}

/** The documented error behind whatever an API call threw. */
export function errorOf(error: unknown): unknown {
  return error instanceof ControlError ? (error.failure.error satisfies SluiceError) : error;
}
