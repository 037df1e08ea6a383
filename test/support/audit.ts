import fs from 'node:fs';
import type { ControlPlaneAccess } from './control-plane.ts';

/**
 * What ServiceAccounts asked the API server for, from its own audit log: the truth about which rights are used and
 * which are missing. A request is in the log before its answer is out.
 */
export interface AuditedRequest {
  /** `namespace/name` of the ServiceAccount. */
  readonly account: string;
  readonly verb: string;
  /** API group, empty for the core group. */
  readonly group: string;
  /** Plural, with the subresource: `eventsourcemappings/status`; the path of what is no resource. */
  readonly resource: string;
  /** Empty for a request in the whole cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly code: number;
  readonly userAgent: string;
}

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly userAgent?: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

const prefix = 'system:serviceaccount:';

/** Requests of the ServiceAccounts of one namespace, in the order of their answers; a watch once, when it began. */
export function auditOf(controlPlane: ControlPlaneAccess, namespace: string): readonly AuditedRequest[] {
  const wanted = `${prefix}${namespace}:`;
  return fs
    .readFileSync(controlPlane.info.auditLog, 'utf8')
    .split('\n')
    .flatMap((line) => {
      // Other tests share the log: most lines need no parsing.
      if (!line.includes(wanted)) return [];
      const event = parse(line);
      if (event === undefined || !event.user.username.startsWith(wanted)) return [];
      const refused = (event.responseStatus?.code ?? 0) >= 400;
      const ended = event.stage === 'ResponseComplete' && (event.verb !== 'watch' || refused);
      return ended || event.stage === 'ResponseStarted' || event.stage === 'Panic' ? [requestOf(event)] : [];
    });
}

/** A request as one line, for messages: `403 list configmaps in shop by sluice-poller`. */
export function requestText({
  account,
  verb,
  group,
  resource,
  namespace,
  name,
  code,
}: AuditedRequest): string {
  const what = `${resource}${group === '' ? '' : `.${group}`}${name === '' ? '' : ` ${name}`}`;
  return `${code} ${verb} ${what} ${namespace === '' ? 'in the whole cluster' : `in ${namespace}`} by ${account.split('/')[1] ?? ''}`;
}

/** The last line may still be under way. */
function parse(line: string): AuditEvent | undefined {
  try {
    return JSON.parse(line) as AuditEvent;
  } catch {
    return undefined;
  }
}

function requestOf(event: AuditEvent): AuditedRequest {
  const { apiGroup = '', resource, subresource, namespace = '', name = '' } = event.objectRef ?? {};
  const path = resource ?? event.requestURI.split('?')[0] ?? '';
  return {
    account: event.user.username.slice(prefix.length).replace(':', '/'),
    verb: event.verb,
    group: apiGroup,
    resource: subresource === undefined ? path : `${path}/${subresource}`,
    namespace,
    name,
    code: event.responseStatus?.code ?? 0,
    userAgent: event.userAgent ?? '',
  };
}
