/**
 * The pure rules that the queue loop follows, as one value. The loop gets them passed in, so that the simulation can
 * plant a wrong one and show that its model notices.
 */
import { pull } from './brake.ts';
import { cut, grow } from './concurrency.ts';
import { arrangeByLane, nextStartable, withoutGone } from './lanes.ts';
import { judge } from './verdict.ts';
import { extensionSeconds } from './visibility.ts';

export interface QueueRules {
  readonly judge: typeof judge;
  readonly pull: typeof pull;
  readonly grow: typeof grow;
  readonly cut: typeof cut;
  readonly arrangeByLane: typeof arrangeByLane;
  readonly nextStartable: typeof nextStartable;
  readonly withoutGone: typeof withoutGone;
  readonly extensionSeconds: typeof extensionSeconds;
}

export const QUEUE_RULES: QueueRules = {
  judge,
  pull,
  grow,
  cut,
  arrangeByLane,
  nextStartable,
  withoutGone,
  extensionSeconds,
};
