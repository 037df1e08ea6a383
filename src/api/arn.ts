/**
 * ARNs: taken apart, put together, completed. Pure. Partial ARNs (`arn:aws:sqs:::orders`) are legal in a spec; they
 * become full ones here, from the mapping's `aws` or its class. Nothing is asked of AWS.
 */

/** An ARN in its parts; Region and account may be empty. */
export interface Arn {
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly accountID: string;
  /** Everything after the fifth colon. */
  readonly resource: string;
}

/** Where a partial ARN gets its missing parts from. */
export interface Place {
  readonly region?: string | undefined;
  readonly accountID?: string | undefined;
}

/** A completed ARN, or what is missing. */
export type Completion =
  | { readonly kind: 'complete'; readonly arn: Arn; readonly text: string; readonly completed: boolean }
  | { readonly kind: 'incomplete'; readonly missing: readonly ('region' | 'accountID')[] }
  | { readonly kind: 'invalid' };

/** Services whose ARNs have no Region or no account, by AWS's design. */
const global = new Set(['s3', 'iam']);

/** The parts of an ARN, or undefined for any other text. */
export function parseArn(text: string): Arn | undefined {
  const [prefix, partition, service, region, accountID, ...rest] = text.split(':');
  const resource = rest.join(':');
  if (
    prefix !== 'arn' ||
    !partition ||
    !service ||
    region === undefined ||
    accountID === undefined ||
    resource === ''
  ) {
    return undefined;
  }
  return { partition, service, region, accountID, resource };
}

/** The text of an ARN. */
export function formatArn(arn: Arn): string {
  return `arn:${arn.partition}:${arn.service}:${arn.region}:${arn.accountID}:${arn.resource}`;
}

/** Fills the empty Region and account of an ARN. What the ARN says itself is never overridden. */
export function completeArn(text: string, place: Place): Completion {
  const arn = parseArn(text);
  if (arn === undefined) return { kind: 'invalid' };
  if (global.has(arn.service)) return { kind: 'complete', arn, text, completed: false };
  const region = arn.region || place.region;
  const accountID = arn.accountID || place.accountID;
  if (!region || !accountID) {
    return {
      kind: 'incomplete',
      missing: [...(region ? [] : ['region' as const]), ...(accountID ? [] : ['accountID' as const])],
    };
  }
  const full = { ...arn, region, accountID };
  return {
    kind: 'complete',
    arn: full,
    text: formatArn(full),
    completed: arn.region === '' || arn.accountID === '',
  };
}

/** The partition that a Region belongs to, by its name. */
export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  if (region.startsWith('us-gov-')) return 'aws-us-gov';
  if (region.startsWith('us-iso-')) return 'aws-iso';
  if (region.startsWith('us-isob-')) return 'aws-iso-b';
  if (region.startsWith('eu-isoe-')) return 'aws-iso-e';
  if (region.startsWith('us-isof-')) return 'aws-iso-f';
  if (region.startsWith('eusc-')) return 'aws-eusc';
  return 'aws';
}

/** A Lambda function as `functionName` names it; what the text leaves out is absent. */
export interface FunctionReference {
  readonly name: string;
  /** Version or alias, kept verbatim: `name` and `name:$LATEST` are different targets. */
  readonly qualifier?: string;
  readonly partition?: string;
  readonly region?: string;
  readonly accountID?: string;
}

/** The parts of a `functionName`: a name, `ACCOUNT:function:NAME`, or an ARN, each with an optional qualifier. */
export function parseFunctionName(text: string): FunctionReference | undefined {
  const arn = text.startsWith('arn:') ? parseArn(text) : undefined;
  if (text.startsWith('arn:') && (arn === undefined || arn.service !== 'lambda')) return undefined;
  const parts = (arn?.resource ?? text).split(':');
  const accountID =
    arn?.accountID || (/^\d{12}$/.test(parts[0] ?? '') && parts.length > 1 ? parts.shift() : undefined);
  if (parts[0] === 'function') parts.shift();
  const [name, qualifier, ...more] = parts;
  if (name === undefined || name === '' || more.length > 0) return undefined;
  return {
    name,
    ...(qualifier === undefined ? {} : { qualifier }),
    ...(arn === undefined ? {} : { partition: arn.partition }),
    ...(arn?.region ? { region: arn.region } : {}),
    ...(accountID ? { accountID } : {}),
  };
}

/** The full function ARN, or undefined while Region or account is unknown. */
export function functionArn(reference: FunctionReference, place: Place): string | undefined {
  const region = reference.region ?? place.region;
  const accountID = reference.accountID ?? place.accountID;
  if (!region || !accountID) return undefined;
  const partition = reference.partition ?? partitionOf(region);
  const qualifier = reference.qualifier === undefined ? '' : `:${reference.qualifier}`;
  return `arn:${partition}:lambda:${region}:${accountID}:function:${reference.name}${qualifier}`;
}
