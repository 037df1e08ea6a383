/**
 * Opens the target of a mapping: a Lambda function, a Service of the namespace or a URL. What a target needs from the
 * cluster is followed as long as it is open: endpoints by their watch, Secrets by reading them again each minute, so
 * that a rotated certificate is used without a restart.
 */
import type { Effective } from '../api/effective.ts';
import type { AwsClients } from '../aws/clients.ts';
import type { AwsIdentity } from '../aws/credentials.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { TaskGroup } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import type { Target } from '../poller/ports.ts';
import type { Resolver } from '../targets/address-policy.ts';
import {
  httpTargetConfig,
  secretNames,
  type HttpPlace,
  type HttpTargetConfig,
} from '../targets/http-config.ts';
import { MutableEndpoints, urlEndpoint, type EndpointSource } from '../targets/http-endpoints.ts';
import { createHttpTarget, type HttpTarget } from '../targets/http-target.ts';
import { lambdaTarget, readFunctionTimeoutMs } from '../targets/lambda.ts';
import type { SecretReader, ServiceFollower } from './ports.ts';
import type { Work } from './work.ts';

export interface TargetDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly clients: AwsClients;
  readonly services: ServiceFollower;
  readonly secrets: SecretReader;
  readonly resolver: Resolver;
  readonly version: string;
  readonly newTraceId: () => string;
  /** Endpoints of Services may be on this machine: laptops and test clusters. */
  readonly allowLoopbackEndpoints: boolean;
  /** Told when a Secret could not be read again; the old content stays in use. */
  readonly onSecretFailure: (message: string) => void;
}

/** How often Secrets are read again. */
const secretIntervalMs = 60_000;

/** Opens the target. Throws `SluiceError` with a documented reason that names the field. */
export async function openTarget(
  deps: TargetDeps,
  work: Work,
  effective: Effective,
  identity: AwsIdentity,
  signal: AbortSignal,
): Promise<Target> {
  const { functionName } = work.mapping.spec;
  if (work.mapping.spec.poller?.target?.http !== undefined) return openHttp(deps, work, signal);
  const place = {
    clients: deps.clients,
    identity,
    functionName: functionName ?? '',
    region: effective.values.aws.region,
  };
  // Without the permission to ask, the longest time that a function may have is assumed.
  return lambdaTarget({ ...place, timeoutMs: await readFunctionTimeoutMs(place, signal) });
}

async function openHttp(deps: TargetDeps, work: Work, signal: AbortSignal): Promise<Target> {
  const http = work.mapping.spec.poller?.target?.http ?? {};
  const namespace = work.mapping.metadata.namespace ?? 'default';
  const names = secretNames(http);
  const read = async (reading: AbortSignal) => {
    const pairs = names.map(
      async (name) => [name, await deps.secrets.read(namespace, name, reading)] as const,
    );
    const secrets = Object.fromEntries(await Promise.all(pairs));
    const allowLoopback = work.allowLoopback || (http.service !== undefined && deps.allowLoopbackEndpoints);
    return httpTargetConfig(http, { namespace, secrets, allowedURLs: work.allowedURLs, allowLoopback });
  };
  const { config, place } = await read(signal);
  const endpoints = openEndpoints(deps.services, place, namespace);
  let target: HttpTarget;
  try {
    target = createHttpTarget(config, { ...deps, endpoints });
  } catch (error) {
    endpoints.close();
    throw error;
  }
  return names.length === 0 ? target : followSecrets(deps, target, config, read);
}

function openEndpoints(services: ServiceFollower, place: HttpPlace, namespace: string): EndpointSource {
  if (place.kind === 'url') return urlEndpoint(place.url);
  const named = `Service ${namespace}/${place.name}`;
  const endpoints: MutableEndpoints = new MutableEndpoints(`${named} has not been looked up yet`, () =>
    follower[Symbol.dispose](),
  );
  const follower = services.follow({ namespace, name: place.name, port: place.port }, (state) => {
    if (state.kind === 'refused') endpoints.setUnready(state.reason, state.message);
    else
      endpoints.set(
        state.endpoints.map(({ address, port }) => ({ host: address, port })),
        `${named} has no ready endpoint`,
      );
  });
  return endpoints;
}

/** The same target, with its Secrets read again each minute until it is closed. */
function followSecrets(
  deps: TargetDeps,
  target: HttpTarget,
  opened: HttpTargetConfig,
  read: (signal: AbortSignal) => Promise<{ readonly config: HttpTargetConfig }>,
): Target {
  const stop = new AbortController();
  const tasks = new TaskGroup((error) => deps.onSecretFailure(messageOf(error)));
  tasks.run(async () => {
    const contentOf = ({ tls, headers }: HttpTargetConfig): string => JSON.stringify([tls, headers]);
    let used = contentOf(opened);
    while (!stop.signal.aborted) {
      await deps.clock.sleep(secretIntervalMs, stop.signal);
      if (stop.signal.aborted) return;
      try {
        const { config } = await read(stop.signal);
        if (contentOf(config) === used) continue;
        target.updateTls(config.tls ?? {});
        target.updateHeaders(config.headers);
        used = contentOf(config);
      } catch (error) {
        if (!stop.signal.aborted) deps.onSecretFailure(messageOf(error));
      }
    }
  });
  return {
    type: target.type,
    timeoutMs: target.timeoutMs,
    invoke: (invocation, signal) => target.invoke(invocation, signal),
    unready: () => target.unready(),
    async close() {
      stop.abort();
      await tasks.drained();
      await target.close();
    },
  };
}
