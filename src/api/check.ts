/**
 * Everything that is wrong with one object: structure, then rules, then what neither can say. Pure. The API server
 * gives the same verdict on the first two; the third ends as `Stalled`, reason `InvalidSpec`, and is what controller
 * and poller call (`checkSpec`).
 */
import { parseArn } from './arn.ts';
import { openApiSchema, kinds, type KindDefinition } from './crd.ts';
import type { EventSourceMappingSpec } from './mapping.ts';
import { foundText, pathText, type Finding, type Path } from './problem.ts';
import type { Rule } from './rule.ts';
import type { SchemaNode } from './schema.ts';
import { checkStructure, isRecord } from './structure.ts';
import { readTargetUrl } from './target-url.ts';

export interface CheckOptions {
  /** What is wrong with a filter pattern, or undefined. Injected: the compiler of filters is another room. */
  readonly patternProblem?: ((pattern: string) => string | undefined) | undefined;
  /** Why a well-formed target URL is never allowed, or undefined. Injected: addresses are another room's. */
  readonly urlProblem?: ((url: string) => string | undefined) | undefined;
  /** Epoch milliseconds, for "not in the future"; absent: not checked. */
  readonly now?: number | undefined;
}

const schemas = new Map<string, SchemaNode>(kinds.map((kind) => [kind.name.kind, openApiSchema(kind)]));

/** The kind of that name, or undefined. */
export function kindNamed(name: string): KindDefinition | undefined {
  return kinds.find((kind) => kind.name.kind === name);
}

/** What structure and rules say of an object. */
export interface ObjectCheck {
  /** The structure fits, so the rules were evaluated and the object may be used as its type. */
  readonly fits: boolean;
  readonly findings: readonly Finding[];
}

/** Structure and rules of an object, as the API server would have them; `old` is the stored one. */
export function checkObject(kind: KindDefinition, value: unknown, old?: unknown): ObjectCheck {
  const node = schemas.get(kind.name.kind);
  const structure = node === undefined ? [] : checkStructure(node, value);
  // As the API server: rules are evaluated only on what the structure accepts.
  if (structure.length > 0) return { fits: false, findings: structure };
  return { fits: true, findings: kind.rules.flatMap((rule) => checkRule(rule, value, old)) };
}

/** What neither structure nor rules can say about a mapping that they accept; paths begin with `spec`. */
export function checkSpec(spec: EventSourceMappingSpec, options: CheckOptions): readonly Finding[] {
  const findings: Finding[] = [];
  const { now, patternProblem, urlProblem } = options;
  for (const [index, { pattern }] of (spec.filterCriteria?.filters ?? []).entries()) {
    const problem = patternProblem?.(pattern);
    if (problem === undefined) continue;
    const path = ['spec', 'filterCriteria', 'filters', index, 'pattern'];
    findings.push({
      path,
      message: `\`${pathText(path)}\` must be a valid filter pattern: ${problem}`,
      found: foundText(pattern),
    });
  }
  const source = spec.eventSourceARN === undefined ? undefined : parseArn(spec.eventSourceARN);
  if (source?.service === 'sqs' && !/^(?=.{1,80}$)[A-Za-z0-9_-]+([.]fifo)?$/.test(source.resource)) {
    const path = ['spec', 'eventSourceARN'];
    findings.push({
      path,
      message:
        '`spec.eventSourceARN` must end in the name of a queue: at most 80 of letters, digits, - and _, with .fifo at the end of a FIFO queue',
      found: foundText(spec.eventSourceARN),
    });
  }
  // In Managed mode `poller` is inert.
  const url = spec.mode === 'Poller' ? spec.poller?.target?.http?.url : undefined;
  const target = url === undefined ? undefined : readTargetUrl(url);
  // The text itself is not shown: what makes it wrong may be a password in it.
  const wrong =
    target?.kind === 'invalid' ? target.message : url === undefined ? undefined : urlProblem?.(url);
  if (wrong !== undefined)
    findings.push({ path: ['spec', 'poller', 'target', 'http', 'url'], message: wrong });
  const stamp = spec.startingPositionTimestamp;
  if (now !== undefined && stamp !== undefined && Date.parse(stamp) > now) {
    const path = ['spec', 'startingPositionTimestamp'];
    findings.push({
      path,
      message: '`spec.startingPositionTimestamp` must not be in the future',
      found: foundText(stamp),
    });
  }
  return findings;
}

function checkRule(rule: Rule, value: unknown, old: unknown): readonly Finding[] {
  const findings: Finding[] = [];
  visit(value, old, rule.at.split(/\.|(?=\[\])|(?=\{\})/), [], (self, before, path) => {
    if (rule.transition === true && before === undefined) return;
    if (rule.holds(self, before)) return;
    const field = (rule.fieldPath ?? '').split('.').filter((step) => step !== '');
    const at = [...path, ...field];
    const found = read(self, field);
    findings.push({
      path: at,
      message: rule.message,
      ...(found === undefined ? {} : { found: foundText(found) }),
    });
  });
  return findings;
}

type Visitor = (self: unknown, old: unknown, path: Path) => void;

/** Calls `visitor` for each value at `steps`; null counts as absent, as for the API server. */
function visit(value: unknown, old: unknown, steps: readonly string[], path: Path, visitor: Visitor): void {
  const [step, ...rest] = steps;
  if (value === undefined || value === null) return;
  if (step === undefined)
    visitor(withoutNulls(value), old === undefined ? undefined : withoutNulls(old), path);
  // Items of atomic lists and values of maps are not paired with old ones; no transition rule is there.
  else if (step === '[]') {
    if (Array.isArray(value))
      value.forEach((one, index) => visit(one, undefined, rest, [...path, index], visitor));
  } else if (step === '{}') {
    if (isRecord(value))
      for (const [key, one] of Object.entries(value)) visit(one, undefined, rest, [...path, key], visitor);
  } else if (isRecord(value))
    visit(value[step], isRecord(old) ? old[step] : undefined, rest, [...path, step], visitor);
}

function read(value: unknown, steps: readonly string[]): unknown {
  return steps.reduce<unknown>((one, step) => (isRecord(one) ? one[step] : undefined), value);
}

/** The value as the API server stores it: a null property counts as absent. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([, one]) => one !== null);
  return Object.fromEntries(kept.map(([key, one]) => [key, withoutNulls(one)]));
}
