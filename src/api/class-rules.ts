/**
 * Admission: may this mapping do, through its MappingClass, what it asks for? Pure, so that controller, pollers and
 * the command line come to the same answer from the same objects. The default is no: a namespace that no class
 * admits, or an address that no pattern admits, is denied with the field, the value and what would be allowed.
 *
 * It judges names and addresses as written. What an address resolves to, and what AWS lets the identity do, is
 * judged where the call is made.
 */
import { parameterProblem } from './additional-parameters.ts';
import { completeArn, parseArn, type Place } from './arn.ts';
import { matchesARN, matchesURL, expandNamespace } from './class-patterns.ts';
import { defaultPool, isDefaultClass, type MappingClass, type MappingClassSpec } from './class.ts';
import type { Reason } from './conditions.ts';
import type { EventSourceMapping } from './mapping.ts';
import { calledUrl, readTargetUrl, shownUrl } from './target-url.ts';

/** As whom AWS is called for a mapping. External id and session name are Sluice's, never the tenant's. */
export type Identity =
  | { readonly kind: 'Installation' }
  | { readonly kind: 'Role'; readonly roleARN: string }
  | { readonly kind: 'ServiceAccount'; readonly name: string };

/** What an admitted mapping may do. */
export interface Admitted {
  readonly kind: 'admitted';
  readonly className: string;
  readonly class: MappingClass;
  /** The poller Deployment that serves the mapping. */
  readonly pool: string;
  readonly identity: Identity;
}

/** A denial: stalled until somebody changes the mapping, the class or the namespace. */
export interface Denied {
  readonly kind: 'denied';
  readonly reason: Extract<
    Reason,
    | 'ClassNotFound'
    | 'ClassNotPermitted'
    | 'UrlNotPermitted'
    | 'QuotaExceeded'
    | 'IncompleteARN'
    | 'InvalidSpec'
    | 'NotSupported'
  >;
  /** For a person: field, value found, what is allowed. */
  readonly message: string;
}

/** Everything that the answer depends on. */
export interface AdmissionInput {
  readonly mapping: EventSourceMapping;
  /** All classes of the cluster. */
  readonly classes: Iterable<MappingClass>;
  /** Labels of the mapping's namespace. */
  readonly namespaceLabels: Readonly<Record<string, string>>;
  /** All mappings of the namespace; only a class with a quota looks at them. */
  readonly siblings: Iterable<EventSourceMapping>;
}

/** Admits or denies. */
export function admit(input: AdmissionInput): Admitted | Denied {
  const { mapping } = input;
  const found = chooseClass(mapping.spec.className, [...input.classes]);
  if (found.kind === 'denied') return found;
  const identity = identityOf(found, mapping);
  // The namespace comes first, so that a stranger learns nothing else of the class.
  const denied = namespaceRule(found, mapping, input.namespaceLabels) ?? modeRule(found, mapping);
  if (denied !== undefined) return denied;
  if (identity.kind === 'denied') return identity;
  const refused =
    gapRule(found, mapping) ??
    arnRule(found, mapping) ??
    sourceRule(found, mapping) ??
    urlRule(found, mapping) ??
    destinationRule(found, mapping) ??
    parameterRule(found, mapping) ??
    quotaRule(found, input);
  if (refused !== undefined) return refused;
  return {
    kind: 'admitted',
    className: found.metadata.name,
    class: found,
    pool: found.spec.pool ?? defaultPool,
    identity,
  };
}

/** The class that `className` names, or the default one; it says nothing of whether it admits anybody. */
export function chooseClass(
  name: string | undefined,
  classes: readonly MappingClass[],
): MappingClass | Denied {
  if (name !== undefined) {
    const named = classes.find((candidate) => candidate.metadata.name === name);
    return named ?? deny('ClassNotFound', `\`className\`: there is no MappingClass ${quote(name)}`);
  }
  const [only, ...others] = classes.filter(isDefaultClass);
  if (only === undefined) {
    return deny('ClassNotFound', '`className` must be set, since no MappingClass is marked as default');
  }
  if (others.length > 0) {
    const names = [only, ...others].map(({ metadata }) => metadata.name).sort();
    return deny(
      'ClassNotFound',
      `\`className\` must be set, since several MappingClasses are marked as default: ${names.join(', ')}`,
    );
  }
  return only;
}

function namespaceRule(
  { metadata, spec }: MappingClass,
  mapping: EventSourceMapping,
  labels: Readonly<Record<string, string>>,
): Denied | undefined {
  const namespace = namespaceOf(mapping);
  if (spec.namespaces?.includes(namespace) === true) return undefined;
  if (spec.namespaceSelector !== undefined && selects(spec.namespaceSelector, labels)) return undefined;
  return deny(
    'ClassNotPermitted',
    `MappingClass ${quote(metadata.name)} does not admit the namespace ${quote(namespace)}`,
  );
}

