/** `docs/reference/metrics.md` and the recorded names of /metrics, both from the one list of metrics. */
import { definitions, type Definition } from '../../src/telemetry/metrics.ts';
import { cell, heading, page, table } from './markdown.ts';
import type { GeneratedFile } from './generated.ts';

const metrics = Object.entries<Definition>(definitions);

/** Name, type, help and labels of every metric: a change here is a change for dashboards and alerts. */
export function metricsGolden(): GeneratedFile {
  const lines = metrics.map(([name, { kind, help, labels, buckets }]) =>
    [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${kind}`,
      `${name}{${labels.join(',')}}`,
      ...(buckets === undefined ? [] : [`  le ${buckets.join(' ')}`]),
    ].join('\n'),
  );
  return { path: 'test/golden/metrics.txt', text: `${lines.join('\n')}\n` };
}

export function metricsPage(): GeneratedFile {
  const own = metrics.filter(([name]) => name.startsWith('sluice_'));
  const others = metrics.filter(([name]) => !name.startsWith('sluice_'));
  return {
    path: 'docs/reference/metrics.md',
    text: page(
      'Metrics',
      'Every process serves `/metrics` in the text format of Prometheus. Names and labels are stable: a change is announced as breaking.',
      'Metrics of a mapping carry `namespace`, `mapping`, `source_type` (such as `sqs`) and `origin` (`poller`: counted by Sluice itself). They go away with the mapping. Scrape with `honorLabels: true`, or Prometheus renames `namespace`. No label is ever an ARN, a message id or an error text.',
      'Counters that correspond to a CloudWatch metric of Lambda count as that one does: again on each repeat.',
      heading('Sluice'),
      table(['Name', 'Type', 'Labels', 'Meaning', 'CloudWatch', 'Cost'], own.map(rowOf)),
      heading('Control plane'),
      'Under the names that client-go and controller-runtime use, so that existing dashboards and alerts work.',
      table(['Name', 'Type', 'Labels', 'Meaning', 'CloudWatch', 'Cost'], others.map(rowOf)),
      heading('Process'),
      'Beside these come the usual `process_*` and `nodejs_*` metrics of the Prometheus client for Node, the lag of the event loop among them.',
    ),
  };
}

function rowOf([name, { kind, help, labels, cloudwatch, cost }]: readonly [string, Definition]): string[] {
  return [
    `\`${name}\``,
    kind,
    labels.map((label) => `\`${label}\``).join(', '),
    cell(help),
    cloudwatch === undefined ? '' : `\`${cloudwatch}\``,
    cost ?? '',
  ];
}
