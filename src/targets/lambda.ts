/**
 * A Lambda function as the engine's `Target`: Invoke, synchronously, with the exact event. The function is named as
 * the mapping names it: a name, a partial or a full ARN, each with an optional version or alias. Lambda has no
 * idempotency key for an invocation; repeats are visible to the function by the records alone.
 */
import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  type InvokeCommandInput,
} from '@aws-sdk/client-lambda';
import { parseArn } from '../api/arn.ts';
import type { AwsClients } from '../aws/clients.ts';
import type { AwsIdentity } from '../aws/credentials.ts';
import { withDeadline } from '../aws/deadline.ts';
import type { Invocation, Outcome, Target } from '../poller/ports.ts';
import { answerBytesMax, boundAnswer, isHeaderValue, traceHeader } from './lambda-middleware.ts';
import { outcomeOfAnswer, outcomeOfError } from './lambda-outcome.ts';
import { invokeKind, invokeSigned } from './lambda-signed.ts';

/** No function runs longer. */
export const functionTimeoutMaxMs = 900_000;

export interface LambdaTargetOptions {
  readonly clients: AwsClients;
  readonly identity: AwsIdentity;
  /** As in `functionName`. */
  readonly functionName: string;
  /** Region of a function that names none; by custom that of the source. */
  readonly region?: string | undefined;
  /** The function's own time-out; default the longest there is. */
  readonly timeoutMs?: number | undefined;
  /**
   * Beyond the function's own time: queueing, the way there and back; default 10 s. So that Lambda's own time-out
   * comes first, which leaves no function running that nobody waits for.
   */
  readonly marginMs?: number | undefined;
}

/** The Region that a function's name gives, if it gives one. */
export function regionOfFunction(functionName: string): string | undefined {
  const region = parseArn(functionName)?.region;
  return region === '' ? undefined : region;
}

/** Opens a function. Makes no call. */
export function lambdaTarget(options: LambdaTargetOptions): Target {
  const { clients, identity, functionName } = options;
  const region = regionOfFunction(functionName) ?? options.region;
  const timeoutMs = options.timeoutMs ?? functionTimeoutMaxMs;
  const deadlineMs = timeoutMs + (options.marginMs ?? 10_000);

  if (clients.pollClient === 'signed') {
    const lease = clients.signedLambda({ region, identity }, answerBytesMax);
    const kind = invokeKind(lease.client, functionName);
    return {
      type: 'lambda',
      timeoutMs,
      invoke: async ({ event, records }, signal) => {
        try {
          const traceHeader = traceHeaderOf(records);
          const call = { kind, event, traceHeader };
          return outcomeOfAnswer(await invokeSigned(lease.client, call, deadlineMs, signal), functionName);
        } catch (error) {
          return outcomeOfError(signal.aborted ? signal.reason : error, functionName);
        }
      },
      close: async () => lease.release(),
    };
  }

  const lease = clients.lambda({ region, identity }, 'invoke');
  const send = async (invocation: Invocation, abortSignal: AbortSignal): Promise<Outcome> => {
    const input: InvokeCommandInput = {
      FunctionName: functionName,
      InvocationType: 'RequestResponse',
      Payload: Buffer.from(invocation.event),
    };
    const command = new InvokeCommand(input);
    boundAnswer(command.middlewareStack);
    const header = traceHeaderOf(invocation.records);
    if (header !== undefined) traceHeader(command.middlewareStack, header);
    return outcomeOfAnswer(await lease.client.send(command, { abortSignal }), functionName);
  };

  return {
    type: 'lambda',
    timeoutMs,
    invoke: async (invocation, signal) => {
      try {
        return await withDeadline(clients.clock, deadlineMs, signal, (cut) => send(invocation, cut));
      } catch (error) {
        return outcomeOfError(signal.aborted ? signal.reason : error, functionName);
      }
    },
    close: async () => lease.release(),
  };
}

/** A batch has one invocation and so one trace: that of the first record which has any. */
function traceHeaderOf(records: Invocation['records']): string | undefined {
  const header = records.find((record) => record.traceHeader !== undefined)?.traceHeader;
  return header === undefined || !isHeaderValue(header) ? undefined : header;
}

/**
 * The function's own time-out, or undefined when it may not be read or does not exist (yet). It lets the engine keep
 * messages invisible for what the function really takes.
 */
export async function readFunctionTimeoutMs(
  options: Omit<LambdaTargetOptions, 'timeoutMs' | 'marginMs'>,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { clients, identity, functionName } = options;
  const region = regionOfFunction(functionName) ?? options.region;
  using lease = clients.lambda({ region, identity }, 'control');
  try {
    const command = new GetFunctionConfigurationCommand({ FunctionName: functionName });
    // Nice to have: a slow control plane must not hold up the start of a mapping.
    const { Timeout } = await withDeadline(clients.clock, 5_000, signal, (abortSignal) =>
      lease.client.send(command, { abortSignal }),
    );
    return Timeout === undefined ? undefined : Timeout * 1000;
  } catch {
    return undefined;
  }
}
