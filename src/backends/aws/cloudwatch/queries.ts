/**
 * From mappings to what is asked of CloudWatch: each metric once, however many mappings share it, and as many to a call
 * as it takes. Pure.
 */
import type { FollowedSeries } from './events.ts';
import type { WantedMetric } from './wanted.ts';

/** A live mapping whose metrics are followed. */
export interface FollowedMapping {
  readonly namespace: string;
  readonly name: string;
  readonly uuid: string;
  readonly sourceType: string;
  readonly destinationType: string;
  readonly metrics: readonly WantedMetric[];
}

/** One metric as it is asked for, with the series that show it. */
export interface Query {
  /** The metric within its place. */
  readonly key: string;
  readonly metric: WantedMetric;
  readonly readers: readonly Reader[];
}

export interface Reader {
  readonly uuid: string;
  readonly series: FollowedSeries;
}

/** Metrics that one call takes. */
export const mostQueries = 500;

/** What is asked for these mappings of one place, in calls. */
export function queriesOf(mappings: readonly FollowedMapping[]): readonly (readonly Query[])[] {
  const queries = new Map<string, { key: string; metric: WantedMetric; readers: Reader[] }>();
  for (const mapping of mappings) {
    const { namespace, name, uuid, sourceType, destinationType } = mapping;
    for (const metric of mapping.metrics) {
      const key = [metric.name, ...metric.dimensions.map(({ Value }) => Value)].join(' ');
      let query = queries.get(key);
      if (query === undefined) queries.set(key, (query = { key, metric, readers: [] }));
      const series = { namespace, name, sourceType, destinationType, metric: metric.name };
      query.readers.push({ uuid, series });
    }
  }
  const all = [...queries.values()];
  const calls = Math.ceil(all.length / mostQueries);
  return Array.from({ length: calls }, (_, call) => all.slice(call * mostQueries, (call + 1) * mostQueries));
}

/** What makes a series of /metrics: two mappings of one name, one after the other, have the same. */
export function seriesKey({ namespace, name, sourceType, destinationType, metric }: FollowedSeries): string {
  return [namespace, name, sourceType, destinationType, metric].join(' ');
}
