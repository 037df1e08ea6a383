/**
 * Between our spec and Lambda's API, field by field: one table gives what is desired, what AWS reports, and what to
 * send. Pure. It holds the fields of SQS; what a release does not do is kept away by `api/supported.ts`.
 *
 * A field that the spec leaves out means AWS's default, also after it had a value: clearing values are those of
 * spec/lifecycle.md, "Update semantics".
 */
import { parseArn, parseFunctionName } from '../../api/arn.ts';
import type { Effective } from '../../api/effective.ts';
import type { EventSourceMappingSpec } from '../../api/mapping.ts';
import type { Configuration, CreateInput, UpdateInput } from './client.ts';

/** A value that AWS did not show: encrypted filters without the key. Never a difference. */
export const hidden: unique symbol = Symbol('hidden');

export interface Field {
  /** Dotted path below `spec`. */
  readonly path: string;
  readonly createOnly: boolean;
  /** Plain JSON; undefined where the field is to have no value. */
  readonly desired: (effective: Effective, spec: EventSourceMappingSpec) => unknown;
  readonly observed: (configuration: Configuration) => unknown;
  /** Whether the two mean the same where they are not deeply equal. */
  readonly same?: (desired: unknown, observed: unknown) => boolean;
  /** Members of the request that set the value, or clear it when it is undefined. */
  readonly input: (value: unknown) => Partial<CreateInput & UpdateInput>;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
const orUndefined = <T>(list: readonly T[] | undefined): readonly T[] | undefined =>
  list === undefined || list.length === 0 ? undefined : list;

/** The fields of an SQS mapping. */
export const fields: readonly Field[] = [
  {
    path: 'eventSourceARN',
    createOnly: true,
    desired: ({ values }) => values.eventSourceARN,
    observed: (found) => found.EventSourceArn,
    input: (value) => ({ EventSourceArn: text(value) }),
  },
  {
    path: 'functionName',
    createOnly: false,
    desired: ({ values }) => values.functionName,
    observed: (found) => found.FunctionArn,
    same: (desired, observed) => isSameFunction(text(desired) ?? '', text(observed) ?? ''),
    input: (value) => ({ FunctionName: text(value) }),
  },
  {
    path: 'enabled',
    createOnly: false,
    desired: ({ values }) => values.enabled,
    observed: (found) => found.State === 'Enabled',
    input: (value) => ({ Enabled: value === true }),
  },
  {
    path: 'batchSize',
    createOnly: false,
    desired: ({ values }) => values.batchSize,
    observed: (found) => found.BatchSize ?? 10,
    input: (value) => ({ BatchSize: number(value) }),
  },
  {
    path: 'maximumBatchingWindowInSeconds',
    createOnly: false,
    desired: ({ values }) => values.maximumBatchingWindowInSeconds ?? 0,
    observed: (found) => found.MaximumBatchingWindowInSeconds ?? 0,
    input: (value) => ({ MaximumBatchingWindowInSeconds: number(value) }),
  },
  {
    path: 'filterCriteria.filters',
    createOnly: false,
    desired: (_, spec) => orUndefined(spec.filterCriteria?.filters?.map(({ pattern }) => pattern)),
    observed: (found) =>
      found.FilterCriteriaError === undefined
        ? orUndefined(found.FilterCriteria?.Filters?.map(({ Pattern }) => Pattern ?? ''))
        : hidden,
    same: isSamePatterns,
    input: (value) => ({
      FilterCriteria: value === undefined ? {} : { Filters: texts(value).map((Pattern) => ({ Pattern })) },
    }),
  },
  {
    path: 'kmsKeyARN',
    createOnly: false,
    desired: (_, spec) => spec.kmsKeyARN || undefined,
    observed: (found) => found.KMSKeyArn || undefined,
    input: (value) => ({ KMSKeyArn: text(value) ?? '' }),
  },
  {
    path: 'functionResponseTypes',
    createOnly: false,
    desired: ({ values }) => orUndefined(values.functionResponseTypes),
    observed: (found) => orUndefined(found.FunctionResponseTypes),
    input: (value) => ({ FunctionResponseTypes: value === undefined ? [] : ['ReportBatchItemFailures'] }),
  },
  {
    path: 'scalingConfig.maximumConcurrency',
    createOnly: false,
    desired: ({ values }) => values.scalingConfig?.maximumConcurrency,
    observed: (found) => found.ScalingConfig?.MaximumConcurrency,
    input: (value) => ({ ScalingConfig: value === undefined ? {} : { MaximumConcurrency: number(value) } }),
  },
  {
    path: 'provisionedPollerConfig',
    createOnly: false,
    desired: (_, spec) => spec.provisionedPollerConfig,
    observed: (found) =>
      found.ProvisionedPollerConfig === undefined
        ? undefined
        : {
            minimumPollers: found.ProvisionedPollerConfig.MinimumPollers,
            maximumPollers: found.ProvisionedPollerConfig.MaximumPollers,
          },
    // AWS fills in the bound that was left out.
    same: isSamePollers,
    input: (value) => ({ ProvisionedPollerConfig: pollersInput(value) }),
  },
  {
    path: 'metricsConfig.metrics',
    createOnly: false,
    desired: (_, spec) => orUndefined(spec.metricsConfig?.metrics),
    observed: (found) => orUndefined(found.MetricsConfig?.Metrics),
    input: (value) => ({
      MetricsConfig: { Metrics: texts(value) as NonNullable<CreateInput['MetricsConfig']>['Metrics'] },
    }),
  },
];

/** The request that creates the mapping: values alone, since clearing ones are refused there. */
export function createInput(
  effective: Effective,
  spec: EventSourceMappingSpec,
  tags: Readonly<Record<string, string>>,
): CreateInput {
  const members: Partial<CreateInput> = {};
  for (const field of fields) {
    const value = field.desired(effective, spec);
    if (value !== undefined) Object.assign(members, field.input(value));
  }
  return { FunctionName: effective.values.functionName ?? '', ...members, Tags: { ...tags } };
}

/** Whether a `functionName` names the function of an ARN; parts that it leaves out are AWS's to choose. */
export function isSameFunction(functionName: string, functionARN: string): boolean {
  const wanted = parseFunctionName(functionName);
  const found = parseFunctionName(functionARN);
  if (wanted === undefined || found === undefined || parseArn(functionARN) === undefined) return false;
  return (
    wanted.name === found.name &&
    // `name` and `name:$LATEST` are two targets, each with a mapping of its own.
    wanted.qualifier === found.qualifier &&
    (wanted.region === undefined || wanted.region === found.region) &&
    (wanted.accountID === undefined || wanted.accountID === found.accountID)
  );
}

function isSamePatterns(desired: unknown, observed: unknown): boolean {
  const [wanted, found] = [texts(desired), texts(observed)];
  return (
    wanted.length === found.length &&
    wanted.every((pattern, index) => canonical(pattern) === canonical(found[index]))
  );
}

/** JSON without insignificant white space; other text as it is. */
function canonical(pattern: string | undefined): string | undefined {
  try {
    return pattern === undefined ? undefined : JSON.stringify(JSON.parse(pattern));
  } catch {
    return pattern;
  }
}

interface Pollers {
  readonly minimumPollers?: number | undefined;
  readonly maximumPollers?: number | undefined;
}

function pollersOf(value: unknown): Pollers {
  return typeof value === 'object' && value !== null ? value : {};
}

function isSamePollers(desired: unknown, observed: unknown): boolean {
  if (desired === undefined || observed === undefined) return desired === observed;
  const [wanted, found] = [pollersOf(desired), pollersOf(observed)];
  return (
    (wanted.minimumPollers ?? found.minimumPollers) === found.minimumPollers &&
    (wanted.maximumPollers ?? found.maximumPollers) === found.maximumPollers
  );
}

function pollersInput(value: unknown): NonNullable<CreateInput['ProvisionedPollerConfig']> {
  const { minimumPollers, maximumPollers } = pollersOf(value);
  return {
    ...(minimumPollers === undefined ? {} : { MinimumPollers: minimumPollers }),
    ...(maximumPollers === undefined ? {} : { MaximumPollers: maximumPollers }),
  };
}
