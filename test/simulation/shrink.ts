/** Finds a smaller scenario that breaks the same rule: drops faults, actions, outages and messages while it still does. */
import { NO_FAULTS, type Behaviour, type Faults, type Scenario } from './scenario.ts';
import { runScenario, type Mutant } from './run.ts';

/** The smallest scenario found within `tries` runs. */
export async function shrink(scenario: Scenario, mutant?: Mutant, tries = 300): Promise<Scenario> {
  const rule = (await runScenario(scenario, mutant)).violation?.rule;
  if (rule === undefined) return scenario;
  let best = scenario;
  let left = tries;
  for (let improved = true; improved && left > 0;) {
    improved = false;
    for (const candidate of smaller(best)) {
      if (left-- <= 0) break;
      if ((await runScenario(candidate, mutant)).violation?.rule !== rule) continue;
      best = candidate;
      improved = true;
      break;
    }
  }
  return best;
}

function* smaller(scenario: Scenario): Iterable<Scenario> {
  const { messages, actions, outages, faults, behaviour } = scenario;
  const half = Math.ceil(messages.length / 2);
  if (messages.length > 1) {
    yield { ...scenario, messages: messages.slice(0, half) };
    yield { ...scenario, messages: messages.slice(half) };
  }
  if (actions.length > 0) yield { ...scenario, actions: [] };
  if (outages.length > 0) yield { ...scenario, outages: [] };
  if (scenario.pollers > 1) yield { ...scenario, pollers: 1 };
  for (const fault of Object.keys(NO_FAULTS) as (keyof Faults)[]) {
    if (faults[fault] > 0) yield { ...scenario, faults: { ...faults, [fault]: 0 } };
  }
  for (const act of Object.keys(behaviour) as (keyof Behaviour)[]) {
    if (act !== 'success' && behaviour[act] > 0) yield { ...scenario, behaviour: { ...behaviour, [act]: 0 } };
  }
  // A function that only misbehaves needs fewer calls to do so.
  const misbehaves = Object.values(behaviour).some((weight) => weight > 0 && weight !== behaviour.success);
  if (behaviour.success > 0 && misbehaves) yield { ...scenario, behaviour: { ...behaviour, success: 0 } };
  if (messages.some(({ atMs }) => atMs > 0)) {
    yield { ...scenario, messages: messages.map((message) => ({ ...message, atMs: 0 })) };
  }
  for (let index = 0; index < actions.length; index++)
    yield { ...scenario, actions: actions.toSpliced(index, 1) };
  for (let index = 0; index < messages.length; index++)
    yield { ...scenario, messages: messages.toSpliced(index, 1) };
}
