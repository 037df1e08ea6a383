import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { testNamespace, type TestNamespace } from '../support/kube.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import { startSluice, type Sluice } from '../support/sluice.ts';

const controlPlane = sharedControlPlane();

function startController(namespace: TestNamespace, ...more: readonly string[]): Sluice {
  return startSluice([
    'controller',
    '--cluster-id=test',
    `--namespace=${namespace.name}`,
    `--watch-namespaces=${namespace.name}`,
    `--kubeconfig=${controlPlane.info.kubeconfig}`,
    '--metrics-address=127.0.0.1:0',
    '--lease-duration-seconds=4',
    '--renew-deadline-seconds=3',
    '--retry-period-seconds=1',
    ...more,
  ]);
}

describe('two controllers', () => {
  it('have one leader; one that was frozen ends with an error when it finds that it lost', async () => {
    await using namespace = await testNamespace(controlPlane);
    await using first = startController(namespace, '--identity', 'first');
    await first.logged('Leading');
    await using second = startController(namespace, '--identity', 'second');
    await second.logged('Leader changed', { leader: 'first' });
    // Both are ready: the second takes over with caches that are warm.
    const health = (await second.metricsUrl()).replace('/metrics', '/readyz');
    await eventually(async () => (await fetch(health)).ok);
    expect(await second.metric('leader_election_master_status')).not.toBe(1);

    process.kill(first.process.pid, 'SIGSTOP');
    await second.logged('Leading', {}, 30_000);
    process.kill(first.process.pid, 'SIGCONT');
    expect((await first.process.ended).code).toBe(1);
    await first.logged('Leadership was lost: ending, so that nothing that was in hand can go on');
    expect(await second.metric('leader_election_master_status')).toBe(1);
  });

  it('hand over at once when the leader is told to end', async () => {
    await using namespace = await testNamespace(controlPlane);
    await using first = startController(namespace, '--identity', 'first');
    await first.logged('Leading');
    await using second = startController(namespace, '--identity', 'second');
    await second.logged('Leader changed', { leader: 'first' });
    expect((await first.process.stop()).code).toBe(0);
    await second.logged('Leading', {}, 10_000);
  });
});

describe('a controller without leader election', () => {
  it('works at once and says that no class admits the mapping', async () => {
    await using namespace = await testNamespace(controlPlane);
    await using controller = startController(namespace, '--leader-elect', 'false');
    await controller.logged('Started');
    await namespace.apply({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name: 'orders' },
      spec: {
        mode: 'Managed',
        className: 'no-such-class',
        eventSourceARN: 'arn:aws:sqs:eu-central-1:000000000000:orders',
        functionName: 'consumer',
      },
    });
    await namespace.waitForCondition(
      { resource: 'eventsourcemappings.sluice.dev', name: 'orders' },
      { type: 'Stalled', reason: 'ClassNotFound' },
    );
    expect(
      await controller.metric('sluice_resource_condition', {
        namespace: namespace.name,
        type: 'Stalled',
        status: 'True',
      }),
    ).toBe(1);
    await namespace.delete({ resource: 'eventsourcemappings.sluice.dev', name: 'orders' });
    await eventually(
      async () =>
        (await controller.metric('sluice_resource_condition', { namespace: namespace.name })) === undefined,
      { what: 'the end of the series' },
    );
  });
});

describe('the command line of the controller', () => {
  it.each([
    { args: ['--cluster-id', 'x', '--frobnicate'], words: '--frobnicate' },
    { args: [], words: '--cluster-id' },
    { args: ['--cluster-id', 'x', '--workers', '0'], words: '--workers' },
    { args: ['--cluster-id', 'x', '--leader-elect', 'maybe'], words: '--leader-elect' },
    {
      args: [
        '--cluster-id',
        'x',
        '--lease-duration-seconds',
        '5',
        '--renew-deadline-seconds',
        '5',
        '--kubeconfig',
        controlPlane.info.kubeconfig,
      ],
      words: 'leaseDuration',
    },
  ])('is refused with the flag named: $words', async ({ args, words }) => {
    await using controller = startSluice(['controller', ...args]);
    expect((await controller.process.ended).code).toBe(2);
    expect(controller.process.stderr).toContain(words);
  });
});
