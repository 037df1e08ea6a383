/** Whether two values mean the same to AWS although their texts differ: functions and filter patterns. Pure. */
import { parseArn, parseFunctionName } from '../../api/arn.ts';
import { readJson } from '../../lib/json.ts';

/** Whether a `functionName` names the function of an ARN; parts that it leaves out are AWS's to choose. */
export function isSameFunction(functionName: string, functionARN: string): boolean {
  const wanted = parseFunctionName(functionName);
  const found = parseFunctionName(functionARN);
  if (wanted === undefined || found === undefined || parseArn(functionARN) === undefined) return false;
  return (
    wanted.name === found.name &&
    // `name` and `name:$LATEST` are two targets, each with a mapping of its own.
    wanted.qualifier === found.qualifier &&
    (wanted.region === undefined || wanted.region === found.region) &&
    (wanted.accountID === undefined || wanted.accountID === found.accountID)
  );
}

/**
 * Whether two lists of patterns let the same records pass as far as their texts tell: filters are joined by or, so
 * their order and repetitions mean nothing, nor do white space and the order of members. The order within arrays is
 * kept: AWS reads them as sets too, but an edit of it is an edit that its user wants to see.
 */
export function isSamePatterns(desired: readonly string[], observed: readonly string[]): boolean {
  const [wanted, found] = [new Set(desired.map(canonical)), new Set(observed.map(canonical))];
  return wanted.size === found.size && wanted.isSubsetOf(found);
}

/** A pattern's value as one text: members in their order by name; text that is no JSON as it is. */
function canonical(pattern: string): string {
  const read = readJson(pattern);
  return read.ok ? JSON.stringify(read.value, sorted) : pattern;
}

function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'toJSON' in value) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
