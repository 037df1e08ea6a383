/** Members that this release does not know, through a real API server and controller: refused, allowed, sent, repaired. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import { startMappingEndpoint, type MappingEndpoint } from '../support/mapping-endpoint.ts';
import { queueArn, testAccount } from '../support/servers/aws-server.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';

const ref = { resource: 'eventsourcemappings.sluice.dev', name: 'orders' };
let lambda: MappingEndpoint;
let fleet: TestFleet;

beforeAll(async () => {
  lambda = await startMappingEndpoint();
  const aws = { ...testAccount, endpoint: lambda.endpoint, [Symbol.asyncDispose]: async () => undefined };
  fleet = await testFleet(sharedControlPlane(), aws);
  fleet.startController(['--leader-elect', 'false', '--aws-requests-per-second', '15']);
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await lambda[Symbol.asyncDispose]();
});

const applyMapping = (additionalParameters: object): Promise<void> =>
  fleet.namespace.apply({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name: 'orders', namespace: fleet.namespace.name },
    spec: {
      mode: 'Managed',
      className: fleet.className,
      eventSourceARN: queueArn('orders'),
      functionName: 'consumer',
      additionalParameters,
    },
  });

const applyClass = (allowedNames: readonly string[]): Promise<void> =>
  fleet.namespace.apply({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'MappingClass',
    metadata: { name: fleet.className },
    spec: {
      namespaces: [fleet.namespace.name],
      pool: fleet.className,
      additionalParameters: { allowedNames },
    },
  });

const bodies = (): readonly object[] => lambda.requests.map(({ body }) => body);

it('reach AWS once the class allows them, and no sooner; an edit sends what changed alone', async () => {
  const NewThing = { Depth: 3, Names: ['a'] };
  await applyMapping({ NewThing });
  const stalled = await fleet.namespace.waitForCondition(ref, {
    type: 'Stalled',
    reason: 'ClassNotPermitted',
  });
  expect(JSON.stringify(stalled.status)).toContain('allows none; found \\"NewThing\\"');
  expect(bodies()).toEqual([]);

  await applyClass(['New*']);
  await eventually(() => bodies().length > 0, { timeoutMs: 30_000 });
  expect(bodies()[0]).toMatchObject({ FunctionName: 'consumer', NewThing });
  lambda.api.settle();
  await fleet.namespace.waitForCondition(ref, { type: 'Ready' });

  await applyMapping({ NewThing: { ...NewThing, Depth: 4 } });
  await eventually(() => bodies().length > 1, { timeoutMs: 30_000 });
  expect(bodies()[1]).toEqual({ NewThing: { Depth: 4, Names: ['a'] } });
  lambda.api.settle();
  await fleet.namespace.waitForCondition(ref, { type: 'Ready' });

  // What has a field of its own is refused, whatever the class says.
  await applyMapping({ BatchSize: 5 });
  await fleet.namespace.waitForCondition(ref, { type: 'Stalled', reason: 'InvalidSpec' });
  expect(bodies()).toHaveLength(2);
});
