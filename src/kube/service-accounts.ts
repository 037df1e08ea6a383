/**
 * ServiceAccounts of tenants as identities at AWS: the role that one names, and short-lived tokens for it by the
 * TokenRequest API. Needs `get` on the ServiceAccount and `create` on its `token`, by name; nothing is listed or kept.
 */
import { SluiceError, backoff, messageOf } from '../lib/errors.ts';
import type { ApiClient } from './api-client.ts';
import { isKubeError } from './kube-error.ts';
import { resource, type KubeObject } from './resource.ts';

const accounts = resource({
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
});

/** Where EKS's own webhook reads the role, so that one ServiceAccount serves the consumer and Sluice. */
const roleAnnotation = 'eks.amazonaws.com/role-arn';

/** The least that the API server gives: a token is shown to STS at once and never again. */
const tokenSeconds = 600;

interface TokenRequest extends KubeObject {
  readonly status?: { readonly token?: string };
}

/**
 * Reads ServiceAccounts through `api`. Throws `ServiceAccountNotFound`, `ServiceAccountNotPermitted` when a Role is
 * missing, and `MemberFailed` when nobody says.
 */
export function kubeServiceAccounts(api: Pick<ApiClient, 'get' | 'create'>): {
  roleARN(namespace: string, name: string, signal: AbortSignal): Promise<string>;
  token(namespace: string, name: string, audience: string, signal: AbortSignal): Promise<string>;
} {
  return {
    async roleARN(namespace, name, signal) {
      const account = await asked(namespace, name, 'get serviceaccounts', () =>
        api.get<KubeObject>(accounts.object(namespace, name), { signal }),
      );
      const roleARN = account.metadata.annotations?.[roleAnnotation];
      if (roleARN !== undefined && roleARN !== '') return roleARN;
      throw new SluiceError(
        'ServiceAccountNotFound',
        `the ServiceAccount ${namespace}/${name} must have the annotation ${roleAnnotation}`,
        backoff,
      );
    },
    async token(namespace, name, audience, signal) {
      const body = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: [audience], expirationSeconds: tokenSeconds },
      };
      const request = await asked(namespace, name, 'create serviceaccounts/token', () =>
        api.create<TokenRequest>(`${accounts.object(namespace, name)}/token`, body, { signal }),
      );
      const token = request.status?.token;
      if (token !== undefined && token !== '') return token;
      throw new SluiceError(
        'MemberFailed',
        `the API server gave no token for the ServiceAccount ${namespace}/${name}`,
        backoff,
      );
    },
  };
}

async function asked<T>(namespace: string, name: string, right: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isKubeError(error, 'NotFound')) {
      const message = `there is no ServiceAccount ${namespace}/${name}`;
      throw new SluiceError('ServiceAccountNotFound', message, backoff, { cause: error });
    }
    if (isKubeError(error, 'Forbidden')) {
      // The server names who asked; no RoleBinding can be written without that.
      const who = /User "([^"]+)"/.exec(error.message)?.[1] ?? "Sluice's ServiceAccount";
      throw new SluiceError(
        'ServiceAccountNotPermitted',
        `${who} must have the right to ${right} for ${namespace}/${name}: list it in \`serviceAccountAccess\` of the chart`,
        backoff,
        { cause: error },
      );
    }
    // Words of the API server's own are no reasons of a mapping.
    const retry = error instanceof SluiceError ? error.retry : backoff;
    throw new SluiceError(
      'MemberFailed',
      `the ServiceAccount ${namespace}/${name} could not be asked for: ${messageOf(error)}`,
      retry,
      { cause: error },
    );
  }
}
