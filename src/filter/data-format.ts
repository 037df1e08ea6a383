/**
 * The format of a record's data against that of a pattern: a pattern for members never matches text, and a pattern for
 * text never matches an object, whatever it allows to be absent. That is Lambda's rule for the member that a source
 * reads as JSON before matching; no other member knows it. Pure.
 */
import { ExactNumber } from '../lib/json.ts';
import type { Rule } from './pattern.ts';

/** What a rule asks of the member's format; undefined if it does not name it. */
export interface DataFormat {
  readonly key: string;
  /** It has a condition on the member itself. */
  readonly asText: boolean;
  /** It has a condition below the member. */
  readonly asMembers: boolean;
}

export function dataFormatOf(rule: Rule, key: string): DataFormat | undefined {
  const asText = rule.some(({ path }) => path === key);
  const asMembers = rule.some(({ path }) => path.startsWith(`${key}.`));
  return asText || asMembers ? { key, asText, asMembers } : undefined;
}

/** Whether the event's data may match at all. Data that is not there decides nothing. */
export function fitsFormat({ key, asText, asMembers }: DataFormat, event: object): boolean {
  if (!Object.hasOwn(event, key)) return true;
  const data: unknown = (event as Readonly<Record<string, unknown>>)[key];
  const isLeaf = typeof data !== 'object' || data === null || data instanceof ExactNumber;
  return isLeaf ? !asMembers : !asText || Array.isArray(data);
}
