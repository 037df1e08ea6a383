import { describe, expect, it } from 'vitest';
import type { FollowedSeries } from '../../../src/backends/aws/cloudwatch/events.ts';
import { definitions, Metrics, type Definition } from '../../../src/telemetry/metrics.ts';
import { counterparts, narrateCloudWatch } from '../../../src/telemetry/narrate-cloudwatch.ts';
import { keptLog, seriesOf } from '../../support/lines.ts';

const series = (metric: FollowedSeries['metric']): FollowedSeries => ({
  namespace: 'shop',
  name: 'orders',
  sourceType: 'kinesis',
  destinationType: 'sns',
  metric,
});
const names = Object.keys(counterparts) as readonly FollowedSeries['metric'][];

describe('what CloudWatch counts', () => {
  it.each(names)('is shown by the name that the list of metrics gives for it: %s', (metric) => {
    const definition: Definition = definitions[counterparts[metric].name];
    expect(definition.kind).toBe(counterparts[metric].kind);
    // Without the group KafkaMetrics it is what there is of the lag.
    expect(definition.cloudwatch).toBe(metric === 'OffsetLag' ? 'SumOffsetLag' : metric);
  });

  it('is all that the list of metrics names', () => {
    const listed = Object.values<Definition>(definitions).flatMap(({ cloudwatch }) => cloudwatch ?? []);
    expect(listed.filter((name) => !names.some((each) => each === name))).toEqual([]);
  });

  it.each(names)('has every label of its metric, and goes away alone: %s', async (metric) => {
    const metrics = new Metrics({ processMetrics: false });
    const tell = narrateCloudWatch({ metrics, log: keptLog().log });
    const before = await seriesOf(metrics, true);
    const { kind, name } = counterparts[metric];
    tell(
      kind === 'counter'
        ? { kind: 'counted', series: series(metric), by: 3 }
        : { kind: 'measured', series: series(metric), value: 3 },
    );
    const [line = ''] = (await seriesOf(metrics)).filter((each) => each.startsWith(`${name}{`));
    expect([...line.matchAll(/(\w+)="[^"]+"/g)].map(([, label]) => String(label)).toSorted()).toEqual(
      [...definitions[name].labels].toSorted(),
    );
    expect(line).toContain('origin="cloudwatch"');
    tell({ kind: 'ended', series: series(metric) });
    expect(await seriesOf(metrics, true)).toEqual(before);
  });
});
