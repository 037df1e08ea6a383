import { describe, expect, test } from 'vitest';
import { startControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { testNamespace } from '../support/kube.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';

const configMap = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { key: 'value' },
});

describe('the control plane of the tests', () => {
  test('a namespace of a test holds what is applied to it and is deleted with all of it', async () => {
    const controlPlane = sharedControlPlane();
    const namespace = await testNamespace(controlPlane);
    await namespace.apply(configMap('one'));
    expect((await namespace.get({ resource: 'configmaps', name: 'one' }))?.['data']).toEqual({
      key: 'value',
    });
    await namespace[Symbol.asyncDispose]();
    await eventually(
      async () => (await controlPlane.request(`/api/v1/namespaces/${namespace.name}`)).status === 404,
      { timeoutMs: 30_000 },
    );
  });

  test('an unknown field is refused', async () => {
    await using namespace = await testNamespace(sharedControlPlane());
    const result = await namespace.tryApply({ ...configMap('one'), dat: {} });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('unknown field "dat"');
  });

  test('users have their own rights: none, those of a group, those of a ServiceAccount', async () => {
    const controlPlane = sharedControlPlane();
    await using namespace = await testNamespace(controlPlane);
    const secrets = `/api/v1/namespaces/${namespace.name}/secrets`;
    expect((await controlPlane.request(secrets, { token: controlPlane.restrictedToken })).status).toBe(403);
    const canI = async (kubeconfig: string): Promise<string> => {
      const args = ['auth', 'can-i', 'list', 'secrets', '-n', namespace.name];
      return (await controlPlane.kubectl(args, { kubeconfig })).stdout.trim();
    };
    expect(await canI(controlPlane.userKubeconfig({ user: 'eve' }))).toBe('no');
    expect(await canI(controlPlane.userKubeconfig({ user: 'root', groups: ['system:masters'] }))).toBe('yes');
    await namespace.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } });
    const robot = await controlPlane.serviceAccountAccess(namespace.name, 'robot');
    expect((await controlPlane.request(secrets, { token: robot.token })).status).toBe(403);
    expect(await canI(robot.kubeconfig)).toBe('no');
  });

  test('a control plane of its own keeps its data and address while its API server is away', async () => {
    await using controlPlane = await startControlPlane();
    const namespace = await testNamespace(controlPlane);
    await namespace.apply(configMap('kept'));
    await controlPlane.stopApiServer('kill');
    await expect(controlPlane.request('/readyz')).rejects.toThrow('ECONNREFUSED');
    await controlPlane.startApiServer();
    expect(await namespace.get({ resource: 'configmaps', name: 'kept' })).toBeDefined();
  });
});
