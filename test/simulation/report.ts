/** What a person sees of a seed that failed: the shortest trace and the command that replays it. */
import { runScenario, type Mutant } from './run.ts';
import { makeScenario } from './scenario.ts';
import { shrink } from './shrink.ts';

/** Shrinks the scenario of a seed and tells its run, event by event. */
export async function reportSeed(seed: number, mutant?: Mutant): Promise<string> {
  const scenario = await shrink(makeScenario(seed), mutant);
  const { violation, trace } = await runScenario(scenario, mutant, true);
  const { messages, ...rest } = scenario;
  return [
    violation === undefined
      ? `Seed ${seed} breaks no rule.`
      : `Seed ${seed} breaks the rule "${violation.rule}": ${violation.detail}`,
    `Replay: SLUICE_SIM_SEED=${seed} npx vitest run --project unit test/unit/poller/simulation.test.ts`,
    `Scenario: ${messages.length} messages, ${JSON.stringify(rest)}`,
    'Trace:',
    ...trace,
  ].join('\n');
}
