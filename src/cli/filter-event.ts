/** An event's JSON text, as a source would hand it over → the value that filter patterns match. */
import { readJson } from '../lib/json.ts';
import { filterableSqsRecord, sqsDataKey } from '../sources/sqs/filterable.ts';

/** Sources whose records can be matched: `raw` is the event as it is. */
export const filterSources = ['raw', 'sqs'] as const;
export type FilterSource = (typeof filterSources)[number];

/** Sources that the resource knows and filters do not yet. */
const laterSources = new Set(['kinesis', 'dynamodb', 'msk', 'kafka', 'mq', 'rabbitmq']);

/** The named source, or a sentence that says why there is none. */
export function parseFilterSource(
  name: unknown,
): { readonly source: FilterSource } | { readonly problem: string } {
  const source = filterSources.find((known) => known === name);
  if (source !== undefined) return { source };
  const allowed = `\`source\` must be ${filterSources.join(' or ')}`;
  if (typeof name !== 'string')
    return { problem: `${allowed}, found ${name === undefined ? 'nothing' : 'another type'}` };
  if (laterSources.has(name)) return { problem: `${allowed}: ${name} is not supported yet` };
  return { problem: `${allowed}, found ${JSON.stringify(name.slice(0, 40))}` };
}

/** The member that the source reads as JSON before matching. */
export function dataKeyOf(source: FilterSource): string | undefined {
  return source === 'sqs' ? sqsDataKey : undefined;
}

/** The value that patterns match, or why the text is no event. */
export function readFilterEvent(
  source: FilterSource,
  text: string,
): { readonly event: object } | { readonly problem: string } {
  const json = readJson(text);
  if (!json.ok) {
    const { line, column, message } = json.error;
    return { problem: `\`event\` must be JSON text: line ${line}, column ${column} has ${message}` };
  }
  const { value } = json;
  // event-ruler and EventBridge refuse an event that is not an object; no mapping ever makes one.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { problem: '`event` must be the JSON text of an object' };
  }
  return { event: source === 'sqs' ? (filterableSqsRecord(value) as object) : value };
}
