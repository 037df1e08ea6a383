import type { AskMetricData, MetricDataPage, Window } from '../../src/backends/aws/cloudwatch/metric-data.ts';
import type { Query } from '../../src/backends/aws/cloudwatch/queries.ts';
import type { MetricName, WantedMetric } from '../../src/backends/aws/cloudwatch/wanted.ts';

/** CloudWatch's data points in memory, by metric and dimensions: one value a minute. */
export class MetricStore {
  readonly #values = new Map<string, Map<number, number>>();
  /** Data points of one page. */
  pageSize = 100_800;
  /** Every call, in order. */
  readonly calls: {
    readonly queries: readonly Query[];
    readonly window: Window;
    readonly token: string | undefined;
  }[] = [];
  /** Runs before a call is answered; what it throws is what the call meets. */
  before: (call: MetricStore['calls'][number]) => Promise<void> | void = () => undefined;
  /** Of metrics that are not just `Complete`. */
  readonly statuses = new Map<MetricName, string>();

  /** Sets the value of a minute; `dimensions` are values in their order, such as a UUID. */
  put(name: MetricName, dimensions: string, atMs: number, value: number): void {
    const key = `${name} ${dimensions}`;
    let values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, (values = new Map()));
    values.set(atMs, value);
  }

  /** The data points of a metric within a window, oldest first. */
  read({ name, dimensions }: Pick<WantedMetric, 'name' | 'dimensions'>, { fromMs, toMs }: Window) {
    const key = [name, ...dimensions.map(({ Value }) => Value)].join(' ');
    const all = [...(this.#values.get(key) ?? [])].map(([atMs, value]) => ({ atMs, value }));
    return all
      .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      .toSorted((one, other) => one.atMs - other.atMs);
  }

  readonly ask: AskMetricData = async (queries, window, token): Promise<MetricDataPage> => {
    const call = { queries, window, token };
    this.calls.push(call);
    await this.before(call);
    const all = queries.flatMap((query) =>
      this.read(query.metric, window).map((point) => ({ query, point })),
    );
    const from = Number(token ?? 0);
    const shown = all.slice(from, from + this.pageSize);
    const isLast = from + shown.length >= all.length;
    return {
      data: queries.map((query) => ({
        query,
        points: shown.filter((each) => each.query === query).map(({ point }) => point),
        status: this.statuses.get(query.metric.name) ?? (isLast ? 'Complete' : 'PartialData'),
        detail: '',
      })),
      next: isLast ? undefined : String(from + shown.length),
    };
  };
}
