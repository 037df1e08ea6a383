/**
 * What a mapping may hold, but probably must not: values above a ceiling or outside a list that AWS knows today
 * (never refused, so that nobody waits for a new CRD), settings without effect in the chosen mode, and what this
 * release does not do yet. Pure.
 */
import { parseArn } from './arn.ts';
import { classifySource } from './effective.ts';
import { specSchema, type EventSourceMappingSpec } from './mapping.ts';
import { foundText, pathText, type Finding, type Path } from './problem.ts';
import type { Schema } from './schema.ts';
import { isRecord } from './structure.ts';
import { supported } from './supported.ts';

/** Warnings about a mapping that structure and rules accept; paths begin with `spec`. */
export function warningsOf(spec: EventSourceMappingSpec): readonly Finding[] {
  const findings: Finding[] = [];
  ceilings(specSchema, spec, ['spec'], findings);
  for (const { path, message } of supported(spec)) {
    findings.push({
      path: ['spec', ...path.split('.')],
      message: `${message} (Stalled, reason NotSupported)`,
    });
  }
  return [...findings, ...destinations(spec), ...inert(spec)];
}

function ceilings(schema: Schema<unknown>, value: unknown, path: Path, findings: Finding[]): void {
  const { ceiling, known } = schema.facts;
  const size =
    typeof value === 'number'
      ? value
      : Array.isArray(value)
        ? value.length
        : isRecord(value)
          ? Object.keys(value).length
          : 0;
  if (ceiling !== undefined && size > ceiling) {
    findings.push({
      path,
      message: `\`${pathText(path)}\` is above ${ceiling}, the most that AWS is known to take`,
      found: String(size),
    });
  }
  if (known !== undefined && typeof value === 'string' && !known.includes(value)) {
    findings.push({
      path,
      message: `\`${pathText(path)}\` is none of the known ${known.join(', ')}`,
      found: foundText(value),
    });
  }
  if (schema.items !== undefined && Array.isArray(value)) {
    for (const [index, one] of value.entries()) ceilings(schema.items, one, [...path, index], findings);
  }
  if (schema.properties !== undefined && isRecord(value)) {
    for (const [name, child] of Object.entries(schema.properties)) {
      if (value[name] !== undefined && value[name] !== null)
        ceilings(child, value[name], [...path, name], findings);
    }
  }
}

function destinations(spec: EventSourceMappingSpec): readonly Finding[] {
  const destination = spec.destinationConfig?.onFailure?.destination;
  if (destination === undefined || parseArn(destination)?.resource.endsWith('.fifo') !== true) return [];
  const path = ['spec', 'destinationConfig', 'onFailure', 'destination'];
  return [
    {
      path,
      message: `\`${pathText(path)}\` must be a standard queue or topic; AWS refuses FIFO ones`,
      found: foundText(destination),
    },
  ];
}

/** Kafka settings that AWS takes in provisioned mode only. */
const provisionedOnly = [
  'functionResponseTypes',
  'maximumRetryAttempts',
  'maximumRecordAgeInSeconds',
  'bisectBatchOnFunctionError',
  'metricsConfig',
  'loggingConfig',
] as const;

/** Settings of AWS's service that the in-cluster poller has no use for. */
const managedOnly = ['kmsKeyARN', 'metricsConfig', 'loggingConfig', 'tags', 'additionalParameters'] as const;

function inert(spec: EventSourceMappingSpec): readonly Finding[] {
  const source = classifySource(spec);
  const isKafka = source === 'msk' || source === 'kafka';
  if (spec.mode === 'Poller') {
    return managedOnly
      .filter((field) => spec[field] !== undefined)
      .map((field) => ({ path: ['spec', field], message: `\`spec.${field}\` has no effect in Poller mode` }));
  }
  if (!isKafka || spec.provisionedPollerConfig !== undefined) return [];
  return provisionedOnly
    .filter((field) => spec[field] !== undefined)
    .map((field) => ({
      path: ['spec', field],
      message: `\`spec.${field}\` needs \`provisionedPollerConfig\` for a Kafka source in Managed mode`,
    }));
}
