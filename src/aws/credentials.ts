/**
 * Who Sluice is towards AWS. One provider per identity, shared by all clients: a role is assumed once, not once per
 * service. Failures are classified here (`AwsCredentialsMissing`, `AssumeRoleFailed`), so that a broken trust policy
 * does not look like a broken queue. Nothing is written anywhere.
 */
import { createHash } from 'node:crypto';
import { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { Clock } from '../lib/clock.ts';
import { backoff, SluiceError } from '../lib/errors.ts';
import { clean, factsOf } from './error-facts.ts';
import { agentProxy, type ProxySettings } from './proxy.ts';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

export type CredentialsProvider = () => Promise<AwsCredentials>;

/** The pod's or user's own credentials, or a role that they assume. */
export type AwsIdentity =
  | { readonly kind: 'Installation' }
  | {
      readonly kind: 'Role';
      readonly roleARN: string;
      readonly externalID: string;
      readonly sessionName: string;
    };

export const installationIdentity: AwsIdentity = { kind: 'Installation' };

/**
 * A role assumed for a namespace. External id and session name are `<clusterID>/<namespace>`, never the tenant's
 * choice, so that a trust policy can tell tenants apart. Charsets are STS's (`[\w+=,.@:/-]` and `[\w+=,.@-]`).
 */
export function roleIdentity(roleARN: string, clusterID: string, namespace: string): AwsIdentity {
  const name = `${clusterID}/${namespace}`;
  return {
    kind: 'Role',
    roleARN,
    externalID: shape(name, /[^\w+=,.@:/-]/g, '-', 1224),
    // `/` is not allowed here. A namespace has no `@`, so the last one parts the two again.
    sessionName: shape(name.replaceAll('/', '@'), /[^\w+=,.@-]/g, '-', 64),
  };
}

/** Replaces what STS refuses and keeps names distinct that differ only in what had to go. */
function shape(name: string, refused: RegExp, by: string, maxLength: number): string {
  const shaped = name.replace(refused, by);
  if (shaped === name && name.length <= maxLength) return name;
  const mark = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${shaped.slice(0, maxLength - mark.length - 1)}-${mark}`;
}

/** Two identities with the same key share clients and credentials. */
export function identityKey(identity: AwsIdentity): string {
  return identity.kind === 'Role'
    ? JSON.stringify([identity.roleARN, identity.externalID, identity.sessionName])
    : identity.kind;
}

/** What a role is assumed with: the Region and endpoint of STS. */
export interface StsPlace {
  readonly region: string;
  readonly endpoint?: string | undefined;
  readonly proxy?: ProxySettings | undefined;
}

/**
 * The SDK's default chain: environment, shared files, IRSA, Pod Identity, instance metadata. `profile` is the one that
 * the environment names (`AWS_PROFILE`), for messages: the chain finds it by itself, and passes the keys of the
 * environment over for it.
 */
export function defaultCredentials(
  clock: Clock,
  { profile, proxy }: { readonly profile?: string | undefined; readonly proxy?: ProxySettings | undefined },
): CredentialsProvider {
  return remembered(clock, fromNodeProviderChain({ clientConfig: throughProxy(proxy) }), (error) => {
    const facts = factsOf(error);
    const where = profile === undefined ? '' : `, looked for in the profile ${profile} of AWS_PROFILE`;
    // IRSA assumes the pod's role within the chain.
    const assumes = /AssumeRole|web ?identity/i.test(facts.detail);
    return new SluiceError(
      assumes ? 'AssumeRoleFailed' : 'AwsCredentialsMissing',
      `AWS credentials of this process${where}: ${clean(facts.detail)}`,
      backoff,
    );
  });
}

/** Credentials of `identity`, assumed with those of `base` where it is a role. */
export function assumedCredentials(
  clock: Clock,
  identity: AwsIdentity & { readonly kind: 'Role' },
  base: CredentialsProvider,
  sts: StsPlace,
): CredentialsProvider {
  const provider = fromTemporaryCredentials({
    masterCredentials: base,
    params: {
      RoleArn: identity.roleARN,
      RoleSessionName: identity.sessionName,
      ExternalId: identity.externalID,
      DurationSeconds: 3600,
    },
    clientConfig: {
      region: sts.region,
      ...(sts.endpoint === undefined ? {} : { endpoint: sts.endpoint }),
      ...throughProxy(sts.proxy),
    },
  });
  return remembered(clock, provider, (error) => {
    const facts = factsOf(error);
    if (facts.known !== undefined) return facts.known;
    return new SluiceError(
      'AssumeRoleFailed',
      `sts:AssumeRole on ${identity.roleARN}: ${facts.code}: ${facts.detail}`,
      backoff,
    );
  });
}

/** What a client of the chain needs to go through a proxy. Credentials of this machine are fetched without one. */
function throughProxy(proxy: ProxySettings | undefined): { readonly requestHandler?: object } {
  if (proxy === undefined) return {};
  const agent = { keepAlive: false, ...agentProxy(proxy) };
  return { requestHandler: { httpAgent: agent, httpsAgent: agent } };
}

/** Fetched again this long before they expire: earlier than the SDK asks, so it never gets the old ones again. */
const renewBeforeMs = 5 * 60_000 + 30_000;

/** Keeps credentials until shortly before they expire; callers at the same time share one fetch. */
function remembered(
  clock: Clock,
  provider: CredentialsProvider,
  classify: (error: unknown) => SluiceError,
): CredentialsProvider {
  let current: AwsCredentials | undefined;
  let fetching: Promise<AwsCredentials> | undefined;
  const fetch = async (): Promise<AwsCredentials> => {
    try {
      current = await provider();
      return current;
    } catch (error) {
      throw classify(error);
    } finally {
      fetching = undefined;
    }
  };
  return () => {
    const expiresAtMs = current?.expiration?.getTime() ?? Infinity;
    if (current !== undefined && clock.now() < expiresAtMs - renewBeforeMs) return Promise.resolve(current);
    fetching ??= fetch();
    return fetching;
  };
}
