import { describe, expect, it } from 'vitest';
import type { Difference, Observation } from '../../../src/controller/backend.ts';
import { handoverPolicy, plan, releasePolicy, type Policies } from '../../../src/controller/plan.ts';
import { aMapping, someFacts } from '../../support/mappings.ts';

const difference = (path: string, createOnly = false): Difference => ({
  path,
  desired: 1,
  observed: 2,
  createOnly,
});
const facts = someFacts();

describe('the plan', () => {
  it.each<{ why: string; observation: Observation; policies?: Policies; action: object }>([
    { why: 'nothing of ours is there', observation: { kind: 'missing' }, action: { kind: 'create' } },
    { why: 'all is as desired', observation: { kind: 'current', facts }, action: { kind: 'none' } },
    {
      why: 'AWS refuses every call on a changing mapping',
      observation: { kind: 'changing', facts, message: '' },
      action: { kind: 'none' },
    },
    {
      why: 'pollers start by themselves',
      observation: { kind: 'unserved', facts, reason: 'NoMember', message: '' },
      action: { kind: 'none' },
    },
    {
      why: 'fields can be changed in place',
      observation: {
        kind: 'drifted',
        facts,
        claimed: true,
        differences: [difference('batchSize'), difference('enabled')],
      },
      action: { kind: 'update', differences: [difference('batchSize'), difference('enabled')] },
    },
    {
      why: 'one field cannot be changed, so none is: half an edit is no state anybody asked for',
      observation: {
        kind: 'drifted',
        facts,
        claimed: true,
        differences: [difference('batchSize'), difference('eventSourceARN', true)],
      },
      action: {
        kind: 'refuse',
        reason: 'CreateOnlyFieldChanged',
        message:
          '`eventSourceARN` must stay as it is on a live AWS mapping: 2; found 1; undo the change, or set `replacementPolicy: Recreate`',
      },
    },
    {
      why: 'it may be deleted and made anew',
      observation: {
        kind: 'drifted',
        facts,
        claimed: true,
        differences: [difference('batchSize'), difference('eventSourceARN', true)],
      },
      policies: { managementPolicy: 'Full', replacementPolicy: 'Recreate' },
      action: { kind: 'replace' },
    },
    {
      why: 'it was adopted and never changed: a manifest that does not fit must not delete what runs',
      observation: {
        kind: 'drifted',
        facts,
        claimed: false,
        differences: [difference('eventSourceARN', true)],
      },
      policies: { managementPolicy: 'Full', replacementPolicy: 'Recreate' },
      action: { kind: 'refuse', reason: 'CreateOnlyFieldChanged' },
    },
    {
      why: 'it is only observed',
      observation: { kind: 'drifted', facts, claimed: true, differences: [difference('batchSize')] },
      policies: { managementPolicy: 'Observe', replacementPolicy: 'Recreate' },
      action: { kind: 'none' },
    },
    {
      why: 'somebody else’s mapping is in the way',
      observation: { kind: 'refused', reason: 'ForeignOwner', message: 'theirs' },
      action: { kind: 'refuse', reason: 'ForeignOwner', message: 'theirs' },
    },
  ])('is $action.kind when $why', ({ observation, policies, action }) => {
    expect(plan(observation, policies)).toMatchObject(action);
  });
});

describe('what becomes of the AWS mapping', () => {
  it.each([
    { asked: undefined, adopted: false, deleted: 'Delete', handedOver: 'Delete' },
    { asked: undefined, adopted: true, deleted: 'Retain', handedOver: 'Disable' },
    { asked: 'Delete', adopted: true, deleted: 'Delete', handedOver: 'Delete' },
    { asked: 'Retain', adopted: false, deleted: 'Retain', handedOver: 'Disable' },
    { asked: 'Disable', adopted: false, deleted: 'Disable', handedOver: 'Disable' },
  ] as const)('is $deleted on deletion, $handedOver on hand-over, for $asked (adopted: $adopted)', (row) => {
    const { spec } = aMapping(row.asked === undefined ? {} : { spec: { deletionPolicy: row.asked } });
    expect(releasePolicy(spec, row.adopted)).toBe(row.deleted);
    // It must stop reading in any case, or AWS and the cluster would compete.
    expect(handoverPolicy(spec, row.adopted)).toBe(row.handedOver);
  });
});
