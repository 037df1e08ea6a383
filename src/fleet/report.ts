/**
 * What a member says of the mappings that it runs, as a PollerReport: built by the member, read by the controller.
 * Pure. Versions N-1 and N talk to each other through it, so a reader passes over what it does not know: unknown
 * fields are dropped, an entry that makes no sense is left out, and a format newer than its own is not read at all.
 *
 * Equal facts give equal reports, whatever their order, so that a member writes only when something has changed.
 */
import { z } from 'zod';
import {
  reportFormatVersion,
  reportMessageLength,
  type ReportBody,
  type ReportEntry,
  type ReportedHealth,
} from '../api/report.ts';
import type { EffectiveStatus } from '../api/mapping.ts';
import type { Standing } from './runner.ts';

/** Who reports. */
export interface ReportingMember {
  readonly member: string;
  readonly pool: string;
  readonly version: string;
}

/** What a member knows of one mapping. */
export interface MappingFacts {
  readonly standing: Standing;
  readonly sourceHealthy?: ReportedHealth | undefined;
  readonly targetHealthy?: ReportedHealth | undefined;
  readonly warnings?: readonly { readonly reason: string; readonly message: string }[];
  readonly effective?: EffectiveStatus | undefined;
}

const MAX_WARNINGS = 8;

/** The report of a member: entries sorted by mapping, messages cut to what the schema takes. */
export function buildReport(member: ReportingMember, facts: readonly MappingFacts[]): ReportBody {
  const mappings = facts.map(entryOf).sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1));
  return { formatVersion: reportFormatVersion, ...member, mappings };
}

function entryOf(facts: MappingFacts): ReportEntry {
  const { standing } = facts;
  const { metadata } = standing.work.mapping;
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    generation: metadata.generation ?? 0,
    state: standing.state,
    reason: standing.reason,
    message: cut(standing.message),
    since: new Date(standing.sinceMs).toISOString(),
    ...(facts.sourceHealthy === undefined ? {} : { sourceHealthy: cutHealth(facts.sourceHealthy) }),
    ...(facts.targetHealthy === undefined ? {} : { targetHealthy: cutHealth(facts.targetHealthy) }),
    ...(facts.warnings === undefined || facts.warnings.length === 0
      ? {}
      : {
          warnings: facts.warnings
            .slice(0, MAX_WARNINGS)
            .map(({ reason, message }) => ({ reason, message: cut(message) })),
        }),
    ...(facts.effective === undefined ? {} : { effective: facts.effective }),
  };
}

function nameOf(entry: ReportEntry): string {
  return `${entry.namespace}/${entry.name}/${entry.uid}`;
}

function cutHealth(health: ReportedHealth): ReportedHealth {
  return health.message === undefined ? health : { ...health, message: cut(health.message) };
}

function cut(text: string): string {
  return text.length <= reportMessageLength ? text : `${text.slice(0, reportMessageLength - 1)}…`;
}

/** A report as read, or why it cannot be. */
export type ParsedReport =
  | { readonly kind: 'report'; readonly report: ReportBody; readonly skipped: number }
  | { readonly kind: 'unreadable'; readonly message: string };

const healthType = z.object({
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string().exactOptional(),
});

const entryType = z.object({
  namespace: z.string(),
  name: z.string().min(1),
  uid: z.string().min(1),
  generation: z.number().int(),
  state: z.enum(['Starting', 'Running', 'Paused', 'Draining', 'Failed']),
  reason: z.string().exactOptional(),
  message: z.string().exactOptional(),
  sourceHealthy: healthType.exactOptional(),
  targetHealthy: healthType.exactOptional(),
  warnings: z.array(z.object({ reason: z.string(), message: z.string() })).exactOptional(),
  effective: z
    .object({
      values: z.record(z.string(), z.unknown()).exactOptional(),
      origins: z.record(z.string(), z.enum(['spec', 'default', 'class', 'arn'])).exactOptional(),
    })
    .exactOptional(),
  since: z.string().exactOptional(),
});

const bodyType = z.object({
  formatVersion: z.number().int().min(1),
  member: z.string().min(1),
  pool: z.string().min(1),
  version: z.string(),
  mappings: z.array(z.unknown()),
});

/** Reads the `report` of a PollerReport of this version, the one before or the one after. */
export function parseReport(report: unknown): ParsedReport {
  const body = bodyType.safeParse(report);
  if (!body.success) {
    const [issue] = body.error.issues;
    return {
      kind: 'unreadable',
      message: `\`report.${issue?.path.join('.') ?? ''}\`: ${issue?.message ?? 'invalid'}`,
    };
  }
  const { formatVersion } = body.data;
  if (formatVersion > reportFormatVersion) {
    return {
      kind: 'unreadable',
      message: `\`report.formatVersion\` must be at most ${reportFormatVersion}; found ${formatVersion}`,
    };
  }
  const mappings: ReportEntry[] = [];
  for (const candidate of body.data.mappings) {
    const entry = entryType.safeParse(candidate);
    if (entry.success) mappings.push(entry.data);
  }
  const skipped = body.data.mappings.length - mappings.length;
  return { kind: 'report', report: { ...body.data, mappings }, skipped };
}
