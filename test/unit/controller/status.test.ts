import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasons, conditionTypes } from '../../../src/api/conditions.ts';
import { effective } from '../../../src/api/effective.ts';
import type { EventSourceMapping } from '../../../src/api/mapping.ts';
import type { Situation } from '../../../src/controller/drafts.ts';
import { sameStatus, statusOf } from '../../../src/controller/status.ts';
import { aMapping, aPollerMapping, someFacts } from '../../support/mappings.ts';

const facts = someFacts();
const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

const statusIn = (situation: Situation, mapping: EventSourceMapping = aMapping(), atMs = nowMs) =>
  statusOf({ mapping, situation, effective: effective(mapping.spec), className: 'standard', nowMs: atMs });

/** `Ready`, `Reconciling` and so on as `status reason`, the way the table writes them. */
const shown = (situation: Situation, mapping?: EventSourceMapping): Record<string, string> =>
  Object.fromEntries(
    (statusIn(situation, mapping).conditions ?? [])
      .filter(({ type }) => !['SourceHealthy', 'TargetHealthy', 'Drifted'].includes(type))
      .map(({ type, status, reason }) => [type, `${status} ${reason}`]),
  );

const wasReady = (mapping: EventSourceMapping): EventSourceMapping => ({
  ...mapping,
  status: statusIn({ kind: 'settled', facts }, mapping, nowMs - 60_000),
});

