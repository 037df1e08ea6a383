import { expect, test } from 'vitest';
import { effective } from '../../../src/api/effective.ts';
import type { EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import { warningsOf } from '../../../src/fleet/warnings.ts';
import type { Siblings } from '../../../src/sources/sqs/siblings.ts';
import { aMapping } from '../../support/builders.ts';
import { aWork } from '../../support/pollers.ts';

const filters = { filterCriteria: { filters: [{ pattern: '{"body":{"t":["a"]}}' }] } };
const live: Siblings = {
  kind: 'known',
  live: [{ uuid: 'u-1', functionARN: 'arn:aws:lambda:eu-west-1:0:function:f', state: 'Enabled' }],
};

interface Case {
  readonly why: string;
  readonly spec?: Partial<EventSourceMappingSpec>;
  readonly visibilityTimeoutMs?: number | undefined;
  readonly targetTimeoutMs?: number | undefined;
  readonly siblings?: Siblings;
  readonly sharedSource?: boolean;
  readonly expected: readonly string[];
}

const cases: readonly Case[] = [
  { why: 'nothing is odd', expected: [] },
  {
    why: 'SQS’s default of 30 s is long enough for the default of a target',
    visibilityTimeoutMs: 30_000,
    targetTimeoutMs: 30_000,
    expected: [],
  },
  {
    why: 'the target may take longer than messages stay hidden',
    visibilityTimeoutMs: 30_000,
    targetTimeoutMs: 30_001,
    expected: ['VisibilityTimeoutTooShort'],
  },
  {
    why: 'a time-out that could not be read is no reason to warn',
    visibilityTimeoutMs: 1,
    targetTimeoutMs: undefined,
    expected: [],
  },
  {
    why: 'the queue was not read yet',
    visibilityTimeoutMs: undefined,
    targetTimeoutMs: 900_000,
    expected: [],
  },
  { why: 'Lambda reads the queue too', siblings: live, expected: ['QueueHasLambdaMapping'] },
  { why: 'Lambda has no live mapping of the queue', siblings: { kind: 'known', live: [] }, expected: [] },
  {
    why: 'nobody may tell',
    siblings: { kind: 'unknown', reason: 'AwsAccessDenied', message: '' },
    spec: filters,
    expected: [],
  },
  { why: 'a filter alone deletes nobody’s messages', spec: filters, expected: [] },
  {
    why: 'the other mapping never sees what the filter deletes',
    spec: filters,
    sharedSource: true,
    expected: ['FilterDeletesOnSharedQueue'],
  },
  {
    why: 'Lambda never sees what the filter deletes',
    spec: filters,
    siblings: live,
    expected: ['QueueHasLambdaMapping', 'FilterDeletesOnSharedQueue'],
  },
  {
    why: 'Release leaves them to the other',
    spec: { ...filters, poller: { unmatched: 'Release' } },
    sharedSource: true,
    expected: [],
  },
  {
    why: 'without filters nothing is deleted unseen',
    spec: { filterCriteria: { filters: [] } },
    sharedSource: true,
    expected: [],
  },
];

test.each(cases)('$why', ({ spec = {}, siblings, sharedSource = false, expected, ...times }) => {
  const { visibilityTimeoutMs, targetTimeoutMs } = {
    visibilityTimeoutMs: 30_000,
    targetTimeoutMs: 30_000,
    ...times,
  };
  const mapping = aMapping(spec);
  const warnings = warningsOf({
    work: { ...aWork('orders'), mapping, sharedSource },
    effective: effective(mapping.spec, {}),
    facts:
      visibilityTimeoutMs === undefined
        ? undefined
        : { fifo: false, visibilityTimeoutMs, backlog: { visible: 0, inFlight: 0, delayed: 0 } },
    siblings: siblings ?? { kind: 'unknown', reason: 'Unknown', message: '' },
    targetTimeoutMs,
  });
  expect(warnings.map(({ reason }) => reason)).toEqual(expected);
});

test('a warning names what was found', () => {
  const { mapping, ...work } = aWork('orders');
  const [visibility, sibling] = warningsOf({
    work: { ...work, mapping },
    effective: effective(mapping.spec, {}),
    facts: { fifo: false, visibilityTimeoutMs: 20_000, backlog: { visible: 0, inFlight: 0, delayed: 0 } },
    siblings: live,
    targetTimeoutMs: 300_000,
  });
  expect(visibility?.message).toContain(
    '20 s is shorter than the target’s time-out of 300 s'.replace('’', "'"),
  );
  expect(sibling?.message).toContain('u-1 (arn:aws:lambda:eu-west-1:0:function:f)');
});
