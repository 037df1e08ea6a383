/** Reads single Secrets by name. Their content is handed on and kept nowhere. */
import type { SecretReader } from '../fleet/ports.ts';
import { SluiceError, backoff, messageOf, never } from '../lib/errors.ts';
import type { ApiClient } from './api-client.ts';
import { isKubeError } from './kube-error.ts';
import { resource, type KubeObject } from './resource.ts';

const secrets = resource({ group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true });

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Throws `SecretNotFound`, `SecretNotPermitted` when a Role is missing, and `MemberFailed` when nobody says. */
export function kubeSecretReader(api: Pick<ApiClient, 'get'>): SecretReader {
  return {
    async read(namespace, name, signal) {
      try {
        const secret = await api.get<Secret>(secrets.object(namespace, name), { signal });
        return Object.fromEntries(
          Object.entries(secret.data ?? {}).map(([key, value]) => [
            key,
            Buffer.from(value, 'base64').toString('utf8'),
          ]),
        );
      } catch (error) {
        if (isKubeError(error, 'NotFound')) {
          throw new SluiceError('SecretNotFound', `there is no Secret ${namespace}/${name}`, never, {
            cause: error,
          });
        }
        if (isKubeError(error, 'Forbidden')) {
          // The server names who asked; no RoleBinding can be written without that.
          const who = /User "([^"]+)"/.exec(error.message)?.[1] ?? "the poller's ServiceAccount";
          throw new SluiceError(
            'SecretNotPermitted',
            `the Secret ${namespace}/${name} may not be read: ${who} must have a Role in ${namespace} with the verb get on secrets, resourceNames ${name}, as the chart makes it for \`poller.secretAccess\``,
            never,
            { cause: error },
          );
        }
        // Words of the API server's own are no reasons of a mapping.
        const retry = error instanceof SluiceError ? error.retry : backoff;
        throw new SluiceError(
          'MemberFailed',
          `Secret ${namespace}/${name} could not be read: ${messageOf(error)}`,
          retry,
          { cause: error },
        );
      }
    },
  };
}
