import { expect, test } from 'vitest';
import { isReason } from '../../../src/api/conditions.ts';
import { kubeServiceAccounts } from '../../../src/kube/service-accounts.ts';
import { SluiceError } from '../../../src/lib/errors.ts';
import { FakeKubeApi, fail } from '../../support/fake-kube-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const { signal } = new AbortController();
const path = '/api/v1/namespaces/shop/serviceaccounts';

async function anAccount(annotations: Readonly<Record<string, string>> | undefined): Promise<FakeKubeApi> {
  const api = new FakeKubeApi(new VirtualClock());
  await api.create(path, { metadata: { name: 'orders', annotations } }, { signal });
  api.requests.length = 0;
  return api;
}

test('gives the role of the one ServiceAccount that is named', async () => {
  const roleARN = 'arn:aws:iam::000000000000:role/orders';
  const api = await anAccount({ 'eks.amazonaws.com/role-arn': roleARN });
  expect(await kubeServiceAccounts(api).roleARN('shop', 'orders', signal)).toBe(roleARN);
  // By name alone: RBAC by resourceNames allows nothing else.
  expect(api.requests.map(({ verb, path: at }) => `${verb} ${at}`)).toEqual([`get ${path}/orders`]);
});

test.each([
  { why: 'it has no annotation', annotations: undefined },
  { why: 'the annotation is empty', annotations: { 'eks.amazonaws.com/role-arn': '' } },
])('names no role where $why', async ({ annotations }) => {
  const api = await anAccount(annotations);
  await expect(kubeServiceAccounts(api).roleARN('shop', 'orders', signal)).rejects.toMatchObject({
    reason: 'ServiceAccountNotFound',
    message: expect.stringContaining('eks.amazonaws.com/role-arn') as string,
    retry: { kind: 'backoff' },
  });
});

test('asks for a token of ten minutes for one audience', async () => {
  const asked: unknown[] = [];
  const api = {
    get: () => Promise.reject(new Error('nothing is read')),
    create: <T>(at: string, body: object): Promise<T> => {
      asked.push(at, body);
      return Promise.resolve({ status: { token: 'a.b.c' } } as T);
    },
  };
  expect(await kubeServiceAccounts(api).token('shop', 'orders', 'sts.amazonaws.com', signal)).toBe('a.b.c');
  expect(asked).toEqual([
    `${path}/orders/token`,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: ['sts.amazonaws.com'], expirationSeconds: 600 },
    },
  ]);
});

test.each([
  {
    why: 'it does not exist',
    error: fail('NotFound', 404, 'serviceaccounts "orders" not found'),
    reason: 'ServiceAccountNotFound',
    says: 'there is no ServiceAccount shop/orders',
  },
  {
    why: 'it may not be used',
    error: fail(
      'Forbidden',
      403,
      'serviceaccounts "orders" is forbidden: User "system:serviceaccount:sluice:poller" cannot get resource',
    ),
    reason: 'ServiceAccountNotPermitted',
    says: 'system:serviceaccount:sluice:poller must have the right to',
  },
  {
    why: 'the API server is away',
    error: fail('ConnectionFailed', 0, 'refused'),
    reason: 'MemberFailed',
    says: 'could not be asked for',
  },
])('fails with a documented reason, to be tried again, when $why', async ({ error, reason, says }) => {
  const api = new FakeKubeApi(new VirtualClock());
  api.before = () => {
    throw error;
  };
  const accounts = kubeServiceAccounts(api);
  for (const ask of [
    () => accounts.roleARN('shop', 'orders', signal),
    () => accounts.token('shop', 'orders', 'sts.amazonaws.com', signal),
  ]) {
    const failure = await ask().catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(SluiceError);
    expect(failure).toMatchObject({ reason, retry: { kind: 'backoff' } });
    expect(isReason(reason)).toBe(true);
    expect(String(failure)).toContain(says);
  }
});

test('an answer without a token is none', async () => {
  const api = {
    get: () => Promise.reject(new Error('nothing is read')),
    create: <T>(): Promise<T> => Promise.resolve({ status: {} } as T),
  };
  await expect(
    kubeServiceAccounts(api).token('shop', 'orders', 'sts.amazonaws.com', signal),
  ).rejects.toMatchObject({ reason: 'MemberFailed' });
});
