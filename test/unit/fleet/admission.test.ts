import { describe, expect, it } from 'vitest';
import type { EventSourceMapping } from '../../../src/api/mapping.ts';
import { workOf, type World } from '../../../src/fleet/admission.ts';
import { ownerOf } from '../../../src/fleet/assignment.ts';
import { workKey } from '../../../src/fleet/work.ts';
import { aClass, aMapping, aPollerMapping } from '../../support/mappings.ts';

const world = (mappings: readonly EventSourceMapping[], changes: Partial<World> = {}): World => ({
  member: 'me',
  pool: 'default',
  liveMembers: ['me'],
  mappings,
  classes: [aClass()],
  namespaceLabels: () => ({}),
  running: new Map(),
  ...changes,
});

const many = Array.from({ length: 100 }, (_, index) =>
  aPollerMapping({ metadata: { name: `m-${index}`, uid: `uid-${index}` } }),
);

describe('a member runs', () => {
  it.each<{ why: string; mapping: EventSourceMapping; changes?: Partial<World>; runs: boolean }>([
    { why: 'an admitted mapping in Poller mode', mapping: aPollerMapping(), runs: true },
    { why: 'AWS runs it', mapping: aMapping(), runs: false },
    {
      why: 'it is being deleted, whoever still holds it',
      mapping: aPollerMapping({
        metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['else'] },
      }),
      runs: false,
    },
    {
      why: 'AWS has not let go of it yet',
      mapping: aPollerMapping({ metadata: { finalizers: ['sluice.dev/external-mapping'] } }),
      runs: false,
    },
    { why: 'no class admits it', mapping: aPollerMapping(), changes: { classes: [] }, runs: false },
    {
      why: 'its class has another pool',
      mapping: aPollerMapping(),
      changes: { classes: [aClass({ pool: 'canary' })] },
      runs: false,
    },
    {
      why: 'it asks for what is not built',
      mapping: aPollerMapping({ spec: { poller: { rateLimit: { batchesPerSecond: 1 } } } }),
      runs: false,
    },
    {
      why: 'its URL is not allowed',
      mapping: aPollerMapping({ spec: { poller: { target: { http: { url: 'https://a.test' } } } } }),
      runs: false,
    },
    {
      why: 'another member owns it',
      mapping: aPollerMapping(),
      changes: { liveMembers: ['another'] },
      runs: false,
    },
  ])('$runs: $why', ({ mapping, changes, runs }) => {
    expect(workOf(world([mapping], changes))).toHaveLength(runs ? 1 : 0);
  });

  it('its share: with the others exactly each mapping once', () => {
    const liveMembers = ['me', 'you', 'them'];
    const shares = liveMembers.map((member) => workOf(world(many, { member, liveMembers })).map(workKey));
    expect(shares.flat().sort()).toEqual(many.map(({ metadata }) => metadata.uid ?? '').sort());
    for (const [index, share] of shares.entries()) {
      expect(share.every((uid) => ownerOf(uid, liveMembers) === liveMembers[index])).toBe(true);
    }
  });
});

describe('the work of a mapping', () => {
  const only = (mappings: readonly EventSourceMapping[], changes: Partial<World> = {}) =>
    workOf(world(mappings, changes))[0];

  it('carries what the class decides', () => {
    const classes = [
      aClass({
        aws: {
          identity: 'Role',
          roleARN: 'arn:aws:iam::111122223333:role/{namespace}',
          region: 'eu-west-1',
          accountID: '111122223333',
        },
        targets: { allowedURLs: ['https://{namespace}.test/*'] },
      }),
    ];
    expect(only([aPollerMapping({ spec: { aws: { region: 'eu-west-2' } } })], { classes })).toMatchObject({
      place: { region: 'eu-west-2', accountID: '111122223333' },
      identity: { kind: 'Role', roleARN: 'arn:aws:iam::111122223333:role/shop' },
      allowedURLs: ['https://shop.test/*'],
      allowLoopback: false,
    });
  });

  it.each([
    { why: 'nothing', metadata: {}, spec: {}, paused: false },
    { why: 'enabled: false', metadata: {}, spec: { enabled: false }, paused: 'Disabled' },
    {
      why: 'paused: delivery',
      metadata: { annotations: { 'sluice.dev/paused': 'delivery' } },
      spec: {},
      paused: 'PausedDelivery',
    },
    {
      why: 'paused: reconcile lets records flow',
      metadata: { annotations: { 'sluice.dev/paused': 'reconcile' } },
      spec: {},
      paused: false,
    },
  ])('is paused $paused by $why', ({ metadata, spec, paused }) => {
    expect(only([aPollerMapping({ metadata, spec })])?.paused).toBe(paused);
  });

  it('stays as it is while `paused: reconcile` holds an edit back', () => {
    const before = only([aPollerMapping()]);
    const edited = aPollerMapping({
      metadata: { generation: 2, annotations: { 'sluice.dev/paused': 'reconcile' } },
      spec: { batchSize: 1 },
    });
    const running = new Map(before === undefined ? [] : [[workKey(before), before]]);
    expect(only([edited], { running })).toBe(before);
    // A member that starts now has nothing to keep.
    expect(only([edited])?.mapping).toBe(edited);
  });

  it('knows that another mapping reads the same queue, also one that AWS runs and one with a partial ARN', () => {
    const classes = [aClass({ aws: { region: 'eu-central-1', accountID: '000000000000' } })];
    const other = (mapping: EventSourceMapping) =>
      only([aPollerMapping(), mapping], { classes })?.sharedSource;
    expect(other(aMapping({ metadata: { name: 'second', uid: 'second' } }))).toBe(true);
    expect(other(aMapping({ metadata: { name: 'second', uid: 'second' }, spec: { enabled: false } }))).toBe(
      false,
    );
    expect(
      other(
        aPollerMapping({
          metadata: { name: 'second', uid: 'second' },
          spec: { eventSourceARN: 'arn:aws:sqs:::orders' },
        }),
      ),
    ).toBe(true);
    expect(
      other(
        aPollerMapping({
          metadata: { name: 'second', uid: 'second' },
          spec: { eventSourceARN: 'arn:aws:sqs:::else' },
        }),
      ),
    ).toBe(false);
  });
});
