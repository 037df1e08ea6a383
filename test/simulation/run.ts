/** Runs one scenario: real pollers, a simulated world, the model watching. */
import { seededRandom } from '../../src/lib/random.ts';
import { createByteBudget } from '../../src/poller/byte-budget.ts';
import type { ByteBudget, Target } from '../../src/poller/ports.ts';
import { QueuePoller, type QueuePollerDeps } from '../../src/poller/queue-poller.ts';
import type { QueuePollerSettings } from '../../src/poller/settings.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Model, type Life, type Violation } from './model.ts';
import { makeScenario, type Scenario, type SimAction } from './scenario.ts';
import { SimQueue } from './sim-queue.ts';
import { simTarget } from './sim-target.ts';

/** A planted defect: changes what a poller is made of. */
export interface Mutant {
  readonly name: string;
  readonly deps?: (deps: QueuePollerDeps) => QueuePollerDeps;
  readonly settings?: (settings: QueuePollerSettings) => QueuePollerSettings;
}

export interface RunResult {
  readonly violation: Violation | undefined;
  readonly trace: readonly string[];
}

interface Member {
  life: Life;
  poller: QueuePoller;
  budget: ByteBudget;
  target: Target;
}

/** Wake-ups of a whole run: more than this is a loop that spins. */
const MAX_STEPS = 30_000;

/** How long everything may take to come to its end once the faults have stopped. */
const QUIET_LIMIT_MS = 4 * 3_600_000;

export async function runScenario(scenario: Scenario, mutant?: Mutant, traced = false): Promise<RunResult> {
  const trace: string[] = [];
  const clock = new VirtualClock({ startMs: 1_000_000 });
  const model = new Model(
    () => clock.monotonic(),
    isSteady(scenario),
    traced ? (line) => trace.push(line) : undefined,
  );
  const stream = (name: number) => seededRandom(scenario.seed * 31 + name);
  const queue = new SimQueue(clock, model, scenario, stream(1));
  const targetRandom = stream(2);
  const engineRandom = stream(3);
  const largest = Math.max(0, ...scenario.messages.map(({ bytes }) => bytes)) + 40;
  const members: Member[] = [];
  let ids = 0;
  let lives = 0;

  const open = (settings: QueuePollerSettings): Member => {
    const budget = createByteBudget(scenario.budgetBytes);
    const life: Life = {
      name: `P${++lives}`,
      settings,
      dead: false,
      closing: false,
      calls: new Set(),
      braked: undefined,
      firstBrakedMs: undefined,
      lastThrottleMs: undefined,
      budget,
      receives: 0,
      slowUntilMs: -1,
      probes: 0,
    };
    const member: Member = {
      life,
      budget,
      target: undefined as unknown as Target,
      poller: undefined as unknown as QueuePoller,
    };
    member.target = newTarget(member);
    const deps: QueuePollerDeps = {
      source: queue.connect(life),
      target: member.target,
      matches: (value) => value === true,
      clock: {
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        sleep: (ms, signal) =>
          clock.sleep(ms, signal).then(() => (life.dead ? new Promise(() => {}) : undefined)),
        after: (ms, action) =>
          clock.after(ms, () => {
            if (!life.dead) action();
          }),
      },
      random: engineRandom,
      budget: watched(budget, () => model.budget(life, largest)),
      emit: (event) => model.told(life, event),
      newId: () => `b${++ids}`,
    };
    member.poller = new QueuePoller(mutant?.deps?.(deps) ?? deps, mutant?.settings?.(settings) ?? settings);
    member.poller.start();
    return member;
  };

  const newTarget = (member: Member): Target =>
    simTarget({
      clock,
      model,
      scenario,
      random: targetRandom,
      life: member.life,
      quiet: () => queue.quiet,
      isCurrent: (target) => member.target === target,
    });

  const drain = async (member: Member, graceMs: number, receiveMs: number): Promise<void> => {
    const { life, poller } = member;
    const startedMs = clock.monotonic();
    closing(model, life);
    await poller.drain(graceMs, receiveMs);
    if (life.dead) return;
    const tookMs = clock.monotonic() - startedMs;
    if (tookMs > graceMs + 9000) model.violate('a drain ends within its grace', `${tookMs} ms of ${graceMs}`);
    if (member.budget.used !== 0) model.violate('all bytes are given back', `${member.budget.used} left`);
    if (isCalm(scenario) && graceMs > 0) checkGivenBack(model, life, clock.monotonic());
    life.dead = true;
  };

  const act = async (action: SimAction): Promise<void> => {
    const member = members[action.poller];
    if (member === undefined) return;
    model.say(`${action.kind} ${member.life.name}`);
    switch (action.kind) {
      case 'kill':
        closing(model, member.life);
        member.life.dead = true;
        members[action.poller] = open(member.life.settings);
        return;
      case 'restart': {
        // The new one starts at once, as in a rolling update.
        members[action.poller] = open(member.life.settings);
        await drain(member, action.graceMs, action.receiveMs);
        return;
      }
      case 'pause':
        closing(model, member.life);
        void member.poller.pause();
        await clock.sleep(action.forMs);
        if (member.life.dead || members[action.poller] !== member) return;
        member.life.closing = false;
        member.poller.resume();
        return;
      case 'reconfigure': {
        member.life.settings = action.settings;
        member.life.lastThrottleMs = action.newTarget ? undefined : member.life.lastThrottleMs;
        if (action.newTarget) member.target = newTarget(member);
        const settings = mutant?.settings?.(action.settings) ?? action.settings;
        void member.poller.reconfigure({
          settings,
          target: wrapTarget(mutant, member.target),
          matches: (value) => value === true,
        });
        return;
      }
    }
  };

  for (const [index, { atMs }] of scenario.messages.entries()) {
    if (atMs === 0) queue.send(index);
    else clock.after(atMs, () => queue.send(index));
  }
  for (let index = 0; index < scenario.pollers; index++) members.push(open(scenario.settings));
  const acting: Promise<void>[] = [];
  for (const action of scenario.actions) clock.after(action.atMs, () => void acting.push(act(action)));
  clock.after(scenario.quietAtMs, () => {
    queue.quiet = true;
    model.say('quiet');
  });

  const over = (): boolean =>
    model.violation !== undefined ||
    (queue.quiet &&
      model.messages.length === scenario.messages.length &&
      model.messages.every(
        (message) => message.state !== 'queued' || isLeftAlone(message.matched, scenario),
      ));
  try {
    await clock.runUntil(over, { limitMs: scenario.quietAtMs + QUIET_LIMIT_MS, maxSteps: MAX_STEPS });
    if (model.violation === undefined) {
      await clock.runUntil(Promise.all(acting), { maxSteps: MAX_STEPS });
      const ends = Promise.all(members.map((member) => drain(member, 60_000, 2000)));
      await clock.runUntil(ends, { maxSteps: MAX_STEPS });
    }
  } catch (error) {
    const left = model.messages.filter(({ state }) => state === 'queued').map(({ name }) => name);
    model.violate(
      'everything comes to its end',
      `${left.join(' ')} (${error instanceof Error ? error.message : ''})`,
    );
  }
  return { violation: model.violation, trace };
}

