import { describe, expect, test } from 'vitest';
import {
  assumedCredentials,
  awsIdentity,
  identityKey,
  roleIdentity,
  serviceAccountCredentials,
  type AwsIdentity,
  type ServiceAccounts,
} from '../../../src/aws/credentials.ts';
import { backoff, SluiceError } from '../../../src/lib/errors.ts';
import { reply, startHttpSink } from '../../support/http-sink.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const roleARN = 'arn:aws:iam::111122223333:role/reader';

function role(clusterID: string, namespace: string): AwsIdentity & { readonly kind: 'Role' } {
  const identity = roleIdentity(roleARN, clusterID, namespace);
  if (identity.kind !== 'Role') throw new Error('a role was asked for');
  return identity;
}

describe('the identity of a namespace', () => {
  test('has cluster and namespace as external id and session name', () => {
    expect(role('prod', 'team-a')).toMatchObject({ externalID: 'prod/team-a', sessionName: 'prod@team-a' });
  });

  test.each([
    ['prod eu', 'a'],
    ['prod:eu/1', 'a'],
    ['c'.repeat(63), 'n'.repeat(63)],
    ['ü'.repeat(80), 'a'],
  ])('of cluster %o fits the characters and lengths of STS', (clusterID, namespace) => {
    const { externalID, sessionName } = role(clusterID, namespace);
    expect(externalID).toMatch(/^[\w+=,.@:/-]{2,1224}$/);
    expect(sessionName).toMatch(/^[\w+=,.@-]{2,64}$/);
  });

  test('stays distinct where characters had to be replaced or cut', () => {
    const names = [role('a b', 'n'), role('a-b', 'n'), role('a;b', 'n')].map(
      (identity) => identity.sessionName,
    );
    expect(new Set(names).size).toBe(3);
    const long = ['x', 'y'].map((end) => role('c'.repeat(80), `n${end}`).sessionName);
    expect(new Set(long).size).toBe(2);
  });

  test('shares nothing with that of another namespace', () => {
    expect(identityKey(role('prod', 'a'))).not.toBe(identityKey(role('prod', 'b')));
    expect(identityKey(role('prod', 'a'))).toBe(identityKey(role('prod', 'a')));
  });
});

