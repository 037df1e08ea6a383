/**
 * CloudWatch's GetMetricData over signed calls. Thin: one call is one page, nothing is repeated, and what fails is
 * thrown as `SluiceError` with a documented reason.
 *
 * The protocol is JSON 1.0, one of the three that AWS's published model of the service names beside its target prefix
 * `GraniteServiceVersion20100801`; times are epoch seconds, as in all of AWS's JSON. LocalEmu, which reads requests by
 * that model, answers to it, and MiniStack does with times in ISO 8601, which are read as well. It was not tried on AWS
 * itself.
 */
import { classifyWith, controlReasons } from '../../../aws/classify.ts';
import { DeadlineError } from '../../../aws/deadline.ts';
import { factsOf } from '../../../aws/error-facts.ts';
import type { HttpAnswer } from '../../../aws/http-pool.ts';
import type { SignedClient } from '../../../aws/sigv4-client.ts';
import { unreadableAnswer } from '../../../aws/sigv4-error.ts';
import type { Clock } from '../../../lib/clock.ts';
import { deferred } from '../../../lib/lifecycle.ts';
import type { Point } from './ledger.ts';
import type { Query } from './queries.ts';

/** From the begin of a minute to that of another, which is not part of it. */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a page shows of one of the queries. */
export interface MetricData {
  readonly query: Query;
  readonly points: readonly Point[];
  /** `Complete`, `PartialData`, or why there is nothing: `InternalError`, `Forbidden`. */
  readonly status: string;
  /** CloudWatch's own words to it, if any. */
  readonly detail: string;
}

export interface MetricDataPage {
  readonly data: readonly MetricData[];
  readonly next: string | undefined;
}

/** Asks for one page; `token` is undefined for the first. */
export type AskMetricData = (
  queries: readonly Query[],
  window: Window,
  token: string | undefined,
  signal: AbortSignal,
) => Promise<MetricDataPage>;

export interface MetricDataOptions {
  readonly client: Pick<SignedClient, 'prepare' | 'send'>;
  readonly clock: Clock;
  /** Told of the end of each call: `OK`, or the code of the error. */
  readonly onCall: (call: { readonly operation: string; readonly code: string }) => void;
}

/** Seconds that a data point stands for: the shortest that AWS gives of these metrics. */
export const periodSeconds = 60;

const operation = 'GetMetricData';
const timeoutMs = 20_000;
/** For credentials beside; the call's own limit ends first where both could. */
const graceMs = 5000;

/** The API over a client. */
export function metricData({ client, clock, onCall }: MetricDataOptions): AskMetricData {
  return async (queries, window, token, signal) => {
    const call = client.prepare(operation, requestOf(queries, window, token));
    try {
      const answer = await within(clock, timeoutMs + graceMs, signal, client.send(call, timeoutMs, signal));
      const page = pageOf(answer, queries);
      onCall({ operation, code: 'OK' });
      return page;
    } catch (error) {
      onCall({ operation, code: factsOf(error).code });
      throw signal.aborted
        ? error
        : classifyWith(controlReasons, error, { action: 'cloudwatch:GetMetricData', resource: '*' });
    }
  };
}

/** The whole call, credentials included: fetching those has no end of its own. */
async function within<T>(clock: Clock, ms: number, signal: AbortSignal, work: Promise<T>): Promise<T> {
  const over = deferred<never>();
  const cancel = clock.after(ms, () => over.reject(new DeadlineError(`no complete answer within ${ms} ms`)));
  const abort = (): void => over.reject(new Error('The call was ended'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
}

/** Ids must begin with a lower-case letter. */
const idOf = (index: number): string => `m${index}`;

function requestOf(queries: readonly Query[], { fromMs, toMs }: Window, token: string | undefined): string {
  return JSON.stringify({
    MetricDataQueries: queries.map(({ metric: { name, statistic, dimensions } }, index) => ({
      Id: idOf(index),
      MetricStat: {
        Metric: { Namespace: 'AWS/Lambda', MetricName: name, Dimensions: dimensions },
        Period: periodSeconds,
        Stat: statistic,
      },
    })),
    StartTime: fromMs / 1000,
    EndTime: toMs / 1000,
    ScanBy: 'TimestampAscending',
    ...(token === undefined ? {} : { NextToken: token }),
  });
}

type Members = Readonly<Record<string, unknown>>;

function pageOf(answer: HttpAnswer, queries: readonly Query[]): MetricDataPage {
  const { MetricDataResults: results, NextToken: next } = membersOf(answer);
  if (!Array.isArray(results)) throw unreadableAnswer(answer);
  const data = (results as readonly unknown[]).flatMap((result) => {
    const {
      Id: id,
      StatusCode: status,
      Timestamps: times,
      Values: values,
      Messages: messages,
    } = asMembers(result);
    const query = typeof id === 'string' && /^m\d+$/.test(id) ? queries[Number(id.slice(1))] : undefined;
    if (query === undefined) return [];
    return [
      {
        query,
        points: pointsOf(asList(times), asList(values)),
        status: typeof status === 'string' ? status : 'Complete',
        detail: wordsOf(asList(messages)),
      },
    ];
  });
  return { data, next: typeof next === 'string' && next !== '' ? next : undefined };
}

function membersOf(answer: HttpAnswer): Members {
  try {
    return asMembers(JSON.parse(answer.body.toString('utf8')));
  } catch {
    throw unreadableAnswer(answer);
  }
}

const asMembers = (value: unknown): Members =>
  typeof value === 'object' && value !== null ? (value as Members) : {};

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

function pointsOf(times: readonly unknown[], values: readonly unknown[]): readonly Point[] {
  return times.flatMap((time, index) => {
    const [atMs, value] = [timeOf(time), values[index]];
    return Number.isFinite(atMs) && typeof value === 'number' && Number.isFinite(value)
      ? [{ atMs, value }]
      : [];
  });
}

function timeOf(time: unknown): number {
  if (typeof time === 'number') return time * 1000;
  return typeof time === 'string' ? Date.parse(time) : Number.NaN;
}

function wordsOf(messages: readonly unknown[]): string {
  const { Code: code, Value: value } = asMembers(messages[0]);
  return [code, value].filter((word) => typeof word === 'string').join(': ');
}
