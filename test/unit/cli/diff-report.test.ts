import { describe, expect, it } from 'vitest';
import { effective } from '../../../src/api/effective.ts';
import type { EventSourceMapping } from '../../../src/api/mapping.ts';
import { diffCommand } from '../../../src/cli/diff.ts';
import { changeOf, changeText, withoutAws, type Change } from '../../../src/cli/diff-report.ts';
import type { Difference, Observation } from '../../../src/controller/backend.ts';
import { runCommand } from '../api/run-command.ts';
import { aMapping, aPollerMapping, someFacts } from '../../support/mappings.ts';

const uuid = 'c0ffee00-0000-4000-8000-000000000001';
const batchSize: Difference = { path: 'batchSize', desired: 5, observed: 10, createOnly: false };
const source: Difference = {
  path: 'startingPosition',
  desired: 'LATEST',
  observed: 'TRIM_HORIZON',
  createOnly: true,
};
const drifted = (differences: readonly Difference[], claimed = true): Observation => ({
  kind: 'drifted',
  facts: someFacts(),
  differences,
  claimed,
});
const change = (mapping: EventSourceMapping, observation: Observation): Change =>
  changeOf(mapping, effective(mapping.spec), observation);

describe('what would become of a mapping', () => {
  it.each<{
    observation: Observation;
    spec?: EventSourceMapping['spec'];
    change: Partial<Change>;
    why: string;
  }>([
    {
      observation: { kind: 'current', facts: someFacts() },
      change: { action: 'none', uuid, fields: [] },
      why: 'as it is to be',
    },
    {
      observation: { kind: 'missing' },
      change: {
        action: 'create',
        fields: [
          { path: 'eventSourceARN', from: undefined, to: aMapping().spec.eventSourceARN },
          { path: 'functionName', from: undefined, to: 'consumer' },
        ],
      },
      why: 'a create shows what the manifest says of AWS’s half',
    },
    {
      observation: drifted([batchSize]),
      change: { action: 'update', uuid, fields: [{ path: 'batchSize', from: 10, to: 5 }] },
      why: 'an update shows each field',
    },
    {
      observation: drifted([batchSize], false),
      change: { action: 'update', message: "it is taken over, and gets Sluice's tags" },
      why: 'the first change of an adopted one tags it',
    },
    {
      observation: drifted([source]),
      change: {
        action: 'refused',
        message: expect.stringMatching(/^CreateOnlyFieldChanged: `startingPosition`/) as string,
      },
      why: 'what AWS cannot change is refused',
    },
    {
      observation: drifted([source]),
      spec: { ...aMapping().spec, replacementPolicy: 'Recreate' },
      change: {
        action: 'replace',
        fields: [{ path: 'startingPosition', from: 'TRIM_HORIZON', to: 'LATEST' }],
      },
      why: 'or replaced where that is allowed',
    },
    {
      observation: { kind: 'refused', reason: 'ForeignOwner', message: 'belongs to a/b' },
      change: { action: 'refused', message: 'ForeignOwner: belongs to a/b' },
      why: 'another owner’s',
    },
    {
      observation: { kind: 'changing', facts: someFacts(), message: 'The AWS mapping is Updating' },
      change: { action: 'unknown', message: 'The AWS mapping is Updating; ask again when it has settled' },
      why: 'nobody can tell yet',
    },
    {
      observation: drifted([batchSize]),
      spec: { ...aMapping().spec, managementPolicy: 'Observe' },
      change: {
        action: 'none',
        message: 'it is only observed: AWS differs in batchSize, and nothing is changed',
      },
      why: 'Observe changes nothing',
    },
    {
      observation: { kind: 'missing' },
      spec: { ...aMapping().spec, managementPolicy: 'Observe' },
      change: { action: 'none', message: 'it is only observed, and AWS has no such mapping' },
      why: 'nor does it create',
    },
  ])('$why', ({ observation, spec, change: expected }) => {
    const mapping = aMapping(spec === undefined ? {} : { spec });
    expect(change(mapping, observation)).toMatchObject({ mapping: 'shop/orders', ...expected });
  });

  it('does not depend on the uid of the object, which no file knows', () => {
    const { uid: _, ...metadata } = aMapping().metadata;
    const fromFile = { ...aMapping(), metadata };
    const tag: Difference = { path: 'tags.sluice.dev/uid', desired: '', observed: 'u', createOnly: false };
    expect(change(fromFile, drifted([tag]))).toMatchObject({ action: 'none', uuid });
    expect(change(fromFile, drifted([tag, batchSize])).fields.map(({ path }) => path)).toEqual(['batchSize']);
    expect(change(aMapping(), drifted([tag]))).toMatchObject({ action: 'update' });
  });

  it('is not AWS’s business in Poller mode', () => {
    expect(withoutAws(aPollerMapping())).toMatchObject({ action: 'skipped' });
    expect(withoutAws(aMapping())).toBeUndefined();
  });
});

it.each<{ argv: readonly string[]; message: RegExp }>([
  { argv: ['-f', '-'], message: /`--cluster-id` must be set/ },
  { argv: ['--cluster-id', 'prod'], message: /`-f` must name/ },
  { argv: ['-f', 'nowhere', '--cluster-id', 'prod'], message: /cannot read nowhere/ },
  { argv: ['-f', '-', '--cluster-id', 'prod', '--server-side'], message: /unknown flag `--server-side`/ },
])('refuses $argv', async ({ argv, message }) => {
  await expect(runCommand(diffCommand, argv)).rejects.toThrow(message);
});

it('ends with 3 for a manifest that is not valid, and asks nobody', async () => {
  const invalid =
    'apiVersion: sluice.dev/v1alpha1\nkind: EventSourceMapping\nmetadata: {name: a}\nspec: {mode: Off}\n';
  const { code, err } = await runCommand(diffCommand, ['-f', '-', '--cluster-id', 'prod'], invalid);
  expect([code, err]).toEqual([3, expect.stringMatching(/^<stdin>:4: .*spec.mode/)]);
});

it('is told with what goes and what comes', () => {
  const observation = drifted([
    batchSize,
    { ...batchSize, path: 'filterCriteria.filters', desired: undefined, observed: ['{}'] },
  ]);
  expect(changeText(change(aMapping(), observation))).toBe(
    `update shop/orders (${uuid})\n  - batchSize: 10\n  + batchSize: 5\n  - filterCriteria.filters: ["{}"]\n`,
  );
});
