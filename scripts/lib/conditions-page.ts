/** `docs/reference/conditions.md`: condition types and the table of reasons. */
import { conditionTypes, reasons } from '../../src/api/conditions.ts';
import { cell, heading, page, table } from './markdown.ts';
import type { GeneratedFile } from './generated.ts';

export function conditionsPage(): GeneratedFile {
  const types = Object.entries(conditionTypes).map(([name, { description }]) => [
    `\`${name}\``,
    cell(description),
  ]);
  const rows = Object.entries(reasons).map(([name, { description, fix }]) => [
    `\`${name}\``,
    cell(description),
    cell(fix),
  ]);
  return {
    path: 'docs/reference/conditions.md',
    text: page(
      'Conditions and reasons',
      'Every condition of an EventSourceMapping carries `observedGeneration`; `Reconciling`, `Stalled`, `Paused` and `HandingOver` are there only while they are True.',
      heading('Conditions'),
      table(['Condition', 'Meaning'], types),
      heading('Reasons'),
      'A reason is the same word in conditions, in Events and in the label `reason` of metrics.',
      table(['Reason', 'Meaning', 'What to do'], rows),
    ),
  };
}
