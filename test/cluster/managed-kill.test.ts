import { randomUUID } from 'node:crypto';
import {
  GetEventSourceMappingCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  ListTagsCommand,
  type EventSourceMappingConfiguration,
} from '@aws-sdk/client-lambda';
import { CreateQueueCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAwsFaultProxy, type AwsFaultProxy } from '../support/aws-fault-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { testFleet, type TestFleet } from '../support/fleet.ts';
import { sqsClient } from '../support/queues.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { queueArn, type AwsServer } from '../support/servers/aws-server.ts';
import { lambdaWithConsumer } from '../support/servers/consumer-function.ts';
import { startMiniStack } from '../support/servers/ministack.ts';
import { sharedControlPlane } from '../support/shared-control-plane.ts';
import type { Sluice } from '../support/sluice.ts';

const resource = 'eventsourcemappings.sluice.dev';

/** When within a call the controller is killed. */
type Moment =
  /** It has sent the call, and AWS never gets it. */
  | 'before it is carried out'
  /** AWS has carried it out, and the answer never arrives. */
  | 'before its answer'
  /** The answer has arrived, and nobody knows what was done with it. */
  | 'after its answer';

interface KillPoint {
  readonly object: 'a' | 'b' | 'c';
  readonly change: 'create' | 'update' | 'recreate' | 'delete';
  readonly operation: string;
  readonly moment: Moment;
  readonly why: string;
}

const [create, update, remove] = [
  'CreateEventSourceMapping',
  'UpdateEventSourceMapping',
  'DeleteEventSourceMapping',
];

/** In this order: the life of three objects. */
const killPoints: readonly KillPoint[] = [
  {
    object: 'a',
    change: 'create',
    operation: create,
    moment: 'before it is carried out',
    why: 'there is none yet',
  },
  {
    object: 'b',
    change: 'create',
    operation: create,
    moment: 'before its answer',
    why: 'nobody has its UUID',
  },
  {
    object: 'c',
    change: 'create',
    operation: create,
    moment: 'after its answer',
    why: 'the UUID may not be stored',
  },
  {
    object: 'a',
    change: 'update',
    operation: 'ListTags',
    moment: 'before its answer',
    why: 'only looked at',
  },
  {
    object: 'a',
    change: 'update',
    operation: 'TagResource',
    moment: 'before its answer',
    why: 'half of an edit',
  },
  {
    object: 'b',
    change: 'update',
    operation: 'UntagResource',
    moment: 'before its answer',
    why: 'half of an edit',
  },
  {
    object: 'a',
    change: 'update',
    operation: update,
    moment: 'before it is carried out',
    why: 'tags alone are new',
  },
  {
    object: 'b',
    change: 'update',
    operation: update,
    moment: 'before its answer',
    why: 'done, and nobody knows',
  },
  { object: 'c', change: 'update', operation: update, moment: 'after its answer', why: 'done, and not told' },
  {
    object: 'a',
    change: 'recreate',
    operation: remove,
    moment: 'before its answer',
    why: 'the old one goes',
  },
  {
    object: 'b',
    change: 'recreate',
    operation: create,
    moment: 'before it is carried out',
    why: 'there is none',
  },
  {
    object: 'c',
    change: 'recreate',
    operation: create,
    moment: 'before its answer',
    why: 'nobody has its UUID',
  },
  {
    object: 'a',
    change: 'delete',
    operation: remove,
    moment: 'before it is carried out',
    why: 'it is still there',
  },
  {
    object: 'b',
    change: 'delete',
    operation: remove,
    moment: 'before its answer',
    why: 'done, and nobody knows',
  },
  {
    object: 'c',
    change: 'delete',
    operation: remove,
    moment: 'after its answer',
    why: 'the object must not stay',
  },
];