/** Messages that no filter matches and that are to be given back stay in the queue. */
function isLeftAlone(matched: boolean, scenario: Scenario): boolean {
  return !matched && scenario.settings.unmatched === 'Release';
}

function closing(model: Model, life: Life): void {
  life.closing = true;
  for (const message of model.messages) {
    if (message.state === 'queued' && message.holder === life)
      model.excuse(message, `${life.name} is closing`);
  }
}

function isSteady({ faults, holdMaxMs }: Scenario): boolean {
  const { slow, extendRefused, extendPartly, receiptStale } = faults;
  return slow + extendRefused + extendPartly + receiptStale === 0 && holdMaxMs > 3_600_000;
}

/** Without faults of the source, a drain leaves only failed messages invisible. */
function checkGivenBack(model: Model, life: Life, nowMs: number): void {
  for (const message of model.messages) {
    const hidden = message.state === 'queued' && message.visibleAtMs > nowMs;
    if (hidden && message.holder === life && !message.spent && !message.succeeded) {
      model.violate('a drain makes untouched messages visible', message.name);
    }
  }
}

function isCalm({ faults, settings, outages, behaviour, actions }: Scenario): boolean {
  const holds = [
    settings,
    ...actions.flatMap((action) => (action.kind === 'reconfigure' ? [action.settings] : [])),
  ];
  return (
    Object.values(faults).every((probability) => probability === 0) &&
    // What was let go after its hold is hidden for a while, and so is what an aborted poll had taken.
    ((outages.length === 0 && behaviour.throttle === 0 && behaviour.unreachable === 0) ||
      holds.every(({ maximumHoldMs }) => maximumHoldMs >= 900_000))
  );
}

function wrapTarget(mutant: Mutant | undefined, target: Target): Target {
  if (mutant?.deps === undefined) return target;
  return mutant.deps({ target } as QueuePollerDeps).target;
}

function watched(budget: ByteBudget, check: () => void): ByteBudget {
  return {
    limit: budget.limit,
    get used() {
      return budget.used;
    },
    tryReserve(bytes) {
      const granted = budget.tryReserve(bytes);
      check();
      return granted;
    },
    async reserve(bytes, signal) {
      await budget.reserve(bytes, signal);
      check();
    },
    adjust(delta) {
      budget.adjust(delta);
      check();
    },
  };
}

/** Runs the scenario of a seed. */
export function runSeed(seed: number, mutant?: Mutant): Promise<RunResult> {
  return runScenario(makeScenario(seed), mutant);
}
