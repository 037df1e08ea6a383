/** What the parts of a queue loop share. `queue-poller.ts` makes it; reader, hands and dispatcher use it. */
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Alarm } from './alarm.ts';
import type { Calls } from './calls.ts';
import type { Emit } from './events.ts';
import type { QueueFacts, QueueSource } from './ports.ts';
import type { QueueRules } from './rules.ts';
import type { Effective, Reconfiguration } from './settings.ts';

export interface Loop {
  readonly source: QueueSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  readonly newId: () => string;
  readonly rules: QueueRules;
  readonly alarm: Alarm;
  /** Every call to the source but receives. */
  readonly calls: Calls;
  /** Starts a task that the poller waits for before it has stopped. */
  readonly run: (task: () => Promise<void>) => void;
  /** Starts whatever may start now; to be called after anything that may have made room. */
  readonly pump: () => void;
  /** Tells that a call to the source failed. */
  readonly report: (error: unknown, delayMs: number) => void;
  /** The spec in force. */
  readonly config: Reconfiguration;
  readonly facts: QueueFacts | undefined;
  readonly effective: Effective;
  /** Why nothing new may start and what is untouched goes back; undefined while running. */
  readonly closing: 'Paused' | 'Draining' | undefined;
}
