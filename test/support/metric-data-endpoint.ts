import type { Query } from '../../src/backends/aws/cloudwatch/queries.ts';
import type { MetricName, Statistic } from '../../src/backends/aws/cloudwatch/wanted.ts';
import { reply, startHttpSink, type HttpSink, type SinkAnswer, type SinkRequest } from './http-sink.ts';
import { MetricStore } from './metric-store.ts';
import { testAccount } from './servers/aws-server.ts';
import { isSignedWith } from './sts-endpoint.ts';

/**
 * CloudWatch as far as GetMetricData over JSON 1.0 goes, stricter than emulators: it computes each signature again and
 * refuses what AWS's published model of the service would refuse. Faults are put in front by `sink.answerNext`.
 */
export class MetricDataEndpoint implements AsyncDisposable {
  readonly store = new MetricStore();
  readonly sink: HttpSink;

  constructor(sink: HttpSink) {
    this.sink = sink;
    sink.answer((request) => this.answer(request));
  }

  get endpoint(): string {
    return this.sink.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sink[Symbol.asyncDispose]();
  }

  /** What it answers where no fault is put in front. */
  async answer(request: SinkRequest): Promise<SinkAnswer> {
    const problem = headProblem(request);
    if (problem !== undefined) return refused(problem);
    const input = request.json() as Input;
    const wrong = inputProblem(input);
    if (wrong !== undefined) return refused(wrong);
    const queries = input.MetricDataQueries.map(queryOf);
    const window = { fromMs: input.StartTime * 1000, toMs: input.EndTime * 1000 };
    const page = await this.store.ask(queries, window, input.NextToken, new AbortController().signal);
    const results = page.data.map(({ query, points, status }) => ({
      Id: query.key,
      Label: query.metric.name,
      Timestamps: points.map(({ atMs }) => atMs / 1000),
      Values: points.map(({ value }) => value),
      StatusCode: status,
      ...(status === 'Forbidden'
        ? { Messages: [{ Code: 'Forbidden', Value: 'No access to the metric' }] }
        : {}),
    }));
    return reply(200, {
      MetricDataResults: results,
      Messages: [],
      ...(page.next === undefined ? {} : { NextToken: page.next }),
    });
  }
}

export async function startMetricDataEndpoint(): Promise<MetricDataEndpoint> {
  return new MetricDataEndpoint(await startHttpSink());
}

/** An error as CloudWatch answers it. */
export function refused(message: string, code = 'ValidationError', status = 400): SinkAnswer {
  const body = { __type: `com.amazonaws.cloudwatch.v2010_08_01#${code}`, message };
  return reply(status, body, { 'content-type': 'application/x-amz-json-1.0' });
}

interface Input {
  readonly MetricDataQueries: readonly {
    readonly Id: string;
    readonly MetricStat: {
      readonly Metric: {
        readonly Namespace: string;
        readonly MetricName: MetricName;
        readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
      };
      readonly Period: number;
      readonly Stat: Statistic;
    };
  }[];
  readonly StartTime: number;
  readonly EndTime: number;
  readonly ScanBy?: string;
  readonly NextToken?: string;
}

function queryOf({ Id, MetricStat: { Metric, Stat } }: Input['MetricDataQueries'][number]): Query {
  const metric = { name: Metric.MetricName, statistic: Stat, dimensions: Metric.Dimensions };
  return { key: Id, metric, readers: [] };
}

function headProblem(request: SinkRequest): string | undefined {
  const { headers, method, path } = request;
  if (method !== 'POST' || path !== '/') return `${method} ${path} is no call`;
  if (headers['content-type'] !== 'application/x-amz-json-1.0') return 'wrong content type';
  if (headers['x-amz-target'] !== 'GraniteServiceVersion20100801.GetMetricData') return 'wrong target';
  if (!headers.authorization?.includes(`/${testAccount.region}/monitoring/aws4_request`))
    return 'wrong scope';
  return isSignedWith(testAccount.credentials, request) ? undefined : 'wrong signature';
}

const members = ['MetricDataQueries', 'StartTime', 'EndTime', 'ScanBy', 'NextToken'];

function inputProblem(input: Input): string | undefined {
  const unknown = Object.keys(input).find((name) => !members.includes(name));
  if (unknown !== undefined) return `unknown member ${unknown}`;
  const {
    MetricDataQueries: queries,
    StartTime: from,
    EndTime: to,
    ScanBy: order = 'TimestampDescending',
  } = input;
  if (queries.length < 1 || queries.length > 500) return 'from 1 to 500 queries';
  if (new Set(queries.map(({ Id }) => Id)).size < queries.length) return 'ids must be unique';
  if (!queries.every(({ Id }) => /^[a-z][a-zA-Z0-9_]{0,254}$/.test(Id))) return 'an id is not one';
  if (!Number.isInteger(from) || !Number.isInteger(to) || from >= to)
    return 'times must be seconds, in order';
  if (!/^Timestamp(A|De)scending$/.test(order)) return 'wrong order';
  if (((to - from) / 60) * queries.length > 100_800) return 'more data points than an answer holds';
  const wrong = queries.find(
    ({ MetricStat: { Metric: metric, Period: period, Stat: statistic } }) =>
      metric.Namespace !== 'AWS/Lambda' ||
      period !== 60 ||
      !['Sum', 'Maximum'].includes(statistic) ||
      metric.Dimensions.length < 1 ||
      metric.Dimensions.length > 30 ||
      !metric.Dimensions.every(({ Name, Value }) => Name !== '' && Value !== ''),
  );
  return wrong === undefined ? undefined : `wrong query ${JSON.stringify(wrong)}`;
}