describe.skipIf(isAbsent('ministack'))('a controller that is killed within a call', () => {
  let aws: AwsServer;
  let proxy: AwsFaultProxy;
  let lambda: LambdaClient;
  let sqs: SQSClient;
  let fleet: TestFleet;
  let controller: Sluice;
  /** What each object is to be now. */
  const wanted = new Map<string, { source: string; batchSize: number; tags: Record<string, string> }>();
  /** Every source that ever had a mapping. */
  const sources: string[] = [];

  beforeAll(async () => {
    aws = await startMiniStack();
    proxy = await startAwsFaultProxy(aws.endpoint);
    lambda = await lambdaWithConsumer(aws);
    sqs = sqsClient(aws);
    fleet = await testFleet(sharedControlPlane(), { ...aws, endpoint: proxy.endpoint });
    controller = await started();
  }, 180_000);
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]();
    lambda?.destroy();
    sqs?.destroy();
    await proxy?.[Symbol.asyncDispose]();
    await aws?.[Symbol.asyncDispose]();
  });

  const started = async (): Promise<Sluice> => {
    const next = fleet.startController([
      '--leader-elect=false',
      '--drift-interval-seconds=3',
      '--aws-requests-per-second=15',
    ]);
    await next.logged('Started');
    return next;
  };

  const queue = async (): Promise<string> => {
    const name = `q-${randomUUID().slice(0, 8)}`;
    await sqs.send(new CreateQueueCommand({ QueueName: name }));
    sources.push(queueArn(name));
    return queueArn(name);
  };

  /** What the server has of a source, but for what its List still shows and its Get does not know. */
  const atAws = async (source: string): Promise<readonly EventSourceMappingConfiguration[]> => {
    const { EventSourceMappings: listed = [] } = await lambda.send(
      new ListEventSourceMappingsCommand({ EventSourceArn: source }),
    );
    const found = await Promise.all(
      listed.map(({ UUID }) =>
        lambda.send(new GetEventSourceMappingCommand({ UUID })).catch((error: unknown) => {
          if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
          throw error;
        }),
      ),
    );
    return found.filter((one) => one !== undefined);
  };

  /** Changes the object as the kill point says. */
  const change = async ({ object: name, change: what }: KillPoint): Promise<void> => {
    if (what === 'delete') {
      wanted.delete(name);
      await fleet.namespace.delete({ resource, name });
      return;
    }
    const before = wanted.get(name);
    const next = {
      source: before === undefined || what === 'recreate' ? await queue() : before.source,
      batchSize: 1 + ((before?.batchSize ?? 0) % 9),
      tags: { team: `t${before?.batchSize ?? 0}`, [`key-${before?.batchSize ?? 0}`]: 'x' },
    };
    wanted.set(name, next);
    await fleet.namespace.apply({
      apiVersion: 'sluice.dev/v1alpha1',
      kind: 'EventSourceMapping',
      metadata: { name },
      spec: {
        mode: 'Managed',
        className: fleet.className,
        functionName: 'consumer',
        eventSourceARN: next.source,
        batchSize: next.batchSize,
        tags: next.tags,
        replacementPolicy: 'Recreate',
      },
    });
  };

  /** Kills the controller with the next call of the operation, and waits for its end. */
  const killedAt = async ({ operation, moment }: KillPoint): Promise<void> => {
    const kill = (): void => {
      if (controller.process.pid > 0) process.kill(controller.process.pid, 'SIGKILL');
    };
    const before = proxy.count(operation);
    if (moment === 'before it is carried out') {
      const fault = { kind: 'hang' } as const;
      proxy.inject({ operation, times: 1, when: () => (kill(), true), fault });
    } else if (moment === 'before its answer')
      proxy.inject({ operation, times: 1, fault: { kind: 'withhold', told: kill } });
    else {
      const isAnswered = (): boolean => {
        const calls = proxy.calls.filter((call) => call.operation === operation);
        return calls.length > before && calls.at(-1)?.status !== undefined;
      };
      await eventually(isAnswered, { intervalMs: 2, timeoutMs: 30_000 });
      kill();
    }
    const { signal } = await controller.process.ended;
    expect(signal).toBe('SIGKILL');
    proxy.clear();
  };

  it.each(killPoints)('$change: $operation, $moment ($why)', async (point) => {
    const killed = killedAt(point);
    await change(point);
    await killed;
    controller = await started();

    const ref = { resource, name: point.object };
    const want = wanted.get(point.object);
    if (want === undefined) await fleet.namespace.waitForAbsence(ref);
    else {
      const object = await fleet.namespace.waitForCondition(ref, { type: 'Ready', reason: 'Serving' });
      const found = await atAws(want.source);
      expect(found).toMatchObject([{ State: 'Enabled', BatchSize: want.batchSize }]);
      expect(object.status?.['mapping']).toMatchObject({ uuid: found[0]?.UUID });
      const { Tags: tags = {} } = await lambda.send(
        new ListTagsCommand({ Resource: found[0]?.EventSourceMappingArn }),
      );
      expect(tags).toMatchObject({ ...want.tags, 'sluice.dev/name': point.object });
      const keys = Object.keys(tags).filter((key) => !key.startsWith('sluice.dev/'));
      expect(keys.toSorted()).toEqual(Object.keys(want.tags).toSorted());
    }
    // Every other source has what its object wants, or nothing.
    const owned = new Set([...wanted.values()].map(({ source }) => source));
    const counts = await Promise.all(sources.map(async (source) => [source, (await atAws(source)).length]));
    expect(counts).toEqual(sources.map((source) => [source, owned.has(source) ? 1 : 0]));
  });
});
