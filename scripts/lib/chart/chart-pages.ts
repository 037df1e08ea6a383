/** The pages about the values of a chart: its README and `docs/reference/values.md`. */
import { cell, heading, table } from '../markdown.ts';
import type { Fields, Value } from './value.ts';

/** All values with the shape of their members, one row each. */
export function valueRows(fields: Fields, path = ''): readonly (readonly string[])[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    const at = path === '' ? name : `${path}.${name}`;
    return [[`\`${at}\``, value.type, defaultText(value), cell(value.text)], ...below(value, at)];
  });
}

/** Tables of everything, one for each group at the top, below headings of a level. */
export function valueSections(fields: Fields, level: number): readonly string[] {
  const head = ['Value', 'Type', 'Default', 'Meaning'];
  const grouped = Object.entries(fields).filter(([, value]) => isGroup(value));
  const single = Object.entries(fields).filter(([, value]) => !isGroup(value));
  return [
    heading('At the top', level),
    table(head, valueRows(Object.fromEntries(single))),
    ...grouped.flatMap(([name, value]) => [
      heading(`\`${name}\``, level),
      value.text,
      table(head, below(value, name)),
    ]),
  ];
}

const isGroup = (value: Value): boolean => value.fields !== undefined;

function below(value: Value, at: string): readonly (readonly string[])[] {
  // A pool has the values of `poller`, which are told there.
  if (at === 'pools') return [];
  if (value.entry?.fields !== undefined) return valueRows(value.entry.fields, `${at}.*`);
  return value.fields === undefined ? [] : valueRows(value.fields, at);
}

function defaultText({ initial, fields }: Value): string {
  if (initial === undefined || fields !== undefined) return '';
  return `\`${cell(JSON.stringify(initial))}\``;
}
