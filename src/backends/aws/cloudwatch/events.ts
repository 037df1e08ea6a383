/** What following CloudWatch's metrics of live mappings tells. */
import type { MetricName } from './wanted.ts';

/** One metric of one mapping. */
export interface FollowedSeries {
  readonly namespace: string;
  readonly name: string;
  readonly sourceType: string;
  /** The service of the destination on failure, such as `sqs`; empty where there is none. */
  readonly destinationType: string;
  readonly metric: MetricName;
}

export type CloudWatchEvent =
  /** So many metrics were asked for: what AWS bills. */
  | { readonly kind: 'metrics-asked'; readonly metrics: number }
  /** A metric that counts has grown, by 0 when it is seen for the first time. */
  | { readonly kind: 'counted'; readonly series: FollowedSeries; readonly by: number }
  /** The newest value of a metric that goes up and down. */
  | { readonly kind: 'measured'; readonly series: FollowedSeries; readonly value: number }
  /** A metric is followed no more, or has had no value for long. */
  | { readonly kind: 'ended'; readonly series: FollowedSeries }
  /** A round of one place was cut short; it is made good in a later one. */
  | {
      readonly kind: 'round-failed';
      readonly place: string;
      /** A documented reason, or the status of a metric's data. */
      readonly reason: string;
      readonly detail: string;
      /** Not the same failure as in the round before. */
      readonly isNew: boolean;
    }
  /** The first whole round of a place after one that was cut short. */
  | { readonly kind: 'recovered'; readonly place: string };

export type EmitCloudWatch = (event: CloudWatchEvent) => void;
