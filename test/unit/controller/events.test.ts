import { describe, expect, it } from 'vitest';
import { reasons } from '../../../src/api/conditions.ts';
import {
  conditionEvents,
  kubernetesEvent,
  kubernetesEvents,
  type ConditionView,
  type ReconcilerEvent,
} from '../../../src/controller/events.ts';

const mapping = { namespace: 'shop', name: 'orders', uid: 'u', generation: 1 };
const changed = (condition: ConditionView): ReconcilerEvent => ({
  kind: 'condition-changed',
  mapping,
  condition,
  previous: undefined,
});

describe('an Event of Kubernetes', () => {
  it.each<{ why: string; event: ReconcilerEvent; recorded: object | undefined }>([
    {
      why: 'something was done at AWS',
      event: { kind: 'acted', mapping, action: 'created', uuid: 'x', detail: 'Created the AWS mapping x' },
      recorded: { type: 'Normal', reason: 'Created', action: 'Reconcile', note: 'Created the AWS mapping x' },
    },
    {
      why: 'a person gave up',
      event: { kind: 'acted', mapping, action: 'force-finalized', uuid: 'x', detail: 'd' },
      recorded: { type: 'Warning', reason: 'ForceFinalized' },
    },
    {
      why: 'somebody changed AWS',
      event: { kind: 'drift-found', mapping, paths: ['batchSize', 'enabled'] },
      recorded: {
        type: 'Warning',
        reason: 'DifferenceFound',
        note: 'The AWS mapping differs in `batchSize`, `enabled`',
      },
    },
    {
      why: 'somebody switched the mapping off at AWS',
      event: { kind: 'drift-found', mapping, paths: ['enabled'], stateReason: 'USER_INITIATED' },
      recorded: {
        reason: 'DifferenceFound',
        note: 'The AWS mapping differs in `enabled`; AWS gives as reason of its state: USER_INITIATED',
      },
    },
    {
      why: 'it is ready',
      event: changed({ type: 'Ready', status: 'True', reason: 'Serving', message: '' }),
      recorded: { type: 'Normal', reason: 'Serving', note: 'Serving' },
    },
    {
      why: 'it stalls',
      event: changed({ type: 'Stalled', status: 'True', reason: 'ClassNotPermitted', message: 'no' }),
      recorded: { type: 'Warning', reason: 'ClassNotPermitted', note: 'no' },
    },
    {
      why: 'a step is tried again',
      event: changed({ type: 'Reconciling', status: 'True', reason: 'AwsThrottled', message: 'slow' }),
      recorded: { type: 'Warning', reason: 'AwsThrottled' },
    },
    {
      why: 'what works is probably not meant',
      event: changed({
        type: 'SourceHealthy',
        status: 'True',
        reason: 'VisibilityTimeoutTooShort',
        message: 'no dead-letter queue',
      }),
      recorded: { type: 'Warning', reason: 'VisibilityTimeoutTooShort' },
    },
    {
      why: 'a brake was set',
      event: changed({ type: 'Paused', status: 'True', reason: 'PausedDelivery', message: 'm' }),
      recorded: { type: 'Normal', reason: 'PausedDelivery' },
    },
    {
      why: 'a brake was set with a value that is not known',
      event: changed({ type: 'Paused', status: 'True', reason: 'PauseValueUnknown', message: 'm' }),
      recorded: { type: 'Warning', reason: 'PauseValueUnknown', note: 'm' },
    },
    {
      why: 'a hand-over began',
      event: changed({
        type: 'HandingOver',
        status: 'True',
        reason: 'HandoverInProgress',
        message: 'Waiting',
      }),
      recorded: { type: 'Normal', reason: 'HandoverInProgress', note: 'Waiting' },
    },
    {
      why: 'not: the same once more',
      event: changed({
        type: 'Reconciling',
        status: 'True',
        reason: 'HandoverInProgress',
        message: 'Waiting',
      }),
      recorded: undefined,
    },
    {
      why: 'not: the way to readiness',
      event: changed({ type: 'Reconciling', status: 'True', reason: 'Progressing', message: 'm' }),
      recorded: undefined,
    },
    {
      why: 'not: Ready says twice what Stalled says',
      event: changed({ type: 'Ready', status: 'False', reason: 'InvalidSpec', message: 'm' }),
      recorded: undefined,
    },
    {
      why: 'not: reading works',
      event: changed({ type: 'SourceHealthy', status: 'True', reason: 'ReadSucceeded', message: 'm' }),
      recorded: undefined,
    },
    {
      why: 'not: a pass',
      event: { kind: 'pass-ended', mapping, result: 'success', durationMs: 1, conditions: [] },
      recorded: undefined,
    },
  ])('$why', ({ event, recorded }) => {
    const found = kubernetesEvent(event);
    expect(recorded === undefined ? found : { ...found, ...recorded }).toEqual(found);
    expect(found === undefined).toBe(recorded === undefined);
  });

  it('has a reason of the one table, and each documented one says when it comes', () => {
    for (const reason of Object.keys(kubernetesEvents)) expect(Object.keys(reasons)).toContain(reason);
    for (const { when } of [...Object.values(kubernetesEvents), ...Object.values(conditionEvents)]) {
      expect(when).toMatch(/\.$/);
    }
  });
});
