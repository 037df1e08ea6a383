import type { Configuration, Freshness, Tags } from '../../src/backends/aws/client.ts';
import type { Account, Life, Version } from './account-history.ts';

export const intervalMs = 30_000;
/** The longest that a sweep of a few pages takes. */
export const sweepMs = 20_000;
/** How old an answer may be. Settled mappings: two intervals, after which a sweep is waited for. */
const ages: Readonly<Record<Freshness, number>> = {
  now: 0,
  just: 3000,
  recent: 2 * intervalMs + sweepMs,
};
/** A list may be of a minute ago, and show what was made ten seconds before that. */
export const listAges: Readonly<Record<Freshness, number>> = { now: 0, just: 0, recent: 70_000 };
const tagAges: Readonly<Record<Freshness, number>> = { now: 0, just: 3000, recent: 600_000 };

/** Everything that was promised up to now. */
export class Judge {
  readonly violations = new Map<string, string>();
  readonly answered: Record<string, number> = {};
  /** Of the last write that was answered: the version that it made. */
  readonly floors = new Map<string, number>();
  readonly tagFloors = new Map<string, Map<string, number>>();
  /** When the last write was sent that ended in doubt. */
  readonly doubts = new Map<string, number>();
  readonly gone = new Set<string>();
  readonly #account: Account;

  constructor(account: Account) {
    this.#account = account;
  }

  say(rule: string, detail: string): void {
    if (!this.violations.has(rule)) this.violations.set(rule, `${rule}: ${detail}`);
  }

  count(what: string): void {
    this.answered[what] = (this.answered[what] ?? 0) + 1;
  }

  /** What has to hold of a mapping's answers from now on. */
  promise(life: Life): { readonly floor: number; readonly doubtMs: number; readonly isGone: boolean } {
    return {
      floor: this.floors.get(life.uuid) ?? 0,
      doubtMs: this.doubts.get(life.uuid) ?? -Infinity,
      isGone: this.gone.has(life.uuid),
    };
  }

  /** Whether a mapping could be shown so, or not at all, to somebody who takes what was true since `earliestMs`. */
  isRight(
    life: Life,
    answer: Configuration | undefined,
    { floor, doubtMs, isGone }: ReturnType<Judge['promise']>,
    earliestMs: number,
    answeredMs: number,
  ): string | undefined {
    if (isGone && answer !== undefined) return 'what was gone is shown again';
    const { versions } = life.configurations;
    const sinceMs = Math.max(earliestMs, doubtMs - this.#account.lagMs);
    const right = life.configurations
      .between(sinceMs, answeredMs)
      .filter(({ value }) => value?.LastModified === answer?.LastModified);
    if (right.length === 0)
      return doubtMs - this.#account.lagMs > earliestMs
        ? 'what was before a write in doubt is shown'
        : 'an answer is too old';
    return right.every((version) => versions.indexOf(version) < floor)
      ? 'an own write is not seen'
      : undefined;
  }

  checkGet(
    life: Life,
    answer: Configuration | undefined,
    promised: ReturnType<Judge['promise']>,
    freshness: Freshness,
    askedMs: number,
    answeredMs: number,
  ): void {
    this.count(`get ${freshness}`);
    // What is on its way is asked for again at once, and nobody acts upon it.
    const isPassing = answer !== undefined && answer.State !== 'Enabled';
    const ageMs = freshness === 'recent' && isPassing ? Infinity : ages[freshness];
    const lagMs = freshness === 'recent' ? this.#account.lagMs : 0;
    // What is on its way out and not listed is taken for gone: nobody can take it back.
    const isLeaving = ({ value }: Version<Configuration | undefined>) => value?.State === 'Deleting';
    const passes =
      answer === undefined &&
      freshness === 'recent' &&
      life.configurations.between(askedMs, answeredMs).some(isLeaving);
    const wrong = passes
      ? undefined
      : this.isRight(life, answer, promised, askedMs - ageMs - lagMs, answeredMs);
    if (wrong !== undefined) this.say(wrong, `get ${freshness} at ${askedMs}: ${shown(answer)}`);
    if (answer === undefined && life.configurations.last === undefined) this.gone.add(life.uuid);
  }

  checkList(
    source: string | undefined,
    answer: readonly Configuration[],
    promised: ReadonlyMap<string, Pick<ReturnType<Judge['promise']>, 'floor' | 'isGone'>>,
    freshness: Freshness,
    askedMs: number,
    answeredMs: number,
  ): void {
    this.count(`list ${freshness}`);
    const earliestMs = askedMs - listAges[freshness] - this.#account.lagMs;
    if (new Set(answer.map(({ UUID }) => UUID)).size < answer.length)
      this.say('a list shows a mapping twice', `${askedMs}`);
    for (const life of this.#account.lives.values()) {
      if (source !== undefined && life.source !== source) continue;
      const found = answer.find(({ UUID }) => UUID === life.uuid);
      const known = promised.get(life.uuid) ?? { floor: 0, isGone: false };
      const about = `list ${freshness} of ${source ?? 'all'} at ${askedMs}: ${shown(found)}`;
      if (found !== undefined) {
        // What List itself shows late nobody can mend: a direct list promises no more.
        const strict = freshness === 'recent' && this.#account.lagMs === 0;
        const promises = strict ? known : { floor: 0, isGone: false };
        const passes = freshness === 'recent' && found.State !== 'Enabled';
        const sinceMs = passes ? -Infinity : earliestMs;
        const wrong = this.isRight(life, found, { ...promises, doubtMs: -Infinity }, sinceMs, answeredMs);
        if (wrong !== undefined) this.say(`${wrong}, in a list`, about);
      } else if (
        !this.#account.overlooks &&
        (life.configurations.between(earliestMs, answeredMs).every(({ value }) => value !== undefined) ||
          (this.#account.lagMs === 0 && known.floor > 0 && isThere(life, askedMs, answeredMs)))
      )
        this.say('a list misses a mapping', `${about} ${life.uuid}`);
    }
  }

  checkTags(
    life: Life,
    answer: Tags,
    floors: ReadonlyMap<string, number>,
    freshness: Freshness,
    askedMs: number,
    answeredMs: number,
  ): void {
    this.count(`tags ${freshness}`);
    const { versions } = life.tags;
    const right = life.tags.between(askedMs - tagAges[freshness], answeredMs);
    const keys = new Set(right.flatMap(({ value }) => Object.keys(value)).concat(Object.keys(answer)));
    for (const key of keys) {
      const fits = right.filter(({ value }) => value[key] === answer[key]);
      if (fits.length === 0)
        this.say('tags are too old', `${freshness} at ${askedMs}: ${key}=${answer[key]}`);
      else if (fits.every((version) => versions.indexOf(version) < (floors.get(key) ?? 0)))
        this.say('an own tag is not seen', `${freshness} at ${askedMs}: ${key}=${answer[key]}`);
    }
  }
}

function isThere({ configurations }: Life, fromMs: number, toMs: number): boolean {
  return configurations.between(fromMs, toMs).every(({ value }) => value !== undefined);
}

export function shown(configuration: Configuration | undefined): string {
  if (configuration === undefined) return 'nothing';
  return `${configuration.UUID} ${configuration.State} version ${configuration.LastModified?.getTime()}`;
}
