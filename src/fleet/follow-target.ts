/**
 * Keeps an open target in step with what changes outside the spec, by asking now and then: Secrets of an HTTP target,
 * so that a rotated certificate is used without a restart, and the time-out of a function, so that a call is not given
 * up while it still runs. What cannot be read leaves the target as it is.
 */
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import { TaskGroup } from '../lib/lifecycle.ts';
import type { Random } from '../lib/random.ts';
import type { Target } from '../poller/ports.ts';
import type { HttpTargetConfig } from '../targets/http-config.ts';
import type { HttpTarget } from '../targets/http-target.ts';
import { lambdaTarget, readFunctionTimeoutMs, type LambdaTargetOptions } from '../targets/lambda.ts';
import type { OpenTarget } from './open-target.ts';

/** How often Secrets are read again, unless the surroundings say otherwise. */
const defaultSecretRefreshMs = 60_000;
/** How often a function is asked for its time-out. */
const functionIntervalMs = 5 * 60_000;

interface Deps {
  readonly clock: Clock;
  readonly random: Random;
  /** How often Secrets are read again, default 60 s; a tenth more or less, to spread the reads. */
  readonly secretRefreshMs?: number | undefined;
}

/** How Secrets are read again, and who is told when they cannot be read or used. */
export interface SecretFollowing {
  readonly read: (signal: AbortSignal) => Promise<{ readonly config: HttpTargetConfig }>;
  readonly onFailure: (message: string) => void;
}

/** An HTTP target, with its Secrets read again now and then until it is closed; without `following` as it is. */
export function followSecrets(
  deps: Deps,
  target: HttpTarget,
  opened: HttpTargetConfig,
  following: SecretFollowing | undefined,
): OpenTarget {
  const contentOf = ({ tls, headers }: HttpTargetConfig): string => JSON.stringify([tls, headers]);
  let used = contentOf(opened);
  let complaint = '';
  const look = async (signal: AbortSignal): Promise<void> => {
    try {
      const config = (await following?.read(signal))?.config;
      if (config === undefined || signal.aborted) return;
      const content = contentOf(config);
      if (content !== used) {
        // What can be refused comes first, so that the target changes as a whole or not at all.
        target.updateTls(config.tls ?? {});
        target.updateHeaders(config.headers);
        used = content;
      }
      complaint = '';
    } catch (error) {
      const message = messageOf(error);
      if (!signal.aborted && message !== complaint) following?.onFailure(message);
      complaint = message;
    }
  };
  const everyMs = deps.secretRefreshMs ?? defaultSecretRefreshMs;
  const rounds = following === undefined ? undefined : repeat(deps, everyMs, look);
  return {
    type: target.type,
    timeoutMs: target.timeoutMs,
    declaredTimeoutMs: () => opened.timeoutMs,
    invoke: (invocation, signal) => target.invoke(invocation, signal),
    capacity: () => target.capacity(),
    unready: () => target.unready(),
    async close() {
      await rounds?.stop();
      await target.close();
    },
  };
}

/** A function as target, with its time-out read again now and then until it is closed. */
export function followFunction(
  deps: Deps,
  place: Omit<LambdaTargetOptions, 'timeoutMs' | 'marginMs'>,
  openedMs: number | undefined,
): OpenTarget {
  // Without the permission to ask, the longest time that a function may have is assumed.
  let knownMs = openedMs;
  let target: Target = lambdaTarget({ ...place, timeoutMs: knownMs });
  const rounds = repeat(deps, functionIntervalMs, async (signal) => {
    const timeoutMs = await readFunctionTimeoutMs(place, signal);
    if (signal.aborted || timeoutMs === undefined || timeoutMs === knownMs) return;
    // Opened before the other is closed: the two share a client, and calls under way end with what they began with.
    const former = target;
    target = lambdaTarget({ ...place, timeoutMs });
    knownMs = timeoutMs;
    await former.close();
  });
  return {
    type: target.type,
    get timeoutMs() {
      return target.timeoutMs;
    },
    declaredTimeoutMs: () => knownMs,
    invoke: (invocation, signal) => target.invoke(invocation, signal),
    async close() {
      await rounds.stop();
      await target.close();
    },
  };
}

/** Does `look` about every `intervalMs`, spread over the fleet, until `stop`, which waits for a look under way. */
function repeat(
  { clock, random }: Deps,
  intervalMs: number,
  look: (signal: AbortSignal) => Promise<void>,
): { readonly stop: () => Promise<void> } {
  const stopped = new AbortController();
  const { signal } = stopped;
  // A look deals with its own failures.
  const tasks = new TaskGroup(() => undefined);
  tasks.run(async () => {
    while (!signal.aborted) {
      await clock.sleep(intervalMs * (0.9 + 0.2 * random()), signal);
      if (!signal.aborted) await look(signal);
    }
  });
  return {
    async stop() {
      stopped.abort();
      await tasks.drained();
    },
  };
}
