import { describe, expect, test } from 'vitest';
import {
  assumedCredentials,
  identityKey,
  roleIdentity,
  type AwsIdentity,
} from '../../../src/aws/credentials.ts';
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
