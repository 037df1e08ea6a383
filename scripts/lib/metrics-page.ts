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
      'Metrics of a mapping carry `namespace`, `mapping`, `source_type` (such as `sqs`) and `origin` (`poller`: counted by Sluice itself; `cloudwatch`: by AWS, in Managed mode). They go away with the mapping. Scrape with `honorLabels: true`, or Prometheus renames `namespace`. No label is ever an ARN, a message id or an error text.',
      'Counters that correspond to a CloudWatch metric of Lambda count as that one does: again on each repeat.',
      heading('Sluice'),
      table(['Name', 'Type', 'Labels', 'Meaning', 'CloudWatch', 'Cost'], own.map(rowOf)),
      heading('From CloudWatch'),
      'With `--cloudwatch-metrics true` the controller that leads shows what CloudWatch has of mappings in Managed mode, with `origin="cloudwatch"`: the metrics above that name one of CloudWatch. Only what AWS gives for the source is asked for, and only groups that the mapping has in `metricsConfig`: each is [paid for](../explanation/managed-cost.md#metrics-of-cloudwatch). Each minute is read again until it is half an hour old, so that what comes late or still grows counts, once; after a failure, up to three hours back. Where CloudWatch does not tell what a label asks for (`reason`, `code`, `class`) it is `unspecified`.',
      'Counters begin at 0 with the controller and count minutes from the next whole one on; what happens while no controller leads, and in the minutes before, is left out. A gauge whose newest value is older than a quarter of an hour goes away. Series of mappings that are deleted go at once, those that are not in Managed mode any more with the next round.',
      'A round that fails (denied, throttled, no answer) is told once in the log and counted in `sluice_cloudwatch_rounds_failed_total`; mappings are kept in step all the same.',
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