/** Whether a label selector admits labels, as Kubernetes has it: every requirement must hold; none admits all. */
export function selects(
  selector: NonNullable<MappingClassSpec['namespaceSelector']>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, wanted]) => value(key) === wanted) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const found = value(key);
      switch (operator) {
        case 'In':
          return found !== undefined && values.includes(found);
        case 'NotIn':
          return found === undefined || !values.includes(found);
        case 'Exists':
          return found !== undefined;
        case 'DoesNotExist':
          return found === undefined;
      }
    })
  );
}

function modeRule({ metadata, spec }: MappingClass, mapping: EventSourceMapping): Denied | undefined {
  const { mode } = mapping.spec;
  if (spec.modes === undefined || spec.modes.includes(mode)) return undefined;
  return deny(
    'ClassNotPermitted',
    `\`mode\` must be ${spec.modes.join(' or ')} in MappingClass ${quote(metadata.name)}; found ${mode}`,
  );
}

function identityOf({ metadata, spec }: MappingClass, mapping: EventSourceMapping): Identity | Denied {
  const asked = mapping.spec.aws;
  const kind = spec.aws?.identity ?? 'Installation';
  const owner = `MappingClass ${quote(metadata.name)}`;
  if (asked?.serviceAccountName !== undefined && kind !== 'ServiceAccount') {
    return deny(
      'ClassNotPermitted',
      `\`aws.serviceAccountName\` must be left out: ${owner} has the identity ${kind}`,
    );
  }
  switch (kind) {
    case 'Installation':
      if (asked?.roleARN === undefined) return { kind };
      return deny(
        'ClassNotPermitted',
        `\`aws.roleARN\` must be left out: ${owner} has the identity ${kind}; found ${quote(asked.roleARN)}`,
      );
    case 'Role': {
      const roleARN = expandNamespace(spec.aws?.roleARN ?? '', namespaceOf(mapping));
      if (roleARN === '')
        return deny('ClassNotPermitted', `${owner} must set \`aws.roleARN\` for the identity Role`);
      if (asked?.roleARN === undefined || asked.roleARN === roleARN) return { kind, roleARN };
      return deny(
        'ClassNotPermitted',
        `\`aws.roleARN\` must be ${quote(roleARN)} in ${owner}; found ${quote(asked.roleARN)}`,
      );
    }
    case 'ServiceAccount':
      if (asked?.roleARN !== undefined) {
        return deny(
          'ClassNotPermitted',
          `\`aws.roleARN\` must be left out: ${owner} has the identity ${kind}; found ${quote(asked.roleARN)}`,
        );
      }
      return serviceAccountOf(mapping);
  }
}

function sourceRule(mappingClass: MappingClass, mapping: EventSourceMapping): Denied | undefined {
  const patterns = mappingClass.spec.sources?.allowedARNs;
  if (patterns === undefined) return undefined;
  const arn = mapping.spec.eventSourceARN;
  if (arn === undefined)
    return deny(
      'ClassNotPermitted',
      `\`eventSourceARN\` must be set: ${onlyPatterns(mappingClass, patterns)}`,
    );
  // Only the complete ARN can be compared: an empty account would be filled up with any.
  const completion = completeArn(arn, placeOf(mapping, mappingClass));
  const full = completion.kind === 'complete' ? completion.text : arn;
  if (patterns.some((pattern) => matchesARN(pattern, full, namespaceOf(mapping)))) return undefined;
  return deny(
    'ClassNotPermitted',
    `\`eventSourceARN\`: ${onlyPatterns(mappingClass, patterns)}; found ${quote(full)}`,
  );
}

function destinationRule(mappingClass: MappingClass, mapping: EventSourceMapping): Denied | undefined {
  const patterns = mappingClass.spec.destinations?.allowedARNs;
  const destination = mapping.spec.destinationConfig?.onFailure?.destination;
  if (patterns === undefined || destination === undefined || destination === '') return undefined;
  // As it is sent: a partial one is completed by the place of the mapping, for which its source may speak too.
  const { region, accountID } = placeOf(mapping, mappingClass);
  const source = parseArn(mapping.spec.eventSourceARN ?? '');
  const completion = completeArn(destination, {
    region: mapping.spec.aws?.region ?? (source?.region || region),
    accountID: mapping.spec.aws?.accountID ?? (source?.accountID || accountID),
  });
  const full = completion.kind === 'complete' ? completion.text : destination;
  if (patterns.some((pattern) => matchesARN(pattern, full, namespaceOf(mapping)))) return undefined;
  return deny(
    'ClassNotPermitted',
    `\`destinationConfig.onFailure.destination\`: ${onlyPatterns(mappingClass, patterns)}; found ${quote(full)}`,
  );
}

/** In Poller mode they are inert: nothing is sent to AWS's API. */
function parameterRule(mappingClass: MappingClass, { spec }: EventSourceMapping): Denied | undefined {
  const problem = spec.mode === 'Poller' ? undefined : parameterProblem(spec, mappingClass);
  return problem === undefined ? undefined : deny(problem.reason, problem.message);
}

