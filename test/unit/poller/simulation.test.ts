import { describe, expect, test } from 'vitest';
import { MUTANTS } from '../../simulation/mutants.ts';
import { reportSeed } from '../../simulation/report.ts';
import { runScenario, runSeed } from '../../simulation/run.ts';
import { makeScenario } from '../../simulation/scenario.ts';

// SLUICE_SIM_SEED replays one seed; SLUICE_SIM_FROM and SLUICE_SIM_RUNS look at other ones than the usual.
const { SLUICE_SIM_SEED: only, SLUICE_SIM_FROM: start = '0', SLUICE_SIM_RUNS: count = '12000' } = process.env;
const from = Number(only ?? start);
const runs = only === undefined ? Number(count) : 1;

/** Seeds within which each planted defect has to be found: a small part of the usual runs. */
const MUTANT_SEEDS = 1000;

describe('the queue loop under simulation', () => {
  test(`${runs} seeded runs break no rule of the model`, { timeout: 300_000 }, async () => {
    let failing: number | undefined;
    for (let seed = from; seed < from + runs && failing === undefined; seed++) {
      if ((await runSeed(seed)).violation !== undefined) failing = seed;
    }
    expect(failing === undefined ? '' : await reportSeed(failing)).toBe('');
  });

  test('the same seed gives the same run', async () => {
    const scenario = makeScenario(17);
    const first = await runScenario(scenario, undefined, true);
    const second = await runScenario(makeScenario(17), undefined, true);
    expect(first.trace.length).toBeGreaterThan(20);
    expect(second.trace).toEqual(first.trace);
  });

  test.for(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    'finds a loop that %s',
    { timeout: 60_000 },
    async ([, mutant]) => {
      const broken = new Set<string>();
      for (let seed = 0; seed < MUTANT_SEEDS && !broken.has(mutant.finds); seed++) {
        const { violation } = await runSeed(seed, mutant);
        if (violation !== undefined) broken.add(violation.rule);
      }
      expect([...broken]).toContain(mutant.finds);
    },
  );

  test('a failing seed is told by a short trace and the command that replays it', async () => {
    const mutant = MUTANTS.find(({ name }) => name === 'acknowledges a batch whose function failed');
    let seed = 0;
    while ((await runSeed(seed, mutant)).violation === undefined) seed++;
    const report = await reportSeed(seed, mutant);
    expect(report).toContain(`SLUICE_SIM_SEED=${seed} npx vitest run`);
    expect(report).toContain('RULE BROKEN: a message is deleted only after success');
    expect(report).toMatch(/Scenario: 1 messages/);
    expect(report.split('\n').length).toBeLessThan(40);
  });
});
