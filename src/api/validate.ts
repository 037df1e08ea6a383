/**
 * Offline validation: YAML text in, documents and problems with their lines out. It needs neither cluster nor AWS
 * and gives the verdict of an API server with strict field validation, and beyond it what ends as `InvalidSpec`.
 */
import { checkObject, checkSpec, kindNamed, withoutNulls, type CheckOptions } from './check.ts';
import { checkMetadata } from './check-metadata.ts';
import { kinds } from './crd.ts';
import type { EventSourceMapping } from './mapping.ts';
import { annotations, apiVersion, group, pauseProblem } from './meta.ts';
import { foundText, nearest, pathText, type Finding, type Path } from './problem.ts';
import { isRecord } from './structure.ts';
import { warningsOf } from './warnings.ts';
import { readYaml } from './yaml.ts';

/** A problem or warning with its place. */
export interface Problem {
  /** `spec.batchSize`; empty for the document itself. */
  readonly path: string;
  readonly message: string;
  readonly found?: string;
  /** Line in the text, from 1. */
  readonly line: number;
}

/** One document of the text. `kind` tells what became of it. */
export type ValidatedDocument =
  | {
      readonly kind: 'checked';
      readonly resourceKind: string;
      readonly name: string;
      readonly namespace?: string;
      readonly line: number;
      readonly value: unknown;
      readonly problems: readonly Problem[];
      readonly warnings: readonly Problem[];
    }
  /** Of another group: passed over, and said so. */
  | { readonly kind: 'skipped'; readonly resourceKind: string; readonly name: string; readonly line: number }
  /** Not readable at all. */
  | { readonly kind: 'unreadable'; readonly line: number; readonly problems: readonly Problem[] };

/** Every document of a YAML or JSON text, checked. Empty documents are left out; items of a List count one by one. */
export function validateText(text: string, options: CheckOptions = {}): readonly ValidatedDocument[] {
  return readYaml(text).flatMap((document): readonly ValidatedDocument[] => {
    if (document.kind === 'unreadable') {
      const problems = document.faults.map((fault) => ({ path: '', ...fault }));
      return [{ kind: 'unreadable', line: problems[0]?.line ?? 1, problems }];
    }
    const { value, lineOf } = document;
    if (
      !isRecord(value) ||
      value['kind'] !== 'List' ||
      value['apiVersion'] !== 'v1' ||
      !Array.isArray(value['items'])
    ) {
      return [validateValue(value, lineOf, options)];
    }
    return value['items'].map((item, index) =>
      validateValue(item, (path) => lineOf(['items', index, ...path]), options),
    );
  });
}

/** The mappings, as typed objects, of documents without problems. */
export function mappingsOf(documents: readonly ValidatedDocument[]): readonly EventSourceMapping[] {
  return documents.flatMap((document) =>
    document.kind === 'checked' &&
    document.resourceKind === 'EventSourceMapping' &&
    document.problems.length === 0
      ? [document.value as EventSourceMapping]
      : [],
  );
}

function validateValue(
  value: unknown,
  lineOf: (path: Path) => number,
  options: CheckOptions,
): ValidatedDocument {
  const line = lineOf([]);
  const place = (finding: Finding): Problem => ({
    path: pathText(finding.path),
    message: finding.message,
    ...(finding.found === undefined ? {} : { found: finding.found }),
    line: lineOf(finding.path),
  });
  const head = readHead(value);
  if (!('apiVersion' in head)) {
    return { kind: 'unreadable', line, problems: head.findings.map(place) };
  }
  const { metadata } = head;
  const name = textOf(metadata['name']) ?? textOf(metadata['generateName']) ?? '';
  if (head.apiVersion.split('/')[0] !== group)
    return { kind: 'skipped', resourceKind: head.kind, name, line };
  const kind = kindNamed(head.kind);
  const findings = [...headFindings(head.apiVersion, head.kind, metadata)];
  const warnings: Finding[] = [];
  if (kind !== undefined) {
    const found = checkObject(kind, value);
    findings.push(...found.findings);
    if (kind.name.kind === 'EventSourceMapping' && found.fits) {
      // The structure was just checked, so the value is a mapping.
      const { spec, metadata: meta } = withoutNulls(value) as EventSourceMapping;
      findings.push(...checkSpec(spec, options));
      warnings.push(...warningsOf(spec));
      const pause = findings.length === 0 ? pauseProblem(meta) : undefined;
      if (pause !== undefined)
        warnings.push({ path: ['metadata', 'annotations', annotations.paused], message: pause });
    }
  }
  const namespace = textOf(metadata['namespace']);
  return {
    kind: 'checked',
    resourceKind: head.kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    line,
    value: withoutNulls(value),
    problems: findings.map(place),
    warnings: warnings.map(place),
  };
}

type Head =
  | {
      readonly apiVersion: string;
      readonly kind: string;
      readonly metadata: Readonly<Record<string, unknown>>;
    }
  | { readonly findings: readonly Finding[] };

function readHead(value: unknown): Head {
  if (!isRecord(value))
    return { findings: [{ path: [], message: 'A document must be an object', found: foundText(value) }] };
  const { apiVersion: versionText, kind, metadata } = value;
  const findings: Finding[] = [];
  if (typeof versionText !== 'string')
    findings.push({ path: ['apiVersion'], message: '`apiVersion` must be set' });
  if (typeof kind !== 'string') findings.push({ path: ['kind'], message: '`kind` must be set' });
  if (typeof versionText !== 'string' || typeof kind !== 'string') return { findings };
  return { apiVersion: versionText, kind, metadata: isRecord(metadata) ? metadata : {} };
}

function headFindings(
  versionText: string,
  kind: string,
  metadata: Readonly<Record<string, unknown>>,
): readonly Finding[] {
  const findings: Finding[] = [];
  if (versionText !== apiVersion) {
    findings.push({
      path: ['apiVersion'],
      message: `\`apiVersion\` must be ${apiVersion}`,
      found: foundText(versionText),
    });
  }
  const names = kinds.map((one) => one.name.kind);
  if (!names.includes(kind)) {
    const meant = nearest(kind, names);
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
    findings.push({
      path: ['kind'],
      message: `\`kind\` must be one of ${names.join(', ')}${hint}`,
      found: foundText(kind),
    });
  }
  findings.push(...checkMetadata(metadata));
  return findings;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A problem in one line: path, message, and the value found where the message does not show it. */
export function problemText(problem: Problem): string {
  const found =
    problem.found === undefined || problem.message.includes(problem.found) ? '' : ` (found ${problem.found})`;
  return `${problem.path === '' ? '' : `${problem.path}: `}${problem.message}${found}`;
}
