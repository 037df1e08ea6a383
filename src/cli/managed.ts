/** The AWS backend of a process: one API per place and identity, all calls paced together. */
import type { Identity } from '../api/class-rules.ts';
import { AwsClients } from '../aws/clients.ts';
import { installationIdentity, roleIdentity } from '../aws/credentials.ts';
import { AwsBackend } from '../backends/aws/backend.ts';
import { mappingApi, type MappingApi } from '../backends/aws/client.ts';
import { TokenBucket } from '../kube/rate-limiter.ts';
import type { Clock } from '../lib/clock.ts';

export interface ManagedOptions {
  readonly clusterID: string;
  readonly clients: AwsClients;
  readonly clock: Clock;
  readonly recheckMs: number;
  /** Calls of the control plane per second, of the 15 that an account and Region have. */
  readonly requestsPerSecond: number;
}

export function managedBackend(options: ManagedOptions): AwsBackend {
  const { clusterID, clients, clock, recheckMs, requestsPerSecond } = options;
  const bucket = new TokenBucket(clock, requestsPerSecond, 2 * requestsPerSecond);
  const pace = async (signal: AbortSignal): Promise<void> => {
    const waitMs = bucket.reserve();
    if (waitMs > 0) await clock.sleep(waitMs, signal);
  };
  // Clients are kept: a connection and assumed credentials for each pass would cost more than the pass.
  const apis = new Map<string, MappingApi & Disposable>();
  return new AwsBackend({
    clusterID,
    recheckMs,
    api: (identity, namespace, region) => {
      const key = JSON.stringify([identity, identity.kind === 'Installation' ? '' : namespace, region]);
      let api = apis.get(key);
      if (api === undefined) {
        const lease = clients.lambda(
          { region, identity: awsIdentity(identity, clusterID, namespace) },
          'control',
        );
        api = { ...mappingApi(lease.client, pace), [Symbol.dispose]: () => undefined };
        apis.set(key, api);
      }
      return api;
    },
  });
}

function awsIdentity(
  identity: Identity,
  clusterID: string,
  namespace: string,
): ReturnType<typeof roleIdentity> {
  switch (identity.kind) {
    case 'Role':
      return roleIdentity(identity.roleARN, clusterID, namespace);
    case 'Installation':
    // `api/supported.ts` keeps a mapping with a ServiceAccount of its own from getting here.
    case 'ServiceAccount':
      return installationIdentity;
  }
}
