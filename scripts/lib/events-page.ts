/** `docs/reference/events.md`: the Kubernetes Events that Sluice records on a mapping. */
import { reasons } from '../../src/api/conditions.ts';
import { conditionEvents, kubernetesEvents } from '../../src/controller/events.ts';
import { cell, heading, page, table } from './markdown.ts';
import type { GeneratedFile } from './generated.ts';

export function eventsPage(): GeneratedFile {
  const named = Object.entries(kubernetesEvents).map(([reason, { type, when }]) => [
    `\`${reason}\``,
    type,
    cell(when),
    cell(reasons[reason as keyof typeof kubernetesEvents].fix),
  ]);
  const conditions = Object.entries(conditionEvents).map(([condition, { type, when }]) => [
    `\`${condition}\``,
    type,
    cell(when),
  ]);
  return {
    path: 'docs/reference/events.md',
    text: page(
      'Events',
      'The controller records Events on an EventSourceMapping: `kubectl describe esm NAME` shows them. An Event marks a change, once; what holds is in the [conditions](conditions.md). Equal Events of one mapping are counted, not repeated, and each mapping has a budget, as with other controllers.',
      heading('Events with a reason of their own'),
      table(['Reason', 'Type', 'When', 'What to do'], named),
      heading('Events that tell a condition'),
      'Their reason is the reason of the condition, from the [table of reasons](conditions.md#reasons).',
      table(['Condition', 'Type', 'When'], conditions),
    ),
  };
}