describe('an assumed role', () => {
  const base = async () => ({ accessKeyId: 'AKIDBASE', secretAccessKey: 'base-secret' });
  const answer = (clock: VirtualClock, key: string, minutes: number): string =>
    `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>` +
    `<AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>` +
    `<Expiration>${new Date(clock.now() + minutes * 60_000).toISOString()}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;

  test('is asked for with external id and session name, and kept until shortly before it expires', async () => {
    await using sts = await startHttpSink();
    const clock = new VirtualClock();
    sts.answer(() =>
      reply(200, answer(clock, `AKID${sts.requests.length}`, 60), { 'content-type': 'text/xml' }),
    );
    const provider = assumedCredentials(clock, role('prod', 'a'), base, {
      region: 'eu-west-1',
      endpoint: sts.url,
    });

    const [first, second] = await Promise.all([provider(), provider()]);
    expect(first.accessKeyId).toBe('AKID1');
    expect(second).toBe(first);
    const form = new URLSearchParams(sts.requests[0]?.body);
    expect(Object.fromEntries(form)).toMatchObject({
      Action: 'AssumeRole',
      RoleArn: roleARN,
      ExternalId: 'prod/a',
      RoleSessionName: 'prod@a',
    });
    expect(sts.requests[0]?.headers.authorization).toContain('AKIDBASE');

    await clock.advance(54 * 60_000);
    expect((await provider()).accessKeyId).toBe('AKID1');
    await clock.advance(60_000);
    expect((await provider()).accessKeyId).toBe('AKID2');
  });

  test('that is denied says so, without secrets, and is asked for again', async () => {
    await using sts = await startHttpSink();
    const clock = new VirtualClock();
    sts.answerNext(
      reply(
        403,
        `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:sts::1:x is not authorized to perform: sts:AssumeRole on resource: ${roleARN}</Message></Error></ErrorResponse>`,
        { 'content-type': 'text/xml' },
      ),
    );
    sts.answer(() => reply(200, answer(clock, 'AKIDLATER', 60), { 'content-type': 'text/xml' }));
    const provider = assumedCredentials(clock, role('prod', 'a'), base, {
      region: 'eu-west-1',
      endpoint: sts.url,
    });

    await expect(provider()).rejects.toMatchObject({
      reason: 'AssumeRoleFailed',
      retry: { kind: 'backoff' },
      message: expect.stringContaining(`sts:AssumeRole on ${roleARN}: AccessDenied`) as unknown,
    });
    expect((await provider()).accessKeyId).toBe('AKIDLATER');
  });
});

describe('a ServiceAccount', () => {
  const account = (namespace: string, name = 'orders', clusterID = 'prod') => {
    const identity = awsIdentity({ kind: 'ServiceAccount', name }, clusterID, namespace);
    if (identity.kind !== 'ServiceAccount') throw new Error('a ServiceAccount was asked for');
    return identity;
  };
  const answer = (clock: VirtualClock, key: string): string =>
    `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>` +
    `<AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>` +
    `<Expiration>${new Date(clock.now() + 3_600_000).toISOString()}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;

  test('is that of the namespace, and shares nothing with one of the same name elsewhere', () => {
    expect(account('shop')).toEqual({
      kind: 'ServiceAccount',
      namespace: 'shop',
      name: 'orders',
      sessionName: 'prod@shop',
    });
    const keys = [
      account('shop'),
      account('billing'),
      account('shop', 'other'),
      account('shop', 'orders', 'b'),
    ];
    expect(new Set(keys.map(identityKey)).size).toBe(4);
  });

  test.each([
    { roleARN: 'arn:aws:iam::111122223333:role/orders', audience: 'sts.amazonaws.com' },
    { roleARN: 'arn:aws-us-gov:iam::111122223333:role/orders', audience: 'sts.amazonaws.com' },
    { roleARN: 'arn:aws-cn:iam::111122223333:role/orders', audience: 'sts.amazonaws.com.cn' },
  ])(
    'shows a token for $audience to the role $roleARN, anew with each renewal',
    async ({ roleARN, audience }) => {
      await using sts = await startHttpSink();
      const clock = new VirtualClock();
      const asked: string[] = [];
      const accounts: ServiceAccounts = {
        roleARN: async (namespace, name) => {
          asked.push(`role of ${namespace}/${name}`);
          return roleARN;
        },
        token: async (namespace, name, wanted) => {
          asked.push(`token of ${namespace}/${name} for ${wanted}`);
          return `token-${asked.length}`;
        },
      };
      sts.answer(() => reply(200, answer(clock, 'ASIA1'), { 'content-type': 'text/xml' }));
      const provider = serviceAccountCredentials(clock, account('shop'), accounts, {
        region: 'eu-west-1',
        endpoint: sts.url,
      });
      const [first, second] = await Promise.all([provider(), provider()]);
      expect(first).toBe(second);
      expect(first).toMatchObject({ accessKeyId: 'ASIA1', sessionToken: 't' });
      expect(asked).toEqual(['role of shop/orders', `token of shop/orders for ${audience}`]);
      const form = new URLSearchParams(sts.requests[0]?.body.toString() ?? '');
      expect(Object.fromEntries(form)).toMatchObject({
        Action: 'AssumeRoleWithWebIdentity',
        RoleArn: roleARN,
        RoleSessionName: 'prod@shop',
        WebIdentityToken: 'token-2',
        DurationSeconds: '3600',
      });
      // The call is the token's: it is not signed with anybody's keys.
      expect(sts.requests[0]?.headers['authorization']).toBeUndefined();
      await clock.advance(56 * 60_000);
      await provider();
      expect(sts.requests).toHaveLength(2);
      expect(asked).toHaveLength(4);
    },
  );

  test('that may not be used says so, and that STS refuses names role and account, never the token', async () => {
    await using sts = await startHttpSink();
    const clock = new VirtualClock();
    const refusal = new SluiceError('ServiceAccountNotPermitted', 'not yours', backoff);
    let mayAsk = false;
    const accounts: ServiceAccounts = {
      roleARN: async () => 'arn:aws:iam::111122223333:role/orders',
      token: async () => {
        if (!mayAsk) throw refusal;
        return 'the-token';
      },
    };
    sts.answer(() =>
      reply(
        403,
        '<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized</Message></Error></ErrorResponse>',
        { 'content-type': 'text/xml' },
      ),
    );
    const provider = serviceAccountCredentials(clock, account('shop'), accounts, {
      region: 'eu-west-1',
      endpoint: sts.url,
    });
    await expect(provider()).rejects.toBe(refusal);
    expect(sts.requests).toEqual([]);
    mayAsk = true;
    const denied = await provider().catch((error: unknown) => error);
    expect(denied).toMatchObject({ reason: 'AssumeRoleFailed', retry: backoff });
    expect(String(denied)).toContain(
      'sts:AssumeRoleWithWebIdentity on arn:aws:iam::111122223333:role/orders for the ServiceAccount shop/orders',
    );
    expect(String(denied)).not.toContain('the-token');
  });

  test('whose cluster says nothing is given up after 15 seconds', async () => {
    const clock = new VirtualClock();
    const accounts: ServiceAccounts = {
      roleARN: (_namespace, _name, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () =>
            reject(new SluiceError('MemberFailed', 'no answer of the API server', backoff)),
          );
        }),
      token: async () => '',
    };
    const provider = serviceAccountCredentials(clock, account('shop'), accounts, { region: 'eu-west-1' });
    const failure = provider().catch((error: unknown) => error);
    await clock.advance(15_000);
    expect(await failure).toMatchObject({ reason: 'MemberFailed' });
  });
});
