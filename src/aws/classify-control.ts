/**
 * Errors of Lambda's event-source-mapping API, as the reconciler needs them told apart. Texts are AWS's own; where
 * one code stands for several situations the text decides, and an unknown text falls on the careful side (terminal).
 */
import { backoff, messageOf, SluiceError } from '../lib/errors.ts';
import { classifyWith, controlReasons, describe, faultOf, type AwsCall, type AwsFault } from './classify.ts';
import { factsOf, type AwsErrorFacts } from './error-facts.ts';

/** What the control plane refused, with the error to report. */
export type ControlFailure =
  /** The mapping is changing: wait until it has settled. */
  | { readonly kind: 'in-use'; readonly error: SluiceError }
  /** A mapping of this source and function exists, or two changes met. The UUID if AWS named it. */
  | { readonly kind: 'conflict'; readonly uuid: string | undefined; readonly error: SluiceError }
  /** The mapping (or what a tag call names) does not exist. */
  | { readonly kind: 'not-found'; readonly error: SluiceError }
  /** The function does not exist. */
  | { readonly kind: 'function-not-found'; readonly error: SluiceError }
  /** IAM has not spread yet: the same request is worth a few minutes of tries. */
  | { readonly kind: 'propagating'; readonly error: SluiceError }
  /** No retry helps until the spec or AWS changes. */
  | { readonly kind: 'rejected'; readonly error: SluiceError }
  | { readonly kind: 'denied'; readonly error: SluiceError }
  | { readonly kind: 'throttled'; readonly error: SluiceError }
  /** The service failed or could not be reached; a write may have happened all the same. */
  | { readonly kind: 'unavailable'; readonly error: SluiceError };

const uuidAtEnd = /\bUUID\s+([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\W*$/i;
const propagationTexts = [
  'cannot be assumed by lambda',
  'execution role does not have permissions',
  'ensure the role can perform',
];

/** What an error of the mapping API means. */
export function classifyControlError(error: unknown, call: AwsCall): ControlFailure {
  const facts = factsOf(error);
  const fault = faultOf(facts);
  // The whole text: the UUID of a conflict stands at its end, behind what may be a long list of servers.
  const words = messageOf(error);
  const text = words.toLowerCase();
  const retried = (reason: string): SluiceError =>
    new SluiceError(reason, describe(fault, facts, call), backoff, { cause: new Error(facts.detail) });

  if (facts.code === 'ResourceInUseException') return { kind: 'in-use', error: retried('Progressing') };
  if (facts.code === 'ResourceConflictException') {
    return {
      kind: 'conflict',
      uuid: uuidAtEnd.exec(words)?.[1]?.toLowerCase(),
      // Without a UUID two changes met, which passes.
      error: retried(uuidAtEnd.test(words) ? 'Conflict' : 'Progressing'),
    };
  }
  // By its name alone: a gateway that knows no such path must not make a mapping pass for deleted.
  if (facts.code === 'ResourceNotFoundException') {
    return text.includes('function not found')
      ? { kind: 'function-not-found', error: retried('FunctionNotFound') }
      : { kind: 'not-found', error: retried('Progressing') };
  }
  if (facts.code === 'InvalidParameterValueException') {
    if (propagationTexts.some((part) => text.includes(part))) {
      return { kind: 'propagating', error: roleError(words, facts, call) };
    }
    if (/function (does not exist|not found)|cannot find function/.test(text)) {
      return { kind: 'function-not-found', error: retried('FunctionNotFound') };
    }
  }

  return { kind: kindsByFault[fault], error: classifyWith(controlReasons, error, call) };
}

/** What the function's execution role lacks, by the action's name as IAM has it, and AWS's own words. */
function roleError(words: string, facts: AwsErrorFacts, call: AwsCall): SluiceError {
  const missing = missingActions(words).map((action) => `\`${action}\``);
  const lacks =
    missing.length === 0
      ? "The function's execution role lacks a permission"
      : `The function's execution role lacks ${missing.join(', ')}`;
  return new SluiceError(
    'ExecutionRoleAccessDenied',
    `${lacks}; ${describe('rejected', facts, call)}`,
    backoff,
    { cause: new Error(facts.detail) },
  );
}

function missingActions(words: string): readonly string[] {
  if (/cannot be assumed by lambda/i.test(words)) return ['sts:AssumeRole'];
  const one = /permissions to call (\w+) on (\w+)/i.exec(words);
  if (one !== null) return [`${(one[2] ?? '').toLowerCase()}:${one[1] ?? ''}`];
  const several = /can perform the ([\w, ]+?) actions? on your (?:stream|topic|cluster)/i.exec(words)?.[1];
  const service = /\barn:[\w-]+:(kinesis|dynamodb|kafka)\b/i.exec(words)?.[1] ?? 'kinesis';
  return (several?.split(/,\s*(?:and\s+)?|\s+and\s+/) ?? [])
    .filter((action) => action !== '')
    .map((action) => `${service}:${action}`);
}

const kindsByFault = {
  'not-found': 'not-found',
  denied: 'denied',
  'kms-denied': 'denied',
  'credentials-missing': 'denied',
  'credentials-expired': 'denied',
  'credentials-invalid': 'denied',
  'clock-skew': 'denied',
  throttled: 'throttled',
  'over-limit': 'throttled',
  'kms-throttled': 'throttled',
  rejected: 'rejected',
  'too-large': 'rejected',
  'wrong-region': 'rejected',
  'receipt-invalid': 'rejected',
  unreachable: 'unavailable',
  failed: 'unavailable',
} as const satisfies Readonly<Record<AwsFault, ControlFailure['kind']>>;
