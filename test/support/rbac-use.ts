/** Compares what rendered Roles and ClusterRoles grant with what their ServiceAccounts asked for. */
import type { AuditedRequest } from './audit.ts';
import type { RenderedObject } from './helm.ts';

interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** One verb on one resource that a ServiceAccount may use. */
export interface Grant {
  /** Name of the ServiceAccount. */
  readonly account: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** Absent: in the whole cluster. */
  readonly namespace: string | undefined;
  /** Absent: whatever its name. */
  readonly name: string | undefined;
}

/** Every verb × resource that the objects grant to ServiceAccounts. */
export function grantsOf(objects: readonly RenderedObject[]): readonly Grant[] {
  return objects.flatMap((binding) => {
    if (binding.kind !== 'RoleBinding' && binding.kind !== 'ClusterRoleBinding') return [];
    const { roleRef, subjects } = binding as RenderedObject & {
      readonly roleRef: { readonly kind: string; readonly name: string };
      readonly subjects: readonly { readonly kind: string; readonly name: string }[];
    };
    const { namespace } = binding.kind === 'RoleBinding' ? binding.metadata : { namespace: undefined };
    const role = objects.find(
      ({ kind, metadata }) =>
        kind === roleRef.kind &&
        metadata.name === roleRef.name &&
        (kind === 'ClusterRole' || metadata.namespace === namespace),
    );
    if (role === undefined)
      throw new Error(`${binding.metadata.name} binds ${roleRef.name}, which is not there`);
    const { rules } = role as RenderedObject & { readonly rules: readonly PolicyRule[] };
    return subjects.flatMap(({ name: account }) =>
      rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) =>
            verbs.flatMap((verb) =>
              (resourceNames ?? [undefined]).map((name) => ({
                account,
                verb,
                group,
                resource,
                namespace,
                name,
              })),
            ),
          ),
        ),
      ),
    );
  });
}

/** Whether a request needed the grant. Server-side apply of what is not there yet needs `create` besides `patch`. */
export function uses(request: AuditedRequest, grant: Grant): boolean {
  return (
    request.account.endsWith(`/${grant.account}`) &&
    (request.verb === grant.verb ||
      (grant.verb === 'create' && request.verb === 'patch' && request.code === 201)) &&
    request.group === grant.group &&
    request.resource === grant.resource &&
    (grant.namespace === undefined || request.namespace === grant.namespace) &&
    (grant.name === undefined || request.name === grant.name)
  );
}

export const grantText = ({ verb, resource, group }: Grant): string =>
  `${verb} ${resource}${group === '' ? '' : `.${group}`}`;