describe('conditions', () => {
  it.each<{
    why: string;
    situation: Situation;
    mapping?: EventSourceMapping;
    conditions: Record<string, string>;
  }>([
    { why: 'serving', situation: { kind: 'settled', facts }, conditions: { Ready: 'True Serving' } },
    {
      why: 'disabled by the spec, and it is',
      situation: { kind: 'settled', facts },
      mapping: aMapping({ spec: { enabled: false } }),
      conditions: { Ready: 'True Disabled' },
    },
    {
      why: 'AWS is changing it',
      situation: { kind: 'progressing', facts, message: 'Creating' },
      conditions: { Ready: 'Unknown Progressing', Reconciling: 'True Progressing' },
    },
    {
      why: 'a call failed and is tried again',
      situation: { kind: 'retrying', reason: 'AwsThrottled', message: 'slow down', doubtful: false },
      conditions: { Ready: 'False ProgressingWithRetry', Reconciling: 'True AwsThrottled' },
    },
    {
      why: 'no retry helps',
      situation: { kind: 'stalled', reason: 'InvalidSpec', message: '`batchSize`' },
      conditions: { Ready: 'False InvalidSpec', Stalled: 'True InvalidSpec' },
    },
    {
      why: 'no retry helps any more, where one did before',
      situation: { kind: 'stalled', reason: 'AwsRejected', message: 'no' },
      mapping: {
        ...aMapping(),
        status: statusIn({ kind: 'retrying', reason: 'AwsThrottled', message: '', doubtful: false }),
      },
      conditions: { Ready: 'False AwsRejected', Stalled: 'True AwsRejected' },
    },
    {
      why: 'no poller is there',
      situation: { kind: 'unserved', facts, reason: 'NoMember', message: 'none' },
      mapping: aPollerMapping(),
      conditions: { Ready: 'False NoMember', Reconciling: 'True NoMember' },
    },
    {
      why: 'it is being deleted',
      situation: { kind: 'deleting', reason: 'Deleting', message: 'Deleting' },
      conditions: { Ready: 'False Deleting', Reconciling: 'True Deleting' },
    },
    {
      why: 'it is being deleted and AWS does not let us',
      situation: { kind: 'deleting', reason: 'AwsAccessDenied', message: 'denied' },
      conditions: { Ready: 'False Deleting', Reconciling: 'True AwsAccessDenied' },
    },
    {
      why: 'the cluster takes over',
      situation: { kind: 'handing-over', reason: 'HandoverInProgress', message: '' },
      mapping: aPollerMapping(),
      conditions: {
        Ready: 'Unknown HandoverInProgress',
        Reconciling: 'True HandoverInProgress',
        HandingOver: 'True HandoverInProgress',
      },
    },
    {
      why: 'paused at first sight',
      situation: { kind: 'paused', scope: 'reconcile' },
      conditions: { Ready: 'Unknown Unknown', Paused: 'True PausedReconcile' },
    },
    {
      why: 'paused while serving',
      situation: { kind: 'paused', scope: 'delivery' },
      mapping: wasReady(aMapping()),
      conditions: { Ready: 'True Serving', Paused: 'True PausedDelivery' },
    },
    {
      why: 'paused by a value that is not known: braked, and said so',
      situation: { kind: 'paused', scope: 'delivery' },
      mapping: wasReady(aMapping({ metadata: { annotations: { 'sluice.dev/paused': 'yes' } } })),
      conditions: { Ready: 'True Serving', Paused: 'True PauseValueUnknown' },
    },
    {
      why: 'paused while stalled: what Sluice does no more goes',
      situation: { kind: 'paused', scope: 'reconcile' },
      mapping: { ...aMapping(), status: statusIn({ kind: 'stalled', reason: 'InvalidSpec', message: '' }) },
      conditions: { Ready: 'False InvalidSpec', Paused: 'True PausedReconcile' },
    },
  ])('say so: $why', ({ situation, mapping, conditions }) => {
    expect(shown(situation, mapping)).toEqual(conditions);
  });

  it('tell of drift only in Managed mode, with the fields', () => {
    const drift = (situation: Situation, mapping?: EventSourceMapping) =>
      statusIn(situation, mapping).conditions?.find(({ type }) => type === 'Drifted');
    const differences = [{ path: 'batchSize', desired: 1, observed: 2, createOnly: false }];
    expect(drift({ kind: 'settled', facts })).toMatchObject({ status: 'False', reason: 'InSync' });
    expect(drift({ kind: 'progressing', facts, message: '', differences })).toMatchObject({
      status: 'True',
      reason: 'DifferenceFound',
      message: 'The AWS mapping differs in `batchSize`',
    });
    expect(drift({ kind: 'settled', facts }, aPollerMapping())).toBeUndefined();
  });

  it('show a warning of something that works as the reason of SourceHealthy, and trouble before warnings', () => {
    const warnings = [
      { reason: 'VisibilityTimeoutTooShort', message: 'no dead-letter queue' },
      { reason: 'QueueHasLambdaMapping', message: 'two readers' },
    ] as const;
    const source = (status: 'True' | 'False') =>
      statusIn({
        kind: 'settled',
        facts: someFacts({ warnings, sourceHealthy: { status, reason: 'SourceFailed', message: 'broken' } }),
      }).conditions?.find(({ type }) => type === 'SourceHealthy');
    expect(source('True')).toMatchObject({
      status: 'True',
      reason: 'VisibilityTimeoutTooShort',
      message: 'no dead-letter queue; two readers',
    });
    expect(source('False')).toMatchObject({ status: 'False', reason: 'SourceFailed', message: 'broken' });
  });

  it('keep their transition time while the status stays, and take a new one when it changes', () => {
    const ready = wasReady(aMapping());
    const timeOf = (situation: Situation, type: string) =>
      statusIn(situation, ready).conditions?.find((condition) => condition.type === type)?.lastTransitionTime;
    expect(timeOf({ kind: 'settled', facts }, 'Ready')).toBe('2026-01-02T03:03:05Z');
    expect(timeOf({ kind: 'stalled', reason: 'InvalidSpec', message: '' }, 'Ready')).toBe(
      '2026-01-02T03:04:05Z',
    );
  });

  it('keep what was known of the health while nothing new can be seen', () => {
    const healthy = someFacts({
      targetHealthy: { status: 'True', reason: 'TargetSucceeded', message: 'fine' },
    });
    const mapping = { ...aMapping(), status: statusIn({ kind: 'settled', facts: healthy }) };
    const situation: Situation = { kind: 'retrying', reason: 'AwsThrottled', message: '', doubtful: false };
    expect(statusIn(situation, mapping).conditions).toContainEqual(
      expect.objectContaining({ type: 'TargetHealthy', status: 'True', reason: 'TargetSucceeded' }),
    );
  });
});

