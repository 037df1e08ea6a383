/**
 * Every constraint and every rule has an object that it takes and one that it refuses, naming the field. The same
 * cases go to a real API server in test/cluster/schema.test.ts.
 */
import { expect, test } from 'vitest';
import { checkObject, kindNamed } from '../../../src/api/check.ts';
import { kinds } from '../../../src/api/crd.ts';
import { pathText } from '../../../src/api/problem.ts';
import { validateCommand } from '../../../src/cli/validate.ts';
import { schemaCases } from '../../support/schema/cases.ts';
import { constraintsOf } from '../../support/schema/constraints.ts';
import { allRules, ruleCases } from '../../support/schema/rule-cases.ts';
import { patternCases } from '../../support/schema/pattern-cases.ts';
import { runCommand } from './run-command.ts';

const cases = schemaCases();

test('no constraint and no rule is without an accepting and a rejecting case', () => {
  const count = kinds.reduce((sum, kind) => sum + constraintsOf(kind).length + kind.rules.length, 0);
  expect(cases).toHaveLength(count);
  expect(cases.filter((one) => one.accept.length === 0 || one.reject.length === 0)).toEqual([]);
  expect(new Set(cases.map((one) => one.name)).size).toBe(count);
});

test('no case is left of a rule or pattern that is gone', () => {
  expect(Object.keys(ruleCases).toSorted()).toEqual(
    allRules()
      .map(({ rule }) => rule.name)
      .toSorted(),
  );
  const patterns = kinds.flatMap((kind) =>
    constraintsOf(kind)
      .filter((one) => one.keyword === 'pattern')
      .map((one) => `${kind.name.kind} ${one.path.join('.')}`),
  );
  expect(Object.keys(patternCases).toSorted()).toEqual(patterns.toSorted());
});

test.each(cases.filter((one) => one.old === undefined).map((one) => [one.name, one] as const))(
  'sluice validate keeps: %s',
  async (_, one) => {
    for (const object of one.accept) expect(await problems(object)).toEqual([]);
    for (const object of one.reject) expect(await problems(object)).toContain(pathText(one.field));
  },
);

test.each(cases.filter((one) => one.old !== undefined).map((one) => [one.name, one] as const))(
  'a change keeps: %s',
  (_, one) => {
    const kind = kindNamed(one.kind);
    if (kind === undefined) throw new Error(one.kind);
    const fields = (object: unknown) =>
      checkObject(kind, object, one.old).findings.map(({ path }) => pathText(path));
    for (const object of one.accept) expect(fields(object)).toEqual([]);
    for (const object of one.reject) expect(fields(object)).toContain(pathText(one.field));
  },
);

/** Paths of the problems that the command prints of one object. */
async function problems(object: unknown): Promise<readonly string[]> {
  const { code, out } = await runCommand(validateCommand, ['-f', '-', '-o', 'json'], JSON.stringify(object));
  const { documents } = JSON.parse(out) as {
    documents: readonly { problems: readonly { path: string }[] }[];
  };
  const paths = documents.flatMap((document) => document.problems.map(({ path }) => path));
  expect(code).toBe(paths.length === 0 ? 0 : 1);
  return paths;
}
