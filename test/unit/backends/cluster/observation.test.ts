import { describe, expect, it } from 'vitest';
import type { ReportEntry } from '../../../../src/api/report.ts';
import { ClusterBackend, observationOf, type Sighting } from '../../../../src/backends/cluster/backend.ts';
import { ownerOf } from '../../../../src/fleet/assignment.ts';
import { FleetIndex, type MemberEntry } from '../../../../src/fleet/fleet-view.ts';
import { aPollerMapping, subjectOf } from '../../../support/mappings.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const well = { status: 'True', reason: 'ReadSucceeded', message: 'fine' } as const;
const ill = { status: 'False', reason: 'QueueNotFound', message: 'no such queue' } as const;

const reported = (changes: Partial<ReportEntry> = {}, member = 'poller-0'): MemberEntry => ({
  member,
  entry: {
    namespace: 'shop',
    name: 'orders',
    uid: 'u',
    generation: 2,
    state: 'Running',
    sourceHealthy: well,
    ...changes,
  },
});

const seen = (changes: Partial<Sighting>): Sighting => ({
  pool: 'default',
  owner: 'poller-0',
  entries: [],
  generation: 2,
  enabled: true,
  ...changes,
});

describe('what members report', () => {
  it.each<{ why: string; sighting: Partial<Sighting>; observation: object }>([
    {
      why: 'a live member runs this generation with its source open',
      sighting: { entries: [reported()] },
      observation: { kind: 'current', facts: { state: 'Running' } },
    },
    {
      why: 'no member is there',
      sighting: { owner: undefined },
      observation: { kind: 'unserved', reason: 'NoMember', facts: { state: 'NoMember' } },
    },
    {
      why: 'the member has not taken it up',
      sighting: {},
      observation: { kind: 'changing', facts: { state: 'Pending' } },
    },
    {
      why: 'it runs the generation before',
      sighting: { entries: [reported({ generation: 1 })] },
      observation: { kind: 'changing' },
    },
    {
      why: 'nothing is received, since the consumer is not there yet',
      sighting: {
        entries: [
          reported({
            sourceHealthy: { status: 'Unknown', reason: 'Unknown' },
            targetHealthy: { status: 'False', reason: 'NoReadyEndpoint' },
          }),
        ],
      },
      observation: { kind: 'current' },
    },
    {
      why: 'the source was not read yet',
      sighting: { entries: [reported({ sourceHealthy: { status: 'Unknown', reason: 'Unknown' } })] },
      observation: { kind: 'changing' },
    },
    {
      why: 'nothing is said of the source',
      sighting: {
        entries: [
          {
            ...reported(),
            entry: { ...reported().entry, sourceHealthy: undefined } as unknown as ReportEntry,
          },
        ],
      },
      observation: { kind: 'changing' },
    },
    {
      why: 'the source cannot be read',
      sighting: { entries: [reported({ sourceHealthy: ill })] },
      observation: { kind: 'unserved', reason: 'QueueNotFound', message: 'no such queue' },
    },
    {
      why: 'it is starting',
      sighting: { entries: [reported({ state: 'Starting' })] },
      observation: { kind: 'changing' },
    },
    {
      why: 'it failed for what it tries again',
      sighting: { entries: [reported({ state: 'Failed', reason: 'QueueNotFound', message: 'gone' })] },
      observation: { kind: 'unserved', reason: 'QueueNotFound', message: 'gone' },
    },
    {
      why: 'it failed for good',
      sighting: { entries: [reported({ state: 'Failed', reason: 'SecretNotFound', message: 'no Secret' })] },
      observation: { kind: 'refused', reason: 'SecretNotFound', message: 'no Secret' },
    },
    {
      why: 'a later version gives a reason that is not known here',
      sighting: { entries: [reported({ state: 'Failed', reason: 'FluxCapacitorEmpty', message: 'words' })] },
      observation: { kind: 'unserved', reason: 'MemberFailed', message: 'words' },
    },
    {
      why: 'one still drains, its successor runs',
      sighting: {
        owner: 'poller-1',
        entries: [reported({ state: 'Draining', generation: 1 }), reported({}, 'poller-1')],
      },
      observation: { kind: 'current', facts: { state: 'Running' } },
    },
    {
      why: 'the owner has changed, and who runs it runs it still',
      sighting: { owner: 'poller-9', entries: [reported()] },
      observation: { kind: 'current' },
    },
    {
      why: 'disabled, and nobody reads',
      sighting: { enabled: false },
      observation: { kind: 'current', facts: { state: 'Disabled' } },
    },
    {
      why: 'disabled, and the member holds it so',
      sighting: { enabled: false, entries: [reported({ state: 'Paused', reason: 'Disabled' })] },
      observation: { kind: 'current', facts: { state: 'Disabled' } },
    },
    {
      why: 'disabled, and somebody still reads',
      sighting: { enabled: false, entries: [reported({ generation: 1 })] },
      observation: { kind: 'changing' },
    },
    {
      why: 'disabled without any member',
      sighting: { enabled: false, owner: undefined },
      observation: { kind: 'current' },
    },
  ])('$observation.kind: $why', ({ sighting, observation }) => {
    expect(observationOf(seen(sighting))).toMatchObject(observation);
  });

  it('shows one member’s trouble as the mapping’s, and each warning once', () => {
    const warnings = [{ reason: 'VisibilityTimeoutTooShort', message: 'none' }];
    const observation = observationOf(
      seen({
        entries: [
          reported({ warnings, targetHealthy: { status: 'True', reason: 'TargetSucceeded' } }),
          reported(
            { warnings, targetHealthy: { status: 'False', reason: 'FunctionError', message: 'boom' } },
            'poller-1',
          ),
        ],
      }),
    );
    expect(observation).toMatchObject({
      facts: {
        targetHealthy: { status: 'False', reason: 'FunctionError', message: 'boom' },
        warnings,
        poller: {
          pool: 'default',
          members: [
            { name: 'poller-0', state: 'Running' },
            { name: 'poller-1', state: 'Running' },
          ],
        },
      },
    });
  });
});

describe('the cluster backend', () => {
  it('asks the owner of the class’s pool, and sees a member die', async () => {
    const fleet = new FleetIndex(() => undefined);
    const backend = new ClusterBackend(fleet, new VirtualClock());
    const mapping = aPollerMapping({ metadata: { generation: 2 } });
    const subject = { ...subjectOf(mapping), pool: 'canary' };
    const { uid = '' } = mapping.metadata;
    const identities = ['a', 'b', 'c'];
    fleet.setMembers(identities.map((identity) => ({ identity, pool: 'canary' })));
    const owner = ownerOf(uid, identities) ?? '';
    expect(await backend.observe(subject)).toMatchObject({
      kind: 'changing',
      message: `The member ${owner} has not taken the mapping up yet`,
    });

    const report = {
      formatVersion: 1,
      member: owner,
      pool: 'canary',
      version: '0',
      mappings: [{ ...reported().entry, uid }],
    };
    fleet.put(owner, report);
    expect(await backend.observe(subject)).toMatchObject({ kind: 'current' });
    fleet.setMembers([]);
    expect(await backend.observe(subject)).toMatchObject({ kind: 'unserved', reason: 'NoMember' });
  });

  it('has nothing outside the cluster to create or release', () => {
    expect(new ClusterBackend(new FleetIndex(() => undefined), new VirtualClock())).not.toHaveProperty(
      'create',
    );
  });
});
