import { expect, test } from 'vitest';
import { isReason } from '../../../src/api/conditions.ts';
import { kubeSecretReader } from '../../../src/kube/secret-reader.ts';
import { SluiceError } from '../../../src/lib/errors.ts';
import { FakeKubeApi, fail } from '../../support/fake-kube-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const { signal } = new AbortController();

test('gives the decoded data of the one Secret that is named', async () => {
  const api = new FakeKubeApi(new VirtualClock());
  const data = { token: Buffer.from('geheim ✓').toString('base64'), empty: '' };
  await api.create('/api/v1/namespaces/shop/secrets', { metadata: { name: 'key' }, data }, { signal });
  api.requests.length = 0;
  expect(await kubeSecretReader(api).read('shop', 'key', signal)).toEqual({ token: 'geheim ✓', empty: '' });
  // By name alone: RBAC by resourceNames allows nothing else.
  expect(api.requests.map(({ verb, path }) => `${verb} ${path}`)).toEqual([
    'get /api/v1/namespaces/shop/secrets/key',
  ]);
});

test.each([
  {
    why: 'it does not exist',
    error: fail('NotFound', 404, 'secrets "key" not found'),
    reason: 'SecretNotFound',
    retry: 'never',
  },
  {
    why: 'it may not be read',
    error: fail('Forbidden', 403, 'forbidden'),
    reason: 'SecretNotPermitted',
    retry: 'never',
  },
  {
    why: 'the API server is away',
    error: fail('ConnectionFailed', 0, 'refused'),
    reason: 'MemberFailed',
    retry: 'backoff',
  },
  {
    why: 'the API server is slow',
    error: fail('Timeout', 0, 'no answer within 30000 ms'),
    reason: 'MemberFailed',
    retry: 'backoff',
  },
])('fails with a documented reason that names it when $why', async ({ error, reason, retry }) => {
  const api = new FakeKubeApi(new VirtualClock());
  api.before = () => {
    throw error;
  };
  const failure: unknown = await kubeSecretReader(api)
    .read('shop', 'key', signal)
    .catch((thrown: unknown) => thrown);
  expect(failure).toBeInstanceOf(SluiceError);
  expect(failure).toMatchObject({ reason, retry: { kind: retry }, cause: error });
  expect((failure as SluiceError).message).toContain('shop/key');
  expect(isReason(reason)).toBe(true);
});

test('names the Role that is needed, and for whom, when a Secret may not be read', async () => {
  const api = new FakeKubeApi(new VirtualClock());
  const who = 'system:serviceaccount:sluice-system:sluice-poller';
  api.before = () => {
    throw fail('Forbidden', 403, `secrets "key" is forbidden: User "${who}" cannot get resource "secrets"`);
  };
  await expect(kubeSecretReader(api).read('shop', 'key', signal)).rejects.toThrow(
    `the Secret shop/key may not be read: ${who} must have a Role in shop with the verb get on secrets, resourceNames key, as the chart makes it for \`poller.secretAccess\``,
  );
});
