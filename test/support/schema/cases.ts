/** Every case of every constraint and rule: what `sluice validate` and the API server must agree on. */
import { kinds } from '../../../src/api/crd.ts';
import { constraintsOf } from './constraints.ts';
import { allRules, ruleCase } from './rule-cases.ts';
import { structureCase, type SchemaCase } from './structure-cases.ts';

export type { SchemaCase } from './structure-cases.ts';

export function schemaCases(): readonly SchemaCase[] {
  return [
    ...kinds.flatMap((kind) => constraintsOf(kind).map(structureCase)),
    ...allRules().map(({ kind, rule }) => ruleCase(kind, rule)),
  ];
}