/** In Managed mode `poller` is inert, and so is its URL. */
function urlRule(mappingClass: MappingClass, mapping: EventSourceMapping): Denied | undefined {
  const http = mapping.spec.poller?.target?.http;
  if (mapping.spec.mode !== 'Poller' || http?.url === undefined) return undefined;
  const text = calledUrl(http.url, http.format);
  const read = readTargetUrl(text);
  if (read.kind === 'invalid') return deny('InvalidSpec', read.message);
  const patterns = mappingClass.spec.targets?.allowedURLs ?? [];
  if (patterns.some((pattern) => matchesURL(pattern, text, namespaceOf(mapping)))) return undefined;
  return deny(
    'UrlNotPermitted',
    `\`poller.target.http.url\`: ${onlyPatterns(mappingClass, patterns)}; found ${quote(shownUrl(read.url))}`,
  );
}

/** What a class may say and this release does not do: refused rather than passed over in silence. */
function gapRule({ metadata, spec }: MappingClass, mapping: EventSourceMapping): Denied | undefined {
  const gap = (field: string): Denied =>
    deny(
      'NotSupported',
      `MappingClass ${quote(metadata.name)}: \`${field}\` is not supported by this release`,
    );
  if (mapping.spec.mode !== 'Poller') return undefined;
  if (spec.quotas?.concurrency !== undefined) return gap('quotas.concurrency');
  if (spec.quotas?.bytesInFlight !== undefined) return gap('quotas.bytesInFlight');
  return undefined;
}

/** The oldest mappings keep their place, so that a new one never takes it from one that runs. */
function quotaRule(mappingClass: MappingClass, { mapping, siblings }: AdmissionInput): Denied | undefined {
  const quota = mappingClass.spec.quotas?.mappings;
  if (quota === undefined) return undefined;
  const inClass = (other: EventSourceMapping): boolean =>
    namespaceOf(other) === namespaceOf(mapping) &&
    (other.spec.className === undefined
      ? isDefaultClass(mappingClass)
      : other.spec.className === mappingClass.metadata.name);
  const age = ({ metadata }: EventSourceMapping): string =>
    `${metadata.creationTimestamp ?? ''} ${metadata.name}`;
  const older = [...siblings].filter(
    (other) => inClass(other) && other.metadata.name !== mapping.metadata.name && age(other) < age(mapping),
  );
  if (older.length < quota) return undefined;
  return deny(
    'QuotaExceeded',
    `MappingClass ${quote(mappingClass.metadata.name)} allows ${quota} mappings in the namespace ${quote(namespaceOf(mapping))}`,
  );
}

function onlyPatterns({ metadata }: MappingClass, patterns: readonly string[]): string {
  const allowed = patterns.length === 0 ? 'none' : patterns.join(', ');
  return `MappingClass ${quote(metadata.name)} allows ${allowed}`;
}

/** Where a mapping gets the missing parts of an ARN from: its own `aws`, else its class. */
export function placeOf(mapping: EventSourceMapping, mappingClass: MappingClass | undefined): Place {
  return {
    region: mapping.spec.aws?.region ?? mappingClass?.spec.aws?.region,
    accountID: mapping.spec.aws?.accountID ?? mappingClass?.spec.aws?.accountID,
  };
}

function arnRule(mappingClass: MappingClass, mapping: EventSourceMapping): Denied | undefined {
  const arn = mapping.spec.eventSourceARN;
  const completion = arn === undefined ? undefined : completeArn(arn, placeOf(mapping, mappingClass));
  if (completion?.kind !== 'incomplete') return undefined;
  const [missing = 'region'] = completion.missing;
  return deny(
    'IncompleteARN',
    `\`eventSourceARN\` leaves out what neither \`aws.${missing}\` of the mapping nor its class gives; found ${quote(arn ?? '')}`,
  );
}

function namespaceOf({ metadata }: EventSourceMapping): string {
  return metadata.namespace ?? '';
}

function deny(reason: Denied['reason'], message: string): Denied {
  return { kind: 'denied', reason, message };
}

const quote = (value: string): string => JSON.stringify(value);

/** As whom what a mapping left at AWS is cleaned up; the installation's own identity where there is no class. */
export function identityForRelease(
  mapping: EventSourceMapping,
  mappingClass: MappingClass | undefined,
): Identity {
  const { identity, roleARN } = mappingClass?.spec.aws ?? {};
  if (identity === 'ServiceAccount') return serviceAccountOf(mapping);
  if (identity !== 'Role' || roleARN === undefined) return { kind: 'Installation' };
  return { kind: 'Role', roleARN: expandNamespace(roleARN, namespaceOf(mapping)) };
}

function serviceAccountOf({ spec }: EventSourceMapping): Identity {
  return { kind: 'ServiceAccount', name: spec.aws?.serviceAccountName ?? 'default' };
}
