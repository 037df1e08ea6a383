/**
 * How source and target stand, by what AWS says of a mapping: the code of its state transition and the result of its
 * last invocation. Pure. Where AWS is silent health is Unknown; nothing is guessed from the state.
 */
import type { Reason } from '../../api/conditions.ts';
import type { Health } from '../../controller/backend.ts';
import type { Configuration } from './client.ts';

/** Health of both ends. */
export interface BothHealth {
  readonly sourceHealthy: Health;
  readonly targetHealthy: Health;
}

type End = keyof BothHealth;

/** Codes of `StateTransitionReason` that mean trouble, one reason each (AWS: troubleshooting MQ and Kafka mappings). */
export const transitionCodes = {
  ESM_CONFIG_NOT_VALID: { end: 'sourceHealthy', reason: 'EsmConfigNotValid' },
  EVENT_SOURCE_AUTHN_ERROR: { end: 'sourceHealthy', reason: 'EventSourceAuthnError' },
  EVENT_SOURCE_AUTHZ_ERROR: { end: 'sourceHealthy', reason: 'EventSourceAuthzError' },
  FUNCTION_CONFIG_NOT_VALID: { end: 'targetHealthy', reason: 'FunctionConfigNotValid' },
} as const satisfies Readonly<Record<string, { readonly end: End; readonly reason: Reason }>>;

/** What the texts of `LastProcessingResult` mean, the first that fits. AWS fixes only their beginning, `PROBLEM`. */
const results: readonly { readonly text: RegExp; readonly end: End; readonly reason: Reason }[] = [
  { text: /function call failed/i, end: 'targetHealthy', reason: 'FunctionError' },
  { text: /execution role/i, end: 'targetHealthy', reason: 'ExecutionRoleAccessDenied' },
  { text: /throttl/i, end: 'targetHealthy', reason: 'TargetThrottled' },
  { text: /authoriz|not permitted|access denied/i, end: 'sourceHealthy', reason: 'EventSourceAuthzError' },
  {
    text: /authentica|sasl|certificate|private key/i,
    end: 'sourceHealthy',
    reason: 'EventSourceAuthnError',
  },
  { text: /connection|timed? ?out/i, end: 'sourceHealthy', reason: 'SourceUnreachable' },
];

/** Health by AWS's own words, which are in the message. */
export function healthOf({
  StateTransitionReason: transition = '',
  LastProcessingResult: result,
}: Configuration): BothHealth {
  const code = Object.keys(transitionCodes).find((one) => transition.includes(one));
  const known = code === undefined ? undefined : transitionCodes[code as keyof typeof transitionCodes];
  if (known !== undefined) return failing(known.end, known.reason, transition);
  if (result === 'OK') return { sourceHealthy: read, targetHealthy: invoked };
  if (result?.startsWith('PROBLEM') !== true) return { sourceHealthy: silent, targetHealthy: silent };
  const meant = results.find(({ text }) => text.test(result));
  if (meant === undefined) return failing('sourceHealthy', 'ProcessingProblem', result);
  const health = failing(meant.end, meant.reason, result);
  // The function was called, so there was something to call it with.
  return meant.reason === 'FunctionError' ? { ...health, sourceHealthy: read } : health;
}

const silent: Health = { status: 'Unknown', reason: 'Unknown', message: 'AWS Lambda does not report it' };
const read: Health = { status: 'True', reason: 'ReadSucceeded', message: 'The last read succeeded' };
const invoked: Health = {
  status: 'True',
  reason: 'TargetSucceeded',
  message: 'The last invocation succeeded',
};

function failing(end: End, reason: Reason, message: string): BothHealth {
  const health: Health = { status: 'False', reason, message };
  return end === 'sourceHealthy'
    ? { sourceHealthy: health, targetHealthy: silent }
    : { sourceHealthy: silent, targetHealthy: health };
}