const situations = fc.oneof(
  fc.constant<Situation>({ kind: 'settled', facts }),
  fc.constant<Situation>({ kind: 'progressing', message: 'm' }),
  fc.constant<Situation>({ kind: 'unserved', facts, reason: 'NoMember', message: 'm' }),
  fc
    .boolean()
    .map((doubtful): Situation => ({ kind: 'retrying', reason: 'AwsFailed', message: 'm', doubtful })),
  fc.constant<Situation>({ kind: 'stalled', reason: 'ForeignOwner', message: 'm' }),
  fc.constant<Situation>({ kind: 'deleting', reason: 'Deleting', message: 'm' }),
  fc.constant<Situation>({ kind: 'handing-over', reason: 'HandoverInProgress', message: 'm' }),
  fc.constantFrom('reconcile', 'delivery').map((scope): Situation => ({ kind: 'paused', scope })),
);
const mappings = fc.constantFrom(aMapping(), aPollerMapping(), aMapping({ spec: { enabled: false } }));

describe('every status, after any history', () => {
  it('keeps the rules of kstatus', () => {
    fc.assert(
      fc.property(fc.array(situations, { minLength: 1, maxLength: 5 }), mappings, (history, start) => {
        let mapping = start;
        for (const situation of history) mapping = { ...mapping, status: statusIn(situation, mapping) };
        const { conditions = [], observedGeneration } = mapping.status ?? {};
        const types = conditions.map(({ type }) => type);
        expect(new Set(types).size).toBe(types.length);
        expect(types).toContain('Ready');
        expect(types.includes('Reconciling') && types.includes('Stalled')).toBe(false);
        expect(observedGeneration).toBe(1);
        for (const { type, status, reason, lastTransitionTime, observedGeneration: of } of conditions) {
          expect(conditionTypes[type].onlyWhileTrue && status !== 'True').toBe(false);
          expect(Object.keys(reasons)).toContain(reason);
          expect(lastTransitionTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
          expect(of).toBe(1);
        }
      }),
    );
  });

  it('is the same when nothing has happened since, at any later time', () => {
    fc.assert(
      fc.property(situations, mappings, fc.nat(), (situation, start, laterMs) => {
        const mapping = { ...start, status: statusIn(situation, start) };
        expect(sameStatus(mapping.status, statusIn(situation, mapping, nowMs + laterMs))).toBe(true);
      }),
    );
  });
});

describe('the rest of the status', () => {
  it('echoes the request, and keeps the echo when the annotation is gone', () => {
    const asked = aMapping({ metadata: { annotations: { 'sluice.dev/requestedAt': 'noon' } } });
    const status = statusIn({ kind: 'settled', facts }, asked);
    expect(status.lastHandledReconcileAt).toBe('noon');
    expect(statusIn({ kind: 'settled', facts }, { ...aMapping(), status }).lastHandledReconcileAt).toBe(
      'noon',
    );
  });

  it('shows values in force with their origin, and the printer columns', () => {
    expect(statusIn({ kind: 'settled', facts }, aMapping({ spec: { batchSize: 3 } }))).toMatchObject({
      observedGeneration: 1,
      state: 'Enabled',
      source: 'sqs:orders',
      target: 'lambda:consumer',
      className: 'standard',
      effective: {
        values: { batchSize: 3, enabled: true },
        origins: { batchSize: 'spec', enabled: 'default' },
      },
    });
  });

  it('keeps the AWS mapping until it was handed over, and then forgets it', () => {
    const managed = { ...aMapping(), status: statusIn({ kind: 'settled', facts }) };
    const switched: EventSourceMapping = { ...aPollerMapping(), status: managed.status ?? {} };
    const handing = statusIn({ kind: 'handing-over', reason: 'HandoverInProgress', message: '' }, switched);
    expect(handing.mapping).toEqual(facts.mapping);
    const served = statusIn(
      { kind: 'unserved', facts, reason: 'NoMember', message: '' },
      { ...switched, status: handing },
    );
    expect(served.mapping).toBeUndefined();
    expect(served.conditions?.map(({ type }) => type)).not.toContain('HandingOver');
  });

  it('does not care in which order conditions are stored', () => {
    const status = statusIn({ kind: 'retrying', reason: 'AwsFailed', message: '', doubtful: false });
    expect(sameStatus({ ...status, conditions: status.conditions?.toReversed() ?? [] }, status)).toBe(true);
    expect(sameStatus({ ...status, state: 'Other' }, status)).toBe(false);
    expect(sameStatus(undefined, status)).toBe(false);
  });
});
