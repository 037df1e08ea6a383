import { describe, expect, it } from 'vitest';
import { admit } from '../../../src/api/class-rules.ts';
import { checkObject, kindNamed } from '../../../src/api/check.ts';
import type { EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import { warningsOf } from '../../../src/api/warnings.ts';
import { aClass, aMapping } from '../../support/mappings.ts';

const admission = (
  additionalParameters: EventSourceMappingSpec['additionalParameters'],
  allowedNames?: string[],
  mode: 'Managed' | 'Poller' = 'Managed',
) =>
  admit({
    mapping: aMapping({
      spec: { mode, ...(additionalParameters === undefined ? {} : { additionalParameters }) },
    }),
    classes: [aClass(allowedNames === undefined ? {} : { additionalParameters: { allowedNames } })],
    namespaceLabels: {},
    siblings: [],
  });

describe('members that this release does not know', () => {
  it.each([
    { why: 'none are asked for', parameters: undefined, names: undefined },
    { why: 'the list of them is empty', parameters: {}, names: undefined },
    { why: 'the class names them', parameters: { NewThing: { Depth: [1] } }, names: ['NewThing'] },
    { why: 'a pattern of the class covers them', parameters: { NewThing: 1, NewOther: 2 }, names: ['New*'] },
  ])('are admitted where $why', ({ parameters, names }) => {
    expect(admission(parameters, names).kind).toBe('admitted');
  });

  it.each([
    {
      why: 'the class says nothing of them',
      parameters: { NewThing: 1 },
      names: undefined,
      reason: 'ClassNotPermitted',
      message: '`additionalParameters`: MappingClass "standard" allows none; found "NewThing"',
    },
    {
      why: 'the class allows another',
      parameters: { Allowed: 1, NewThing: 1 },
      names: ['Allowed', 'Old*'],
      reason: 'ClassNotPermitted',
      message: '`additionalParameters`: MappingClass "standard" allows Allowed, Old*; found "NewThing"',
    },
    {
      why: 'they have a field here',
      parameters: { BatchSize: 5 },
      names: ['*'],
      reason: 'InvalidSpec',
      message: '`additionalParameters` must not have "BatchSize", which is `batchSize` here',
    },
    {
      why: 'their field has another name than theirs',
      parameters: { KMSKeyArn: 'arn:aws:kms:::key/k' },
      names: ['*'],
      reason: 'InvalidSpec',
      message: '`additionalParameters` must not have "KMSKeyArn", which is `kmsKeyARN` here',
    },
    {
      why: 'they are Sluice’s to set',
      parameters: { Tags: {} },
      names: ['*'],
      reason: 'InvalidSpec',
      message: '`additionalParameters` must not have "Tags", which is `tags` here',
    },
    {
      why: 'they are no names of members',
      parameters: { newThing: 1 },
      names: ['*'],
      reason: 'InvalidSpec',
      message:
        '`additionalParameters` must have names of members of AWS\'s API, letters and digits that begin with a capital; found "newThing"',
    },
  ])('are refused where $why', ({ parameters, names, reason, message }) => {
    expect(admission(parameters, names)).toEqual({ kind: 'denied', reason, message });
  });

  it('are inert in Poller mode, which is told', () => {
    expect(admission({ NewThing: 1 }, undefined, 'Poller').kind).toBe('admitted');
    const { spec } = aMapping({ spec: { mode: 'Poller', additionalParameters: { NewThing: 1 } } });
    expect(warningsOf(spec).map(({ message }) => message)).toContain(
      '`spec.additionalParameters` has no effect in Poller mode',
    );
  });

  it('may have any value, and must be an object', () => {
    const kind = kindNamed('EventSourceMapping');
    if (kind === undefined) throw new Error('no such kind');
    const findings = (additionalParameters: unknown) => {
      const mapping = aMapping();
      return checkObject(kind, { ...mapping, spec: { ...mapping.spec, additionalParameters } }).findings;
    };
    expect(findings({ A: 1, B: [{ C: 'd' }], D: true })).toEqual([]);
    expect(findings(['A'])).toHaveLength(1);
  });
});
