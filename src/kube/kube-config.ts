/**
 * Where the API server is and how to prove who we are: the one file that imports `@kubernetes/client-node`, which
 * is heavy, and which we use for nothing else. It knows kubeconfig files, in-cluster ServiceAccounts, client
 * certificates, exec plugins and OIDC, and renews their tokens.
 */
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { KubeConfig, type Cluster } from '@kubernetes/client-node';
import { messageOf } from '../lib/errors.ts';
import type { ClusterAccess, Credentials } from './cluster-access.ts';
import { KubeError } from './kube-error.ts';

/** Where to look. Without anything: KUBECONFIG, then ~/.kube/config, then the ServiceAccount of the pod. */
export interface AccessOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly inCluster?: boolean | undefined;
}

const GUESS = 'http://localhost:8080';

/** Finds the cluster. Rejects with `KubeError` `BadRequest` when the configuration names none or cannot be read. */
export async function loadAccess(options: AccessOptions = {}): Promise<ClusterAccess> {
  let config = await readConfig(options);
  const cluster = config.getCurrentCluster();
  if (cluster === null || !/^https?:\/\//.test(cluster.server ?? '')) {
    throw configError(options, new Error('the current context must name a cluster with a `server` URL'));
  }
  if (isPlain(cluster) && !isPlainAllowed(cluster)) {
    throw configError(
      options,
      new Error(
        `the \`server\` of the current context must be an https URL, or http on a loopback address, as of kubectl proxy; found ${cluster.server}`,
      ),
    );
  }
  const proxy = cluster.proxyUrl;
  if (proxy?.startsWith('socks') === true) {
    throw configError(options, new Error(`\`proxy-url\` must be an http or https URL; found ${proxy}`));
  }
  const context = config.getContextObject(config.getCurrentContext());
  return {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: context?.namespace ?? 'default',
    proxy,
    credentials: async (renew = false) => {
      try {
        // The authenticators keep their tokens inside the KubeConfig; a new one is the only way to drop them.
        if (renew) config = await readConfig(options);
        const found: RequestOptions = {};
        await config.applyToHTTPSOptions(found);
        return toCredentials(found);
      } catch (error) {
        throw new KubeError(`Credentials for ${cluster.server}: ${messageOf(error)}`, {
          status: 0,
          reason: 'Unauthorized',
          cause: error,
        });
      }
    },
  };
}

async function readConfig(options: AccessOptions): Promise<KubeConfig> {
  const config = new KubeConfig();
  try {
    if (options.inCluster === true) config.loadFromCluster();
    else if (options.kubeconfig !== undefined) {
      // Read first, for Node's own message when the file is missing or closed to us.
      await readFile(options.kubeconfig);
      config.loadFromFile(options.kubeconfig);
    } else {
      config.loadFromDefault();
      // client-node falls back to a guess, whose refused connection would tell nobody what is missing.
      if (config.getCurrentUser()?.name === 'user' && config.getCurrentCluster()?.server === GUESS) {
        throw new Error(
          'KUBECONFIG must name a file, or ~/.kube/config or a ServiceAccount token must exist',
        );
      }
    }
    if (options.context !== undefined) {
      if (config.getContextObject(options.context) === null) {
        const names = config.getContexts().map((context) => context.name);
        throw new Error(`\`context\` must be one of ${names.join(', ')}; found ${options.context}`);
      }
      config.setCurrentContext(options.context);
    }
  } catch (error) {
    throw configError(options, error);
  }
  // client-node takes http only together with this; there is no TLS to verify.
  config.clusters = config.clusters.map((cluster) =>
    isPlain(cluster) && isPlainAllowed(cluster) ? { ...cluster, skipTLSVerify: true } : cluster,
  );
  return config;
}

function isPlain({ server }: Cluster): boolean {
  return URL.canParse(server) && new URL(server).protocol === 'http:';
}

/** Plain HTTP shows tokens and Secrets to whoever is on the way: on this machine nobody is, else somebody said so. */
function isPlainAllowed({ server, skipTLSVerify }: Cluster): boolean {
  const host = URL.canParse(server) ? new URL(server).hostname : '';
  return skipTLSVerify || host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}

function configError(options: AccessOptions, cause: unknown): KubeError {
  const where =
    options.kubeconfig ?? (options.inCluster === true ? 'in-cluster configuration' : 'kubeconfig');
  return new KubeError(`${where}: ${messageOf(cause)}`, { status: 0, reason: 'BadRequest', cause });
}

function toCredentials(found: RequestOptions): Credentials {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(found.headers ?? {})) {
    if (value !== undefined) headers[name.toLowerCase()] = String(value).trim();
  }
  if (typeof found.auth === 'string') {
    headers['authorization'] = `Basic ${Buffer.from(found.auth).toString('base64')}`;
  }
  return {
    headers,
    tls: {
      ca: pem(found.ca),
      cert: pem(found.cert),
      key: pem(found.key),
      servername: found.servername,
      rejectUnauthorized: found.rejectUnauthorized,
    },
  };
}

function pem(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString('utf8') : undefined;
}
