/**
 * Who Sluice is towards AWS. One provider per identity, shared by all clients: a role is assumed once, not once per
 * service. Failures are classified here (`AwsCredentialsMissing`, `AssumeRoleFailed`), so that a broken trust policy
 * does not look like a broken queue. Nothing is written anywhere.
 */
import { createHash } from 'node:crypto';
import { fromNodeProviderChain, fromTemporaryCredentials, fromWebToken } from '@aws-sdk/credential-providers';
import { parseArn } from '../api/arn.ts';
import type { Identity } from '../api/class-rules.ts';
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

/** The pod's or user's own credentials, a role that they assume, or the role of a tenant's ServiceAccount. */
export type AwsIdentity =
  | { readonly kind: 'Installation' }
  | {
      readonly kind: 'Role';
      readonly roleARN: string;
      readonly externalID: string;
      readonly sessionName: string;
    }
  | {
      readonly kind: 'ServiceAccount';
      readonly namespace: string;
      readonly name: string;
      readonly sessionName: string;
    };

/** What the cluster says of a ServiceAccount; its errors are `SluiceError`s with a documented reason. */
export interface ServiceAccounts {
  /** The role that it names, as for IRSA. */
  roleARN(namespace: string, name: string, signal: AbortSignal): Promise<string>;
  /** A token that shows `audience` that the bearer is this ServiceAccount; short-lived. */
  token(namespace: string, name: string, audience: string, signal: AbortSignal): Promise<string>;
}

export const installationIdentity: AwsIdentity = { kind: 'Installation' };

/**
 * A role assumed for a namespace. External id and session name are `<clusterID>/<namespace>`, never the tenant's
 * choice, so that a trust policy can tell tenants apart. Charsets are STS's (`[\w+=,.@:/-]` and `[\w+=,.@-]`).
 */
export function roleIdentity(roleARN: string, clusterID: string, namespace: string): AwsIdentity {
  return {
    kind: 'Role',
    roleARN,
    externalID: shape(`${clusterID}/${namespace}`, /[^\w+=,.@:/-]/g, '-', 1224),
    sessionName: sessionNameOf(clusterID, namespace),
  };
}

/** As whom AWS is called for a mapping of `namespace`. */
export function awsIdentity(identity: Identity, clusterID: string, namespace: string): AwsIdentity {
  switch (identity.kind) {
    case 'Installation':
      return installationIdentity;
    case 'Role':
      return roleIdentity(identity.roleARN, clusterID, namespace);
    case 'ServiceAccount': {
      // Always of the mapping's own namespace: there is no way to name another's.
      const { kind, name } = identity;
      return { kind, namespace, name, sessionName: sessionNameOf(clusterID, namespace) };
    }
  }
}

/** `/` is not allowed here. A namespace has no `@`, so the last one parts the two again. */
function sessionNameOf(clusterID: string, namespace: string): string {
  return shape(`${clusterID}@${namespace}`.replaceAll('/', '@'), /[^\w+=,.@-]/g, '-', 64);
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
  switch (identity.kind) {
    case 'Installation':
      return identity.kind;
    case 'Role':
      return JSON.stringify([identity.roleARN, identity.externalID, identity.sessionName]);
    case 'ServiceAccount': {
      const { kind, namespace, name, sessionName } = identity;
      return JSON.stringify([kind, namespace, name, sessionName]);
    }
  }
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
    clientConfig: clientOf(sts),
  });
  return remembered(
    clock,
    provider,
    refusalOf('sts:AssumeRole', () => identity.roleARN),
  );
}

/** The longest that a question about a ServiceAccount may take. */
const askTimeoutMs = 15_000;

/**
 * Credentials of a tenant's ServiceAccount: a token for it, shown to STS for the role that it names. Both are asked for
 * anew each time that credentials are renewed, so another role counts within the hour.
 */
export function serviceAccountCredentials(
  clock: Clock,
  { namespace, name, sessionName }: AwsIdentity & { readonly kind: 'ServiceAccount' },
  accounts: ServiceAccounts,
  sts: StsPlace,
): CredentialsProvider {
  let roleARN = '';
  const provider = async (): Promise<AwsCredentials> => {
    const over = new AbortController();
    const cancel = clock.after(askTimeoutMs, () => over.abort());
    try {
      roleARN = await accounts.roleARN(namespace, name, over.signal);
      const token = await accounts.token(namespace, name, audienceOf(roleARN), over.signal);
      const exchange = fromWebToken({
        webIdentityToken: token,
        roleArn: roleARN,
        roleSessionName: sessionName,
        durationSeconds: 3600,
        clientConfig: clientOf(sts),
      });
      return await exchange();
    } finally {
      cancel();
    }
  };
  const where = (): string => `${roleARN} for the ServiceAccount ${namespace}/${name}`;
  return remembered(clock, provider, refusalOf('sts:AssumeRoleWithWebIdentity', where));
}

/** Whom the token is for: STS, which is called otherwise in China. */
function audienceOf(roleARN: string): string {
  return parseArn(roleARN)?.partition === 'aws-cn' ? 'sts.amazonaws.com.cn' : 'sts.amazonaws.com';
}

function clientOf({ region, endpoint, proxy }: StsPlace): object {
  return { region, ...(endpoint === undefined ? {} : { endpoint }), ...throughProxy(proxy) };
}

function refusalOf(action: string, where: () => string): (error: unknown) => SluiceError {
  return (error) => {
    const facts = factsOf(error);
    if (facts.known !== undefined) return facts.known;
    return new SluiceError(
      'AssumeRoleFailed',
      `${action} on ${where()}: ${facts.code}: ${facts.detail}`,
      backoff,
    );
  };
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
