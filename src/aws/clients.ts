/**
 * The SDK clients of the process. One client, with its pool of connections, for each service, use, Region and
 * identity; users lease it and the last one to let go closes it.
 *
 * Uses differ in what a retry would do: `control` calls are few and retried by the SDK; `poll` and `invoke` are not,
 * since the engine has its own back-off and a hidden repeat would run a function twice; nor are `paced` ones, whose
 * caller must hear of each refusal to find the right rate.
 */
import { LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../lib/clock.ts';
import { never, SluiceError } from '../lib/errors.ts';
import {
  assumedCredentials,
  defaultCredentials,
  identityKey,
  serviceAccountCredentials,
  type AwsIdentity,
  type CredentialsProvider,
  type ServiceAccounts,
} from './credentials.ts';
import { endpointOf, type AwsEndpoints, type AwsService } from './endpoints.ts';
import { agentProxy, type ProxySettings } from './proxy.ts';
import { SignedClient, type SignedClientOptions } from './sigv4-client.ts';
import {
  cloudWatchAddress,
  lambdaAddress,
  sqsAddress,
  stsAddress,
  taggingAddress,
  type ServiceAddress,
} from './sigv4-endpoint.ts';
import { passUnknownMembers } from './unknown-members.ts';

export type ClientUse = 'poll' | 'invoke' | 'control' | 'paced';

/** What receives, deletes and invokes: Sluice's own signed requests, or the SDK. */
export type AwsClientKind = 'signed' | 'sdk';

export interface AwsClientsOptions {
  /** Version of Sluice, for the user agent. */
  readonly version: string;
  readonly clock: Clock;
  /** Region of those that name none (`AWS_REGION`). */
  readonly region?: string | undefined;
  readonly endpoints?: AwsEndpoints | undefined;
  /** Profile that the environment names (`AWS_PROFILE`), for messages. */
  readonly profile?: string | undefined;
  /** The proxies on the way to AWS, if any. */
  readonly proxy?: ProxySettings | undefined;
  /** Instead of the SDK's default chain. */
  readonly credentials?: CredentialsProvider | undefined;
  /** Where tenants' own ServiceAccounts are asked for; undefined where there is no cluster. */
  readonly serviceAccounts?: ServiceAccounts | undefined;
  /**
   * Connections to one host and client, default 2,048. A long poll holds one for its whole time, so the number is a
   * guard against leaks, not a throttle: too few would make deletes wait behind idle polls.
   */
  readonly maxSockets?: number | undefined;
  /** What the data plane calls SQS and Lambda by; default `signed`. */
  readonly pollClient?: AwsClientKind | undefined;
  /** Told of the end of each call of a control plane, repeats by the SDK included in one. Must not throw. */
  readonly observe?: ((call: ControlCall) => void) | undefined;
}

/** A call of a control plane that has ended. */
export interface ControlCall {
  readonly service: AwsService;
  /** The operation, such as `GetQueueUrl`. */
  readonly operation: string;
  /** `OK`, or the name of the error. */
  readonly code: string;
}

/** Where and as whom. */
export interface AwsPlace {
  readonly region?: string | undefined;
  readonly identity: AwsIdentity;
}

/** A client in use. */
export interface ClientLease<C> extends Disposable {
  readonly client: C;
  readonly region: string;
  /** The custom endpoint, or undefined for AWS's own. */
  readonly endpoint: string | undefined;
  /** Lets go; the second call does nothing. */
  readonly release: () => void;
}

type Observing = (
  next: (args: object) => Promise<object>,
  context: { readonly commandName?: string },
) => (args: object) => Promise<object>;

interface Entry {
  readonly client: { destroy(): void };
  users: number;
}

/** A long poll lasts 20 s; an answer that takes this much longer is not coming. */
export const pollTimeoutMs = 35_000;
const controlTimeoutMs = 20_000;
const connectTimeoutMs = 5_000;
const defaultMaxSockets = 2048;
/** 100,800 data points, the most of an answer, of some 30 bytes each, and room. */
const maxMetricDataBytes = 8 * 1024 * 1024;
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export class AwsClients implements AsyncDisposable {
  readonly #options: AwsClientsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #credentials = new Map<string, CredentialsProvider>();
  readonly #base: CredentialsProvider;

  constructor(options: AwsClientsOptions) {
    this.#options = options;
    const { clock, credentials, profile, proxy } = options;
    this.#base = credentials ?? defaultCredentials(clock, { profile, proxy });
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Clients open now. */
  get size(): number {
    return this.#entries.size;
  }

  sqs(place: AwsPlace, use: ClientUse): ClientLease<SQSClient> {
    return this.#lease('sqs', place, use, (config) =>
      // The queue URL is data: it never decides where a request goes, or FIPS and VPC endpoints would be bypassed.
      this.#observed('sqs', use, new SQSClient({ ...config, useQueueUrlAsEndpoint: false })),
    );
  }

  get pollClient(): AwsClientKind {
    return this.#options.pollClient ?? 'signed';
  }

  /** SQS for the poll loop without the SDK, at the place that the SDK would call. */
  signedSqs(place: AwsPlace): ClientLease<SignedClient> {
    return this.#signed('sqs', place, sqsAddress, { targetPrefix: 'AmazonSQS' });
  }

  /** Lambda for invocations without the SDK, at the place that the SDK would call. */
  signedLambda(place: AwsPlace, maxAnswerBytes: number): ClientLease<SignedClient> {
    return this.#signed('lambda', place, lambdaAddress, { maxAnswerBytes });
  }

  /** The Resource Groups Tagging API, of which the SDK that Sluice carries has no client. */
  signedTagging(place: AwsPlace): ClientLease<SignedClient> {
    const { endpoints } = this.#options;
    return this.#signed('tagging', place, (config) => taggingAddress(config, endpoints?.lambda), {});
  }

  /** CloudWatch, of which the SDK that Sluice carries has no client either. */
  signedCloudWatch(place: AwsPlace): ClientLease<SignedClient> {
    return this.#signed('monitoring', place, cloudWatchAddress, {
      targetPrefix: 'GraniteServiceVersion20100801',
      maxAnswerBytes: maxMetricDataBytes,
    });
  }

  /** Tells of a call that was not made by a client of the SDK. */
  told(call: ControlCall): void {
    this.#options.observe?.(call);
  }

  /** STS without the SDK, for what it says of an identity. */
  signedSts(place: AwsPlace): ClientLease<SignedClient> {
    return this.#signed('sts', place, stsAddress, {});
  }

  lambda(place: AwsPlace, use: ClientUse): ClientLease<LambdaClient> {
    return this.#lease('lambda', place, use, (config) =>
      this.#observed('lambda', use, passUnknownMembers(new LambdaClient(config))),
    );
  }

  /** Closes every client, leased or not. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const entry of this.#entries.values()) entry.client.destroy();
    this.#entries.clear();
    this.#credentials.clear();
  }

  #signed(
    service: 'sqs' | 'lambda' | 'tagging' | 'monitoring' | 'sts',
    place: AwsPlace,
    address: (config: LambdaClientConfig) => Promise<ServiceAddress>,
    more: Pick<SignedClientOptions, 'targetPrefix' | 'maxAnswerBytes'>,
  ): ClientLease<SignedClient> {
    const { clock, version, proxy, maxSockets = defaultMaxSockets } = this.#options;
    return this.#lease(
      service,
      place,
      'signed',
      (config, region) =>
        new SignedClient({
          clock,
          scope: { region, service },
          credentials: this.#credentialsOf(place.identity, region),
          address: () => address(config),
          userAgent: `sluice/${version}`,
          connections: maxSockets,
          proxy,
          ...more,
        }),
    );
  }

  #lease<C extends { destroy(): void }>(
    service: AwsService,
    place: AwsPlace,
    use: ClientUse | 'signed',
    open: (config: LambdaClientConfig, region: string) => C,
  ): ClientLease<C> {
    const region = place.region ?? this.#options.region;
    if (region === undefined || region === '') {
      throw new SluiceError(
        'WrongRegion',
        '`aws.region` must be set: neither an ARN nor the environment names one',
        never,
      );
    }
    const endpoint = endpointOf(this.#options.endpoints ?? {}, service);
    const key = JSON.stringify([service, use, region, endpoint, identityKey(place.identity)]);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { client: open(this.#config(service, use, region, place.identity), region), users: 0 };
      this.#entries.set(key, entry);
    }
    entry.users++;
    const release = this.#releaseOnce(key, entry);
    // The key names the service, so the entry was opened by this very function's caller.
    return { client: entry.client as C, region, endpoint, release, [Symbol.dispose]: release };
  }

  #observed<C extends SQSClient | LambdaClient>(service: AwsService, use: ClientUse, client: C): C {
    const { observe } = this.#options;
    if (observe === undefined || (use !== 'control' && use !== 'paced')) return client;
    const middleware: Observing = (next, context) => async (args) => {
      const operation = (context.commandName ?? 'unknown').replace(/Command$/, '');
      try {
        const result = await next(args);
        observe({ service, operation, code: 'OK' });
        return result;
      } catch (error) {
        observe({ service, operation, code: error instanceof Error ? error.name : 'Error' });
        throw error;
      }
    };
    // The two services' stacks differ in types of inputs and outputs, which this step does not look at.
    (client.middlewareStack as { add(step: Observing, at: object): void }).add(middleware, {
      step: 'initialize',
      name: 'sluiceObserve',
    });
    return client;
  }

  #releaseOnce(key: string, entry: Entry): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      if (--entry.users > 0 || this.#entries.get(key) !== entry) return;
      this.#entries.delete(key);
      entry.client.destroy();
    };
  }

  #config(
    service: AwsService,
    use: ClientUse | 'signed',
    region: string,
    identity: AwsIdentity,
  ): LambdaClientConfig {
    const endpoint = endpointOf(this.#options.endpoints ?? {}, service);
    const agent = {
      keepAlive: true,
      maxSockets: this.#options.maxSockets ?? defaultMaxSockets,
      maxFreeSockets: 64,
      ...agentProxy(this.#options.proxy),
    };
    return {
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      credentials: this.#credentialsOf(identity, region),
      retryMode: 'standard',
      maxAttempts: use === 'control' ? 3 : 1,
      customUserAgent: [['sluice', this.#options.version]],
      logger: silent,
      requestHandler: {
        connectionTimeout: connectTimeoutMs,
        // An invocation may say nothing for 15 minutes: its deadline is the target's.
        requestTimeout: use === 'invoke' ? 0 : use === 'poll' ? pollTimeoutMs : controlTimeoutMs,
        throwOnRequestTimeout: true,
        socketTimeout: use === 'invoke' ? 0 : pollTimeoutMs,
        httpAgent: agent,
        httpsAgent: agent,
        logger: silent,
      },
    };
  }

  #credentialsOf(identity: AwsIdentity, region: string): CredentialsProvider {
    if (identity.kind === 'Installation') return this.#base;
    const key = identityKey(identity);
    let provider = this.#credentials.get(key);
    if (provider === undefined) {
      provider = this.#newCredentials(identity, region);
      this.#credentials.set(key, provider);
    }
    return provider;
  }

  #newCredentials(
    identity: Exclude<AwsIdentity, { readonly kind: 'Installation' }>,
    region: string,
  ): CredentialsProvider {
    const { clock, endpoints = {}, proxy, serviceAccounts } = this.#options;
    const sts = { region, endpoint: endpointOf(endpoints, 'sts'), proxy };
    if (identity.kind === 'Role') return assumedCredentials(clock, identity, this.#base, sts);
    if (serviceAccounts === undefined) {
      throw new SluiceError(
        'NotSupported',
        `\`aws.serviceAccountName\` must be left out where there is no cluster; found ${identity.name}`,
        never,
      );
    }
    return serviceAccountCredentials(clock, identity, serviceAccounts, sts);
  }
}
