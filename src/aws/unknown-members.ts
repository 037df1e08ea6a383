/**
 * Members of Lambda's mapping API that the SDK does not know. It writes and reads what its own model names and drops the
 * rest, so a member that is newer than this release is put into the body of the request before it is signed, and taken
 * from the body of the answer.
 *
 * Guarantees: nothing that the SDK has written or read is changed; null stands for absent.
 */
import type { LambdaClient } from '@aws-sdk/client-lambda';

interface Args {
  readonly input: object;
  readonly request: { body?: unknown };
}

interface Result {
  readonly response: { readonly statusCode?: number; body?: unknown };
  readonly output?: object;
}

type Members = Record<string, unknown>;
type Step = (
  next: (args: Args) => Promise<Result>,
  context: { readonly commandName?: string },
) => (args: Args) => Promise<Result>;

const writes: ReadonlySet<string> = new Set([
  'CreateEventSourceMappingCommand',
  'UpdateEventSourceMappingCommand',
]);
const reads: ReadonlySet<string> = new Set([
  ...writes,
  'GetEventSourceMappingCommand',
  'ListEventSourceMappingsCommand',
]);

/** Lets the client pass them on, both ways, and returns it. */
export function passUnknownMembers(client: LambdaClient): LambdaClient {
  const bodies = new WeakMap<object, Members>();
  const write: Step = (next, context) => (args) => {
    if (writes.has(context.commandName ?? '')) addTo(args);
    return next(args);
  };
  const keep: Step = (next, context) => async (args) => {
    const result = await next(args);
    const { response } = result;
    if (!reads.has(context.commandName ?? '') || (response.statusCode ?? 500) >= 300) return result;
    const bytes = await bytesOf(response.body);
    response.body = bytes;
    const members = read(bytes);
    if (members !== undefined) bodies.set(args.request, members);
    return result;
  };
  const add: Step = (next) => async (args) => {
    const result = await next(args);
    const members = bodies.get(args.request);
    if (members === undefined || result.output === undefined) return result;
    const output = result.output as Members;
    merge(output, members);
    const [shown, raw] = [output['EventSourceMappings'], members['EventSourceMappings']];
    if (Array.isArray(shown) && Array.isArray(raw))
      shown.forEach((one, index) => isMembers(one) && isMembers(raw[index]) && merge(one, raw[index]));
    return result;
  };
  // The types of a stack follow its service's inputs, which these steps do not look at.
  const stack = client.middlewareStack as { add(step: Step, at: object): void };
  stack.add(write, { step: 'build', priority: 'high', name: 'sluiceWriteUnknown' });
  stack.add(keep, { step: 'deserialize', priority: 'low', name: 'sluiceKeepBody' });
  stack.add(add, { step: 'deserialize', priority: 'high', name: 'sluiceReadUnknown' });
  return client;
}

function addTo({ input, request }: Args): void {
  const { body } = request;
  const written =
    typeof body === 'string' || body instanceof Uint8Array ? read(Buffer.from(body)) : undefined;
  if (written === undefined) return;
  // It is in the path.
  const { UUID: _, ...members } = input as Members;
  const unknown = Object.entries(members).filter(
    ([name, value]) => value !== undefined && !Object.hasOwn(written, name),
  );
  if (unknown.length > 0) request.body = JSON.stringify({ ...written, ...Object.fromEntries(unknown) });
}

function merge(into: Members, from: Members): void {
  for (const [name, value] of Object.entries(from))
    if (value !== null && !Object.hasOwn(into, name)) into[name] = value;
}

async function bytesOf(body: unknown): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
    for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function read(bytes: Uint8Array): Members | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return isMembers(value) ? value : undefined;
  } catch {
    // The SDK says so, too, and better.
    return undefined;
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
