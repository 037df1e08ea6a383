/**
 * Opens the target of a mapping: a Lambda function, a Service of the namespace or a URL. What it needs from its
 * surroundings is followed as long as it is open: endpoints by their watch, the rest by `follow-target.ts`.
 */
import type { Effective } from '../api/effective.ts';
import type { AwsClients } from '../aws/clients.ts';
import type { AwsIdentity } from '../aws/credentials.ts';
import type { Clock } from '../lib/clock.ts';
import { SluiceError } from '../lib/errors.ts';
import { anySignal, deferred } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import type { Target } from '../poller/ports.ts';
import type { Resolver } from '../targets/address-policy.ts';
import { httpTargetConfig, secretFields, type HttpPlace } from '../targets/http-config.ts';
import { MutableEndpoints, urlEndpoint, type EndpointSource } from '../targets/http-endpoints.ts';
import { createHttpTarget, type HttpTarget } from '../targets/http-target.ts';
import type { Occupancy } from '../targets/http/occupancy.ts';
import { readFunctionTimeoutMs } from '../targets/lambda.ts';
import { followFunction, followSecrets } from './follow-target.ts';
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
  /** Endpoints at a call, over all mappings of the process. */
  readonly occupancy?: Occupancy | undefined;
  /** Endpoints of Services may be on this machine: laptops and test clusters. */
  readonly allowLoopbackEndpoints: boolean;
  /** How often Secrets are read again, in milliseconds; default 60,000. */
  readonly secretRefreshMs?: number | undefined;
  /** Told when a Secret could not be read or used again; the old content stays in use. */
  readonly onSecretFailure: (work: Work, message: string) => void;
}

/** A target with what people know of it. */
export interface OpenTarget extends Target {
  /** The time-out of the spec or of the function, in milliseconds; undefined while that cannot be read. */
  declaredTimeoutMs(): number | undefined;
}

/** How long opening waits for the first word about a Service. */
const firstLookMs = 5000;

/** Two specs with the same key have the same target, which can then stay open over the change. */
export function targetKey({ mapping, allowedURLs, allowLoopback }: Work, { values }: Effective): string {
  const { functionName, poller } = mapping.spec;
  return JSON.stringify([functionName, poller?.target, allowedURLs, allowLoopback, values.aws.region]);
}

/** Opens the target. Throws `SluiceError` with a documented reason that names the field. */
export async function openTarget(
  deps: TargetDeps,
  work: Work,
  effective: Effective,
  identity: AwsIdentity,
  signal: AbortSignal,
): Promise<OpenTarget> {
  const { functionName = '', poller } = work.mapping.spec;
  if (poller?.target?.http !== undefined) return openHttp(deps, work, signal);
  const place = { clients: deps.clients, identity, functionName, region: effective.values.aws.region };
  return followFunction(deps, place, await readFunctionTimeoutMs(place, signal));
}

async function openHttp(deps: TargetDeps, work: Work, signal: AbortSignal): Promise<OpenTarget> {
  const http = work.mapping.spec.poller?.target?.http ?? {};
  const namespace = work.mapping.metadata.namespace ?? 'default';
  const fields = secretFields(http);
  const read = async (reading: AbortSignal) => {
    const pairs = [...fields].map(
      async ([name, field]) =>
        [name, await readSecret(deps.secrets, namespace, name, field, reading)] as const,
    );
    const secrets = Object.fromEntries(await Promise.all(pairs));
    const allowLoopback = work.allowLoopback || (http.service !== undefined && deps.allowLoopbackEndpoints);
    return httpTargetConfig(http, { namespace, secrets, allowedURLs: work.allowedURLs, allowLoopback });
  };
  const { config, place } = await read(signal);
  const { endpoints, known } = openEndpoints(deps.services, place, namespace);
  let target: HttpTarget;
  try {
    target = createHttpTarget(config, { ...deps, endpoints });
  } catch (error) {
    endpoints.close();
    throw error;
  }
  // Else a mapping would begin with a false alarm that no endpoint is ready.
  await firstOf(deps.clock, known, firstLookMs, signal);
  const follow =
    fields.size === 0 ? undefined : { read, onFailure: (why: string) => deps.onSecretFailure(work, why) };
  return followSecrets(deps, target, config, follow);
}

/** What goes wrong is told with the field that names the Secret. */
async function readSecret(
  secrets: SecretReader,
  namespace: string,
  name: string,
  field: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  try {
    return await secrets.read(namespace, name, signal);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    throw new SluiceError(error.reason, `\`${field}\`: ${error.message}`, error.retry, { cause: error });
  }
}

function openEndpoints(
  services: ServiceFollower,
  place: HttpPlace,
  namespace: string,
): { readonly endpoints: EndpointSource; readonly known: Promise<void> } {
  if (place.kind === 'url') return { endpoints: urlEndpoint(place.url), known: Promise.resolve() };
  const named = `Service ${namespace}/${place.name}`;
  const first = deferred<void>();
  const endpoints: MutableEndpoints = new MutableEndpoints(`${named} has not been looked up yet`, () =>
    follower[Symbol.dispose](),
  );
  const follower = services.follow({ namespace, name: place.name, port: place.port }, (state) => {
    if (state.kind === 'refused') {
      endpoints.setUnready(state.reason, state.message);
    } else {
      const list = state.endpoints.map(({ address, port }) => ({ host: address, port }));
      endpoints.set(list, `${named} has no ready endpoint`);
    }
    first.resolve();
  });
  return { endpoints, known: first.promise };
}

/** Resolves with `done`, after `ms`, or when the signal aborts. */
async function firstOf(clock: Clock, done: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const waiting = clock.sleep(ms, anySignal(signal, ended.signal));
  await Promise.race([done, waiting]);
  ended.abort();
  await waiting;
}
