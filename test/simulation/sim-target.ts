/** A function that succeeds, fails, throttles, hangs or talks nonsense, as its scenario says. */
import type { Random } from '../../src/lib/random.ts';
import type { Invocation, Outcome, Target } from '../../src/poller/ports.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';
import type { Life, Model } from './model.ts';
import type { Behaviour, Outage, Scenario } from './scenario.ts';
import { alive, type Message, type SimRecord } from './sim-queue.ts';

export interface SimTargetDeps {
  readonly clock: VirtualClock;
  readonly model: Model;
  readonly scenario: Scenario;
  readonly random: Random;
  readonly life: Life;
  /** Whether the run has come to the part without faults. */
  readonly quiet: () => boolean;
  /** Whether this target is the one in force. */
  readonly isCurrent: (target: Target) => boolean;
}

type Act = keyof Behaviour | Outage['kind'];

export function simTarget(deps: SimTargetDeps): Target {
  const { clock, model, scenario, random, life, quiet } = deps;

  const outage = (): Outage | undefined => {
    if (quiet()) return undefined;
    const nowMs = clock.monotonic();
    return scenario.outages.find(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs);
  };

  const choose = (messages: readonly Message[], reporting: boolean): Act => {
    const down = outage();
    if (down !== undefined && down.kind !== 'unready') return down.kind;
    if (messages.some(({ poison }) => poison)) return reporting ? 'partial' : 'failure';
    if (quiet()) return 'success';
    const weights = Object.entries(scenario.behaviour) as [keyof Behaviour, number][];
    let left = random() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [act, weight] of weights) {
      left -= weight;
      if (left < 0) return act === 'partial' && !reporting ? 'success' : act;
    }
    return 'success';
  };

  const target: Target = {
    type: 'sim',
    timeoutMs: scenario.targetTimeoutMs,
    unready() {
      return outage()?.kind === 'unready' ? { reason: 'NoReadyEndpoint', message: 'simulated' } : undefined;
    },
    async invoke(invocation: Invocation, signal: AbortSignal): Promise<Outcome> {
      const records = invocation.records as readonly SimRecord[];
      const messages = records.map(({ message }) => message);
      const receipts = records.map(({ receipt }) => receipt).join(' ');
      const reporting = life.settings.reportBatchItemFailures;
      const call = model.invoked(life, invocation.id, messages, receipts, invocation.event);
      const act = choose(messages, reporting);
      if (model.tracing) model.say(`${life.name} invokes ${receipts}: ${act}`);
      let ms = 1 + Math.floor(random() * 30);
      if (act === 'slow') ms = Math.floor(random() * scenario.targetTimeoutMs);
      if (act === 'timeout') ms = scenario.targetTimeoutMs;
      await clock.sleep(ms, signal);
      await alive(life);
      if (signal.aborted) {
        for (const message of messages) {
          message.spent = true;
          model.excuse(message, 'its call was abandoned');
        }
        model.heldBack(life, call, false);
        return { kind: 'unreachable', reason: 'TargetUnreachable', message: 'aborted' };
      }
      const current = deps.isCurrent(target);
      switch (act) {
        case 'throttle':
        case 'throttled':
          model.heldBack(life, call, current);
          return {
            kind: 'throttled',
            reason: 'TargetThrottled',
            message: 'simulated',
            retryAfterMs: outage()?.retryAfterMs,
          };
        case 'unreachable':
          model.heldBack(life, call, current);
          return { kind: 'unreachable', reason: 'TargetUnreachable', message: 'simulated' };
        case 'refused':
          model.heldBack(life, call, current);
          return { kind: 'refused', reason: 'TargetRefused', message: 'simulated' };
        case 'failure':
        case 'timeout':
          // A time-out may well come after the function did its work; nobody can tell.
          model.ended(life, call, [], messages);
          return {
            kind: 'failed',
            reason: 'FunctionError',
            functionError: 'Unhandled',
            message: 'simulated',
          };
        case 'garbage': {
          model.ended(life, call, reporting ? [] : messages, reporting ? messages : []);
          return delivered(garbage(random));
        }
        case 'partial': {
          const failed = partly(records, random, quiet());
          const done = records.filter((record) => !failed.some(({ id }) => id === record.id));
          model.ended(
            life,
            call,
            done.map(({ message }) => message),
            failed.map(({ message }) => message),
          );
          const batchItemFailures = failed.map(({ id }) => ({ itemIdentifier: id }));
          return delivered({ kind: 'json', value: { batchItemFailures } });
        }
        case 'success':
        case 'slow':
        case 'unready':
          model.ended(life, call, messages, []);
          return delivered({ kind: 'empty' });
      }
    },
    close: async () => {},
  };
  return target;
}

/** Records that the function reports: it stops a group at its first failure, as a good function does. */
function partly(records: readonly SimRecord[], random: Random, quiet: boolean): SimRecord[] {
  const broken = new Set<string>();
  const ids = new Set<string>();
  return records.filter((record) => {
    const { poison, group } = record.message;
    const fails =
      poison ||
      ids.has(record.id) ||
      (group !== undefined && broken.has(group)) ||
      (!quiet && random() < 0.4);
    if (fails) ids.add(record.id);
    if (fails && group !== undefined) broken.add(group);
    return fails;
  });
}

function garbage(random: Random): { kind: 'json'; value: unknown } | { kind: 'other' } {
  const which = random();
  if (which < 0.3) return { kind: 'other' };
  const item = which < 0.6 ? { itemIdentifier: 'nobody' } : { itemIdentifier: '' };
  return { kind: 'json', value: { batchItemFailures: [item] } };
}

function delivered(response: Extract<Outcome, { kind: 'delivered' }>['response']): Outcome {
  return { kind: 'delivered', statusCode: 200, response };
}
